"""Approved changes on their way into force: scheduled, announced to riders, put in force at their instant.

`activate_due` runs in every unit that is about to post, before the law is read: an event is never judged by a law
that has ended, whoever was asleep at the instant. A change whose base has moved is suspended, and tells.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqlalchemy import select

from api.store.acting import Acting, need_reason
from api.store.books import Law, deploy, hold_law, law_of, publish
from api.store.checking import LEAD_US, Checked, check_draft, conflicts
from api.store.draft_content import sound, stored_document
from api.store.draft_rows import Draft, change, draft_of, held, need_state, tell
from api.store.drafts import law_or_none
from api.store.outbox import Message, announce, iso
from api.store.places import Place, judging, places, stretches
from api.store.refusals import Refused
from api.store.said import both
from api.store.tables import draft_revisions, drafts
from api.store.units import ReadUnit, WriteUnit
from rules.book import Bilingual, Book
from rules.compile import start_us
from rules.deployment import Deploy
from rules.errors import BookError, Fault
from rules.text import Lang, text


@dataclass(frozen=True, slots=True)
class Activated:
    """What became of a change whose time had come; `conflicts` says why it was suspended, if it was."""

    draft_id: str
    digest: str
    conflicts: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Announced:
    """The next change for riders of a kind in a city.

    Parameters
    ----------
    draft_id
        The change; None for a version that is in the store already.
    restores
        For a roll-back, the version whose content it brings back; its notice is waived.
    """

    city: str
    rider_kind: str
    book_id: str
    digest: str
    title: Bilingual
    effective_us: int
    effective_from: date
    draft_id: str | None
    restores: str | None

    @property
    def notice_waived(self) -> bool:
        """Whether riders were promised more notice than they get."""
        return self.restores is not None


@dataclass(frozen=True, slots=True)
class _Clock:
    """Who acts where nobody does."""

    subject: str = "schedule"
    name: str = "service:schedule"
    cities: tuple[str, ...] = ()


def schedule(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None) -> Draft:
    """Let an approved draft take effect on the day that its document names.

    Raises
    ------
    Refused
        `draft_state`, `schedule_refused` (notice has run out meanwhile, the base has moved, …).
    """
    draft = held(unit, who, draft_id, etag)
    need_state(draft, "approved")
    return put_on_schedule(unit, who, draft)


def put_on_schedule(unit: WriteUnit, who: Acting, draft: Draft) -> Draft:
    """Schedule a held draft that is approved."""
    checked = check_draft(unit, draft, unit.recorded_us)
    book = checked.book
    if book is None or not checked.can_submit:
        raise Refused("schedule_refused", faults=both(lambda lang: _told(checked, lang)))
    at_us = start_us(book.model)
    changed = change(unit, draft, "scheduled", effective_us=at_us, book_digest=book.digest)
    day = book.model.effective_from.isoformat()
    tell(unit, who, changed, "draft_scheduled", effective_from=day, restores=draft.rolls_back)
    announce(unit, _messages("book.scheduled", changed, book))
    return changed


def cancel(unit: WriteUnit, who: Acting, draft_id: str, etag: str | None, reason: str) -> Draft:
    """Take a scheduled draft off the schedule; it stays approved as long as nobody edits it."""
    draft = held(unit, who, draft_id, etag)
    why = need_reason(reason)
    need_state(draft, "scheduled")
    changed = change(unit, draft, "approved", effective_us=None)
    tell(unit, who, changed, "draft_cancelled", reason=why)
    return changed


def _messages(kind: str, draft: Draft, book: Book, **more: object) -> Iterable[Message]:
    """One message a city, for whoever listens to it."""
    for city in sorted(draft.cities):
        data = {
            "draft_id": draft.draft_id,
            "book_id": book.id,
            "book_digest": book.digest,
            "city": city,
            "rider_kinds": [place.rider_kind for place in draft.places if place.city == city],
            "effective_at": iso(start_us(book.model)),
        }
        yield Message(kind, data | more, city=city)  # type: ignore[arg-type]


def activate_due(unit: WriteUnit) -> tuple[Activated, ...]:
    """Put in force what is due, a little before its instant; cheap when nothing is.

    Runs before the law is read and before riders are locked. Two that find the same change due take turns.
    """
    due = select(drafts.c.draft_id).where(
        drafts.c.state == "scheduled", drafts.c.effective_us <= unit.recorded_us + LEAD_US
    )
    if unit.connection.execute(due.limit(1)).first() is None:
        return ()
    hold_law(unit)
    in_order = due.order_by(drafts.c.effective_us, drafts.c.draft_id).with_for_update()
    return tuple(_activate(unit, draft_of(unit, draft_id)) for draft_id in list(unit.connection.scalars(in_order)))


def law_in_force(unit: WriteUnit) -> Law:
    """The law for whoever is about to post: what is due is put in force first.

    Raises
    ------
    BookError
        If no book is stored.
    """
    activate_due(unit)
    return law_of(unit)


def _activate(unit: WriteUnit, draft: Draft) -> Activated:
    book = sound(draft.document)
    if book is None:
        return _suspend(unit, draft, None, (Fault("book_unreadable", draft.draft_id),))
    law = law_or_none(unit)
    found = conflicts(law, draft, book)
    if not found:
        # Where the book is in force already, its newest version follows by itself.
        at_us = start_us(book.model)
        new = []
        for place in draft.places:
            now = None if law is None else judging(law, place, at_us)
            if now is None or now.id != book.id:
                new.append(_deployed(place, draft, book))
        try:
            with unit.connection.begin_nested():
                publish(unit, [book])
                deploy(unit, new)
        except BookError as error:
            found = error.faults
    if found:
        return _suspend(unit, draft, book, found)
    changed = change(unit, draft, "in_force", book_digest=book.digest)
    tell(unit, _Clock(), changed, "draft_in_force", book_digest=book.digest, restores=draft.rolls_back)
    return Activated(draft.draft_id, book.digest, ())


def _deployed(place: Place, draft: Draft, book: Book) -> Deploy:
    return Deploy.model_validate(
        {
            "city": place.city,
            "rider_kind": place.rider_kind,
            "book": book.id,
            "from": book.model.effective_from,
            "source": f"draft {draft.draft_id}",
            "confidence": "ours",
        }
    )


def _suspend(unit: WriteUnit, draft: Draft, book: Book | None, found: tuple[Fault, ...]) -> Activated:
    """Keep a change out of force, with the reason where people look."""
    reasons = [{"code": fault.code, "given": fault.given, "allowed": fault.allowed} for fault in found]
    detail = json.dumps({"conflicts": reasons}, ensure_ascii=False)
    changed = change(unit, draft, "suspended", effective_us=None, detail=detail)
    tell(unit, _Clock(), changed, "draft_suspended", conflicts=reasons)
    if book is not None:
        announce(unit, _messages("book.suspended", changed, book, conflicts=reasons))
    return Activated(draft.draft_id, draft.book_digest or "", found)


def announced_changes(unit: ReadUnit | WriteUnit, after_us: int) -> Mapping[tuple[str, str], Announced]:
    """For each city and kind of riders the next change after an instant."""
    found: dict[tuple[str, str], Announced] = {}
    for one in (*_scheduled(unit, after_us), *_published(unit, after_us)):
        key = (one.city, one.rider_kind)
        if key not in found or one.effective_us < found[key].effective_us:
            found[key] = one
    return found


def announced_change(unit: ReadUnit | WriteUnit, city: str, rider_kind: str, after_us: int) -> Announced | None:
    """The next change for riders of a kind in a city after an instant."""
    return announced_changes(unit, after_us).get((city, rider_kind))


def scheduled_for(unit: ReadUnit | WriteUnit, after_us: int) -> tuple[Announced, ...]:
    """Every change to come, by time."""
    found = [*_scheduled(unit, after_us), *_published(unit, after_us)]
    return tuple(sorted(found, key=lambda one: (one.effective_us, one.city, one.rider_kind)))


def _scheduled(unit: ReadUnit | WriteUnit, after_us: int) -> Iterable[Announced]:
    joined = drafts.join(
        draft_revisions,
        (draft_revisions.c.draft_id == drafts.c.draft_id) & (draft_revisions.c.revision == drafts.c.revision),
    )
    columns = (drafts.c.draft_id, drafts.c.targets, drafts.c.effective_us, drafts.c.book_digest, drafts.c.rolls_back)
    query = select(*columns, draft_revisions.c.document).select_from(joined)
    for row in unit.connection.execute(query.where(drafts.c.state == "scheduled", drafts.c.effective_us > after_us)):
        book_id, title, day = _headings(row.document)
        for target in json.loads(row.targets):
            yield Announced(
                target["city"], target["rider_kind"], book_id, row.book_digest, title, row.effective_us, day,
                row.draft_id, row.rolls_back,
            )  # fmt: skip


@lru_cache(256)
def _headings(toml: str) -> tuple[str, Bilingual, date]:
    """Id, title and first day of a stored document that was found sound."""
    document = stored_document(toml)
    return document["id"], Bilingual.model_validate(document["title"]), document["effective_from"]


def _published(unit: ReadUnit | WriteUnit, after_us: int) -> Iterable[Announced]:
    """Versions in the store that are not in force yet."""
    law = law_or_none(unit)
    if law is None:
        return
    for place in places(law):
        for stretch in stretches(law, place):
            if stretch.from_us > after_us:
                model = stretch.book.model
                yield Announced(
                    place.city, place.rider_kind, model.id, stretch.book.digest, model.title, stretch.from_us,
                    model.effective_from, None, None,
                )  # fmt: skip


def _told(checked: Checked, lang: Lang) -> str:
    """What stands in the way, each thing once."""
    said = dict.fromkeys(fault.told(lang)[0].rstrip("；;。. ") for fault in checked.errors)
    return text(lang, "refused.or").join(said)
