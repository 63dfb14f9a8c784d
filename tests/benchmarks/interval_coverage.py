"""How often the intervals of a study hold the truth: many small worlds, stopping rule included. Slow, outside the suite.

    python -m tests.benchmarks.interval_coverage --studies 1000 --truth 4000 --jobs 2

Each study has seeds of its own; the truth is the mean difference over other seeds, which no study uses. Writes the table
`interval_coverage.md` beside this file. What is run: the smallest city in which all four primary metrics move.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from rules.shelf import find
from simulations.run import run
from simulations.scenario_files import read
from simulations.study.intervals import bootstrap_t, paired_t
from simulations.study.metrics import PRIMARY
from simulations.study.outcome import outcome_of
from simulations.study.stopping import FIRST_LOOK, seeds_needed
from simulations.world import BookSwitch

BOOKS = ("legacy-fine", "taobao-crowdsourced")
# Two hours of a small trade area, rounds of ten minutes.
SETS = (
    "riders=6",
    "orders_per_day=40",
    "merchants_per_area=10",
    "warm_up_days=0",
    "sending.period_s=600",
    "demand.placed_s=[[0,39600],[1000,46800]]",
    "people.shift_start_s=[[0,36000],[1000,39600]]",
    "people.shift_s=[[0,10800],[1000,14400]]",
)
SEEDS_MAX = 30
PRECISION = 0.04
BLOCK = 50
TABLE = Path(__file__).parent / "interval_coverage.md"


def differences(seeds: range) -> np.ndarray:
    """Values of the primary metrics under A and B, float64[seed, metric, book]."""
    scenario = read("ordinary-week", SETS)
    old, new = (find(name) for name in BOOKS)
    rows = []
    for seed in seeds:
        arms = [outcome_of(run(scenario, BookSwitch(old, book), seed, 1), scenario).metrics() for book in (old, new)]
        rows.append([[arm[name] for arm in arms] for name in PRIMARY])
    return np.array(rows, np.float64)


def all_differences(num: int, first: int, jobs: int) -> np.ndarray:
    """The same for many seeds, on several processes."""
    blocks = [range(start, min(start + BLOCK, first + num)) for start in range(first, first + num, BLOCK)]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        return np.concatenate(list(pool.map(differences, blocks)))


def coverage(studies: np.ndarray, truth: np.ndarray) -> list[dict[str, object]]:
    """Per metric and rule, how often each interval holds the truth.

    Parameters
    ----------
    studies
        float64[study, seed, metric, book].
    truth
        Mean difference of each metric.
    """
    rows: list[dict[str, object]] = []
    for rule in ("20 seeds", f"± {PRECISION:.0%} from 20 on, at most {SEEDS_MAX}"):
        sizes = [FIRST_LOOK if rule == "20 seeds" else _size(study) for study in studies]
        for k, metric in enumerate(PRIMARY):
            held = {"t": 0, "bootstrap": 0}
            for n, (study, size) in enumerate(zip(studies, sizes, strict=True)):
                pair = study[:size, k]
                each = pair[:, 1] - pair[:, 0]
                each = each[~np.isnan(each)]
                for name, interval in (("t", paired_t(each)), ("bootstrap", bootstrap_t(each, n))):
                    held[name] += interval.low is not None and interval.low <= truth[k] <= (interval.high or 0.0)
            rows.append(
                {
                    "metric": metric,
                    "rule": rule,
                    "seeds": float(np.mean(sizes)),
                    **{name: num / len(studies) for name, num in held.items()},
                }
            )
    return rows


def _size(study: np.ndarray) -> int:
    pairs = [(study[:, k, 0], study[:, k, 1]) for k in range(len(PRIMARY))]
    return seeds_needed(pairs, PRECISION) or len(study)


def table(rows: list[dict[str, object]], num_studies: int, num_truth: int) -> str:
    """The result in words and figures."""
    reach = 1.96 * np.sqrt(0.95 * 0.05 / num_studies)
    lines = [
        "# Coverage of the intervals",
        "",
        f"`python -m tests.benchmarks.interval_coverage --studies {num_studies} --truth {num_truth}`",
        "",
        f"{num_studies:,} studies of small worlds (`SETS`; 1 day; {BOOKS[0]} against {BOOKS[1]}), each with seeds of its own;",
        f"the truth is the mean difference over {num_truth:,} other seeds. Nominal 95 %; chance alone moves a figure by ± {reach:.1%}.",
        "",
        "| metric | rule | seeds, mean | paired t | studentised bootstrap |",
        "|---|---|--:|--:|--:|",
    ]
    lines += [
        f"| `{row['metric']}` | {row['rule']} | {row['seeds']:.1f} | {row['t']:.1%} | {row['bootstrap']:.1%} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the experiment and write the table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--studies", type=int, default=1_000)
    words.add_argument("--truth", type=int, default=4_000)
    words.add_argument("--jobs", type=int, default=2)
    words.add_argument("--values", type=Path, help="Keep the values of all seeds here, or read them if they are there.")
    asked = words.parse_args()
    num = asked.studies * SEEDS_MAX
    if asked.values is not None and asked.values.exists():
        values = np.load(asked.values)
    else:
        values = all_differences(num + asked.truth, 1, asked.jobs)
        if asked.values is not None:
            np.save(asked.values, values)
    own, others = values[:num], values[num:]
    truth = np.nanmean(others[:, :, 1] - others[:, :, 0], axis=0)
    rows = coverage(own.reshape(asked.studies, SEEDS_MAX, len(PRIMARY), 2), truth)
    TABLE.write_text(table(rows, asked.studies, asked.truth), encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))  # noqa: T201 - a script's result


if __name__ == "__main__":
    main()
