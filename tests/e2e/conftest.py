"""A browser for everybody: Debian's chromium, signed in as whoever a test needs, watched for requests that leave the host.

Where chromium is not installed, tests are skipped; in CI they fail.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from api.access import keys
from api.access.sessions import begin_session
from api.db.store import Store
from api.endpoints.common.page_sessions import LANG_COOKIE, SESSION_COOKIE
from tests.e2e import world as worlds
from tests.e2e.serving import serving

PHONE, DESKTOP = 390, 1280
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PEOPLE = {"ops": "li.na", "approver": "wang.wei", "policy": "zhao.min"}

Visitor = Callable[..., Page]


@pytest.fixture(scope="session")
def world() -> Iterator[worlds.World]:
    """The seeded city, in a database of its own."""
    with tempfile.TemporaryDirectory(prefix="riderscore-e2e-") as folder:
        yield worlds.build(f"sqlite:///{folder}/city.db")


@pytest.fixture(scope="session")
def site(world: worlds.World) -> Iterator[str]:
    """Address of the service on the seeded city; its clock stands still."""
    with serving(world.url, lambda: world.now_us) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        message = "chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield made
        made.close()


@pytest.fixture
def key(world: worlds.World) -> Iterator[Callable[..., str]]:
    """A new key: `key("rider", "r00001")`."""
    store = Store(world.url)

    def make(role: str, subject: str = "", cities: tuple[str, ...] = ()) -> str:
        with store.writing(world.now_us) as unit:
            return keys.create_key(unit, role, subject or PEOPLE[role], cities, actor="test:test")[1]

    yield make
    store.close()


@pytest.fixture
def session(world: worlds.World) -> Iterator[Callable[..., str]]:
    """What the cookie of a new session holds: `session("rider", "r00001")`."""
    store = Store(world.url)

    def begin(role: str, subject: str = "", cities: tuple[str, ...] = ()) -> str:
        with store.writing(world.now_us) as unit:
            return begin_session(unit, keys.role_of(role), subject or PEOPLE[role], cities)

    yield begin
    store.close()


@pytest.fixture
def visitor(browser: Browser, site: str, session: Callable[..., str], tmp_path: Path) -> Iterator[Visitor]:
    """A page of somebody signed in: `visitor("ops", width=DESKTOP, lang="en")`; `visitor()` is nobody.

    At the end: no request has left the host, and no page had a script error or broke its own policy.
    """
    opened, urls, errors = [], [], []

    def visit(
        role: str = "",
        subject: str = "",
        *,
        width: int = PHONE,
        lang: str = "zh",
        dark: bool = False,
        script: bool = True,
        cities: tuple[str, ...] = (),
    ) -> Page:
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": 844 if width < 600 else 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            accept_downloads=True,
        )
        cookies: list[Any] = [{"name": LANG_COOKIE, "value": lang, "url": site}]
        if role:
            cookies.append({"name": SESSION_COOKIE, "value": session(role, subject, cities), "url": site})
        context.add_cookies(cookies)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: urls.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        opened.append(context)
        return page

    yield visit
    for context in opened:
        context.close()
    assert [url for url in urls if not url.startswith((site, "data:", "blob:"))] == []
    assert errors == []


@pytest.fixture
def serious_faults() -> Callable[[Page], list[str]]:
    """What axe finds serious or critical on a page."""

    def look(page: Page) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [
            f"{fault['id']}: {node['html'][:160]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    return look
