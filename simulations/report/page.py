"""The report as one HTML page in both languages, and its charts as files.

The page stands alone: charts are SVG in it, the switch of language is plain CSS, nothing is fetched. Words come from the
catalogs; a figure is written by `words`, a row made by `content`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from rules.diff import diff
from rules.text import LANGS, Lang, text
from simulations.report import charts
from simulations.report.content import (
    MORRIS_ROWS,
    Content,
    assumption_rows,
    axis_title,
    band_rows,
    day_panels,
    group_rows,
    group_table,
    income_bins,
    late_rows,
    metric_rows,
    moment_rows,
    morris_rows,
    part_rows,
    seed_panels,
    tornado_rows,
)
from simulations.report.findings_words import sentences
from simulations.report.words import (
    interval_text,
    metric_sentence,
    metric_title,
    percent_text,
    question,
    relative_text,
    value_text,
    way_of,
)
from simulations.study.metrics import PRIMARY

TEMPLATES = Path(__file__).parent
INCOME, RISK = PRIMARY[0], PRIMARY[2]


@dataclass(frozen=True, slots=True)
class StudyReport:
    """The page, and each chart as an SVG file by name (`decomposition.zh.svg`)."""

    html: str
    charts: dict[str, str]


def report(content: Content) -> StudyReport:
    """Draw the charts and fill the page.

    Parameters
    ----------
    content
        What the study measured, and how it was made.

    Returns
    -------
    StudyReport
        The page as HTML, and the charts that stand in it.
    """
    drawn = {
        f"{name}.{lang}": charts.svg_of(draw(lang), f"{name}-{lang}")
        for name, draw in _charts(content).items()
        for lang in LANGS
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html")
    html = page.render(
        t=_both,
        each=_each,
        chart=_figure_of(drawn),
        has_chart=lambda name: f"{name}.zh" in drawn,
        lang=content.lang,
        titles=[question(content.titles, _scenario_title(content), lang) for lang in LANGS],
        content=content,
        summary=content.summary,
        document=content.document,
        cards=[_card(content, name) for name in PRIMARY if name in content.summary["metrics"]],
        answer=lambda lang: [
            metric_sentence(lang, name, content.summary["metrics"][name])
            for name in PRIMARY
            if name in content.summary["metrics"]
        ],
        say=sentences(content),
        metric_rows=lambda lang: metric_rows(content, lang),
        group_table=lambda lang: group_table(content, lang),
        primary=[name for name in PRIMARY if name in content.summary["metrics"]],
        moment_rows=lambda lang: moment_rows(content, lang),
        morris_rows=lambda lang: morris_rows(content, lang),
        morris_num=MORRIS_ROWS,
        changes=lambda lang: _changes(content, lang),
        assumptions=assumption_rows(content.scenario),
        metric_title=metric_title,
        value_text=value_text,
        interval_text=interval_text,
        command=_command(content),
    )
    return StudyReport(html, {f"{name}.svg": svg for name, svg in drawn.items()})


def _charts(content: Content) -> dict[str, Callable[[Lang], alt.TopLevelMixin]]:
    found: dict[str, Callable[[Lang], alt.TopLevelMixin]] = {
        "decomposition": lambda lang: charts.waterfall(
            lang, part_rows(content, lang), text(lang, "study.axis_money_per_day")
        ),
        "income_distribution": lambda lang: charts.histogram(
            lang, income_bins(content), text(lang, "study.axis_income"), text(lang, "study.axis_riders")
        ),
        "income_by_group": lambda lang: charts.dots(
            group_rows(content, lang, INCOME), text(lang, "study.axis_money_per_day")
        ),
        "late_minutes": lambda lang: charts.histogram(
            lang, late_rows(content), text(lang, "study.axis_late"), text(lang, "study.axis_per_1000")
        ),
        "risk_index": lambda lang: charts.dots(
            group_rows(content, lang, RISK, relative=True), text(lang, "study.axis_risk")
        ),
        "paired_differences": lambda lang: charts.strips(seed_panels(content, lang)),
        "after_the_switch": lambda lang: charts.series(lang, day_panels(content, lang)),
    }
    if any(band["online"] for band in content.summary["bands"]["b"]):
        found["income_by_band"] = lambda lang: charts.bars(
            lang, band_rows(content, lang), text(lang, "study.axis_money_per_working_day")
        )
    sensitivity = content.summary["sensitivity"]
    if sensitivity is not None and sensitivity["one_at_a_time"]:
        found["tornado"] = lambda lang: _tornado(content, lang, INCOME)
        found["tornado_risk"] = lambda lang: _tornado(content, lang, RISK)
    return found


def _tornado(content: Content, lang: Lang, metric: str) -> alt.TopLevelMixin:
    rows, at = tornado_rows(content, lang, metric)
    return charts.tornado(lang, rows, axis_title(lang, metric, content.summary["metrics"][metric]["unit"]), at)


def _both(key: str, **params: object) -> Markup:
    """One message in both languages; CSS shows one of them."""
    return _each(lambda lang: text(lang, key, **params))


def _each(words: Callable[[Lang], str]) -> Markup:
    spans = [f'<span lang="{lang}">{escape(words(lang))}</span>' for lang in LANGS]
    return Markup("".join(spans))  # noqa: S704 - each part is escaped


def _figure_of(drawn: Mapping[str, str]) -> Callable[[str], Markup]:
    def figure(name: str) -> Markup:
        shown = [
            f'<div class="chart" lang="{lang}" role="img" aria-label="{escape(text(lang, f"study.chart_{name}"))}">'
            f"{drawn[f'{name}.{lang}']}</div>"
            for lang in LANGS
        ]
        return Markup("".join(shown))  # noqa: S704 - drawn here, words escaped by the renderer

    return figure


def _card(content: Content, metric: str) -> dict[str, Any]:
    """A primary metric as a card: words, and positions of the interval in per cent of a ruler centred on zero."""
    one = content.summary["metrics"][metric]
    unit, index = one["unit"], metric == RISK
    names = ("relative", "relative_low", "relative_high") if index else ("difference", "ci_low", "ci_high")
    at, low, high = (one[name] for name in names)
    card: dict[str, Any] = {
        "metric": metric,
        "way": way_of(one),
        "big": {lang: percent_text(lang, at) if index else value_text(lang, unit, at, signed=True) for lang in LANGS},
        "interval": {
            lang: relative_text(lang, low, high) if index else interval_text(lang, unit, low, high) for lang in LANGS
        },
        "means": {
            lang: " → ".join(value_text(lang, unit, one[mean]) for mean in ("mean_a", "mean_b")) for lang in LANGS
        },
    }
    if low is not None:
        reach = max(abs(low), abs(high), 1e-12) * 1.15
        card |= {name: 50 + 50 * value / reach for name, value in (("low", low), ("high", high), ("at", at))}
    return card


def _scenario_title(content: Content) -> dict[str, str]:
    return dict(zip(LANGS, content.scenario.title, strict=True))


def _changes(content: Content, lang: Lang) -> list[str]:
    """The two books' differences in words."""
    old, new = (versions[-1] for versions in content.books)
    return [change.describe(lang) for change in diff(old, new)]


def _command(content: Content) -> str:
    """The command that makes this study again."""
    document = content.document
    books = ",".join(document["books"][side]["reference"] for side in ("a", "b"))
    words = ["riderscore simulate", document["scenario"]["reference"], f"--books {books}"]
    words += [f"--seeds {document['seeds']}", f"--days {document['days']}"]
    if document["first_seed"] != 1:
        words.append(f"--seed {document['first_seed']}")
    words += [f"--set '{setting}'" for setting in document["sets"]]
    words += [f"--sweep '{sweep}'" for sweep in document["sweeps"]]
    if document["orders"] is not None:
        words.append(f"--orders {document['orders']['path']}")
    if document["precision"] is not None:
        words.append(f"--precision {document['precision']}")
    words += [f"--sensitivity {document['sensitivity']}", "--out study"]
    return " ".join(words)
