"""The order of long work: a queue for each kind, in which people take turns.

Next is the oldest work of whoever has least under way, then of whoever was begun for longest ago. So nobody's twentieth
study comes before another's first, and an impact waits behind impacts alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from sqlalchemy import func, select

from api.db.tables import studies
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.studies.jobs import Kind

# What one person may have under way of a kind, on all servers together.
RUNNING_MAX: Final = 2


def queue_of(unit: ReadUnit | WriteUnit, kind: Kind) -> Iterator[str]:
    """Work of a kind that waits or whose lease is over, in the order in which it is taken up.

    Those for whom as much is under way as may be come last, in the same order: their turn begins when something ends.
    """
    columns, now_waits = studies.c, (studies.c.kind == kind, studies.c.state == "waiting")
    rows = unit.connection.execute(
        select(columns.study_id, columns.requested_by).where(*now_waits).order_by(columns.created_us, columns.study_id)
    ).all()
    waiting: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        waiting[row.requested_by].append(row.study_id)
    busy = running_of(unit, kind)
    begun = (
        select(columns.requested_by, func.max(columns.started_us))
        .where(columns.kind == kind)
        .group_by(columns.requested_by)
    )
    last: dict[str, float] = {owner: at or 0 for owner, at in unit.connection.execute(begun).all()}
    age = {row.study_id: k for k, row in enumerate(rows)}
    turn = float(max(last.values(), default=0))
    while waiting:
        owner = min(waiting, key=lambda person: (busy[person], last.get(person, 0), age[waiting[person][0]]))
        yield waiting[owner].pop(0)
        if not waiting[owner]:
            del waiting[owner]
        turn += 1
        last[owner] = turn
        busy[owner] += 1


def running_of(unit: ReadUnit | WriteUnit, kind: Kind) -> Counter[str]:
    """How much is under way of a kind, by person."""
    rows = unit.connection.execute(
        select(studies.c.requested_by, func.count())
        .where(studies.c.kind == kind, studies.c.state == "running")
        .group_by(studies.c.requested_by)
    )
    return Counter({row[0]: row[1] for row in rows})


def position_of(unit: ReadUnit | WriteUnit, study_id: str, kind: Kind) -> int | None:
    """Which place waiting work has in its queue, from 1; None for what does not wait."""
    return next((place for place, waiting in enumerate(queue_of(unit, kind), 1) if waiting == study_id), None)
