"""The report: it stands alone, says the same in both languages, and what it says follows from the figures."""

import re
from itertools import pairwise

import pytest
from markupsafe import escape

from rules.text import LANGS, Lang, text
from simulations.report.content import group_table, in_two_lines, late_rows, morris_rows, part_rows
from simulations.report.page import StudyReport, report
from simulations.report.words import headline, interval_text, number_text, value_text, way_of
from simulations.study.metrics import PRIMARY
from tests.simulations.report.contents import content

pytestmark = pytest.mark.slow

CHARTS = (
    "decomposition", "income_distribution", "income_by_group", "income_by_band", "late_minutes", "risk_index",
    "paired_differences", "after_the_switch", "tornado", "tornado_risk",
)  # fmt: skip


@pytest.fixture(scope="module")
def made() -> StudyReport:
    """The report of 20 seeds."""
    return report(content())


def test_the_page_fetches_nothing(made: StudyReport) -> None:
    """No address but the names of SVG; no script, style or picture from elsewhere."""
    addresses = set(re.findall(r"https?://[^\"'\s<)]+", made.html))

    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(?:link|img|iframe)\b|\bsrc=|@import", made.html)


def test_every_chart_is_there_in_both_languages(made: StudyReport) -> None:
    """On the page and as a file, its text in the language it says."""
    assert set(made.charts) == {f"{name}.{lang}.svg" for name in CHARTS for lang in LANGS}
    for name in CHARTS:
        assert made.html.count(f'aria-label="{escape(text("en", f"study.chart_{name}"))}"') == 1
    assert "旧规则" in made.charts["income_distribution.zh.svg"]
    assert "old book" in made.charts["income_distribution.en.svg"]


def test_ids_of_charts_do_not_meet(made: StudyReport) -> None:
    """One page holds many charts: every id stands once."""
    ids = re.findall(r'\bid="([^"]+)"', made.html)

    assert len(ids) == len(set(ids))


def test_nothing_unsaid_shows(made: StudyReport) -> None:
    """No None, no nan, no unfilled placeholder on the page."""
    seen = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", made.html, flags=re.DOTALL)
    words = re.sub(r"<[^>]+>", " ", seen)

    assert not re.search(r"\bNone\b|\bnan\b|\{[a-z_]+\}", words)


def test_the_page_holds_what_a_reader_must_find(made: StudyReport) -> None:
    """Question, command, digests, every assumption with its source, limits, rules in words."""
    one = content()

    assert "riderscore simulate ordinary-week --books legacy-fine,taobao-crowdsourced --seeds 20" in made.html
    assert "--set &#39;riders=12&#39;" in made.html
    assert one.document["scenario"]["digest"] in made.html
    assert all(key in made.html for key in one.scenario.sources)
    assert text("zh", "study.limit_risk") in made.html
    assert text("en", "study.limit_risk") in made.html


@pytest.mark.parametrize("lang", LANGS)
def test_the_headline_follows_the_interval(lang: Lang) -> None:
    """More where the interval lies above zero, no difference where it holds zero, no verdict on one seed."""
    summary = content().summary
    flat = {**summary["metrics"][PRIMARY[0]], "ci_low": -5.0, "ci_high": 9.0}

    told = headline(summary, lang)

    assert len(told.splitlines()) == len(PRIMARY)
    assert text(lang, "study.way_income_per_day_fen_up") in told.splitlines()[0]
    assert way_of(flat) == "flat"
    assert "20" in headline({"metrics": {PRIMARY[0]: flat}}, lang)
    assert way_of({**flat, "ci_low": None, "ci_high": None}) == "one"


def test_one_seed_makes_a_report_without_intervals() -> None:
    """Nothing fails where there is no spread, and the page says so."""
    made = report(content("en", 1))

    assert text("en", "study.pairing_unknown") in made.html


def test_the_waterfall_ends_where_the_total_stands() -> None:
    """Each part begins where the last one ended; the total begins at zero and ends there too."""
    *parts, total = part_rows(content(), "en")

    assert all(a["to"] == pytest.approx(b["from"]) for a, b in pairwise(parts))
    assert total["from"] == 0.0
    assert parts[-1]["to"] == pytest.approx(total["to"])


def test_late_minutes_are_of_a_thousand_orders() -> None:
    """The bars of one book add up to its late share."""
    rows = late_rows(content())
    bins = content().late_bins["a"]

    assert sum(row["a"] for row in rows) == pytest.approx(1_000 * bins[31:].sum() / bins.sum())


def test_figures_are_written_as_people_write_them() -> None:
    """Grouped digits, a true minus, no sign on zero; the unit once in an interval; points for differences of shares."""
    assert number_text(-1234.5, 1) == "−1,234.5"
    assert number_text(-0.001, 2, signed=True) == "0.00"
    assert value_text("en", "fen", 1234.0, signed=True) == "+12.34 yuan"
    assert value_text("zh", "share", 0.0123, signed=True) == "+1.23 个百分点"
    assert value_text("en", "share", 0.9123) == "91.23 %"
    assert value_text("en", "fen", None) == "–"
    assert interval_text("en", "fen", -100.0, 250.0) == "−1.00 to +2.50 yuan"
    assert in_two_lines("Cost of a minute that makes riders hurry") == "Cost of a minute that|makes riders hurry"


def test_effects_of_morris_stand_in_the_units_of_their_metric(made: StudyReport) -> None:
    """The largest of each metric with interval, spread and direction; the rest is left to the table beside the page."""
    rows = morris_rows(content(), "en")

    assert [sum(row["metric"] == text("en", f"study.metric_{name}") for row in rows) for name in PRIMARY] == [6] * 4
    assert (rows[0]["size"], rows[0]["spread"], rows[0]["way"]) == ("2.00 ± 1.00 yuan", "0.50 yuan", "↑")
    assert (rows[6]["size"], rows[7]["way"]) == ("2.00 ± 1.00 percentage points", "↓")
    assert rows[6]["title"] in made.html
    assert made.html.count("at 81 of 90 combinations") == len(PRIMARY)


def test_groups_show_every_primary_metric(made: StudyReport) -> None:
    """A row for each group of riders: four differences with their intervals."""
    rows = group_table(content(), "en")

    assert len(rows) == 8
    assert {len(row["cells"]) for row in rows} == {len(PRIMARY)}
    assert rows[0]["cells"][0]["value"] in made.html
    assert "yuan" in rows[0]["cells"][0]["interval"]


def test_only_what_excludes_zero_is_bold(made: StudyReport) -> None:
    """A difference of nothing is plain, one whose interval lies beyond zero is not."""
    assert "<td>0.00 km/h</td>" in made.html
    assert "<td><b>0.00 km/h</b></td>" not in made.html
    assert re.search(r"<td><b>\+4\.\d\d yuan</b></td>", made.html)


def test_only_a_clear_turn_of_sign_is_told(made: StudyReport) -> None:
    """One parameter turns income with an interval beyond zero: it is named, for income alone."""
    told = text("en", "study.turning", metric=text("en", "study.metric_income_per_day_fen"), where="").partition(
        " at "
    )[0]

    assert str(escape(told)) in made.html
    assert made.html.count(str(escape(text("en", "study.key_rush_permille")))) >= 1
    assert made.html.count("clearly changes sign") == 1
