"""What changed between two books, by part and id, in words and for machines.

Compares what the documents mean, not how they are written: defaults spelled out, other spellings of a number and the
order of keys are no change; the order of rules is, since the first match wins.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

from rules.book import Bilingual, Book, DistanceRange, ExampleFacts, Expect, LatenessRange, TimeRange, WholeRange
from rules.json_form import to_json
from rules.text import Lang, in_language, text
from rules.units import MP_PER_POINT, exact, signed_points_text, yuan_text
from rules.validation import as_written, unit_of

# What people look for first comes first.
LISTS = ("rule", "cap", "tier", "report", "group")
_RANGES = (LatenessRange, DistanceRange, WholeRange, TimeRange)
_CHOICES = (
    "kind",
    "kinds",
    "rider_kind",
    "rider_kinds",
    "party",
    "liable",
    "reports",
    "regime",
    "lateness",
    "unknown_kitchen",
    "hit",
    "scope",
    "every",
    "on_timeout",
    "decided_by",
)
_POINT_KEYS = ("points", "net_points")

# Money of a book is written in fen and read in yuan.
_YUAN_KEYS = {"money_fen": "money_yuan", "bonus_fen": "bonus_yuan", "fee_fen": "fee_yuan"}
Leaves = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two books; None stands for what is not there.

    Parameters
    ----------
    kind
        What happened.
    part
        `rule`, `cap`, `tier`, `report` or `group`; empty for the book itself.
    name
        Id of the part; empty for the book itself.
    key
        Dotted key of the value; empty where a whole part came, went or moved.
    before
        Value as a person writes it (points, minutes, kilometres); of a part that went all its values.
    after
        The same afterwards.
    effective_from
        Day from which the later book holds.
    """

    kind: Literal["added", "removed", "changed", "moved"]
    part: str
    name: str
    key: str
    before: Any
    after: Any
    effective_from: dt.date

    def as_dict(self) -> dict[str, Any]:
        """The change for machines: values as in the JSON form of a book."""
        return {
            "kind": self.kind,
            "part": self.part,
            "id": self.name,
            "key": self.key,
            "before": to_json(self.before),
            "after": to_json(self.after),
            "effective_from": self.effective_from.isoformat(),
        }

    def describe(self, lang: Lang) -> str:
        """One line, such as `late_5: −1 → −2 points, from 2026-01-01`."""
        values = self.after if self.kind == "added" else self.before
        if self.kind in ("added", "removed"):
            summary = text(lang, "diff.between").join(
                _labelled(lang, key, value) for key, value in values.items() if key in _SUMMARY_KEYS
            )
            part = text(lang, f"part.{self.part}")
            key = f"diff.{self.kind}" + ("" if summary else "_bare")
            return text(lang, key, name=self.name, part=part, summary=summary, date=self.effective_from)
        if self.key == "example":
            which = _worded(lang, self.key, _touched(self.before or [], self.after or []))
            return text(lang, "diff.examples", name=self.name, which=which, date=self.effective_from)
        template = "diff.points" if self.key == "points" else "diff.changed" if self.name else "diff.book"
        if self.kind == "moved":
            template = "diff.moved"
        return text(
            lang,
            template,
            name=self.name,
            part=text(lang, f"part.{self.part}") if self.part else "",
            key=_label(lang, self.key) if self.key else "",
            before=_worded(lang, self.key, self.before),
            after=_worded(lang, self.key, self.after),
            date=self.effective_from,
        )


def _touched(before: list[Leaves], after: list[Leaves]) -> list[Leaves]:
    """Examples that are not on both sides as they are, once for each title."""
    changed = [item for item in (*after, *before) if item not in before or item not in after]
    return list({str(item.get("title", item)): item for item in reversed(changed)}.values())[::-1]


# What is worth telling of a part that appears or goes.
_SUMMARY_KEYS = (
    "points",
    "points_slide",
    "fee_share",
    "money_fen",
    "max_deduct",
    "max_award",
    "above",
    "from",
    "exempt",
    "gives_back_min",
)


# What concerns who writes a book rather than whom it judges.
_FOR_WRITERS = frozenset(
    ("id", "title", "example", "source", "confidence", "note", "announced", "effective_from", "publication")
)


def describe_for_riders(change: Change, lang: Lang, title: str) -> str | None:
    """A change for those whom the book judges; None for what is about the document only.

    Parameters
    ----------
    change
        One difference.
    lang
        `zh` or `en`.
    title
        Of the part that changes, in the same language; empty for the book itself.

    Returns
    -------
    str or None
        One sentence.
    """
    if not _FOR_WRITERS.isdisjoint(change.key.split(".")):
        return None
    part = text(lang, f"part.{change.part}") if change.part else ""
    if change.kind == "moved":
        return text(lang, "diff.plain_moved", part=part)
    if change.kind in ("added", "removed"):
        values = change.after if change.kind == "added" else change.before
        summaries = [_labelled(lang, key, value) for key, value in values.items() if key in _SUMMARY_KEYS]
        words = {"title": title, "part": part, "summary": text(lang, "diff.between").join(summaries)}
        return text(lang, f"diff.plain_{change.kind}" + ("" if summaries else "_bare"), **words)
    key = "diff.plain_points" if change.key == "points" else "diff.plain_part" if change.name else "diff.plain_book"
    before, after = (_worded(lang, change.key, value) for value in (change.before, change.after))
    return text(lang, key, title=title, key=_label(lang, change.key), before=before, after=after)


def diff(before: Book, after: Book) -> tuple[Change, ...]:
    """All changes from one book to another; none for books that say the same.

    Parameters
    ----------
    before
        The earlier book.
    after
        The later one; its day is that of every change.

    Returns
    -------
    tuple of Change
        Rules first, then caps, tiers, reports, groups, and the book's own values.
    """
    since = after.model.effective_from
    changes: list[Change] = []
    for part in LISTS:
        changes += _list_changes(part, _parts(before, part), _parts(after, part), since)
    own_before, own_after = _book_leaves(before), _book_leaves(after)
    changes += _leaf_changes("", "", own_before, own_after, since)
    return tuple(changes)


def _list_changes(part: str, before: dict[str, Leaves], after: dict[str, Leaves], since: dt.date) -> Iterator[Change]:
    for name, leaves in before.items():
        if name not in after:
            yield Change("removed", part, name, "", leaves, None, since)
        else:
            yield from _leaf_changes(part, name, leaves, after[name], since)
    for name, leaves in after.items():
        if name not in before:
            yield Change("added", part, name, "", None, leaves, since)
    kept_before = [name for name in before if name in after]
    kept_after = [name for name in after if name in before]
    if kept_before != kept_after:
        yield Change("moved", part, "", "", kept_before, kept_after, since)


def _leaf_changes(part: str, name: str, before: Leaves, after: Leaves, since: dt.date) -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield Change("changed", part, name, key, before.get(key), after.get(key), since)


def _parts(book: Book, part: str) -> dict[str, Leaves]:
    """The items of a list by id; a report goes by its kind and level."""
    parts: dict[str, Leaves] = {}
    for item in getattr(book.model, part):
        leaves = leaves_of(item)
        if part == "report":
            level = leaves.pop("level_from")
            name = str(leaves.pop("kind")) + (f"/{level}" if level else "")
        else:
            name = str(leaves.pop("id"))
        parts[name] = leaves
    return parts


def _book_leaves(book: Book) -> Leaves:
    return leaves_of(book.model, skip=LISTS)


def leaves_of(part: BaseModel, skip: tuple[str, ...] = (), prefix: str = "") -> Leaves:
    """Every value of a part under its dotted key, in the units it is written in; ranges and texts stay whole.

    Parameters
    ----------
    part
        A part of a book.
    skip
        Keys that are left out.
    prefix
        Stands before each key.

    Returns
    -------
    dict
        Dotted keys to values in points, minutes, kilometres and shares.
    """
    values: Leaves = {}
    for name, field in type(part).model_fields.items():
        key = field.alias or name
        value = getattr(part, name)
        if value is None or value == () or key in skip:
            continue
        if isinstance(part, ExampleFacts | Expect) and value == field.default:
            continue
        if isinstance(value, (*_RANGES, Bilingual)):
            values[prefix + key] = leaves_of(value)
        elif isinstance(value, BaseModel):
            values |= leaves_of(value, prefix=f"{prefix}{key}.")
        elif isinstance(value, tuple):
            values[prefix + key] = [leaves_of(item) if isinstance(item, BaseModel) else item for item in value]
        else:
            scale, _ = unit_of(field)
            values[prefix + key] = value if scale == 1 else _written(value, scale)
    return values


def _written(held: int, scale: int) -> Decimal | int:
    value = Decimal(held) / scale
    return int(value) if value == value.to_integral_value() else value.normalize()


def _label(lang: Lang, key: str) -> str:
    """The dotted key in the words of the trade."""
    steps = [_YUAN_KEYS.get(step, step) for step in key.split(".") if step != "when"]
    return text(lang, "diff.of").join(text(lang, f"key.{step}") for step in steps)


def _labelled(lang: Lang, key: str, value: Any) -> str:
    return text(lang, "diff.labelled", key=_label(lang, key), value=_worded(lang, key, value))


def _worded(lang: Lang, key: str, value: Any) -> str:
    if value is None:
        return text(lang, "diff.none")
    if isinstance(value, bool):
        return text(lang, "diff.yes" if value else "diff.no")
    if isinstance(value, dict):
        if set(value) == {"zh", "en"}:
            return str(value[lang])
        if "late_min" in value and set(value) < {"late_min", "points", "share"}:
            (key,) = set(value) - {"late_min"}
            return text(lang, "diff.corner", late=value["late_min"], value=_worded(lang, key, value[key]))
        if isinstance(value.get("title"), str):
            return in_language(value["title"], lang)
        return text(lang, "diff.between").join(_labelled(lang, step, item) for step, item in value.items())
    if isinstance(value, list):
        return text(lang, "diff.between").join(
            f"({_worded(lang, key, item)})" if isinstance(item, dict) else _worded(lang, key, item) for item in value
        )
    if key.rsplit(".", 1)[-1] in _POINT_KEYS:
        return signed_points_text(exact(value, MP_PER_POINT))
    if key.rsplit(".", 1)[-1] in _YUAN_KEYS:
        return yuan_text(value)
    if isinstance(value, str):
        # Only words of a closed set have a translation; a person's own text stands as it is.
        return text(lang, f"word.{value}") if key.rsplit(".", 1)[-1] in _CHOICES else value
    return as_written(value)
