"""An impact: the stored events of a city's last days, judged under two laws, set side by side.

Both sides start from their base at the start of a local day, with nothing carried in, and go over the same rows: what
one side cannot judge, neither does. `scoring.score` judges and `scoring.comparison` compares; nothing is worked out
here.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from api.books.in_force import program_of, rules_in_force
from api.child_process import WorkError
from api.cities.stored_events import events_of_city, newest_event_us, num_events_of_city
from api.db.store import Store
from api.db.unit_of_work import ReadUnit
from api.runs.compare import SIDES, affected_riders, score_both, summary_document
from api.runs.plan import RunPlan
from api.studies.jobs import draft_document
from rules.book import Book
from rules.calendar import calendar
from rules.compile import compile_books
from rules.parse import parse
from rules.shelf import shipped_parent
from scoring.comparison import Comparison, books_in_use, compare, tier_moves
from scoring.prepare import schedule_versions

IN_FORCE: Final = "in_force"
NUM_MOVERS: Final = 20
# About a kilobyte each, twice over.
NUM_EVENTS_MAX: Final = 2_000_000
MOVER_COLUMNS: Final = (
    "rider_id", "rider_kind", "income_fen_a", "income_fen_b", "income_fen_diff", "score_mp_a", "score_mp_b",
    "score_mp_diff", "tier_a", "tier_b",
)  # fmt: skip

ProgressCallback = Callable[[int, str], None]


class NothingToJudgeError(WorkError):
    """The city has no stored events in that time."""


class TooManyEventsError(WorkError):
    """The city has more events in that time than are judged in one go."""

    def __init__(self, num_events: int) -> None:
        self.num_events = num_events
        super().__init__()


def judge_impact(store: Store, request: Mapping[str, Any], report: ProgressCallback) -> dict[str, Any]:
    """What `api.studies.jobs.start_impact` asked for.

    Parameters
    ----------
    report
        Hears how far it is, in thousandths, and what is going on.

    Returns
    -------
    Plain values, whole numbers only: the summary of `api.runs.compare`, who is affected, the largest movers.

    Raises
    ------
    BookError
        If a draft cannot be compiled, or no book is stored.
    NothingToJudgeError
        If there are no events.
    """
    report(20, "books")
    with store.reading() as unit:
        plans = (_side(unit, request, "a"), _side(unit, request, "b"))
        report(60, "events")
        from_us, until_us, table = _events(unit, request, plans[1].program.books[0])
    report(250, "score")
    rows = table.num_rows
    kept, scored = score_both(plans, table, _ignore_rejects, lambda done: report(250 + done * 300, "score"))
    report(850, "compare")
    comparison = compare(*scored)
    num_left_out = rows - kept.num_rows + len(scored[0].prepared.refused_rows)
    span = {"from_us": from_us, "until_us": until_us, "days": request["days"], "start": "base"}
    counts = {"num_events": rows, "num_left_out": num_left_out}
    return {"city": request["city"]} | span | counts | _document(comparison, plans)


def _ignore_rejects(_table: pa.Table, _both: object) -> None:
    """Why a row is left out is counted, not told: the store took it once, so it is sound."""


def _side(unit: ReadUnit, request: Mapping[str, Any], side: str) -> RunPlan:
    """The law of one side: a draft's content, one stored version, or what is in force."""
    digest = request[side]
    if side == "b" and request.get("draft_id"):
        name = f"draft:{request['draft_id']}"
        document = draft_document(unit, request["draft_id"], request["revision"])
        program = compile_books([parse(document, request["draft_id"], shipped_parent)])
        return RunPlan(name, program, schedule_versions(program, [0]))
    if digest is None:
        law = rules_in_force(unit)
        return RunPlan(IN_FORCE, law.program, law.schedule)
    program = program_of(unit, (digest,))
    return RunPlan(digest, program, schedule_versions(program, [0]))


def _events(unit: ReadUnit, request: Mapping[str, Any], book: Book) -> tuple[int, int, pa.Table]:
    """From the start of a local day (as `book` counts them) to the newest event."""
    city, asked_us = request["city"], request["asked_us"]
    newest_us = newest_event_us(unit, city, asked_us)
    if newest_us is None:
        raise NothingToJudgeError
    days = calendar(book.model.time_zone, book.model.day_starts)
    first = days.date_of(newest_us) - dt.timedelta(days=request["days"] - 1)
    from_us = days.start_of(first)
    which = (city, from_us, asked_us, tuple(request.get("rider_kinds", ())))
    num_events = num_events_of_city(unit, *which)
    if not num_events:
        raise NothingToJudgeError
    if num_events > NUM_EVENTS_MAX:
        raise TooManyEventsError(num_events)
    return from_us, newest_us, events_of_city(unit, *which)


def _document(comparison: Comparison, plans: tuple[RunPlan, RunPlan]) -> dict[str, Any]:
    summary = summary_document(comparison, plans)
    del summary["books"]
    used = {
        side: books_in_use(comparison.riders, plan.program, f"book_digest_{side}")
        for side, plan in zip(SIDES, plans, strict=True)
    }
    sides = {side: _named(plan.reference, used[side]) for side, plan in zip(SIDES, plans, strict=True)}
    moves = asdict(tier_moves(comparison.tiers, used["b"]))
    moved = affected_riders(comparison.riders)
    return sides | summary | {"num_affected": moved.num_rows, "tier_moves": moves, "movers": _movers(moved)}


def _named(reference: str, used: tuple[Book, ...]) -> dict[str, Any]:
    """A side: what was asked for, and the versions under which riders stand at the end."""
    versions = [
        {
            "id": book.id,
            "effective_from": book.model.effective_from.isoformat(),
            "digest": book.digest,
            "tiers": {tier.id: {"zh": tier.title.zh, "en": tier.title.en} for tier in book.model.tier},
        }
        for book in used
    ]
    return {"reference": reference, "versions": versions}


def _movers(moved: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Who gains and who loses most: by money, then by points; ids are the pseudonyms of the ledger."""
    keys = ("income_fen_diff", "score_mp_diff")
    movers = {}
    for name, order, above in (("up", "descending", True), ("down", "ascending", False)):
        ranked = moved.sort_by([*((key, order) for key in keys), ("rider_id", "ascending")])
        money, points = ranked.column("income_fen_diff"), ranked.column("score_mp_diff")
        compare_to = pc.greater if above else pc.less
        even = pc.and_(pc.equal(money, 0), compare_to(points, 0))
        side = ranked.filter(pc.or_(compare_to(money, 0), even)).slice(0, NUM_MOVERS)
        movers[name] = side.select(list(MOVER_COLUMNS)).to_pylist()
    return movers
