"""How riders respond to what lateness costs: one small pure function each, with its parameters.

None of these knows a rule book: a response sees fen. What a minute costs is worked out in `simulations.price`. The shapes
are assumptions, stated in each function; their numbers stand in the scenario's table `behaviour`, each with its source.
Compiled, so that the simulation and a reader call the same code. Ranges are those of `simulations.scenario_files`.
"""

from rules.compiled import compiled

PERMILLE = 1_000.0
MILLION = 1_000_000.0


@compiled()
def pressure(minute_fen: float, half_fen: float) -> float:
    """How hard a rider hurries, 0 … 1: half at `half_fen` a minute, saturating (Hill function of order one; assumption)."""
    if minute_fen <= 0.0:
        return 0.0
    return minute_fen / (minute_fen + half_fen)


@compiled()
def rush(pressed: float, boldness: float, most: float) -> float:
    """Share of the riding time saved by riding faster; `boldness` 1 is usual, `most` what a usual rider saves at most."""
    return min(0.5, most * boldness * pressed)


@compiled()
def jump_chance(pressed: float, boldness: float, least: float, most: float) -> float:
    """Chance that a red light is jumped: a relative exposure by assumption, never a forecast of accidents."""
    return min(0.95, boldness * (least + (most - least) * pressed))


@compiled()
def decline_chance(loss_fen: float, fee_fen: float, base: float, gain: float, most: float) -> float:
    """Chance that an offer is declined: its base rate, plus `gain` per share of the fee that lateness is expected to cost."""
    if fee_fen <= 0.0:
        return min(base, most)
    return min(most, base + gain * max(0.0, loss_fen) / fee_fen)


@compiled()
def extension_s(earned_fen: float, target_fen: float, worked_s: float, share: float, most_s: float) -> float:
    """Seconds a rider works on beyond the planned end: `share` of what the gap to the target takes at today's pace.

    Income targets: riders work until a day's target is met (Camerer and others 1997, taxi drivers; disputed since).
    """
    if earned_fen >= target_fen:
        return 0.0
    if earned_fen <= 0.0:
        return most_s * share
    return min(most_s, share * (target_fen - earned_fen) / earned_fen * worked_s)


@compiled()
def leave_chance(per_hour_fen: float, wage_fen: float, base: float, gain: float, most: float) -> float:
    """Chance of leaving for good at the end of a day: `base` where an hour earns what it would elsewhere.

    Rises and falls with elasticity `gain` to income an hour (assumption).
    """
    if per_hour_fen <= 0.0:
        return most
    return min(most, base * (wage_fen / per_hour_fen) ** gain)
