"""Nothing typed is lost: what a form held stands on the page that refuses it, and can be sent again."""

import html
import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api.db.store import Store, UnreachableError
from api.endpoints.common.head_requests import HeadMiddleware
from api.endpoints.common.page_sessions import FORM_COOKIE, SESSION_COOKIE
from api.endpoints.common.rate_limits import RateLimit, RateLimits
from api.endpoints.common.typed_input import FORM_FIELD, SENT_AGAIN_MAX, TYPED_FIELD
from tests.api.books.worlds import NOW_US, enact, version
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.endpoints.pages.conftest import HERE, SignIn, token_of

WORDS = "the lift was broken <b>twelve</b> floors on foot & the guard saw it"


@pytest.fixture
def clock() -> Clock:
    """A day on which a book is in force."""
    return Clock(NOW_US)


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the form that sends the words again."""
    form = page[page.rindex("/console/drafts/draft_x/withdraw") :]
    form = form[: form.index("</form>")]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return {name: html.unescape(value) for name, value in found}


def send(client: TestClient, path: str = "/console/drafts/draft_x/withdraw", **fields: str) -> Any:
    """A form of ours with words in it."""
    form = {FORM_FIELD: token_of(client), "reason": WORDS, "etag": "1", **fields}
    return client.post(path, data=form, headers=HERE | {"Accept": "text/html"})


def shows(page: str) -> bool:
    """Whether a page shows the words as they were typed, escaped."""
    return f'dir="auto">{html.escape(WORDS, quote=False)}</textarea>' in page


@pytest.mark.case
def test_words_come_back_after_signing_in(client: TestClient, sign_in: SignIn, bearer: Bearer) -> None:
    """The session is over: the page shows the words, signing in leads to them, and sending them again is one click."""
    sign_in("ops")
    client.cookies.delete(SESSION_COOKIE)

    answer = send(client)

    assert answer.status_code == 401
    assert shows(answer.text)
    packed = re.search(r'name="typed" value="([^"]+)"', answer.text)
    assert packed is not None
    credential = bearer("ops")["Authorization"].removeprefix("Bearer ")
    back = {FORM_FIELD: token_of(client), TYPED_FIELD: html.unescape(packed[1])}
    wrong = client.post("/login", data=back | {"credential": "rs_wrong"}, headers=HERE)
    assert wrong.status_code == 401
    assert shows(wrong.text)
    entered = client.post("/login", data=back | {"credential": credential}, headers=HERE)
    assert entered.status_code == 200
    assert shows(entered.text)
    again = fields_of(entered.text)
    assert again == {FORM_FIELD: token_of(client), "reason": WORDS, "etag": "1"}
    assert client.post("/console/drafts/draft_x/withdraw", data=again, headers=HERE).status_code == 404


@pytest.mark.case
def test_words_stand_where_the_form_cookie_is_gone(sign_in: SignIn) -> None:
    """The page of the refusal offers to send them with the browser's new token."""
    client = sign_in("ops")
    form = token_of(client)
    client.cookies.delete(FORM_COOKIE)

    answer = client.post("/console/drafts/draft_x/withdraw", data={FORM_FIELD: form, "reason": WORDS}, headers=HERE)

    assert answer.status_code == 403
    assert shows(answer.text)
    assert fields_of(answer.text) == {FORM_FIELD: token_of(client), "reason": WORDS}


@pytest.mark.parametrize("role", ["approver", "rider"])
def test_words_stand_where_the_role_may_not(sign_in: SignIn, role: str) -> None:
    """403 for another role's form: what was typed is shown."""
    answer = send(sign_in(role))

    assert answer.status_code == 403
    assert shows(answer.text)


def test_words_stand_beside_a_refusal(sign_in: SignIn) -> None:
    """404 of the thing itself: shown likewise."""
    answer = send(sign_in("ops"))

    assert answer.status_code == 404
    assert shows(answer.text)


def test_words_stand_where_too_much_was_asked(sign_in: SignIn) -> None:
    """429 comes before the form is read; it is read for its words alone."""
    client = sign_in("ops")
    client.app.state.rate_limits = RateLimits(RateLimit(1), RateLimit(0))  # type: ignore[attr-defined]
    codes = [send(client) for _ in range(3)]

    assert codes[-1].status_code == 429
    assert shows(codes[-1].text)


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("ours"), 500), (UnreachableError("gone"), 503)])
def test_words_stand_when_we_fail(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    """A fault of ours, or a database that is away: a page in words that holds what was typed."""
    client = sign_in("ops")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("api.endpoints.books.draft_pages.store.withdraw", fail)
    answer = send(client)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert shows(answer.text)


def test_secrets_and_strange_forms_are_never_shown(client: TestClient, sign_in: SignIn) -> None:
    """No key that was typed comes back, and no word of a form that another site sent."""
    sign_in("ops")
    wrong = client.post("/login", data={FORM_FIELD: token_of(client), "credential": "rs_secret"}, headers=HERE)
    assert "rs_secret" not in wrong.text
    client.cookies.delete(SESSION_COOKIE)
    foreign = client.post(
        "/console/drafts/draft_x/withdraw",
        data={FORM_FIELD: token_of(client), "reason": WORDS},
        headers={"Origin": "http://evil.example"},
    )
    assert not shows(foreign.text)


def test_signing_in_leads_to_no_other_site(client: TestClient, bearer: Bearer) -> None:
    """What claims to have been typed for an address elsewhere is left alone."""
    client.follow_redirects = False
    client.get("/login")
    credential = bearer("ops")["Authorization"].removeprefix("Bearer ")
    for packed in ('["https://evil.example/x", [["a", "b"]]]', "nonsense", '["//evil.example", [["a", "b"]]]', "[1]"):
        form = {FORM_FIELD: token_of(client), "credential": credential, TYPED_FIELD: packed}

        assert client.post("/login", data=form, headers=HERE).status_code == 303, packed


def test_what_was_chosen_is_sent_again_and_not_shown(client: TestClient, sign_in: SignIn) -> None:
    """A code of the form is nothing that a person typed: it goes with the words, unseen."""
    sign_in("ops")
    client.cookies.delete(SESSION_COOKIE)

    answer = send(client, answer="upheld:evidence_accepted")

    shown = re.findall(r"<textarea[^>]*>(.*?)</textarea>", answer.text, re.DOTALL)
    assert shown == [html.escape(WORDS, quote=False)]
    assert "upheld:evidence_accepted" in html.unescape(answer.text)


def test_a_long_text_is_shown_to_be_copied(client: TestClient, sign_in: SignIn) -> None:
    """What is too long for a hidden field stands whole on the page."""
    sign_in("ops")
    client.cookies.delete(SESSION_COOKIE)
    long = "word " * (SENT_AGAIN_MAX // 5 + 1)

    answer = send(client, reason=long)

    assert long in answer.text
    assert 'name="typed"' not in answer.text


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_form_sent_twice_makes_one_draft(store: Store, sign_in: SignIn, is_marked: bool) -> None:
    """Two taps without script: one draft, and both lead to it; changed, or asked for anew, it is another."""
    enact(store, version())
    client = sign_in("ops", "ann")
    page = client.get("/console/drafts/new").text
    once = re.search(r'name="once" value="([0-9a-f]+)"', page)
    digest = re.search(r'<option value="([0-9a-f]{64})"', page)
    assert once is not None
    assert digest is not None
    form = {FORM_FIELD: token_of(client), "digest": digest[1], "title": "one"} | (
        {"once": once[1]} if is_marked else {}
    )

    ways = [client.post("/console/drafts", data=form, headers=HERE) for _ in range(2)]
    other = client.post("/console/drafts", data=form | {"title": "two"}, headers=HERE)

    assert [way.status_code for way in ways] == [303, 303]
    assert ways[0].headers["location"] == ways[1].headers["location"] != other.headers["location"]


def test_pages_speak_the_browsers_language(client: TestClient) -> None:
    """`Accept-Language` first, then the choice made; a browser that speaks neither reads English."""
    wanted = {
        "zh-CN,zh;q=0.9,en;q=0.8": "zh-CN",
        "en-US,en;q=0.9": "en",
        "en;q=0.3, zh-TW": "zh-CN",
        "fr-FR,fr": "en",
        "": "zh-CN",
    }
    for header, lang in wanted.items():
        answer = client.get("/login", headers={"Accept-Language": header})

        assert f'<html lang="{lang}">' in answer.text, header
        assert "Accept-Language" in answer.headers["vary"]
    client.get("/login?lang=zh", headers={"Accept-Language": "en"})
    assert '<html lang="zh-CN">' in client.get("/login", headers={"Accept-Language": "en"}).text


def test_head_says_what_get_would(client: TestClient, sign_in: SignIn, bearer: Bearer) -> None:
    """The same status and headers without a body: pages, files, the API, what is not there."""
    sign_in("ops")
    for path in ("/login", "/console", "/healthz", "/metrics", "/v1/books", "/v1/riders/nobody/card", "/nothing"):
        headers = bearer("ops") if path.startswith("/v1") else {}
        got, head = (client.request(method, path, headers=headers) for method in ("GET", "HEAD"))

        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
    assert "HEAD" in client.post("/healthz").headers["allow"]


def test_a_stream_answers_head_and_ends() -> None:
    """A stream of events has a head, and nobody waits for its end."""

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})

    answer = TestClient(HeadMiddleware(stream)).head("/")

    assert (answer.status_code, answer.content) == (200, b"")
