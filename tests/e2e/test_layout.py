"""How pages stand: whole words in every table, nothing wider than the screen, and on paper what a reader needs."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import PHONE, Visitor
from tests.e2e.world import World

pytestmark = pytest.mark.slow

WIDE = 1440
OPS = (
    "/console",
    "/console/books",
    "/console/books/gbt-46862-reference",
    "/console/books/taobao-crowdsourced",
    "/console/books/meituan-anzhun",
    "/console/drafts",
    "/console/approvals",
    "/console/appeals",
    "/console/appeals?state=decided",
    "/console/reviews",
    "/console/audit",
)
RIDER = ("/rider", "/rider/entries")
POLICY = ("/console/studies",)
# Words of letters that a table shows on two lines; ids may break, words may not.
BROKEN = """() => {
  const found = [];
  for (const cell of document.querySelectorAll("th, td")) {
    if (!cell.checkVisibility() || getComputedStyle(cell.closest("thead") ?? cell).clipPath !== "none") continue;
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.parentElement.closest("code, .code, .away") || !node.parentElement.checkVisibility()) continue;
      for (const word of node.data.matchAll(/(?<![\\w-])[A-Za-z]{2,24}(?![\\w-])/g)) {
        const range = document.createRange();
        range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
        const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
        if (tops.size > 1) found.push(word[0]);
      }
    }
  }
  return found;
}"""


# Tables that do not fit into their box, so that a reader has to push them sideways.
CUT = """() => [...document.querySelectorAll(".scroll:not(.grid-scroll)")]
  .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
  .map((box) => box.closest("section")?.querySelector("h2")?.textContent)"""


def look(page: Page, path: str, width: int) -> None:
    """A page holds no broken word and nothing beyond its edge."""
    page.goto(path)

    assert page.evaluate(BROKEN) == [], path
    assert page.evaluate(CUT) == [], path
    assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_tables_keep_their_words_whole(world: World, visitor: Visitor, width: int, lang: str) -> None:
    """Every list of the console and of a rider, on a desk and on a phone, in both languages."""
    for role, subject, paths in (("ops", "", OPS), ("policy", "", POLICY), ("rider", world.low, RIDER)):
        page = visitor(role, subject, width=width, lang=lang)
        cases: list[str] = []
        for path in paths:
            look(page, path, width)
            found = page.locator("main a[href*='/console/appeals/'], main a[href*='/console/reviews/']")
            cases += [link.get_attribute("href") or "" for link in found.all()[:2]]
        for path in dict.fromkeys(cases):
            look(page, path, width)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_drafts_keep_their_words_whole(visitor: Visitor, lang: str) -> None:
    """Every table of a draft at 1440 px."""
    page = visitor("ops", width=WIDE, lang=lang)
    page.goto("/console/drafts/new")
    page.locator("form[action='/console/drafts'] button").click()
    page.wait_for_url(re.compile("/console/drafts/[0-9a-f]{16}"))
    draft = page.url.partition("?")[0]
    for part in ("book", "rule", "group", "tier", "cap", "report", "example"):
        look(page, f"{draft}?part={part}", WIDE)


def printed(page: Page) -> tuple[int, Any]:
    """How many sheets of A4 a page takes, and the text that stands on them."""
    page.emulate_media(media="print")
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", prefer_css_page_size=True)))
    return sheets, page.evaluate("document.body.innerText")


def test_a_card_is_printed_whole(world: World, visitor: Visitor) -> None:
    """Rider, date and book stand on it; no button does; long cards break over sheets instead of leaving one empty."""
    page = visitor("rider", world.low, lang="en")
    for path in RIDER:
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
        sheets, text = printed(page)
        height = page.evaluate("document.body.scrollHeight")

        assert world.low in text.splitlines()[0]
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", text)
        assert page.locator("button:visible, .button:visible, form:visible").count() == 0
        # A sheet of A4 without its margins holds some 1 000 px at this width of the page.
        assert sheets <= height // 700 + 2
    page.goto("/rider")
    assert "since" in printed(page)[1].splitlines()[0]
