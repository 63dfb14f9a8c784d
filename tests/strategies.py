"""Hypothesis strategies: random valid books and random days of a few riders.

Numbers are small and close together on purpose, so that caps, clamps, fades, resets and tiers meet in few events.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from rules.book import Book
from rules.errors import BookError
from rules.events import (
    CANCEL_PARTIES,
    EXTENSION_CAUSES,
    PARTIES,
    REPORT_KINDS,
    RIDER_KINDS,
)
from rules.parse import parse
from rules.shelf import shipped_parent, to_toml
from tests.builders import DAY_US, MINUTE_US, book_of, rule

Draw = st.DrawFn
RULE_KINDS = (
    "delivered",
    "delivered",
    "delivered",
    "delivered",
    "bad_review",
    "good_review",
    "false_delivered",
    "cancelled",
    "undelivered",
    "reassigned_system",
    "merchant_slow",
    "accepted",
)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC")
# Days beside which something happens: daylight saving ends and begins, a month, quarter and year begin.
DAYS = (dt.date(2025, 10, 25), dt.date(2025, 12, 30), dt.date(2026, 3, 7), dt.date(2026, 3, 28))
LATE_S = (-600, 0, 0, 1, 59, 240, 300, 301, 720, 1_800)
WORDS = {"zh": "字", "en": "word"}

amounts: st.SearchStrategy[Any] = st.sampled_from((-5, -3, -2, -1, Decimal("-0.5"), 0, Decimal("0.125"), 1, 2))
minutes: st.SearchStrategy[Any] = st.sampled_from((0, Decimal("0.5"), 1, 4, 5, 8, 12, 20))


def maybe(strategy: st.SearchStrategy[Any], chance: int = 2) -> st.SearchStrategy[Any]:
    """The strategy's value, or None one time in `chance`."""
    return st.one_of(*[strategy] * (chance - 1), st.none())


def given_keys(values: dict[str, Any]) -> dict[str, Any]:
    """A dict without what is None."""
    return {key: value for key, value in values.items() if value is not None}


@st.composite
def ranges(draw: Draw, numbers: st.SearchStrategy[Any]) -> dict[str, Any]:
    """A range with one or both ends, not empty."""
    low, high = sorted((draw(numbers), draw(numbers)))
    ends: dict[str, Any] = {}
    if draw(st.booleans()):
        ends[draw(st.sampled_from(("over", "from")))] = low
    if not ends or draw(st.booleans()):
        ends[draw(st.sampled_from(("up_to", "below")))] = high + 1
    return ends


@st.composite
def clock_ranges(draw: Draw) -> dict[str, dt.time]:
    """A stretch of the day."""
    low, high = sorted(draw(st.lists(st.integers(0, 47), min_size=2, max_size=2, unique=True)))
    return {"from": dt.time(low // 2, low % 2 * 30), "below": dt.time(high // 2, high % 2 * 30)}


def some_of(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)


CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "late_min": ranges(minutes),
    "rider_kind": st.sampled_from(RIDER_KINDS),
    "tenure_days": ranges(st.integers(0, 4)),
    "num_delivered": ranges(st.integers(0, 5)),
    "weather_level": ranges(st.integers(0, 3)),
    "distance_km": ranges(st.sampled_from((0, 1, 2, Decimal("2.5")))),
    "time_of_day": clock_ranges(),
    "nth_in_month": ranges(st.integers(1, 3)),
    "party": some_of(CANCEL_PARTIES),
    "liable": some_of(PARTIES),
}


@st.composite
def whens(draw: Draw) -> dict[str, Any]:
    """Up to two conditions; lateness oftenest."""
    names = draw(
        st.lists(st.sampled_from(("late_min", "late_min", "weather_level", *CONDITIONS)), max_size=2, unique=True)
    )
    return {name: draw(CONDITIONS[name]) for name in names}


@st.composite
def slides(draw: Draw, key: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Corners of a sliding scale at rising lateness."""
    corners: list[Any] = sorted(draw(st.lists(minutes, min_size=2, max_size=3, unique=True)))
    return [{"late_min": corner, key: draw(st.sampled_from(values))} for corner in corners]


@st.composite
def rules(draw: Draw, rule_id: str, group: str) -> dict[str, Any]:
    """One rule: constant or sliding points, perhaps money beside or instead."""
    kinds = draw(st.lists(st.sampled_from(RULE_KINDS), min_size=1, max_size=2, unique=True))
    made = rule(rule_id, group=group, when=draw(whens())) | {"kind": kinds}
    money = draw(st.sampled_from(("none", "none", "fen", "share", "share_slide")))
    if kinds == ["delivered"] and money == "share":
        made["fee_share"] = draw(st.sampled_from((Decimal("-0.4"), Decimal("-0.333"), Decimal("0.1"))))
    elif kinds == ["delivered"] and money == "share_slide":
        made["fee_share_slide"] = draw(slides("share", (0, Decimal("-0.255"), Decimal("-0.7"))))
    elif money == "fen":
        made["money_fen"] = draw(st.sampled_from((-100, 30)))
    shares = [made.get("fee_share", 0), made.get("money_fen", 0)]
    takes_money = min(shares) < 0 or "fee_share_slide" in made
    points = draw(st.sampled_from(("const", "const", "slide", "none")))
    if points == "slide":
        made["points_slide"] = draw(slides("points", (0, -1, -2, Decimal("-3.333")) if takes_money else (1, 0, -1, -3)))
    elif points == "const" or not {"fee_share", "fee_share_slide", "money_fen"} & set(made):
        made["points"] = draw(amounts.filter(lambda mp: mp <= 0) if takes_money else amounts)
    return made


@st.composite
def caps(draw: Draw, cap_id: str) -> dict[str, Any]:
    """A cap in one direction."""
    direction = draw(st.sampled_from(("max_deduct", "max_deduct", "max_award")))
    made = {
        "id": cap_id,
        "scope": draw(st.sampled_from(("event", "order", "day"))),
        direction: draw(st.sampled_from((Decimal("0.5"), 1, 2, 4))),
    }
    kinds = draw(maybe(some_of(("delivered", "bad_review", "false_delivered"))))
    return made | given_keys({"kinds": kinds})


@st.composite
def tiers(draw: Draw) -> list[dict[str, Any]]:
    """One to four tiers at rising thresholds."""
    made: list[dict[str, Any]] = [{"id": "t0", "title": WORDS}]
    for position, at in enumerate(sorted(draw(st.lists(st.integers(4, 14), max_size=3, unique=True)))):
        threshold = draw(st.sampled_from(("above", "from")))
        made.append({"id": f"t{position + 1}", "title": WORDS, threshold: at})
    for tier in made:
        tier["bonus_fen"] = draw(st.sampled_from((0, 20, 50)))
        tier["review"] = draw(st.sampled_from((False, False, True)))
    return made


@st.composite
def report_rows(draw: Draw) -> list[dict[str, Any]]:
    """What reports do; severe weather by level."""
    rows = []
    for kind in draw(st.lists(st.sampled_from(REPORT_KINDS), max_size=4, unique=True)):
        levels = [0]
        if kind == "severe_weather":
            levels = draw(st.lists(st.integers(0, 4), min_size=1, max_size=2, unique=True))
        for level in levels:
            effect: dict[str, Any] = {"exempt": True}
            if draw(st.booleans()):
                effect = {"gives_back_min": draw(minutes)}
            rows.append({"kind": kind, "level_from": level} | effect)
    return rows


@st.composite
def backbones(draw: Draw) -> list[dict[str, Any]]:
    """The rules that nearly every real book has: on time, a little late, much late, a false delivery."""
    few, many = draw(st.sampled_from(((-1, -2), (-2, -5), (Decimal("-0.3"), -3))))
    return [
        rule("on_time", points=draw(st.sampled_from((Decimal("0.2"), 1))), when={"late_min": {"up_to": 0}}),
        rule("late_5", points=few, when={"late_min": {"over": 0, "up_to": 5}}),
        rule("late_more", points=many, when={"late_min": {"over": 5}}),
        rule("false", "false_delivered", points=many),
    ]


@st.composite
def raw_books(draw: Draw, lateness: str | None = None, late_days: int | None = None) -> dict[str, Any]:
    """A valid book as TOML would give it; every feature comes and goes."""
    base = draw(st.integers(6, 12))
    floor = draw(st.integers(0, 6))
    groups = []
    rows = []
    for position in range(draw(st.integers(1, 3))):
        group: dict[str, Any] = {"id": f"g{position}", "hit": draw(st.sampled_from(("first", "all")))}
        if group["hit"] == "all":
            limit = maybe(st.sampled_from((Decimal("0.5"), 1, 3)))
            group |= given_keys({"max_deduct": draw(limit), "max_award": draw(limit)})
        groups.append(group)
        num_rules = draw(st.integers(1, 3))
        rows += [draw(rules(f"g{position}r{number}", group["id"])) for number in range(num_rules)]
    if draw(st.booleans()):
        groups.insert(0, {"id": "main"})
        rows += draw(backbones())
    kinds = some_of(("delivered", "bad_review", "false_delivered"))
    raw = {
        "id": "random",
        "effective_from": dt.date(2025, 10, 1),
        "title": WORDS,
        "time_zone": draw(st.sampled_from(ZONES)),
        "day_starts": draw(st.sampled_from((dt.time(4), dt.time(0), dt.time(2, 30)))),
        "lateness": lateness or draw(st.sampled_from(("remaining", "remaining", "gross"))),
        "unknown_kitchen": draw(st.sampled_from(("assess", "assess", "exempt"))),
        "late_days": late_days or draw(st.sampled_from((7, 7, 7, 1, 2))),
        "score": {"base": base, "floor": floor, "ceiling": draw(st.integers(base, 16))},
        "group": groups,
        "rule": rows,
        "cap": [draw(caps(f"c{number}")) for number in range(draw(st.integers(0, 3)))],
        "tier": draw(tiers()),
        "report": draw(report_rows()),
    }
    parts: dict[str, Any] = {
        "cost_limit": st.fixed_dictionaries({"on_time_orders": st.integers(1, 3)}, optional={"kinds": kinds}),
        "newcomer": st.fixed_dictionaries(
            {"first_orders": st.integers(0, 3), "first_days": st.integers(0, 2)}, optional={"kinds": kinds}
        ),
        "training": st.fixed_dictionaries({"restores_to": st.integers(6, 12), "every_days": st.integers(0, 2)}),
    }
    if draw(st.booleans()):
        parts["fading"] = st.fixed_dictionaries({"after_days": st.integers(1, 3)})
    else:
        parts["reset"] = st.fixed_dictionaries({"every": st.sampled_from(("week", "month", "quarter", "year"))})
    return raw | given_keys({key: draw(maybe(part)) for key, part in parts.items()})


@st.composite
def raw_versions(
    draw: Draw, lateness: str | None = None, max_versions: int = 2, late_days: int | None = None
) -> list[dict[str, Any]]:
    """One or two versions of a book as TOML would give them, oldest first, in one time zone."""
    first = draw(raw_books(lateness, late_days))
    made = [first]
    if max_versions > 1 and draw(st.integers(0, 2)) == 0:
        second = draw(raw_books(lateness, late_days))
        keep = {"time_zone": first["time_zone"], "day_starts": first["day_starts"]}
        day = draw(st.sampled_from(DAYS)) + dt.timedelta(days=draw(st.integers(0, 2)))
        made.append(second | keep | {"effective_from": day})
    return made


def parsed(raws: list[dict[str, Any]]) -> list[Book]:
    """Books of raw documents."""
    return [book_of(raw) for raw in raws]


def books(
    lateness: str | None = None, max_versions: int = 2, late_days: int | None = None
) -> st.SearchStrategy[list[Book]]:
    """As `raw_versions`, parsed; a failing example prints as `parsed([...])`, which can be written down."""
    return raw_versions(lateness, max_versions, late_days).map(parsed)


def noon_us(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * DAY_US + 12 * 60 * MINUTE_US


EVENT_KINDS = (
    *["delivered"] * 12,
    "bad_review",
    "good_review",
    "false_delivered",
    "cancelled",
    "undelivered",
    "reassigned_system",
    "accepted",
    "training_passed",
    "deadline_extended",
    "deadline_extended",
    "merchant_slow",
    "severe_weather",
    "severe_weather",
    "severe_weather",
    "accident",
)
# Minutes between events: over weeks, or so that a whole history stays within the days that late events may be late.
GAPS_MIN = {
    "many": st.sampled_from((0, 0, 1, 2, 5, 5, 10, 20, 240, 1_440, 1_441, 4_320, 15_000)),
    "few": st.sampled_from((0, 0, 1, 2, 5, 5, 10, 20, 240, 780)),
}
before_min = st.integers(0, 60)
# Clocks tell more than seconds: less than half of one, and the last and the first µs of one.
parts_us = st.sampled_from((0, 0, 0, 0, 1, 400_000, 999_999))


@st.composite
def deliveries(draw: Draw, occurred_us: int) -> dict[str, Any]:
    """The columns of a delivery: waits, lateness and gaps in what is known."""

    def earlier(strategy: st.SearchStrategy[int]) -> int | None:
        minute = draw(maybe(strategy, 6))
        return None if minute is None else occurred_us - minute * MINUTE_US - draw(parts_us)

    deadline_us = occurred_us - draw(st.sampled_from(LATE_S)) * 1_000_000 - draw(parts_us)
    known = draw(st.sampled_from(("assess", "assess", "assess", "promised", "both", "none")))
    reports = draw(st.lists(st.sampled_from(REPORT_KINDS), max_size=2, unique=True)) if draw(st.booleans()) else []
    return {
        "placed_us": earlier(st.integers(50, 60)),
        "accepted_us": earlier(st.integers(20, 50)),
        "arrived_store_us": earlier(before_min),
        "merchant_promised_ready_us": earlier(before_min),
        "merchant_ready_us": earlier(st.integers(0, 20)),
        "picked_up_us": earlier(st.integers(0, 20)),
        "delivered_us": draw(st.sampled_from((occurred_us, occurred_us, occurred_us - 30_000_001, None))),
        "assess_deadline_us": deadline_us if known in ("assess", "both") else None,
        "promised_us": {"promised": deadline_us, "both": deadline_us - 5 * MINUTE_US}.get(known),
        "distance_m": draw(st.sampled_from((None, 500, 2_000, 2_600))),
        "fee_fen": draw(st.sampled_from((None, 333, 500))),
        "reports": ";".join(reports),
        "level": draw(st.sampled_from((None, None, 1, 3))),
    }


@st.composite
def happenings(draw: Draw, kind: str, occurred_us: int) -> dict[str, Any]:
    """The columns that an event of some kind has beyond the common ones."""
    if kind == "delivered":
        return draw(deliveries(occurred_us))
    if kind == "deadline_extended":
        return {
            "cause": draw(st.sampled_from(EXTENSION_CAUSES)),
            "extend_s": draw(st.sampled_from((0, 60, 200, 700))),
        }
    if kind == "cancelled":
        return {"party": draw(maybe(st.sampled_from(CANCEL_PARTIES)))}
    if kind in REPORT_KINDS:
        return {"level": draw(maybe(st.integers(0, 4)))}
    if kind == "undelivered":
        return {"reports": draw(st.sampled_from(("", "accident", "customer_unreachable;severe_weather")))}
    return {}


@st.composite
def riders_events(
    draw: Draw, rider_id: str, start_us: int, controls: bool, max_events: int, days: str, tag: str = ""
) -> list[dict[str, Any]]:
    """One rider's events in order of time, several orders in the bag; `tag` sets ids of events and orders apart."""
    joined_days = draw(maybe(st.integers(-2, 6)))
    common: dict[str, Any] = {
        "rider_id": rider_id,
        "city": "hangzhou",
        "rider_kind": draw(st.sampled_from(RIDER_KINDS)),
        "rider_joined_us": None if joined_days is None else start_us - joined_days * DAY_US,
    }
    kinds = (*EVENT_KINDS, *["correction", "appeal_upheld"] * 3) if controls else EVENT_KINDS
    orders = [f"o{number}{tag}" for number in (1, 2, 3)]
    occurred_us = start_us + draw(st.integers(0, 24)) * 30 * MINUTE_US
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, max_events))):
        occurred_us += draw(GAPS_MIN[days]) * MINUTE_US + draw(parts_us)
        kind = draw(st.sampled_from(kinds))
        event = common | {
            "event_id": f"{draw(st.sampled_from('abc'))}{number}{tag}",
            "kind": kind,
            "order_id": draw(st.sampled_from(orders if kind == "delivered" else [*orders, None])),
            "occurred_us": occurred_us,
        }
        if kind in ("correction", "appeal_upheld"):
            names = [earlier["event_id"] for earlier in made if earlier["kind"] != "appeal_upheld"] or ["nobody"]
            event["ref_event_id"] = draw(st.sampled_from([*names, *names, *names, "nobody"]))
            of_kind = next((earlier["kind"] for earlier in made if earlier["event_id"] == event["ref_event_id"]), "")
            event |= draw(happenings("delivered" if of_kind == "correction" else of_kind, occurred_us))
        else:
            event |= draw(happenings(kind, occurred_us))
        if kind == "delivered" and any(
            earlier["kind"] == kind and earlier["order_id"] == event["order_id"] for earlier in made
        ):
            # An order is delivered once by a rider; what comes of a second time is told by examples.
            event["order_id"] += f"-{number}"
        made.append(event)
    return made


@st.composite
def histories(
    draw: Draw, controls: bool = False, max_riders: int = 3, max_events: int = 9, days: str = "many"
) -> list[dict[str, Any]]:
    """Events of a few riders, each event once, over a `few` days or `many`."""
    start_us = noon_us(draw(st.sampled_from(DAYS)))
    riders = [f"r{number}" for number in range(draw(st.integers(1, max_riders)))]
    made = [draw(riders_events(rider, start_us, controls, max_events, days)) for rider in riders]
    return [event for own in made for event in own]


@st.composite
def two_parts(draw: Draw) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two stretches of the same riders' work; between them nobody has an order in hand."""
    start_us = noon_us(draw(st.sampled_from(DAYS)))
    riders = [f"r{number}" for number in range(draw(st.integers(1, 3)))]
    first = [draw(riders_events(rider, start_us, True, 6, "few")) for rider in riders]
    before = [event for own in first for event in own]
    later_us = last_us(before) + draw(st.sampled_from((2, 30, 300))) * 60 * MINUTE_US
    second = [draw(riders_events(rider, later_us, True, 6, "few", "x")) for rider in riders]
    return before, [event for own in second for event in own]


@st.composite
def with_repeats(draw: Draw, events: st.SearchStrategy[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A shuffled history in which some events come twice: a few with another content, a few under another id."""
    made = draw(events)
    again = draw(st.lists(st.sampled_from(made), max_size=3))
    changed = [
        draw(st.sampled_from((event, event, event | {"fee_fen": 77}, event | {"event_id": f"again-{number}"})))
        for number, event in enumerate(again)
    ]
    return draw(st.permutations(made + changed))


def last_us(events: list[dict[str, Any]]) -> int:
    """The newest instant of the events, the as-of of a run that names none."""
    return max(event["occurred_us"] for event in events)


def is_sound(versions: Sequence[Book]) -> bool:
    """Whether a random book could have been written by a person: the model alone admits more than the parser."""
    try:
        return bool([parse(to_toml(book), "random.toml", shipped_parent) for book in versions])
    except BookError:
        return False
