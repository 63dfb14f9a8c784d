"""The work folder of a large run: finished parts are stored whole, so that a killed run can be resumed.

`.OUT.work/work.json` says which run it is, `.OUT.work/<its key>/` holds what is done: a worker that outlives its run cannot
write into the next one's.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from api.files.atomic import STATE_MARKER, atomic_folder, write_json
from api.files.errors import InputError
from api.files.input_slices import Unit
from api.files.readers import Format
from api.files.reading_options import AS_IT_IS, Reading
from api.runs.engines import Engine
from api.runs.plan import Plan
from rules.errors import Fault
from scoring.columns import NO_TIME

_HEADER: Final = "work.json"
# Folders that are being filled beside the work: a killed run leaves them behind.
_OPEN: Final = "open.json"


@dataclass(frozen=True, slots=True)
class Lake:
    """A run to be done, as every worker needs it.

    Parameters
    ----------
    work
        Folder of what is done so far.
    files, names
        Where the inputs are, and how the person called them.
    units
        What is read by one task each.
    num_buckets
        Into how many parts riders are split.
    as_of_us
        Up to when fades and resets are written; None for the newest event.
    state, until_us, state_id
        Folder of a carried state, None to carry nothing; how far it had come, `NO_TIME` where it is new; `identity_of` it.
    carried
        Folder that holds that state by buckets, one state folder each; None where there is none yet.
    command, other
        What is done with each bucket; the second book where two are compared.
    reading
        What was said about the files.
    """

    work: Path
    files: tuple[Path, ...]
    names: tuple[Path, ...]
    units: tuple[Unit, ...]
    format: Format
    chosen: Plan
    num_buckets: int
    as_of_us: int | None = None
    state: Path | None = None
    until_us: int = NO_TIME
    state_id: tuple[int, int] | None = None
    carried: Path | None = None
    command: str = "score"
    other: Plan | None = None
    reading: Reading = AS_IT_IS

    def spill(self, unit: int) -> Path:
        """Rows of a unit by bucket."""
        return self.work / "spills" / f"{unit:05d}.arrow"

    def spills(self) -> list[tuple[Path, str]]:
        """All spills in the order of the rows, and the name of the file that each was made of."""
        units = enumerate(self.units)
        return [(self.spill(k), str(self.names[unit.file])) for k, unit in units if unit.has_rows]

    def report(self, stage: str, number: int) -> Path:
        """What a finished step says of itself; written last."""
        return self.work / stage / f"{number:05d}.json"

    def rejects(self, stage: str, number: int) -> Path:
        """Rows that a step left out."""
        return self.work / stage / f"{number:05d}.ndjson"

    def part(self, name: str, bucket: int) -> Path:
        """One bucket's share of a ledger file."""
        return self.work / name / f"part-{bucket:05d}.parquet"


def work_of(out: Path) -> Path:
    """The work folder of an output folder, beside it."""
    return out.absolute().parent / f".{out.name}.work"


def open_work(lake: Lake) -> Lake:
    """Make the work folder, or go on in one of the very same run; that of another run is thrown away.

    Returns
    -------
    The lake with its `work` below the folder given.
    """
    root, same = lake.work, _header(lake)
    if header_read(root / _HEADER) != same:
        discard(root)
        root.mkdir(parents=True)
        write_json(root / _HEADER, same)
    sweep(root)
    key = hashlib.sha256(json.dumps(same).encode()).hexdigest()[:16]
    return dataclasses.replace(lake, work=root / key)


def digest_of(lake: Lake) -> str:
    """What makes two runs the same, but for the state carried in, as one number."""
    alone = {name: value for name, value in _header(lake).items() if name not in ("state", "num_buckets")}
    return hashlib.sha256(json.dumps(alone).encode()).hexdigest()


def identity_of(state: Path) -> tuple[int, int] | None:
    """What tells a state from the one that takes its place, although both may have come equally far; None for none."""
    try:
        stat = (state / STATE_MARKER).stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def _header(lake: Lake) -> dict[str, Any]:
    """What makes two runs the same."""
    stats = [path.stat() for path in lake.files]
    plans = [lake.chosen] if lake.other is None else [lake.chosen, lake.other]
    return {
        "version": version("riderscore"),
        "inputs": [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(lake.files, stats, strict=True)],
        "command": lake.command,
        "books": [[book.digest for book in chosen.program.books] for chosen in plans],
        "references": [[chosen.reference, chosen.deployment, chosen.platform] for chosen in plans],
        "format": lake.format,
        "reading": lake.reading.document(),
        "as_of_us": lake.as_of_us,
        "num_units": len(lake.units),
        "num_buckets": lake.num_buckets,
        "state": None if lake.state is None else [str(lake.state), lake.until_us, *(lake.state_id or ())],
    }


def sweep(root: Path) -> None:
    """Take away what a killed run had begun to write: nobody else writes here."""
    for path in [path for path in root.rglob(".*") if path.exists()]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    begun = header_read(root / _OPEN)
    if begun is not None:
        shutil.rmtree(begun["folder"], ignore_errors=True)
        (root / _OPEN).unlink()


@contextmanager
def assembled(root: Path, place: Path, marker: str) -> Iterator[Path]:
    """`atomic_folder`, of which a kill leaves nothing behind once the run has gone on."""
    with atomic_folder(place, marker=marker) as folder:
        write_json(root / _OPEN, {"folder": str(folder)})
        yield folder
    (root / _OPEN).unlink()


def discard(root: Path) -> None:
    """Throw a work folder away, its header first: without it nobody goes on with what is left."""
    (root / _HEADER).unlink(missing_ok=True)
    if root.exists():
        shutil.rmtree(root)


def header_read(path: Path) -> dict[str, Any] | None:
    """A JSON object that a run wrote of itself; None where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def stage_done(
    run: Engine,
    step: Callable[[Lake, int], None],
    lake: Lake,
    stage: str,
    number: int,
    tell: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    """Do what is not done of a stage; the reports of all of it.

    Raises
    ------
    InputError
        With the faults of every file that cannot be read; at once where the system refuses to write.
    """
    open_ = [k for k in range(number) if not lake.report(stage, k).exists()]
    faults: dict[Fault, None] = {}
    for count, found in enumerate(run(partial(_tried, step, lake), open_), start=number - len(open_) + 1):
        faults |= dict.fromkeys(found)
        if any(fault.code == "output_refused" for fault in found):
            raise InputError(*found)
        tell(count, number)
    if faults:
        raise InputError(*faults)
    return [json.loads(lake.report(stage, k).read_text(encoding="utf-8")) for k in range(number)]


def _tried(step: Callable[[Lake, int], None], lake: Lake, number: int) -> tuple[Fault, ...]:
    """Do a step; its faults as a value, so that one bad file does not hide another."""
    try:
        step(lake, number)
    except InputError as error:
        return error.faults
    return ()
