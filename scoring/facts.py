"""What an event says, as the ints that rules test; and the local day it falls on."""

import numpy as np

from rules.compile import Tables
from rules.compiled import inlined
from rules.conditions import FACT_CODE
from rules.units import US_PER_DAY
from scoring.columns import NO_TIME, Events, Liability
from scoring.state import RiderScratch

US_PER_MINUTE = 60_000_000
MINUTES_PER_DAY = 1_440

F_LATE = FACT_CODE["late_s"]
F_RIDER_KIND = FACT_CODE["rider_kind"]
F_TENURE = FACT_CODE["tenure_days"]
F_NUM_DELIVERED = FACT_CODE["num_delivered"]
F_WEATHER = FACT_CODE["weather_level"]
F_DISTANCE = FACT_CODE["distance_m"]
F_MINUTE = FACT_CODE["minute_of_day"]
F_NTH = FACT_CODE["nth_in_month"]
F_PARTY = FACT_CODE["party"]
F_LIABLE = FACT_CODE["liable"]


@inlined
def day_of(tables: Tables, book: int, at_us: int) -> int:
    """Local day (index of the calendar) of an instant under a book."""
    starts = tables.day_start_us[tables.books[book].calendar]
    # Days are 24 h but for daylight saving: the guess is off by one at most.
    day = (at_us - starts[0]) // US_PER_DAY
    day = min(max(day, 0), starts.size - 2)
    while day > 0 and starts[day] > at_us:
        day -= 1
    while day < starts.size - 2 and starts[day + 1] <= at_us:
        day += 1
    return day


@inlined
def read_facts(tables: Tables, events: Events, liability: Liability, work: RiderScratch, i: int) -> None:
    """Fill the facts of event i and open its local day and month."""
    rider, event, judged, facts = work.rider[0], events[i], liability[i], work.facts
    book = np.int64(event.book)
    calendar = tables.books[book].calendar
    day = day_of(tables, book, event.occurred_us)
    if rider.day_start_us != tables.day_start_us[calendar, day]:
        rider.day_start_us = tables.day_start_us[calendar, day]
        work.day_sum_mp[:] = 0
    if rider.month != tables.day_period[calendar, 1, day]:
        rider.month = tables.day_period[calendar, 1, day]
        work.month_count[:] = 0
    if tables.books[book].gross:
        facts[F_LATE] = judged.late_s
    else:
        facts[F_LATE] = 0 if judged.exempt else judged.late_s - judged.given_s
    facts[F_RIDER_KIND] = event.rider_kind
    facts[F_TENURE] = -1
    if event.joined_us != NO_TIME:
        facts[F_TENURE] = max(0, day - day_of(tables, book, event.joined_us))
    facts[F_NUM_DELIVERED] = rider.num_delivered
    facts[F_WEATHER] = judged.weather
    facts[F_DISTANCE] = event.distance_m
    later = 1 if event.occurred_us >= tables.day_change_us[calendar, day] else 0
    local_us = event.occurred_us + tables.day_offset_us[calendar, day, later]
    facts[F_MINUTE] = (local_us // US_PER_MINUTE) % MINUTES_PER_DAY
    facts[F_NTH] = -1
    slot = tables.nth_slot[event.kind]
    if slot >= 0:
        work.month_count[slot] += 1
        facts[F_NTH] = work.month_count[slot]
    facts[F_PARTY] = event.party
    facts[F_LIABLE] = judged.party
