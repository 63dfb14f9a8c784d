"""What the next order would do: a made-up delivery scored by the kernel on what is carried of a rider, never written.

The same run says where the rider stands at this instant: what is due is settled in it, orders are counted, and
deductions that wait for their return are listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.books.in_force import RulesInForce
from api.db.rider_rows import RiderRow, row_of
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.rider_states import stored_states
from api.words import Translated, translated
from rules.book import Book
from rules.events import RIDER_KINDS
from rules.text import Lang, text
from rules.units import US_PER_S, shown_change, shown_points, yuan_text
from scoring.carried_bytes import carried_from_bytes
from scoring.carry import Carried
from scoring.columns import EVENT_SCHEMA, NO_TIME
from scoring.explain_words import moved_words, orders_words, signed_tenths, span_words, titled
from scoring.ledger import standing_figures
from scoring.score import ScoredRun, score

DEFAULT_LATE_MIN: Final = (0, 3, 10)
# Of an order nobody has seen yet, where the rider's last one says nothing.
_DISTANCE_M: Final = 3_000
# Of what a rider carries, packed: a hundred times what is usual.
_COPIED_BYTES: Final = 512 * 1024
_US_PER_MINUTE: Final = 60 * US_PER_S


@dataclass(frozen=True, slots=True)
class Forecast:
    """What comes of the next order, delivered `late_min` minutes late by the rider alone (0: on time).

    Parameters
    ----------
    points_mp, money_fen
        All that the order moves, limits and protections included.
    back_orders
        On-time orders that win the loss back to the score before it; None where nothing is lost or they cannot.
    """

    late_min: int
    points_mp: int
    money_fen: int
    score_after_mp: int
    tier_id: str
    tier_title: Translated
    changes_tier: bool
    back_orders: int | None
    words: Translated

    @property
    def change(self) -> str:
        """Points as riders read them, with a sign."""
        return signed_tenths(shown_change(self.score_after_mp - self.points_mp, self.score_after_mp), self.points_mp)


@dataclass(frozen=True, slots=True)
class OrderCounts:
    """Orders delivered since the first; `late` by the rider, `exempt` late without costing anything."""

    delivered: int
    on_time: int
    late: int
    exempt: int


@dataclass(frozen=True, slots=True)
class PendingReturn:
    """A deduction that is given back at an instant."""

    due_us: int
    points_mp: int


@dataclass(frozen=True, slots=True)
class RiderForecast:
    """A rider at this instant, and what the next order would do."""

    score_mp: int
    counters: OrderCounts
    returning: tuple[PendingReturn, ...]
    forecasts: tuple[Forecast, ...]


def forecast_of(
    unit: ReadUnit | WriteUnit,
    law: RulesInForce,
    rider_id: str,
    now_us: int,
    late_min: Sequence[int] = DEFAULT_LATE_MIN,
) -> tuple[Forecast, ...] | None:
    """What the next order would do, for each lateness in minutes; None for a rider without a scored event."""
    row = row_of(unit, rider_id)
    if row is None:
        return None
    # Of a rider with very many orders in hand a few copies at a time.
    at_once = max(_COPIED_BYTES // max(len(row.carried or b""), 1), 1)
    parts = (late_min[first : first + at_once] for first in range(0, len(late_min), at_once))
    return tuple(
        forecast for minutes in parts for forecast in rider_forecast(unit, law, row, now_us, minutes).forecasts
    )


def rider_forecast(
    unit: ReadUnit | WriteUnit,
    law: RulesInForce,
    row: RiderRow,
    now_us: int,
    late_min: Sequence[int] = DEFAULT_LATE_MIN,
) -> RiderForecast:
    """A rider at an instant. Forecasts are empty where no book will judge their next order."""
    (kept,) = stored_states(unit, law, [row], row.until_us)
    # One rider in several copies, one for each lateness and one who delivers nothing: ids ascend as copies do.
    names = [f"{k:04d}" for k in range(len(late_min) + 1)]
    carried = carried_from_bytes([kept._replace(rider_id=name) for name in names], law.program, row.until_us)
    # The platform's clock may run ahead: the next order comes after the last one.
    at_us = max(now_us, row.until_us, pc.max(carried.window["occurred_us"]).as_py() or NO_TIME) + 1
    orders = [_next_order(carried, name, minutes, at_us) for name, minutes in zip(names[1:], late_min, strict=True)]
    table = pa.Table.from_pylist(orders, schema=EVENT_SCHEMA)
    scored = score(law.program, law.schedule, table, carried, at_us, at_us)
    has_book = not scored.prepared.refused_rows.size
    state = scored.head.riders[0]
    late, exempt, delivered = (int(state[name]) for name in ("num_late", "num_exempt", "num_delivered"))
    head = scored.head
    returning = head.fades[head.fade_start[0] : head.fade_start[1]]
    return RiderForecast(
        score_mp=int(state["score_mp"]),
        counters=OrderCounts(delivered, delivered - late - exempt, late, exempt),
        returning=tuple(PendingReturn(int(fade["due_us"]), int(fade["mp"])) for fade in returning),
        forecasts=tuple(_forecast(scored, k + 1, minutes) for k, minutes in enumerate(late_min)) if has_book else (),
    )


def _next_order(carried: Carried, name: str, late_min: int, at_us: int) -> dict[str, Any]:
    """A delivery at this instant in which nobody else had a share: taken over, picked up and delivered at once."""
    window = carried.window
    rows = window.filter(pc.equal(window["rider_id"], name))
    moments = ("accepted", "arrived_store", "merchant_ready", "merchant_promised_ready", "picked_up", "delivered")
    due_us = at_us - late_min * _US_PER_MINUTE
    kind = int(carried.rider_kind[0])
    return (
        dict.fromkeys(EVENT_SCHEMA.names)
        | {
            "event_id": "next",
            "rider_id": name,
            "city": carried.city[0].as_py(),
            "rider_kind": RIDER_KINDS[kind] if kind >= 0 else None,
            "kind": "delivered",
            "order_id": "next",
            "occurred_us": at_us,
            "promised_us": due_us,
            "assess_deadline_us": due_us,
            "distance_m": _last(rows, "distance_m") or _DISTANCE_M,
            "fee_fen": _last(rows, "fee_fen"),
            "rider_joined_us": _last(rows, "rider_joined_us"),
        }
        | {f"{moment}_us": at_us for moment in moments}
    )


def _last(rows: pa.Table, name: str) -> Any:
    """The newest value of a column that is known."""
    values = rows.column(name).drop_null()
    return values[-1].as_py() if len(values) else None


def _forecast(scored: ScoredRun, rider: int, late_min: int) -> Forecast:
    prepared, entries = scored.prepared, scored.entries
    row = int(np.flatnonzero((prepared.events["rider"] == rider) & (prepared.is_new == 1))[0])
    moved = entries[entries["ev"] == row]
    points_mp, money_fen = int(moved["delta_mp"].sum()), int(moved["money_fen"].sum())
    after_mp = int(scored.head.riders["score_mp"][rider])
    position = int(prepared.events["book"][row])
    book = scored.program.books[position]
    kind = np.array([scored.rider_kind[rider]], np.int64)
    was, now = (
        standing_figures(scored.program.books, np.array([position]), kind, np.array([score_mp], np.int64)).tier[0]
        for score_mp in (after_mp - points_mp, after_mp)
    )
    title = next(tier.title for tier in book.model.tier if tier.id == now)
    back = None if points_mp >= 0 else _orders_back(scored, position, kind, after_mp, after_mp - points_mp)
    changes = was != now
    return Forecast(
        late_min=late_min,
        points_mp=points_mp,
        money_fen=money_fen,
        score_after_mp=after_mp,
        tier_id=now,
        tier_title=Translated(title.zh, title.en),
        changes_tier=changes,
        back_orders=back,
        words=translated(lambda lang: _words(lang, late_min, points_mp, money_fen, after_mp, book, now, changes, back)),
    )


def _orders_back(scored: ScoredRun, position: int, kind: Any, score_mp: int, target_mp: int) -> int | None:
    """On-time orders from one score up to another, by the book's award; None where the book gives none."""
    from rules.conditions import on_time_award_mp

    award_mp = on_time_award_mp(scored.program.books[position].model, RIDER_KINDS[max(int(kind[0]), 0)])
    return -(-(target_mp - score_mp) // award_mp) if award_mp > 0 else None


def _words(
    lang: Lang, late_min: int, points_mp: int, money_fen: int, after_mp: int, book: Book, tier_id: str,
    changes: bool, back: int | None,
) -> str:  # fmt: skip
    head = (
        text(lang, "forecast.late", span=span_words(lang, late_min * 60))
        if late_min
        else text(lang, "forecast.on_time")
    )
    before_mp = after_mp - points_mp
    moves = "forecast.up" if points_mp > 0 else "forecast.down" if points_mp else "forecast.same"
    said = [head + text(lang, moves, points=moved_words(lang, before_mp, after_mp), after=shown_points(after_mp))]
    if money_fen:
        said.append(text(lang, "forecast.bonus" if money_fen > 0 else "forecast.fine", money=yuan_text(abs(money_fen))))
    if changes:
        title = next(tier.title for tier in book.model.tier if tier.id == tier_id)
        said.append(text(lang, "forecast.tier", title=titled(lang, title)))
    if back is not None:
        said.append(text(lang, "forecast.back", orders=orders_words(lang, back)))
    return text(lang, "forecast.and").join(said) + text(lang, "forecast.end")
