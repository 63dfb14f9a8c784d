"""A city's figures as a page draws them: rates, a line by day, and the watch for hidden fines."""

from dataclasses import dataclass
from typing import Final

from api.cities.dashboard import Dashboard, TierCount
from rules.units import PERMILLE

# A tier whose riders get so much less an hour than the best tier's is worth a look.
WATCH_PERMILLE: Final = 100
# So few hours say nothing.
HOURS_MIN: Final = 20
CHART_WIDTH: Final = 330
CHART_HEIGHT: Final = 92
HOUR_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class TierRates:
    """Orders and income of one tier by worked hour and day.

    Parameters
    ----------
    orders_centi
        Orders an hour in hundredths.
    income_hour_fen, income_day_fen
        Averages, rounded down.
    behind_permille
        How much fewer orders an hour than the tier with most; None where there are too few hours to say.
    """

    tier: TierCount
    hours: int
    orders_centi: int
    income_hour_fen: int
    income_day_fen: int
    behind_permille: int | None

    @property
    def is_far_behind(self) -> bool:
        """Whether a person should look."""
        return self.behind_permille is not None and self.behind_permille >= WATCH_PERMILLE


def tier_rates(dashboard: Dashboard) -> tuple[TierRates, ...]:
    """Work by tier, the highest first."""
    rates = {tier.tier: _orders_centi(tier) for tier in dashboard.tiers if tier.work.worked_s >= HOURS_MIN * HOUR_S}
    best = max(rates.values(), default=0)
    return tuple(_watched(tier, rates, best) for tier in reversed(dashboard.tiers))


def _orders_centi(tier: TierCount) -> int:
    work = tier.work
    return work.num_delivered * HOUR_S * 100 // work.worked_s if work.worked_s else 0


def _watched(tier: TierCount, rates: dict[str, int], best: int) -> TierRates:
    work = tier.work
    rate = rates.get(tier.tier)
    return TierRates(
        tier=tier,
        hours=work.worked_s // HOUR_S,
        orders_centi=_orders_centi(tier),
        income_hour_fen=work.income_fen * HOUR_S // work.worked_s if work.worked_s else 0,
        income_day_fen=work.income_fen // work.rider_days if work.rider_days else 0,
        behind_permille=None if rate is None or not best else (best - rate) * 1_000 // best,
    )


def fills_of(dashboard: Dashboard) -> dict[str, str]:
    """How each tier is coloured, as on the rider's scale: green for more, amber for less, red where a person looks."""
    fills = {}
    for tier in dashboard.tiers:
        better = tier.priority_permille - PERMILLE
        less = "fill-bad" if tier.is_reviewed else "fill-warn"
        fills[tier.tier] = "fill-good" if better > 0 else less if better < 0 or tier.is_reviewed else "fill-mute"
    return fills


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One day of the line: its place, the label, and what it stands for."""

    x: float
    y: float
    day: str
    rate: str


@dataclass(frozen=True, slots=True)
class OnTimeChart:
    """On-time rate by day on a scale from `low` to 100 per cent."""

    points: tuple[ChartPoint, ...]
    low: int
    path: str


def on_time_chart(dashboard: Dashboard) -> OnTimeChart | None:
    """On-time rate by day; None of fewer than two days with deliveries."""
    days = [day for day in dashboard.days if day.figures.num_delivered]
    if len(days) < 2:
        return None
    rates = [day.figures.num_on_time / day.figures.num_delivered for day in days]
    low = max(0, min(90, int(min(rates) * 10) * 10))
    step = CHART_WIDTH / (len(days) - 1)
    points = tuple(
        ChartPoint(
            round(k * step, 1),
            round(CHART_HEIGHT * (1 - (rate * 100 - low) / (100 - low)), 1),
            day.day.strftime("%m-%d"),
            f"{rate:.1%}",
        )
        for k, (day, rate) in enumerate(zip(days, rates, strict=True))
    )
    return OnTimeChart(points, low, "M" + "L".join(f"{point.x} {point.y}" for point in points))
