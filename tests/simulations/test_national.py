"""A national day: as many rows as asked for, in order, each window by itself, with what a real day has."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from api.files.canonical import to_canonical
from rules.compile import compile_books
from rules.shelf import versions
from rules.units import US_PER_DAY
from scoring.ledger import delivery_outcome
from scoring.prepare import schedule_versions
from scoring.score import score
from simulations.national import NationalDay, window_table

pytestmark = pytest.mark.slow

DAY = NationalDay(num_riders=3_000, num_events=42_000, num_cities=7)
HALF_HOUR_US = 1_800_000_000


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """All windows in order."""
    return pa.concat_tables([window_table(DAY, window) for window in range(DAY.num_windows)])


def test_it_holds_what_was_asked_for(table: pa.Table) -> None:
    """So many rows with ids of their own, of so many riders in so many cities, on one local day."""
    occurred = table["occurred_us"].to_numpy()

    assert table.num_rows == len(pc.unique(table["event_id"])) == DAY.num_events
    assert len(pc.unique(table["rider_id"])) == DAY.num_riders
    assert len(pc.unique(table["city"])) == DAY.num_cities
    assert DAY.day_start_us <= occurred.min() < occurred.max() < DAY.day_start_us + US_PER_DAY


def test_each_window_is_in_order_of_time_and_some_rows_come_late() -> None:
    """A few rows stand in the window after theirs, one in two hundred or so."""
    first, second = (window_table(DAY, window)["occurred_us"].to_numpy() for window in (1, 2))

    late = (second < first.max() - 20 * 60_000_000).mean()

    assert (np.diff(second) >= 0).all()
    assert 0 < late < 0.01


def test_a_window_is_the_same_whenever_it_is_made() -> None:
    """Nothing is left over from one window to the next."""
    assert window_table(DAY, 3).equals(window_table(DAY, 3))
    assert not window_table(DAY, 3).equals(window_table(NationalDay(3_000, 42_000, 7, seed=2), 3))


def test_its_shares_are_those_it_states(table: pa.Table) -> None:
    """Nine in ten are deliveries, one of them in ten is late, at least a quarter overlap another of the same rider."""
    rows = table.filter(pc.equal(table["kind"], "delivered")).sort_by(
        [("rider_id", "ascending"), ("delivered_us", "ascending")]
    )
    rider, accepted, delivered = (rows[name].to_numpy() for name in ("rider_id", "accepted_us", "delivered_us"))
    overlaps = (rider[1:] == rider[:-1]) & (accepted[1:] < delivered[:-1])
    in_company = np.append(overlaps, False) | np.append(False, overlaps)
    late = pc.mean(pc.greater(rows["delivered_us"], rows["assess_deadline_us"]).cast(pa.int8())).as_py()

    assert rows.num_rows / table.num_rows == pytest.approx(0.9, abs=0.01)
    assert late == pytest.approx(0.1, abs=0.02)
    assert 0.25 < in_company.mean() < 0.4


def test_every_row_can_be_scored(table: pa.Table) -> None:
    """The readers find nothing wrong with any row."""
    good, rejects = to_canonical(table, "day", np.arange(table.num_rows))

    assert not rejects
    assert good.num_rows == table.num_rows


def test_a_realistic_share_is_exempt_and_a_few_rows_come_late(table: pa.Table) -> None:
    """Of the late orders one in nine or so is not the rider's doing; one row in some hundred comes in half an hour or more late."""
    book = versions("gbt-46862-reference")
    program = compile_books(list(book))
    good, _ = to_canonical(table, "day", np.arange(table.num_rows))
    scored = score(program, schedule_versions(program, [0]), good)
    outcome = delivery_outcome(scored)
    newest, late = 0, 0
    for window in range(DAY.num_windows):
        occurred = window_table(DAY, window)["occurred_us"].to_numpy()
        late += int((occurred < newest - HALF_HOUR_US).sum())
        newest = max(newest, int(occurred.max(initial=0)))

    shares = [float((outcome == kind).sum() / (outcome >= 0).sum()) for kind in range(3)]

    assert shares[0] == pytest.approx(0.9, abs=0.02)
    assert shares[1] == pytest.approx(0.088, abs=0.02)
    assert 0.005 < shares[2] < 0.03
    assert 0.002 < late / DAY.num_events < 0.01
    assert not scored.prepared.refused_rows.size
