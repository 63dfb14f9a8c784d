"""An event tried in the editor: the form read, the outcome in words."""

import re
from pathlib import Path

import pytest

import api.endpoints.books
from api.endpoints.books.try_event import TRIED_KINDS, kinds, read_trial_form, trial_in_words
from rules.shelf import versions
from rules.text import LANGS, Lang
from scoring.trial import trial
from tests.builders import book

BOOK = versions("gbt-46862-reference")[0]
TEMPLATES = Path(api.endpoints.books.__file__).parent / "templates"


@pytest.mark.parametrize("lang", LANGS)
def test_the_rule_that_fires_is_told_with_its_conditions(lang: Lang) -> None:
    """12 minutes late: one rule fires, one behind it does not, and the score is what the book says."""
    form = read_trial_form({"kind": "delivered", "late_min": "12"}, lang)
    assert form.given is not None

    told = trial_in_words(trial(BOOK, form.kind, form.given), lang)

    assert told.fired == ("late",)
    assert (told.before, told.after, told.delta_mp) == ("70", "68.3", -1_700)
    assert {rule.rule_id: rule.state for rule in told.rules}["on_time"] == "no"
    assert told.entries[0].children


@pytest.mark.parametrize(
    ("key", "written"),
    [("late_min", "soon"), ("num_delivered", "-4"), ("time_of_day", "noon"), ("reports", "rain"), ("level", "1")],
)
def test_what_cannot_be_tried_is_told_at_its_field(key: str, written: str) -> None:
    """A fact that is none stands with its fault; nothing is tried. A field that is none is not read."""
    form = read_trial_form({"kind": "delivered", key: written}, "zh")
    faulty = [question.key for question in (*form.first, *form.more) if question.fault]

    if key == "level":
        assert form.given is not None
    else:
        assert form.given is None
        assert faulty == [key]


def test_reports_are_named_in_words() -> None:
    """商家慢 by its name exempts."""
    form = read_trial_form({"kind": "delivered", "late_min": "12", "reports": "出餐慢"}, "zh")
    assert form.given is not None

    assert trial_in_words(trial(BOOK, "delivered", form.given), "zh").fired == ("on_time",)


def test_nothing_is_tried_before_somebody_asks() -> None:
    """An empty form gives no event; corrections, appeals and courses are no events to try."""
    assert read_trial_form({}, "zh").given is None
    assert read_trial_form({"kind": "correction"}, "zh").given is None
    assert [kind for kind, _ in kinds("zh")] == list(TRIED_KINDS)


@pytest.mark.parametrize(("lang", "period"), [("zh", "月"), ("en", "until")])
def test_a_count_of_a_month_names_its_month(lang: Lang, period: str) -> None:
    """A rule that counts in a month is told with the month of the event, read or fired."""
    rules = [{**rule, "when": {"nth_in_month": {"from": 2}}} for rule in book().document["rule"][:1]]
    form = read_trial_form({"kind": str(rules[0]["kind"]), "nth_in_month": "1"}, lang)
    assert form.given is not None

    told = trial_in_words(trial(book(rule=rules, cap=[]), form.kind, form.given), lang)

    words = [words for rule in told.rules for _, words in rule.met]
    assert words
    assert all(period in one and "04:00" in one for one in words if "nth" not in one)


def test_what_people_type_runs_in_its_own_direction() -> None:
    """Every field for free text, of one line or many, takes the direction of what is typed."""
    fields = [
        (path.name, tag)
        for path in sorted(TEMPLATES.glob("*.html"))
        for tag in re.findall(r"<(?:input|textarea)\b[^>]*", path.read_text(encoding="utf-8"))
        if not re.search(r'type="(?:hidden|checkbox|radio|date|file|number|password|submit)"', tag)
    ]

    assert [field for field in fields if 'dir="auto"' not in field[1]] == []
    assert len(fields) > 5
