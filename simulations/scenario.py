"""What a scenario is made of: one frozen part per table of the TOML file, every number a whole one with its unit last.

The same parts serve the sample city (`simulations.sample_parameters`) where they mean the same thing. Reading and checking is
`simulations.scenario_files`; where a number comes from stands beside it in the file.
"""

from dataclasses import dataclass

from simulations.counter_random import Quantiles
from simulations.surroundings import Kitchens, Obstacle, Weather

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Town:
    """Size, calendar and shape.

    ``riders``, ``orders_per_day``: in all; ``riders_per_area``, ``merchants_per_area``: of a trade area, whose orders only
    its own riders carry; ``area_m``: side of its square; ``warm_up_days``: days under the old book; ``first_day``: the
    first of all days, as YYYYMMDD; ``city_seed``: who rides and cooks where, the same under every seed of a run, so that
    rider 7 is one person in all of them.
    """

    riders: int
    orders_per_day: int
    warm_up_days: int
    first_day: int
    riders_per_area: int
    merchants_per_area: int
    area_m: int
    city_seed: int


@dataclass(frozen=True, slots=True)
class Demand:
    """Orders: when, how far, how patient, what they pay.

    ``placed_s``: time of placing after local midnight; ``volume_permille``: a day's volume; ``rain_permille``: volume in
    rain; ``popularity_permille``: place of an order's merchant in its area, 0 … 999 by rank; ``patience_s``: the customer
    cancels an order nobody has taken by then.
    """

    placed_s: Quantiles
    volume_permille: Quantiles
    rain_permille: int
    popularity_permille: Quantiles
    distance_m: Quantiles
    patience_s: Quantiles
    base_fee_fen: int
    fee_fen_per_km: int
    free_m: int
    rain_fee_fen: int


@dataclass(frozen=True, slots=True)
class Promise:
    """The deadline: placed + max(merchant's promise + ride + extra, least), longer in rain. The longest estimate counts."""

    s_per_km: int
    extra_s: int
    least_s: int
    rain_permille: int


@dataclass(frozen=True, slots=True)
class Streets:
    """Travel: road metres per straight metre, congestion by time of day, lights, noise, and what nobody exceeds.

    ``congestion_permille``: (seconds after midnight, riding time per mille), linear in between; ``fastest_s_per_km``:
    nobody rides faster, whatever the hurry; ``plan_s_per_km``: what the dispatcher reckons with.
    """

    detour_permille: int
    congestion_permille: Pairs
    lights_per_1000_km: int
    light_wait_s: int
    noise_permille: Quantiles
    plan_s_per_km: int
    fastest_s_per_km: int
    pick_up_s: int


@dataclass(frozen=True, slots=True)
class Doors:
    """The last metres: handing over, gates that keep riders out, lifts, stairs. Gates and lifts belong to the place."""

    hand_over_s: Quantiles
    gated_per_million: int
    gate_s: Quantiles
    lift_per_million: int
    lift_s: Quantiles
    floors: Quantiles
    block_m: int


@dataclass(frozen=True, slots=True)
class People:
    """Riders: kind, tenure, skill, shifts, attitude, targets.

    ``pause_per_million``: who works half the shift from ``noon_start_s``, half from ``evening_start_s``; the others in one piece
    from ``shift_start_s``. ``unsure_*_s``: standard deviation of a rider's own forecast of an arrival, by tenure; ``boldness_permille``: how
    strongly a rider responds to pressure, 1000 usual; ``target_fen_per_h``: the income a rider sets out for, per hour of
    the planned shift; ``capacity``: orders in hand at once.
    """

    dedicated_per_million: int
    tenure_days: Quantiles
    rest_per_million: int
    shift_s: Quantiles
    shift_start_s: Quantiles
    pause_per_million: int
    noon_start_s: Quantiles
    evening_start_s: Quantiles
    last_end_s: int
    pace_s_per_km: Quantiles
    skill_permille: Quantiles
    first_month_permille: int
    first_year_permille: int
    boldness_permille: Quantiles
    capacity: int
    capacity_first_month: int
    target_fen_per_h: Quantiles
    unsure_first_month_s: int
    unsure_first_year_s: int
    unsure_later_s: int


@dataclass(frozen=True, slots=True)
class DispatchRules:
    """The dispatcher: how often, how wide, how hard it looks (0 repairs: the lighter setting), the standard's hours.

    ``*_weight``: cost of a second from order to door, of a second beyond the promise on top, of a second a ready meal waits,
    of a second to the merchant, of a fen an hour above the mean; in thousandths (`dispatch.objective.Weights`).
    """

    period_s: int
    width: int
    repairs_per_order: int
    exchange_every: int
    hours: int
    lose_permille: int
    wait_weight: int
    late_weight: int
    food_weight: int
    idle_weight: int
    imbalance_weight: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """Customers' reviews and complaints, in millionths of deliveries; `_late` where the order came late."""

    good_per_million: int
    bad_per_million: int
    bad_late_per_million: int
    complaint_per_million: int
    complaint_late_per_million: int


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How riders respond; each key belongs to one function of `simulations.behaviour`, which says what it does."""

    rush_permille: int
    rush_half_fen: int
    jump_per_million: int
    jump_most_per_million: int
    jump_half_fen: int
    decline_crowdsourced_per_million: int
    decline_dedicated_per_million: int
    decline_gain_permille: int
    decline_most_per_million: int
    extend_permille: int
    extend_most_s: int
    leave_per_million: int
    leave_gain_permille: int
    leave_most_per_million: int
    wage_fen_per_h: int
    belief_permille: int
    horizon_days: int
    spread_mp: int
    orders_believed: int
    fees_believed_fen: int
    priority_believed_permille: int
    review_believed_permille: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A city to simulate.

    Parameters
    ----------
    name
        Of the file.
    title
        (zh, en).
    city
        City of the events.
    time_zone
        IANA zone of the local days.
    town, demand, promise, streets, kitchens, weather, doors, people
        Sizes of the city, when orders come, what is promised, how riding and cooking take time, rain, the time at the customer,
        and who rides.
    sending
        How orders are given to riders.
    feedback
        How often customers rate or complain.
    behaviour
        How riders respond to what lateness costs them.
    obstacles
        What can hold an order up, and who reports it.
    sources
        Dotted key → where its value comes from.
    ranges
        Dotted key → (least, most) that is thought possible, where the file states it.
    digest
        SHA-256 of all values.
    """

    name: str
    title: tuple[str, str]
    city: str
    time_zone: str
    town: Town
    demand: Demand
    promise: Promise
    streets: Streets
    kitchens: Kitchens
    weather: Weather
    doors: Doors
    people: People
    sending: DispatchRules
    feedback: Feedback
    behaviour: Behaviour
    obstacles: tuple[Obstacle, ...]
    sources: dict[str, str]
    ranges: dict[str, tuple[int, int]]
    digest: str
