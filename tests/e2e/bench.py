"""A city of our own to change: a copy of the seeded one, served with all that goes on behind, by a clock that moves."""

import contextlib
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from api.books.drafts import drafts_page
from api.db.store import Store
from api.words import city_name
from rules.units import US_PER_DAY, US_PER_S
from tests.e2e.world import CITY, World

WORK_MS = 90_000


class Clock:
    """A clock that goes on from the world's evening, and can be put forward."""

    def __init__(self, start_us: int) -> None:
        self._start_us = start_us
        self._began = time.monotonic()
        self.days = 0

    def __call__(self) -> int:
        elapsed_us = int((time.monotonic() - self._began) * US_PER_S)
        return self._start_us + elapsed_us + self.days * US_PER_DAY


def copied(world: World, folder: Path) -> World:
    """A copy of a city: what happens there happens nowhere else."""
    path = folder / "city.db"
    with (
        contextlib.closing(sqlite3.connect(world.url.removeprefix("sqlite:///"))) as source,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        source.backup(copy)
    return replace(world, url=f"sqlite:///{path}")


def begin(page: Page, kind: str = "众包") -> str:
    """Begin a draft of what is in force in the city; its address."""
    page.goto(f"/console/books?city={CITY}")
    page.get_by_role("button", name=f"修改 {city_name(CITY, 'zh')} {kind} 的规则书").click()
    expect(page.locator("#said")).to_contain_text("草稿已建立")
    return page.url.partition("?")[0]


def cell(page: Page, rule: str, column: str) -> Locator:
    """One cell of the table on the page."""
    return page.get_by_label(f"{rule} {column}", exact=True)


def save(page: Page) -> None:
    """Save the table, and wait until it is saved."""
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator("#said")).to_contain_text("已保存")


def state_of(world: World, draft_id: str, wanted: str, within_s: float = 40) -> None:
    """Wait until the service has brought a draft into a state."""
    store = Store(world.url)
    deadline = time.monotonic() + within_s
    state = ""
    while state != wanted and time.monotonic() < deadline:
        with store.reading() as unit:
            state = next(one.state for one in drafts_page(unit, Everywhere()).items if one.draft_id == draft_id)
    store.close()
    assert state == wanted


class Everywhere:
    """Somebody who may look everywhere."""

    subject = name = "nobody"
    cities = ()
