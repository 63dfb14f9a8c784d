"""`make explore MINUTES=30`: every property test with fresh seeds, again and again, on all cores, until the time is over.

What fails is printed with its seed and with the failing example as `@example(...)`; where it can be written as code,
Hypothesis leaves a patch that adds it to its test (`git apply .hypothesis/patches/….patch`). Commit it with the mend:
from then on every run tries it. Examples drawn by `st.data()` and the steps of state machines cannot be written so; they
become a named test by hand. Exit code 1 if anything was found.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOUND = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
# To end what it is doing and say what it found.
GRACE_S = 60


def main(minutes: float, *words: str) -> int:
    """Explore for so many minutes; `words` go to pytest (paths, -k)."""
    until_s = time.monotonic() + minutes * 60
    cores = len(os.sched_getaffinity(0))
    lock, found = threading.Lock(), dict[str, int]()

    def explore(_core: int) -> None:
        while (left_s := until_s - time.monotonic()) > 1:
            seed = secrets.randbelow(2**32)
            output = one_round(seed, left_s, words)
            failed = FOUND.findall(output)
            with lock:
                if failed:
                    print(output, flush=True)
                found.update(dict.fromkeys(failed, seed))
                print(f"seed {seed}: {len(failed)} failed", flush=True)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(explore, range(cores)))
    for test, seed in sorted(found.items()):
        print(f"HYPOTHESIS_PROFILE=explore pytest '{test}' --hypothesis-seed={seed}")
    for patch in sorted(Path(".hypothesis/patches").glob("*.patch")):
        print(f"git apply {patch}")
    return 1 if found else 0


def one_round(seed: int, left_s: float, words: tuple[str, ...]) -> str:
    """What pytest says to all property tests under a seed; it is interrupted when the time is over."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", f"--hypothesis-seed={seed}", *words]
    environ = os.environ | {"HYPOTHESIS_PROFILE": "explore"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            return process.communicate(timeout=left_s)[0]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=GRACE_S)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), *sys.argv[2:]))
