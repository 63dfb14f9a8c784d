"""Who gets in, what makes a form ours, and what every page carries."""

import gzip
import re

import pytest
from starlette.testclient import TestClient

from api.db.store import Store, UnreachableError
from api.endpoints.common.page_sessions import FORM_COOKIE, SESSION_COOKIE, own_path
from tests.api.endpoints.conftest import Bearer
from tests.api.endpoints.pages.conftest import HERE, SignIn, said, token_of

# Seconds of work.
pytestmark = pytest.mark.slow

PAGES = {
    "/rider": {"rider"},
    "/rider/entries": {"rider"},
    "/rider/export": {"rider"},
    "/console": {"ops", "approver", "policy"},
    "/console/appeals": {"ops"},
    "/console/reviews": {"ops"},
    "/console/audit": {"ops", "approver"},
    "/console/audit.csv": {"ops", "approver"},
}
ROLES = ("platform", "rider", "ops", "approver", "policy")


@pytest.fixture(autouse=True)
def _chinese(client: TestClient) -> None:
    client.headers["Accept-Language"] = "zh-CN"


@pytest.mark.parametrize("page", sorted(PAGES))
def test_each_page_is_for_its_roles(sign_in: SignIn, page: str) -> None:
    """Every role × every page: in, or told in words that it is not theirs."""
    for role in ROLES:
        answer = sign_in(role).get(page)

        assert answer.status_code == (200 if role in PAGES[page] else 403), role
        assert "<h1" in answer.text or role in PAGES[page]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_nobody_is_asked_to_sign_in_and_comes_back(client: TestClient, page: str) -> None:
    """A visitor is sent to the door with the way back."""
    answer = client.get(page, follow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=" + page.replace("/", "%2F")


def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(client: TestClient) -> None:
    """The door says that nothing was saved, and the way back is the page of the form, never another site's."""
    ways = {
        "http://testserver/rider/entries?cursor=7": "?next=%2Frider%2Fentries%3Fcursor%3D7",
        "http://evil.example/x": "",
    }
    for page, way in ways.items():
        answer = client.post("/rider/erase", headers={"Referer": page}, follow_redirects=False)

        assert answer.headers["location"] == "/login" + way
        assert "刚才提交的内容没有保存" in client.get("/login").text


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/rider", "/rider"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\nb", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_the_way_back_stays_on_this_host(path: str, ours: str) -> None:
    """No address of ours sends people elsewhere."""
    assert own_path(path) == ours


def test_a_session_is_for_this_site_and_no_script(client: TestClient, bearer: Bearer) -> None:
    """The cookie is HttpOnly and SameSite=Strict, and comes only with a key that holds."""
    client.get("/login")
    form = {"form_token": token_of(client), "credential": bearer("ops")["Authorization"].removeprefix("Bearer ")}

    wrong = client.post("/login", data=form | {"credential": "rs_no"}, headers=HERE)
    right = client.post("/login", data=form | {"next": "/console/audit"}, headers=HERE, follow_redirects=False)

    assert (wrong.status_code, SESSION_COOKIE in wrong.cookies) == (401, False)
    assert (right.status_code, right.headers["location"]) == (303, "/console/audit")
    cookie = next(line for line in right.headers.get_list("set-cookie") if line.startswith(SESSION_COOKIE))
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Referer": "https://evil.example/a"}, True),
        (HERE, False),
    ],
)
def test_a_form_from_elsewhere_changes_nothing(sign_in: SignIn, headers: dict[str, str], token: bool) -> None:
    """Without our origin and this browser's token nothing is done."""
    client = sign_in("rider", "r1")
    form = {"sure": "1"} | ({"form_token": token_of(client)} if token else {"form_token": "0" * 40})

    answer = client.post("/rider/erase", data=form, headers=headers)

    assert answer.status_code == 403
    assert said(answer.text) == "表单已失效，请返回上一页，刷新后再试。"


def test_signing_out_forgets(sign_in: SignIn) -> None:
    """After it the page asks who is there."""
    client = sign_in("ops")

    out = client.post("/logout", data={"form_token": token_of(client)}, headers=HERE)

    assert out.headers["location"] == "/login"
    assert SESSION_COOKIE not in client.cookies


def test_a_key_that_ended_ends_the_session(sign_in: SignIn, client: TestClient) -> None:
    """What no longer holds is as if nobody had signed in."""
    client.cookies.set(SESSION_COOKIE, "rs_" + "0" * 16 + "_" + "0" * 64)

    assert client.get("/console", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("path", ["/login", "/console", "/nothing", "/static/style.css"])
def test_pages_run_nothing_but_ours(sign_in: SignIn, path: str) -> None:
    """Policy, no framing, no guessing of types; pages are kept by nobody."""
    answer = sign_in("ops").get(path, headers={"Accept": "text/html"})

    assert answer.headers["x-content-type-options"] == "nosniff"
    if not path.startswith("/static"):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "private, no-store"
        assert not re.search(r"\sstyle=|<script(?![^>]*src=)|\son\w+=", answer.text)


def test_pages_and_files_are_packed_where_taken(client: TestClient) -> None:
    """Compressed for those who take it, plain for those who do not; both say that they differ."""
    for path in ("/login", "/static/style.css"):
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        plain = client.get(path, headers={"Accept-Encoding": "identity"})

        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["vary"]
        assert int(packed.headers["content-length"]) < len(plain.content)
        assert len(gzip.compress(plain.content)) > 0


def test_a_file_named_by_its_content_is_kept_for_good(client: TestClient) -> None:
    """The address in the page is immutable; another version's address is not."""
    (address,) = re.findall(r'href="(/static/style\.css\?v=\w+)"', client.get("/login").text)

    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/style.css?v=old").headers["cache-control"] == "no-cache"
    assert client.get("/static/../shell.py").status_code == 404


def test_the_language_is_chinese_until_another_is_chosen(client: TestClient) -> None:
    """Where the browser says nothing. The switch is kept; a language we do not speak is not."""
    del client.headers["Accept-Language"]
    assert '<html lang="zh-CN">' in client.get("/login").text
    assert '<html lang="en">' in client.get("/login?lang=en").text
    assert '<html lang="en">' in client.get("/login").text
    assert '<html lang="en">' in client.get("/login?lang=fr").text


def test_one_click_roles_are_for_the_demo_alone(client: TestClient) -> None:
    """Elsewhere nobody gets in by naming a role."""
    client.get("/login")
    form = {"form_token": token_of(client), "role": "ops", "subject": "li.na"}

    answer = client.post("/login/demo", data=form, headers=HERE)

    assert answer.status_code == 403
    assert SESSION_COOKIE not in client.cookies
    assert FORM_COOKIE in client.cookies


def test_what_people_write_is_shown_as_text(sign_in: SignIn) -> None:
    """Markup in an address or a filter comes back escaped."""
    answer = sign_in("ops").get("/console/audit?actor=<script>alert(1)</script>")

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_database_that_is_away_is_said_in_words(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page of a program's trace: try again later."""
    client = sign_in("ops")

    def gone(_: object) -> None:
        raise UnreachableError("connection refused")

    monkeypatch.setattr(Store, "reading", gone)

    answer = client.get("/console")

    assert answer.status_code == 503
    assert said(answer.text) == "服务暂时不可用，请稍后再试。"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/appeals/%00", 400),
        ("/console/appeals?city=%00", 400),
        ("/console/appeals?cursor=nonsense", 404),
        ("/console/reviews?cursor=1.%00", 400),
        ("/console/reviews/none", 404),
        ("/console/audit?actor=%00&from_day=2026-13-40", 200),
        ("/console?days=many", 400),
        ("/console?city=nowhere&days=999999", 200),
        ("/console/" + "x" * 3_000, 404),
    ],
)
def test_an_odd_address_is_answered_politely(sign_in: SignIn, path: str, status: int) -> None:
    """Whatever stands in an address, the answer is a page."""
    answer = sign_in("ops").get(path, headers={"Accept": "text/html"})

    assert answer.status_code in (status, 422)
    assert "<h1" in answer.text
