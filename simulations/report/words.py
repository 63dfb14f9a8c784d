"""How a study's figures are written and said, in both languages, from its `summary.json`.

Values are written in the units people use (yuan, per cent, minutes); a difference carries its sign; what is unknown is a dash.
"""

from collections.abc import Mapping
from typing import Any, Literal

from rules.text import Lang, text
from simulations.study.metrics import PRIMARY

Way = Literal["up", "down", "flat", "one"]
DASH = "–"
FEN_PER_YUAN = 100
# Decimals by unit, in the unit people read.
_DECIMALS = {
    "fen": 2,
    "share": 2,
    "minutes": 2,
    "hours": 2,
    "points": 2,
    "per_100_km": 2,
    "orders": 2,
    "kmh": 2,
    "index": 4,
    "times": 2,
    "per_1000_days": 2,
}
_SCALE = {"fen": 1 / FEN_PER_YUAN, "share": 100.0}

Summary = Mapping[str, Any]


def number_text(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with grouped digits and a true minus; a rounded zero has no sign."""
    written = f"{abs(value):,.{decimals}f}"
    if not any(digit in written for digit in "123456789"):
        return written
    if value < 0:
        return f"−{written}"
    return f"+{written}" if signed else written


def value_text(lang: Lang, unit: str, value: float | None, *, signed: bool = False) -> str:
    """Write a value with its unit; a signed share is a difference in percentage points.

    Parameters
    ----------
    lang
        The language.
    unit
        Unit of the metric, as `summary.json` names it.
    value
        In that unit; None where it is not defined.
    signed
        Whether a plus sign stands before positive values.

    Returns
    -------
    str
        The value in words; a dash for None.
    """
    if value is None:
        return DASH
    number = number_text(value * _SCALE.get(unit, 1.0), _DECIMALS[unit], signed=signed)
    if unit == "share" and signed:
        return text(lang, "study.in_percentage_points", number=number)
    return text(lang, f"study.in_{unit}", number=number)


def percent_text(lang: Lang, share: float | None, *, signed: bool = True, decimals: int = 1) -> str:
    """A share or a relative change as per cent."""
    if share is None:
        return DASH
    return text(lang, "study.in_share", number=number_text(share * 100, decimals, signed=signed))


def interval_text(lang: Lang, unit: str, low: float | None, high: float | None) -> str:
    """Write the ends of an interval of a difference, the unit once.

    Parameters
    ----------
    lang
        The language.
    unit
        Unit of the metric, as `summary.json` names it.
    low, high
        The ends, in that unit; None where there is no interval.

    Returns
    -------
    str
        Both ends with signs; a dash where there is no interval.
    """
    if low is None or high is None:
        return DASH
    scale, decimals = _SCALE.get(unit, 1.0), _DECIMALS[unit]
    ends = _from_to(lang, *(number_text(end * scale, decimals, signed=True) for end in (low, high)))
    return _difference(lang, unit, ends)


def size_text(lang: Lang, unit: str, size: float, reach: float | None = None) -> str:
    """The size of a difference, the half-width of its interval behind it."""
    scale, decimals = _SCALE.get(unit, 1.0), _DECIMALS[unit]
    return _difference(
        lang, unit, " ± ".join(number_text(one * scale, decimals) for one in (size, reach) if one is not None)
    )


def _difference(lang: Lang, unit: str, number: str) -> str:
    return text(lang, "study.in_percentage_points" if unit == "share" else f"study.in_{unit}", number=number)


def relative_text(lang: Lang, low: float | None, high: float | None, *, signed: bool = True) -> str:
    """The ends of an interval of a share or a relative change."""
    if low is None or high is None:
        return DASH
    ends = _from_to(lang, *(number_text(end * 100, 1, signed=signed) for end in (low, high)))
    return text(lang, "study.in_share", number=ends)


def _from_to(lang: Lang, low: str, high: str) -> str:
    return text(lang, "study.from_to", low=low, high=high)


def metric_title(lang: Lang, metric: str) -> str:
    """Say what a metric is called.

    Parameters
    ----------
    lang
        The language.
    metric
        Name of the metric in `summary.json`.

    Returns
    -------
    str
        Its title.
    """
    return text(lang, f"study.metric_{metric}")


def way_of(one: Summary) -> Way:
    """Which way a difference goes, as far as its interval can tell."""
    if one["ci_low"] is None:
        return "one"
    if one["ci_low"] > 0:
        return "up"
    return "down" if one["ci_high"] < 0 else "flat"


def metric_sentence(lang: Lang, metric: str, one: Summary) -> str:
    """One primary metric's difference in a sentence, with its interval."""
    unit, way = one["unit"], way_of(one)
    return text(
        lang,
        f"study.say_{metric}" if way in ("up", "down") else f"study.say_{way}",
        metric=metric_title(lang, metric),
        way=text(lang, f"study.way_{metric}_{way}") if way in ("up", "down") else "",
        size=value_text(lang, unit, abs(one["difference"]))
        if unit != "share"
        else _points(lang, abs(one["difference"])),
        difference=value_text(lang, unit, one["difference"], signed=True),
        relative=percent_text(lang, one["relative"]),
        interval=interval_text(lang, unit, one["ci_low"], one["ci_high"]),
        relative_interval=relative_text(lang, one["relative_low"], one["relative_high"]),
        a=value_text(lang, unit, one["mean_a"]),
        b=value_text(lang, unit, one["mean_b"]),
        num_seeds=one["num_seeds"],
    )


def headline(summary: Summary, lang: Lang) -> str:
    """Write the answer: a sentence for each primary metric.

    Parameters
    ----------
    summary
        `summary.json` of the study.
    lang
        The language.

    Returns
    -------
    str
        One line a metric.
    """
    return "\n".join(
        metric_sentence(lang, name, summary["metrics"][name]) for name in PRIMARY if name in summary["metrics"]
    )


def question(titles: tuple[Mapping[str, str], Mapping[str, str]], scenario: Mapping[str, str], lang: Lang) -> str:
    """What the study asks."""
    return text(lang, "study.question", a=titles[0][lang], b=titles[1][lang], scenario=scenario[lang])


def _points(lang: Lang, share: float) -> str:
    return text(lang, "study.in_percentage_points", number=number_text(share * 100, _DECIMALS["share"]))
