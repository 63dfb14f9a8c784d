"""The rider's page on a phone: what stands there, what it costs to load, and what can be done from it."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from api.books.in_force import rules_in_force
from api.db.store import Store
from api.riders.cards import RiderCard, card_of
from rules.units import points_text
from tests.e2e.conftest import Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.slow

BYTES_MAX = 40_000
Faults = Callable[[Page], list[str]]


def card(world: World, rider: str) -> RiderCard:
    """A rider's card from the store."""
    store = Store(world.url)
    with store.reading() as unit:
        found = card_of(unit, rules_in_force(unit), rider, world.now_us)
    store.close()
    assert found is not None
    return found


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("script", [True, False])
def test_the_page_says_what_the_card_says(world: World, visitor: Visitor, lang: str, script: bool) -> None:
    """Score, tier, all that it affects, the way back and the forecast stand in the page, with and without script."""
    page = visitor("rider", world.low, lang=lang, script=script)

    page.goto("/rider")

    own = card(world, world.low)
    words = page.locator("main").inner_text()
    assert page.locator(".score").inner_text().startswith(points_text(own.score_mp))
    told = [own.tier.title, *(effect.words for effect in own.tier.effects)]
    told += [way.words for way in (own.up, own.back) if way is not None]
    told += [next_.words for next_ in own.forecast]
    assert own.announced is not None
    told += own.announced.changes
    assert [said.lang(lang) for said in told if said.lang(lang) not in words] == []
    assert own.announced.date.isoformat() in words


def test_every_entry_opens_to_its_reasons_without_script(world: World, visitor: Visitor) -> None:
    """A deduction of today unfolds to the tree behind it by the browser alone."""
    page = visitor("rider", world.low, script=False)
    page.goto("/rider")
    entry = page.locator(".entries > li").filter(has_text="晚到").first

    entry.locator("summary").first.click()

    expect(entry.locator(".tree").first).to_contain_text("考核时间")
    expect(entry.locator(".tree").first).to_contain_text("规则")


def test_the_page_is_light_over_the_wire(world: World, visitor: Visitor) -> None:
    """All requests of a first visit together stay below 40 kB."""
    for rider in (world.low, world.top):
        page = visitor("rider", rider)
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        loaded: list[float] = []
        session.on("Network.loadingFinished", lambda event, loaded=loaded: loaded.append(event["encodedDataLength"]))

        page.goto("/rider", wait_until="networkidle")

        assert len(loaded) >= 3
        assert sum(loaded) <= BYTES_MAX, f"{sum(loaded)} bytes in {len(loaded)} requests"


@pytest.mark.parametrize(("lang", "dark"), [("zh", True), ("en", False)])
def test_nothing_hides_from_people_who_see_or_move_differently(
    world: World, visitor: Visitor, serious_faults: Faults, lang: str, dark: bool
) -> None:
    """Axe finds no serious fault, everything unfolded, and nothing is wider than the phone."""
    page = visitor("rider", world.low, lang=lang, dark=dark)
    for path in ("/rider", f"/rider/entries/{world.fined[1]}", f"/rider/entries/{world.fined[1]}/appeal"):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")

        assert serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_longest_score_stays_on_one_line(world: World, visitor: Visitor) -> None:
    """Five digits and a point are one figure on the narrowest phone, not two."""
    page = visitor("rider", world.low)
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/rider")
    score = page.locator(".score")

    score.evaluate("(figure) => { figure.firstChild.data = '51.255' }")

    size = score.evaluate("(figure) => parseFloat(getComputedStyle(figure).fontSize)")
    assert score.evaluate("(figure) => figure.offsetHeight") < 1.5 * size
    assert score.evaluate("(figure) => figure.scrollWidth <= figure.clientWidth")


def test_the_page_can_be_used_by_keyboard(world: World, visitor: Visitor) -> None:
    """Tab reaches the way past the header first; Enter on an entry opens it."""
    page = visitor("rider", world.low)
    page.goto("/rider")

    page.keyboard.press("Tab")

    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    entry = page.locator(".entries summary").first
    entry.focus()
    page.keyboard.press("Enter")
    assert page.locator(".entries details").first.evaluate("part => part.open")


def test_the_language_is_switched_and_kept(world: World, visitor: Visitor) -> None:
    """One tap changes it, and the next page is in it."""
    page = visitor("rider", world.low)
    page.goto("/rider")

    page.get_by_role("link", name="English").click()

    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto("/rider/entries")
    expect(page.get_by_role("heading", level=1)).to_have_text("All entries")


def test_a_deduction_is_appealed_from_its_entry(world: World, visitor: Visitor) -> None:
    """The form says what silence means; the appeal then stands on the page with its deadline."""
    rider, entry = world.fined
    page = visitor("rider", rider)
    page.goto(f"/rider/entries/{entry}")
    page.get_by_role("link", name="申诉").click()
    expect(page.locator("form.card")).to_contain_text("没有人答复，就按您说的算")

    page.get_by_label("为什么不该扣").select_option("merchant_slow")
    page.get_by_label(re.compile("^说明")).fill("商家出餐晚了二十分钟")
    page.get_by_label(re.compile("^证据编号")).fill("photo-77")
    page.get_by_role("button", name="提交申诉").click()

    expect(page.locator("#said")).to_contain_text("申诉已提交")
    expect(page.locator("section", has_text="我的申诉").last).to_contain_text("申诉中")
    page.goto(f"/rider/entries/{entry}/appeal")
    expect(page.get_by_role("button", name="提交申诉")).to_have_count(0)


def test_what_is_held_is_taken_along_and_names_are_erased(world: World, visitor: Visitor) -> None:
    """The export holds the rider's own things; erasing asks twice and leaves the score."""
    page = visitor("rider", world.leaving)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/rider")
    score = page.locator(".score").inner_text()
    page.get_by_text("我的数据", exact=True).click()

    with page.expect_download() as taken:
        page.get_by_role("link", name="下载我的全部数据").click()

    held = json.loads(taken.value.path().read_text(encoding="utf-8"))
    assert held["rider_id"] == world.leaving
    assert {row["rider_id"] for row in held["events"] + held["entries"]} == {world.leaving}
    page.get_by_role("button", name="删除姓名和电话").click()
    expect(page.locator("#said")).to_contain_text("没有删除")
    page.get_by_text("我的数据", exact=True).click()
    page.get_by_label("我确认删除，不能恢复").check()
    page.get_by_role("button", name="删除姓名和电话").click()
    expect(page.locator("#said")).to_contain_text("姓名和电话已删除")
    page.goto("/rider")
    expect(page).to_have_url(re.compile("/login"))
    again = visitor("rider", world.leaving)
    again.goto("/rider")
    assert again.locator(".score").inner_text() == score


def test_a_rider_sees_themself_alone(world: World, visitor: Visitor) -> None:
    """Another's entry is not there, and the console is not for riders."""
    page = visitor("rider", world.top)

    found = page.goto(f"/rider/entries/{world.fined[1]}")

    assert found is not None
    assert found.status == 404
    refused = page.goto("/console")
    assert refused is not None
    assert refused.status == 403
