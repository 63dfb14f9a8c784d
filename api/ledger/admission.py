"""What a platform may post: events of riders of its cities, under the rider's own city, and no decision in disguise.

Files and `db load` are not asked. Whatever is decided here is decided as if the events of a post came one by one in its
order, so that no answer depends on the company of an event.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import pyarrow as pa
from sqlalchemy import select

from api.books.in_force import RulesInForce
from api.db.bulk import rows_among
from api.db.rider_rows import RiderRow, cities_of
from api.db.tables import open_reviews, rider_moves
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.stored_events import events_among
from api.ledger.suspensions import standing_among

OTHER_CITY: Final = "other_city"
NOT_RIDERS_CITY: Final = "not_riders_city"
DECISION: Final = "decision_not_event"
NO_SCOPE: Final = "training_scope_missing"
NO_COURSE: Final = "no_course_offered"
POST_AGAIN: Final = "post_again"
# How often a post is looked at anew: each turn is scored by itself.
TURNS_MAX: Final = 20
_CORRECTION, _APPEAL_UPHELD, _TRAINING = "correction", "appeal_upheld", "training_passed"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who posts.

    Parameters
    ----------
    cities
        Where their key is good; empty for everywhere.
    may_train
        Whether they may say that a course was passed.
    """

    cities: tuple[str, ...] = ()
    may_train: bool = False

    def good_in(self, city: str | None) -> bool:
        """Whether the key is good in a city."""
        return not self.cities or city in self.cities


@dataclass(frozen=True, slots=True)
class PostedColumns:
    """What admission looks at, a value a row."""

    rider_id: list[str]
    event_id: list[str]
    city: list[str]
    kind: list[str]
    occurred_us: list[int]
    ref_event_id: list[str | None]
    order_id: list[str | None]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """The columns of a canonical table."""
        return cls(*(table[name].to_pylist() for name in cls.__slots__))


def refused_at_once(unit: ReadUnit | WriteUnit, rows: PostedColumns, admission: Admission) -> dict[int, str]:
    """Rows that are refused whatever is held of their rider, with the reason; nothing is locked or made for them."""
    refused: dict[int, str] = {}
    strange: list[int] = []
    for k, (city, kind) in enumerate(zip(rows.city, rows.kind, strict=True)):
        if not admission.good_in(city):
            strange.append(k)
        elif kind == _APPEAL_UPHELD:
            refused[k] = DECISION
        elif kind == _TRAINING and not admission.may_train:
            refused[k] = NO_SCOPE
    cities = cities_of(unit, {rows.rider_id[k] for k in strange})
    for k in strange:
        stored = cities.get(rows.rider_id[k])
        # A rider who moved here has a past elsewhere: `city_refusals` looks at it.
        if stored is None or not admission.good_in(stored):
            refused[k] = OTHER_CITY
    return refused


@dataclass(frozen=True, slots=True)
class CityRefusals:
    """Rows that do not belong to their rider's city.

    Parameters
    ----------
    strangers
        Of riders whom the key may not write for, or of a city that is not the key's: refused whatever is stored.
    elsewhere
        Of a city that is not the rider's at that time: refused unless the very same event is stored.
    """

    strangers: dict[int, str]
    elsewhere: dict[int, str]


def city_refusals(
    unit: WriteUnit, rows: PostedColumns, wanted: Sequence[int], riders: Mapping[str, RiderRow], admission: Admission
) -> CityRefusals:
    """Judge rows (`wanted`) of riders who are held and have a city."""
    strangers: dict[int, str] = {}
    doubtful: list[int] = []
    for k in wanted:
        stored = riders[rows.rider_id[k]].city
        if stored is None:
            continue
        if not admission.good_in(stored):
            strangers[k] = NOT_RIDERS_CITY
        elif rows.city[k] != stored:
            doubtful.append(k)
    elsewhere: dict[int, str] = {}
    if doubtful:
        past = _moves(unit, {rows.rider_id[k] for k in doubtful})
        corrected = _corrected_cities(unit, rows, doubtful)
        for k in doubtful:
            rider, city = rows.rider_id[k], rows.city[k]
            then = next((was for until_us, was in past.get(rider, ()) if rows.occurred_us[k] < until_us), None)
            if city in (then, corrected.get(k)):
                continue
            if admission.good_in(city):
                elsewhere[k] = NOT_RIDERS_CITY
            else:
                strangers[k] = OTHER_CITY
    return CityRefusals(strangers, elsewhere)


def _moves(unit: WriteUnit, rider_ids: set[str]) -> dict[str, list[tuple[int, str]]]:
    """By rider, oldest first: until when they were of which city."""
    moves: dict[str, list[tuple[int, str]]] = {}
    query = select(rider_moves).order_by(rider_moves.c.rider_id, rider_moves.c.move_no)
    for row in rows_among(unit, query, rider_moves.c.rider_id, rider_ids):
        moves.setdefault(row.rider_id, []).append((row.moved_us, row.from_city))
    return moves


def _corrected_cities(unit: WriteUnit, rows: PostedColumns, wanted: Sequence[int]) -> dict[int, str]:
    """The city of the event that each correction replaces: it may be repeated in the correction."""
    corrected = {k: ref for k in wanted if rows.kind[k] == _CORRECTION and (ref := rows.ref_event_id[k]) is not None}
    stored = events_among(unit, ((rows.rider_id[k], ref) for k, ref in corrected.items()), ("city",))
    return {k: stored[key].city for k, ref in corrected.items() if (key := (rows.rider_id[k], ref)) in stored}


@dataclass(frozen=True, slots=True)
class AdmissionRound:
    """Rows that are scored together, and those that turned out to be refused (with the reason) before them."""

    rows: list[int]
    refused: dict[int, str]


def admission_rounds(
    rows: PostedColumns, wanted: Sequence[int], riders: Mapping[str, RiderRow],
    offered: Callable[[Collection[str]], Collection[str]], is_stored: Callable[[int], bool],
) -> Iterator[AdmissionRound]:  # fmt: skip
    """Rows in as few turns as give the answers of one by one.

    A course waits for what stands before it in the post, since that decides whether it was offered; and where a post is
    the first that is heard of a rider, the first event that is accepted says their city. Most posts are one turn. What is
    left after `TURNS_MAX` is left to another post (`POST_AGAIN`), since nothing is known of it.

    Parameters
    ----------
    riders
        Rows of the riders, brought up to date by the caller after each turn.
    offered
        Which of some riders are offered a course as they stand.
    is_stored
        Whether the very event of a row was stored by an earlier turn.
    """
    queues: dict[str, deque[int]] = {}
    for k in wanted:
        queues.setdefault(rows.rider_id[k], deque()).append(k)
    for number in range(1, TURNS_MAX + 1):
        if not queues:
            return
        heads = [rider for rider, queue in queues.items() if rows.kind[queue[0]] == _TRAINING]
        allowed = frozenset(offered(heads)) if heads else frozenset()
        turn = AdmissionRound([], {})
        for rider in list(queues):
            taking = _Taking(riders[rider].city, rider in allowed)
            _take(rows, queues[rider], taking, is_stored, turn)
            if number == TURNS_MAX:
                turn.refused.update((k, POST_AGAIN) for k in queues.pop(rider))
                continue
            if not queues[rider]:
                del queues[rider]
        yield turn


@dataclass(frozen=True, slots=True)
class _Taking:
    """What is known of a rider when rows are taken."""

    city: str | None
    is_offered: bool


def _take(
    rows: PostedColumns, queue: deque[int], taking: _Taking, is_stored: Callable[[int], bool], turn: AdmissionRound
) -> None:
    """Take what can be decided of one rider now, in order."""
    city, taken = taking.city, 0
    while queue:
        k = queue[0]
        is_course = rows.kind[k] == _TRAINING
        if taking.city is None:
            city = rows.city[k] if city is None else city
            if rows.city[k] != city:
                return
        if is_course and taken:
            return
        queue.popleft()
        if is_course and not taking.is_offered and not is_stored(k):
            turn.refused[k] = NO_COURSE
        else:
            turn.rows.append(k)
            taken += 1


def riders_offered_course(unit: WriteUnit, law: RulesInForce, rows: Sequence[RiderRow]) -> frozenset[str]:
    """Riders whom the book offers a course: their score is below what it restores, or a person is asked about them.

    An announced suspension counts, too. A book without courses offers none, whatever waits.
    """
    restores = {book.digest: course.restores_to_mp for book in law.program.books if (course := book.model.training)}
    known = [row for row in rows if row.carried is not None and row.book_digest in restores]
    below_limit = {row.rider_id for row in known if row.score_mp < restores[row.book_digest or ""]}
    others = sorted({row.rider_id for row in known} - below_limit)
    waits = rows_among(unit, select(open_reviews.c.rider_id), open_reviews.c.rider_id, others)
    below_limit.update(row.rider_id for row in waits)
    return frozenset(below_limit | standing_among(unit, others, unit.recorded_us))
