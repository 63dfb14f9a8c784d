"""What lateness costs a rider under a book: expected fen, and fen per minute more, under the rider's own uncertainty.

cost(t) = E[money + points × shadow value of a point] over an arrival known up to a normal error; the price of a minute is its
derivative. Money and points come from the compiled book as a function of lateness (`rules.conditions.match`), the value of
a point from the effects of the book's tiers. No book is known here by name.

Invariant: a book that takes and gives nothing for lateness, or points that affect nothing, price a minute at exactly 0.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rules.book import Book, BookDocument
from rules.conditions import match, on_time_award_mp, on_time_facts
from rules.events import PARTY_CODE, RIDER_KINDS
from rules.units import PERMILLE
from simulations.counter_random import I64
from simulations.scenario import Behaviour, People

F64 = NDArray[np.float64]
STEP_S = 15
LATE_MIN_S, LATE_MAX_S = -3_600, 5_400
NUM_BINS = (LATE_MAX_S - LATE_MIN_S) // STEP_S + 1
# At an expected lateness: the expected loss and its slope a minute, as share of the fee, fen, milli-points; at a lateness
# that is known: the money lost.
_UNITS = ("share", "fen", "mp")
PRICE = np.dtype(
    [(f"{what}_{unit}", np.float64) for what in ("loss", "slope") for unit in _UNITS]
    + [("known_share", np.float64), ("known_fen", np.float64)]
)
_FEE_FEN = 100_000
# A day that stands for each tenure group: facts of rules that ask for it.
_TENURE_DAYS = (15, 180, 900)


@dataclass(frozen=True, slots=True)
class Prices:
    """A book's price of lateness.

    ``table`` PRICE (variants, NUM_BINS): by `variant` of the rider and lateness. ``gross``: time given back does not count.
    """

    table: NDArray[np.void]
    gross: bool


def variant(kind: I64, tenure_group: I64, protected: I64) -> I64:
    """Row of the table for riders by kind, tenure group, and protection as a newcomer."""
    return (kind * len(_TENURE_DAYS) + tenure_group) * 2 + protected


@lru_cache(maxsize=64)
def _sure(key: "_Key", level: int) -> F64:
    """Loss at a known lateness: (3, variants, NUM_BINS) of share, fen, mp."""
    model = key.book.model
    out = np.zeros((3, len(RIDER_KINDS) * len(_TENURE_DAYS) * 2, NUM_BINS))
    late = np.arange(LATE_MIN_S, LATE_MAX_S + 1, STEP_S)
    for kind in range(len(RIDER_KINDS)):
        for group, tenure in enumerate(_TENURE_DAYS):
            rows = [_worth(model, kind, tenure, level, int(s)) for s in late]
            for protected in range(2):
                at = (kind * len(_TENURE_DAYS) + group) * 2 + protected
                start = rows[0]
                for plane in range(2):
                    out[plane, at] = [start[plane] - row[plane] for row in rows]
                points = [max(row[2], 0.0) if protected else row[2] for row in rows]
                out[2, at] = [points[0] - each for each in points]
    return out


def prices(book: Book, people: People, level: int) -> Prices:
    """The price of lateness under a book on a day of a weather level."""
    sure = _sure(_Key(book), level)
    unsure = (people.unsure_first_month_s, people.unsure_first_year_s, people.unsure_later_s)
    table = np.zeros((sure.shape[1], NUM_BINS), PRICE)
    for row in range(sure.shape[1]):
        sigma_s = unsure[row // 2 % len(_TENURE_DAYS)]
        for plane, unit in enumerate(_UNITS):
            loss = _blurred(sure[plane, row], sigma_s)
            table[f"loss_{unit}"][row], table[f"slope_{unit}"][row] = loss, _slope_a_minute(loss)
    table["known_share"], table["known_fen"] = sure[0], sure[1]
    return Prices(table, model_is_gross(book.model))


def model_is_gross(model: BookDocument) -> bool:
    """Whether the book counts lateness whatever party caused it."""
    return model.lateness == "gross"


def point_values(book: Book, behaviour: Behaviour, score_mp: I64) -> F64:
    """Fen that one milli-point is worth to riders at these scores.

    The day's income is believed to be a step function of the score (the tiers); the score wanders by `spread_mp` within the
    horizon, so one more milli-point moves the chance of being above each threshold by the normal density there.
    """
    value = np.zeros(score_mp.size)
    tiers = book.model.tier
    worth = [_day_worth_fen(book, behaviour, position) for position in range(len(tiers))]
    spread = float(behaviour.spread_mp)
    for position in range(1, len(tiers)):
        threshold = tiers[position].min_mp
        if threshold is None:
            continue
        z = (score_mp - threshold) / spread
        density = np.exp(-0.5 * z * z) / (spread * np.sqrt(2 * np.pi))
        value += (worth[position] - worth[position - 1]) * density
    return np.maximum(value, 0.0) * behaviour.horizon_days * behaviour.belief_permille / PERMILLE


def _day_worth_fen(book: Book, behaviour: Behaviour, position: int) -> float:
    """What a day in a tier is believed to bring beyond a day without tiers."""
    tier = book.model.tier[position]
    bonus = tier.bonus_fen * behaviour.orders_believed
    turned = behaviour.priority_believed_permille / PERMILLE
    priority = behaviour.fees_believed_fen * (tier.priority_permille - PERMILLE) / PERMILLE * turned
    review = behaviour.fees_believed_fen * behaviour.review_believed_permille / PERMILLE if tier.review else 0.0
    return float(bonus + priority - review)


@dataclass(frozen=True, slots=True)
class _Key:
    """A book by its digest, for the cache."""

    book: Book

    def __hash__(self) -> int:
        return hash(self.book.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.book.digest == self.book.digest


def _worth(model: BookDocument, kind: int, tenure: int, level: int, late_s: int) -> tuple[float, float, float]:
    """Share of the fee, fen and milli-points that a delivery brings beside its fee, caps on one event included."""
    late_s = max(0, late_s)
    facts = {**on_time_facts(RIDER_KINDS[kind]), "late_s": late_s, "tenure_days": tenure, "weather_level": level}
    facts["liable"] = PARTY_CODE["rider" if late_s else "nobody"]
    without = match(model, "delivered", facts, 0)
    with_fee = match(model, "delivered", facts, _FEE_FEN)
    fen = sum(money for _, _, money in without)
    share = (sum(money for _, _, money in with_fee) - fen) / _FEE_FEN
    points = float(sum(points for _, points, _ in without))
    least = [
        -cap.max_deduct_mp for cap in model.cap if cap.max_deduct_mp and "delivered" in (cap.kinds or ("delivered",))
    ]
    if model.cost_limit is not None and "delivered" in (model.cost_limit.kinds or ("delivered",)):
        award = on_time_award_mp(model, RIDER_KINDS[kind])
        least += [-model.cost_limit.on_time_orders * award] if award > 0 else []
    return share, float(fen), float(max([points, *least]))


def _blurred(loss: F64, sigma_s: int) -> F64:
    """Expected loss at an expected lateness, the arrival normal around it; the ends are held flat."""
    reach = max(1, int(4 * sigma_s / STEP_S))
    x = np.arange(-reach, reach + 1) * STEP_S / sigma_s
    weights = np.exp(-0.5 * x * x)
    weights /= weights.sum()
    padded = np.concatenate([np.full(reach, loss[0]), loss, np.full(reach, loss[-1])])
    return np.convolve(padded, weights, mode="valid")


def _slope_a_minute(loss: F64) -> F64:
    """Central difference over a minute."""
    half = 30 // STEP_S
    ahead = np.concatenate([loss[half:], np.full(half, loss[-1])])
    behind = np.concatenate([np.full(half, loss[0]), loss[:-half]])
    return ahead - behind
