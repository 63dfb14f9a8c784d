"""The package itself: light to import, every public name is there and described."""

import inspect
import subprocess
import sys

import pytest
from numpydoc.docscrape import get_doc_object

import riderscore as rs
from riderscore import books


@pytest.mark.slow
def test_importing_it_imports_nothing_heavy() -> None:
    """Not even NumPy, until something is used."""
    code = (
        "import riderscore, sys;"
        "print([name for name in ('numpy', 'pyarrow', 'numba', 'pydantic', 'ortools', 'click') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    """Names resolve, are listed by `dir`, and one that is not there is an AttributeError."""
    assert [name for name in rs.__all__ if getattr(rs, name, None) is None] == []
    assert set(rs.__all__) <= set(dir(rs))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = rs.nothing_like_it


@pytest.mark.parametrize("name", sorted([*rs.__all__, *(f"books.{name}" for name in books.__all__)]))
def test_every_parameter_is_described(name: str) -> None:
    """Each function of the public API has a line for each parameter; each class says what it holds."""
    value = getattr(books, name.partition(".")[2]) if "." in name else getattr(rs, name)
    assert inspect.getdoc(value), name
    if inspect.isfunction(value):
        described = {
            part.strip() for parameter in get_doc_object(value)["Parameters"] for part in parameter.name.split(",")
        }
        assert set(inspect.signature(value).parameters) == described


def test_books_are_read_checked_and_compared() -> None:
    """As `riderscore books` does."""
    book = rs.books.load("taobao-crowdsourced")

    assert "taobao-crowdsourced" in rs.books.names()
    assert rs.books.to_dict(book)["score"]["base"] == 70
    assert [fault for fault in rs.books.check("taobao-crowdsourced") if fault.severity == "error"] == []
    assert rs.books.diff("taobao-crowdsourced", "taobao-crowdsourced") == []
    assert any("floor" in words or "base" in words for words in rs.books.diff("meituan-anzhun", "taobao-crowdsourced"))
    with pytest.raises(rs.BookError):
        rs.books.load("no-such-book")
    assert rs.books.check("no-such-book")
