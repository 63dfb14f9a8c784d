"""Rule books on disk: the shipped ones, and files and folders that people name. No other module of `rules` reads files.

A reference is a shipped id, `id@2025-12-03` (the version in force on that day), a TOML file, or a folder of versions.
"""

import datetime as dt
import difflib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rules.book import Book
from rules.deployment import Deployment, parse_deployment
from rules.errors import BookError, Fault
from rules.parse import Source, decode, parse, read_toml
from rules.toml_text import toml_of

BOOKS_DIR = Path(__file__).parent / "books"
PILOTS = "pilots"
DEPLOYMENT_FILE = Path(__file__).parent / "deployment.toml"


def shipped() -> tuple[str, ...]:
    """The ids of the shipped books.

    Returns
    -------
    tuple of str
        In alphabetical order.
    """
    return tuple(sorted(path.name for path in BOOKS_DIR.iterdir() if path.is_dir()))


@cache
def versions(book_id: str) -> tuple[Book, ...]:
    """All versions of a shipped book, oldest first.

    Parameters
    ----------
    book_id
        Of a shipped book.

    Returns
    -------
    tuple of Book
        At least one; the same objects at each call.

    Raises
    ------
    BookError
        If there is no such book, or one of its files has a fault.
    """
    if book_id not in shipped():
        raise BookError((unknown_book(book_id, shipped()),))
    return _folder(BOOKS_DIR / book_id)


def unknown_book(book_id: str, known: Sequence[str], file: str = "") -> Fault:
    """A book that is not there, with those that may be meant: the name is a part of theirs, or nearly written like it.

    Parameters
    ----------
    book_id
        The name that was written.
    known
        Ids that there are.
    file
        Name of its source in messages; the id itself unless said.

    Returns
    -------
    Fault
        `unknown_book` with the near ids, or `no_such_book`.
    """
    plain = book_id.strip().casefold().replace("_", "-")
    near = [name for name in known if plain and (plain in name or name in plain)]
    near = near or difflib.get_close_matches(plain, known, n=3)
    code, params = ("unknown_book", (("near", ", ".join(near)),)) if near else ("no_such_book", ())
    return Fault(code, file or book_id, given=book_id, allowed=", ".join(known), params=params)


def early_note(reference: str) -> Fault | None:
    """A warning that `id@date` names a day before the book's first version, which is taken all the same.

    Parameters
    ----------
    reference
        As `find` takes it.

    Returns
    -------
    Fault or None
        None for any other reference.
    """
    book_id, at, day = reference.partition("@")
    if not at or book_id not in shipped():
        return None
    first = versions(book_id)[0].model.effective_from
    try:
        if dt.date.fromisoformat(day) >= first:
            return None
    except ValueError:
        return None
    return Fault("before_first_version", reference, given=day, allowed=first.isoformat(), severity="warning")


@cache
def pilots(book_id: str) -> tuple[Book, ...]:
    """Versions of a shipped book from before its first published one, for cities that tried it: their numbers are ours.

    A deployment table may name a day of theirs; who names the book alone means what was published.

    Parameters
    ----------
    book_id
        Of a shipped book.

    Returns
    -------
    tuple of Book
        Oldest first; empty for most books.

    Raises
    ------
    BookError
        If one of the files has a fault.
    """
    folder = BOOKS_DIR / book_id / PILOTS
    return _folder(folder) if folder.is_dir() else ()


def deployable(book_id: str) -> tuple[Book, ...]:
    """All versions of a shipped book that a city can have, oldest first.

    Parameters
    ----------
    book_id
        Of a shipped book.

    Returns
    -------
    tuple of Book
        At least one.

    Raises
    ------
    BookError
        As `versions`.
    """
    published = versions(book_id)
    return (*pilots(book_id), *published)


def find(reference: str) -> tuple[Book, ...]:
    """The versions that a reference names, oldest first.

    Parameters
    ----------
    reference
        A shipped id, `id@2025-12-03`, a TOML file, or a folder of versions.

    Returns
    -------
    tuple of Book
        At least one.

    Raises
    ------
    BookError
        If nothing is found, or what is found has faults.
    """
    path = Path(reference)
    if path.suffix == ".toml" or "/" in reference or "\\" in reference:
        if path.is_dir() and path.suffix != ".toml":
            return _folder(path)
        return (_parsed(path, reference),)
    book_id, at, day = reference.partition("@")
    if not at:
        if book_id and book_id not in shipped() and path.is_dir():
            return _folder(path)
        return versions(book_id)
    try:
        on = dt.date.fromisoformat(day)
    except ValueError:
        raise BookError((Fault("bad_reference_date", reference, given=day),)) from None
    return (in_force(versions(book_id), on),)


def in_force(books: tuple[Book, ...], on: dt.date) -> Book:
    """The version in force on a local day; before the first version, the first one.

    Parameters
    ----------
    books
        Versions of one book, oldest first.
    on
        A local day.

    Returns
    -------
    Book
        One of them.
    """
    current = books[0]
    for book in books[1:]:
        if book.model.effective_from <= on:
            current = book
    return current


def deployment() -> Deployment:
    """The shipped deployment table.

    Returns
    -------
    Deployment
        As published, by platform, city and rider kind.

    Raises
    ------
    BookError
        With every fault of the table.
    """
    return parse_deployment(_read(DEPLOYMENT_FILE, DEPLOYMENT_FILE.name), DEPLOYMENT_FILE.name, deployable)


def to_toml(book: Book) -> str:
    """The book in full as TOML, nothing left to `extends`; it parses to the same digest.

    Parameters
    ----------
    book
        Any book.

    Returns
    -------
    str
        In the style in which the shipped books are written.
    """
    return toml_of(book.document)


def extends_of(book: Book) -> str | None:
    """What a shipped version was written on top of, as its file says; None for one that stands alone or is not shipped.

    Parameters
    ----------
    book
        Any book.

    Returns
    -------
    str or None
        The reference, such as `gbt-46862-reference@2026-01-01`.
    """
    if book.id not in shipped() or book.digest not in {version.digest for version in versions(book.id)}:
        return None
    path = BOOKS_DIR / book.id / f"{book.model.effective_from.isoformat()}.toml"
    reference = read_toml(Source(_read(path, path.name), path.name)).get("extends")
    return reference if isinstance(reference, str) else None


def shipped_parent(reference: str, file: str, on: dt.date | None) -> Source | None:
    """A `FindParent` for documents that are not files: the shipped book, in the version in force on that day.

    Parameters
    ----------
    reference
        What the document extends: an id or `id@date`.
    file
        The document's name in messages.
    on
        The day on which the document takes effect, if it names one.

    Returns
    -------
    Source or None
        None for a file, or a book that is not shipped.
    """
    return _parent(reference, BOOKS_DIR / "stored" / file, on) if not reference.endswith(".toml") else None


def _folder(folder: Path) -> tuple[Book, ...]:
    faults: list[Fault] = []
    books: list[Book] = []
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        faults.append(Fault("no_versions", str(folder)))
    for path in paths:
        file = f"{folder.name}/{path.name}"
        try:
            book = _parsed(path, file)
        except BookError as error:
            faults += error.faults
            continue
        books.append(book)
        day = book.model.effective_from.isoformat()
        if path.stem != day:
            faults.append(Fault("name_not_date", file, key="effective_from", given=day, allowed=f"{day}.toml"))
        if book.id != books[0].id:
            faults.append(Fault("mixed_ids", file, key="id", given=f'"{book.id}"', allowed=books[0].id))
    if faults:
        raise BookError(tuple(faults))
    return tuple(sorted(books, key=lambda book: book.model.effective_from))


def _parsed(path: Path, file: str) -> Book:
    def find_parent(reference: str, child: str, on: dt.date | None) -> Source | None:
        child_path = path if child == file else Path(child)
        return _parent(reference, child_path, on)

    return parse(_read(path, file), file, find_parent)


def _parent(reference: str, child: Path, on: dt.date | None) -> Source | None:
    if reference.endswith(".toml"):
        path = child.parent / reference
        return Source(_read(path, str(path)), str(path)) if path.exists() else None
    book_id, _, day = reference.partition("@")
    for root in (child.parent.parent, BOOKS_DIR):
        file = _version_file(root / book_id, child, day or (on.isoformat() if on else ""))
        if file is not None:
            return Source(_read(file, str(file)), str(file))
    return None


def _version_file(folder: Path, child: Path, day: str) -> Path | None:
    """The file in force on a day; never the child itself, so that a version may extend the one before."""
    paths = [path for path in sorted(folder.glob("*.toml")) if path.resolve() != child.resolve()]
    begun = [path for path in paths if not day or path.stem <= day]
    before_all = paths[0] if paths and folder.resolve() != child.parent.resolve() else None
    return begun[-1] if begun else before_all


def _read(path: Path, file: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BookError((Fault("not_found", file),)) from None
    except IsADirectoryError:
        raise BookError((Fault("is_directory", file),)) from None
    except OSError as error:
        raise BookError((Fault("unreadable", file, given=error.strerror or type(error).__name__),)) from None
    return decode(content, file)
