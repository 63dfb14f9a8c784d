"""The pages that people read, and the fenced blocks in them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[a-z]+) ?(?P<rest>[^\n]*)\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """A fenced block: its language, what stands after the language, and its text without the fence's indent."""

    language: str
    name: str
    text: str


def pages() -> list[Path]:
    """Every Markdown page for people: README in both languages, CONTRIBUTING, and docs."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
    ]


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(fence["language"], fence["rest"].strip(), _unindented(fence["text"], fence["indent"]))
        for fence in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def _unindented(text: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def name_of(page: Path) -> str:
    """How a page is named in tests and messages."""
    return str(page.relative_to(ROOT))
