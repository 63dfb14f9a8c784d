"""Small things with defaults for everyone's tests: a delivery N minutes late, any other event, a tiny book.

Events are plain dicts of canonical columns (`rules.events.FIELDS`, times as `<name>_us`); books are what
`tomllib` would give. A test names only what it is about.
"""

import copy
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rules.book import Book, BookDocument
from rules.ids import digest

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
# 2025-12-10, a Wednesday, 12:00 in Shanghai.
NOON_US = int(dt.datetime(2025, 12, 10, 4, tzinfo=dt.UTC).timestamp()) * 1_000_000


def event(kind: str, event_id: str = "e1", *, at_min: float = 0, **columns: Any) -> dict[str, Any]:
    """Any event, `at_min` minutes after noon of the tiny world's day."""
    return {
        "event_id": event_id,
        "rider_id": "r1",
        "city": "hangzhou",
        "rider_kind": "crowdsourced",
        "kind": kind,
        "order_id": f"order-{event_id}",
        "occurred_us": NOON_US + round(at_min * MINUTE_US),
    } | columns


def delivered(event_id: str = "e1", *, at_min: float = 0, late_min: float = 0, **columns: Any) -> dict[str, Any]:
    """A delivery `late_min` minutes after its deadline, accepted 40 minutes before, with no wait at the merchant."""
    made = event("delivered", event_id, at_min=at_min)
    us = made["occurred_us"]
    return (
        made
        | {
            "placed_us": us - 42 * MINUTE_US,
            "accepted_us": us - 40 * MINUTE_US,
            "promised_us": us - round(late_min * MINUTE_US),
            "assess_deadline_us": us - round(late_min * MINUTE_US),
            "arrived_store_us": us - 30 * MINUTE_US,
            "merchant_promised_ready_us": us - 30 * MINUTE_US,
            "merchant_ready_us": us - 30 * MINUTE_US,
            "picked_up_us": us - 30 * MINUTE_US,
            "delivered_us": us,
            "distance_m": 3_000,
            "fee_fen": 500,
            "reports": "",
        }
        | columns
    )


def deploy_row(city: str, book: str, day: str, kind: str = "crowdsourced", platform: str | None = None) -> str:
    """One row of a deployment table, as TOML."""
    own = "" if platform is None else f'platform = "{platform}"\n'
    return f'[[deploy]]\n{own}city = "{city}"\nrider_kind = "{kind}"\nbook = "{book}"\nfrom = {day}\n'


def slow_merchant(event_id: str = "e1", *, wait_min: float, **columns: Any) -> dict[str, Any]:
    """A delivery whose food was ready `wait_min` minutes after the promise, 10 minutes before it was delivered."""
    made = delivered(event_id, **columns)
    us = made["occurred_us"]
    ready = us - 10 * MINUTE_US
    promised = ready - round(wait_min * MINUTE_US)
    return made | {
        "arrived_store_us": promised,
        "merchant_promised_ready_us": promised,
        "merchant_ready_us": ready,
        "picked_up_us": ready,
    }


def correction(event_id: str, ref: Mapping[str, Any], *, after_min: float = 60, **columns: Any) -> dict[str, Any]:
    """A correction of an event, `after_min` minutes after it: the same facts but for the columns named."""
    own = {"event_id": event_id, "kind": "correction", "ref_event_id": ref["event_id"]}
    return dict(ref) | own | {"occurred_us": ref["occurred_us"] + round(after_min * MINUTE_US)} | columns


def appeal_upheld(event_id: str, ref: Mapping[str, Any], *, after_min: float = 60) -> dict[str, Any]:
    """An appeal upheld `after_min` minutes after the event it concerns."""
    made = event("appeal_upheld", event_id, ref_event_id=ref["event_id"], order_id=ref["order_id"])
    return made | {
        "rider_id": ref["rider_id"],
        "occurred_us": ref["occurred_us"] + round(after_min * MINUTE_US),
    }


def rule(rule_id: str, kind: str = "delivered", **keys: Any) -> dict[str, Any]:
    """A rule of the group `main`; `when` and amounts as given."""
    return {"id": rule_id, "group": "main", "title": {"zh": rule_id, "en": rule_id}, "kind": kind} | keys


def tiny_book(**keys: Any) -> dict[str, Any]:
    """A raw book: base 70 in 0 … 100, on time +0.2, up to 5 min late −1, later −2, extra reward above 75.

    Keys given replace whole top-level keys; `None` removes one.
    """
    raw: dict[str, Any] = {
        "id": "tiny",
        "effective_from": dt.date(2025, 12, 1),
        "title": {"zh": "小", "en": "Tiny"},
        "score": {"base": 70, "floor": 0, "ceiling": 100},
        "group": [{"id": "main", "hit": "first"}],
        "rule": [
            rule("on_time", points=Decimal("0.2"), when={"late_min": {"up_to": 0}}),
            rule("late_5", points=-1, when={"late_min": {"over": 0, "up_to": 5}}),
            rule("late_more", points=-2, when={"late_min": {"over": 5}}),
        ],
        "tier": [
            {"id": "standard", "title": {"zh": "普通", "en": "Standard"}},
            {"id": "gold", "title": {"zh": "金", "en": "Gold"}, "above": 75, "bonus_fen": 50},
        ],
    }
    merged = copy.deepcopy(raw) | keys
    return {key: value for key, value in merged.items() if value is not None}


def document(**keys: Any) -> BookDocument:
    """The document model of a tiny book."""
    return BookDocument.model_validate(tiny_book(**keys))


def book_of(raw: Mapping[str, Any]) -> Book:
    """A parsed book of a raw document that is already resolved."""
    plain = dict(raw)
    return Book(BookDocument.model_validate(plain), plain, digest(plain), f"{plain['id']}.toml")


def book(**keys: Any) -> Book:
    """A tiny book, parsed."""
    return book_of(tiny_book(**keys))
