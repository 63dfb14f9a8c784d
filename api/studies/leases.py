"""Leases of long work: one worker owns it until its lease expires.

Every write names the owner and finds nothing once the lease was taken by another or the work was cancelled: whoever
lost it cannot change what came of it. An owner that dies stops renewing; then anybody may go on.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, get_args

from sqlalchemy import ColumnElement, Row, and_, delete, or_, select, update

from api.child_process import WorkError
from api.clock import elapsed_ns, now_us
from api.db.bulk import add_rows
from api.db.store import Store
from api.db.tables import studies, study_files
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.studies.jobs import Failure, Kind, Study, add_step, study_of
from api.studies.queue_order import RUNNING_MAX, queue_of, running_of
from rules.ids import digest
from rules.units import US_PER_S

LEASE_US: Final = 15 * US_PER_S
# Work that ends its process each time is given up; so is work under which the server was killed more often than that.
STARTS_MAX: Final = 3
KILLS_MAX: Final = 50
_FAULTS_MAX: Final = 20
# People read no faster than this.
_PROGRESS_EVERY_NS: Final = 400_000_000


class LeaseLostError(WorkError):
    """The work was taken by another process, or was cancelled."""


@dataclass(frozen=True, slots=True)
class StudyLease:
    """Work taken up by an owner."""

    study: Study
    owner: str


def has_free_work(unit: ReadUnit | WriteUnit, now_us: int, kind: Kind | None = None) -> bool:
    """Whether there is work that no process does, of a kind or of any."""
    free = select(studies.c.study_id).where(_free(now_us))
    return unit.connection.scalar((free if kind is None else free.where(studies.c.kind == kind)).limit(1)) is not None


def lease_next_study(unit: WriteUnit, owner: str, kind: Kind | None = None) -> StudyLease | None:
    """Take up the work whose turn it is; None if there is none. `owner` is a name used once.

    Parameters
    ----------
    kind
        Of this kind alone; None for any, impacts first.
    """
    for wanted_kind in get_args(Kind) if kind is None else (kind,):
        row = _next_free(unit, wanted_kind)
        if row is not None:
            return _leased(unit, row, owner)
    return None


def _next_free(unit: WriteUnit, kind: Kind) -> Row[Any, Any, Any, Any] | None:
    """The next work of a kind, held: what a dead owner left first, then by turns."""
    columns = select(studies.c.study_id, studies.c.num_starts, studies.c.progress_permille, studies.c.started_us)
    free = columns.where(studies.c.kind == kind, _free(unit.recorded_us))
    # Another server at this moment finds the next one, not this one.
    left = free.where(studies.c.state == "running").order_by(studies.c.created_us, studies.c.study_id).limit(1)
    row = unit.connection.execute(left.with_for_update(skip_locked=True)).one_or_none()
    if row is not None:
        return row
    busy, owners = running_of(unit, kind), {}
    order = list(queue_of(unit, kind))
    if order:
        asked = select(studies.c.study_id, studies.c.requested_by).where(studies.c.study_id.in_(order))
        owners = {job.study_id: job.requested_by for job in unit.connection.execute(asked)}
    for study_id in order:
        if busy[owners[study_id]] >= RUNNING_MAX:
            continue
        chosen = free.where(studies.c.study_id == study_id).with_for_update(skip_locked=True)
        row = unit.connection.execute(chosen).one_or_none()
        if row is not None:
            return row
    return None


def _leased(unit: WriteUnit, row: Row[Any, Any, Any, Any], owner: str) -> StudyLease | None:
    _set(
        unit,
        row.study_id,
        state="running",
        stage="starting",
        owner=owner,
        lease_us=unit.recorded_us + LEASE_US,
        num_starts=row.num_starts + 1,
        started_us=row.started_us or unit.recorded_us,
    )
    add_step(unit, row.study_id, row.progress_permille, "starting", "running")
    if row.num_starts >= KILLS_MAX:
        fail(unit, row.study_id, owner, Failure("died", {"num_starts": row.num_starts}))
        return None
    return StudyLease(study_of(unit, row.study_id), owner)


def renew(unit: WriteUnit, study_id: str, owner: str) -> bool:
    """Hold on to work for another while; False if it is lost."""
    return _own(unit, study_id, owner, lease_us=unit.recorded_us + LEASE_US)


def is_held(unit: ReadUnit | WriteUnit, study_id: str, owner: str) -> bool:
    """Whether work is still this owner's."""
    held = select(studies.c.study_id).where(studies.c.study_id == study_id, studies.c.owner == owner)
    return unit.connection.scalar(held) is not None


def advance(unit: WriteUnit, study_id: str, owner: str, permille: int, stage: str) -> None:
    """Say how far the work is.

    Raises
    ------
    LostError
        If it is no longer this owner's.
    """
    _hold(unit, study_id, owner, progress_permille=permille, stage=stage, lease_us=unit.recorded_us + LEASE_US)
    add_step(unit, study_id, permille, stage, "running")


class Progress:
    """Tells the store how far one claim is.

    Raises `api.studies.leases.LeaseLostError` where the claim is lost; the work then ends at once.
    """

    def __init__(self, store: Store, study_id: str, owner: str) -> None:
        self._store = store
        self._lease = (study_id, owner)
        self._reported: tuple[int, str] = (0, "")
        self._at_ns = 0

    def report(self, permille: int, stage: str) -> None:
        """Say it, unless the same stage was told a moment ago; the way never goes back."""
        permille = max(self._reported[0], min(permille, 999))
        soon = elapsed_ns() - self._at_ns < _PROGRESS_EVERY_NS
        if (permille, stage) == self._reported or (soon and stage == self._reported[1]):
            return
        with self._store.writing(now_us()) as unit:
            advance(unit, *self._lease, permille, stage)
        self._reported, self._at_ns = (permille, stage), elapsed_ns()


def finish(unit: WriteUnit, study_id: str, owner: str, result: dict[str, Any]) -> None:
    """Keep what came of it.

    Raises
    ------
    LostError
        If it is no longer this owner's; nothing is kept then.
    """
    document = json.dumps(result, ensure_ascii=False, sort_keys=True, allow_nan=False)
    _hold(
        unit, study_id, owner, state="done", stage="done", progress_permille=1000, result=document,
        result_digest=digest(json.loads(document)), owner=None, lease_us=None, finished_us=unit.recorded_us,
    )  # fmt: skip
    add_step(unit, study_id, 1000, "done", "done")


def fail(unit: WriteUnit, study_id: str, owner: str, failure: Failure) -> None:
    """Keep why nothing came of it; silent if it is no longer this owner's."""
    document = json.dumps(
        {
            "code": failure.code,
            "params": dict(failure.params),
            "faults": [asdict(fault) for fault in failure.faults[:_FAULTS_MAX]],
        },
        ensure_ascii=False,
        default=str,
    )
    permille = study_of(unit, study_id).progress_permille
    if _own(
        unit, study_id, owner, state="failed", stage="failed", failure=document, owner=None, lease_us=None,
        finished_us=unit.recorded_us,
    ):  # fmt: skip
        add_step(unit, study_id, permille, "failed", "failed")


def release(unit: WriteUnit, study_id: str, owner: str, *, is_blameless: bool) -> None:
    """Let others take the work up at once.

    Parameters
    ----------
    is_blameless
        The server ends in good order, which does not count as a start; else the work ended its process, which it may
        do `STARTS_MAX` times.
    """
    study = study_of(unit, study_id)
    if not is_blameless and _num_starts(unit, study_id) >= STARTS_MAX:
        fail(unit, study_id, owner, Failure("died", {"num_starts": STARTS_MAX}))
    elif _own(unit, study_id, owner, state="waiting", stage="waiting", owner=None, lease_us=None):
        if is_blameless:
            _set(unit, study_id, num_starts=studies.c.num_starts - 1)
        add_step(unit, study_id, study.progress_permille, "waiting", "waiting")


def _num_starts(unit: WriteUnit, study_id: str) -> int:
    return unit.connection.execute(select(studies.c.num_starts).where(studies.c.study_id == study_id)).scalar_one()


def keep_file(unit: WriteUnit, study_id: str, owner: str, name: str, content: bytes) -> None:
    """Keep a file of the work; one of the same name is replaced.

    Raises
    ------
    LostError
        If the work is no longer this owner's.
    """
    _hold(unit, study_id, owner, lease_us=unit.recorded_us + LEASE_US)
    unit.connection.execute(delete(study_files).where(study_files.c.study_id == study_id, study_files.c.name == name))
    row = {"study_id": study_id, "name": name, "content": content, "recorded_us": unit.recorded_us}
    add_rows(unit, study_files, [row])


def drop_file(unit: WriteUnit, study_id: str, owner: str, name: str) -> None:
    """Let go of a file that only mattered while the work went on."""
    _hold(unit, study_id, owner, lease_us=unit.recorded_us + LEASE_US)
    unit.connection.execute(delete(study_files).where(study_files.c.study_id == study_id, study_files.c.name == name))


def _free(now_us: int) -> ColumnElement[bool]:
    return or_(studies.c.state == "waiting", and_(studies.c.state == "running", studies.c.lease_us < now_us))


def _hold(unit: WriteUnit, study_id: str, held_by: str, **values: Any) -> None:
    if not _own(unit, study_id, held_by, **values):
        raise LeaseLostError(study_id)


def _own(unit: WriteUnit, study_id: str, held_by: str, **values: Any) -> bool:
    """Change the row if it is this owner's."""
    changed = unit.connection.execute(
        update(studies)
        .where(studies.c.study_id == study_id, studies.c.owner == held_by, studies.c.state == "running")
        .values(**values)
    )
    return changed.rowcount == 1


def _set(unit: WriteUnit, study_id: str, **values: Any) -> None:
    unit.connection.execute(update(studies).where(studies.c.study_id == study_id).values(**values))
