"""A change from the first cell to being in force, and back: two people, an impact, notice, a roll-back."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from api.app.create import HOOKS
from tests.e2e.bench import WORK_MS, Clock, begin, cell, copied, save, state_of
from tests.e2e.conftest import DESKTOP, Visitor
from tests.e2e.serving import serving
from tests.e2e.world import CITY, World

pytestmark = pytest.mark.slow

Faults = Callable[[Page], list[str]]


@pytest.fixture(scope="module")
def world(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A city of our own."""
    return copied(world, tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def clock(world: World) -> Clock:
    """The clock of the service."""
    return Clock(world.now_us)


@pytest.fixture(scope="module")
def site(world: World, clock: Clock) -> Iterator[str]:
    """Address of a service on it, with all that goes on behind."""
    with serving(world.url, clock, hooks=HOOKS) as address:
        yield address


def test_the_life_of_a_change(visitor: Visitor, clock: Clock, world: World, serious_faults: Faults) -> None:
    """Items 4 to 8: submitted, judged by its impact, approved by a second person, in force on its day, and rolled back."""
    ops, boss = visitor("ops", width=DESKTOP), visitor("approver", width=DESKTOP)
    address = begin(ops, "专送")
    draft_id = address.rpartition("/")[2]
    cell(ops, "on_time", "名称（中文）").fill("按时送达")
    save(ops)
    ops.get_by_role("button", name="提交审批").click()
    expect(ops.locator("#said")).to_contain_text("已提交")

    ops.get_by_role("link", name="去评估影响").click()
    ops.get_by_role("button", name="开始评估").click()
    expect(ops.locator("#h-matrix")).to_be_visible(timeout=WORK_MS)
    expect(ops.locator("#h-bands")).to_be_visible()
    assert serious_faults(ops) == []

    ops.goto(f"/console/approvals/{draft_id}")
    expect(ops.locator("#h-decide + .notice")).to_contain_text("请由另一位同事批准")
    expect(ops.get_by_role("button", name="批准", exact=True)).to_have_count(0)
    boss.goto("/console/approvals")
    boss.locator(f"a[href$='{draft_id}']").first.click()
    expect(boss.locator("main")).to_contain_text("按时送达")
    expect(boss.locator("#h-matrix")).to_be_visible()
    assert serious_faults(boss) == []
    boss.get_by_label("理由").fill("措辞更清楚。")
    boss.get_by_role("button", name="批准", exact=True).click()
    expect(boss.locator("#said")).to_contain_text("已批准")

    ops.reload()
    ops.get_by_role("button", name="按公告期生效").click()
    expect(ops.locator("#said")).to_contain_text("已排期")
    expect(ops.locator("main")).to_contain_text("将于")
    clock.days += 30
    state_of(world, draft_id, "in_force")

    # Sessions of a month ago are over.
    for page, name in ((ops, "li.na"), (boss, "wang.wei")):
        page.goto("/login")
        page.get_by_role("button", name=name).click()
    ops.goto(f"/console/books?city={CITY}")
    ops.locator("#places tr", has_text="专送").locator("td[data-name=历史版本] a").first.click()
    ops.get_by_label("理由").fill("骑手不习惯。")
    ops.once("dialog", lambda dialog: dialog.accept())
    ops.get_by_role("button", name=re.compile("^回退到")).click()
    expect(ops.locator("#said")).to_contain_text("回退已提交")
    boss.goto(ops.url)
    boss.get_by_label("理由").fill("同意。")
    boss.get_by_role("button", name="批准", exact=True).click()
    expect(boss.locator("main")).to_contain_text("将于")
    clock.days += 2
    state_of(world, ops.url.rpartition("/")[2].partition("?")[0], "in_force")
