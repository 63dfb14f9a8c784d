"""`riderscore demo` in a browser: one-click roles on sample data, and nothing lost between two runs."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-c", "from api.cli.main import main; main()", "demo", "--port", "0", "--lang", "zh")
SMALL = ("--riders", "12", "--days", "5", "--seed", "3")
STOP_S = 30


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The demo as somebody starts it, ended by Ctrl-C; its address."""
    process = subprocess.Popen([*COMMAND, *SMALL, "--dir", str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield next(found[0] for line in process.stdout if (found := re.findall(r"http://[\d.]+:\d+", line)))
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_S) == 0
    finally:
        process.kill()
        process.communicate()


@contextmanager
def visiting(browser: Browser, address: str, role: str, width: int = DESKTOP) -> Iterator[Page]:
    """Somebody who has clicked a role on the sign-in page."""
    context = browser.new_context(base_url=address, locale="zh-CN", viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto("/login")
    page.locator(f"form:has(input[name=role][value={role}]) button").first.click()
    page.wait_for_url(re.compile("/(rider|console)"))
    yield page
    context.close()


def test_the_demo_opens_with_every_role_and_loses_nothing(browser: Browser, tmp_path: Path) -> None:
    """Item 12: riders, ops, approver, policy at one click; what somebody began is there after a stop and a start."""
    folder = tmp_path / "demo"
    with demo(folder) as address:
        with visiting(browser, address, "rider", PHONE) as page:
            expect(page.locator(".score")).to_be_visible()
        with visiting(browser, address, "approver") as page:
            page.goto("/console/approvals")
            expect(page.locator("#h-submitted .count")).to_have_text("1")
            expect(page.locator("#h-scheduled .count")).to_have_text("1")
        with visiting(browser, address, "policy") as page:
            page.goto("/console/studies")
            expect(page.get_by_role("button", name="开始研究")).to_be_visible()
        with visiting(browser, address, "ops") as page:
            page.goto("/console/appeals")
            expect(page.locator("tbody tr").first).to_be_visible()
            page.goto("/console/books?city=shanghai")
            page.locator("#places form button").first.click()
            expect(page.locator("#said")).to_contain_text("草稿已建立")
            begun = page.url.removeprefix(address)

    with demo(folder) as address, visiting(browser, address, "ops") as page:
        page.goto(begun)
        expect(page.locator("main")).to_contain_text("上海")
        page.goto("/console/drafts")
        expect(page.locator("#list tbody tr")).to_have_count(5)
