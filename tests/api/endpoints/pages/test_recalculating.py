"""Lists of entries and case files say what is being recalculated, in both languages, until it is entered."""

import pytest
from sqlalchemy import select

from api.db.store import Store
from api.db.tables import entries
from api.decisions import appeals
from api.decisions.reviews import REVIEWS
from rules.text import LANGS, Lang, text
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.endpoints.pages.conftest import SignIn
from tests.api.ledger.posts import START_US, later, post, publish_books, replay_all
from tests.builders import DAY_US, HOUR_US, book, correction, delivered

TIERS = [
    {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
    {"id": "ok", "title": {"zh": "好", "en": "OK"}, "from": 69},
]
BOOK = book(tier=TIERS)


@pytest.fixture
def case(store: Store, clock: Clock) -> dict[str, str]:
    """A rider in a tier that asks for a review, whose second order is appealed and whose first is corrected late."""
    publish_books(store, [BOOK])
    events = later([delivered("e1", late_min=9), delivered("e2", at_min=60, late_min=9)])
    post(store, events, BOOK.id)
    with store.writing(START_US + 2 * HOUR_US) as unit:
        own = (entries.c.event_id == "e2", entries.c.kind == "deduct")
        entry_id = str(unit.connection.scalar(select(entries.c.entry_id).where(*own)))
        filed, _ = appeals.file_appeal(unit, "r1", entry_id, "other", "why", None, "rider:r1")
        review = REVIEWS.of_rider(unit, "r1")[0].review_id
    clock.now_us = START_US + 9 * DAY_US
    fix = correction("fix", events[0], assess_deadline_us=events[0]["occurred_us"]) | {"occurred_us": clock()}
    assert [answer.status for answer in post(store, [fix], BOOK.id, clock())] == ["accepted"]
    return {"entry": entry_id, "appeal": filed.appeal_id, "review": review}


@pytest.mark.parametrize("lang", LANGS)
def test_lists_and_case_files_say_so(
    sign_in: SignIn, bearer: Bearer, store: Store, clock: Clock, case: dict[str, str], lang: Lang
) -> None:
    """The rider's list above it and at each entry, the case files of operations, the list of the API; afterwards none."""
    above, mark, entry = (text(lang, f"recalculating.{name}") for name in ("list", "mark", "entry"))
    said = {"Accept-Language": lang}
    pages = {
        ("rider", "r1"): {"/rider/entries": (above, f"<b>{mark}</b>"), "/rider": (f"<b>{mark}</b>",)},
        ("ops", "li.na"): {
            f"/console/reviews/{case['review']}": (above, f"<b>{mark}</b>"),
            f"/console/appeals/{case['appeal']}": (entry,),
        },
    }

    def shown() -> list[bool]:
        found = []
        for (role, subject), paths in pages.items():
            client = sign_in(role, subject)
            for path, words in paths.items():
                page = client.get(path, params={"lang": lang})
                assert page.status_code == 200
                found += [phrase in page.text for phrase in words]
        page = client.get("/v1/riders/r1/entries", headers=said | bearer("rider", "r1")).json()
        found += [
            (page["recalculating"] or {}).get("words") == above,
            all(one["recalculating"] for one in page["items"]),
        ]
        return found

    assert all(shown())
    replay_all(store, clock())
    after = shown()
    # What is entered about old orders stands in the list, and nothing waits.
    assert not any(after)
