"""Explanations agree with the ledger to the milli-point, and read as a rider would want them to."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.conditions import UNKNOWN, match
from rules.shelf import versions
from rules.text import LANGS, catalog
from rules.units import shown_change, tenths_of
from scoring.because import Because, because, lines_of
from scoring.book_words import public_text
from scoring.explain import card, card_lines, last_of, riders_tree, sentence, tree
from scoring.explain_facts import known_events
from scoring.explain_words import span_words
from scoring.ledger import entries_table, riders_table
from tests.builders import (
    DAY_US,
    HOUR_US,
    NOON_US,
    appeal_upheld,
    book,
    correction,
    delivered,
    event,
    rule,
    slow_merchant,
)
from tests.scoring.explanations import Events, explained, texts
from tests.scoring.readings import engine, table_of
from tests.strategies import books, histories

GBT = versions("gbt-46862-reference")
TAOBAO = versions("taobao-crowdsourced")
LEGACY = versions("legacy-fine")


def said(rule_books: Sequence[Book], events: Events, lang: Any = "en", *, with_inputs: bool = True) -> list[str]:
    """The sentence of every entry."""
    return [sentence(why, lang) for why in explained(rule_books, events, with_inputs=with_inputs)]


def card_of(rule_books: Sequence[Book], events: Events, lang: Any = "en") -> list[str]:
    """The card of the only rider."""
    scored = engine(rule_books).run(events)
    whys = explained(rule_books, events)
    last = last_of([why.line for why in whys])
    (rider,) = riders_table(scored).to_pylist()
    told = next((why for why in whys if why.line == last), None)
    return list(card_lines(card(rider, {one.digest: one for one in rule_books}, told), lang))


@given(books(), histories(controls=True))
def test_the_tree_says_what_the_ledger_says(versions: list[Book], events: Events) -> None:
    """For random books and histories the plain reading of the facts gives each entry's rule, points and money."""
    run = engine(versions)
    scored = run.run(events)
    by_digest = {one.digest: one for one in versions}
    entries = entries_table(scored, scored.until_us)

    for rider in scored.prepared.riders.to_pylist():
        lines = [line for line in lines_of(entries) if line.rider_id == rider]
        own = [one for one in events if one["rider_id"] == rider]
        known = known_events(run.program, run.schedule, table_of(own), is_whole=True)
        for line in lines:
            why = because(line, lines, by_digest, known)
            assert why.steps[-1].score_after_mp - why.steps[0].score_before_mp == sum(
                step.delta_mp for step in why.steps
            )
            for lang in LANGS:
                assert sentence(why, lang)
                assert tree(why, lang).children
            if line.kind in ("award", "deduct") and why.rule is not None:
                assert_agrees(why, fee_fen=known.rows[known.row_of[line.event_id]]["fee_fen"])


def assert_agrees(why: Because, fee_fen: int | None) -> None:
    """The rule fires by the plain reading and gives what the entry states; its parts add up."""
    line = why.line
    assert why.agrees is not False
    if not why.facts or why.later:
        return
    assert why.rule is not None
    assert why.event_kind is not None
    fired = {
        fired_id: (points, money)
        for fired_id, points, money in match(why.book.model, why.event_kind, why.facts, fee_fen or 0)
    }
    assert fired[line.rule_id] == (line.delta_mp, line.money_fen) == (why.rule.points_mp, why.rule.money_fen)
    assert all(met.condition.holds(met.value) for met in why.rule.met)
    if why.lateness is not None:
        claimed = sum(given.seconds for given in why.lateness.given_back)
        assert why.lateness.given_back_s <= claimed
        assert why.lateness.remaining_s == line.late_s - line.time_given_back_s


def test_a_late_order_says_how_late_and_what_it_cost() -> None:
    """The example of the brief: 4 minutes late costs 1 point."""
    events = [delivered(late_min=4)]

    assert said(TAOBAO, events, "zh") == ["订单 order-e1 晚到 4 分钟，扣 1 分（70 → 69）。"]
    assert said(TAOBAO, events) == ["You delivered order order-e1 4 min late: 1 point off (70 → 69)."]


def test_an_order_on_time_says_so() -> None:
    """An award is told, too."""
    assert said(TAOBAO, [delivered()], "zh") == ["订单 order-e1 准时送达，加 0.2 分（70 → 70.2）。"]


def test_a_slow_merchant_is_named_in_all_orders_it_held_up() -> None:
    """Merchant 12 minutes slow: the order itself and the two others in the bag are not the rider's doing."""
    events = [slow_merchant("a", wait_min=12, late_min=8), delivered("b", at_min=2, late_min=9)]
    events.append(delivered("c", at_min=4, late_min=12))

    reasons = explained(TAOBAO, events)

    assert all("商家出餐慢" in sentence(why, "zh") for why in reasons)
    waits = [wait for why in reasons if why.lateness for given in why.lateness.given_back for wait in given.waits]
    assert [(wait.order_id, wait.own, wait.gained_us // 60_000_000) for wait in waits] == [
        ("order-a", True, 12),
        ("order-a", False, 12),
        ("order-a", False, 12),
    ]


def test_a_cause_that_is_measured_and_reported_is_named_once() -> None:
    """A slow merchant who is also reported as slow is one cause."""
    (told,) = said(TAOBAO, [slow_merchant("a", wait_min=12, late_min=8, reports="merchant_slow")], "zh")

    assert told.count("出餐慢") == 1


def test_a_tree_names_deadline_waits_rule_source_and_score() -> None:
    """Everything that the entry follows from is in the tree."""
    events = [slow_merchant("a", wait_min=12, late_min=8), delivered("c", at_min=4, late_min=20)]

    told = "\n".join(texts(tree(explained(TAOBAO, events)[-1], "en")))

    for part in (
        "late by 20 min",
        "assessed against 12-10 11:44:00, delivered 12-10 12:04:00",
        "waiting for another order in hand, order-a, 11:38:00–11:50:00: 12 min",
        "8 min remain and count",
        'rule "Late by more than 5 minutes" (late_over_5)',
        "lateness that counts: 8 min (condition: more than 5 min)",
        "source: 电商报Pro 2025-12-01 (published, one source)",
        "score 70.2 → 68.2",
    ):
        assert part in told


def test_what_is_ours_is_said_once_and_in_words() -> None:
    """A rule that names no source but us says so in the reader's language alone."""
    why = explained(GBT, [delivered("a")])[-1]

    assert "出处：我们所设，未公布" in list(texts(tree(why, "zh")))
    assert "source: ours, not published" in list(texts(tree(why, "en")))


def test_weather_extensions_and_exemptions_are_told_apart() -> None:
    """What gave time back is named with its kind: measured, extended, reported, exempt."""
    rain = delivered("w", late_min=18, reports="severe_weather", level=2)
    storm = delivered("s", at_min=10, late_min=18, reports="severe_weather", level=3)
    lights = delivered("l", at_min=20, late_min=18)
    extension = event("deadline_extended", "x", at_min=19, order_id="order-l", cause="red_light", extend_s=240)

    trees = ["\n".join(texts(tree(why, "en"))) for why in explained(GBT, [rain, storm, lights, extension])]

    assert "bad weather: 10 min given back (force majeure), as the book says of the report" in trees[0]
    assert "a verified report exempts: severe weather" in trees[1]
    assert "red lights: 4 min given back (force majeure), the deadline was extended" in trees[-1]


def test_a_deduction_that_was_capped_says_what_it_cost_in_all() -> None:
    """The rider who reads only the deduction is not misled."""
    events = [delivered(f"x{n}", at_min=10 * n, late_min=30, rider_joined_us=NOON_US - 90 * DAY_US) for n in range(4)]

    told = said(GBT, events)

    assert told[2].endswith("After limits and protections: 1 point off in all (66 → 65).")
    assert told[3].startswith("Never more than 5 points a day: what order order-x2 took off beyond that is given back")
    assert told[4].endswith("After limits and protections nothing was taken off (65).")


def test_a_deduction_at_the_floor_says_what_it_cost_in_all() -> None:
    """Nobody who stands at the floor reads that the score is below it."""
    events = [delivered(f"x{n}", at_min=10 * n, late_min=9) for n in range(2)]

    first, _, second, _ = said([book(score={"base": 70, "floor": 69, "ceiling": 100})], events)

    assert first.endswith("(70 → 68). After limits and protections: 1 point off in all (70 → 69).")
    assert second.endswith("(69 → 67). After limits and protections nothing was taken off (69).")


def test_an_award_at_the_ceiling_says_what_it_added_in_all() -> None:
    """Nobody who stands at the highest score reads that it is above it."""
    events = [delivered(f"x{n}", at_min=10 * n) for n in range(2)]

    first, _, second, _ = said([book(score={"base": 70, "floor": 0, "ceiling": Decimal("70.05")})], events)

    assert first.endswith("After limits: 0.1 points added in all (70 → 70.1).")
    assert second.endswith("You are at the limit, so nothing was added (70.1).")


def test_a_newcomer_is_told_of_the_protection() -> None:
    """Nothing is taken in the first 30 days, and the entry that gives it back says why."""
    told = said(GBT, [delivered(late_min=30, rider_joined_us=NOON_US - 3 * DAY_US)], "zh")

    assert told[1] == "您还在新手保护期，订单 order-e1 扣的分全部退回：加回 2 分（68 → 70）。"


def test_an_upheld_appeal_is_told_from_both_sides() -> None:
    """The reversal and the re-entry name the appeal; the first entry knows what became of it."""
    late = delivered("d", late_min=6)

    first, reverse, again = explained([book()], [late, appeal_upheld("ap", late)])

    assert sentence(reverse, "en") == (
        "Your appeal was upheld, so the earlier entry for order order-d is taken back (68 → 70)."
    )
    assert sentence(again, "en") == "Your appeal was upheld, so order order-d no longer takes anything off (70)."
    assert [line.seq for line in first.later] == [2]
    assert reverse.undone is not None
    assert reverse.undone.line == first.line


def test_a_correction_is_told_with_the_facts_of_its_time() -> None:
    """The first entry is explained by the facts as they first came, the second by the corrected ones."""
    late = delivered("e", late_min=3)
    fixed = correction("k", late, assess_deadline_us=NOON_US + HOUR_US, promised_us=NOON_US + HOUR_US)

    first, reverse, again = explained([book()], [late, fixed])

    assert first.lateness is not None
    assert again.lateness is not None
    assert (first.lateness.late_s, again.lateness.late_s) == (180, 0)
    assert sentence(reverse, "en").startswith("The record of order order-e was corrected")
    assert sentence(again, "en").startswith(
        "Counted again by the corrected record: You delivered order order-e on time"
    )


def test_fades_floors_bonuses_and_reviews_are_told() -> None:
    """Entries that no rule wrote have their own sentences."""
    scale = {"base": 1, "floor": 0, "ceiling": 2}
    tiers = [
        {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
        {"id": "good", "title": {"zh": "好", "en": "Good"}, "from": 1, "bonus_fen": 50},
    ]
    own = book(score=scale, tier=tiers, fading={"after_days": 3})

    told = said([own], [delivered(late_min=9), delivered("z", at_min=4 * 24 * 60)])

    assert told == [
        (
            "You delivered order order-e1 9 min late: 2 points off (1 → -1)."
            " After limits and protections: 1 point off in all (1 → 0). It earns you a bonus of 0.50 yuan."
        ),
        "The score never falls below 0: 1 point returned (-1 → 0).",
        'You are in the tier "Good", so order order-e1 earns you 0.50 yuan more.',
        'Your score has reached the tier "Low" (0), so a person will look at it; the system does not penalise you by itself.',
        "What order order-e1 took off is 3 days old and is given back: 1 point returned (0 → 1).",
        "You delivered order order-z on time: 0.2 points added (1 → 1.2). It earns you a bonus of 0.50 yuan.",
        'You are in the tier "Good", so order order-z earns you 0.50 yuan more.',
    ]


def test_the_legacy_fine_is_told_in_money() -> None:
    """The fine took money whoever was at fault."""
    told = said(LEGACY, [slow_merchant(wait_min=12, late_min=8)], "zh")

    assert told == ["订单 order-e1 晚到 8 分钟，扣 2.50 元，分数不变（70）。"]


def test_misconduct_is_told_by_the_rules_title() -> None:
    """Events that are no deliveries are told in the book's words."""
    told = said(GBT, [event("traffic_violation", "t")])

    assert told == ["Traffic violation (order order-t): 3 points off (70 → 67)."]


def test_without_inputs_the_ledger_and_the_book_explain() -> None:
    """No facts at hand: the sentence and the tree still stand, without the order's own number."""
    events = [delivered(late_min=4)]

    (why,) = explained(TAOBAO, events, with_inputs=False)

    assert (why.facts, why.lateness, why.agrees) == ({}, None, None)
    assert why.rule is not None
    assert all(met.value == UNKNOWN for met in why.rule.met)
    assert sentence(why, "en") == "You delivered record e1 4 min late: 1 point off (70 → 69)."
    assert "late by 4 min, 0 s given back, 4 min remain" in list(texts(tree(why, "en")))


def test_without_inputs_nobody_is_named_for_the_time_given_back() -> None:
    """The ledger holds how much was given back: the rider, who answers for the rest, is not named as its cause."""
    events = [slow_merchant("a", wait_min=9, late_min=11)]

    partly = "{} 11 min late; 9 min of that was not your doing{}, the other 2 min cost you 1 point (70 → 69)."
    assert said(TAOBAO, events) == [partly.format("You delivered order order-a", " (the merchant was slow)")]
    assert said(TAOBAO, events, with_inputs=False) == [partly.format("You delivered record a", "")]
    (in_chinese,) = said(TAOBAO, events, "zh", with_inputs=False)
    assert "其中 9 分钟不是您的责任，剩下 2 分钟" in in_chinese


def test_inputs_that_do_not_bear_out_the_ledger_are_said_to() -> None:
    """Where the events at hand say something else, the ledger counts and the tree says so."""
    run = engine([book()])
    scored = run.run([delivered(late_min=4)])
    lines = lines_of(entries_table(scored, scored.until_us))
    other = known_events(run.program, run.schedule, table_of([delivered(late_min=9)]), is_whole=True)

    why = because(lines[0], lines, {book().digest: book()}, other)

    assert why.agrees is False
    assert why.lateness is None
    assert "The events at hand do not match what this entry states; the ledger counts." in list(texts(tree(why, "en")))


def test_a_card_says_what_the_tier_affects_and_the_ways_up_and_back() -> None:
    """Score, tier with all its effects, next tier and recovery in on-time orders, what happened last."""
    lines = card_of(TAOBAO, [delivered(late_min=4)])

    assert lines == [
        "Rider r1: 69 points (Taobao Flash service score, crowdsourced riders)",
        'Tier "Normal": ordinary dispatch priority. It affects nothing else.',
        'Next tier "Reward" (above 75): 31 on-time orders away. It brings: 0.50 yuan more per order, you are offered orders sooner (priority 1.1).',
        "Back to the base of 70: 5 on-time orders away.",
        "Last (12-10 12:00): You delivered order order-e1 4 min late: 1 point off (70 → 69).",
    ]


def test_what_happened_last_is_the_delivery_not_its_bonus() -> None:
    """Limits, bonuses and reviews add to what happened; they are not it."""
    own = book(score={"base": 80, "floor": 0, "ceiling": 80})
    scored = engine([own]).run([delivered()])
    lines = lines_of(entries_table(scored, scored.until_us))

    last = last_of(lines)

    assert [line.rule_id for line in lines] == ["on_time", "ceiling", "tier:gold"]
    assert last is not None
    assert last.rule_id == "on_time"
    assert last_of([]) is None


def test_a_card_at_the_top_and_one_without_a_way_back() -> None:
    """Nothing is promised that on-time orders cannot reach; a course is named where it helps."""
    no_award = [rule("late", points=-2, when={"late_min": {"over": 0}})]

    stuck = card_of([book(rule=no_award)], [delivered(late_min=4)])
    trained = card_of([book(rule=no_award, training={"restores_to": 69})], [delivered(late_min=4)])
    top = card_of([book(score={"base": 80, "floor": 0, "ceiling": 100})], [delivered()])

    assert "Under this book on-time orders do not lead back to the base of 70." in stuck
    assert (
        'Next tier "Gold" (above 75): on-time orders do not lead there. It brings: 0.50 yuan more per order, ordinary dispatch priority.'
        in stuck
    )
    assert "A passed course brings you back to 69 points at once." in trained
    assert "This is the highest tier." in top


@pytest.mark.parametrize(
    ("seconds", "zh", "en"), [(240, "4 分钟", "4 min"), (45, "45 秒", "45 s"), (270, "4 分 30 秒", "4 min 30 s")]
)
def test_spans_are_as_short_as_they_are_exact(seconds: int, zh: str, en: str) -> None:
    """Whole minutes show no seconds, and seconds are never dropped."""
    assert (span_words("zh", seconds), span_words("en", seconds)) == (zh, en)


def test_every_message_of_the_explanations_stands_in_both_languages() -> None:
    """The catalogs have the same keys for zh and en."""
    assert set(catalog("zh")) == set(catalog("en"))


TWO_GROUPS = [
    {"id": "lateness", "title": {"zh": "时效", "en": "Lateness"}},
    {"id": "conduct", "title": {"zh": "规范", "en": "Conduct"}},
]


def two_groups(*, first: str, second: str, **changes: Any) -> Book:
    """A book whose two groups both say something of a late order."""
    late = {"late_min": {"over": 0}}
    rules = [
        rule("free", group="lateness", points=Decimal(first), when=late),
        rule("rush", group="conduct", points=Decimal(second), when=late),
    ]
    return book(group=TWO_GROUPS, rule=rules, **changes)


@pytest.mark.case
def test_two_groups_on_one_event_are_told_whole() -> None:
    """A rule that costs nothing never hides what another group took off the same order."""
    own = [two_groups(first="0", second="-0.5")]

    first, second = said(own, [delivered(late_min=3)])
    (zh, _) = said(own, [delivered(late_min=3)], "zh")

    assert first == "You delivered order order-e1 3 min late: 0.5 points off (70 → 69.5)."
    assert second.endswith("(order order-e1): −0.5, a part of what stands in the entry before.")
    assert zh == "订单 order-e1 晚到 3 分钟，扣 0.5 分（70 → 69.5）。"
    assert card_of(own, [delivered(late_min=3)])[-1].endswith(first)


def test_parts_of_an_event_add_up_to_what_is_told() -> None:
    """Two deductions of one order: the sum, and what it is made up of."""
    first, _ = said([two_groups(first="-2", second="-0.5")], [delivered(late_min=9)])

    assert first == (
        "You delivered order order-e1 9 min late: 2.5 points off (70 → 67.5). Made up of: free −2, rush −0.5."
    )


def test_a_bonus_is_in_the_sentence_of_its_order() -> None:
    """The order says what it earned, in both languages."""
    own = [book(tier=[{"id": "all", "title": {"zh": "全部", "en": "All"}, "bonus_fen": 50}])]

    assert said(own, [delivered()])[0] == (
        "You delivered order order-e1 on time: 0.2 points added (70 → 70.2). It earns you a bonus of 0.50 yuan."
    )
    assert (
        said(own, [delivered()], "zh")[0] == "订单 order-e1 准时送达，加 0.2 分（70 → 70.2）。这一单另得奖励 0.50 元。"
    )


@given(st.lists(st.integers(-5_000, 5_000), max_size=30), st.integers(-1_000, 100_000))
def test_what_is_shown_of_changes_adds_up(changes: list[int], first_mp: int) -> None:
    """Shown parts sum to the shown whole, none is 0.1 off, and none has another sign."""
    scores = list(accumulate(changes, initial=first_mp))

    shown = [shown_change(before, after) for before, after in pairwise(scores)]

    assert tenths_of(first_mp) + sum(shown) == tenths_of(scores[-1])
    assert all(
        abs(100 * tenths - exact) < 100 and tenths * exact >= 0 for tenths, exact in zip(shown, changes, strict=True)
    )


def test_points_that_riders_read_have_one_decimal() -> None:
    """A sentence rounds, the tree under it is exact; a change is never told as none."""
    tiny = [
        book(
            rule=[
                rule("on_time", points=Decimal("0.04"), when={"late_min": {"up_to": 0}}),
                rule("late", points=Decimal("-0.587"), when={"late_min": {"over": 0}}),
            ]
        )
    ]
    events = [delivered(), delivered("late", at_min=9, late_min=3)]

    first, second = explained(tiny, events)

    assert sentence(first, "en") == "You delivered order order-e1 on time: less than 0.1 points added (70 → 70)."
    assert sentence(first, "zh") == "订单 order-e1 准时送达，加 不到 0.1 分（70 → 70）。"
    assert sentence(second, "en") == "You delivered order order-late 3 min late: 0.5 points off (70 → 69.5)."
    assert "score 70.04 → 69.453" in list(texts(tree(second, "en")))


@pytest.mark.case
def test_what_riders_are_told_of_a_rule_is_made_from_the_rule() -> None:
    """A deduction of 3 never stands beside "at most 2 points": the amounts are the rule's, free words a comment."""
    own = book(
        rule=[
            rule("late", points=-3, when={"late_min": {"over": 5}}, note={"zh": "最多 2 分", "en": "at most 2 points"})
        ],
        publication={"text": {"zh": "最多扣 2 分", "en": "at most 2 points"}, "consulted": ["union"]},
    )

    assert "Delivered; lateness that counts: more than 5 min; liable: rider → −3 points." in public_text(
        own, "en"
    ).split("\n")
    assert "送达；计入的迟到：超过 5 分钟；责任方：骑手 → −3 分。" in public_text(own, "zh").split("\n")
    assert "2" not in public_text(own, "en").split("\n")[1]


@pytest.mark.parametrize("lang", LANGS)
def test_riders_read_the_basis_and_not_where_a_number_was_found(lang: Any) -> None:
    """Provenance is for those who run the rules; the tree of operations keeps it."""
    why = explained(GBT, [delivered("a")])[-1]

    own, ops = list(texts(riders_tree(why, lang))), list(texts(tree(why, lang)))

    assert {"zh": "依据：本平台规则", "en": "basis: the rules of this platform"}[lang] in own
    assert not [words for words in own if "出处" in words or "source:" in words]
    assert [words for words in ops if "出处" in words or "source:" in words]
