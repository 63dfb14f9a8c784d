"""Worse conduct never ends higher: no course, clamp or cap pays for it, once all that fades has been returned.

The claim, exactly: let every rule of a book give no more for more lateness, nothing for misconduct and no less for what
comes again, and let its later versions keep the base, raise no ceiling and fade if the first one does. Of two histories
that differ in one of these ways, the worse one ends no higher once nothing waits to be returned:

- misconduct that the other one has not,
- a delivery later by whole seconds (its deadline earlier, or the delivery itself within its day and before what follows),
- a kitchen that was ready earlier, so that less of the lateness was the merchant's.

Between days it may be otherwise: a violation that falls under an exhausted daily cap costs nothing.
"""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import Book
from rules.readings_0_1_0 import with_old_readings
from rules.shelf import versions
from tests.builders import DAY_US, book_of, delivered, event, rule
from tests.oracle_facts import local_day
from tests.scoring.readings import engine, ledger, standings
from tests.strategies import WORDS, given_keys, histories, last_us, maybe, report_rows, some_of

Events = list[dict[str, Any]]
MISCONDUCT = ("false_delivered", "bad_review", "extra_charge")
KINDS = ("delivered", "bad_review", "false_delivered")
AFTER_ALL_FADES_US = 40 * DAY_US
amounts = st.sampled_from((0, Decimal("-0.5"), -1, -2, -3, -5))


@st.composite
def fair_rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An award on time, bands of lateness that take ever more, misconduct that takes more when it comes again."""
    few, more, most = sorted(draw(st.lists(amounts, min_size=3, max_size=3)), reverse=True)
    rows = [
        rule("on_time", points=draw(st.sampled_from((0, Decimal("0.2"), 1, 3))), when={"late_min": {"up_to": 0}}),
        rule("late_5", points=few, when={"late_min": {"over": 0, "up_to": 5}}),
        rule("late_12", points=more, when={"late_min": {"over": 5, "up_to": 12}}),
        rule("late_more", points=most, when={"late_min": {"over": 12}}),
    ]
    for kind in MISCONDUCT:
        once, again = sorted(draw(st.lists(amounts, min_size=2, max_size=2)), reverse=True)
        rows += [
            rule(f"{kind}_1", kind, points=once, when={"nth_in_month": {"up_to": 1}}),
            rule(f"{kind}_2", kind, points=again, when={"nth_in_month": {"from": 2}}),
        ]
    return rows


@st.composite
def fair_books(draw: st.DrawFn) -> list[Book]:
    """One or two versions of a book as the claim has it."""
    base, ceiling = draw(st.integers(6, 12)), draw(st.integers(12, 20))
    ending = draw(st.sampled_from(("fading", "fading", "reset", "none")))
    endings = {
        "fading": {"after_days": draw(st.integers(1, 9))},
        "reset": {"every": draw(st.sampled_from(("week", "month")))},
    }
    raw: dict[str, Any] = {
        "id": "fair",
        "effective_from": dt.date(2025, 10, 1),
        "title": WORDS,
        "lateness": draw(st.sampled_from(("remaining", "gross"))),
        "score": {"base": base, "floor": draw(st.integers(0, base)), "ceiling": ceiling},
        "group": [{"id": "main", "hit": "first"}],
        "tier": [
            {"id": "low", "title": WORDS, "review": draw(st.booleans())},
            {"id": "high", "title": WORDS, "from": 8},
        ],
        "report": draw(report_rows()),
    }
    parts = {
        "newcomer": st.fixed_dictionaries({"first_orders": st.integers(0, 3)}),
        "cost_limit": st.fixed_dictionaries({"on_time_orders": st.integers(1, 3)}),
    }
    scopes = [
        {"id": f"c{scope}", "scope": scope, "max_deduct": draw(st.sampled_from((1, 2, 4)))}
        | given_keys({"kinds": kinds})
        for scope in draw(st.lists(st.sampled_from(("event", "order", "day")), max_size=2, unique=True))
        for kinds in [draw(maybe(some_of(KINDS)))]
    ]
    raw |= {"cap": scopes} | given_keys({key: draw(maybe(part)) for key, part in parts.items()})
    raw |= {ending: endings[ending]} if ending in endings else {}
    low, high = raw["score"]["floor"], raw["score"]["ceiling"]
    training = maybe(st.fixed_dictionaries({"restores_to": st.integers(low, high), "every_days": st.integers(0, 2)}))
    made = [raw | given_keys({"training": draw(training)}) | {"rule": draw(fair_rules())}]
    if draw(st.booleans()):
        floor, top = draw(st.integers(0, base)), draw(st.integers(base, ceiling))
        later = raw | {"score": {"base": base, "floor": floor, "ceiling": top}, "rule": draw(fair_rules())}
        lift = draw(
            maybe(st.fixed_dictionaries({"restores_to": st.integers(floor, top), "every_days": st.integers(0, 2)}))
        )
        day = draw(
            st.sampled_from((dt.date(2025, 10, 27), dt.date(2025, 12, 31), dt.date(2026, 3, 9), dt.date(2026, 3, 30)))
        )
        made.append(later | given_keys({"training": lift}) | {"effective_from": day})
    return [book_of(one) for one in made]


def more_misconduct(draw: st.DrawFn, events: Events, books: list[Book]) -> Events:
    """The history with violations that it has not."""
    first, last = events[0]["occurred_us"], last_us(events)
    added = [
        event(
            draw(st.sampled_from(MISCONDUCT)), f"z{number}", order_id=draw(st.sampled_from(("o1", "o2", "own"))),
            occurred_us=draw(st.integers(first, last) | st.just(first) | st.just(last)), rider_id=events[0]["rider_id"],
        )
        for number in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    own = {name: events[0][name] for name in ("rider_kind", "city", "rider_joined_us")}
    return [*events, *(row | own for row in added)]


def changed(events: Events, row: dict[str, Any], **columns: Any) -> Events:
    return [row | columns if one is row else one for one in events]


def one_delivery(draw: st.DrawFn, events: Events) -> dict[str, Any] | None:
    found = [row for row in events if row["kind"] == "delivered"]
    return draw(st.sampled_from(found)) if found else None


def an_earlier_deadline(draw: st.DrawFn, events: Events, books: list[Book]) -> Events:
    """The history with a delivery that is later against its deadline."""
    row = one_delivery(draw, events)
    if row is None or (row["assess_deadline_us"] is None and row["promised_us"] is None):
        return events
    by_us = draw(st.sampled_from((1, 61, 600))) * 1_000_000
    moved = {name: None if row[name] is None else row[name] - by_us for name in ("assess_deadline_us", "promised_us")}
    return changed(events, row, **moved)


def a_later_delivery(draw: st.DrawFn, events: Events, books: list[Book]) -> Events:
    """The history with a delivery that ends later, before what follows and within its day."""
    row = one_delivery(draw, events)
    by_us = draw(st.sampled_from((1, 61, 299, 3_000))) * 1_000_000
    if row is None or any(row["occurred_us"] < one["occurred_us"] <= row["occurred_us"] + by_us for one in events):
        return events
    alone = all(one is row or one["occurred_us"] != row["occurred_us"] for one in events)
    model = books[-1].model
    if not alone or local_day(model, row["occurred_us"]) != local_day(model, row["occurred_us"] + by_us):
        return events
    delivered_us = None if row["delivered_us"] is None else row["delivered_us"] + by_us
    return changed(events, row, occurred_us=row["occurred_us"] + by_us, delivered_us=delivered_us)


def a_faster_kitchen(draw: st.DrawFn, events: Events, books: list[Book]) -> Events:
    """The history with food that was ready earlier."""
    row = one_delivery(draw, events)
    if row is None or row["merchant_ready_us"] is None:
        return events
    return changed(
        events, row, merchant_ready_us=row["merchant_ready_us"] - draw(st.sampled_from((1, 60, 900))) * 1_000_000
    )


WORSE = {
    "misconduct": more_misconduct,
    "deadline": an_earlier_deadline,
    "later": a_later_delivery,
    "kitchen": a_faster_kitchen,
}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Book], Events, Events]:
    """A fair book, a history, and a worse one."""
    books = draw(fair_books())
    events = draw(histories(max_riders=1, max_events=10))
    # A course belongs to most of them: it is what may pay.
    for number in range(draw(st.integers(0, 2))):
        us = draw(st.integers(events[0]["occurred_us"], last_us(events)))
        events = [*events, event("training_passed", f"t{number}", order_id=None, occurred_us=us, rider_id="r0")]
    return books, events, WORSE[draw(st.sampled_from(sorted(WORSE)))](draw, events, books)


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[Book], Events, Events]:
    """A fading book with a course that restores no more than the base, violations beyond those there are, then the course."""
    books = draw(fair_books())
    raw = {key: value for key, value in books[0].document.items() if key != "reset"}
    base = raw["score"]["base"]
    restores = {"restores_to": draw(st.integers(raw["score"]["floor"], base)), "every_days": 0}
    book = book_of(raw | {"fading": {"after_days": draw(st.integers(1, 9))}, "training": restores})
    events = draw(histories(max_riders=1, max_events=4, days="few"))
    worse = more_misconduct(draw, events, [book])
    course = event("training_passed", "t9", order_id=None, occurred_us=last_us(worse), rider_id="r0")
    return [book], [*events, course], [*worse, course]


def final_mp(books: list[Book], events: Events) -> int:
    """The rider's score once nothing waits to be returned."""
    scored = engine(books).run(events, as_of_us=last_us(events) + AFTER_ALL_FADES_US)
    assert scored.head.fades.size == 0
    return int(standings(scored)["r0"]["score_mp"])


@given(pairs())
@settings(max_examples=settings().max_examples * 2)
def test_worse_conduct_never_ends_higher(pair: tuple[list[Book], Events, Events]) -> None:
    """Misconduct, a later delivery and a faster kitchen: after all fades the worse history ends no higher."""
    books, better, worse = pair

    assert final_mp(books, worse) <= final_mp(books, better)


@given(courses())
def test_a_course_pays_for_no_misconduct(pair: tuple[list[Book], Events, Events]) -> None:
    """Whatever a course gives back while deductions still fade, a rider with more violations ends no higher."""
    books, better, worse = pair

    assert final_mp(books, worse) <= final_mp(books, better)


def anna_and_ben() -> Events:
    """Two riders who pass a course on one day: one without a violation, one with sixteen."""
    day_min = 24 * 60
    events = [delivered("d0", at_min=0), event("training_passed", "t", at_min=10 * day_min - 180, order_id=None)]
    events += [delivered("d1", at_min=51 * day_min)]
    both = [row | {"rider_id": rider} for rider in ("anna", "ben") for row in events]
    for day in range(8):
        for kind, hour in (("false_delivered", 0), ("extra_charge", 6)):
            at_min = (1 + day) * day_min + 60 * hour
            both.append(event(kind, f"{kind}{day}", at_min=at_min, rider_id="ben"))
    return both


@pytest.mark.case
def test_a_passed_course_does_not_pay_for_misconduct() -> None:
    """What the course gives back is taken from the fades that wait, the latest first: both riders end alike."""
    scored = engine(versions("gbt-46862-reference")).run(anna_and_ben())

    assert {rider: end["score_mp"] for rider, end in standings(scored).items()} == {"anna": 70_400, "ben": 70_400}
    lines = ledger(scored)["ben"]
    lift = next(line for line in lines if line.kind == "training")
    assert (lift.delta_mp, lift.score_after_mp) == (29_800, 60_000)
    returned = [(line.event_id, line.delta_mp) for line in lines if line.kind == "fade"]
    assert returned == [
        ("false_delivered0", 3_000),
        ("extra_charge0", 2_000),
        ("false_delivered1", 3_000),
        ("extra_charge1", 2_000),
        ("false_delivered2", 200),
    ]


def test_what_version_010_wrote_is_read_as_it_read_it() -> None:
    """Up to the instant at which 0.1.0 stopped writing a course returns twice, as it did; a later one is an advance."""
    books = versions("gbt-46862-reference")
    course_us = next(row["occurred_us"] for row in anna_and_ben() if row["kind"] == "training_passed")
    now = engine(books)

    ends = [
        standings(replace(now, program=with_old_readings(now.program, until_us)).run(anna_and_ben()))["ben"]["score_mp"]
        for until_us in (course_us, course_us - 1)
    ]

    assert ends == [100_000, 70_400]
