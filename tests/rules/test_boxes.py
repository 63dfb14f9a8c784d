"""Box arithmetic against counting points one by one."""

from hypothesis import given
from hypothesis import strategies as st

from rules.boxes import Box, contains, holes, intersection, left_over
from rules.conditions import MAX_FACT

EDGE = 6
VALUES = range(-1, EDGE + 1)
CODES = (-1, 0, 1)

spans = st.tuples(st.integers(-1, EDGE), st.integers(-1, EDGE)).map(lambda ends: (min(ends), max(ends)))


@st.composite
def boxes(draw: st.DrawFn, *, full: bool = False) -> Box:
    """A box over two ranges and a set; `full` restricts every fact, as a domain does."""
    ranges = {name: draw(spans) for name in ("late_s", "distance_m") if full or draw(st.booleans())}
    sets = {}
    if full or draw(st.booleans()):
        sets["rider_kind"] = frozenset(draw(st.sets(st.sampled_from(CODES), min_size=1)))
    return Box(ranges, sets)


def points(box: Box) -> set[tuple[int, int, int]]:
    """Every point of the tiny world that lies in a box."""
    ends = [box.ranges.get(name, (-1, EDGE)) for name in ("late_s", "distance_m")]
    codes = box.sets.get("rider_kind", frozenset(CODES))
    (low_x, high_x), (low_y, high_y) = ends
    return {
        (x, y, code)
        for x in VALUES
        for y in VALUES
        for code in CODES
        if low_x <= x <= high_x and low_y <= y <= high_y and code in codes
    }


@given(boxes(), boxes())
def test_an_intersection_holds_the_points_of_both(a: Box, b: Box) -> None:
    """Nothing more, nothing less; it is empty when no point is shared."""
    both = intersection(a, b)

    assert both.empty == (not points(a) & points(b))
    assert both.empty or points(both) == points(a) & points(b)


@given(boxes(full=True), st.lists(boxes(), max_size=4))
def test_what_earlier_rows_leave_is_exact(piece: Box, earlier: list[Box]) -> None:
    """Subtraction keeps every point outside all earlier boxes, once, and no other."""
    rest = left_over([piece], earlier)

    counted = [point for box in rest for point in points(box)]
    assert len(counted) == len(set(counted))
    assert set(counted) == points(piece).difference(*(points(box) for box in earlier))


@given(boxes(full=True), boxes(full=True))
def test_containment_is_containment_of_points(outer: Box, inner: Box) -> None:
    """A box contains another exactly when all its points do."""
    assert contains(outer, inner) == (points(inner) <= points(outer))


@given(st.lists(spans, min_size=1, max_size=5))
def test_holes_are_the_values_that_no_span_covers(covered: list[tuple[int, int]]) -> None:
    """Between the lowest value covered and infinity."""
    found = holes(covered)

    lowest = min(low for low, _ in covered)
    uncovered = {value for value in range(lowest, EDGE + 3) if not any(low <= value <= high for low, high in covered)}
    assert {value for value in range(lowest, EDGE + 3) if any(low <= value <= high for low, high in found)} == uncovered
    assert found[-1][1] == MAX_FACT
