"""The fatigue guard: the standard's hours as hard constraints on who may be given new orders.

GB/T 46862-2025: 7.4.1 a (8 hours of order-taking a day, ask the rider at 8, limit more), 7.4.1 b (after 4 hours without a
pause 20 minutes without new orders, counted from the end of the order in hand), 7.4.1 e (one day of rest a week). How
much more than 8 hours is open in the standard: 12 with the rider's consent is what a platform enforces (domain.md).

Invariant: orders in hand are never taken away; only new ones are withheld, and always with a clause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from dispatch.arrays import Flags, Ints

DAILY_S = 8 * 3600
DAILY_WITH_CONSENT_S = 12 * 3600
CONTINUOUS_S = 4 * 3600
PAUSE_S = 20 * 60
DAYS_IN_A_ROW_MAX = 6


class HoursClause(IntEnum):
    """Why a rider is given nothing new; NONE if they may be."""

    NONE = 0
    CONTINUOUS = 1
    DAILY = 2
    DAILY_LIMIT = 3
    WEEKLY = 4


# Text of each clause, by key.
CLAUSE_TEXT = {
    HoursClause.CONTINUOUS: "dispatch.clause_continuous",
    HoursClause.DAILY: "dispatch.clause_daily",
    HoursClause.DAILY_LIMIT: "dispatch.clause_daily_limit",
    HoursClause.WEEKLY: "dispatch.clause_weekly",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rider asked at 8 hours whether to go on, and the answer."""

    rider: int
    at_s: int
    consents: bool


@dataclass(frozen=True, slots=True)
class WorkedHours:
    """Work of every rider so far; seconds, one row a rider.

    Parameters
    ----------
    before_s
        Worked today before the present stretch, seconds.
    since_s
        When the stretch began, -1 if pausing.
    busy_until_s
        End of the newest order in hand.
    days_in_a_row
        Days worked before today.
    asked
        Who was asked at 8 hours.
    consents
        Who goes on.
    """

    before_s: Ints
    since_s: Ints
    busy_until_s: Ints
    days_in_a_row: Ints
    asked: Flags
    consents: Flags

    @property
    def continuous_s(self) -> Ints:
        """Seconds of the present stretch without a pause of 20 minutes."""
        return np.where(self.since_s >= 0, self.busy_until_s - self.since_s, 0)

    @property
    def today_s(self) -> Ints:
        """Seconds of order-taking today."""
        return self.before_s + self.continuous_s


def fresh_hours(worked_s: Ints, days_in_a_row: Ints | None = None) -> WorkedHours:
    """Return the hours of riders who are pausing after `worked_s` seconds today.

    Parameters
    ----------
    worked_s
        Seconds of order-taking today, one a rider.
    days_in_a_row
        Days worked before today, one a rider; 0 by default.

    Returns
    -------
    WorkedHours
        Hours of riders who pause.
    """
    num = len(worked_s)
    days = np.zeros(num, np.int64) if days_in_a_row is None else np.asarray(days_in_a_row, np.int64)
    never = np.full(num, -1, np.int64)
    return WorkedHours(
        worked_s.copy(), never, never.copy(), days.copy(), np.zeros(num, np.bool_), np.zeros(num, np.bool_)
    )


def hours_after(hours: WorkedHours, busy: Flags, now_s: int) -> WorkedHours:
    """Return the hours at `now_s`, where `busy` says who has an order in hand.

    A stretch ends when 20 minutes have passed since the end of the last order in hand.

    Parameters
    ----------
    hours
        The riders' work so far.
    busy
        Who has an order in hand.
    now_s
        The present instant, seconds.

    Returns
    -------
    WorkedHours
        The hours at `now_s`.
    """
    paused = ~busy & (hours.since_s >= 0) & (now_s - hours.busy_until_s >= PAUSE_S)
    before_s = np.where(paused, hours.today_s, hours.before_s)
    since_s = np.where(paused, -1, hours.since_s)
    since_s = np.where(busy & (since_s < 0), now_s, since_s)
    busy_until_s = np.where(busy, now_s, hours.busy_until_s)
    return WorkedHours(before_s, since_s, busy_until_s, hours.days_in_a_row, hours.asked, hours.consents)


def ask_to_go_on(
    hours: WorkedHours, now_s: int, consents: Callable[[int], bool]
) -> tuple[WorkedHours, tuple[Prompt, ...]]:
    """Ask everyone who has reached 8 hours and was not asked; return the hours and the prompts.

    Parameters
    ----------
    hours
        The riders' work so far.
    now_s
        The present instant, seconds.
    consents
        The answer of a rider (index).

    Returns
    -------
    tuple[WorkedHours, tuple[Prompt, ...]]
        The hours with the answers, and who was asked.
    """
    due = np.flatnonzero((hours.today_s >= DAILY_S) & ~hours.asked)
    if not len(due):
        return hours, ()
    asked, given = hours.asked.copy(), hours.consents.copy()
    prompts = tuple(Prompt(int(rider), now_s, bool(consents(int(rider)))) for rider in due)
    asked[due] = True
    given[due] = [prompt.consents for prompt in prompts]
    return (
        WorkedHours(hours.before_s, hours.since_s, hours.busy_until_s, hours.days_in_a_row, asked, given),
        prompts,
    )


def withholding_clauses(hours: WorkedHours) -> Ints:
    """Return for each rider the clause that withholds new orders, as `HoursClause` values; the weightiest wins.

    Parameters
    ----------
    hours
        The riders' work so far.

    Returns
    -------
    Ints
        A `HoursClause` value a rider; 0: may be given new orders.
    """
    clause = np.zeros(len(hours.before_s), np.int64)
    clause[hours.continuous_s >= CONTINUOUS_S] = HoursClause.CONTINUOUS
    clause[(hours.today_s >= DAILY_S) & ~hours.consents] = HoursClause.DAILY
    clause[hours.today_s >= DAILY_WITH_CONSENT_S] = HoursClause.DAILY_LIMIT
    clause[hours.days_in_a_row >= DAYS_IN_A_ROW_MAX] = HoursClause.WEEKLY
    return clause
