"""The oracle's reading of a history: duplicates, corrections, upheld appeals, and the ledger they leave behind.

`outcomes` says what is in effect in the end: the fold of each rider's corrected history. `written` says what one run
writes: entries in order of time, and at a correction's or appeal's own time the reversal and re-entry of what changed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.book import BookDocument
from rules.events import FIELDS
from tests.oracle import Fold, Line, Outcome, rider_outcome
from tests.oracle_facts import Event

KEPT_BY_CORRECTION = ("event_id", "rider_id", "city", "rider_kind", "kind", "order_id", "occurred_us")
COLUMNS = tuple(f"{column.name}_us" if column.type == "time" else column.name for column in FIELDS)


def place(event: Event) -> tuple[int, bytes]:
    """Where an event stands in its rider's history."""
    return event["occurred_us"], event["event_id"].encode()


def content(event: Event) -> tuple[Any, ...]:
    """All that an event says."""
    return tuple(event.get(column) if event.get(column) != "" else None for column in COLUMNS)


def once_each(events: Sequence[Event]) -> tuple[list[Event], set[tuple[str, str]]]:
    """Events with each identity once, and identities that came with different contents (all of those are out)."""
    contents: dict[tuple[str, str], set[tuple[Any, ...]]] = {}
    for event in events:
        contents.setdefault((event["rider_id"], event["event_id"]), set()).add(content(event))
    kept: dict[tuple[str, str], Event] = {}
    for event in events:
        identity = (event["rider_id"], event["event_id"])
        if len(contents[identity]) == 1:
            kept[identity] = event
    return list(kept.values()), {identity for identity, said in contents.items() if len(said) > 1}


def delivered_once(events: Sequence[Event]) -> tuple[list[Event], set[tuple[str, str]]]:
    """Events without later deliveries of an order that its rider has delivered, and the identities of those."""
    seen: set[tuple[str, str]] = set()
    again: set[tuple[str, str]] = set()
    for event in sorted(events, key=place):
        if event["kind"] != "delivered" or not event.get("order_id"):
            continue
        order = (event["rider_id"], event["order_id"])
        if order in seen:
            again.add((event["rider_id"], event["event_id"]))
        seen.add(order)
    return [event for event in events if (event["rider_id"], event["event_id"]) not in again], again


@dataclass
class History:
    """One rider's ordinary events as they now stand, and which appeals were upheld."""

    events: dict[str, Event]
    upheld: set[str] = field(default_factory=set)
    rejected: dict[str, str] = field(default_factory=dict)

    def original_of(self, event: Event, everything: Sequence[Event]) -> str | None:
        """The ordinary event that a reference means: a correction stands for what it corrects."""
        if not is_control(event):
            return str(event["event_id"])
        if event["kind"] == "appeal_upheld" or self.fault_of(event, everything):
            return None
        return self.original_of(named_by(event, everything), everything)

    def fault_of(self, control: Event, everything: Sequence[Event]) -> str | None:
        """Why a correction or appeal is rejected; None if it is good."""
        if control.get("ref_event_id") not in {event["event_id"] for event in everything}:
            return "ref_unknown"
        named = named_by(control, everything)
        if named is control:
            return "ref_unknown"
        if named["occurred_us"] > control["occurred_us"]:
            return "ref_later"
        return None if self.original_of(named, everything) else "ref_unknown"

    def apply(self, control: Event, everything: Sequence[Event]) -> str | None:
        """Let one correction or appeal take effect; the event it concerns, or None if it was rejected."""
        fault = self.fault_of(control, everything)
        if fault is not None:
            self.rejected[control["event_id"]] = fault
            return None
        original = self.original_of(named_by(control, everything), everything)
        assert original is not None
        if control["kind"] == "appeal_upheld":
            self.upheld.add(original)
        else:
            kept = {name: self.events[original].get(name) for name in KEPT_BY_CORRECTION}
            self.events[original] = {**control, **kept}
        return original


def named_by(control: Event, everything: Sequence[Event]) -> Event:
    """The event that a correction or appeal names."""
    return next(event for event in everything if event["event_id"] == control["ref_event_id"])


def is_control(event: Event) -> bool:
    return event["kind"] in ("correction", "appeal_upheld")


def by_rider(events: Sequence[Event]) -> dict[str, list[Event]]:
    riders: dict[str, list[Event]] = {}
    for event in sorted(events, key=place):
        riders.setdefault(event["rider_id"], []).append(event)
    return riders


def start_of(events: Sequence[Event]) -> tuple[History, list[Event]]:
    """The history before any correction, and the corrections and appeals in order."""
    ordinary = [event for event in events if not is_control(event)]
    history = History({event["event_id"]: event for event in ordinary})
    return history, [event for event in events if is_control(event)]


def outcomes(books: Sequence[BookDocument], events: Sequence[Event], as_of_us: int) -> dict[str, Outcome]:
    """What is in effect for every rider with at least one ordinary event."""
    found: dict[str, Outcome] = {}
    for rider, own in by_rider(delivered_once(once_each(events)[0])[0]).items():
        history, controls = start_of(own)
        for control in controls:
            history.apply(control, own)
        if history.events:
            upheld = frozenset(history.upheld)
            found[rider] = rider_outcome(books, list(history.events.values()), as_of_us, upheld)
    return found


def rejections(events: Sequence[Event]) -> dict[tuple[str, str], str]:
    """Why events are rejected, by (rider, event)."""
    kept, conflicts = once_each(events)
    kept, again = delivered_once(kept)
    reasons = dict.fromkeys(conflicts, "duplicate_conflict") | dict.fromkeys(again, "duplicate_order")
    for rider, own in by_rider(kept).items():
        history, controls = start_of(own)
        for control in controls:
            history.apply(control, own)
        reasons |= {(rider, event_id): reason for event_id, reason in history.rejected.items()}
    return reasons


@dataclass(frozen=True)
class Written:
    """A row of the ledger: the entry it concerns, and whether it enters, reverses or re-enters it."""

    kind: str
    line: Line
    cause_event_id: str

    @property
    def delta_mp(self) -> int:
        return -self.line.delta_mp if self.kind == "reverse" else self.line.delta_mp

    @property
    def money_fen(self) -> int:
        return -self.line.money_fen if self.kind == "reverse" else self.line.money_fen


def lines_until(books: Sequence[BookDocument], history: History, us: int) -> list[Line]:
    """Entries in effect of the events up to an instant, with all that is due by then."""
    events = sorted(history.events.values(), key=place)
    fold = Fold(books, events, frozenset(history.upheld))
    for event in events:
        if event["occurred_us"] <= us:
            fold.before(event)
            fold.score_event(event)
    if fold.book is not None:
        fold.due_until(us)
    return fold.lines


def written(books: Sequence[BookDocument], events: Sequence[Event], as_of_us: int) -> dict[str, list[Written]]:
    """The ledger of one run from nothing, by rider."""
    ledgers: dict[str, list[Written]] = {}
    for rider, own in by_rider(delivered_once(once_each(events)[0])[0]).items():
        history, controls = start_of(own)
        rows: list[Written] = []
        ledgers[rider] = rows
        in_effect: list[Line] = []
        for control in controls:
            us = control["occurred_us"]
            now = lines_until(books, history, us)
            rows += [Written(line.kind, line, "") for line in now[len(in_effect) :]]
            ref = history.apply(control, own)
            in_effect = lines_until(books, history, us)
            if ref is not None:
                rows += changed(now, in_effect, ref, control["event_id"])
        last = lines_until(books, history, as_of_us)
        rows += [Written(line.kind, line, "") for line in last[len(in_effect) :]]
    return ledgers


def changed(old: list[Line], new: list[Line], ref: str, cause: str) -> list[Written]:
    """Entries that differ, and all of the event concerned: the old ones reversed, the new ones re-entered."""
    same = Counter(old) & Counter(new)
    same = Counter({line: count for line, count in same.items() if line.event_id != ref})
    gone = Counter(old) - same
    come = Counter(new) - same
    rows = [Written("reverse", line, cause) for line in reversed(old) if take(gone, line)]
    return rows + [Written("reenter", line, cause) for line in new if take(come, line)]


def take(counted: Counter[Line], line: Line) -> bool:
    """Whether one of the counted is left; it is then used up."""
    if counted[line] == 0:
        return False
    counted[line] -= 1
    return True
