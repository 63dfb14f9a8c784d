"""What becomes of orders: deliveries, and all else that a platform records about them, in small shares.

Orders in, families of events out; each family is one kind of event or a few that look alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.events import CANCEL_PARTIES
from simulations.counter_random import I64, MILLION, Bools, CounterRandom
from simulations.sample_orders import SampleOrders
from simulations.sample_parameters import SampleCity
from simulations.surroundings import HOUR_S, MINUTE_S, NO_OBSTACLE

DELIVERED, CANCELLED, UNDELIVERED, TRANSFERRED, REASSIGNED = range(5)
# Who cancels, in millionths: mostly customers and merchants. Assumption.
_CANCEL_SHARES = {"rider": 150_000, "merchant": 300_000, "customer": 450_000, "platform": 100_000}
_NO_REPORT = ""


@dataclass(frozen=True, slots=True)
class EventFamily:
    """Events of one family; arrays of one row an event.

    `times_s` are seconds after local midnight of `day` by field name (`occurred` always); `columns` are further
    columns of the event format.
    """

    event_id: pa.Array
    order_id: pa.Array
    rider: I64
    day: I64
    kind: pa.Array
    times_s: dict[str, I64]
    columns: dict[str, pa.Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _OrderFates:
    """Orders with what became of them.

    `outcome` is DELIVERED …; `report` the verified report ("" for none), `apart` whether it is an event of its own
    and not a column of the delivery; `unheard` an obstacle that nobody reported.
    """

    orders: SampleOrders
    outcome: I64
    report: np.ndarray
    apart: Bools
    unheard: Bools

    @property
    def delivered(self) -> Bools:
        """Orders that this rider delivered."""
        done: Bools = self.outcome == DELIVERED
        return done

    @property
    def late(self) -> Bools:
        """Those of them that came after their deadline."""
        return self.delivered & (self.orders.delivered_s > self.orders.promised_s)

    def key(self, rows: Bools) -> tuple[I64, I64, I64]:
        """What a draw about an order is drawn by: rider, day, occurrence."""
        return self.orders.rider[rows], self.orders.day[rows], self.orders.occurrence[rows]


def incidents(
    city: SampleCity, rng: CounterRandom, orders: SampleOrders, working: tuple[I64, I64]
) -> Iterator[EventFamily]:
    """All families of events.

    Parameters
    ----------
    working
        (rider, day) of each working day, for what does not belong to an order.
    """
    told = _fates_of(city, rng, orders)
    yield _deliveries(city, told)
    yield from _endings(rng, told)
    yield from _extensions(city, rng, told)
    yield _reports(told)
    yield from _steps(city, rng, told)
    yield from _feedback(city, rng, told)
    yield from _misconduct(city, rng, told)
    yield _appeals(city, rng, told)
    yield _corrections(city, rng, told)
    yield _training(city, rng, working)


def _fates_of(city: SampleCity, rng: CounterRandom, orders: SampleOrders) -> _OrderFates:
    key = (orders.rider, orders.day, orders.occurrence)
    conduct, kitchens = city.conduct, city.kitchens
    shares = (conduct.cancelled, conduct.undelivered, conduct.transferred, conduct.reassigned)
    rank = rng.below(MILLION, "order.outcome", *key)
    outcome = np.zeros(rank.size, np.int64)
    least = 0
    for code, share in enumerate(shares, start=CANCELLED):
        outcome[(rank >= least) & (rank < least + share)] = code
        least += share
    names = np.array([*(obstacle.report for obstacle in city.obstacles), _NO_REPORT], object)
    reported = np.array([*(obstacle.reported_per_million for obstacle in city.obstacles), 0], np.int64)
    heard = rng.chance(reported[orders.obstacle], "order.reported", *key)
    report = np.where(heard, names[orders.obstacle], _NO_REPORT)
    # Verified means that the meal was not ready when the merchant had promised it.
    waited = orders.ready_s - np.maximum(orders.arrived_s, orders.promised_ready_s) > kitchens.report_after_s
    slow = waited & rng.chance(kitchens.reported_per_million, "order.slow_reported", *key)
    report = np.where((report == _NO_REPORT) & slow, "merchant_slow", report)
    rained = (orders.rain > 0) & rng.chance(city.weather.reported_per_million, "order.rain_reported", *key)
    report = np.where((report == _NO_REPORT) & rained, "severe_weather", report)
    apart = rng.chance(MILLION // 2, "order.report_apart", *key)
    return _OrderFates(orders, outcome, report, apart, (orders.obstacle != NO_OBSTACLE) & ~heard)


def _order_ids(orders: SampleOrders, rows: Bools) -> np.ndarray:
    parts = (orders.rider[rows] + 1, orders.day[rows] + 1, orders.trip[rows] + 1, orders.position[rows] + 1)
    names = np.char.mod("o%05d", parts[0])
    for part in parts[1:]:
        names = np.char.add(names, np.char.mod("-%02d", part))
    return names


def _rows(
    told: _OrderFates, rows: Bools, kind: str | pa.Array, occurred_s: I64, suffix: str = "", **columns: pa.Array
) -> EventFamily:
    """Events about orders; the id says which order and what (`suffix`, by default the kind)."""
    order_ids = _order_ids(told.orders, rows)
    kinds = pa.repeat(pa.scalar(kind, pa.string()), order_ids.size) if isinstance(kind, str) else kind
    ends = pa.repeat(pa.scalar(suffix, pa.string()), order_ids.size) if suffix else kinds
    names = pa.array(order_ids, pa.string())
    return EventFamily(
        event_id=pc.binary_join_element_wise(names, ends, ":"),
        order_id=names,
        rider=told.orders.rider[rows],
        day=told.orders.day[rows],
        kind=kinds,
        times_s={"occurred": occurred_s},
        columns=columns,
    )


def _deliveries(city: SampleCity, told: _OrderFates) -> EventFamily:
    rows = told.delivered
    made = _rows(told, rows, "delivered", told.orders.delivered_s[rows], **_facts(city, told, rows))
    made.times_s.update(_times(told, rows))
    return made


def _times(told: _OrderFates, rows: Bools) -> dict[str, I64]:
    orders = told.orders
    return {
        "placed": orders.placed_s[rows],
        "promised": orders.promised_s[rows],
        "assess_deadline": orders.promised_s[rows],
        "accepted": orders.accepted_s[rows],
        "arrived_store": orders.arrived_s[rows],
        "merchant_ready": orders.ready_s[rows],
        "merchant_promised_ready": orders.promised_ready_s[rows],
        "picked_up": orders.picked_s[rows],
        "delivered": orders.delivered_s[rows],
    }


def _facts(city: SampleCity, told: _OrderFates, rows: Bools) -> dict[str, pa.Array]:
    orders = told.orders
    paid_m = np.maximum(orders.distance_m[rows] - city.free_m, 0)
    reports = np.where(told.apart, _NO_REPORT, told.report)[rows]
    stormy = (reports == "severe_weather").astype(bool)
    return {
        "distance_m": pa.array(orders.distance_m[rows]),
        "fee_fen": pa.array(city.base_fee_fen + paid_m * city.fee_fen_per_km // 1_000),
        "reports": pa.array(reports, pa.string(), mask=(reports == _NO_REPORT).astype(bool)),
        "level": pa.array(orders.rain[rows], mask=~stormy),
    }


def _endings(rng: CounterRandom, told: _OrderFates) -> Iterator[EventFamily]:
    """Orders that end otherwise than by this rider's delivery."""
    orders = told.orders
    rows = told.outcome == CANCELLED
    rank = rng.below(MILLION, "order.cancelled_by", *told.key(rows))
    by = np.searchsorted(np.cumsum(list(_CANCEL_SHARES.values())), rank, side="right")
    party = pa.array(np.array(CANCEL_PARTIES, object)[by], pa.string())
    yield _rows(told, rows, "cancelled", orders.accepted_s[rows] + 5 * MINUTE_S, party=party)
    rows = told.outcome == UNDELIVERED
    why = np.array(["merchant_closed", "customer_unreachable", None], object)
    reports = pa.array(why[rng.below(3, "order.undelivered_by", *told.key(rows))], pa.string())
    yield _rows(told, rows, "undelivered", orders.delivered_s[rows], reports=reports)
    rows = told.outcome == TRANSFERRED
    yield _rows(told, rows, "transferred_by_rider", orders.accepted_s[rows] + 3 * MINUTE_S)
    rows = told.outcome == REASSIGNED
    yield _rows(told, rows, "reassigned_system", orders.accepted_s[rows] + 2 * MINUTE_S)


def _extensions(city: SampleCity, rng: CounterRandom, told: _OrderFates) -> Iterator[EventFamily]:
    """Deadlines extended by the platform: rain, slow merchants it sees itself, transfers, red lights."""
    everyone = np.ones(told.outcome.size, bool)
    rainy = told.orders.rain > 0
    chosen = rainy & rng.chance(city.weather.extended_per_million, "order.extended.weather", *told.key(everyone))
    for cause, share in (("weather", MILLION), *city.conduct.extended):
        if cause != "weather":
            chosen = rng.chance(share, f"order.extended.{cause}", *told.key(everyone))
        rows = chosen & told.delivered
        extend_s = rng.draw(city.weather.extend_s, f"order.extend.{cause}", *told.key(rows))
        yield _rows(
            told,
            rows,
            "deadline_extended",
            told.orders.accepted_s[rows] + MINUTE_S,
            f"extended-{cause}",
            cause=pa.repeat(pa.scalar(cause, pa.string()), int(rows.sum())),
            extend_s=pa.array(extend_s),
        )


def _reports(told: _OrderFates) -> EventFamily:
    """Verified reports that come as events of their own."""
    rows = told.delivered & told.apart & (told.report != _NO_REPORT).astype(bool)
    kinds = told.report[rows]
    stormy = (kinds == "severe_weather").astype(bool)
    level = pa.array(told.orders.rain[rows], mask=~stormy)
    at_s = np.maximum(told.orders.delivered_s[rows] - MINUTE_S, told.orders.accepted_s[rows])
    return _rows(told, rows, pa.array(kinds, pa.string()), at_s, "report", level=level)


def _steps(city: SampleCity, rng: CounterRandom, told: _OrderFates) -> Iterator[EventFamily]:
    """Steps of some orders, as producers send them that do not wait for the delivery."""
    everyone = np.ones(told.outcome.size, bool)
    rows = told.delivered & rng.chance(city.conduct.stepwise, "order.stepwise", *told.key(everyone))
    orders = told.orders
    steps = {
        "dispatched": orders.accepted_s - 15,
        "promised": orders.placed_s,
        "accepted": orders.accepted_s,
        "arrived_store": orders.arrived_s,
        "picked_up": orders.picked_s,
    }
    for kind, at_s in steps.items():
        yield _rows(told, rows, kind, at_s[rows])


def _feedback(city: SampleCity, rng: CounterRandom, told: _OrderFates) -> Iterator[EventFamily]:
    conduct = city.conduct
    everyone = np.ones(told.outcome.size, bool)
    shares = {
        "good_review": np.where(told.late, 0, conduct.good_review),
        "bad_review": np.where(told.late, conduct.bad_review_late, conduct.bad_review),
        "complaint": np.where(told.late, conduct.complaint_late, conduct.complaint),
    }
    for kind, share in shares.items():
        rows = told.delivered & rng.chance(share, f"feedback.{kind}", *told.key(everyone))
        after_s = 10 * MINUTE_S + rng.below(20 * HOUR_S, f"feedback.{kind}.after", *told.key(rows))
        yield _rows(told, rows, kind, told.orders.delivered_s[rows] + after_s)


def _misconduct(city: SampleCity, rng: CounterRandom, told: _OrderFates) -> Iterator[EventFamily]:
    everyone = np.ones(told.outcome.size, bool)
    for kind, share in city.conduct.misconduct:
        rows = told.delivered & rng.chance(share, f"misconduct.{kind}", *told.key(everyone))
        after_s = rng.below(2 * HOUR_S, f"misconduct.{kind}.after", *told.key(rows))
        yield _rows(told, rows, kind, told.orders.delivered_s[rows] + after_s)


def _appeals(city: SampleCity, rng: CounterRandom, told: _OrderFates) -> EventFamily:
    """Upheld appeals: something held the rider up and nobody had reported it."""
    everyone = np.ones(told.outcome.size, bool)
    rows = told.late & told.unheard & rng.chance(city.conduct.appealed, "appeal", *told.key(everyone))
    after_s = 24 * HOUR_S + rng.below(48 * HOUR_S, "appeal.after", *told.key(rows))
    made = _rows(told, rows, "appeal_upheld", told.orders.delivered_s[rows] + after_s)
    about = pc.binary_join_element_wise(made.order_id, pa.scalar("delivered"), ":")
    made.columns["ref_event_id"] = about
    return made


def _corrections(city: SampleCity, rng: CounterRandom, told: _OrderFates) -> EventFamily:
    """Deliveries recorded too late, for want of a signal, put right hours afterwards."""
    everyone = np.ones(told.outcome.size, bool)
    rows = told.delivered & rng.chance(city.conduct.corrected, "correction", *told.key(everyone))
    orders = told.orders
    after_s = 2 * HOUR_S + rng.below(18 * HOUR_S, "correction.after", *told.key(rows))
    made = _rows(told, rows, "correction", orders.delivered_s[rows] + after_s, **_facts(city, told, rows))
    made.times_s.update(_times(told, rows))
    early_s = MINUTE_S + rng.below(5 * MINUTE_S, "correction.early", *told.key(rows))
    made.times_s["delivered"] = np.maximum(orders.delivered_s[rows] - early_s, orders.picked_s[rows])
    made.columns["ref_event_id"] = pc.binary_join_element_wise(made.order_id, pa.scalar("delivered"), ":")
    return made


def _training(city: SampleCity, rng: CounterRandom, working: tuple[I64, I64]) -> EventFamily:
    """Courses passed, in the morning of a working day."""
    rider, day = working
    passed = rng.chance(city.conduct.trained, "training", rider, day)
    rider, day = rider[passed], day[passed]
    names = np.char.add(np.char.mod("t%05d", rider + 1), np.char.mod("-%02d:training_passed", day + 1))
    return EventFamily(
        event_id=pa.array(names, pa.string()),
        order_id=pa.nulls(rider.size, pa.string()),
        rider=rider,
        day=day,
        kind=pa.repeat(pa.scalar("training_passed"), rider.size),
        times_s={"occurred": 8 * HOUR_S + rng.below(2 * HOUR_S, "training.at", rider, day)},
    )
