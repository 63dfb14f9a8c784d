"""Rule books as people work with them: read beside the law, drafted as tables, tried, checked."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from api.app.create import HOOKS
from tests.e2e.bench import WORK_MS, Clock, begin, cell, copied, save
from tests.e2e.conftest import DESKTOP, PHONE, Visitor
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


@pytest.fixture
def ops(visitor: Visitor) -> Page:
    """Somebody of operations at a desk."""
    return visitor("ops", width=DESKTOP)


def rule_ids(page: Page) -> list[str]:
    """Ids of the rows of the table on the page."""
    ids: list[str] = page.locator("#cells-form tbody tr").evaluate_all("rows => rows.map(row => row.dataset.rule)")
    return ids


def test_books_stand_by_city_with_the_law_beside_each_rule(visitor: Visitor, serious_faults: Faults) -> None:
    """Item 1: in force, to come and drafts of a city; a book shows its rules, the law's text, where numbers come from."""
    page = visitor("ops", width=DESKTOP)
    page.goto("/console/books")
    page.get_by_label("城市", exact=True).select_option(CITY)
    expect(page.locator("#places tbody")).to_have_count(1)
    expect(page.locator("#places")).to_contain_text("2026-01-30")

    page.get_by_role("link", name="淘宝闪购众包服务分").first.click()

    late = page.locator("#rule-late_over_5")
    expect(late).to_contain_text("−2 分")
    expect(late.locator(".law")).to_contain_text("7.2.8")
    expect(late.locator(".law p:visible").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("来源")
    assert serious_faults(page) == []


def test_a_cell_is_checked_when_it_is_left(ops: Page) -> None:
    """Item 2: what cannot be read or is not allowed is told beside the cell, with its remedy, before anything is saved."""
    begin(ops)
    points = cell(ops, "late_over_5", "分数")

    points.fill("minus two")
    points.blur()
    expect(ops.locator("#e-" + (points.get_attribute("id") or ""))).to_contain_text("请写数字")
    expect(points).to_have_attribute("aria-invalid", "true")

    points.fill("-2000")
    points.blur()
    expect(ops.locator("#e-" + (points.get_attribute("id") or ""))).to_contain_text("-1000 … 1000")

    points.fill("-2")
    points.blur()
    expect(points).not_to_have_attribute("aria-invalid", "true")


def test_without_script_the_same_is_told_by_saving(visitor: Visitor) -> None:
    """Item 2: the editor is a form; the fault stands beside the cell, which keeps what was typed."""
    page = visitor("ops", width=DESKTOP, script=False)
    begin(page)
    cell(page, "late_over_5", "分数").fill("minus two")

    save(page)

    points = cell(page, "late_over_5", "分数")
    expect(points).to_have_value("minus two")
    expect(points).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#e-" + (points.get_attribute("id") or ""))).to_contain_text("请写数字")
    expect(page.get_by_role("button", name="提交审批")).to_be_disabled()


def test_rows_come_move_and_go_and_each_step_is_undone(ops: Page) -> None:
    """Item 2: add, copy, move, delete, undo; typed cells are kept on the way."""
    begin(ops)
    before = rule_ids(ops)
    cell(ops, before[0], "名称（中文）").fill("准点送达")

    ops.get_by_role("button", name=f"下移 {before[0]}").click()
    expect(ops.locator("#cells-form tbody tr").nth(1)).to_have_attribute("data-rule", before[0])
    expect(cell(ops, before[0], "名称（中文）")).to_have_value("准点送达")
    ops.get_by_role("button", name=f"复制 {before[0]}").click()
    expect(ops.locator("#cells-form tbody tr").nth(2)).to_have_attribute("data-rule", f"{before[0]}_2")
    ops.get_by_role("button", name="＋ 规则").click()
    expect(ops.locator("#cells-form tbody tr").last).to_have_attribute("data-rule", "new_rule_2")
    ops.get_by_role("button", name="删除 new_rule_2").click()
    expect(ops.locator("#cells-form tbody tr")).to_have_count(len(before) + 1)

    for expected in (len(before) + 2, len(before) + 1, len(before)):
        ops.get_by_role("button", name="撤销", exact=True).click()
        expect(ops.locator("#cells-form tbody tr")).to_have_count(expected)
    ops.get_by_role("button", name="撤销", exact=True).click()
    expect(cell(ops, before[0], "名称（中文）")).to_have_value("准时送达加分")
    assert rule_ids(ops) == before


def test_a_block_is_pasted_where_the_cursor_is(ops: Page) -> None:
    """Item 2: cells copied in a spreadsheet fill the table from the cell under the cursor on."""
    begin(ops)
    ids = rule_ids(ops)
    cell(ops, ids[0], "名称（中文）").click()

    ops.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "第一条\\t送达\\n第二条\\t送达\\n");
          document.activeElement.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )

    expect(cell(ops, ids[0], "名称（中文）")).to_have_value("第一条")
    expect(cell(ops, ids[1], "名称（中文）")).to_have_value("第二条")
    save(ops)
    expect(cell(ops, ids[1], "名称（中文）")).to_have_value("第二条")


def test_rows_are_pasted_without_script_too(visitor: Visitor) -> None:
    """Item 2: the box takes rows with or without headings; a known id is changed, a new one added."""
    page = visitor("ops", width=DESKTOP, script=False)
    begin(page)
    page.get_by_text("Excel、CSV 与粘贴").click()
    page.get_by_text("从表格软件粘贴").click()
    page.get_by_label("粘贴的行").fill("编号\t分数\nlate_over_5\t-1.5\nbrand_new\t-1")

    page.get_by_role("button", name="粘贴到本表").click()

    expect(page.locator("#said")).to_contain_text("已粘贴 2 行")
    expect(cell(page, "late_over_5", "分数")).to_have_value("-1.5")
    expect(cell(page, "brand_new", "分数")).to_have_value("-1")


def test_a_workbook_goes_out_and_comes_back(ops: Page, tmp_path: Path) -> None:
    """Item 2: the downloaded workbook, changed and uploaded, changes the draft; a faulty one changes nothing and tells where."""
    begin(ops)
    ops.get_by_text("Excel、CSV 与粘贴").click()
    with ops.expect_download() as download:
        ops.get_by_role("link", name="全部表格（Excel）").click()
    path = tmp_path / "book.xlsx"
    download.value.save_as(path)

    book = load_workbook(path)
    sheet = book["规则"]
    at = next(row for row in range(2, sheet.max_row + 1) if sheet.cell(row, 1).value == "late_over_5")
    column = next(k for k in range(1, sheet.max_column + 1) if "[points]" in str(sheet.cell(1, k).value))
    sheet.cell(at, column).value = -1.5
    book.save(path)
    ops.set_input_files("#file", path)
    ops.get_by_role("button", name="上传并替换").click()
    expect(ops.locator("#said")).to_contain_text("已读入")
    expect(cell(ops, "late_over_5", "分数")).to_have_value("-1.5")

    sheet.cell(at, column).value = "=1+1"
    book.save(path)
    ops.get_by_text("Excel、CSV 与粘贴").click()
    ops.set_input_files("#file", path)
    ops.get_by_role("button", name="上传并替换").click()
    told = ops.get_by_role("alert").locator("tbody tr")
    expect(told).to_have_count(1)
    expect(told.first).to_contain_text("规则")
    expect(told.first).to_contain_text(str(at))
    expect(told.first).to_contain_text("=1+1")
    expect(cell(ops, "late_over_5", "分数")).to_have_value("-1.5")


def test_nobody_overwrites_a_colleague_unawares(visitor: Visitor) -> None:
    """Item 2: who saves what somebody changed meanwhile is told, and what they typed is still there."""
    mine, theirs = visitor("ops", width=DESKTOP), visitor("ops", "chen.jie", width=DESKTOP)
    address = begin(mine)
    theirs.goto(address)
    cell(theirs, "on_time", "名称（中文）").fill("她的")
    save(theirs)

    cell(mine, "on_time", "名称（中文）").fill("我的")
    mine.get_by_role("button", name="保存", exact=True).click()

    expect(mine.get_by_role("alert")).to_contain_text("有人改过")
    expect(cell(mine, "on_time", "名称（中文）")).to_have_value("我的")
    save(mine)
    expect(cell(mine, "on_time", "名称（中文）")).to_have_value("我的")


def test_a_draft_says_where_it_is_to_be_in_force(ops: Page) -> None:
    """Places are ticked, or named anew; the shelf shows the draft there."""
    begin(ops)
    ops.get_by_text("修改适用范围").click()
    ops.get_by_label("另一座城市").fill("suzhou")
    ops.get_by_label("众包", exact=True).check()

    ops.locator("#h-places ~ details").get_by_role("button", name="保存").click()

    expect(ops.locator("#said")).to_contain_text("适用范围已保存")
    ops.goto("/console/books?city=suzhou")
    expect(ops.locator("#places")).to_contain_text("编辑中")


@pytest.mark.parametrize("script", [True, False])
def test_an_event_is_tried_beside_the_table(visitor: Visitor, script: bool) -> None:
    """Item 3: the row that fires lights up, and the because-tree stands beside it."""
    page = visitor("ops", width=DESKTOP, script=script)
    begin(page)
    tried = page.locator("#trial")
    tried.get_by_label("迟到（分钟）").fill("12")

    tried.get_by_role("button", name="试算").click()

    expect(page.locator("tr.lit")).to_have_count(1)
    expect(page.locator("tr.lit")).to_have_attribute("data-rule", "late_over_5")
    expect(page.locator("#trial .outcome")).to_contain_text("−2")
    expect(page.locator("#trial .tree").first).to_contain_text("晚到 12 分钟")


def test_what_is_missing_is_said_and_nothing_is_submitted(ops: Page) -> None:
    """Item 4: an example that no longer holds stands in the way, with a link to its cell; once green it may go on."""
    begin(ops)
    cell(ops, "late_over_5", "分数").fill("-1.5")
    save(ops)
    ready = ops.locator("#ready")
    expect(ready).to_contain_text("实际得到 -1.5")
    expect(ready.get_by_role("button", name="提交审批")).to_be_disabled()

    ready.get_by_role("link", name="late_over_5").first.click()
    for field in ops.locator("tr[data-rule=late_over_5] input").all():
        if field.input_value() == "-2":
            field.fill("-1.5")
    save(ops)

    expect(ops.locator("#ready").get_by_role("button", name="提交审批")).to_be_enabled()


def test_an_impact_can_be_stopped(ops: Page) -> None:
    """Item 5: a piece of long work is watched, and stopped; the page says so."""
    address = begin(ops)
    ops.goto(f"{address}/impact")
    ops.get_by_role("button", name="开始评估").click()
    expect(ops).to_have_url(re.compile("study="))
    shown = ops.locator("main")
    expect(shown).to_contain_text(re.compile("停止|等级变化"))
    stop = ops.get_by_role("button", name="停止")

    if stop.count():
        with contextlib.suppress(Exception):
            stop.click(timeout=2_000)

    expect(shown).to_contain_text(re.compile("没有结果|等级变化|合计"), timeout=WORK_MS)


def test_rows_are_folded_on_a_phone(visitor: Visitor) -> None:
    """Of a long table a phone shows what the rows are called; one tap shows all cells of a row, also without script."""
    page = visitor("ops", width=PHONE, script=False)
    page.goto("/console/drafts/new")
    choice = page.locator("select[name=digest]")
    choice.select_option(choice.locator("option", has_text="国标参考服务分").first.get_attribute("value"))
    page.locator("main form button.main").click()
    row = page.locator("tr[data-rule=late]")
    expect(row.get_by_label("late 名称（中文）", exact=True)).to_be_visible()
    expect(row.get_by_label("late 规则组", exact=True)).to_be_hidden()

    row.get_by_label("展开全部").check()

    expect(row.get_by_label("late 规则组", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pages_are_usable_by_everybody(visitor: Visitor, serious_faults: Faults, width: int, lang: str) -> None:
    """No serious fault of accessibility, and nothing wider than the screen, in either language, on phone and desk."""
    page = visitor("ops", width=width, lang=lang)
    page.goto(f"/console/books?city={CITY}")
    page.locator("#places form button").first.click()
    address = page.url.partition("?")[0]
    paths = [
        "/console/books", "/console/books/gbt-46862-reference", "/console/drafts", "/console/drafts/new",
        "/console/approvals", f"{address}?part=rule&kind=delivered&late_min=12", f"{address}?part=book",
        f"{address}?part=example", f"{address}/impact",
    ]  # fmt: skip

    found = {}
    for path in paths:
        page.goto(path)
        if faults := serious_faults(page):
            found[path] = faults
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.setdefault(path, []).append("wider than the screen")

    assert found == {}
