"""The entries that one transaction wrote: the answer to whoever posted the events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Line = Mapping[str, Any]


def by_event(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    """Entries by (rider, event); one that an event brought about in another stands under both."""
    found: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        rider, event, cause = line["rider_id"], line["event_id"], line["cause_event_id"]
        found[rider, event].append(line)
        if cause is not None and cause != event:
            found[rider, cause].append(line)
    return found
