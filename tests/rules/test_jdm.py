"""The JDM export against GoRules' own engine."""

import json
from typing import Any

import pytest
import zen
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import shelf
from rules.book import Book
from rules.conditions import FACTS, SET_FACTS, match
from rules.events import KINDS
from rules.jdm import to_jdm
from tests.builders import book_of
from tests.strategies import RULE_KINDS, raw_books

SPAN = {
    "late_s": st.sampled_from((0, 1, 29, 30, 59, 60, 61, 240, 241, 299, 300, 301, 480, 601, 720, 1_200, 5_000)),
    "tenure_days": st.integers(-1, 6),
    "num_delivered": st.integers(0, 7),
    "weather_level": st.integers(0, 5),
    "distance_m": st.sampled_from((-1, 0, 1, 1_000, 1_001, 2_500, 2_501, 3_000, 9_000)),
    "minute_of_day": st.integers(0, 1_439),
    "nth_in_month": st.integers(1, 5),
}


def event_facts() -> st.SearchStrategy[dict[str, int]]:
    """Compiled facts, unknown ones included."""
    sets = {fact: st.integers(-1, len(names) - 1) for fact, names in SET_FACTS.items()}
    return st.fixed_dictionaries(SPAN | sets)


def decision(book: Book) -> Any:
    """The book's export, loaded by the engine."""
    return zen.ZenEngine().create_decision(json.dumps(to_jdm(book)))


def in_words(facts: dict[str, int]) -> dict[str, Any]:
    """Compiled facts as the export takes them: words for codes, null for an unknown one."""
    words = {fact: (*names, None)[facts[fact]] for fact, names in SET_FACTS.items()}
    return facts | words


def evaluate(made: Any, kind: str, facts: dict[str, int], fee_fen: int) -> list[tuple[str, int, int]]:
    """What fires by the engine: (rule id, points mp, money fen)."""
    fired = made.evaluate(in_words(facts) | {"kind": kind, "fee_fen": fee_fen})["result"]["fired"]
    return [(row["rule_id"], row["delta_mp"], row["money_fen"]) for row in fired]


@given(
    raw=raw_books(),
    events=st.lists(
        st.tuples(st.sampled_from(RULE_KINDS), event_facts(), st.integers(0, 2_000)), min_size=10, max_size=40
    ),
)
def test_the_engine_fires_the_same_rules_for_any_book(
    raw: dict[str, Any], events: list[tuple[str, dict[str, int], int]]
) -> None:
    """Same rule ids, points and money, in the same order, for random books and events."""
    book = book_of(raw)
    made = decision(book)

    for kind, facts, fee_fen in events:
        assert evaluate(made, kind, facts, fee_fen) == match(book.model, kind, facts, fee_fen)


@pytest.mark.parametrize("book_id", shelf.shipped())
@settings(max_examples=8)
@given(data=st.data())
def test_the_engine_fires_the_same_rules_for_shipped_books(book_id: str, data: st.DataObject) -> None:
    """Every kind of event, under every book that we ship."""
    book = shelf.versions(book_id)[-1]
    made = decision(book)

    for kind in KINDS:
        facts = data.draw(event_facts())
        assert evaluate(made, kind, facts, 501) == match(book.model, kind, facts, 501)


def test_sliding_scales_truncate_toward_zero_second_by_second() -> None:
    """No second of a slide comes out different by rounding."""
    book = shelf.versions("gbt-46862-reference")[0]
    made = decision(book)
    facts = dict.fromkeys(FACTS, 0) | {"liable": SET_FACTS["liable"].index("rider"), "nth_in_month": 1}

    for late_s in range(1, 950):
        now = facts | {"late_s": late_s}
        assert evaluate(made, "delivered", now, 0) == match(book.model, "delivered", now)


@pytest.mark.parametrize("book_id", sorted({*shelf.shipped()} - {"legacy-fine"}))
def test_cells_name_what_they_ask_for(book_id: str) -> None:
    """A cell about a party or a kind of rider holds words in quotes, `"rider"`, and no code."""
    tables = [
        node["content"] for node in to_jdm(shelf.versions(book_id)[-1])["nodes"] if node["type"] == "decisionTableNode"
    ]
    cells = [(fact, row[fact]) for table in tables for row in table["rules"] for fact in SET_FACTS if row[fact]]

    assert cells
    for fact, cell in cells:
        assert {json.loads(word) for word in cell.split(", ")} <= set(SET_FACTS[fact])


def test_an_unknown_fact_meets_no_word() -> None:
    """Null, and a fact that is left out, fulfil no condition."""
    book = shelf.versions("taobao-crowdsourced")[0]
    facts = in_words(dict.fromkeys(FACTS, 0) | {"late_s": 240, "liable": -1}) | {"kind": "delivered", "fee_fen": 0}

    without = {fact: value for fact, value in facts.items() if fact != "liable"}

    assert facts["liable"] is None
    assert (
        decision(book).evaluate(facts)["result"]["fired"] == decision(book).evaluate(without)["result"]["fired"] == []
    )


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_export_says_what_it_is(lang: str) -> None:
    """The document carries the book's digest and readable titles, and the engine finds nothing wrong with it."""
    book = shelf.versions("taobao-crowdsourced")[0]

    made = to_jdm(book, lang)  # type: ignore[arg-type]
    zen.ZenEngine().create_decision(json.dumps(made)).validate()

    assert made["settings"]["digest"] == book.digest
    assert (book.model.title.zh if lang == "zh" else book.model.title.en) in made["name"]
