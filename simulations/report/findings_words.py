"""The findings of a study beyond its headline, in sentences: who gains, the hidden fine, the budget."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rules.text import Lang, text
from simulations.report.content import Content, parameter_title
from simulations.report.words import (
    interval_text,
    metric_title,
    number_text,
    percent_text,
    relative_text,
    value_text,
)
from simulations.study.metrics import PRIMARY

Say = Callable[[Lang], str]
INCOME = PRIMARY[0]
# Values from here on are told without decimals.
WHOLE_FROM = 100


def sentences(content: Content) -> dict[str, list[Say]]:
    """Sentences by section of the page."""
    return {
        "decomposition": [lambda lang: _neutral(content, lang)],
        "movers": [lambda lang: _movers(content, lang), *_clear(content)],
        "hidden": [lambda lang: _hidden(content, lang)],
        "pairing": [lambda lang: _pairing(content, lang)],
        "hinges": _hinges(content),
        "together": _together(content),
        "checks": [lambda lang: _checks(content, lang)],
        "sources": [lambda lang: _sources(content, lang)],
    }


def _neutral(content: Content, lang: Lang) -> str:
    metrics = content.summary["budget_neutral"]["metrics"]
    income, low = metrics[INCOME], metrics["income_p10_fen"]
    return text(
        lang,
        "study.neutral",
        difference=value_text(lang, "fen", income["difference"], signed=True),
        interval=interval_text(lang, "fen", income["ci_low"], income["ci_high"]),
        lowest=value_text(lang, "fen", low["difference"], signed=True),
    )


def _movers(content: Content, lang: Lang) -> str:
    moved = content.summary["movers"]
    return text(
        lang,
        "study.movers",
        gain=moved["num_gain"],
        lose=moved["num_lose"],
        num=content.summary["num_riders"],
        num_seeds=content.summary["num_seeds"],
    )


def _clear(content: Content) -> list[Say]:
    moved = content.summary["movers"]
    if moved["noise_fen"] is None:
        return []
    return [
        lambda lang: text(
            lang,
            "study.movers_noise",
            aa_gain=moved["aa_gain"],
            aa_lose=moved["aa_lose"],
            noise=value_text(lang, "fen", moved["noise_fen"]),
            gain=moved["num_gain_clear"],
            lose=moved["num_lose_clear"],
            aa_gain_clear=moved["aa_gain_clear"],
            aa_lose_clear=moved["aa_lose_clear"],
        )
    ]


def _hidden(content: Content, lang: Lang) -> str:
    hidden = content.summary["hidden_fine"]
    if hidden is None:
        return text(lang, "study.hidden_none")
    if not hidden["num_low_rider_days"]:
        return text(lang, "study.hidden_nobody", num=f"{hidden['num_rider_days']:,}")
    share = hidden["share"]
    return text(
        lang,
        "study.hidden",
        days=f"{hidden['num_low_rider_days']:,}",
        num=f"{hidden['num_rider_days']:,}",
        share=percent_text(lang, share["mean"], signed=False),
        interval=relative_text(lang, share["ci_low"], share["ci_high"], signed=False),
        of_fines=percent_text(lang, hidden["of_fines_removed"], signed=False),
    )


def _pairing(content: Content, lang: Lang) -> str:
    one = content.summary["metrics"][INCOME]
    if one["correlation"] is None or one["variance_ratio"] is None:
        return text(lang, "study.pairing_unknown")
    return text(
        lang,
        "study.pairing",
        correlation=number_text(one["correlation"], 3),
        ratio=percent_text(lang, one["variance_ratio"], signed=False),
    )


def _hinges(content: Content) -> list[Say]:
    """Parameters at which the headline would change sign."""
    sensitivity = content.summary["sensitivity"]
    if sensitivity is None or not sensitivity["one_at_a_time"]:
        return [lambda lang: text(lang, "study.sensitivity_off")]
    found: list[Say] = [lambda lang: _small_city(sensitivity, lang)]
    for metric in PRIMARY:
        own = [one for one in sensitivity["one_at_a_time"] if one["metric"] == metric]
        turning = [one for one in own if _turns_clearly(one)]
        found.append(_turning(metric, turning))
    return found


def _small_city(sensitivity: dict[str, Any], lang: Lang) -> str:
    return text(
        lang,
        "study.small_city",
        num_seeds=sensitivity["num_seeds"],
        num_days=sensitivity["num_days"],
        settings=", ".join(sensitivity["settings"]) or "–",
    )


def _turns_clearly(one: dict[str, Any]) -> bool:
    """Whether the sign changes, and beyond it the interval leaves zero out: else chance alone may have turned it."""
    at = one["changes_sign_at"]
    if at is None:
        return False
    end = "low" if at < one["value"] else "high"
    low, high = one[f"{end}_ci_low"], one[f"{end}_ci_high"]
    return low is not None and (low > 0 or high < 0)


def _turning(metric: str, turning: list[dict[str, Any]]) -> Say:
    def say(lang: Lang) -> str:
        if not turning:
            return text(lang, "study.no_turning", metric=metric_title(lang, metric))
        where = text(lang, "diff.between").join(
            text(
                lang,
                "study.turning_at",
                title=parameter_title(lang, one["key"]),
                key=one["key"],
                at=number_text(one["changes_sign_at"], 0 if abs(one["changes_sign_at"]) >= WHOLE_FROM else 1),
                value=one["value"],
            )
            for one in turning
        )
        return text(lang, "study.turning", metric=metric_title(lang, metric), where=where)

    return say


def _together(content: Content) -> list[Say]:
    """How often the difference keeps its sign while all assumptions vary at once."""
    signs = (content.summary["sensitivity"] or {"morris_signs": []})["morris_signs"]
    return [partial(_signs, one) for one in signs]


def _signs(one: dict[str, Any], lang: Lang) -> str:
    return text(
        lang,
        "study.morris_signs",
        metric=metric_title(lang, one["metric"]),
        same=one["num_same_sign"],
        num=one["num_points"],
    )


def _checks(content: Content, lang: Lang) -> str:
    checks = content.summary["checks"]
    if checks["luck_is_equal"] and not checks["violations"]:
        return text(lang, "study.checks_hold")
    broken = ", ".join(f"{name}: {num}" for name, num in checks["violations"].items()) or "–"
    return text(lang, "study.checks_broken", broken=broken)


def _sources(content: Content, lang: Lang) -> str:
    sources = list(content.scenario.sources.values())
    assumed = sum(1 for source in sources if source.startswith("assumption"))
    fitted = sum(1 for source in sources if source.startswith("calibrated"))
    rest = len(sources) - assumed - fitted
    return text(lang, "study.sources", num=len(sources), assumed=assumed, fitted=fitted, rest=rest)
