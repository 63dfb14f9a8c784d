"""What ops do: answer appeals, decide reviews, watch a city, read who did what."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from api.db.store import Store
from api.decisions.appeal_records import APPEALS, Appeal
from api.decisions.reviews import REVIEWS
from tests.e2e.conftest import DESKTOP, PHONE, Visitor
from tests.e2e.world import CITY, World

pytestmark = pytest.mark.slow

Faults = Callable[[Page], list[str]]


def open_appeals(world: World) -> list[Appeal]:
    """Open appeals by deadline."""
    store = Store(world.url)
    with store.reading() as unit:
        found = list(APPEALS.page(unit, "open").items)
    store.close()
    return found


def open_ids(world: World) -> list[str]:
    """Their ids."""
    return [appeal.appeal_id for appeal in open_appeals(world)]


def review_of_low(world: World) -> str:
    """The review of the rider with the lowest score, decided or not."""
    store = Store(world.url)
    with store.reading() as unit:
        found = REVIEWS.of_rider(unit, world.low)[0].review_id
    store.close()
    return found


def test_appeals_stand_by_deadline_and_are_answered_with_a_reason(world: World, visitor: Visitor) -> None:
    """Item 10: the case file, a decision with its code and words, and the points are back."""
    page = visitor("ops", width=DESKTOP)
    page.goto("/console/appeals")
    links = page.locator("tbody th a").evaluate_all("all => all.map(one => one.getAttribute('href').split('/').pop())")
    assert links == open_ids(world)
    # Not of the rider whose review others look at: an upheld appeal may end it.
    chosen = next(appeal.appeal_id for appeal in open_appeals(world) if appeal.rider_id != world.low)
    page.locator(f"tbody th a[href$='{chosen}']").click()
    expect(page.locator("main")).to_contain_text("photo-")
    expect(page.locator("main")).to_contain_text("考核时间")
    expect(page.locator(".tree").first).to_contain_text("规则")

    page.get_by_label("证据成立").check()
    page.get_by_label(re.compile("^说明")).fill("商家后台记录与骑手所说一致。")
    page.get_by_role("button", name="提交决定").click()

    expect(page.locator("#said")).to_contain_text("扣分已退回")
    assert open_ids(world) == [link for link in links if link != chosen]
    page.goto(f"/console/appeals/{chosen}")
    expect(page.locator("main")).to_contain_text("ops:li.na")
    expect(page.get_by_role("button", name="提交决定")).to_have_count(0)


def test_an_answer_without_words_is_not_taken(world: World, visitor: Visitor) -> None:
    """The page says what is missing and keeps what was chosen, also without script."""
    page = visitor("ops", width=DESKTOP, lang="en", script=False)
    page.goto(f"/console/appeals/{open_ids(world)[-1]}")
    page.get_by_label("In words").fill("   ")
    page.locator("input[name=answer]").last.check()

    page.get_by_role("button", name="Send the decision").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("input[name=answer]").last).to_be_checked()


def test_a_review_is_decided_by_a_person_in_writing_with_notice(world: World, visitor: Visitor) -> None:
    """Item 10: too early a date is refused in words; then it stands on the rider's page, and is lifted again."""
    page = visitor("ops", width=DESKTOP, lang="en")
    page.goto("/console/reviews")
    page.get_by_role("link", name=world.low).click()
    case_file = page.url
    earliest = page.get_by_label("From which day").input_value()
    page.get_by_label("Suspension").check()
    page.get_by_label("Written reasons").fill("Five complaints about riding on pavements.")
    page.get_by_label("From which day").fill("2026-01-22")

    page.get_by_role("button", name="Send the decision").click()

    expect(page.get_by_role("alert")).to_contain_text("14 days")
    page.get_by_label("From which day").fill(earliest)
    page.get_by_role("button", name="Send the decision").click()
    expect(page.locator("#said")).to_contain_text("is decided")
    own = visitor("rider", world.low, lang="en")
    own.goto("/rider")
    expect(own.locator("main")).to_contain_text("Orders will be paused from")
    expect(own.locator("main")).to_contain_text("Five complaints")
    page.goto(case_file)
    page.get_by_label("In words").fill("The complaints were about somebody else.")
    page.get_by_role("button", name="End it now").click()
    expect(page.locator("#said")).to_contain_text("has ended")
    own.reload()
    expect(own.locator("main")).not_to_contain_text("Orders will be paused")


def test_the_dashboard_says_what_the_api_says(world: World, visitor: Visitor, key: Callable[..., str]) -> None:
    """Item 11: the same figures, and days to choose from."""
    page = visitor("policy", width=DESKTOP, lang="en")
    token = {"Authorization": f"Bearer {key('policy')}"}
    figures = page.request.get(f"/v1/cities/{CITY}/dashboard?days=7", headers=token).json()

    page.goto("/console")

    words = page.locator("main").inner_text()
    assert f"{figures['num_delivered']:,}" in words
    assert f"{figures['num_on_time'] / figures['num_delivered']:.1%}" in words
    assert f"{figures['fines_avoided_fen'] / 100:,.2f}" in words
    assert figures["fines_avoided_fen"] > figures["fines_not_liable_fen"] > 0
    assert sum(tier["num_riders"] for tier in figures["tiers"]) == figures["num_riders"] <= world.num_riders
    page.get_by_role("link", name="1 day", exact=True).click()
    one = page.request.get(f"/v1/cities/{CITY}/dashboard?days=1", headers=token).json()
    expect(page.locator("main")).to_contain_text(f"of {one['num_delivered']:,} orders")


def test_the_audit_trail_is_searched_and_taken_along(visitor: Visitor) -> None:
    """Item 9: a filter by what was done, without losing the page, and the same lines as a file."""
    page = visitor("approver", width=DESKTOP, lang="en")
    page.goto("/console/audit")

    page.get_by_label("What", exact=True).fill("appeal_filed")
    page.get_by_role("button", name="Find").click()

    expect(page.locator("#list tbody tr")).not_to_have_count(0)
    expect(page.locator("#list")).not_to_contain_text("key_created")
    page.wait_for_url("**action=appeal_filed**")
    page.reload()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export CSV").click()
    lines = taken.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) - 1 == page.locator("#list tbody tr").count()


@pytest.mark.parametrize(("lang", "dark", "width"), [("zh", False, PHONE), ("en", True, DESKTOP)])
def test_console_pages_have_no_serious_fault(
    world: World, visitor: Visitor, serious_faults: Faults, lang: str, dark: bool, width: int
) -> None:
    """Axe looks at each page, everything unfolded; nothing is wider than the screen."""
    page = visitor("ops", lang=lang, dark=dark, width=width)
    paths = ["/console", "/console/appeals", "/console/reviews", "/console/audit", "/console/appeals?state=decided"]
    for path in [*paths, f"/console/appeals/{open_ids(world)[-1]}", f"/console/reviews/{review_of_low(world)}"]:
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")

        assert serious_faults(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_ops_of_another_city_see_nothing_here(visitor: Visitor, world: World) -> None:
    """A city that is not theirs has no riders, no appeals and no case files for them."""
    page = visitor("ops", "zhou.jie", cities=("shanghai",), lang="en")
    page.goto("/console/appeals")
    expect(page.locator("main")).to_contain_text("No appeals")

    found = page.goto(f"/console/appeals/{open_ids(world)[-1]}")

    assert found is not None
    assert found.status == 404
