"""Every page that shows a rule book, for every book that is shipped, and for books that say no more than they must."""

import datetime as dt
from typing import Any

import pytest

from api.books import drafts, in_force
from api.db.store import Store
from api.endpoints.books.columns import PARTS
from rules.book import Book
from rules.deployment import Deploy
from rules.parse import book_of
from rules.shelf import shipped, versions
from rules.text import LANGS
from tests.api.books.worlds import ANN
from tests.api.endpoints.conftest import Clock
from tests.api.endpoints.pages.conftest import SignIn
from tests.api.law import seed_in_force
from tests.api.ledger.posts import START_US, later, lines_of, post
from tests.builders import DAY_US, delivered

pytestmark = pytest.mark.slow

ROLES = ("ops", "approver", "policy")
# What a book may leave out.
LEFT_OUT = frozenset({"source", "confidence", "note", "announced", "publication"})


def bare(book: Book) -> Book:
    """A later version of a book without all that may be left out; optional titles too."""

    def shorn(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shorn(inner) for name, inner in value.items() if name not in LEFT_OUT}
        return [shorn(inner) for inner in value] if isinstance(value, list) else value

    document = shorn(book.document)
    for part in ("cap", "group"):
        for row in document.get(part, []):
            row.pop("title", None)
    for rule in document["rule"]:
        for example in rule.get("example", []):
            example.pop("title", None)
    document["effective_from"] = book.model.effective_from + dt.timedelta(days=1)
    return book_of(document, f"{book.id}.toml")


@pytest.fixture
def shelf(store: Store) -> dict[str, list[Book]]:
    """All shipped books and their bare versions, in the database."""
    with store.writing(START_US) as unit:
        seed_in_force(unit)
        found = {book_id: list(versions(book_id)) for book_id in shipped()}
        for kept in found.values():
            later = bare(kept[-1])
            in_force.publish(unit, [*kept, later])
            kept.append(later)
    return found


@pytest.fixture
def clock() -> Clock:
    """Every version is in force."""
    return Clock(START_US)


@pytest.mark.parametrize("role", ROLES)
def test_every_version_of_every_book_has_a_page(shelf: dict[str, list[Book]], sign_in: SignIn, role: str) -> None:
    """In both languages, against each other version, as a file of either kind."""
    client = sign_in(role)
    faults = []
    for book_id, found in shelf.items():
        digests = [book.digest for book in found]
        paths = [f"/console/books/{book_id}", *(f"/console/books/{book_id}?version={one}" for one in digests)]
        paths.append(f"/console/books/{book_id}?version={digests[0]}&before={digests[-1]}")
        paths += [f"/console/books/{book_id}/{one}.{kind}" for one in digests for kind in ("toml", "xlsx")]
        for path in paths:
            for lang in LANGS:
                answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}")
                faults += [(path, lang)] if answer.status_code != 200 else []

    assert not faults


def test_every_book_can_be_drafted(shelf: dict[str, list[Book]], store: Store, sign_in: SignIn) -> None:
    """Each table of a draft from each version, its files, its impact and approval pages, for all who may read them."""
    made = []
    for found in shelf.values():
        for book in found:
            if book.model.regime != "legacy":
                with store.writing(START_US) as unit:
                    made.append(drafts.draft_from_version(unit, ANN, book.digest).draft_id)
    faults = []
    for role in ROLES:
        client = sign_in(role, "ann" if role == "ops" else "")
        for draft in made if role == "ops" else made[:1]:
            own = f"/console/drafts/{draft}"
            paths = [f"{own}?part={part}" for part in PARTS] + [f"{own}/rule.csv?"]
            paths += [f"{own}/book.xlsx?", f"{own}/book.toml?", f"{own}/impact?", f"/console/approvals/{draft}?"]
            for path in paths:
                for lang in LANGS if role == "ops" else LANGS[:1]:
                    status = client.get(f"{path}&lang={lang}").status_code
                    faults += [(role, path, lang, status)] if status not in (200, 303) else []

    assert not faults


@pytest.mark.parametrize("book_id", [name for name in shipped() if name != "legacy-fine"])
def test_riders_read_every_book(
    shelf: dict[str, list[Book]], store: Store, sign_in: SignIn, clock: Clock, book_id: str
) -> None:
    """The page of a rider who is judged by it, their entries, and how each of them came about, in both languages."""
    kind = shelf[book_id][-1].model.rider_kinds[0]
    row = {
        "city": "lhasa", "rider_kind": kind, "book": book_id, "from": dt.date(2026, 1, 2), "source": "test",
        "confidence": "ours",
    }  # fmt: skip
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row)])
    own = {"rider_id": "r1", "city": "lhasa", "rider_kind": kind}
    rows = later([delivered(f"e{k}", at_min=k * 60, late_min=k * 4, **own) for k in range(4)])
    post(store, rows, book_id)
    clock.now_us = START_US + DAY_US
    client = sign_in("rider", "r1")
    entries = [f"/rider/entries/{line['entry_id']}" for line in lines_of(store)]

    paths = [f"{path}?lang={lang}" for path in ("/rider", "/rider/entries", *entries) for lang in LANGS]
    faults = [path for path in paths if client.get(path).status_code != 200]

    assert entries
    assert not faults
