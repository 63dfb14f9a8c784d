"""What waits to fall due: deductions to be returned, the next calendar reset; and how lines of one instant are told apart."""

from rules.compile import Tables
from rules.compiled import inlined
from scoring.columns import FAR_US, NO_EVENT, Entries
from scoring.facts import day_of
from scoring.state import FIRST_FADE, NUM_ENTRIES, NUM_FADES, RiderScratch


@inlined
def next_reset_us(tables: Tables, book: int, at_us: int) -> int:
    """First instant of the next calendar period after `at_us`; `FAR_US` where the book does not reset."""
    row = tables.books[book].reset_period
    if row < 0:
        return FAR_US
    calendar = tables.books[book].calendar
    period = tables.day_period[calendar, row]
    day = day_of(tables, book, at_us)
    later = day + 1
    while later < period.size and period[later] == period[day]:
        later += 1
    if later >= period.size:
        return FAR_US
    return tables.day_start_us[calendar, later]


@inlined
def push_fade(work: RiderScratch, due_us: int, amount_mp: int, ev: int, book: int) -> None:
    """Remember a deduction to be returned; the list stays ordered by due time."""
    k = work.at[NUM_FADES]
    while k > work.at[FIRST_FADE] and work.fades[k - 1].due_us > due_us:
        work.fades[k] = work.fades[k - 1]
        k -= 1
    fade = work.fades[k]
    fade.due_us = due_us
    fade.mp = amount_mp
    fade.ev = ev
    fade.book = book
    work.at[NUM_FADES] += 1


@inlined
def advance(work: RiderScratch, amount_mp: int) -> None:
    """Take what was given back early from the deductions that wait, latest due first, so that nothing returns twice."""
    while amount_mp > 0 and work.at[NUM_FADES] > work.at[FIRST_FADE]:
        fade = work.fades[work.at[NUM_FADES] - 1]
        taken = min(amount_mp, fade.mp)
        fade.mp -= taken
        amount_mp -= taken
        if fade.mp == 0:
            work.at[NUM_FADES] -= 1


@inlined
def number_alike(out: Entries, work: RiderScratch, first: int) -> None:
    """Count entries from `first` on that repeat one of the same instant: a rider may come to a book twice at once."""
    for n in range(first, work.at[NUM_ENTRIES]):
        line = out[n]
        k = first - 1
        while k >= 0 and out[k].rider == line.rider and out[k].item_us == line.item_us:
            if out[k].ev == NO_EVENT and out[k].book == line.book and out[k].label == line.label:
                line.nth = out[k].nth + 1
                break
            k -= 1
