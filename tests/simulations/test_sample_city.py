"""The sample city: reproducible, independent luck, plausible shares, and rows that the readers accept."""

import hashlib
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from api.files.canonical import to_canonical
from rules.events import KINDS
from scoring.columns import CANONICAL_SCHEMA
from simulations.counter_random import MILLION, CounterRandom, Quantiles
from simulations.sample_city import events_only, generate
from simulations.sample_orders import SampleOrders, draw_merchants, draw_orders, draw_rain, draw_riders
from simulations.sample_parameters import Conduct, SampleCity
from simulations.surroundings import NO_OBSTACLE, Kitchens, RiderTraits, Weather

pytestmark = pytest.mark.slow

SMALL = SampleCity(num_riders=30, num_days=4)


@cache
def _large() -> tuple[RiderTraits, SampleOrders]:
    """1 000 riders for a fortnight: enough for shares."""
    city, rng = SampleCity(num_riders=1_000), CounterRandom(1)
    riders = draw_riders(city, rng)
    return riders, draw_orders(city, rng, riders)


@cache
def _sample() -> pa.Table:
    return generate(SampleCity(), 1)


def _bytes(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _of_riders(table: pa.Table, names: pa.Array) -> pa.Table:
    return events_only(table.filter(pc.is_in(table.column("rider_id"), names))).sort_by(
        [("rider_id", "ascending"), ("occurred_us", "ascending"), ("event_id", "ascending")]
    )


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A city generated twice is the same to the byte, and another seed is another city."""
    first, second, other = generate(SMALL, 7), generate(SMALL, 7), generate(SMALL, 8)

    digests = [_bytes(table) for table in (first, second, other)]

    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_one_rider_more_moves_nobody_elses_luck() -> None:
    """The rows of a rider are the same in a city of 10 and of 30 riders."""
    few, many = generate(replace(SMALL, num_riders=10), 7), generate(SMALL, 7)

    names = pc.unique(few.column("rider_id"))

    assert len(names) > 5
    assert _of_riders(few, names).equals(_of_riders(many, names))


def test_a_day_more_leaves_the_days_before_as_they_were() -> None:
    """Orders of the first days are the same however long the city lives."""
    short, long = (_drawn(replace(SMALL, num_days=days)) for days in (2, 4))

    same = long.day < 2

    assert np.array_equal(_table_of(short, np.ones(short.day.size, bool)), _table_of(long, same))


def test_other_weather_leaves_kitchens_and_distances_alone() -> None:
    """A rainier scenario changes no draw of another purpose: same merchants, same meals, same ways."""
    dry = replace(SMALL, weather=Weather(rain_per_million=0))
    wet = replace(SMALL, weather=Weather(rain_per_million=MILLION))

    in_dry, in_wet = _drawn(dry), _drawn(wet)
    first_dry, first_wet = ((orders.trip == 0) & (orders.position == 0) for orders in (in_dry, in_wet))

    assert np.array_equal(draw_merchants(dry, CounterRandom(7)).prep_s, draw_merchants(wet, CounterRandom(7)).prep_s)
    for name in ("rider", "day", "merchant", "distance_m", "placed_s", "ready_s", "obstacle"):
        assert np.array_equal(getattr(in_dry, name)[first_dry], getattr(in_wet, name)[first_wet]), name
    assert draw_rain(dry, CounterRandom(7)).max() == 0
    assert draw_rain(wet, CounterRandom(7)).min() >= 1


def _drawn(city: SampleCity) -> SampleOrders:
    rng = CounterRandom(7)
    return draw_orders(city, rng, draw_riders(city, rng))


def _table_of(orders: SampleOrders, rows: np.ndarray) -> np.ndarray:
    names = ("rider", "day", "trip", "position", "merchant", "placed_s", "picked_s", "delivered_s", "obstacle")
    columns = np.stack([getattr(orders, name)[rows] for name in names])
    return columns[:, np.lexsort(columns[3::-1])]


def test_draws_of_different_purpose_or_occurrence_do_not_coincide() -> None:
    """Each of seed, purpose, entity, day and occurrence changes the bits, also when two of them are swapped."""
    rng = CounterRandom(1)

    bits = [
        int(draw[0])
        for draw in (
            rng.bits("a", 1, 2, 3),
            rng.bits("b", 1, 2, 3),
            rng.bits("a", 2, 1, 3),
            rng.bits("a", 1, 3, 2),
            rng.bits("a", 3, 2, 1),
            CounterRandom(2).bits("a", 1, 2, 3),
        )
    ]

    assert len(set(bits)) == len(bits)


def test_draws_are_uniform() -> None:
    """A hundred thousand draws below ten fall on each digit about equally often, over entities and occurrences."""
    rng, many = CounterRandom(1), np.arange(100_000)

    for digits in (rng.below(10, "u", many), rng.below(10, "u", 0, 0, many), rng.below(10, "u", 0, many)):
        counts = np.bincount(digits, minlength=10)

        # Chi-square with 9 degrees of freedom: 33.7 is passed once in ten thousand.
        assert ((counts - 10_000) ** 2 / 10_000).sum() < 33.7


def test_quantiles_are_hit() -> None:
    """Half of the draws lie at or below the median of a distribution, and none outside its ends."""
    quantiles = Quantiles(((0, 10), (500, 20), (1000, 100)))

    drawn = CounterRandom(1).draw(quantiles, "q", np.arange(20_000))

    assert drawn.min() >= 10
    assert drawn.max() < 100
    assert abs(np.mean(drawn < 20) - 0.5) < 0.02


@pytest.mark.parametrize(
    "corners",
    [((0, 1),), ((0, 1), (900, 2)), ((0, 5), (1000, 2)), ((0, 1), (0, 2), (1000, 3))],
)
def test_quantiles_that_make_no_sense_are_refused(corners: tuple[tuple[int, int], ...]) -> None:
    """Quantiles must run from 0 to 1000 per-mille and ascend."""
    with pytest.raises(ValueError, match="quantiles"):
        Quantiles(corners)


def test_all_faults_of_a_scenario_are_told_at_once() -> None:
    """A city without riders, with shares above one and in no time zone names each."""
    with pytest.raises(ValueError, match="num_riders") as caught:
        SampleCity(
            num_riders=0,
            dedicated_per_million=2_000_000,
            time_zone="Asia/Atlantis",
            kitchens=Kitchens(num_merchants=0),
            conduct=Conduct(cancelled=600_000, transferred=500_000, misconduct=(("false_delivered", -1),)),
        )

    for named in ("dedicated_per_million", "time_zone", "num_merchants", "misconduct = -1", "add up to"):
        assert named in str(caught.value)


def test_every_row_is_accepted_by_the_readers() -> None:
    """The table has the canonical columns, and not one row is rejected or changed."""
    table = generate(SMALL, 7)

    read, rejects = to_canonical(events_only(table), "city", np.arange(1, table.num_rows + 1))

    assert table.schema.equals(CANONICAL_SCHEMA)
    assert table.schema.equals(CANONICAL_SCHEMA)
    assert rejects == []
    assert events_only(read).equals(events_only(table))


def test_event_ids_are_unique() -> None:
    """No identity stands twice in the sample city."""
    table = _sample()

    assert pc.count_distinct(table.column("event_id")).as_py() == table.num_rows


def test_the_sample_city_speaks_the_whole_vocabulary() -> None:
    """Every kind of event but closed merchants as events of their own occurs, with both kinds of rider."""
    table = _sample()

    missing = set(KINDS) - set(pc.unique(table.column("kind")).to_pylist())

    assert missing <= {"merchant_closed"}
    assert set(pc.unique(table.column("rider_kind")).to_pylist()) == {"crowdsourced", "dedicated"}


def test_corrections_and_appeals_refer_to_earlier_events_of_the_same_rider() -> None:
    """What is corrected or appealed happened before, to the same rider."""
    table = _sample()
    happened = dict(
        zip(
            table.column("event_id").to_pylist(),
            zip(table.column("rider_id").to_pylist(), table.column("occurred_us").to_pylist(), strict=True),
            strict=True,
        )
    )

    referring = table.filter(pc.is_valid(table.column("ref_event_id"))).to_pylist()

    assert referring
    for row in referring:
        rider, at_us = happened[row["ref_event_id"]]
        assert rider == row["rider_id"]
        assert at_us < row["occurred_us"]


def test_shares_are_plausible() -> None:
    """About twenty orders a working day, one in twenty late, one in fifteen held up, bags of up to three."""
    riders, orders = _large()

    num_days = np.unique(orders.rider * 100 + orders.day).size
    late = orders.delivered_s > orders.promised_s

    assert 17 < orders.rider.size / num_days < 23
    assert 0.03 < late.mean() < 0.10
    assert 0.04 < (orders.obstacle != NO_OBSTACLE).mean() < 0.08
    assert set(np.unique(orders.bag)) == {1, 2, 3}
    assert 0.3 < riders.dedicated.mean() < 0.4


def test_first_month_riders_are_late_almost_five_times_as_often() -> None:
    """Late share in the first 30 days over that after one year, on average of three cities: between 4 and 6."""
    ratios = []
    for seed in (1, 2, 3):
        city, rng = SampleCity(num_riders=1_000), CounterRandom(seed)
        riders = draw_riders(city, rng)
        orders = draw_orders(city, rng, riders)
        tenure = riders.tenure_days[orders.rider] + orders.day
        late = orders.delivered_s > orders.promised_s

        ratios.append(late[tenure < 30].mean() / late[tenure >= 365].mean())

    assert 4 < np.mean(ratios) < 6


def test_hours_reach_the_published_marks() -> None:
    """18 % of working days reach 8 hours and 0.28 % reach 12, as drawn shifts."""
    city, rng = SampleCity(), CounterRandom(1)
    rider, day = (axis.ravel() for axis in np.indices((2_000, 14)))

    shift_s = rng.draw(city.shift_s, "shift.length", rider, day)

    assert abs((shift_s >= 8 * 3_600).mean() - 0.18) < 0.01
    assert abs((shift_s >= 12 * 3_600).mean() - 0.0028) < 0.0015


def test_steps_of_an_order_are_in_order() -> None:
    """Placed, accepted, arrived, picked up (not before the meal is ready), delivered."""
    _, orders = _large()

    steps = (orders.placed_s, orders.accepted_s, orders.arrived_s, orders.picked_s, orders.delivered_s)

    for earlier, later in pairwise(steps):
        assert (earlier < later).all()
    assert (orders.picked_s >= orders.ready_s).all()


def test_orders_of_one_bag_are_in_hand_together() -> None:
    """In a bag, every order is accepted before the first is delivered, and a slow kitchen holds up the others."""
    _, orders = _large()
    trip = (orders.rider * 100 + orders.day) * 100 + orders.trip
    bag = np.unique(trip, return_inverse=True)[1]
    first_delivered = np.full(bag.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first_delivered, bag, orders.delivered_s)
    wait_s = np.maximum(orders.ready_s - np.maximum(orders.arrived_s, orders.promised_ready_s), 0)
    others_wait_s = np.bincount(bag, wait_s)[bag] - wait_s
    late = orders.delivered_s > orders.promised_s

    held_up = others_wait_s > 600

    assert (orders.accepted_s < first_delivered[bag]).all()
    assert late[held_up].mean() > 3 * late[(others_wait_s == 0) & (orders.bag > 1)].mean()
