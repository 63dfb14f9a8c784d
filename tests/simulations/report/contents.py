"""A report's content made by hand: known effects, 20 seeds, a sensitivity of three numbers."""

from functools import cache
from typing import Any

from rules.shelf import find
from rules.text import Lang
from simulations.report.content import Content
from simulations.scenario_files import read
from simulations.study.findings import findings
from simulations.study.metrics import PRIMARY
from simulations.study.seed import seed_result
from simulations.study.sensitivity import KEYS
from simulations.study.tables import summary_document
from tests.simulations.study.outcomes import outcome

OLD, NEW = find("legacy-fine"), find("taobao-crowdsourced")


@cache
def content(lang: Lang = "zh", num_seeds: int = 20) -> Content:
    """A study of the old fine against a score without fines, with a bonus, and two riders who stand low."""
    results = [
        seed_result(
            {
                "a": outcome(seed),
                "b": outcome(seed, fined=False, bonus_fen=20, low_tier=2, fewer_orders_low=3),
                "blind": outcome(seed, fined=False, bonus_fen=20),
                "again": outcome(seed, luck=5),
            },
            NEW,
        )
        for seed in range(1, num_seeds + 1)
    ]
    found = findings(results)
    summary: dict[str, Any] = summary_document(found, (OLD, NEW))
    summary |= {"seeds": list(found.seeds), "sweep": [], "sensitivity": sensitivity()}
    return Content(
        summary=summary,
        document=document(num_seeds),
        books=(OLD, NEW),
        scenario=read("ordinary-week"),
        differences={name: [one.metrics["b"][name] - one.metrics["a"][name] for one in results] for name in PRIMARY},
        income_fen=found.income_of_riders,
        late_bins=found.late_bins,
        lang=lang,
    )


def sensitivity() -> dict[str, Any]:
    """Every parameter moves every difference; the first turns the sign of income."""
    rows = [
        {
            "metric": metric,
            "key": key,
            "value": 100,
            "low": 50,
            "high": 200,
            "difference": 1.0,
            "difference_at_low": -1.0 if k == 0 else 0.9,
            "difference_at_high": 2.0 - k / 20,
            "low_ci_low": -1.5,
            "low_ci_high": -0.5,
            "high_ci_low": 1.0,
            "high_ci_high": 3.0,
            "changes_sign_at": 75.0 if k == 0 and metric == PRIMARY[0] else None,
        }
        for metric in PRIMARY
        for k, key in enumerate(KEYS)
    ]
    morris = [
        {
            "metric": metric,
            "key": key,
            "mu": (-1) ** k * size,
            "mu_star": size,
            "mu_star_reach": size / 2,
            "sigma": size / 4,
        }
        for metric in PRIMARY
        for k, key in enumerate(KEYS)
        for size in [(0.02 if metric == "on_time_rate" else 200.0) / (k + 1)]
    ]
    return {
        "settings": ["riders=40"],
        "num_seeds": 4,
        "num_days": 2,
        "one_at_a_time": rows,
        "morris": morris,
        "morris_signs": [{"metric": metric, "num_points": 90, "num_same_sign": 81} for metric in PRIMARY],
    }


def document(num_seeds: int) -> dict[str, Any]:
    """What `study.json` says."""
    return {
        "version": "0.0.0",
        "sources": "0" * 64,
        "scenario": {"reference": "ordinary-week", "name": "ordinary-week", "digest": "1" * 64},
        "books": {
            side: {
                "reference": book[-1].id,
                "versions": [{"id": book[-1].id, "effective_from": "2025-12-03", "digest": book[-1].digest}],
            }
            for side, book in (("a", OLD), ("b", NEW))
        },
        "first_seed": 1,
        "seeds": num_seeds,
        "days": 3,
        "sets": ["riders=12"],
        "precision": None,
        "sensitivity": "one-at-a-time",
        "sweeps": [],
        "orders": None,
    }
