"""An event tried in the editor: the form read, the outcome in words."""

import pytest

from api.web.trying import TRIED_KINDS, asked, kinds, told_trial
from rules.shelf import versions
from rules.text import LANGS, Lang
from scoring.trial import trial

BOOK = versions("gbt-46862-reference")[0]


@pytest.mark.parametrize("lang", LANGS)
def test_the_rule_that_fires_is_told_with_its_conditions(lang: Lang) -> None:
    """12 minutes late: one rule fires, one behind it does not, and the score is what the book says."""
    form = asked({"kind": "delivered", "late_min": "12"}, lang)
    assert form.given is not None

    told = told_trial(trial(BOOK, form.kind, form.given), lang)

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
    form = asked({"kind": "delivered", key: written}, "zh")
    faulty = [question.key for question in (*form.first, *form.more) if question.fault]

    if key == "level":
        assert form.given is not None
    else:
        assert form.given is None
        assert faulty == [key]


def test_reports_are_named_in_words() -> None:
    """商家慢 by its name exempts."""
    form = asked({"kind": "delivered", "late_min": "12", "reports": "出餐慢"}, "zh")
    assert form.given is not None

    assert told_trial(trial(BOOK, "delivered", form.given), "zh").fired == ("on_time",)


def test_nothing_is_tried_before_somebody_asks() -> None:
    """An empty form gives no event; corrections, appeals and courses are no events to try."""
    assert asked({}, "zh").given is None
    assert asked({"kind": "correction"}, "zh").given is None
    assert [kind for kind, _ in kinds("zh")] == list(TRIED_KINDS)
