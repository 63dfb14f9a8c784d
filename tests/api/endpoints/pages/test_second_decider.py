"""Two people decide one case: the second reads who was first and finds their own words on the page."""

import html

import pytest
from sqlalchemy import select

from api.books import approvals, in_force
from api.db.store import Store
from api.db.tables import entries
from api.decisions import appeals, reviews
from api.decisions.reviews import REVIEWS
from tests.api.books.worlds import CAI, NOW_US, enact, said_yes, submitted, version
from tests.api.endpoints.conftest import Clock
from tests.api.endpoints.pages.conftest import HERE, SignIn, token_of
from tests.api.ledger.posts import START_US, later, post, publish
from tests.builders import HOUR_US, delivered

BOOK = "meituan-anzhun"
WORDS = "我看了照片 <和> 记录"


@pytest.fixture
def clock() -> Clock:
    """An hour after the deliveries."""
    return Clock(START_US + HOUR_US)


def low(store: Store) -> None:
    """A rider whose score asks for a review."""
    publish(store, BOOK)
    rows = [delivered(f"e{k}", at_min=5 * k, late_min=30, city="hangzhou") for k in range(4)]
    post(store, later(rows), BOOK)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_second_answer_to_an_appeal_comes_back_to_its_writer(store: Store, sign_in: SignIn, lang: str) -> None:
    """The page says who answered first and what, and holds the words that were not saved."""
    low(store)
    with store.writing(START_US + HOUR_US) as unit:
        entry = str(unit.connection.scalar(select(entries.c.entry_id).where(entries.c.kind == "deduct")))
        filed, _ = appeals.file_appeal(unit, "r1", entry, "not_late", "on time", None, "rider:r1")
        law = in_force.rules_in_force(unit, BOOK)
        appeals.decide_appeal(unit, law, filed.appeal_id, False, "record_confirmed", "checked", "ops:li.na")
    client = sign_in("ops", "wu")

    form = {"form_token": token_of(client), "answer": "upheld:goodwill", "reason": WORDS}
    answer = client.post(f"/console/appeals/{filed.appeal_id}?lang={lang}", data=form, headers=HERE)

    assert answer.status_code == 422
    assert "ops:li.na" in answer.text
    assert {"zh": "已先由 ops:li.na 在", "en": "answered first by ops:li.na, at"}[lang] in html.unescape(answer.text)
    assert f">{html.escape(WORDS)}</textarea>" in answer.text


def test_a_second_decision_on_a_review_comes_back_to_its_writer(store: Store, sign_in: SignIn) -> None:
    """The same for a review, and for a suspension that another has ended."""
    low(store)
    with store.reading() as unit:
        (found,) = REVIEWS.page(unit, "open").items
    with store.writing(START_US + HOUR_US) as unit:
        reviews.decide_review(unit, found.review_id, "suspend", "danger", "ops:li.na", None, True)
    client = sign_in("ops", "wu")
    path = f"/console/reviews/{found.review_id}"

    form = {"form_token": token_of(client), "outcome": "warning", "reason": WORDS}
    second = client.post(path, data=form, headers=HERE)
    with store.writing(START_US + HOUR_US) as unit:
        reviews.lift_suspension(unit, found.review_id, "spoken to", "ops:zhang")
    ended = client.post(f"{path}/lift", data=form | {"outcome": ""}, headers=HERE)

    for answer, who in ((second, "ops:li.na"), (ended, "ops:zhang")):
        assert answer.status_code == 422
        assert who in answer.text
        assert f">{html.escape(WORDS)}</textarea>" in answer.text


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("first", ["approved", "rejected"])
def test_a_second_answer_to_a_draft_comes_back_to_its_writer(
    store: Store, sign_in: SignIn, clock: Clock, verb: str, first: str
) -> None:
    """The page says which approver was first and what they said, and holds the words that were not saved."""
    clock.now_us = NOW_US
    enact(store, version())
    with store.writing(NOW_US) as unit:
        draft = submitted(unit)
    seen = {"etag": draft.etag, "content_digest": draft.content_digest}
    with store.writing(NOW_US) as unit:
        if first == "approved":
            said_yes(unit, draft)
        else:
            approvals.reject(
                unit, CAI, draft.draft_id, draft.etag, content_digest=draft.content_digest, reason="no, cai"
            )
    client = sign_in("approver", "dai")

    form = seen | {"form_token": token_of(client), "reason": WORDS}
    answer = client.post(f"/console/approvals/{draft.draft_id}/{verb}?lang=en", data=form, headers=HERE)

    assert answer.status_code == 409
    page = html.unescape(answer.text)
    assert {"approved": "approved this draft first", "rejected": "sent this draft back first"}[first] in page
    assert "cai" in page
    assert {"approved": "read it", "rejected": "no, cai"}[first] in page
    assert f">{html.escape(WORDS)}</textarea>" in answer.text
    assert "ETag" not in page
