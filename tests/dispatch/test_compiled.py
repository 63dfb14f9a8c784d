"""The cache of compiled code: never older than any source it was compiled from."""

import shutil
import subprocess
import sys
from pathlib import Path

import dispatch.compiled

TWO_FILES = {
    "constants.py": "NUMBER = {number}\n",
    "reader.py": "from copied.compiled import compiled\nfrom copied.constants import NUMBER\n\n\n@compiled\ndef read():\n"
    "    return NUMBER\n",
}


def test_a_constant_changed_in_another_file_is_seen(tmp_path: Path):
    """Code cached with a constant of another file is compiled anew when that file changes."""
    package = tmp_path / "copied"
    package.mkdir()
    shutil.copy(dispatch.compiled.__file__, package / "compiled.py")
    said = []
    for number in (1, 2, 2):
        for name, source in TWO_FILES.items():
            if name == "constants.py" or number == 1:
                (package / name).write_text(source.replace("{number}", str(number)))
        words = [
            sys.executable,
            "-c",
            "from copied.reader import read; print(read(), sum(read.stats.cache_hits.values()))",
        ]
        said.append(subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split())

    assert said == [["1", "0"], ["2", "0"], ["2", "1"]]
