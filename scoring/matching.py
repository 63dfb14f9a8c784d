"""Compiled rules against facts: which hold, and what they give or take before any cap."""

from rules.compile import Tables
from rules.compiled import inlined
from rules.units import PERMILLE
from scoring.columns import I64


@inlined
def is_among(kinds: int, kind: int) -> bool:
    """Whether a kind of events is in a set of kinds.

    Parameters
    ----------
    kinds
        A bit for each code of `rules.events.KINDS`.
    kind
        A code; -1 for a kind that nobody knows, which is in no set.

    Returns
    -------
    bool
        True where its bit is set.
    """
    return kind >= 0 and (kinds >> kind) & 1 == 1


@inlined
def holds(tables: Tables, first: int, stop: int, facts: I64) -> bool:
    """Whether all tests `first:stop` hold; one on an unknown fact (-1) never does."""
    for c in range(first, stop):
        test = tables.tests[c]
        value = facts[test.fact]
        if test.codes >= 0:
            if value < 0 or not (test.codes >> value) & 1:
                return False
        elif value < test.lo or value > test.hi:
            return False
    return True


@inlined
def _slide(tables: Tables, first: int, stop: int, late_s: int) -> tuple[int, int]:
    """Value of corners at a lateness as (numerator, denominator): linear between corners, flat outside."""
    corners = tables.corners
    if late_s <= corners[first].late_s or stop - first == 1:
        return corners[first].value, 1
    for k in range(first + 1, stop):
        if late_s <= corners[k].late_s:
            width = corners[k].late_s - corners[k - 1].late_s
            rise = (corners[k].value - corners[k - 1].value) * (late_s - corners[k - 1].late_s)
            return corners[k - 1].value * width + rise, width
    return corners[stop - 1].value, 1


@inlined
def _truncated(numerator: int, denominator: int) -> int:
    """Quotient rounded toward zero."""
    if numerator >= 0:
        return numerator // denominator
    return -((-numerator) // denominator)


@inlined
def outcome(tables: Tables, rule: int, late_s: int, fee_fen: int) -> tuple[int, int]:
    """Points (mp) and money (fen) of a rule that matched, before any cap."""
    row = tables.rules[rule]
    top, bottom = _slide(tables, row.points_first, row.points_stop, late_s)
    points_mp = _truncated(top, bottom)
    top, bottom = _slide(tables, row.share_first, row.share_stop, late_s)
    money_fen = row.money_fen
    if top != 0 and fee_fen > 0:
        money_fen += _truncated(fee_fen * top, bottom * PERMILLE)
    return points_mp, money_fen
