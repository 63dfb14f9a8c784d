"""What a study measures of a run: every metric with its unit, and its value from the tables of a world.

Four are declared primary before any run; all others are exploratory and say so wherever they are shown. A metric that a
run does not define (no late order: no mean lateness) is NaN here and left out of the seeds it is averaged over.

Denominators hold everybody: riders who leave stay in, with the income they no longer earn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rules.units import MP_PER_POINT, PERMILLE
from scoring.distribution import distribution
from simulations.study.intervals import F64

I64 = NDArray[np.int64]
Unit = Literal["fen", "share", "minutes", "hours", "points", "per_100_km", "orders", "kmh", "index", "per_1000_days"]
Wanted = Literal["up", "down", "neither"]

HOUR_S, MINUTE_S = 3_600, 60
METRES_PER_100_KM = 100_000
# An order more than ten minutes late counts twice in the composite rate. Assumption: that severe lateness weighs more is known.
SEVERE_WEIGHT = 1
# The digest of a policy question: declared here, before any run.
PRIMARY = ("income_per_day_fen", "on_time_rate", "red_light_exposure", "platform_cost_per_order_fen")


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing measured; `wanted` is the direction that riders or customers would call better."""

    name: str
    unit: Unit
    wanted: Wanted = "neither"

    @property
    def is_primary(self) -> bool:
        """Whether it was declared beforehand."""
        return self.name in PRIMARY


# Of any set of riders, so of every group too. In the order in which they are shown.
OF_RIDERS = (
    Metric("income_per_day_fen", "fen", "up"),
    Metric("on_time_rate", "share", "up"),
    Metric("red_light_exposure", "per_100_km", "down"),
    Metric("platform_cost_per_order_fen", "fen"),
    Metric("fees_per_day_fen", "fen"),
    Metric("fines_per_day_fen", "fen"),
    Metric("bonus_per_day_fen", "fen"),
    Metric("income_per_hour_fen", "fen", "up"),
    Metric("income_per_working_day_fen", "fen", "up"),
    Metric("hours_per_day", "hours"),
    Metric("hours_per_working_day", "hours"),
    Metric("busy_share", "share"),
    Metric("orders_per_working_day", "orders"),
    Metric("income_p10_fen", "fen", "up"),
    Metric("income_p50_fen", "fen", "up"),
    Metric("income_p90_fen", "fen"),
    Metric("income_gini", "index", "down"),
    Metric("composite_on_time_rate", "share", "up"),
    Metric("late_min_per_order", "minutes", "down"),
    Metric("late_min_per_late_order", "minutes", "down"),
    Metric("severe_late_rate", "share", "down"),
    Metric("exempt_rate", "share"),
    Metric("exempted_merchant_min_per_order", "minutes"),
    Metric("exempted_customer_min_per_order", "minutes"),
    Metric("exempted_platform_min_per_order", "minutes"),
    Metric("exempted_force_min_per_order", "minutes"),
    Metric("points_awarded_per_working_day", "points"),
    Metric("points_deducted_per_working_day", "points"),
    Metric("score_end", "points"),
    Metric("orders_to_recover", "orders", "down"),
    Metric("reviews_per_1000_days", "per_1000_days", "down"),
    Metric("declined_rate", "share", "down"),
    Metric("speed_kmh", "kmh"),
    Metric("days_over_8_h", "share", "down"),
    Metric("days_over_12_h", "share", "down"),
    Metric("retention", "share", "up"),
    Metric("customer_wait_min", "minutes", "down"),
)
# Of a whole run only.
OF_ORDERS = (
    Metric("delivered_rate", "share", "up"),
    Metric("on_time_of_placed_rate", "share", "up"),
    Metric("customer_wait_p90_min", "minutes", "down"),
)
METRICS = (*OF_RIDERS, *OF_ORDERS)
METRIC = {metric.name: metric for metric in METRICS}

Columns = Mapping[str, np.ndarray]


def of_riders(days: Columns, num_days: int) -> dict[str, float]:
    """Metrics of some riders.

    Parameters
    ----------
    days
        Columns of `simulations.study.outcome.OUTCOME_DAYS`: every row of those riders from day 0 on, sorted by day, then rider.
    num_days
        Days since the switch; `days` has `num_days` rows a rider.
    """
    num_riders = days["rider"].size // max(num_days, 1)
    rider_days, working = float(num_riders * num_days), _sum(days, "online")
    income, hours = _sum(days, "income_fen"), _sum(days, "worked_s") / HOUR_S
    delivered, distance = _sum(days, "num_delivered"), _sum(days, "distance_m")
    late, severe = _sum(days, "num_late") + _sum(days, "num_exempt"), _sum(days, "num_severe")
    worked_s = days["worked_s"]
    measured = {
        "income_per_day_fen": _ratio(income, rider_days),
        "on_time_rate": _ratio(_sum(days, "num_on_time"), delivered),
        "red_light_exposure": _ratio(_sum(days, "red_lights") * METRES_PER_100_KM, distance),
        "platform_cost_per_order_fen": _ratio(income, delivered),
        "fees_per_day_fen": _ratio(_sum(days, "fees_fen"), rider_days),
        "fines_per_day_fen": _ratio(_sum(days, "fines_fen"), rider_days),
        "bonus_per_day_fen": _ratio(_sum(days, "bonus_fen"), rider_days),
        "income_per_hour_fen": _ratio(income, hours),
        "income_per_working_day_fen": _ratio(income, working),
        "hours_per_day": _ratio(hours, rider_days),
        "hours_per_working_day": _ratio(hours, working),
        "busy_share": _ratio(_sum(days, "busy_s") / HOUR_S, hours),
        "orders_per_working_day": _ratio(delivered, working),
        **_spread(days["income_fen"], num_riders, num_days),
        "composite_on_time_rate": 1 - _ratio(late + SEVERE_WEIGHT * severe, delivered),
        "late_min_per_order": _ratio(_sum(days, "late_s") / MINUTE_S, delivered),
        "late_min_per_late_order": _ratio(_sum(days, "late_s") / MINUTE_S, late),
        "severe_late_rate": _ratio(severe, delivered),
        "exempt_rate": _ratio(_sum(days, "num_exempt"), delivered),
        "points_awarded_per_working_day": _ratio(_sum(days, "points_awarded_mp") / MP_PER_POINT, working),
        "points_deducted_per_working_day": _ratio(_sum(days, "points_deducted_mp") / MP_PER_POINT, working),
        "score_end": _mean(days["score_end_mp"][days["day"] == num_days - 1]) / MP_PER_POINT,
        "orders_to_recover": _mean(days["to_recover"][days["to_recover"] >= 0]),
        "reviews_per_1000_days": _ratio(_sum(days, "review") * 1_000, rider_days),
        "declined_rate": _ratio(_sum(days, "num_declined"), _sum(days, "num_offered")),
        "speed_kmh": _ratio(distance * HOUR_S / 1_000, _sum(days, "ride_s")),
        "days_over_8_h": _ratio(float((worked_s >= 8 * HOUR_S).sum()), working),
        "days_over_12_h": _ratio(float((worked_s >= 12 * HOUR_S).sum()), working),
        "retention": 1 - _mean(days["left"][days["day"] == num_days - 1]),
        "customer_wait_min": _ratio(_sum(days, "customers_wait_s") / MINUTE_S, delivered),
    }
    for cause in ("merchant", "customer", "platform", "force"):
        given = _sum(days, f"given_back_{cause}_s") / MINUTE_S
        measured[f"exempted_{cause}_min_per_order"] = _ratio(given, delivered)
    return measured


def of_orders(orders: Columns) -> dict[str, float]:
    """Metrics of a whole run.

    Parameters
    ----------
    orders
        `delivered` (bool), `on_time` (bool), `wait_s` of every order placed from day 0 on; `wait_s` counts where delivered.
    """
    placed, delivered = float(orders["delivered"].size), orders["delivered"]
    wait = orders["wait_s"][delivered] / MINUTE_S
    return {
        "delivered_rate": _ratio(float(delivered.sum()), placed),
        "on_time_of_placed_rate": _ratio(float((orders["on_time"] & delivered).sum()), placed),
        "customer_wait_p90_min": float(np.quantile(wait, 0.9)) if wait.size else np.nan,
    }


def per_rider(values: np.ndarray, num_riders: int, num_days: int) -> np.ndarray:
    """Sum over days of a column of `rider_days`, by rider."""
    return values.reshape(num_days, num_riders).sum(axis=0)


def _spread(income_fen: np.ndarray, num_riders: int, num_days: int) -> dict[str, float]:
    """How income per day is spread over riders; leavers and those who rest have their zeros in it."""
    if not num_riders:
        return dict.fromkeys(("income_p10_fen", "income_p50_fen", "income_p90_fen", "income_gini"), np.nan)
    total = per_rider(income_fen.astype(np.int64), num_riders, num_days)
    spread = distribution(total)
    gini = np.nan if spread.gini_permille is None else spread.gini_permille / PERMILLE
    return {
        "income_p10_fen": spread.p10 / num_days,
        "income_p50_fen": spread.median / num_days,
        "income_p90_fen": spread.p90 / num_days,
        "income_gini": gini,
    }


def _sum(days: Columns, name: str) -> float:
    return float(days[name].sum())


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def _ratio(above: float, below: float) -> float:
    return above / below if below else np.nan


def stacked(runs: list[dict[str, float]], name: str) -> F64:
    """Collect one metric over seeds.

    Parameters
    ----------
    runs
        Metric → value of each seed.
    name
        The metric.

    Returns
    -------
    F64
        Its values in the order of the seeds.
    """
    return np.array([run[name] for run in runs], np.float64)
