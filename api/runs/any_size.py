"""Inputs of any size, scored or compared: small ones in one piece and in memory, large ones by buckets."""

from collections.abc import Sequence
from pathlib import Path

from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.runs.bucketed_compare import compare_bucketed
from api.runs.bucketed_run import ScoredBuckets, is_bucketed, score_bucketed
from api.runs.compare import ComparedFiles, ComparisonCommand, compare_files
from api.runs.engines import EngineName
from api.runs.run import PLATFORM, RunProgress, ScoredFiles, no_progress, score_files


def score_any_size(
    paths: Sequence[Path],
    reference: str,
    out: Path,
    *,
    format: Format = "native",
    state: Path | None = None,
    as_of_us: int | None = None,
    engine_name: EngineName = "local",
    num_workers: int | None = None,
    address: str | None = None,
    platform: str = PLATFORM,
    reading: ReadingOptions = DEFAULT_READING,
    replace: bool = False,
    progress: RunProgress = no_progress,
) -> ScoredFiles | ScoredBuckets:
    """Score files into a ledger directory.

    Parameters
    ----------
    paths, reference, out, format, state, as_of_us, platform, reading, replace, progress
        As `api.runs.run.score_files` takes them.
    engine_name, num_workers, address
        Where large inputs are worked on, as `api.runs.engines.engine` takes them; an mdrp instance always runs here.

    Returns
    -------
    ScoredFiles or ScoredBuckets
        What the run did; both have `document` and `warnings`.

    Raises
    ------
    BookError, InputError
        If the books, the files or the places to write to cannot be used, or no row can be scored; nothing is written.
    """
    if (engine_name == "ray" and format != "mdrp") or is_bucketed(paths, format, state):
        return score_bucketed(
            paths, reference, out, format=format, state=state, as_of_us=as_of_us, progress=progress,
            engine_name=engine_name, num_workers=num_workers, address=address, platform=platform, reading=reading,
            replace=replace,
        )  # fmt: skip
    return score_files(
        paths, reference, out, format=format, state=state, as_of_us=as_of_us, platform=platform, reading=reading,
        replace=replace, progress=progress,
    )  # fmt: skip


def compare_any_size(
    command: ComparisonCommand,
    paths: Sequence[Path],
    references: tuple[str, str],
    out: Path,
    *,
    format: Format = "native",
    platform: str = PLATFORM,
    reading: ReadingOptions = DEFAULT_READING,
    replace: bool = False,
    progress: RunProgress = no_progress,
) -> ComparedFiles:
    """Score the same deliveries under two books and write what differs.

    Parameters
    ----------
    command, paths, references, out, format, platform, reading, replace, progress
        As `api.runs.compare.compare_files` takes them.

    Returns
    -------
    ComparedFiles
        What was found.

    Raises
    ------
    BookError, InputError
        If the books, the files or the place to write to cannot be used, or no row can be scored; nothing is written.
    """
    run = compare_bucketed if is_bucketed(paths, format, None) else compare_files
    return run(
        command, paths, references, out, format=format, platform=platform, reading=reading, replace=replace,
        progress=progress,
    )  # fmt: skip
