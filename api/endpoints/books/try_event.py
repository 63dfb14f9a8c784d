"""The form with which an event is tried in the editor, and what a book makes of it, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.endpoints.books.cells import value_of
from api.endpoints.books.columns import Column, column
from api.endpoints.books.editor import line_of, worded
from api.endpoints.books.sheet_writing import label
from api.endpoints.common.formats import money
from rules.book import BookDocument, ExampleFacts
from rules.conditions import UNKNOWN
from rules.events import CONTROL_KINDS, KINDS
from rules.text import Lang, text
from rules.units import points_text
from rules.validation import validated
from scoring.explain import Branch, titled, tree
from scoring.explain_words import condition_words
from scoring.trial import RuleTrial, Trial

# What is asked first, and what stands behind "more facts".
FIRST: Final = ("late_min", "reports", "rider_kind")
MORE: Final = ("tenure_days", "num_delivered", "weather_level", "distance_km", "time_of_day", "nth_in_month", "party",
               "fee_fen", "score")  # fmt: skip
TRIED_KINDS: Final = tuple(kind for kind in KINDS if kind not in CONTROL_KINDS)


@dataclass(frozen=True, slots=True)
class Question:
    """One field of the form."""

    key: str
    label: str
    shown: str
    options: tuple[tuple[str, str], ...]
    fault: str


@dataclass(frozen=True, slots=True)
class TrialForm:
    """The form as it was filled in; `given` is None where something in it is faulty, or nothing was asked."""

    kind: str
    first: tuple[Question, ...]
    more: tuple[Question, ...]
    given: ExampleFacts | None
    is_more_open: bool


@dataclass(frozen=True, slots=True)
class TriedRule:
    """A rule beside the event: fired, held behind another, or not, and its conditions as they were met."""

    rule_id: str
    title: str
    state: str
    met: tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class TrialInWords:
    """What the book makes of the event, in words; `entries` are the trees of what it would write."""

    before: str
    after: str
    delta_mp: int
    money: str
    rules: tuple[TriedRule, ...]
    entries: tuple[Branch, ...]
    fired: tuple[str, ...]


def read_trial_form(fields: Mapping[str, str], lang: Lang) -> TrialForm:
    """Read the form; a field is named by the key of the fact."""
    kind = fields.get("kind", "")
    document: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for key in (*FIRST, *MORE):
        value, code = value_of(_column(key), fields.get(key, ""))
        if code:
            faults[key] = text(lang, f"fault.{code}", key=key, given=fields[key])
        elif value is not None:
            document[key] = value
    given, given_faults = validated(ExampleFacts, document, "")
    faults |= {fault.key.partition(".")[0].partition("[")[0]: line_of(fault, lang) for fault in given_faults}
    is_asked = kind in TRIED_KINDS
    return TrialForm(
        kind=kind if is_asked else "delivered",
        first=tuple(_question(key, fields, faults, lang) for key in FIRST),
        more=tuple(_question(key, fields, faults, lang) for key in MORE),
        given=given if is_asked and not faults else None,
        is_more_open=any(fields.get(key) for key in MORE),
    )


def _column(key: str) -> Column:
    known = column("example", f"given.{key}")
    if known is None:
        raise KeyError(key)
    return known


def _question(key: str, fields: Mapping[str, str], faults: Mapping[str, str], lang: Lang) -> Question:
    fact = _column(key)
    options = tuple((choice, text(lang, f"word.{choice}")) for choice in fact.choices)
    shown = worded(fact, fields.get(key, ""), lang)
    return Question(key, label(fact, lang), shown, options if fact.kind == "choice" else (), faults.get(key, ""))


def kinds(lang: Lang) -> list[tuple[str, str]]:
    """Kinds of events that can be tried."""
    return [(kind, text(lang, f"word.{kind}")) for kind in TRIED_KINDS]


def report_words(lang: Lang) -> list[str]:
    """Reports that can be named."""
    return [text(lang, f"word.{choice}") for choice in _column("reports").choices]


def trial_in_words(trial: Trial, lang: Lang) -> TrialInWords:
    """A trial in words."""
    titles = {rule.id: titled(lang, rule.title) for rule in trial.book.model.rule}
    rows = [row for group in trial.groups for row in group.rows]
    return TrialInWords(
        before=points_text(trial.score_before_mp),
        after=points_text(trial.score_after_mp),
        delta_mp=trial.score_after_mp - trial.score_before_mp,
        money=money(trial.money_fen) if trial.money_fen else "",
        rules=tuple(_rule(row, titles[row.rule_id], trial.at, lang) for row in rows),
        entries=tuple(tree(why, lang) for why in trial.whys),
        fired=tuple(row.rule_id for row in rows if row.fired),
    )


def _rule(row: RuleTrial, title: str, at: tuple[int, BookDocument], lang: Lang) -> TriedRule:
    met = tuple(
        (
            each.value != UNKNOWN and each.condition.holds(each.value),
            condition_words(each.condition, each.value, lang, at),
        )
        for each in row.met
    )
    return TriedRule(row.rule_id, title, "fired" if row.fired else "behind" if row.holds else "no", met)
