"""Pages of drafts in process: who may do what, and what a change that was suspended says."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.access.sessions import begin_session
from api.app.create import create_app
from api.books.draft_rows import Draft, draft_of
from api.books.drafts import save_document
from api.books.scheduling import activate_due, schedule
from api.db.store import Store
from api.endpoints.common.typed_input import FORM_FIELD
from api.settings import Settings
from tests.api.books.worlds import ANN, BEN, NOW_US, approved, begun, enact, scheduled, submitted, version
from tests.api.endpoints.conftest import Clock
from tests.api.endpoints.pages.conftest import HERE, SignIn, token_of
from tests.builders import DAY_US

PAGES = ("/console/drafts/{}", "/console/drafts/{}/impact", "/console/approvals/{}", "/console/drafts/{}/book.xlsx")


@pytest.fixture
def clock() -> Clock:
    """The clock of the law that is changed here."""
    return Clock(NOW_US)


@pytest.fixture
def law(store: Store) -> Store:
    """One book in force in two cities."""
    enact(store, version())
    return store


def post(client: TestClient, path: str, **fields: str) -> Any:
    """A form of ours, sent."""
    return client.post(path, data={FORM_FIELD: token_of(client), **fields}, headers=HERE)


def begin(store: Store, make: Any = begun) -> Draft:
    """A draft of ann's."""
    with store.writing(NOW_US) as unit:
        return make(unit, ANN)


def test_a_suspended_change_says_why(law: Store, sign_in: SignIn) -> None:
    """Of two changes of one version the second no longer fits: its pages say so, and offer a way on."""
    with law.writing(NOW_US) as unit:
        first = scheduled(unit, ANN, points=-2)
        second = approved(unit, BEN, points=-3)
        second = schedule(unit, BEN, second.draft_id, second.etag, [first.draft_id])
    with law.writing(NOW_US + 20 * DAY_US) as unit:
        activate_due(unit)
        states = {draft_of(unit, draft.draft_id).state: draft.draft_id for draft in (first, second)}
    client = sign_in("ops", "ann")

    told = [client.get(path.format(states["suspended"])).text for path in PAGES[::2]]

    assert set(states) == {"in_force", "suspended"}
    for page in told:
        assert "这个改动已被暂停" in page
        assert states["in_force"] in page
        assert "杭州 · 众包" in page
    assert "/rebase" in told[0]
    assert 'name="act" value="save"' in told[0]


def test_changes_that_will_collide_are_told_before_their_day(law: Store, sign_in: SignIn) -> None:
    """Where another change is on schedule for the same places, author and approver read of it; alone they do not."""
    with law.writing(NOW_US) as unit:
        first = scheduled(unit, ANN, points=-2)
    client = sign_in("ops", "ann")
    alone = [client.get(path.format(first.draft_id)).text for path in PAGES[::2]]
    second = begin(law)

    told = [client.get(path.format(second.draft_id)).text for path in PAGES[::2]]

    assert [f'href="/console/approvals/{first.draft_id}">查看' in page for page in told] == [True, True]
    assert [page for page in alone if "已排了另一个改动" in page] == []


def test_a_taken_day_is_replaced_on_purpose(law: Store, sign_in: SignIn) -> None:
    """The page of the second change names the first and offers to replace it or another day; without a choice it is refused."""
    with law.writing(NOW_US) as unit:
        first = scheduled(unit, ANN, points=-2)
        second = approved(unit, BEN, points=-3)
    client = sign_in("ops", "ann")
    path = f"/console/approvals/{second.draft_id}"

    page = client.get(path).text
    refused = post(client, f"{path}/schedule", etag=second.etag)
    done = post(client, f"{path}/schedule", etag=second.etag, replaces=first.draft_id)

    assert f'name="replaces" value="{first.draft_id}">替换它并排期' in page
    assert "改用另一天" in page
    assert (refused.status_code, first.draft_id in refused.text) == (409, True)
    assert done.status_code == 303
    with law.reading() as unit:
        assert [draft_of(unit, draft.draft_id).state for draft in (first, second)] == ["suspended", "scheduled"]


def test_a_draft_that_cannot_be_read_is_not_called_unchanged(law: Store, sign_in: SignIn) -> None:
    """Where a cell holds no value the comparison waits, and says so."""
    draft = begin(law)
    client = sign_in("ops", "ann")
    with law.writing(NOW_US) as unit:
        rules = [{**draft.document["rule"][0], "points": "abc"}, *draft.document["rule"][1:]]
        save_document(unit, ANN, draft.draft_id, draft.etag, {**draft.document, "rule": rules})

    page = client.get(f"/console/drafts/{draft.draft_id}").text

    assert "改正上面的错误后才能比较" in page


def test_who_may_not_write_reads(law: Store, sign_in: SignIn) -> None:
    """An approver sees the draft as plain text, without a field, and cannot save it by a form of their own."""
    draft = begin(law)
    client = sign_in("approver")

    page = client.get(f"/console/drafts/{draft.draft_id}")
    answer = post(client, f"/console/drafts/{draft.draft_id}/table", etag=draft.etag, part="rule", act="save")

    assert page.status_code == 200
    assert "data-cell" not in page.text
    assert "只能查看" in page.text
    assert answer.status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_a_draft_of_other_cities_is_not_shown(law: Store, sign_in: SignIn, path: str) -> None:
    """Operations of one city see no draft that is about another, on no page."""
    draft = begin(law)
    client = sign_in("ops", cities=("suzhou",))

    assert client.get(path.format(draft.draft_id)).status_code == 404


def test_an_author_cannot_approve_whatever_their_role(law: Store, sign_in: SignIn) -> None:
    """The page tells an author kindly; a form sent all the same is refused, in words."""
    draft = begin(law, submitted)
    client = sign_in("approver", "ann")

    page = client.get(f"/console/approvals/{draft.draft_id}").text
    answer = post(
        client, f"/console/approvals/{draft.draft_id}/approve",
        etag=draft.etag, content_digest=draft.content_digest, reason="fine",
    )  # fmt: skip

    assert "请由另一位同事批准" in page
    assert "/approve" not in page
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("path", PAGES[:3])
def test_a_draft_is_called_by_its_name_in_the_readers_language(law: Store, sign_in: SignIn, path: str) -> None:
    """Editing, impact and approval say the title that its author gave in English to who reads English."""
    draft = begin(law)
    client = sign_in("ops", "ann")

    page = client.get(path.format(draft.draft_id) + "?lang=en").text

    assert draft.document["title"]["en"] in page


def test_a_cell_is_judged_without_being_saved(law: Store, sign_in: SignIn) -> None:
    """The check of one cell tells its faults as JSON and leaves the draft as it is; strange cells have none."""
    draft = begin(law)
    client = sign_in("ops", "ann")
    path = f"/console/drafts/{draft.draft_id}/cell"

    def faults(**fields: str) -> list[str]:
        found: list[str] = post(client, path, **{"part": "rule", "row": "1", "origin": "1", **fields}).json()["faults"]
        return found

    assert len(faults(key="points", written="minus")) == 1
    assert len(faults(key="when.late_min", written=">5 ≤3")) == 1
    assert faults(key="points", written="-2.5") == []
    assert faults(key="unheard_of", written="1") == []
    assert faults(key="points", written="x", origin="99") == []
    assert post(client, path, part="nothing", key="points", origin="1", written="x").status_code == 404
    with law.reading() as unit:
        assert draft_of(unit, draft.draft_id).etag == draft.etag


def test_a_draft_of_any_name_is_saved_as_a_file(law: Store, sign_in: SignIn) -> None:
    """A book that calls itself what no file may be called is downloaded all the same, whatever else is wrong with it."""
    draft = begin(law)
    with law.writing(NOW_US) as unit:
        names = {
            "id": 'a"b\r\nSet-Cookie: x=规则',
            "rule": "none",
            "tier": [1, {"id": 7}],
            "title": {"zh": "a\x07b", "en": 3},
        }
        edited = draft.document | names
        save_document(unit, ANN, draft.draft_id, draft.etag, edited)
    client = sign_in("ops", "ann")

    for name in ("book.xlsx", "rule.csv", "book.csv", "book.toml"):
        answer = client.get(f"/console/drafts/{draft.draft_id}/{name}")
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    for part in ("rule", "tier", "book", "example"):
        assert client.get(f"/console/drafts/{draft.draft_id}?part={part}&kind=delivered").status_code == 200
    assert client.get(f"/console/approvals/{draft.draft_id}").status_code == 200


def test_an_unknown_draft_is_a_page(law: Store, sign_in: SignIn) -> None:
    """An address of no draft is told in words."""
    client = sign_in("ops")

    for path in PAGES:
        answer = client.get(path.format("nobody"))
        assert answer.status_code == 404
        assert re.search("<h1>.+</h1>", answer.text)


def test_an_empty_database_has_pages(store: Store, settings: Settings) -> None:
    """Before any book is stored the shelf, drafts, approvals and studies say that there is nothing."""
    with store.writing(NOW_US) as unit:
        written = begin_session(unit, "ops", "li.na")
    with TestClient(create_app(settings, hooks=(), clock=lambda: NOW_US), cookies={"rs_session": written}) as client:
        for path in ("/console/books", "/console/drafts", "/console/drafts/new", "/console/approvals"):
            assert client.get(path).status_code == 200, path


def test_a_draft_prints_its_tables(law: Store, sign_in: SignIn) -> None:
    """What stands in fields on the page stands as text on paper: every filled table, every cell."""
    draft = begin(law)

    page = sign_in("ops", "ann").get(f"/console/drafts/{draft.draft_id}").text

    paper = re.search(r'<div class="paper-tables">(.*?)</div>', page, re.DOTALL)
    assert paper is not None
    for rule in draft.document["rule"]:
        assert f"<td>{rule['id']}</td>" in paper[1]
    assert f"<td>{draft.document['id']}</td>" in paper[1]
