"""Trying one event: the same points as the examples, every row accounted for, a reason for each entry."""

import pytest

from rules.book import ExampleFacts
from rules.events import KINDS
from rules.shelf import shipped, versions
from rules.text import LANGS
from scoring.examples import example_outcomes
from scoring.explain import sentence, tree
from scoring.trial import trial
from tests.builders import book, rule


@pytest.mark.parametrize("book_id", shipped())
def test_a_trial_scores_as_the_examples_do(book_id: str) -> None:
    """Each example of each shipped book, tried as an event, gives what the examples' own run gives."""
    one = versions(book_id)[-1]
    examples = [(rule, example) for rule in one.model.rule for example in rule.example]

    for (row, example), outcome in zip(examples, example_outcomes(one), strict=True):
        tried = trial(one, example.given.kind or row.kind[0], example.given)

        own = [line for line in tried.lines if line.rule_id == row.id]
        assert bool(own) == outcome.fires
        assert sum(line.delta_mp for line in own) == outcome.points_mp
        assert sum(line.money_fen for line in own) == outcome.money_fen
        assert sum(line.delta_mp for line in tried.lines) == outcome.net_points_mp
        assert tried.score_after_mp - tried.score_before_mp == outcome.net_points_mp


@pytest.mark.parametrize("book_id", shipped())
def test_the_row_that_fired_is_the_first_that_holds(book_id: str) -> None:
    """What lights up in the editor is what the kernel entered: in a first-match group the first row that holds."""
    one = versions(book_id)[-1]

    for row in one.model.rule:
        for example in row.example:
            tried = trial(one, example.given.kind or row.kind[0], example.given)
            for group in tried.groups:
                holding = [read.rule_id for read in group.rows if read.holds]
                expected = holding[:1] if group.hit == "first" else holding
                assert [read.rule_id for read in group.rows if read.fired] == expected


def test_every_entry_has_its_reason_in_both_languages() -> None:
    """The sentence and the tree stand beside the row, with the facts that were given."""
    one = versions("gbt-46862-reference")[-1]

    tried = trial(one, "delivered", ExampleFacts(late_min=12, num_delivered=5_000))

    assert len(tried.whys) == len(tried.lines) > 0
    for why in tried.whys:
        for lang in LANGS:
            assert sentence(why, lang)
            assert tree(why, lang).children
    assert tried.facts["late_s"] == 12 * 60
    assert tried.facts["num_delivered"] == 5_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_can_be_tried(kind: str) -> None:
    """A correction or an upheld appeal without its event changes nothing; none ends in an error."""
    tried = trial(versions("gbt-46862-reference")[-1], kind, ExampleFacts())

    assert tried.score_after_mp == tried.score_before_mp + sum(line.delta_mp for line in tried.lines)
    assert bool(tried.facts) == (kind not in ("correction", "appeal_upheld"))


def test_an_event_that_no_row_is_about_changes_nothing() -> None:
    """No entry, no group, the score as it was."""
    tried = trial(book(), "traffic_violation", ExampleFacts(score=64))

    assert (tried.lines, tried.groups) == ((), ())
    assert (tried.score_before_mp, tried.score_after_mp) == (64_000, 64_000)


def test_a_row_shadowed_by_an_earlier_one_holds_but_does_not_fire() -> None:
    """The editor can say why a row that matches has no effect."""
    two = [
        rule("wide", points=-1, when={"late_min": {"over": 0}}),
        rule("narrow", points=-2, when={"late_min": {"over": 5}}),
    ]

    tried = trial(book(rule=two), "delivered", ExampleFacts(late_min=10))

    assert [(row.rule_id, row.holds, row.fired) for row in tried.groups[0].rows] == [
        ("wide", True, True),
        ("narrow", True, False),
    ]
