"""Outcomes made by hand: a city of numbers drawn from the seed, with effects that are known because they were put in."""

import numpy as np
import pyarrow as pa

from simulations.study.metrics import METRICS, of_riders
from simulations.study.outcome import NUM_LATE_BINS, OUTCOME_DAYS, RunOutcome, columns_of
from simulations.world import SKILL_GROUPS, TENURE_GROUPS

KINDS = ("crowdsourced", "dedicated")
FEE_FEN = 500
FINE_FEN = 200


def outcome(
    seed: int,
    *,
    riders: int = 12,
    days: int = 3,
    fined: bool = True,
    bonus_fen: int = 0,
    fewer_late: int = 0,
    luck: int = 0,
    low_tier: int = 0,
    fewer_orders_low: int = 0,
) -> RunOutcome:
    """One arm of one seed: about twenty orders a rider and day at `FEE_FEN`, `FINE_FEN` for each late one where `fined`.

    `fewer_late` orders a day are on time that were not; `luck` draws the dispatcher's part anew; the first `low_tier` riders
    stand in tier 0 and lose `fewer_orders_low` orders a day.
    """
    city = np.random.default_rng([seed, 0])
    own = np.random.default_rng([seed, 1, luck])
    num = riders * days
    rider = np.tile(np.arange(riders), days)
    online = city.random(num) < 0.9
    wanted = city.integers(15, 25, num) + own.integers(-1, 2, num)
    low = rider < low_tier
    delivered = np.where(online, wanted - np.where(low, fewer_orders_low, 0), 0)
    late = np.minimum(np.maximum(city.binomial(4, 0.5, num) - fewer_late, 0), delivered)
    fees = delivered * FEE_FEN
    fines = late * FINE_FEN if fined else np.zeros(num, np.int64)
    bonus = delivered * bonus_fen
    values: dict[str, np.ndarray] = {
        "rider": rider,
        "day": np.repeat(np.arange(days), riders),
        "kind": np.array(KINDS)[rider % 2],
        "tenure_group": np.array(TENURE_GROUPS)[rider % 3],
        "skill_group": np.array(SKILL_GROUPS)[rider // 2 % 3],
        "online": online,
        "left": np.zeros(num, bool),
        "worked_s": np.where(online, 21_600 + 60 * delivered, 0),
        "busy_s": np.where(online, 14_400, 0),
        "num_offered": delivered + 1,
        "num_declined": np.ones(num, np.int64),
        "num_delivered": delivered,
        "num_on_time": delivered - late,
        "num_late": late,
        "num_severe": late // 3,
        "late_s": late * 300,
        "fees_fen": fees,
        "fines_fen": fines,
        "bonus_fen": bonus,
        "income_fen": fees - fines + bonus,
        "score_end_mp": np.full(num, 70_000),
        "tier_idx": np.where(low, 0, 1),
        "review": np.zeros(num, bool),
        "distance_m": delivered * 2_500,
        "ride_s": delivered * 600,
        "red_lights": delivered * 0.1 + late * 0.1,
    }
    columns = []
    for field in OUTCOME_DAYS:
        column = values.get(field.name, np.zeros(num, np.int64))
        columns.append(pa.array(column).cast(field.type) if field.name in values else pa.array(column, field.type))
    table = pa.table(columns, schema=OUTCOME_DAYS)
    bins = np.zeros(NUM_LATE_BINS, np.int64)
    bins[35], bins[20] = late.sum(), (delivered - late).sum()
    measured = of_riders(columns_of(table), days)
    facts = {
        "seed": seed,
        "scenario_digest": "d",
        "num_days": days,
        "num_riders": riders,
        "metrics": {metric.name: _plain(measured.get(metric.name, float(seed))) for metric in METRICS},
        "late_bins": bins.tolist(),
        "luck": {"orders": str(seed)},
        "violations": {},
        "figures": {"orders": int(delivered.sum())},
    }
    return RunOutcome(table, facts)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
