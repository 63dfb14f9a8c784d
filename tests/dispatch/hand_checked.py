"""A day of three orders and its right answer, checked by hand."""

from dispatch.mdrp import BundleAssignment, CourierMove, OrderOutcome, Restaurant, Solution
from tests.dispatch.worlds import courier, instance, order

RESTAURANTS = (Restaurant("r1", 500, 0), Restaurant("r2", 500, 700))


DAY = instance(
    [
        order("o1", 900, 0, placed=0, ready=12),
        order("o2", 900, 200, placed=4, ready=14),
        order("o3", 0, 700, placed=30, restaurant="r2", ready=45),
    ],
    [courier("c1"), courier("c2", off=100)],
    RESTAURANTS,
)


# c1 leaves at 0, is at r1 at 5, waits for the meals of 12 and 14, then o1 at 4 min, o2 at 2 min.
BUNDLE = BundleAssignment(5, 14, "c1", ("o1", "o2"))


THIRD = BundleAssignment(37, 45, "c1", ("o3",))


GOOD = Solution(
    (BUNDLE, THIRD),
    (
        OrderOutcome("o1", 0, 12, 14, 22, "c1"),
        OrderOutcome("o2", 4, 14, 14, 28, "c1"),
        OrderOutcome("o3", 30, 45, 45, 54, "c1"),
    ),
    (
        CourierMove("c1", 0, "0", "r1"),
        CourierMove("c1", 16, "r1", "o1"),
        CourierMove("c1", 24, "o1", "o2"),
        CourierMove("c1", 31, "o2", "r2"),
        CourierMove("c1", 47, "r2", "o3"),
    ),
)
