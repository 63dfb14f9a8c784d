"""The tables of a day: native events for the kernel, then rows per rider and day, orders and stays.

Everything stated here was decided elsewhere: times by riding, points and money by the kernel. Reports and reviews are drawn
by order and day (`simulations.counter_random`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dispatch.arrays import Records
from rules.events import CAUSE_PARTY, CAUSES, PARTIES, PARTY_CODE, RIDER_KINDS
from rules.units import US_PER_S
from scoring.columns import EVENT_SCHEMA, I64
from scoring.kernel import DELIVERED as DELIVERED_KIND
from scoring.ledger import delivery_outcome, points_and_money
from scoring.liability import attribute_causes
from scoring.score import ScoredRun
from simulations.area_state import (
    DELIVERED,
    F64,
    OFF_DUTY,
    STAY,
    AreaState,
)
from simulations.counter_random import Bools, CounterRandom
from simulations.demand import PlacedOrders
from simulations.population import Population
from simulations.scenario import Scenario
from simulations.surroundings import NO_OBSTACLE, rider_names, rider_positions
from simulations.world import ORDERS, OUTCOMES, RIDER_DAYS, SKILL_GROUPS, STAYS, STAYS_SCHEMA, TENURE_GROUPS, WORD

DAY_S = 24 * 3_600
DAY_START_S = 4 * 3_600
SEVERE_S = 600
FEEDBACK = ("good_review", "bad_review", "complaint")


@dataclass(frozen=True, slots=True)
class DayRecord:
    """A day as it happened; ``placed`` and ``log`` one row an order by number, ``crew`` and ``lights`` one row a rider.

    ``stays``: of all areas. ``events``: what was sent to the kernel, once it is made.
    """

    day: int
    midnight_us: int
    rain: int
    placed: PlacedOrders
    log: Records
    crew: Records
    lights: F64
    stays: Records
    figures: dict[str, int]
    events: list[pa.Table] = field(default_factory=list)

    @staticmethod
    def of(
        day: int, midnight_us: int, rain: int, lives: Sequence[AreaState], orders: Sequence[PlacedOrders],
        figures: dict[str, int],
    ) -> "DayRecord":  # fmt: skip
        """The areas of a town put together."""
        placed = PlacedOrders(
            *(np.concatenate([getattr(each, name) for each in orders]) for name in PlacedOrders.__dataclass_fields__)
        )
        turn = np.argsort(placed.number, kind="stable")
        crew = np.concatenate([live.crew for live in lives])
        by_rider = np.argsort(crew["rider"], kind="stable")
        return DayRecord(
            day=day, midnight_us=midnight_us, rain=rain, placed=placed.rows(turn),
            log=np.concatenate([live.log for live in lives])[turn], crew=crew[by_rider],
            lights=np.concatenate([live.crew["red_lights"] for live in lives])[by_rider],
            stays=_whole_days(lives), figures=figures,
        )  # fmt: skip

    @property
    def delivered(self) -> Bools:
        """Orders that were brought."""
        return self.log["outcome"] == DELIVERED

    @property
    def worked_s(self) -> I64:
        """Seconds from coming online to going offline, one a rider."""
        crew = self.crew
        under_way = (crew["began_s"] >= 0) & (crew["phase"] != OFF_DUTY)
        return crew["worked_s"] + np.where(under_way, np.maximum(DAY_START_S + DAY_S - crew["start_s"], 0), 0)

    @property
    def fees_fen(self) -> I64:
        """Fees of the orders brought, one a rider."""
        out = np.zeros(len(self.crew), np.int64)
        rows = self.delivered
        np.add.at(out, self.log["rider"][rows], self.placed.fee_fen[rows])
        return out


@dataclass(frozen=True, slots=True)
class ScoredDay:
    """A day's record and its scores, and where riders stood at its begin and end."""

    told: DayRecord
    scored: ScoredRun
    score_start_mp: I64
    score_end_mp: I64
    tier: I64
    tier_end: I64
    left: Bools


def _whole_days(lives: Sequence[AreaState]) -> Records:
    """Stays of all riders from 04:00 to 04:00: the last one of each is closed."""
    parts = []
    for live in lives:
        rows = live.stays[: live.counts["num_stays"][0]]
        crew = live.crew
        last = np.zeros(len(crew), STAY)
        last["rider"], last["from_s"] = crew["rider"], crew["since_s"]
        last["to_s"], last["phase"], last["order"] = DAY_START_S + DAY_S, crew["phase"], -1
        parts += [rows, last[last["from_s"] < last["to_s"]]]
    stays = np.concatenate(parts)
    return stays[np.lexsort((stays["from_s"], stays["rider"]))]


def positions(scored: ScoredRun) -> I64:
    """Town position of each rider of a result."""
    return rider_positions(scored.prepared.riders)


def events_of(scenario: Scenario, rng: CounterRandom, people: Population, told: DayRecord) -> pa.Table:
    """Native events of a day: deliveries, extended deadlines, reviews and complaints."""
    rows = np.flatnonzero(told.delivered)
    parts = [_deliveries(scenario, rng, told, rows)]
    extended = rows[told.placed.extend_s[rows] > 0]
    parts.append(
        _events(
            told, extended, "deadline_extended", told.log["accepted_s"][extended] + 60,
            cause=pa.repeat(pa.scalar("weather"), extended.size), extend_s=pa.array(told.placed.extend_s[extended]),
        )
    )  # fmt: skip
    parts += _feedback(scenario, rng, told, rows)
    return pa.concat_tables([_named(scenario, people, told, *part) for part in parts])


_Part = tuple[I64, str, dict[str, pa.Array]]


def _events(told: DayRecord, rows: I64, kind: str, at_s: I64, **columns: pa.Array) -> _Part:
    return rows, kind, {"occurred_us": pa.array(_us(told, at_s)), **columns}


def _us(told: DayRecord, seconds: I64) -> I64:
    return told.midnight_us + seconds * US_PER_S


def _deliveries(scenario: Scenario, rng: CounterRandom, told: DayRecord, rows: I64) -> _Part:
    placed, log = told.placed.rows(rows), told.log[rows]
    report = _reports(scenario, rng, told, rows)
    stormy = report == "severe_weather"
    times = {
        "placed": placed.placed_s,
        "promised": placed.promised_s,
        "assess_deadline": placed.promised_s,
        "accepted": log["accepted_s"],
        "arrived_store": log["arrived_s"],
        "merchant_ready": placed.ready_s,
        "merchant_promised_ready": placed.promised_ready_s,
        "picked_up": log["picked_up_s"],
        "delivered": log["delivered_s"],
    }
    return _events(
        told, rows, "delivered", log["delivered_s"],
        **{f"{name}_us": pa.array(_us(told, seconds)) for name, seconds in times.items()},
        distance_m=pa.array(placed.distance_m), fee_fen=pa.array(placed.fee_fen),
        reports=pa.array(report, pa.string(), mask=np.equal(report, "")),
        level=pa.array(np.full(rows.size, told.rain), mask=~stormy),
    )  # fmt: skip


def _reports(scenario: Scenario, rng: CounterRandom, told: DayRecord, rows: I64) -> np.ndarray:
    """The verified report of each delivery, empty where there is none: an obstacle, else a slow merchant, else the rain."""
    placed, log, kitchens = told.placed.rows(rows), told.log[rows], scenario.kitchens
    key = (placed.number, told.day)
    names = np.array([*(obstacle.report for obstacle in scenario.obstacles), ""], object)
    shares = np.array([*(obstacle.reported_per_million for obstacle in scenario.obstacles), 0], np.int64)
    obstacle = np.where(placed.obstacle == NO_OBSTACLE, -1, placed.obstacle)
    heard = rng.chance(shares[obstacle], "order.reported", *key)
    report = np.where(heard, names[obstacle], "")
    waited_s = placed.ready_s - np.maximum(log["arrived_s"], placed.promised_ready_s)
    slow = (waited_s > kitchens.report_after_s) & rng.chance(kitchens.reported_per_million, "order.slow_reported", *key)
    report = np.where(np.equal(report, "") & slow, "merchant_slow", report)
    wet = (told.rain > 0) & rng.chance(scenario.weather.reported_per_million, "order.rain_reported", *key)
    return np.where(np.equal(report, "") & wet, "severe_weather", report)


def _feedback(scenario: Scenario, rng: CounterRandom, told: DayRecord, rows: I64) -> list[_Part]:
    """Reviews and complaints on the day itself, more of the bad kind where the order came late."""
    shares, number = scenario.feedback, told.placed.number[rows]
    done_s = told.log["delivered_s"][rows]
    late = done_s > told.placed.promised_s[rows]
    chances = (
        np.where(late, 0, shares.good_per_million),
        np.where(late, shares.bad_late_per_million, shares.bad_per_million),
        np.where(late, shares.complaint_late_per_million, shares.complaint_per_million),
    )
    parts = []
    for kind, share in zip(FEEDBACK, chances, strict=True):
        given = rng.chance(share, f"feedback.{kind}", number, told.day)
        after_s = 600 + rng.below(7_200, f"feedback.{kind}.after", number[given], told.day)
        at_s = np.minimum(done_s[given] + after_s, DAY_START_S + DAY_S - 1)
        parts.append(_events(told, rows[given], kind, at_s))
    return parts


def _named(
    scenario: Scenario, people: Population, told: DayRecord, rows: I64, kind: str, columns: dict[str, pa.Array]
) -> pa.Table:  # fmt: skip
    """Columns about orders as a table of the event format."""
    rider = told.log["rider"][rows]
    order_id = pc.binary_join_element_wise("o", pa.array(told.placed.number[rows]).cast(pa.string()), "")
    joined_s = DAY_S // 2 - (people.tenure_days[rider] + told.day) * DAY_S
    columns = {
        "event_id": pc.binary_join_element_wise(order_id, pa.scalar(kind), ":"),
        "rider_id": rider_names(np.arange(people.num)).take(pa.array(rider)),
        "city": pa.repeat(pa.scalar(scenario.city), rows.size),
        "rider_kind": pa.array(np.array(RIDER_KINDS, object)[people.dedicated[rider].astype(np.int64)], pa.string()),
        "kind": pa.repeat(pa.scalar(kind), rows.size),
        "order_id": order_id,
        "rider_joined_us": pa.array(_us(told, joined_s)),
        **columns,
    }
    arrays = [columns.get(each.name, pa.nulls(rows.size, each.type)) for each in EVENT_SCHEMA]
    return pa.table(arrays, schema=EVENT_SCHEMA)


def orders_table(days: Sequence[ScoredDay], warm_up: int) -> pa.Table:
    """`ORDERS` of all days."""
    return pa.concat_tables([ORDERS.empty_table(), *(_orders(each.told, warm_up) for each in days)])


def _orders(told: DayRecord, warm_up: int) -> pa.Table:
    placed, log, delivered = told.placed, told.log, told.delivered

    def when(seconds: I64) -> pa.Array:
        return pa.array(_us(told, seconds), mask=seconds < 0)

    columns = {
        "order": placed.number,
        "day": np.full(placed.num, told.day - warm_up),
        "area": placed.area,
        "merchant": placed.merchant,
        "rider": np.where(delivered, log["rider"], -1),
        "outcome": _words(log["outcome"], OUTCOMES),
        "placed_us": _us(told, placed.placed_s),
        "promised_us": _us(told, placed.promised_s),
        "promised_ready_us": _us(told, placed.promised_ready_s),
        "ready_us": _us(told, placed.ready_s),
        "accepted_us": when(log["accepted_s"]),
        "arrived_us": when(log["arrived_s"]),
        "picked_up_us": when(log["picked_up_s"]),
        "delivered_us": when(log["delivered_s"]),
        "num_declined": log["num_declined"],
        "distance_m": placed.distance_m,
        "fee_fen": placed.fee_fen,
        "customer_wait_s": pa.array(log["delivered_s"] - placed.placed_s, mask=~delivered),
    }
    return _table(ORDERS, columns)


def stays_table(days: Sequence[ScoredDay]) -> pa.Table:
    """`STAYS_SCHEMA` of all days, by day, rider and time."""
    parts = [STAYS_SCHEMA.empty_table()]
    for each in days:
        told, stays = each.told, each.told.stays
        columns = {
            "rider": stays["rider"],
            "from_us": _us(told, stays["from_s"]),
            "to_us": _us(told, stays["to_s"]),
            "what": _words(stays["phase"], STAYS),
            "metres": stays["distance_m"],
            "order": stays["order"],
        }
        parts.append(_table(STAYS_SCHEMA, columns))
    return pa.concat_tables(parts)


def rider_days_table(people: Population, days: Sequence[ScoredDay], warm_up: int) -> pa.Table:
    """`RIDER_DAYS` of all days."""
    return pa.concat_tables([RIDER_DAYS.empty_table(), *(_rider_days(people, each, warm_up) for each in days)])


def _rider_days(people: Population, day: ScoredDay, warm_up: int) -> pa.Table:
    told, num = day.told, people.num
    crew = told.crew
    sums = _sums(day, num)
    columns: dict[str, np.ndarray | pa.Array] = {
        "rider": np.arange(num),
        "day": np.full(num, told.day - warm_up),
        "kind": _words(people.dedicated.astype(np.int64), RIDER_KINDS),
        "tenure_group": _words(people.tenure_group(told.day), TENURE_GROUPS),
        "skill_group": _words(people.skill_group, SKILL_GROUPS),
        "online": crew["began_s"] >= 0,
        "left": day.left,
        "shift_s": crew["planned_s"],
        "worked_s": told.worked_s,
        "busy_s": crew["busy_s"],
        "num_offered": crew["num_offered"],
        "num_declined": crew["num_declined"],
        **sums,
        "score_start_mp": day.score_start_mp,
        "score_end_mp": day.score_end_mp,
        "tier_idx": day.tier,
        "tier_end_idx": day.tier_end,
        "distance_m": crew["distance_m"],
        "ride_s": crew["ride_s"],
        "red_lights": told.lights,
    }
    columns["income_fen"] = sums["fees_fen"] - sums["fines_fen"] + sums["bonus_fen"]
    return _table(RIDER_DAYS, columns)


def _sums(day: ScoredDay, num: int) -> dict[str, np.ndarray]:
    """What the kernel made of a day, per rider."""
    scored, at = day.scored, positions(day.scored)
    rows = np.flatnonzero((scored.events["kind"] == DELIVERED_KIND) & (scored.prepared.is_new == 1))
    rider = at[scored.events["rider"][rows]]
    judged, outcome = scored.liability[rows], delivery_outcome(scored)[rows]
    given = _given_back(scored)[rows]

    def add(values: np.ndarray, who: np.ndarray = rider) -> np.ndarray:
        out = np.zeros(num, np.int64)
        np.add.at(out, who, values)
        return out

    award, deduct, fines, bonus = points_and_money(scored.entries)
    by = at[scored.entries["rider"]]
    review = np.zeros(num, bool)
    review[at] = scored.head.riders["review"] != 0
    return {
        "num_delivered": add(np.ones(rows.size, np.int64)),
        "num_on_time": add(outcome == 0),
        "num_late": add(outcome == 1),
        "num_exempt": add(outcome == 2),
        "num_severe": add(judged["late_s"] > SEVERE_S),
        "late_s": add(judged["late_s"].astype(np.int64)),
        "given_back_merchant_s": add(given[:, PARTY_CODE["merchant"]]),
        "given_back_customer_s": add(given[:, PARTY_CODE["customer"]]),
        "given_back_platform_s": add(given[:, PARTY_CODE["platform"]]),
        "given_back_force_s": add(given[:, PARTY_CODE["force_majeure"]]),
        "fees_fen": add(scored.events["fee_fen"][rows].astype(np.int64)),
        "fines_fen": add(fines, by),
        "bonus_fen": add(bonus, by),
        "points_awarded_mp": add(award, by),
        "points_deducted_mp": add(deduct, by),
        "review": review,
    }


_PARTY_OF_CAUSE = np.array([PARTY_CODE[CAUSE_PARTY[cause]] for cause in CAUSES])


def _given_back(scored: ScoredRun) -> I64:
    """Seconds of lateness that were somebody else's, by party: int64[n, party]; an exempt order's whole lateness counts."""
    judged, causes = attribute_causes(scored.program.tables, scored.events, scored.prepared.start)
    claims = np.zeros((causes.shape[0], len(PARTIES)), np.int64)
    for cause, party in enumerate(_PARTY_OF_CAUSE):
        claims[:, party] += causes[:, cause]
    total = np.maximum(claims.sum(axis=1), 1)
    given_s = judged["given_s"].astype(np.int64)
    shares = claims // 1_000 * given_s[:, None] // np.maximum(total // 1_000, 1)[:, None]
    shares[np.arange(shares.shape[0]), claims.argmax(axis=1)] += given_s - shares.sum(axis=1)
    exempt = np.flatnonzero(judged["exempt"] != 0)
    shares[exempt, judged["party"][exempt]] += judged["late_s"][exempt].astype(np.int64) - given_s[exempt]
    return shares


def _words(codes: np.ndarray, words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(list(words), pa.string())).cast(
        WORD
    )


def _table(schema: pa.Schema, columns: dict[str, np.ndarray | pa.Array]) -> pa.Table:
    arrays = [
        values.cast(each.type)
        if isinstance(values, pa.Array)
        else pa.array(np.ascontiguousarray(values)).cast(each.type)
        for each in schema
        for values in (columns[each.name],)
    ]
    return pa.table(arrays, schema=schema)
