"""The changes of the rules that a rider is told of: when each begins, and its difference to the one before, in words."""

import datetime as dt
from dataclasses import dataclass

from api.books.draft_content import today_of
from api.books.in_force import RulesInForce
from api.books.places import BookPlace, judging
from api.books.planned_changes import RulesAhead, coming, plan_of
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.words import Translated, translated
from rules.book import Bilingual, Book, BookDocument
from rules.diff import Change, describe_for_riders, diff
from rules.text import text


@dataclass(frozen=True, slots=True)
class RulesChange:
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
    title: Translated
    changes: tuple[Translated, ...]
    notice_waived: bool


def ahead_of(
    unit: ReadUnit | WriteUnit, rules: RulesInForce, city: str | None, rider_kind: str | None
) -> tuple[RulesAhead, BookPlace]:
    """All that is in force or to come, and a rider's place in it.

    Parameters
    ----------
    rules
        The rules in force.
    city, rider_kind
        The rider's; None where they are not known.

    Returns
    -------
    tuple of RulesAhead and BookPlace
        An empty place where one book is in force for everybody.
    """
    ahead, place = plan_of(unit).ahead, BookPlace(city or "", rider_kind or "")
    if (place.city, place.rider_kind) not in ahead.starts:
        # One book is in force for everybody.
        return RulesAhead(rules.books, rules.starts, (), {}), BookPlace("", "")
    return ahead, place


def changes_to_come(ahead: RulesAhead, place: BookPlace, book: Book, now_us: int) -> tuple[RulesChange, ...]:
    """Every book of a place that will come into force there, by time; each told from the one that it follows.

    Parameters
    ----------
    book
        The book that judged the rider last; an older one perhaps than what is in force in the place.
    now_us
        Changes after this instant, in microseconds UTC.

    Returns
    -------
    tuple of RulesChange
        By the instant at which each begins.
    """
    changes: list[RulesChange] = []
    for version in coming(ahead, place, now_us):
        if version.book.digest != book.digest:
            is_back = version.draft is not None and version.draft.rolls_back is not None
            changes.append(rules_change(version.before or book, version.from_us, version.book, is_back))
    return tuple(changes)


def next_order_judged_by(ahead: RulesAhead, place: BookPlace, book: Book, now_us: int) -> Translated | None:
    """That another book than `book`, which judged the rider last, judges the next order; None where none other does."""
    next_book = judging(ahead, place, now_us)
    if next_book is None or next_book.digest == book.digest:
        return None
    title, day = next_book.model.title, next_book.model.effective_from.isoformat()
    return translated(
        lambda lang: text(lang, "card.judged_next", book=title.zh if lang == "zh" else title.en, date=day)
    )


def rules_change(book: Book, from_us: int, coming: Book, notice_waived: bool) -> RulesChange:
    """A coming book compared with the one before it.

    Parameters
    ----------
    book
        The one before.
    from_us
        When the coming one begins to judge, in microseconds UTC.
    coming
        The one after.
    notice_waived
        Whether riders were promised more notice than they get.

    Returns
    -------
    RulesChange
        With each difference that riders are told of, in both languages.
    """
    model = coming.model
    return RulesChange(
        book_id=coming.id,
        digest=coming.digest,
        from_us=from_us,
        date=today_of(model, from_us),
        title=Translated(model.title.zh, model.title.en),
        changes=tuple(words for change in diff(book, coming) if (words := _words(change, book, coming)) is not None),
        notice_waived=notice_waived,
    )


def _words(change: Change, book: Book, coming: Book) -> Translated | None:
    title = _title(change, coming.model) or _title(change, book.model)
    zh = describe_for_riders(change, "zh", change.name if title is None else title.zh)
    en = describe_for_riders(change, "en", change.name if title is None else title.en)
    return None if zh is None or en is None else Translated(zh, en)


def _title(change: Change, model: BookDocument) -> Bilingual | None:
    """The title of the part that changes."""
    titles: dict[tuple[str, str], Bilingual | None] = {("rule", rule.id): rule.title for rule in model.rule}
    titles |= {("tier", tier.id): tier.title for tier in model.tier}
    titles |= {("cap", cap.id): cap.title for cap in model.cap}
    titles |= {("group", group.id): group.title for group in model.group}
    return titles.get((change.part, change.name))
