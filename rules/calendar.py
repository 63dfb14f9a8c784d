"""Local days: the one place where a book's time zone and day start become instants.

A local day runs from `day_starts` on its date to `day_starts` on the next date; daylight saving is respected.
Dates run from 2000-01-01 to 2099-12-31, the range that event times are held to.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rules.units import US_PER_S

FIRST_DATE = dt.date(2000, 1, 1)
LAST_DATE = dt.date(2099, 12, 31)
NUM_DAYS = (LAST_DATE - FIRST_DATE).days + 1
PERIODS = ("week", "month", "quarter", "year")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local days of one time zone.

    Parameters
    ----------
    start_us
        int64[NUM_DAYS + 1], first instant of each local day (UTC µs); the last one closes the range.
    offset_us
        int64[NUM_DAYS], offset from UTC at that instant.
    period
        int32[4, NUM_DAYS], number of the week, month, quarter and year (order of `PERIODS`) of each day.
    """

    start_us: NDArray[np.int64]
    offset_us: NDArray[np.int64]
    period: NDArray[np.int32]

    def day_of(self, instant_us: int) -> int:
        """Index of the local day that holds an instant (0 is 2000-01-01)."""
        return int(np.searchsorted(self.start_us, instant_us, side="right")) - 1

    def date_of(self, instant_us: int) -> dt.date:
        """Date of the local day that holds an instant."""
        return FIRST_DATE + dt.timedelta(days=self.day_of(instant_us))

    def start_of(self, date: dt.date) -> int:
        """First instant (UTC µs) of the local day of a date."""
        return int(self.start_us[(date - FIRST_DATE).days])


def instant_us(moment: dt.datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * US_PER_S + delta.microseconds


@cache
def calendar(time_zone: str, day_starts: dt.time) -> Calendar:
    """The calendar of an IANA zone whose days start at `day_starts`.

    Raises
    ------
    zoneinfo.ZoneInfoNotFoundError
        If the zone is unknown.
    """
    zone = ZoneInfo(time_zone)
    dates = [FIRST_DATE + dt.timedelta(days=day) for day in range(NUM_DAYS + 1)]
    moments = [dt.datetime.combine(date, day_starts, zone) for date in dates]
    local_us = [instant_us(moment.replace(tzinfo=dt.UTC)) for moment in moments]
    start_us = np.array([instant_us(moment) for moment in moments], np.int64)
    offset_us = np.array(local_us, np.int64)[:-1] - start_us[:-1]
    days = np.arange(NUM_DAYS)
    first_weekday = FIRST_DATE.weekday()
    months = np.array([date.year * 12 + date.month - 1 for date in dates[:-1]])
    period = np.stack([(days + first_weekday) // 7, months, months // 3, months // 12]).astype(np.int32)
    return Calendar(start_us, offset_us, period)
