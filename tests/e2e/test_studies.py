"""Studies from the form to the report: asked for, watched, read, shared, stopped, refused with reasons."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from api.app.create import HOOKS
from tests.e2e.bench import WORK_MS, Clock, copied
from tests.e2e.conftest import DESKTOP, PHONE, Visitor
from tests.e2e.serving import serving
from tests.e2e.world import World

pytestmark = pytest.mark.slow

Faults = Callable[[Page], list[str]]


@pytest.fixture(scope="module")
def world(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A city of our own."""
    return copied(world, tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[str]:
    """Address of a service on it, with all that goes on behind."""
    with serving(world.url, Clock(world.now_us), hooks=HOOKS) as address:
        yield address


def ask(page: Page, sets: str = "riders=12\norders_per_day=120") -> None:
    """Ask for a study as small as can be."""
    page.goto("/console/studies")
    page.get_by_label("种子数").select_option("3")
    page.get_by_label("天数").fill("1")
    page.get_by_label("改变什么").fill(sets)
    page.get_by_role("button", name="开始研究").click()


def test_a_study_is_watched_read_and_shared(visitor: Visitor, serious_faults: Faults) -> None:
    """Any two versions; progress comes by itself; the report opens within the page, and a colleague reads it by its address."""
    page = visitor("policy", width=DESKTOP)
    ask(page)
    expect(page).to_have_url(re.compile(r"/console/studies/stu_"))
    assert serious_faults(page) == []

    report = page.frame_locator("iframe.report")
    expect(report.locator("h1")).to_contain_text("会怎样", timeout=WORK_MS)
    assert page.request.get(f"{page.url}/report").headers["content-security-policy"].startswith("sandbox")
    page.get_by_text("数据与图表").click()
    expect(page.get_by_role("link", name="summary.json")).to_be_visible()

    other = visitor("policy", "qian.yi", width=PHONE, script=False)
    other.goto(page.url)
    expect(other.locator("h1")).to_have_text("普通的一周")
    other.goto("/console/studies")
    expect(other.locator("main")).to_contain_text("policy:zhao.min")
    assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_study_is_stopped(visitor: Visitor) -> None:
    """What takes too long is stopped, and says so."""
    page = visitor("policy", width=DESKTOP)
    ask(page, "riders=200\norders_per_day=4000")

    page.get_by_role("button", name="停止").click()

    expect(page.locator("#said")).to_contain_text("已停止")
    expect(page.locator("main")).to_contain_text("没有结果")


def test_what_cannot_be_simulated_is_told_with_its_remedy(visitor: Visitor, serious_faults: Faults) -> None:
    """A misspelt key is told, with the one that was meant; what was filled in stays."""
    page = visitor("policy", width=DESKTOP)

    ask(page, "riderz=12")

    expect(page.get_by_role("alert")).to_contain_text("riders")
    expect(page.get_by_label("改变什么")).to_have_value("riderz=12")
    expect(page.get_by_label("种子数")).to_have_value("3")
    assert serious_faults(page) == []


def test_operations_have_no_studies(visitor: Visitor) -> None:
    """Who has not the scope is told so, and finds no such item in the menu."""
    page = visitor("ops", width=DESKTOP)
    page.goto("/console/books")
    expect(page.get_by_role("navigation", name="控制台").get_by_text("研究")).to_have_count(0)

    assert page.goto("/console/studies").status == 403  # type: ignore[union-attr]
