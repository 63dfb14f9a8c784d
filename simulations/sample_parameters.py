"""What a city is like: every number of the sample city, with its unit and where it comes from.

Holds no randomness and makes no events. "Source" is a line of the domain notes; whatever is nobody's published
number says "assumption".
"""

import datetime as dt
from dataclasses import dataclass, fields
from zoneinfo import available_timezones

from simulations.counter_random import MILLION, Quantiles
from simulations.surroundings import HOUR_S, Kitchens, Obstacle, Weather

MAX_BAG = 3


# Shares and delays are assumptions; that these are what riders wait for is domain.md section 3.
OBSTACLES = (
    Obstacle("access_blocked", 45_000, Quantiles(((0, 120), (500, 300), (1000, 900))), 550_000),
    Obstacle("customer_unreachable", 12_000, Quantiles(((0, 180), (500, 420), (1000, 900))), 650_000),
    Obstacle("address_changed", 4_000, Quantiles(((0, 240), (500, 480), (1000, 1_200))), 800_000),
    Obstacle("vehicle_fault", 800, Quantiles(((0, 600), (1000, 2_400))), 700_000),
    Obstacle("accident", 150, Quantiles(((0, 900), (1000, 2_700))), 900_000),
)


@dataclass(frozen=True, slots=True)
class Conduct:
    """What else happens to orders, in millionths of orders unless said otherwise. Assumptions all, small on purpose.

    Parameters
    ----------
    cancelled, undelivered, transferred, reassigned
        Orders that end otherwise than by a delivery of this rider.
    misconduct
        (event kind, share of deliveries).
    good_review, bad_review, bad_review_late, complaint, complaint_late
        Share of deliveries; `_late` where the order came after its deadline.
    extended
        (cause, share of orders whose deadline the platform extends for it).
    appealed
        Share of deliveries late by an obstacle that nobody reported, with an upheld appeal one to three days later.
    corrected
        Share of deliveries whose time is corrected later (no signal in the lift).
    trained
        Riders who pass a course on a working day, millionths.
    stepwise
        Share of deliveries whose steps are events of their own as well.
    """

    cancelled: int = 9_000
    undelivered: int = 700
    transferred: int = 3_000
    reassigned: int = 4_000
    misconduct: tuple[tuple[str, int], ...] = (
        ("early_delivered_click", 1_500),
        ("false_delivered", 120),
        ("false_report", 120),
        ("traffic_violation", 250),
        ("item_damaged", 600),
        ("misdelivered", 500),
        ("item_missing", 700),
        ("extra_charge", 60),
    )
    good_review: int = 30_000
    bad_review: int = 1_000
    bad_review_late: int = 15_000
    complaint: int = 300
    complaint_late: int = 4_000
    extended: tuple[tuple[str, int], ...] = (("merchant_slow", 4_000), ("transfer", 2_000), ("red_light", 6_000))
    appealed: int = 150_000
    corrected: int = 800
    trained: int = 3_000
    stepwise: int = 10_000


@dataclass(frozen=True, slots=True)
class SampleCity:
    """A city to generate: riders, days, orders, kitchens, weather.

    Parameters
    ----------
    name
        City of the events; `hangzhou` stands in the shipped deployment table as an example.
    num_riders, num_days
        Riders 1 … and local days from `first_day`. 200 and two weeks: the sample city of the demo.
    first_day
        2025-12-03: first day of the roll-out in 60 cities (H).
    time_zone
        IANA zone of the local days.
    dedicated_per_million
        Share of dedicated riders; the rest is crowdsourced. Assumption.
    tenure_days
        Days since joining on the first day. Assumption: about one in ten is in the first month.
    rest_per_million
        Chance of a day off. Assumption: one rest day a week, as GB/T 46862 7.4.1 e has it.
    shift_s
        Working time of a rider on a day, seconds. 18 % reach 8 h, 0.28 % reach 12 h (H); the rest assumption.
    shift_start_s
        Start of work, seconds after local midnight. Assumption; nobody starts so late that the shift ends after 23:30.
    peaks_s
        Meal peaks, seconds after local midnight. Assumption: 10:45–13:15 and 17:00–19:45.
    peak_gap_s, calm_gap_s
        Between the last drop-off of a trip and the next offer. Assumption, giving about 20 orders a rider-day.
    peak_bags_per_million, calm_bags_per_million
        Chance that a trip carries at least two, and three orders. Assumption.
    distance_m
        Merchant to customer. Assumption: median 2.1 km.
    approach_m
        To the (first or next) merchant. Assumption.
    hop_permille
        Way from one customer of a bag to the next, relative to the order's own distance. Assumption.
    pace_s_per_km
        A practised rider's riding time; 240 s/km is the standard's 15 km/h (GB/T 46862 7.4.4), 170 s/km its legal top
        speed. Assumption.
    skill_permille
        A rider's own riding and searching time relative to the usual: most alike, a few much slower. Assumption, wide
        enough that every band of score is inhabited.
    hand_over_s
        At the door, once there. Assumption.
    first_month_permille, first_year_permille
        Riding and searching time of riders in their first 30 days, and up to one year, relative to practised riders.
        Calibrated: first-month riders late almost 5 × as often as those past one year (H).
    base_fee_fen, fee_fen_per_km, free_m
        Pay of an order: 3.50 yuan up to 2 km, 0.80 yuan a km beyond. Assumption.
    estimate_s_per_km, estimate_extra_s, min_estimate_s, bag_extra_s
        Promised delivery = placed + longest of (promised preparation + ride + `estimate_extra_s`, `min_estimate_s`), plus
        `bag_extra_s` for each further order in the bag. That the longest estimate counts: Meituan (H); the numbers are
        assumptions.
    kitchens, weather, obstacles, conduct
        Cooking times, rain, what can hold an order up, and how often riders break rules; each states its own sources.
    """

    name: str = "hangzhou"
    num_riders: int = 200
    num_days: int = 14
    first_day: dt.date = dt.date(2025, 12, 3)
    time_zone: str = "Asia/Shanghai"
    dedicated_per_million: int = 350_000
    tenure_days: Quantiles = Quantiles(((0, 0), (110, 30), (450, 365), (1000, 2_200)))
    rest_per_million: int = 1_000_000 // 7
    shift_s: Quantiles = Quantiles(
        ((0, 3 * HOUR_S), (300, 6 * HOUR_S), (820, 8 * HOUR_S), (997, 12 * HOUR_S), (1000, 13 * HOUR_S))
    )
    shift_start_s: Quantiles = Quantiles(((0, 8 * HOUR_S), (700, 11 * HOUR_S), (1000, 17 * HOUR_S)))
    peaks_s: tuple[tuple[int, int], ...] = ((38_700, 47_700), (61_200, 71_100))
    peak_gap_s: Quantiles = Quantiles(((0, 20), (500, 120), (1000, 600)))
    calm_gap_s: Quantiles = Quantiles(((0, 30), (500, 330), (1000, 1_500)))
    peak_bags_per_million: tuple[int, int] = (620_000, 260_000)
    calm_bags_per_million: tuple[int, int] = (300_000, 60_000)
    distance_m: Quantiles = Quantiles(((0, 300), (500, 2_100), (900, 3_800), (1000, 6_000)))
    approach_m: Quantiles = Quantiles(((0, 50), (500, 500), (1000, 1_600)))
    hop_permille: Quantiles = Quantiles(((0, 150), (1000, 600)))
    pace_s_per_km: Quantiles = Quantiles(((0, 180), (500, 215), (1000, 260)))
    skill_permille: Quantiles = Quantiles(((0, 900), (500, 1_000), (820, 1_060), (930, 1_400), (1000, 1_700)))
    hand_over_s: Quantiles = Quantiles(((0, 30), (500, 100), (900, 210), (1000, 420)))
    first_month_permille: int = 1_600
    first_year_permille: int = 1_080
    base_fee_fen: int = 350
    fee_fen_per_km: int = 80
    free_m: int = 2_000
    estimate_s_per_km: int = 240
    estimate_extra_s: int = 900
    min_estimate_s: int = 1_800
    bag_extra_s: int = 600
    kitchens: Kitchens = Kitchens()
    weather: Weather = Weather()
    obstacles: tuple[Obstacle, ...] = OBSTACLES
    conduct: Conduct = Conduct()

    def __post_init__(self) -> None:
        parts = (self, self.kitchens, self.weather, self.conduct, *self.obstacles)
        faults = [fault for part in parts for fault in (*_share_faults(part), *_range_faults(part))]
        for name, shares in _exclusive(self).items():
            if sum(shares) > MILLION:
                faults.append(f"{name} add up to {sum(shares)}; allowed 0 … {MILLION}")
        faults += [
            f"peaks_s = ({start}, {end}); must lie within one day"
            for start, end in self.peaks_s
            if not 0 <= start < end <= 24 * HOUR_S
        ]
        if self.time_zone not in available_timezones():
            faults.append(f"time_zone = {self.time_zone!r}; not a zone of the IANA database")
        if not 2000 <= self.first_day.year <= 2098:
            faults.append(f"first_day = {self.first_day}; allowed 2000 … 2098")
        if faults:
            raise ValueError("; ".join(faults))


# Counts that must be at least 1, and the most that memory is meant for.
_RANGES = {"num_riders": (1, 99_999), "num_days": (1, 366), "num_merchants": (1, 1_000_000)}


def _range_faults(part: object) -> list[str]:
    return [
        f"{name} = {getattr(part, name)}; allowed {low} … {high}"
        for name, (low, high) in _RANGES.items()
        if hasattr(part, name) and not low <= getattr(part, name) <= high
    ]


def _exclusive(city: SampleCity) -> dict[str, tuple[int, ...]]:
    """Shares of which at most one applies to an order."""
    conduct = city.conduct
    return {
        "cancelled, undelivered, transferred, reassigned": (
            conduct.cancelled,
            conduct.undelivered,
            conduct.transferred,
            conduct.reassigned,
        ),
        "obstacles": tuple(obstacle.per_million for obstacle in city.obstacles),
    }


def _share_faults(part: object) -> list[str]:
    """Shares in millionths that lie outside 0 … 1 000 000; all whole numbers of `Conduct` are such shares."""
    found = []
    for field in fields(part):  # type: ignore[arg-type]
        value = getattr(part, field.name)
        if not (field.name.endswith("per_million") or isinstance(part, Conduct)):
            continue
        shares = value if isinstance(value, tuple) else (value,)
        plain = [share[1] if isinstance(share, tuple) else share for share in shares]
        found += [f"{field.name} = {share}; allowed 0 … {MILLION}" for share in plain if not 0 <= share <= MILLION]
    return found
