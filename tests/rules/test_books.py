"""The shipped books say what domain.md says, and mark what is ours."""

from typing import Any

import pytest

from rules import shelf
from rules.book import Book, Example, ExampleFacts, Rule
from rules.conditions import match, on_time_award_mp, on_time_facts
from rules.events import CANCEL_PARTIES, PARTIES, RIDER_FAULT_KINDS, RIDER_KINDS

BOOKS = [book for book_id in shelf.shipped() for book in shelf.versions(book_id)]
RULES = [pytest.param(book, rule, id=f"{book.id}-{rule.id}") for book in BOOKS for rule in book.model.rule]


def latest(book_id: str) -> Book:
    """The newest version of a shipped book."""
    return shelf.versions(book_id)[-1]


def points_of(book_id: str, late_s: int) -> int:
    """Points (mp) of a delivery late by this much, the rider liable, before caps."""
    facts = on_time_facts("crowdsourced") | {"late_s": late_s, "liable": PARTIES.index("rider" if late_s else "nobody")}
    return sum(points for _, points, _ in match(latest(book_id).model, "delivered", facts))


def liable_party(kind: str, given: ExampleFacts, late_s: int, exempt: bool) -> str:
    """Who answers for an example's event."""
    if kind == "delivered":
        return "rider" if late_s > 0 else "nobody"
    if kind == "cancelled":
        return given.party or "nobody"
    if kind == "undelivered" and exempt:
        return "merchant"
    return "rider" if kind in RIDER_FAULT_KINDS else "platform" if kind == "reassigned_system" else "nobody"


def facts_of(book: Book, kind: str, given: ExampleFacts) -> dict[str, int]:
    """The compiled facts of an example."""
    rows = [
        max(
            (row for row in book.model.report if row.kind == name and row.level_from <= given.weather_level),
            key=lambda row: row.level_from,
            default=None,
        )
        for name in given.reports
    ]
    exempt = any(row is not None and row.exempt for row in rows)
    late_s = given.late_s
    if book.model.lateness == "remaining":
        late_s = 0 if exempt else max(0, late_s - sum((row.gives_back_s or 0) for row in rows if row))
    facts = on_time_facts(given.rider_kind or book.model.rider_kinds[0])
    return facts | {
        "late_s": late_s,
        "weather_level": given.weather_level,
        "num_delivered": given.num_delivered,
        "nth_in_month": given.nth_in_month,
        "party": PARTIES.index(given.party) if given.party else -1,
        "liable": PARTIES.index(liable_party(kind, given, late_s, exempt)),
    }


def holds(book: Book, rule: Rule, example: Example) -> bool:
    """Whether an example's rule fires, or not, with the points and money it expects before caps."""
    kind = example.given.kind or rule.kind[0]
    fired = match(book.model, kind, facts_of(book, kind, example.given), example.given.fee_fen)
    mine = [(points, money) for name, points, money in fired if name == rule.id]
    if not example.expect.fires:
        return not mine
    expected: dict[str, Any] = {"points": example.expect.points_mp, "money": example.expect.money_fen}
    return len(mine) == 1 and all(
        value is None or value == found for value, found in zip(expected.values(), mine[0], strict=True)
    )


@pytest.mark.parametrize(("book", "rule"), RULES)
def test_every_rule_has_an_example_that_holds(book: Book, rule: Rule) -> None:
    """What a shipped rule's examples promise is what its conditions and points give."""
    wrong = [example for example in rule.example if not holds(book, rule, example)]

    assert rule.example
    assert wrong == []


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: f"{book.id}-{book.model.effective_from}")
def test_every_part_says_how_sure_it_is(book: Book) -> None:
    """A number has a published source, or is marked as ours; what is only partly published has a note."""
    model = book.model
    parts = [*model.rule, *model.cap, *model.tier, *model.report, model.score]

    assert model.source
    assert all(part.source and part.confidence for part in parts)
    assert all(
        part.source.startswith("ours") == (part.confidence == "ours")
        for part in model.rule
        if part.source and part.source == "ours"
    )


@pytest.mark.parametrize(
    ("book_id", "late_s", "points_mp"),
    [
        ("taobao-crowdsourced", 0, 200),
        ("taobao-crowdsourced", 1, -1_000),
        ("taobao-crowdsourced", 300, -1_000),
        ("taobao-crowdsourced", 301, -2_000),
        ("taobao-crowdsourced", 86_400, -2_000),
        ("taobao-dedicated", 300, -1_000),
        ("taobao-dedicated", 301, -2_000),
        ("meituan-anzhun", 0, 100),
        ("meituan-anzhun", 1, -3_000),
        ("meituan-anzhun", 3_600, -6_000),
        ("legacy-fine", 1_000, 0),
        ("gbt-46862-reference", 0, 200),
        ("gbt-46862-reference", 1, -3),
        ("gbt-46862-reference", 540, -1_400),
        ("gbt-46862-reference", 600, -1_500),
        ("gbt-46862-reference", 3_600, -2_000),
    ],
)
def test_published_points(book_id: str, late_s: int, points_mp: int) -> None:
    """Points by lateness are those of domain.md; bands include their upper limit."""
    assert points_of(book_id, late_s) == points_mp


@pytest.mark.parametrize(
    ("late_s", "money_fen"),
    [(0, 0), (1, -200), (360, -200), (361, -251), (720, -251), (721, -301), (1_080, -301), (1_081, -351)],
)
def test_the_legacy_fine_takes_shares_of_the_fee(late_s: int, money_fen: int) -> None:
    """40, 50, 60 and 70 % of a fee of 5.02 yuan, rounded down, whoever is liable."""
    book = latest("legacy-fine")
    facts = on_time_facts("crowdsourced") | {"late_s": late_s, "liable": PARTIES.index("merchant")}

    fired = match(book.model, "delivered", facts, 502)

    assert sum(money for _, _, money in fired) == money_fen
    assert (book.model.regime, book.model.lateness) == ("legacy", "gross")


def test_only_the_legacy_fine_is_of_the_old_regime() -> None:
    """Every other book is a score that counts what remains of lateness."""
    others = {(book.model.regime, book.model.lateness) for book in BOOKS if book.id != "legacy-fine"}

    assert others == {("score", "remaining")}


def test_the_bases_are_the_published_ones() -> None:
    """70 at Taobao Flash, 12 on Meituan's card; the fine's score stands still at 70."""
    bases = {book.id: book.model.score.base_mp // 1_000 for book in BOOKS}

    assert bases["taobao-crowdsourced"] == bases["taobao-dedicated"] == bases["legacy-fine"] == 70
    assert bases["meituan-anzhun"] == 12


def test_above_75_earns_an_extra_reward() -> None:
    """75 itself does not; 75.001 does."""
    reward = latest("taobao-crowdsourced").model.tier[-1]

    assert reward.min_mp == 75_001
    assert reward.bonus_fen > 0


def test_our_own_protections_are_in_the_reference_alone() -> None:
    """Platform books hold what is published; newcomers, fading, cost limit and the offer floor are ours."""
    with_them = {
        book.id
        for book in BOOKS
        if any((book.model.newcomer, book.model.fading, book.model.cost_limit, book.model.offers))
    }
    reference = latest("gbt-46862-reference").model

    assert with_them == {"gbt-46862-reference"}
    assert all((reference.newcomer, reference.fading, reference.cost_limit, reference.offers, reference.appeal))


@pytest.mark.parametrize("party", CANCEL_PARTIES)
def test_the_reference_never_takes_points_for_what_others_did(party: str) -> None:
    """A cancellation costs the rider points only where the rider cancelled."""
    facts = on_time_facts("crowdsourced") | {"party": PARTIES.index(party), "liable": PARTIES.index(party)}

    fired = match(latest("gbt-46862-reference").model, "cancelled", facts)

    assert sum(points for _, points, _ in fired) == (-500 if party == "rider" else 0)


@pytest.mark.parametrize("kind", RIDER_KINDS)
def test_every_score_can_be_won_back(kind: str) -> None:
    """Each book with points off awards something for an ordinary on-time order."""
    awards = {book.id: on_time_award_mp(book.model, kind) for book in BOOKS if book.model.regime == "score"}

    assert min(awards.values()) > 0
