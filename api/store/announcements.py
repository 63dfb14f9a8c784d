"""The changes of the rules that a rider is told of: when each begins, and its difference to the one before, in words."""

import datetime as dt
from dataclasses import dataclass

from api.store.books import Law
from api.store.draft_content import sound
from api.store.draft_rows import draft_of
from api.store.said import Said
from api.store.scheduling import scheduled_for
from api.store.units import ReadUnit, WriteUnit
from rules.book import Bilingual, Book, BookDocument
from rules.calendar import calendar
from rules.diff import Change, diff, plainly


@dataclass(frozen=True, slots=True)
class Announced:
    """A rule book that will judge a rider's orders from an instant on, and what it changes.

    Parameters
    ----------
    notice_waived
        A roll-back: riders were promised more notice than they get.
    """

    book_id: str
    digest: str
    from_us: int
    date: dt.date
    title: Said
    changes: tuple[Said, ...]
    notice_waived: bool


def changes_to_come(
    unit: ReadUnit | WriteUnit, law: Law, city: str | None, rider_kind: str | None, book: Book, now_us: int
) -> tuple[Announced, ...]:
    """Every book of a place, stored or scheduled, that is not yet in force there, by time; each against the one before.

    Parameters
    ----------
    book
        The book in force, with which the first of them is compared.
    """
    place = (city or "", rider_kind or "")
    starts = law.schedule.rules.get(place, law.schedule.rules.get(("", ""), ()))
    coming = [(at_us, law.program.books[position], False) for at_us, position in starts if at_us > now_us]
    for said in scheduled_for(unit, now_us):
        if said.draft_id is None or (said.city, said.rider_kind) != place:
            continue
        drafted = sound(draft_of(unit, said.draft_id).document)
        coming += [] if drafted is None else [(said.effective_us, drafted, said.notice_waived)]
    found: list[Announced] = []
    before = book
    for from_us, after, notice_waived in sorted(coming, key=lambda one: one[0]):
        if after.digest != before.digest:
            found.append(announced(before, from_us, after, notice_waived))
            before = after
    return tuple(found)


def announced(book: Book, from_us: int, coming: Book, notice_waived: bool) -> Announced:
    """A coming book compared with the one before it."""
    model = coming.model
    return Announced(
        book_id=coming.id,
        digest=coming.digest,
        from_us=from_us,
        date=calendar(model.time_zone, model.day_starts).date_of(from_us),
        title=Said(model.title.zh, model.title.en),
        changes=tuple(said for change in diff(book, coming) if (said := _said(change, book, coming)) is not None),
        notice_waived=notice_waived,
    )


def _said(change: Change, book: Book, coming: Book) -> Said | None:
    title = _title(change, coming.model) or _title(change, book.model)
    zh = plainly(change, "zh", change.name if title is None else title.zh)
    en = plainly(change, "en", change.name if title is None else title.en)
    return None if zh is None or en is None else Said(zh, en)


def _title(change: Change, model: BookDocument) -> Bilingual | None:
    """The title of the part that changes."""
    titles: dict[tuple[str, str], Bilingual | None] = {("rule", rule.id): rule.title for rule in model.rule}
    titles |= {("tier", tier.id): tier.title for tier in model.tier}
    titles |= {("cap", cap.id): cap.title for cap in model.cap}
    titles |= {("group", group.id): group.title for group in model.group}
    return titles.get((change.part, change.name))
