"""The hours of the standard, on rows small enough for paper."""

import numpy as np
import pytest

from dispatch.fatigue import (
    CLAUSE_TEXT,
    CONTINUOUS_S,
    PAUSE_S,
    HoursClause,
    ask_to_go_on,
    fresh_hours,
    hours_after,
    withholding_clauses,
)
from rules.text import text

BUSY, IDLE = np.array([True]), np.array([False])


def worked(*stretches):
    """One rider's hours after (busy from, busy until) stretches, looked at each minute."""
    hours = fresh_hours(np.zeros(1, np.int64))
    for start, end in stretches:
        for now_s in range(start, end + 1, 60):
            hours = hours_after(hours, BUSY, now_s)
    return hours


def test_four_hours_without_a_pause_withhold():
    """A stretch of four hours withholds new orders under 7.4.1 b."""
    assert withholding_clauses(worked((0, CONTINUOUS_S - 60)))[0] == HoursClause.NONE
    assert withholding_clauses(worked((0, CONTINUOUS_S)))[0] == HoursClause.CONTINUOUS


@pytest.mark.parametrize(("pause_s", "clause"), [(PAUSE_S - 60, HoursClause.CONTINUOUS), (PAUSE_S, HoursClause.NONE)])
def test_the_pause_counts_from_the_end_of_the_order_in_hand(pause_s, clause):
    """Twenty minutes after the last order in hand new orders are allowed, not before."""
    end = CONTINUOUS_S + 1800

    hours = hours_after(worked((0, end)), IDLE, end + pause_s)

    assert withholding_clauses(hours)[0] == clause


def test_a_short_gap_is_no_pause():
    """Two hours, ten idle minutes and two hours are one stretch."""
    hours = worked((0, 7200), (7800, 14_400))

    assert withholding_clauses(hours)[0] == HoursClause.CONTINUOUS


def test_consent_is_asked_once_and_limits_stay():
    """At 8 hours the rider is asked once; consent lasts until 12 hours."""
    hours = fresh_hours(np.array([8 * 3600]))

    hours, prompts = ask_to_go_on(hours, 0, lambda _: True)
    again, no_prompts = ask_to_go_on(hours, 60, lambda _: False)

    assert len(prompts) == 1
    assert no_prompts == ()
    assert withholding_clauses(again)[0] == HoursClause.NONE
    assert withholding_clauses(fresh_hours(np.array([12 * 3600])))[0] == HoursClause.DAILY_LIMIT


def test_the_day_of_rest_outweighs_all():
    """After six days in a row the clause is the weekly one, whatever the hours."""
    hours = fresh_hours(np.array([9 * 3600]), np.array([6]))

    assert withholding_clauses(hours)[0] == HoursClause.WEEKLY


@pytest.mark.parametrize("clause", [clause for clause in HoursClause if clause is not HoursClause.NONE])
def test_every_clause_is_named(clause):
    """Each reason for withholding cites its clause in both languages."""
    assert text("zh", CLAUSE_TEXT[clause]).startswith("7.4.1")
    assert text("en", CLAUSE_TEXT[clause]).startswith("7.4.1")
