"""Long work as people see it: asked for, watched, stopped, and what came of it. Who does it: `api.studies.leases`.

An impact judges stored events of a city under two laws; a study simulates. Both are rows of `studies`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, update

from api.db.audit_notes import add_audit_note
from api.db.cursors import CursorPage, cursor_at, read_cursor
from api.db.new_names import new_id
from api.db.records import cut_page, record_of
from api.db.tables import books, draft_revisions, drafts, studies, study_files, study_progress
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import Translated, translated, work_words
from rules.errors import Fault
from rules.text import Lang, text

Kind = Literal["impact", "study"]
State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: Final[frozenset[str]] = frozenset({"done", "failed", "cancelled"})
DAYS_MAX: Final = 92
# What one person may have waiting of a kind.
WAITING_MAX: Final = 20
_PREFIX: Final = {"impact": "imp", "study": "stu"}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why work came to nothing; `faults` where documents are to blame."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    faults: tuple[Fault, ...] = ()

    def describe(self, lang: Lang) -> str:
        """The reason, and each fault on a line of its own."""
        return "\n".join(
            [text(lang, f"failure.{self.code}", **self.params), *(fault.describe(lang) for fault in self.faults)]
        )

    @property
    def detail(self) -> Translated:
        """The reason and the faults in words."""
        return translated(self.describe)

    @property
    def fault_words(self) -> tuple[Translated, ...]:
        """Each fault in words."""
        return tuple(translated(fault.describe) for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Study:
    """An impact or a study.

    Parameters
    ----------
    content_digest
        Of the draft, when it was asked for: an impact says nothing about a later content.
    stage
        Which part of the work is going on (`work.stage_<stage>`).
    result_digest
        SHA-256 over the canonical form of `result`.
    """

    study_id: str
    kind: Kind
    request: dict[str, Any] = field(hash=False)
    requested_by: str
    city: str | None
    draft_id: str | None
    content_digest: str | None
    state: State
    progress_permille: int
    stage: str
    result: dict[str, Any] | None = field(hash=False)
    result_digest: str | None
    failure: Failure | None
    created_us: int
    started_us: int | None
    finished_us: int | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED

    @property
    def stage_words(self) -> Translated:
        """The stage in words."""
        return translated(lambda lang: text(lang, f"work.stage_{self.stage}"))


@dataclass(frozen=True, slots=True)
class ProgressStep:
    """One thing that those who watch are told; `step` counts from 1."""

    step: int
    permille: int
    stage: str
    state: State
    recorded_us: int


def start_impact(
    unit: WriteUnit,
    actor: str,
    *,
    city: str,
    days: int = 28,
    draft_id: str | None = None,
    a: str | None = None,
    b: str | None = None,
    rider_kind: str | None = None,
) -> str:
    """Ask who would have moved if the last days of a city had been judged otherwise.

    Parameters
    ----------
    days
        Local days before the newest stored event of the city.
    draft_id
        Side B is the present content of this draft.
    a, b
        Digests of stored versions; None for what is in force in the city.
    rider_kind
        Judge these riders alone; a draft judges those whom it is meant for unless said.

    Returns
    -------
    The id to watch it by.
    """
    if not 1 <= days <= DAYS_MAX:
        raise Refused("days_out_of_range", days=days, days_max=DAYS_MAX)
    if (draft_id is None and a == b) or (draft_id is not None and b is not None):
        raise Refused("nothing_to_compare")
    for digest in (a, b):
        if (
            digest is not None
            and unit.connection.scalar(select(books.c.digest).where(books.c.digest == digest)) is None
        ):
            raise Refused("unknown_version", digest=digest)
    request: dict[str, Any] = {"city": city, "days": days, "a": a, "b": b, "asked_us": unit.recorded_us}
    if rider_kind is not None:
        request["rider_kinds"] = [rider_kind]
    content_digest = None
    if draft_id is not None:
        draft = unit.connection.execute(select(drafts).where(drafts.c.draft_id == draft_id)).one_or_none()
        if draft is None:
            raise Refused("draft_unknown", draft_id=draft_id)
        content_digest = draft.content_digest
        request |= {"draft_id": draft_id, "revision": draft.revision}
        meant = sorted({target["rider_kind"] for target in json.loads(draft.targets) if target["city"] == city})
        request.setdefault("rider_kinds", meant)
    return _start(unit, actor, "impact", request, city, draft_id, content_digest)


def start_study(unit: WriteUnit, actor: str, request: Mapping[str, Any]) -> str:
    """Ask for a simulation of two books; `request` is what `api.studies.run_study.StudyRequest` takes, already checked."""
    return _start(unit, actor, "study", dict(request), None, None, None)


def _start(
    unit: WriteUnit,
    actor: str,
    kind: Kind,
    request: dict[str, Any],
    city: str | None,
    draft_id: str | None,
    content_digest: str | None,
) -> str:
    asked = (studies.c.kind == kind, studies.c.requested_by == actor, studies.c.state == "waiting")
    waiting = unit.connection.scalar(select(func.count()).select_from(studies).where(*asked)) or 0
    if waiting >= WAITING_MAX:
        raise Refused("too_much_waiting", num=waiting, num_max=WAITING_MAX)
    study_id = f"{_PREFIX[kind]}_{new_id(20)}"
    unit.connection.execute(
        insert(studies),
        {
            "study_id": study_id,
            "kind": kind,
            "request": json.dumps(request, ensure_ascii=False, sort_keys=True),
            "requested_by": actor,
            "city": city,
            "draft_id": draft_id,
            "content_digest": content_digest,
            "state": "waiting",
            "progress_permille": 0,
            "stage": "waiting",
            "num_starts": 0,
            "created_us": unit.recorded_us,
        },
    )
    add_step(unit, study_id, 0, "waiting", "waiting")
    add_audit_note(unit, actor, f"{kind}.start", study_id, **{k: v for k, v in request.items() if k != "asked_us"})
    return study_id


def cancel(unit: WriteUnit, actor: str, study_id: str, cities: Collection[str] = ()) -> Study:
    """End work that has not ended; its process is killed soon after.

    Raises
    ------
    Refused
        `study_ended`, `unknown_study`.
    """
    study = study_of(unit, study_id, cities, actor)
    changed = unit.connection.execute(
        update(studies)
        .where(studies.c.study_id == study_id, studies.c.state.in_(("waiting", "running")))
        .values(state="cancelled", stage="cancelled", owner=None, lease_us=None, finished_us=unit.recorded_us)
    )
    if not changed.rowcount:
        raise Refused("study_ended", study_id=study_id, state=work_words(study.state))
    add_step(unit, study_id, study.progress_permille, "cancelled", "cancelled")
    add_audit_note(unit, actor, f"{study.kind}.cancel", study_id)
    return study_of(unit, study_id, cities, actor)


def add_step(unit: WriteUnit, study_id: str, permille: int, stage: str, state: State) -> None:
    """Tell those who watch; the row of the study is held by this unit, so that steps follow each other."""
    last = select(func.coalesce(func.max(study_progress.c.step), 0)).where(study_progress.c.study_id == study_id)
    unit.connection.execute(
        insert(study_progress),
        {
            "study_id": study_id,
            "step": (unit.connection.scalar(last) or 0) + 1,
            "permille": permille,
            "stage": stage,
            "state": state,
            "recorded_us": unit.recorded_us,
        },
    )


def study_of(
    unit: ReadUnit | WriteUnit, study_id: str, cities: Collection[str] = (), actor: str | None = None
) -> Study:
    """One of them, if it may be seen from these cities.

    Raises
    ------
    Refused
        `unknown_study`, also where it is of another city.
    """
    result = unit.connection.execute(select(studies).where(studies.c.study_id == study_id, _seen(cities, actor)))
    row = result.one_or_none()
    if row is None:
        raise Refused("unknown_study", study_id=study_id)
    return _study(row)


def studies_of(
    unit: ReadUnit | WriteUnit,
    *,
    kinds: Sequence[Kind] = ("impact", "study"),
    draft_id: str | None = None,
    city: str | None = None,
    cities: Collection[str] = (),
    actor: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> CursorPage[Study]:
    """A page, newest first.

    Parameters
    ----------
    cities, actor
        Those of these cities (empty for all), and what this actor asked for.
    cursor
        Of the page before.
    """
    newest = (studies.c.created_us.desc(), studies.c.study_id.desc())
    query = select(studies).where(studies.c.kind.in_(kinds), _seen(cities, actor)).order_by(*newest).limit(limit + 1)
    if draft_id is not None:
        query = query.where(studies.c.draft_id == draft_id)
    if city is not None:
        query = query.where(studies.c.city == city)
    if cursor is not None:
        query = query.where(_older(cursor))
    items = [_study(row) for row in unit.connection.execute(query)]
    return cut_page(items, limit, lambda last: cursor_at(last.created_us, last.study_id))


def draft_document(unit: ReadUnit | WriteUnit, draft_id: str, revision: int) -> str:
    """The TOML text of one revision of a draft."""
    of_draft = (draft_revisions.c.draft_id == draft_id, draft_revisions.c.revision == revision)
    return unit.connection.execute(select(draft_revisions.c.document).where(*of_draft)).scalar_one()


def latest_impact(unit: ReadUnit | WriteUnit, draft_id: str, content_digest: str) -> Study | None:
    """The newest impact of one content of a draft that is done."""
    row = unit.connection.execute(
        select(studies)
        .where(
            studies.c.draft_id == draft_id,
            studies.c.content_digest == content_digest,
            studies.c.kind == "impact",
            studies.c.state == "done",
        )
        .order_by(studies.c.created_us.desc(), studies.c.study_id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _study(row)


def steps_of(unit: ReadUnit | WriteUnit, study_id: str, after: int = 0) -> tuple[ProgressStep, ...]:
    """What those who watch are told, after a step they know."""
    rows = unit.connection.execute(
        select(study_progress)
        .where(study_progress.c.study_id == study_id, study_progress.c.step > after)
        .order_by(study_progress.c.step)
    )
    return tuple(record_of(ProgressStep, row) for row in rows)


def files_of(unit: ReadUnit | WriteUnit, study_id: str) -> tuple[str, ...]:
    """Names of the files that the work left behind."""
    names = select(study_files.c.name).where(study_files.c.study_id == study_id)
    return tuple(unit.connection.scalars(names.order_by(study_files.c.name)))


def file_of(unit: ReadUnit | WriteUnit, study_id: str, name: str) -> bytes | None:
    """One file that the work left behind."""
    content = unit.connection.scalar(
        select(study_files.c.content).where(study_files.c.study_id == study_id, study_files.c.name == name)
    )
    return None if content is None else bytes(content)


def _seen(cities: Collection[str], actor: str | None) -> ColumnElement[bool]:
    if not cities:
        return studies.c.study_id.is_not(None)
    inside = studies.c.city.in_(sorted(cities))
    return inside if actor is None else or_(inside, studies.c.requested_by == actor)


def _older(cursor: str) -> ColumnElement[bool]:
    at, study_id = read_cursor(cursor)
    return or_(studies.c.created_us < at, and_(studies.c.created_us == at, studies.c.study_id < study_id))


def _study(row: Row[Any]) -> Study:
    return record_of(
        Study,
        row,
        request=json.loads(row.request),
        result=None if row.result is None else json.loads(row.result),
        failure=None if row.failure is None else _failure(row.failure),
    )


def _failure(document: str) -> Failure:
    raw = json.loads(document)
    faults = (fault | {"params": tuple((name, value) for name, value in fault["params"])} for fault in raw["faults"])
    return Failure(raw["code"], raw["params"], tuple(Fault(**fault) for fault in faults))
