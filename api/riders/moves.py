"""Riders who move to another city: the old one lets them go, the new one takes them in, and both have it in their audit.

A key that is good in both does it at once. From `moved_us` on the rider is of the new city: events name it, its people
decide on what is open, its book judges from the first event on. What was before stays as it is.
"""

import json
import shlex
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import and_, delete, func, insert, or_, select, update

from api.access.new_ids import need_valid_cities
from api.access.requester import Requester, may_act_in
from api.books.deployment import COMMAND
from api.books.in_force import RulesInForce
from api.db.audit_notes import add_audit_note
from api.db.cursors import CursorPage, newest_first
from api.db.records import record_of
from api.db.rider_rows import lock_riders, raise_revision
from api.db.tables import api_keys, open_appeals, open_moves, open_reviews, rider_moves, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import city_words


@dataclass(frozen=True, slots=True)
class CityMove:
    """A move: `proposed` by the old city, or done; `at_us` is when."""

    rider_id: str
    from_city: str
    to_city: str
    state: Literal["proposed", "moved"]
    proposed_by: str
    accepted_by: str | None
    at_us: int


@dataclass(frozen=True, slots=True)
class _MoveState:
    """Where a rider is, the move that waits and the last one, as one of the parties may know it.

    Parameters
    ----------
    is_home
        Whether who asks is of the rider's city; otherwise they are asked to take the rider in.
    let_go
        The last move, where it is all that may be told: who asks is of the city that let the rider go, or it is what
        they ask for.
    """

    city: str
    waits: CityMove | None
    last: CityMove | None
    last_no: int
    is_home: bool
    let_go: CityMove | None


def move_rider(unit: WriteUnit, law: RulesInForce, who: Requester, rider_id: str, to_city: str) -> CityMove:
    """Propose a move, accept the one that waits, or both. The same again gives the same answer.

    Raises
    ------
    Refused
        `rider_unknown`, also for who is neither of the old city nor asked to take the rider in; `move_already_there`,
        `bad_id` (no name of a city), `move_differs` (another city was proposed), `move_no_book` (no book judges anybody in the new city).
    """
    need_valid_cities(unit, who, (to_city,))
    known = _move_state(unit, who, rider_id, to_city)
    if known.let_go:
        return known.let_go
    lock_riders(unit, [rider_id])
    known = _move_state(unit, who, rider_id, to_city)
    if known.let_go:
        return known.let_go
    waits = known.waits
    if not known.is_home:
        if waits is None or waits.to_city != to_city:
            raise Refused("move_differs", city=city_words(known.city if waits is None else waits.to_city))
        return _move(unit, law, who, known, waits)
    if to_city == known.city:
        raise Refused("move_already_there", city=city_words(to_city))
    same = waits if waits is not None and waits.to_city == to_city else None
    if may_act_in(who, to_city):
        proposed = CityMove(rider_id, known.city, to_city, "proposed", who.name, None, unit.recorded_us)
        return _move(unit, law, who, known, same or proposed)
    return same or _propose(unit, who, rider_id, known, to_city)


def move_of(unit: ReadUnit | WriteUnit, who: Requester, rider_id: str) -> CityMove:
    """The move of a rider that waits, or else the last one.

    Raises
    ------
    Refused
        `rider_unknown` as of `move_rider`, `move_unknown` where there is none.
    """
    known = _move_state(unit, who, rider_id)
    move = known.let_go or known.waits or known.last
    if move is None:
        raise Refused("move_unknown")
    return move


def end_move(unit: WriteUnit, who: Requester, rider_id: str) -> None:
    """Withdraw a proposal as the old city, or refuse it as the new one.

    Raises
    ------
    Refused
        As `move_of`.
    """
    _waiting_move(unit, who, rider_id)
    lock_riders(unit, [rider_id])
    _end(unit, who, _waiting_move(unit, who, rider_id))


def _waiting_move(unit: ReadUnit | WriteUnit, who: Requester, rider_id: str) -> CityMove:
    known = _move_state(unit, who, rider_id)
    if known.let_go:
        raise Refused("rider_unknown")
    if known.waits is None:
        raise Refused("move_unknown")
    return known.waits


def open_moves_of(
    unit: ReadUnit | WriteUnit, who: Requester, cursor: str | None = None, limit: int = 50
) -> CursorPage[CityMove]:
    """Moves that wait, out of or into the requester's cities."""
    query = select(open_moves)
    if who.cities:
        query = query.where(or_(open_moves.c.from_city.in_(who.cities), open_moves.c.to_city.in_(who.cities)))
    page = newest_first(unit, query, open_moves.c.proposed_us, open_moves.c.rider_id, cursor, limit)
    return CursorPage(tuple(map(_open, page.rows)), page.cursor)


def _move_state(unit: ReadUnit | WriteUnit, who: Requester, rider_id: str, to_city: str | None = None) -> _MoveState:
    """All that bears on a rider's move, in one statement whoever the rider is.

    Raises
    ------
    Refused
        `rider_unknown` for who is not of the rider's city, nor asked to take them in, nor the one who let them go last.
    """
    newest = select(func.max(rider_moves.c.move_no)).where(rider_moves.c.rider_id == rider_id).scalar_subquery()
    query = (
        select(rider_state.c.city, open_moves, rider_moves)
        .select_from(rider_state)
        .outerjoin(open_moves, open_moves.c.rider_id == rider_state.c.rider_id)
        .outerjoin(rider_moves, and_(rider_moves.c.rider_id == rider_state.c.rider_id, rider_moves.c.move_no == newest))
        .where(rider_state.c.rider_id == rider_id)
    )
    row = unit.connection.execute(query).mappings().one_or_none()
    if row is None or row[rider_state.c.city] is None:
        raise Refused("rider_unknown")
    city, waits, last = row[rider_state.c.city], _waiting(row), _last(row)
    is_home, is_asked = may_act_in(who, city), waits is not None and may_act_in(who, waits.to_city)
    stood = last is not None and last.to_city == city and (is_home or may_act_in(who, last.from_city))
    is_told = to_city == city if to_city is not None else not (is_home or is_asked)
    let_go = last if stood and is_told else None
    if not (is_home or is_asked or let_go):
        raise Refused("rider_unknown")
    return _MoveState(city, waits, last, row[rider_moves.c.move_no] or 0, is_home, let_go)


def _waiting(row: Any) -> CityMove | None:
    """The move that waits, in a row with its columns."""
    columns = {column.name: row[column] for column in open_moves.c}
    return None if columns["rider_id"] is None else _open(columns)


def _last(row: Any) -> CityMove | None:
    """The last move that was done, in a row with its columns."""
    columns = {column.name: row[column] for column in rider_moves.c}
    done = columns["rider_id"] is not None
    return record_of(CityMove, columns, state="moved", at_us=columns["moved_us"]) if done else None


def _open(row: Any) -> CityMove:
    return record_of(CityMove, row, state="proposed", accepted_by=None, at_us=row["proposed_us"])


def _propose(unit: WriteUnit, who: Requester, rider_id: str, known: _MoveState, to_city: str) -> CityMove:
    """Ask the new city; a proposal to another one is withdrawn."""
    if known.waits is not None:
        _end(unit, who, known.waits)
    made = CityMove(rider_id, known.city, to_city, "proposed", who.name, None, unit.recorded_us)
    unit.connection.execute(
        insert(open_moves),
        {
            "rider_id": rider_id,
            "from_city": made.from_city,
            "to_city": to_city,
            "proposed_by": who.name,
            "proposed_us": unit.recorded_us,
        },
    )
    _note(unit, who, "rider_move_proposed", made)
    return made


def _end(unit: WriteUnit, who: Requester, waits: CityMove) -> None:
    unit.connection.execute(delete(open_moves).where(open_moves.c.rider_id == waits.rider_id))
    _note(unit, who, "rider_move_withdrawn" if may_act_in(who, waits.from_city) else "rider_move_refused", waits)


def _move(unit: WriteUnit, law: RulesInForce, who: Requester, known: _MoveState, proposed: CityMove) -> CityMove:
    """Let a held rider be of the new city from now on."""
    rider_id, to_city = proposed.rider_id, proposed.to_city
    if not _is_judged(law, to_city):
        raise Refused("move_no_book", city=city_words(to_city), command=f"{COMMAND} --city {shlex.quote(to_city)}")
    if known.waits is not None and known.waits != proposed:
        _end(unit, who, known.waits)
    unit.connection.execute(delete(open_moves).where(open_moves.c.rider_id == rider_id))
    # Moves of one rider follow each other, whatever the clock says.
    moved_us = unit.recorded_us if known.last is None else max(unit.recorded_us, known.last.at_us + 1)
    made = CityMove(rider_id, proposed.from_city, to_city, "moved", proposed.proposed_by, who.name, moved_us)
    unit.connection.execute(
        insert(rider_moves),
        {
            "rider_id": rider_id,
            "move_no": known.last_no + 1,
            "from_city": made.from_city,
            "to_city": to_city,
            "proposed_by": made.proposed_by,
            "accepted_by": who.name,
            "moved_us": moved_us,
        },
    )
    # What waits for people waits for those of the new city.
    for table in (rider_state, open_appeals, open_reviews):
        unit.connection.execute(update(table).where(table.c.rider_id == rider_id).values(city=to_city))
    keys = update(api_keys).where(api_keys.c.role == "rider", api_keys.c.subject == rider_id, api_keys.c.cities != "[]")
    unit.connection.execute(keys.values(cities=json.dumps([to_city], ensure_ascii=False)))
    raise_revision(unit, [rider_id])
    _note(unit, who, "rider_moved", made)
    return made


def _is_judged(law: RulesInForce, city: str) -> bool:
    """Whether any riders of a city have a book."""
    return any(place in (city, "") for place, _ in law.schedule.rules)


def _note(unit: WriteUnit, who: Requester, action: str, move: CityMove) -> None:
    """A line for each of the two cities."""
    for city in (move.from_city, move.to_city):
        add_audit_note(unit, who.name, action, move.rider_id, city=city, from_city=move.from_city, to_city=move.to_city)
