"""The documentation as a site: it builds without a warning, searches in both languages, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow

ADDRESS = re.compile(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["'](https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once as `make docs` builds it."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "html"]
    done = subprocess.run([*command, str(ROOT / "docs"), str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_built(site: Path) -> None:
    """Each Markdown file of docs is a page of the site."""
    sources = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]

    assert len(sources) > 40
    assert [str(path) for path in sources if not (site / path.with_suffix(".html")).is_file()] == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """No script, style, picture or frame has an address of another host."""
    loading = [page.name for page in site.rglob("*.html") if ADDRESS.search(page.read_text(encoding="utf-8"))]

    assert loading == []


def test_the_index_finds_words_in_both_languages(site: Path) -> None:
    """English words by their stem, Chinese by pairs of characters; the page cuts a question alike."""
    index = (site / "searchindex.js").read_text(encoding="utf-8")

    assert '"liabil"' in index
    assert r'"\u7533\u8bc9"' in index
    assert "splitQuery" in (site / "_static" / "language_data.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("question", ["liability", "申诉期限", "出餐慢"])
def test_search_answers_without_a_network(site: Path, browser: Browser, question: str) -> None:
    """In a browser, from files alone: pages are found in either language, and no other host is asked."""
    context = browser.new_context(offline=True)
    page = context.new_page()

    page.goto(f"{(site / 'search.html').as_uri()}?q={question}")
    page.wait_for_selector("#search-results li", timeout=30_000)

    assert page.locator("#search-results li").count() > 0
    context.close()
