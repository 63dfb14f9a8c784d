"""A rule book's tables as text, for paper: what its page shows in fields does not print."""

from dataclasses import dataclass

from api.endpoints.books.sheet_writing import label
from api.endpoints.books.tables import Document, tables_of
from rules.text import Lang, text


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table: its title, headings and rows; columns in which nothing stands are left out."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def on_paper(document: Document, lang: Lang) -> list[PaperTable]:
    """All tables in which something stands, in their order."""
    found = []
    for part, table in tables_of(document).items():
        used = [one for one in table.columns if any(row.cells.get(one.key, "").strip() for row in table.rows)]
        if not used:
            continue
        title = text(lang, f"web_books.sheet_{part}")
        rows = tuple(tuple(row.cells.get(one.key, "") for one in used) for row in table.rows)
        headings = tuple(label(one, lang) for one in used)
        if part == "book":
            pairs = tuple(zip(headings, rows[0], strict=True))
            headings, rows = (text(lang, "web_books.column_key"), text(lang, "web_books.column_value")), pairs
        found.append(PaperTable(title, headings, rows))
    return found
