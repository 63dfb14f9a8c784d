"""How Sphinx builds the documentation: `make docs` writes docs/_build/html, which needs no network to be read."""

import re
from importlib.metadata import version as version_of

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.highlighting import lexers
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

project = "riderscore"
author = "The riderscore authors"
copyright = author  # noqa: A001 - Sphinx's name
release = version_of("riderscore")
extensions = ["myst_parser"]
exclude_patterns = ["_build", "**/.*"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "riderscore"
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
nitpicky = True
# A page may show any file's text; what Pygments cannot colour is shown plainly.
lexers["csv"] = TextLexer()
lexers["text"] = TextLexer()

_CHINESE = "\u4e00-\u9fff"


class SearchChineseAndEnglish(SearchEnglish):
    """English words as they are, Chinese in overlapping pairs of characters: no dictionary is needed."""

    lang = "zh-en"
    # The page takes the stemmer's name from it.
    language_name = "English"
    # A question is cut side by side, not overlapping: each pair must be on the page, their order does not matter.
    js_splitter_code = f"""
function splitQuery(query) {{
  const words = query.match(/[{_CHINESE}]+|[^\\s{_CHINESE}\\p{{P}}]+/gu) || [];
  return words.flatMap((word) => /[{_CHINESE}]/u.test(word) && word.length > 2
    ? Array.from({{length: Math.ceil(word.length / 2)}}, (_, at) => Math.min(at * 2, word.length - 2))
        .map((start) => word.slice(start, start + 2))
    : [word]);
}}
"""

    def split(self, input: str) -> list[str]:
        """The words that the index holds of a text."""
        words = re.findall(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+", input)
        return [part for word in words for part in _pairs(word)]

    def word_filter(self, word: str) -> bool:
        """Every word counts that the English filter keeps; a pair of Chinese characters always does."""
        return bool(re.match(f"[{_CHINESE}]", word)) or super().word_filter(word)


def _pairs(word: str) -> list[str]:
    if not re.match(f"[{_CHINESE}]", word) or len(word) < 3:
        return [word]
    return [word[at : at + 2] for at in range(len(word) - 1)]


languages["zh-en"] = SearchChineseAndEnglish
html_search_language = "zh-en"


def setup(_: Sphinx) -> dict[str, bool]:
    """Pages may be read and written side by side."""
    return {"parallel_read_safe": True, "parallel_write_safe": True}
