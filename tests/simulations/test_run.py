"""The living city: what must hold in every run, and worlds whose answer is known beforehand."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from rules.compile import compile_books
from scoring.comparison import compare
from scoring.prepare import schedule_versions
from scoring.score import score
from simulations.scenario_files import read, shipped
from simulations.world import ORDERS, RIDER_DAYS, STAYS_SCHEMA, World
from tests.simulations.cities import LEGACY, REFERENCE, SCORE, books, city
from tests.simulations.conservation import violations

pytestmark = pytest.mark.slow

# Columns that points, tiers and digests stand in.
OF_POINTS = {
    "points_awarded_mp",
    "points_deducted_mp",
    "score_start_mp",
    "score_end_mp",
    "tier_idx",
    "tier_end_idx",
    "review",
}
OF_LIABILITY = {
    "num_late",
    "num_exempt",
    "given_back_merchant_s",
    "given_back_customer_s",
    "given_back_platform_s",
    "given_back_force_s",
}


def bytes_of(table: pa.Table, but: set[str] = frozenset()) -> bytes:  # type: ignore[assignment]
    """A table as bytes, some columns left out."""
    sink = pa.BufferOutputStream()
    kept = table.select([name for name in table.column_names if name not in but]).combine_chunks()
    with pa.ipc.new_stream(sink, kept.schema) as writer:
        writer.write_table(kept)
    return sink.getvalue().to_pybytes()


def rode(world: World) -> tuple[bytes, ...]:
    """What happened on the streets."""
    return bytes_of(world.orders), bytes_of(world.stays), bytes_of(world.events)


@pytest.mark.parametrize("name", shipped())
def test_everything_is_conserved_in_every_shipped_scenario(name: str) -> None:
    """Orders, time, places, speeds, money and the ledger add up, checked without the simulator's code."""
    sets = () if name != "under-staffed" else ("riders=48",)

    world = city(scenario=name, sets=sets)

    people = read(name).people
    assert (
        violations(world, read(name).streets.fastest_s_per_km, max(people.capacity, people.capacity_first_month)) == []
    )
    assert world.orders.num_rows > 2_000


@pytest.mark.parametrize("after", [LEGACY, REFERENCE])
def test_everything_is_conserved_under_other_books(after: str) -> None:
    """As above, under a fine and under the reference book."""
    assert violations(city(after=after), 144, 5) == []


def test_tables_are_as_stated() -> None:
    """The schemas are those of `simulations.world`, a row for every rider on every day."""
    world = city()

    assert world.rider_days.schema == RIDER_DAYS
    assert world.orders.schema == ORDERS
    assert world.stays.schema == STAYS_SCHEMA
    assert world.rider_days.num_rows == 60 * 3
    assert sorted(set(world.rider_days.column("day").to_pylist())) == [-1, 0, 1]


def test_the_same_run_twice_is_the_same_to_the_byte() -> None:
    """Scenario, plan and seed decide everything."""
    again = city.__wrapped__()

    assert rode(again) == rode(city())
    assert bytes_of(again.rider_days) == bytes_of(city().rider_days)
    assert bytes_of(again.entries) == bytes_of(city().entries)


def test_another_seed_is_another_city_day() -> None:
    """The seed draws orders and weather; the people stay who they are."""
    other = city(seed=2)

    assert other.draws_digest["orders"] != city().draws_digest["orders"]
    assert other.draws_digest["people"] == city().draws_digest["people"]


@pytest.mark.parametrize("after", [LEGACY, REFERENCE, "no fine"])
def test_luck_is_the_same_under_any_book(after: str) -> None:
    """Orders, kitchens, weather and people are drawn alike, whatever riders and dispatcher decide."""
    assert city(after=after).draws_digest == city().draws_digest
    drawn = ["order", "placed_us", "promised_us", "promised_ready_us", "ready_us", "merchant", "fee_fen", "distance_m"]
    assert city(after=after).orders.select(drawn).equals(city().orders.select(drawn))


@pytest.mark.parametrize("name", [LEGACY, SCORE, REFERENCE])
def test_the_same_book_twice_is_the_same_world(name: str) -> None:
    """A switch to the same rules under another name moves nothing: identical to the byte but for digests, money included."""
    stays, changes = city(name, name), city(name, f"renamed {name}")

    assert books(name)[0].digest != books(f"renamed {name}")[0].digest
    assert rode(stays) == rode(changes)
    assert bytes_of(stays.rider_days) == bytes_of(changes.rider_days)


def test_a_fine_of_zero_equals_a_score_without_effects() -> None:
    """What costs nothing moves nothing: identical worlds to the byte but for points, tiers and digests."""
    fine, points = city("no fine", "no fine"), city("no fine", "no effects")

    assert rode(fine) == rode(points)
    assert bytes_of(fine.rider_days, OF_POINTS | OF_LIABILITY) == bytes_of(points.rider_days, OF_POINTS | OF_LIABILITY)


def test_books_do_matter() -> None:
    """The fine and the score do not make the same world, else the tests above say nothing."""
    assert rode(city("no fine", LEGACY)) != rode(city("no fine", "no fine"))
    assert rode(city("no fine", SCORE)) != rode(city("no fine", "no fine"))


def test_without_responses_and_tiers_it_is_the_comparison_of_the_same_deliveries() -> None:
    """Behaviour off and dispatch blind: the two runs differ exactly by what `compare` finds on one set of deliveries."""
    sets = ("warm_up_days=0",)
    fine = city(LEGACY, LEGACY, sets=sets, blind=True, behaviour_off=True)
    points = city(SCORE, SCORE, sets=sets, blind=True, behaviour_off=True)

    scored = []
    for name in (LEGACY, SCORE):
        program = compile_books(books(name))
        scored.append(score(program, schedule_versions(program, [0]), fine.events))
    expected = compare(*scored)

    assert rode(fine) == rode(points)
    for column, amount in (
        ("fines_fen", "fines_fen"),
        ("bonus_fen", "bonus_fen"),
        ("income_fen", "income_fen"),
        ("fees_fen", "fees_fen"),
    ):
        found = tuple(int(pc.sum(world.rider_days.column(column)).as_py()) for world in (fine, points))
        assert found == expected.totals[amount], column
    assert int(pc.sum(points.rider_days.column("num_late")).as_py()) == expected.totals["num_late"][1]


def test_blind_dispatch_sees_no_tiers() -> None:
    """The third arm differs from the second only once tiers differ."""
    seeing, blind = city(), city(blind=True)

    first = pc.less_equal(seeing.orders.column("day"), 0)
    assert seeing.orders.filter(first).equals(blind.orders.filter(first))


def test_warm_up_is_judged_by_the_old_book() -> None:
    """Before the switch the old book's digest stands in the ledger, afterwards the new one's."""
    world = city()

    digests = np.array(world.entries.column("book_digest").to_pylist(), object)
    early = world.entries.column("occurred_us").to_numpy() < world.first_day_us
    assert set(digests[early]) <= {world.plan.warm_up[0].digest}
    assert set(digests[~early]) == {world.plan.book[0].digest}


def test_priority_and_bonus_follow_the_tier_of_the_morning() -> None:
    """Who begins the day above the reward threshold is paid a bonus on that day; who is far below is not."""
    world = city(days=6)
    days = world.rider_days.filter(
        pc.and_(pc.greater(world.rider_days.column("day"), 0), world.rider_days.column("online"))
    )
    tier, bonus = (days.column(name).to_numpy() for name in ("tier_idx", "bonus_fen"))
    delivered = days.column("num_delivered").to_numpy()

    assert (tier == 2).any()
    assert (bonus[(tier == 2) & (delivered > 0)] > 0).all()
    assert bonus[tier < 2].sum() < bonus[tier == 2].sum()


def test_leavers_stay_in_the_table() -> None:
    """A rider who has left never works again and keeps a row on every day."""
    sets = ("behaviour.leave_per_million=30000", "behaviour.leave_gain_permille=0")
    world = city(days=3, sets=sets)
    by_rider: dict[int, list[tuple[bool, bool]]] = {}
    for row in world.rider_days.select(["rider", "left", "online"]).to_pylist():
        by_rider.setdefault(row["rider"], []).append((row["left"], row["online"]))

    assert {len(rows) for rows in by_rider.values()} == {4}
    gone = [rows for rows in by_rider.values() if rows[-1][0]]
    assert gone
    for rows in gone:
        first = next(k for k, (left, _) in enumerate(rows) if left)
        assert all(left and not online for left, online in rows[first + 1 :])


def test_a_changed_plan_keeps_its_inputs() -> None:
    """A world says what made it."""
    world = city()

    assert world.scenario == "ordinary-week"
    assert replace(world.plan, blind=True) != world.plan
    assert world.figures["offers"] >= int(pc.sum(world.rider_days.column("num_delivered")).as_py())
