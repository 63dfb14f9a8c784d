"""What stands before every route: request ids, problems, bodies, allowances, repeated requests."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from anyio import Event, run
from starlette.testclient import TestClient

from api.app.create import create_app
from api.db import idempotency
from api.db.audit_notes import add_audit_note
from api.db.store import HeldTransaction, Store
from api.endpoints.common import idempotency_keys
from api.endpoints.common.logs import make_log
from api.endpoints.common.rate_limits import RateLimit
from api.refusals import Refused
from api.service import preferred_lang
from api.settings import SettingError, Settings
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import START_US, later, lines_of
from tests.builders import delivered


def test_a_request_id_goes_in_and_out(client: TestClient) -> None:
    """A sound id of the client is kept; without one, or with a strange one, a new one is made."""
    kept = client.get("/healthz", headers={"X-Request-Id": "abc-1"})
    made = client.get("/healthz")
    strange = client.get("/healthz", headers={"X-Request-Id": "a b\t"})

    assert kept.headers["x-request-id"] == "abc-1"
    assert len(made.headers["x-request-id"]) == 16
    assert len(strange.headers["x-request-id"]) == 16


def test_every_answer_has_safe_headers(client: TestClient) -> None:
    """Nothing is sniffed, framed, cached or sent on as a referrer unless a route says otherwise."""
    headers = client.get("/healthz").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_problem_is_told_in_the_language_asked_for(client: TestClient) -> None:
    """Title and detail follow Accept-Language; type and code do not."""
    chinese = client.get("/v1/tokens", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    english = client.get("/v1/tokens", headers={"Accept-Language": "fr, en;q=0.5"})

    assert (chinese.json()["title"], english.json()["title"]) == ("未登录", "Not signed in")
    assert chinese.json()["code"] == english.json()["code"] == "unauthenticated"
    assert chinese.headers["content-language"] == "zh"
    assert "Accept-Language" in chinese.headers["vary"]


@pytest.mark.parametrize(
    ("header", "lang"),
    [("", "en"), ("zh", "zh"), ("en;q=0.1, zh;q=0.2", "zh"), ("zh;q=0", "en"), ("zh;q=x", "en"), ("*;q=1", "en")],
)
def test_language_by_weight(header: str, lang: str) -> None:
    """The heaviest of ours wins; nonsense is nothing."""
    assert preferred_lang(header) == lang


def test_the_type_of_a_problem_can_be_read(client: TestClient) -> None:
    """`type` leads to a page of this service that says what it means."""
    kind = client.get("/v1/tokens").json()["type"]

    told = client.get(kind).json()

    assert (told["code"], told["status"]) == ("unauthenticated", 401)
    assert {item["code"] for item in client.get("/problems").json()["items"]} >= {"unauthenticated", "not_found"}


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    """404 and 405 are problem documents; 405 names every method that is offered."""
    missing = client.get("/v1/nothing")
    wrong = client.delete("/v1/events")

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"
    assert client.patch("/v1/tokens").headers["allow"] == "GET, HEAD, POST"


def test_every_wrong_field_is_named_at_once(client: TestClient, bearer: Bearer) -> None:
    """Errors hold a pointer and words of ours for each field."""
    body = {"role": "king", "cities": [7], "nonsense": 1}

    answer = client.post("/v1/tokens", headers=bearer("platform"), json=body)

    assert answer.status_code == 422
    assert {error["pointer"]: error["code"] for error in answer.json()["errors"]} == {
        "#/role": "literal_error",
        "#/subject": "missing",
        "#/cities/0": "string_type",
        "#/nonsense": "extra_forbidden",
    }
    assert all(error["detail"] for error in answer.json()["errors"])


def test_other_content_types_are_refused(client: TestClient, bearer: Bearer) -> None:
    """What is no JSON is refused with 415 and told what is taken."""
    headers = bearer("platform") | {"Content-Type": "text/xml"}

    answer = client.post("/v1/events", headers=headers, content=b"<a/>")

    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")
    assert answer.headers["accept-post"] == "application/json, application/x-ndjson"


class TestSmall:
    """A service with small limits."""

    @pytest.fixture
    def settings(self, url: str) -> Settings:
        """Limits that a test reaches."""
        return Settings(
            database_url=url,
            token_cache_s=0,
            law_cache_s=0,
            body_bytes_max=1_000,
            requests_per_minute=3,
            body_timeout_s=1,
        )

    def test_a_large_body_is_refused_before_it_is_read(self, client: TestClient, bearer: Bearer) -> None:
        """The stated length is enough to refuse; a body without one is refused where it grows too large."""

        def endless() -> Iterator[bytes]:
            for _ in range(50):
                yield b" " * 100

        headers = bearer("platform")

        stated = client.post("/v1/events", headers=headers, content=b" " * 2_000)
        unstated = client.post("/v1/events", headers=headers, content=endless())

        assert (stated.status_code, stated.json()["code"]) == (413, "body_too_large")
        assert (unstated.status_code, unstated.json()["code"]) == (413, "body_too_large")
        assert stated.headers["connection"] == "close"

    def test_more_than_the_allowance_is_refused_for_a_while(
        self, client: TestClient, bearer: Bearer, clock: Clock
    ) -> None:
        """The fourth request of a token gets 429 and a time; another token and a later request do not."""
        first, second = bearer("ops"), bearer("ops")

        answers = [client.get("/v1/tokens", headers=first) for _ in range(4)]
        other = client.get("/v1/tokens", headers=second)
        clock.forward(seconds=20)
        later_on = client.get("/v1/tokens", headers=first)

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"token";q=3;w=60'
        assert answers[0].headers["ratelimit"] == '"token";r=2;t=20'
        assert answers[3].headers["retry-after"] == "20"
        assert answers[3].json()["code"] == "rate_limited"
        assert (other.status_code, later_on.status_code) == (200, 200)

    def test_a_slow_body_is_refused(self, store: Store, settings: Settings, bearer: Bearer) -> None:
        """A client that does not send what it announced is answered and let go."""
        app = create_app(settings, hooks=())
        sent: list[Any] = []

        async def never() -> Any:
            await Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/events", "raw_path": b"/v1/events", "query_string": b"",
            "headers": [(b"content-length", b"10"), (b"authorization", bearer("platform")["Authorization"].encode())], "http_version": "1.1", "scheme": "http", "root_path": "",
        }  # fmt: skip
        # In a thread of its own: a browser test of the same session leaves a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(run, app, scope, never, send).result()

        assert sent[0]["status"] == 408
        assert json.loads(sent[1]["body"])["code"] == "body_timeout"
        app.state.service.store.close()


def test_an_allowance_comes_back_evenly() -> None:
    """Sixty a minute: all at once, then one a second."""
    allowance = RateLimit(60)

    at_once = [allowance.take("a", 0).is_allowed for _ in range(61)]
    soon = allowance.take("a", 999_999)
    then = allowance.take("a", 1_000_000)

    assert at_once == [True] * 60 + [False]
    assert (soon.is_allowed, then.is_allowed) == (False, True)


@pytest.mark.usefixtures("_law")
class TestRepeats:
    """Idempotency-Key."""

    def test_the_same_request_gets_the_same_answer(self, client: TestClient, bearer: Bearer, store: Store) -> None:
        """The stored answer comes back, marked; nothing is done again."""
        headers = bearer("platform") | {"Idempotency-Key": "k1"}
        event = later([delivered("e1", late_min=4)])[0]

        first = client.post("/v1/events", headers=headers, json=event)
        before = lines_of(store)
        second = client.post("/v1/events", headers=headers, json=event)

        assert (first.status_code, second.status_code) == (200, 200)
        assert second.content == first.content
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        assert lines_of(store) == before

    def test_an_api_key_is_not_kept_in_the_clear(self, client: TestClient, bearer: Bearer, store: Store) -> None:
        """Who asked gets the same answer again; who reads the database, or asks with another token, does not."""
        own, other = (bearer("platform", "p") | {"Idempotency-Key": "k1"} for _ in range(2))
        client.post("/v1/events", headers=bearer("platform", "p"), json=later([delivered("e1")])[0])
        wanted = {"role": "rider", "subject": "r1"}

        first, second = (client.post("/v1/tokens", headers=own, json=wanted) for _ in range(2))
        refused = client.post("/v1/tokens", headers=other, json=wanted)

        assert (first.status_code, second.content) == (201, first.content)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        with store.reading() as unit:
            kept = unit.connection.exec_driver_sql("SELECT body FROM idempotency").scalar_one()
        assert first.json()["token"].encode() not in bytes(kept)

    def test_another_request_under_the_key_is_refused(self, client: TestClient, bearer: Bearer) -> None:
        """Other content under a used key gets 422; another actor's key is another key."""
        headers = bearer("platform", "a") | {"Idempotency-Key": "k1"}
        event, other = later([delivered("e1"), delivered("e2")])
        client.post("/v1/events", headers=headers, json=event)

        refused = client.post("/v1/events", headers=headers, json=other)
        elsewhere = client.post("/v1/events", headers=bearer("platform", "b") | {"Idempotency-Key": "k1"}, json=other)

        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert elsewhere.status_code == 200

    def test_a_request_in_flight_is_not_done_twice(
        self, client: TestClient, bearer: Bearer, store: Store, clock: Clock
    ) -> None:
        """While one is being answered the other gets 409; when its lease is over it may be tried again."""
        headers = bearer("platform", "a") | {"Idempotency-Key": "k1"}
        event = later([delivered("e1")])[0]
        first = client.post("/v1/events", headers=headers, json=event)
        assert first.status_code == 200
        _unanswer(store)

        during = client.post("/v1/events", headers=headers, json=event)
        clock.forward(seconds=61)
        after = client.post("/v1/events", headers=headers, json=event)

        assert (during.status_code, during.json()["code"]) == (409, "idempotency_in_flight")
        assert (after.status_code, after.json()["num_repeated"]) == (200, 1)

    def test_what_was_done_without_an_answer_was_not_done(
        self, client: TestClient, bearer: Bearer, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that dies before the answer is kept leaves nothing behind that a retry would do a second time."""
        headers = bearer("platform", "a") | {"Idempotency-Key": "k1"}
        wanted = {"url": "https://example.org/hook"}

        with monkeypatch.context() as patch:
            for step in ("store_answer", "release_key"):
                patch.setattr(idempotency_keys, step, _killed)
            assert client.post("/v1/webhooks", headers=headers, json=wanted).status_code == 500
        clock.forward(seconds=61)
        first, second = (client.post("/v1/webhooks", headers=headers, json=wanted) for _ in range(2))

        assert (first.status_code, second.content) == (201, first.content)
        assert len(client.get("/v1/webhooks", headers=bearer("platform", "a")).json()["items"]) == 1

    def test_who_lost_the_claim_has_done_nothing(self, store: Store) -> None:
        """A request that outlived its lease cannot end once another server has taken it on."""
        claims = []
        for at_us in (START_US, START_US + 60_000_000):
            with store.writing(at_us) as unit:
                claims.append(idempotency.claim_key(unit, "ops:a", "k1", "digest", 60_000_000))
        late, held = claims[0], HeldTransaction(store)
        assert isinstance(late, idempotency.ClaimedKey)
        with held.writing(START_US) as unit:
            add_audit_note(unit, "ops:a", "person_erased", "r1")

        with pytest.raises(Refused, match="idempotency_in_flight"), held.writing(START_US) as unit:
            idempotency.store_answer(unit, late, idempotency.StoredAnswer(200, {}, b""))
        held.commit()

        with store.reading() as unit:
            assert unit.connection.exec_driver_sql("SELECT count(*) FROM audit").scalar_one() == 0

    def test_more_requests_than_threads_for_one_rider_all_end(self, client: TestClient, bearer: Bearer) -> None:
        """Who holds the rider can always finish, however many wait for the row or are told to ask again."""
        headers = bearer("platform")

        def post(k: int) -> int:
            own = headers | {"Idempotency-Key": f"k{k}"}
            event = later([delivered(f"e{k}", at_min=k / 10)])[0]
            answer = client.post("/v1/events", headers=own, json=event)
            while answer.status_code == 503:
                answer = client.post("/v1/events", headers=own, json=event)
            return int(answer.json()["num_scored"])

        with ThreadPoolExecutor(60) as crowd:
            assert sum(crowd.map(post, range(60))) == 60

    def test_a_refusal_is_not_kept(self, client: TestClient, bearer: Bearer) -> None:
        """What changed nothing may be put right under the same key."""
        headers = bearer("platform") | {"Idempotency-Key": "k1", "Content-Type": "application/json"}

        refused = client.post("/v1/events", headers=headers, content=b"{")
        done = client.post("/v1/events", headers=headers, json=later([delivered("e1")])[0])

        assert (refused.status_code, done.status_code) == (400, 200)

    def test_a_strange_key_is_refused(self, client: TestClient, bearer: Bearer) -> None:
        """A key is visible ASCII of at most 200 characters."""
        headers = bearer("platform") | {"Idempotency-Key": "x" * 201}

        answer = client.post("/v1/events", headers=headers, json=[])

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")

    def test_old_answers_are_forgotten(self, client: TestClient, bearer: Bearer, store: Store, clock: Clock) -> None:
        """What is older than the time they are kept goes; the rest stays."""
        headers = bearer("platform")
        client.post("/v1/events", headers=headers | {"Idempotency-Key": "old"}, json=[])
        clock.forward(days=1)
        client.post("/v1/events", headers=headers | {"Idempotency-Key": "new"}, json=[])

        with store.writing(clock()) as unit:
            gone = [idempotency.delete_answers(unit, clock() - 1), idempotency.delete_answers(unit, clock() - 1)]

        assert gone == [1, 0]


def _killed(*_: object) -> None:
    """The end of a server."""
    raise RuntimeError("killed")


def _unanswer(store: Store) -> None:
    """Make the store look as after a crash between doing and answering."""
    with store.writing(0) as unit:
        unit.connection.exec_driver_sql("UPDATE idempotency SET status = NULL, headers = NULL, body = NULL")


def test_a_fault_of_ours_shows_no_trace(client: TestClient, monkeypatch: pytest.MonkeyPatch, bearer: Bearer) -> None:
    """An unforeseen failure is a problem document with the request id; the trace goes to the log alone."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    headers = bearer("ops")
    monkeypatch.setattr("api.access.keys.list_keys", broken)

    answer = client.get("/v1/tokens", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret detail" not in answer.text
    assert answer.headers["x-request-id"]


def test_log_lines_hold_no_token_and_no_path(store: Store, settings: Settings, clock: Clock, bearer: Bearer) -> None:
    """A line a request: id, actor, route, status, time; neither the token nor what stands in the path."""
    lines = io.StringIO()
    headers = bearer("ops", "li.na")
    app = create_app(settings, hooks=(), clock=clock, log=make_log("info", lines))
    with TestClient(app) as client:
        client.get("/v1/tokens/0123456789abcdef", headers=headers | {"X-Request-Id": "abc"})

    line = json.loads(lines.getvalue())
    assert (line["request_id"], line["actor"], line["status"]) == ("abc", "ops:li.na", 404)
    assert line["route"] == "/v1/tokens/{key_id}"
    assert "0123456789abcdef" not in lines.getvalue()
    assert headers["Authorization"].split()[1] not in lines.getvalue()


@pytest.mark.usefixtures("_law")
def test_the_meters_count(client: TestClient, bearer: Bearer) -> None:
    """Requests by route template, events by answer, and what waits in the store."""
    client.post("/v1/events", headers=bearer("platform"), json=later([delivered("e1")]))
    client.get("/v1/tokens/0123456789abcdef", headers=bearer("ops"))

    text = client.get("/metrics").text

    assert 'riderscore_http_requests_total{method="POST",route="/v1/events",status="200"} 1.0' in text
    assert 'riderscore_http_requests_total{method="GET",route="/v1/tokens/{key_id}",status="404"} 1.0' in text
    assert 'riderscore_events_total{status="scored"} 1.0' in text
    assert "riderscore_appeals_open 0.0" in text
    assert "riderscore_outbox_lag_seconds 0.0" in text


def test_readiness_names_what_is_missing(client: TestClient, store: Store) -> None:
    """Without books the service is not ready, and says so; it lives all the same."""
    before = client.get("/readyz")
    from tests.api.ledger.posts import publish

    publish(store, "taobao-crowdsourced")
    after = client.get("/readyz")

    assert (before.status_code, before.json()["checks"]["books"]) == (503, False)
    assert (after.status_code, after.json()["ready"]) == (200, True)
    assert client.get("/healthz").json() == {"status": "ok"}


def test_docs_load_nothing_from_elsewhere(client: TestClient) -> None:
    """The page, its script and its style come from this service."""
    page = client.get("/docs")

    assert page.status_code == 200
    assert "://" not in page.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon.png", "start.js"):
        assert client.get(f"/docs/assets/{name}").status_code == 200
    assert client.get("/openapi.json").json()["openapi"].startswith("3.")


def test_settings_come_from_the_environment() -> None:
    """A variable a field; what is misspelt or cannot be read is refused."""
    assert Settings.from_environment({"RIDERSCORE_JSON_DEPTH_MAX": "7", "PATH": "x"}).json_depth_max == 7
    for wrong in ({"RIDERSCORE_JSON_DEPHT_MAX": "7"}, {"RIDERSCORE_DEMO": "maybe"}, {"RIDERSCORE_TICK_S": "-1"}):
        with pytest.raises(SettingError):
            Settings.from_environment(wrong)
