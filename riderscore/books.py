"""Rule books from Python: which are shipped, what one says, whether it is sound, how two differ."""

from typing import Any

from rules.book import Book
from rules.diff import diff as changes_between
from rules.errors import BookError, Fault
from rules.json_form import to_json
from rules.shelf import find, shipped
from rules.text import Lang
from scoring.examples import check_books_and_examples

__all__ = ["Book", "check", "diff", "load", "names", "to_dict"]


def names() -> list[str]:
    """The ids of the shipped books.

    Returns
    -------
    list of str
        Such as `taobao-crowdsourced`.
    """
    return list(shipped())


def load(reference: str) -> Book:
    """A rule book.

    Parameters
    ----------
    reference
        An id (its newest version), `id@2025-12-03`, or a path to a TOML file.

    Returns
    -------
    Book
        With `id`, `digest`, `model` (every key, in exact units) and `document` (as written).

    Raises
    ------
    BookError
        If there is no such book, or it cannot be read; names every fault.
    """
    return find(reference)[-1]


def check(reference: str) -> list[Fault]:
    """Check a book by itself, against its other versions, and against GB/T 46862-2025; run its examples.

    Parameters
    ----------
    reference
        As `load` takes it; a folder is all books in it.

    Returns
    -------
    list of Fault
        Empty where the book is sound. `severity` is `error` or `warning`; `describe("en")` says what is wrong and what to do.
    """
    try:
        versions = find(reference)
    except BookError as error:
        return list(error.faults)
    return list(check_books_and_examples(versions))


def diff(before: str, after: str, *, lang: Lang = "en") -> list[str]:
    """What differs between two books, in words.

    Parameters
    ----------
    before, after
        As `load` takes them.
    lang
        `en` or `zh`.

    Returns
    -------
    list of str
        A sentence for each difference.

    Raises
    ------
    BookError
        If one of them cannot be read.
    """
    return [change.describe(lang) for change in changes_between(load(before), load(after))]


def to_dict(book: Book) -> dict[str, Any]:
    """A book as JSON holds it, in the units that people write.

    Parameters
    ----------
    book
        As `load` gives it.

    Returns
    -------
    dict
        What `riderscore books export --format json` prints.
    """
    return dict(to_json(book.document))
