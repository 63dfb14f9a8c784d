"""The same deliveries under another book: what the rules alone would change, with riding unchanged.

Scores the events of one run again, the old book until the switch and another one from then on; adds up its money by rider and
day. Holds no scoring of its own.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.book import Book
from rules.units import US_PER_DAY
from scoring.ledger import points_and_money
from scoring.score import score
from simulations.run import program_of
from simulations.scenario import Scenario
from simulations.study.outcome import Fixed
from simulations.surroundings import rider_names
from simulations.world import World

I64 = np.ndarray


def rescored(world: World, scenario: Scenario, book: tuple[Book, ...]) -> Fixed:
    """Score a world's deliveries again, as if `book` had judged them from the switch on.

    Parameters
    ----------
    world
        What happened under another book.
    scenario
        What the world was made from.
    book
        Versions of the book that judges instead.

    Returns
    -------
    Fixed
        Fines and bonus of the same deliveries.
    """
    program, schedule = program_of(replace(world.plan, book=book), scenario)
    scored = score(program, schedule, world.events)
    _, _, fines, bonus = points_and_money(scored.entries)
    days = world.rider_days.filter(pc.greater_equal(world.rider_days.column("day"), 0))
    at = _rider_day(world, scored.prepared.riders, scored.entries["rider"], scored.entries["occurred_us"])
    known = at >= 0
    num = days.num_rows
    return Fixed(_sums(at[known], fines[known], num), _sums(at[known], bonus[known], num))


def _rider_day(world: World, names: pa.Array, rider: I64, occurred_us: I64) -> I64:
    """Row of each ledger line among the rider days from day 0 on; −1 for lines of the warm-up."""
    num_riders = world.rider_days.num_rows // (world.num_days + world.num_warm_up)
    known = rider_names(np.arange(num_riders, dtype=np.int64))
    number = pc.index_in(names.cast(pa.string()), known).to_numpy()
    day = (occurred_us - world.first_day_us) // US_PER_DAY
    # What is written after the last midnight belongs to the last day.
    day = np.minimum(day, world.num_days - 1)
    return np.where(day >= 0, day * num_riders + number[rider], -1)


def _sums(at: I64, values: I64, num: int) -> I64:
    out = np.zeros(num, np.int64)
    np.add.at(out, at, values)
    return out
