"""Two ways to read a book and events, in one shape, so that every hand-worked case holds for both."""

from collections.abc import Sequence
from dataclasses import dataclass

from rules.book import Book
from tests.oracle_facts import Event
from tests.oracle_history import outcomes, written

Row = tuple[str, str, str, int, int]


@dataclass(frozen=True)
class Reading:
    """One rider's ledger as (event, rule, kind, delta_mp, money_fen) rows, and how it stands in the end."""

    rows: list[Row]
    parties: dict[str, str]
    given_back_s: dict[str, int]
    score_mp: int
    tier: str
    review_required: bool


def oracle_reading(books: Sequence[Book], events: Sequence[Event], as_of_us: int) -> dict[str, Reading]:
    """What the oracle says one run writes."""
    documents = [book.model for book in books]
    ledgers = written(documents, events, as_of_us)
    return {
        rider: Reading(
            rows=[
                (row.line.event_id, row.line.rule_id, row.kind, row.delta_mp, row.money_fen)
                for row in ledgers[rider]
            ],
            parties={row.line.event_id: row.line.liable_party for row in ledgers[rider]},
            given_back_s={
                row.line.event_id: row.line.time_given_back_s for row in ledgers[rider] if row.kind != "fade"
            },
            score_mp=found.score_mp,
            tier=found.tier,
            review_required=found.review_required,
        )
        for rider, found in outcomes(documents, events, as_of_us).items()
    }


READINGS = {"oracle": oracle_reading}
