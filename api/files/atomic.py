"""Writes results atomically, and so that the same result always has the same bytes.

A file is written beside its place and renamed into it; a whole folder likewise.
"""

import errno
import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from api.files.errors import InputError, system_errors_as
from rules.errors import Fault

# A folder that holds this file was written by riderscore and may be replaced.
MARKER: Final = "run.json"
STATE_MARKER: Final = "state.json"
# One letter is a drive.
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; it takes the place of `path` if the block ends well, and goes if it does not.

    Raises
    ------
    InputError
        If the system refuses to write.
    """
    with system_errors_as("output_refused", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            # mkstemp makes files private; a result is as readable as any new file.
            temporary.chmod(0o666 & ~_umask())
            _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path, *, marker: str = MARKER) -> Iterator[Path]:
    """Give an empty folder to fill; it takes the place of `folder` if the block ends well, and goes if it does not.

    Parameters
    ----------
    folder
        Absent, empty, or written by riderscore before.
    marker
        File by which an earlier result is known.

    Raises
    ------
    InputError
        If `folder` holds what riderscore did not write, or the system refuses to write.
    """
    folder = folder.absolute()
    check_output(folder, marker=marker)
    with system_errors_as("output_refused", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                if file.is_file():
                    _flush(file)
            _swap(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check_output(folder: Path, *, marker: str = MARKER) -> None:
    """Refuse a folder that may not be replaced, before any work is done.

    Raises
    ------
    InputError
        If `folder` is an address of another system, is a file, or holds something but no `marker`.
    """
    check_is_local(folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(Fault("output_not_ours", file=str(folder)))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise InputError(Fault("output_not_ours", file=str(folder)))


def check_is_local(place: Path) -> None:
    """Refuse a place such as `s3://bucket/run`, which would become folders of that name.

    Raises
    ------
    InputError
        Naming it.
    """
    address = next((part for part in place.parts if _ADDRESS.fullmatch(part)), None)
    if address is not None:
        raise InputError(Fault("output_elsewhere", file=str(place), given=address))


def check_run_paths(inputs: Sequence[Path], out: Path, state: Path | None = None) -> None:
    """Refuse places to write that would swallow an input or each other, before any work is done.

    Raises
    ------
    InputError
        If an input lies in a folder that is replaced or one of those in a folder that is read, if one of the folders
        lies in the other, or if one may not be replaced.
    """
    check_output(out)
    places = [out.resolve()]
    if state is not None:
        check_output(state, marker=STATE_MARKER)
        places.append(state.resolve())
        if places[0] in (places[1], *places[1].parents) or places[1] in places[0].parents:
            raise InputError(Fault("output_overlaps", file=str(out), given=str(state)))
    for path in inputs:
        for match in [path] if path.exists() else map(Path, sorted(glob.glob(str(path), recursive=True))):
            _need_apart(match, places, out)


def _need_apart(path: Path, places: Sequence[Path], out: Path) -> None:
    whole = path.resolve()
    if any(place in (whole, *whole.parents) for place in places):
        raise InputError(Fault("input_in_output", file=str(path), given=str(out)))
    if path.is_dir() and any(whole in place.parents for place in places):
        # The next run would read what this one has written.
        raise InputError(Fault("output_in_input", file=str(out), given=str(path)))


def write_ndjson(path: Path, documents: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line, UTF-8, keys in the order given; written at once or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """One JSON document, indented, keys in the order given; written at once or not at all."""
    with atomic_file(path) as temporary:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")


def link_or_copy(path: Path, place: Path) -> None:
    """The same file at a second place; a copy where that is on another file system."""
    try:
        os.link(path, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(path, place)


def restore_interrupted(folder: Path) -> None:
    """Put back a folder that a killed run had moved away before its replacement was there; remove what else it left."""
    for aside in sorted(folder.parent.glob(f".{glob.escape(folder.name)}.old.*")):
        if not folder.exists() and (aside / folder.name).exists():
            (aside / folder.name).rename(folder)
        shutil.rmtree(aside, ignore_errors=True)


def _swap(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    # A folder cannot replace a filled one in one step: the old one steps aside, and comes back if that fails.
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    old = aside / folder.name
    try:
        folder.rename(old)
        try:
            temporary.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
