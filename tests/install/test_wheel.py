"""The wheel and the sdist: what is in them, and that they work from anywhere, with nothing writable but the folder of the results."""

import ctypes
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, tracked

pytestmark = pytest.mark.slow

# All that an install may put beside other packages.
TOP_LEVEL = {"api", "dispatch", "migrations", "riderscore", "rules", "scoring", "simulations"}
PR_CAPBSET_DROP = 24
# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER: what lets root write where nobody may.
OVERRIDES = (1, 2, 3)


def build(target: str, source: Path, folder: Path) -> Path:
    """A distribution of a source tree, made without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this tree."""
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is made of the sdist, as an installer makes it."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def names_in(wheel: Path) -> set[str]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_installs_nothing_outside_its_list(wheel: Path) -> None:
    """Top-level names are generic, so they are few and known: a new one is a decision."""
    top = {name.partition("/")[0] for name in names_in(wheel)}

    assert {name for name in top if not name.endswith(".dist-info")} == TOP_LEVEL
    assert len(top) == len(TOP_LEVEL) + 1


def test_the_wheel_holds_every_file_of_its_packages(wheel: Path) -> None:
    """Books, templates, catalogs, scenarios, migrations, static files: what lies in a package is installed with it."""
    wanted = {path.relative_to(ROOT).as_posix() for path in tracked() if path.relative_to(ROOT).parts[0] in TOP_LEVEL}

    assert wanted - names_in(wheel) == set()
    for ending in (".toml", ".po", ".mo", ".html", ".css", ".js", ".csv", ".md", "py.typed"):
        assert any(name.endswith(ending) for name in wanted), ending


def test_the_wheel_of_the_tree_is_that_of_the_sdist(wheel: Path, tmp_path: Path) -> None:
    """Nothing that the wheel needs is left out of the sdist."""
    assert names_in(build("wheel", ROOT, tmp_path)) == names_in(wheel)


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed into a folder of its own, which nobody may write to."""
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place)]
    subprocess.run([*command, str(wheel)], check=True)
    return place


@contextmanager
def read_only(*places: Path) -> Iterator[None]:
    """Take away the right to write to folders, until the block ends."""
    folders = [folder for place in places for folder in (place, *(path for path in place.rglob("*") if path.is_dir()))]
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


def as_anybody() -> None:
    """In a child of root: give up what root may do beyond the rights of files."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in OVERRIDES:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def riderscore(site: Path, folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command from a folder of results, below a HOME that cannot be written."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "HOME": str(home), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8",
    }  # fmt: skip
    (folder / "tmp").mkdir(exist_ok=True)
    home.chmod(0o555)
    return subprocess.run(
        [sys.executable, "-P", "-m", "riderscore", *words], check=False, cwd=folder, env=env | environ, capture_output=True, text=True,
        preexec_fn=as_anybody,
    )  # fmt: skip


def test_it_works_where_nothing_can_be_written(site: Path, tmp_path: Path) -> None:
    """From another folder, with package and HOME read-only: help, a first folder, a ledger, its explanation, a database."""
    commands = (
        ("--help",),
        ("init", "start"),
        ("score", "start/day.csv", "--book", "start/deployment.toml", "--out", "ledger"),
        ("explain", "ledger", "--rider", "r7", "--lang", "zh"),
        ("verify", "ledger"),
        ("books", "list"),
        ("schema", "events"),
        ("db", "upgrade", "--database-url", "sqlite:///store.db"),
    )

    with read_only(site):
        can_write = subprocess.run(
            ["touch", str(site / "rules" / "x")], check=False, preexec_fn=as_anybody, capture_output=True
        )
        ended = {" ".join(words): riderscore(site, tmp_path, *words) for words in commands}

    assert can_write.returncode != 0
    assert {name: done.stderr for name, done in ended.items() if done.returncode} == {}
    assert "4 events of 1 rider" in ended[" ".join(commands[2])].stdout
    assert "骑手 r7" in ended[" ".join(commands[3])].stdout
    # Where compiled code goes is said, and what that costs; asking for help is no use of it.
    assert "RIDERSCORE_CACHE_DIR" in ended[" ".join(commands[2])].stderr
    assert ended["--help"].stderr == ""


def test_it_is_the_installed_one(site: Path, tmp_path: Path) -> None:
    """What these tests run is the wheel, not the tree."""
    code = "import api, riderscore; print(api.__file__); print(riderscore.__file__)"

    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )

    assert all(line.startswith(str(site)) for line in done.stdout.split()), done


def test_a_cache_folder_that_is_named_is_used_without_a_word(site: Path, tmp_path: Path) -> None:
    """`RIDERSCORE_CACHE_DIR` holds the compiled code of a large input; what is compiled is said, once, without a terminal."""
    cache = tmp_path / "cache"
    riderscore(site, tmp_path, "init", "start")
    words = ("verify", "ledger")
    riderscore(site, tmp_path, "score", "start/day.csv", "--book", "start/deployment.toml", "--out", "ledger")
    code = (
        "import sys, numpy as np; from api.cli.failures import prepare_compiling; prepare_compiling('en')\n"
        "from rules.compiled import MADE_ROWS; from scoring.hashing import write_ids, ID_LENGTH\n"
        "n = MADE_ROWS[0] + 1\n"
        "write_ids(np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n * ID_LENGTH, np.uint8))"
    )

    with read_only(site):
        quiet = riderscore(site, tmp_path, *words, RIDERSCORE_CACHE_DIR=str(cache))
        compiling = [
            subprocess.run(
                [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
                env={"PYTHONPATH": str(site), "HOME": "/", "RIDERSCORE_CACHE_DIR": str(cache)}, preexec_fn=as_anybody,
            ).stderr
            for _ in range(2)
        ]  # fmt: skip

    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert compiling == ["compiling scoring.hashing.write_ids (once on this machine, some seconds)\n", ""]
    assert list(cache.rglob("*.nbi"))
