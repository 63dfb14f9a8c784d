"""A study from the service: `api.studies.run_study` in a folder of this machine, each finished part kept in the database.

Whoever takes the work up after a killed server finds the finished parts there, on whatever machine, and goes on.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from api.books.in_force import program_of
from api.clock import now_us
from api.db.store import Store
from api.db.unit_of_work import ReadUnit
from api.studies.design import StudyRequest, design_of
from api.studies.jobs import Study, draft_document, file_of, files_of
from api.studies.leases import Progress, drop_file, keep_file
from api.studies.run_study import run_study
from rules.book import Book
from rules.errors import BookError
from rules.parse import parse
from rules.shelf import find, shipped, shipped_parent, unknown_book

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DRAFT: Final = re.compile(r"draft:([^@]+)@([0-9]+)")
# What people look at afterwards; the rest only serves to go on.
KEPT: Final = (".html", ".svg", ".csv", "summary.json", "run.json", "riders.parquet", "paired.parquet")
_FILE_BYTES_MAX: Final = 64 * 1024 * 1024


def simulate(store: Store, study: Study, owner: str, folder: Path, progress: Progress) -> dict[str, Any]:
    """Run a study to its end; returns its summary and the names of its files."""
    place = folder / "study"
    shelf = Shelf(store, study.study_id, owner, place)
    shelf.restore()

    def tell(permille: int, stage: str) -> None:
        shelf.keep()
        progress.report(permille, stage)

    summary = run_study(study_request(study.request), place, tell, find_book=lambda name: find_stored(store, name))
    shelf.keep()
    shelf.tidy()
    with store.reading() as unit:
        return {"summary": summary, "files": list(files_of(unit, study.study_id))}


def study_request(request: Mapping[str, Any]) -> StudyRequest:
    """The request as stored, for this machine: all cores but one."""
    return StudyRequest(
        scenario=request["scenario"],
        books=(request["books"][0], request["books"][1]),
        seeds=request["seeds"],
        days=request["days"],
        jobs=max(1, len(os.sched_getaffinity(0)) - 1),
        sets=tuple(request["sets"]),
        sensitivity=request["sensitivity"],
        # Studies that were asked for before there were sweeps name none.
        sweeps=tuple(request.get("sweeps", ())),
        lang=request["lang"],
    )


def check_request(store: Store, request: Mapping[str, Any]) -> None:
    """Refuse what cannot be simulated, before it waits for its turn.

    Raises
    ------
    InputError
        With every fault of scenario, books and settings.
    """
    with tempfile.TemporaryDirectory(prefix="riderscore-look-") as folder:
        design_of(study_request(request), lambda reference: find_stored(store, reference), Path(folder))


def find_stored(store: Store, reference: str) -> tuple[Book, ...]:
    """Versions of a book by the digest of a stored one, a revision of a draft, or a shipped id; never a path.

    Raises
    ------
    BookError
        If there is none, or it has faults.
    """
    with store.reading() as unit:
        return book_named(unit, reference)


def book_named(unit: ReadUnit, reference: str) -> tuple[Book, ...]:
    """As `find_stored`, in a unit."""
    draft = _DRAFT.fullmatch(reference)
    if draft:
        document = draft_document(unit, draft[1], int(draft[2]))
        return (parse(document, reference, shipped_parent),)
    if _DIGEST.fullmatch(reference):
        try:
            return program_of(unit, (reference,)).books
        except KeyError:
            raise _unknown(reference) from None
    if reference.partition("@")[0] not in shipped():
        raise _unknown(reference)
    return find(reference)


def _unknown(reference: str) -> BookError:
    return BookError((unknown_book(reference, shipped()),))


class Shelf:
    """The files of one study: in a folder while the work goes on, in the database for good."""

    def __init__(self, store: Store, study_id: str, owner: str, folder: Path) -> None:
        self._store = store
        self._of = (study_id, owner)
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}

    def restore(self) -> None:
        """Put the files kept so far into the folder."""
        with self._store.reading() as unit:
            for name in files_of(unit, self._of[0]):
                content = file_of(unit, self._of[0], name)
                path = self._folder / name
                if content is not None and path.resolve().is_relative_to(self._folder.resolve()):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        self._seen = self._present()

    def keep(self) -> None:
        """Keep what is new or has changed since."""
        present = self._present()
        for name, mark in present.items():
            if self._seen.get(name) == mark or mark[1] > _FILE_BYTES_MAX:
                continue
            content = (self._folder / name).read_bytes()
            with self._store.writing(now_us()) as unit:
                keep_file(unit, *self._of, name, content)
        self._seen = present

    def tidy(self) -> None:
        """Let go of what only served to go on."""
        for name in self._present():
            if not name.endswith(KEPT) or "/" in name:
                with self._store.writing(now_us()) as unit:
                    drop_file(unit, *self._of, name)

    def _present(self) -> dict[str, tuple[int, int]]:
        """Files by their names below the folder, with time and size; those still being written are left out."""
        present = {}
        for path in sorted(self._folder.rglob("*")):
            inside = path.relative_to(self._folder).as_posix()
            if path.is_file() and not any(part.startswith(".") or part.endswith(".tmp") for part in inside.split("/")):
                stat = path.stat()
                present[inside] = (stat.st_mtime_ns, stat.st_size)
        return present
