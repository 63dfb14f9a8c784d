"""Local days: the one place where a book's time zone and day start become instants.

A local day runs from `day_starts` on its date to `day_starts` on the next date; daylight saving is respected.
Dates run from 2000-01-01 to 2099-12-31, the range that event times are held to.
"""

import datetime as dt
import re
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
NEVER_US = 2**62
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MIDNIGHT = re.compile(r"([0-9-]{8,10}[T ])24(?::?00(?::?00(?:[.,]0+)?)?)?(?=$|[Z+-])")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local days of one time zone.

    Parameters
    ----------
    start_us
        int64[NUM_DAYS + 1], first instant of each local day (UTC µs); the last one closes the range.
    change_us
        int64[NUM_DAYS], instant at which the clocks change within the day; `NEVER_US` on all other days.
    offset_us
        int64[NUM_DAYS, 2], offset from UTC before and after that instant.
    period
        int32[4, NUM_DAYS], number of the week, month, quarter and year (order of `PERIODS`) of each day.
    """

    start_us: NDArray[np.int64]
    change_us: NDArray[np.int64]
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


def read_moment(written: str) -> dt.datetime:
    """An ISO-8601 moment, with or without an offset; `24:00` is the end of its day on every version of Python.

    Parameters
    ----------
    written
        Such as `2026-03-01T12:00:00+08:00`.

    Returns
    -------
    datetime
        Aware if the text has an offset, else naive.

    Raises
    ------
    ValueError
        If it is none.
    """
    midnight = _MIDNIGHT.match(written)
    if midnight is None:
        return dt.datetime.fromisoformat(written)
    moment = dt.datetime.fromisoformat(f"{midnight[1]}00{written[midnight.end(1) + 2 :]}")
    try:
        return moment + dt.timedelta(days=1)
    except OverflowError:
        raise ValueError(written) from None


def utc_moment(at_us: int) -> dt.datetime:
    """The UTC datetime of an instant: the inverse of `instant_us`.

    Parameters
    ----------
    at_us
        Microseconds since 1970-01-01 UTC.

    Returns
    -------
    dt.datetime
        Aware, in UTC.
    """
    return _EPOCH + dt.timedelta(microseconds=at_us)


def instant_us(moment: dt.datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime.

    Parameters
    ----------
    moment
        With an offset.

    Returns
    -------
    int
        Negative before 1970.
    """
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * US_PER_S + delta.microseconds


@cache
def calendar(time_zone: str, day_starts: dt.time) -> Calendar:
    """The calendar of an IANA zone whose days start at `day_starts`.

    Parameters
    ----------
    time_zone
        IANA name, such as `Asia/Shanghai`.
    day_starts
        When a local day begins, on its date.

    Returns
    -------
    Calendar
        All local days of `FIRST_DATE` to `LAST_DATE`; the same object for the same arguments.

    Raises
    ------
    zoneinfo.ZoneInfoNotFoundError
        If the zone is unknown.
    """
    zone = ZoneInfo(time_zone)
    dates = [FIRST_DATE + dt.timedelta(days=day) for day in range(NUM_DAYS + 1)]
    start_us = np.array([instant_us(dt.datetime.combine(date, day_starts, zone)) for date in dates], np.int64)
    offsets = np.array([_offset_us(zone, int(start)) for start in start_us], np.int64)
    change_us = np.full(NUM_DAYS, NEVER_US, np.int64)
    for day in np.flatnonzero(np.diff(offsets)):
        change_us[day] = _change_us(zone, int(start_us[day]), int(start_us[day + 1]))
    days = np.arange(NUM_DAYS)
    first_weekday = FIRST_DATE.weekday()
    months = np.array([date.year * 12 + date.month - 1 for date in dates[:-1]])
    period = np.stack([(days + first_weekday) // 7, months, months // 3, months // 12]).astype(np.int32)
    return Calendar(start_us, change_us, np.stack([offsets[:-1], offsets[1:]], axis=1), period)


def _offset_us(zone: ZoneInfo, at_us: int) -> int:
    moment = utc_moment(at_us).astimezone(zone)
    return int((moment.utcoffset() or dt.timedelta()) / dt.timedelta(microseconds=1))


def _change_us(zone: ZoneInfo, low_us: int, high_us: int) -> int:
    """First instant in (low, high] at which the offset is that of `high`, to the second."""
    after = _offset_us(zone, high_us)
    while high_us - low_us > US_PER_S:
        middle = (low_us + high_us) // 2 // US_PER_S * US_PER_S
        if _offset_us(zone, middle) == after:
            high_us = middle
        else:
            low_us = middle
    return high_us
