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
from api.files.input_slices import InputSlice
from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.runs.engines import Engine
from api.runs.plan import RunPlan
from rules.errors import Fault
from scoring.columns import NO_TIME

_HEADER: Final = "work.json"
# Folders that are being filled beside the work: a killed run leaves them behind.
_OPEN: Final = "open.json"


@dataclass(frozen=True, slots=True)
class BucketedRun:
    """A run to be done, as every worker needs it.

    Parameters
    ----------
    work
        Folder of what is done so far.
    files, names
        Where the inputs are, and how the person called them.
    slices
        What is read by one task each.
    num_buckets
        Into how many parts riders are split.
    as_of_us
        Up to when fades and resets are written; None for the newest event.
    state, until_us, state_id
        Folder of a carried state, None to carry nothing; how far it had come, `NO_TIME` where it is new; `state_identity` it.
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
    slices: tuple[InputSlice, ...]
    format: Format
    chosen: RunPlan
    num_buckets: int
    as_of_us: int | None = None
    state: Path | None = None
    until_us: int = NO_TIME
    state_id: tuple[int, int] | None = None
    carried: Path | None = None
    command: str = "score"
    other: RunPlan | None = None
    reading: ReadingOptions = DEFAULT_READING

    def spill(self, slice_idx: int) -> Path:
        """Rows of a slice by bucket."""
        return self.work / "spills" / f"{slice_idx:05d}.arrow"

    def spills(self) -> list[tuple[Path, str]]:
        """All spills in the order of the rows, and the name of the file that each was made of."""
        slices = enumerate(self.slices)
        return [(self.spill(k), str(self.names[input_slice.file])) for k, input_slice in slices if input_slice.has_rows]

    def report(self, stage: str, number: int) -> Path:
        """What a finished step says of itself; written last."""
        return self.work / stage / f"{number:05d}.json"

    def rejects(self, stage: str, number: int) -> Path:
        """Rows that a step left out."""
        return self.work / stage / f"{number:05d}.ndjson"

    def part(self, name: str, bucket: int) -> Path:
        """One bucket's share of a ledger file."""
        return self.work / name / f"part-{bucket:05d}.parquet"


def work_folder_of(out: Path) -> Path:
    """The work folder of an output folder, beside it."""
    return out.absolute().parent / f".{out.name}.work"


def open_work_folder(run: BucketedRun) -> BucketedRun:
    """Make the work folder, or go on in one of the very same run; that of another run is thrown away.

    Returns
    -------
    The run with its `work` below the folder given.
    """
    root, same = run.work, _header(run)
    if read_header_file(root / _HEADER) != same:
        remove_work_folder(root)
        root.mkdir(parents=True)
        write_json(root / _HEADER, same)
    remove_unfinished(root)
    key = hashlib.sha256(json.dumps(same).encode()).hexdigest()[:16]
    return dataclasses.replace(run, work=root / key)


def run_digest(run: BucketedRun) -> str:
    """What makes two runs the same, but for the state carried in, as one number."""
    alone = {name: value for name, value in _header(run).items() if name not in ("state", "num_buckets")}
    return hashlib.sha256(json.dumps(alone).encode()).hexdigest()


def state_identity(state: Path) -> tuple[int, int] | None:
    """What tells a state from the one that takes its place, although both may have come equally far; None for none."""
    try:
        stat = (state / STATE_MARKER).stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def _header(run: BucketedRun) -> dict[str, Any]:
    """What makes two runs the same."""
    stats = [path.stat() for path in run.files]
    plans = [run.chosen] if run.other is None else [run.chosen, run.other]
    return {
        "version": version("riderscore"),
        "inputs": [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(run.files, stats, strict=True)],
        "command": run.command,
        "books": [[book.digest for book in chosen.program.books] for chosen in plans],
        "references": [[chosen.reference, chosen.deployment, chosen.platform] for chosen in plans],
        "format": run.format,
        "reading": run.reading.document(),
        "as_of_us": run.as_of_us,
        "num_units": len(run.slices),
        "num_buckets": run.num_buckets,
        "state": None if run.state is None else [str(run.state), run.until_us, *(run.state_id or ())],
    }


def remove_unfinished(root: Path) -> None:
    """Remove what a killed run had begun to write; nothing else writes here."""
    for path in [path for path in root.rglob(".*") if path.exists()]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    begun = read_header_file(root / _OPEN)
    if begun is not None:
        shutil.rmtree(begun["folder"], ignore_errors=True)
        (root / _OPEN).unlink()


@contextmanager
def atomic_output(root: Path, place: Path, marker: str) -> Iterator[Path]:
    """`atomic_folder`, of which a kill leaves nothing behind once the run has gone on."""
    with atomic_folder(place, marker=marker) as folder:
        write_json(root / _OPEN, {"folder": str(folder)})
        yield folder
    (root / _OPEN).unlink()


def remove_work_folder(root: Path) -> None:
    """Delete a work folder, its header first: without the header no later run continues from it."""
    (root / _HEADER).unlink(missing_ok=True)
    if root.exists():
        shutil.rmtree(root)


def read_header_file(path: Path) -> dict[str, Any] | None:
    """A JSON object that a run wrote of itself; None where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def run_stage(
    run_tasks: Engine,
    step: Callable[[BucketedRun, int], None],
    run: BucketedRun,
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
    unfinished = [k for k in range(number) if not run.report(stage, k).exists()]
    faults: dict[Fault, None] = {}
    for count, step_faults in enumerate(
        run_tasks(partial(_tried, step, run), unfinished), start=number - len(unfinished) + 1
    ):
        faults |= dict.fromkeys(step_faults)
        if any(fault.code == "output_refused" for fault in step_faults):
            raise InputError(*step_faults)
        tell(count, number)
    if faults:
        raise InputError(*faults)
    return [json.loads(run.report(stage, k).read_text(encoding="utf-8")) for k in range(number)]


def _tried(step: Callable[[BucketedRun, int], None], run: BucketedRun, number: int) -> tuple[Fault, ...]:
    """Do a step; its faults as a value, so that one bad file does not hide another."""
    try:
        step(run, number)
    except InputError as error:
        return error.faults
    return ()
