"""The law beside each rule: every clause that a rule touches is shown, with its words in both languages."""

from rules.check import check
from rules.clauses import clauses_for
from rules.shelf import shipped, versions
from rules.standard import CLAUSES
from rules.text import LANGS, text


def test_every_clause_has_its_words() -> None:
    """Title and text, in Chinese and English."""
    for clause in CLAUSES:
        for lang in LANGS:
            assert text(lang, f"clause.{clause.name}")
            assert len(text(lang, f"law.{clause.name}")) > 10


def test_a_deduction_for_lateness_stands_beside_the_ban_on_fines() -> None:
    """The row and the place in the document are named; an award has no such clause."""
    model = versions("taobao-crowdsourced")[0].model

    found = {(each.name, each.clause) for each in clauses_for(model) if each.part == "rule"}

    assert {("late_5", "no_fines"), ("late_5", "merchant_slow"), ("late_5", "appeal")} <= found
    assert not any(name == "on_time" for name, _ in found)
    assert next(each.pointer for each in clauses_for(model) if each.name == "late_5") == "/rule/1"


def test_a_rule_that_breaks_a_clause_stands_beside_it() -> None:
    """Whatever the checks of the standard find in a rule of a shipped book, the page shows the clause there."""
    for book_id in shipped():
        one = versions(book_id)[-1]
        beside = {(each.name, each.clause) for each in clauses_for(one.model)}
        for fault in check([one]):
            if fault.code.startswith("clause_") and fault.rule:
                assert (fault.rule, fault.code.removeprefix("clause_")) in beside
