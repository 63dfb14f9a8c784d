"""The charts of a study as SVG text, drawn beforehand so that the page needs no script and no network.

Plain rows in, Vega-Lite through Altair, SVG out. Text stays text: the reader's own fonts show it, Chinese included.
"""

import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from rules.text import Lang, text

Rows = list[dict[str, Any]]

OLD, NEW, GAIN, LOSS, INK, FAINT = "#9aa1ab", "#0f766e", "#0f766e", "#b45309", "#1f2933", "#e3e7ec"
WIDTH = 360
# Stands in a label where a new line begins.
LINE = "|"
_LINES = f"split(datum.label, '{LINE}')"
FONT = "system-ui, 'PingFang SC', 'Noto Sans SC', 'Microsoft YaHei', sans-serif"


def svg_of(chart: alt.TopLevelMixin, name: str) -> str:
    """A chart as SVG that fills its frame; ids are made the chart's own, since one page holds many."""
    drawn = vl_convert.vegalite_to_svg(_dressed(chart).to_dict(validate=False))
    drawn = re.sub(r'\bid="(\w+)"', rf'id="{name}-\1"', drawn)
    drawn = re.sub(r"url\(#(\w+)\)", rf"url(#{name}-\1)", drawn)
    return drawn.replace(' role="graphics-object"', "").replace(' role="graphics-symbol"', "")


def _dressed(chart: Any) -> Any:
    return (
        chart.configure(aria=False, font=FONT, background="transparent", padding={"left": 26, "right": 14, "top": 6, "bottom": 4})
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titleColor=INK, labelColor=INK, gridColor=FAINT,
            domainColor="#9aa1ab", tickColor="#9aa1ab", titlePadding=8, labelLimit=220,
        )
        .configure_axisQuantitative(labelOverlap="greedy", labelFlush=False, labelSeparation=4)
        .configure_legend(labelFontSize=12, title=None, orient="top", symbolSize=120, labelColor=INK, padding=0, offset=6)
        .configure_header(labelFontSize=12, titleFontSize=12)
        .configure_title(fontSize=12, fontWeight="normal", anchor="start", color=INK, offset=4)
    )  # fmt: skip


def _data(rows: Rows) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _books(lang: Lang) -> alt.Scale:
    return alt.Scale(domain=[text(lang, "study.old_book"), text(lang, "study.new_book")], range=[OLD, NEW])


def _zero() -> alt.Chart:
    return alt.Chart(_data([{"zero": 0}])).mark_rule(color=INK, strokeWidth=1).encode(x="zero:Q")


def histogram(lang: Lang, rows: Rows, title: str, counted: str) -> alt.LayerChart:
    """How many riders (or orders) by value, under both books.

    Parameters
    ----------
    rows
        `from`, `to`, `a`, `b`: bins and counts.
    """
    old, new = text(lang, "study.old_book"), text(lang, "study.new_book")
    long = [
        {"from": row["from"], "to": row["to"], "num": row[arm], "book": book}
        for row in rows
        for arm, book in (("a", old), ("b", new))
    ]
    base = alt.Chart(_data(long), width=WIDTH, height=210).encode(
        x=alt.X("from:Q", title=title, axis=alt.Axis(grid=False), scale=alt.Scale(zero=False, nice=False)),
        x2="to:Q",
        y=alt.Y("num:Q", title=counted, stack=None, axis=alt.Axis(tickCount=4)),
        y2=alt.datum(0),
    )
    book = alt.Color("book:N", scale=_books(lang))
    filled = base.transform_filter(alt.datum.book == old).mark_bar(opacity=0.55, binSpacing=0).encode(color=book)
    outlined = (
        base.transform_filter(alt.datum.book == new)
        .mark_bar(filled=False, strokeWidth=1.8, opacity=1, binSpacing=3)
        .encode(color=book)
    )
    return filled + outlined


def waterfall(lang: Lang, rows: Rows, title: str) -> alt.LayerChart:
    """Parts that add up to a total, left to right; a whisker is the 95 % interval of the part.

    Parameters
    ----------
    rows
        `part` (its words), `from`, `to`, `low`, `high`, `kind` (`gain`, `loss`, `total`), `label`.
    """
    del lang
    order = [row["part"] for row in rows]
    axis = alt.Axis(labelAngle=0, labelPadding=6, grid=False, labelExpr=_LINES)
    x = alt.X("part:N", sort=order, title=None, axis=axis)
    scale = alt.Scale(domain=["gain", "loss", "total"], range=[GAIN, LOSS, "#475569"])
    base = alt.Chart(_data(rows), width=WIDTH, height=230).encode(x=x)
    bars = base.mark_bar(size=46).encode(
        y=alt.Y("from:Q", title=title, axis=alt.Axis(tickCount=5)), y2="to:Q",
        color=alt.Color("kind:N", scale=scale, legend=None),
    )  # fmt: skip
    whiskers = base.mark_rule(color=INK, strokeWidth=1.5).encode(y="low:Q", y2="high:Q")
    labels = base.mark_text(dy=-9, fontSize=12, color=INK).encode(y="top:Q", text="label:N")
    zero = alt.Chart(_data([{"zero": 0}])).mark_rule(color=INK, strokeWidth=1).encode(y="zero:Q")
    return bars + whiskers + labels + zero


def dots(rows: Rows, title: str, *, height: int | None = None) -> alt.LayerChart:
    """Differences with intervals, a row each.

    Parameters
    ----------
    rows
        `label`, `value`, `low`, `high`, `kind` (`all` or another: the first stands out).
    """
    order = [row["label"] for row in rows]
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))
    base = alt.Chart(_data(rows), width=WIDTH - 50, height=height or 26 * len(rows) + 10).encode(y=y)
    color = alt.Color("kind:N", scale=alt.Scale(domain=["all", "group"], range=[NEW, "#5b7f95"]), legend=None)
    lines = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=title, axis=alt.Axis(tickCount=5)), x2="high:Q", color=color
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(x="value:Q", color=color)
    return _zero() + lines + points


def strips(panels: Sequence[tuple[str, Rows, dict[str, float]]]) -> alt.VConcatChart:
    """One dot a seed, with mean and interval below; a panel a metric.

    Parameters
    ----------
    panels
        (title, rows with `value` and `up`, mean with `value`, `low`, `high`).
    """
    return alt.vconcat(*(_strip(*panel) for panel in panels), spacing=14)


def _strip(title: str, rows: Rows, mean: dict[str, float]) -> alt.LayerChart:
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    dots_ = (
        alt.Chart(_data(rows), width=WIDTH, height=40, title=title)
        .mark_circle(size=46, opacity=0.55, color=NEW)
        .encode(x=x, y=alt.Y("up:Q", axis=None, scale=alt.Scale(domain=[-1.2, 1.2])))
    )
    drawn: list[Any] = [_zero(), dots_]
    if "low" in mean:
        whole = alt.Chart(_data([{**mean, "up": -0.95}])).encode(y=alt.Y("up:Q", axis=None))
        drawn.append(whole.mark_rule(strokeWidth=3, color=LOSS).encode(x="low:Q", x2="high:Q"))
        drawn.append(
            whole.mark_point(filled=True, shape="diamond", size=110, color=LOSS, opacity=1).encode(x="value:Q")
        )
    return alt.LayerChart(layer=drawn)


def series(lang: Lang, panels: Sequence[tuple[str, Rows]]) -> alt.VConcatChart:
    """Differences by day after the switch with their intervals; a panel a metric.

    Parameters
    ----------
    panels
        (title, rows with `day` from 1, `value`, `low`, `high`).
    """
    return alt.vconcat(*(_series(lang, *panel) for panel in panels), spacing=12)


def _series(lang: Lang, title: str, rows: Rows) -> alt.LayerChart:
    x = alt.X(
        "day:O", title=text(lang, "study.day_after"), axis=alt.Axis(labelAngle=0, grid=False, labelOverlap="greedy")
    )
    base = alt.Chart(_data(rows), width=WIDTH, height=92, title=title).encode(x=x)
    lines = base.mark_line(color=NEW, strokeWidth=2, point=alt.OverlayMarkDef(filled=True, size=46, color=NEW)).encode(
        y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=4))
    )
    zero = alt.Chart(_data([{"zero": 0}])).mark_rule(color=INK, strokeWidth=1).encode(y="zero:Q")
    if any("low" in row for row in rows):
        whiskers = base.mark_rule(color=NEW, strokeWidth=2, opacity=0.45).encode(y="low:Q", y2="high:Q")
        return zero + whiskers + lines
    return zero + lines


def tornado(lang: Lang, rows: Rows, title: str, at: float) -> alt.LayerChart:
    """Differences at the ends of each parameter's range, widest first.

    Parameters
    ----------
    rows
        `label`, `low`, `high` (differences at the ends), `low_value`, `high_value` (words).
    at
        The difference as it is.
    """
    order = [row["label"] for row in rows]
    long = [
        {
            "label": row["label"],
            "x": row[end],
            "from": at,
            "end": text(lang, f"study.end_{end}"),
            "words": row[f"{end}_value"],
        }
        for row in rows
        for end in ("low", "high")
    ]
    y = alt.Y(
        "label:N",
        sort=order,
        title=None,
        axis=alt.Axis(
            grid=False,
            ticks=False,
            domain=False,
            labelPadding=8,
            labelExpr=_LINES,
        ),
    )
    scale = alt.Scale(domain=[text(lang, "study.end_low"), text(lang, "study.end_high")], range=["#94a3b8", NEW])
    bars = (
        alt.Chart(_data(long), width=WIDTH - 120, height=32 * len(rows), title=title)
        .mark_bar(size=15)
        .encode(
            y=y, x=alt.X("from:Q", title=None, axis=alt.Axis(tickCount=5), scale=alt.Scale(zero=False)), x2="x:Q",
            color=alt.Color("end:N", scale=scale, sort=None),
        )
    )  # fmt: skip
    middle = alt.Chart(_data([{"at": at}])).mark_rule(color=INK, strokeWidth=1.5).encode(x="at:Q")
    return bars + _zero().mark_rule(color=LOSS, strokeDash=[4, 3]).encode(x="zero:Q") + middle


def bars(lang: Lang, rows: Rows, title: str) -> alt.LayerChart:
    """Stacked money by band: fees, bonus; a label at the end.

    Parameters
    ----------
    rows
        `label`, `kind` (its words), `value`, `order`; `total` and `note` on one row of each label.
    """
    order = list(dict.fromkeys(row["label"] for row in rows))
    kinds = [text(lang, "study.part_fees"), text(lang, "study.part_bonus")]
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=8))
    base = alt.Chart(_data(rows), width=WIDTH - 100, height=40 * len(order)).encode(y=y)
    stacked = base.mark_bar(size=22).encode(
        x=alt.X("value:Q", title=title, axis=alt.Axis(tickCount=5)), order="order:O",
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=["#5b7f95", "#d97706"]), sort=None),
    )  # fmt: skip
    notes = (
        base.transform_filter("isValid(datum.note)")
        .mark_text(align="left", dx=5, fontSize=11, color=INK)
        .encode(x="total:Q", text="note:N")
    )
    return stacked + notes
