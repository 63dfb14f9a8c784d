"""`riderscore books`: what rule books there are, what they say, whether they are sound, how they differ."""

import datetime as dt
import sys
from typing import TYPE_CHECKING

import click

from api.cli.console import DIFFERENCES, OK, json_option, lang_option, out_console, print_json, show_faults
from api.cli.lazy_group import LazyCommand, LazyGroup
from api.cli.option_types import DATE
from rules.text import LANGS, Lang, text

if TYPE_CHECKING:
    from rules.book import Book
    from rules.errors import Fault

COMMANDS = {
    "list": LazyCommand("api.cli.books:list_books", "List the shipped rule books, every version of each."),
    "show": LazyCommand("api.cli.books:show", "Show a rule book in full, with all that it inherits."),
    "check": LazyCommand(
        "api.cli.books:check_books",
        "Check rule books (files, folders or ids) against each other and against GB/T 46862-2025.",
    ),
    "diff": LazyCommand(
        "api.cli.books:diff_books", "Say in words what differs between two rule books; ends with 3 if anything does."
    ),
    "export": LazyCommand(
        "api.cli.books:export", "Export a rule book: its document as JSON, or its rules as JDM decision tables."
    ),
    "impact": LazyCommand(
        "api.cli.compare:impact",
        "Show who would move tier, points or money if book B replaced book A, on deliveries that happened.",
    ),
}
# Faults that say that a book is not there; all others are about what a book says.
NOT_THERE = {
    "unknown_book",
    "no_such_book",
    "not_found",
    "is_directory",
    "unreadable",
    "no_versions",
    "bad_reference_date",
}


@click.group(cls=LazyGroup, table=COMMANDS)
def books() -> None:
    """List, show, check, compare and export rule books."""


def find_or_exit(reference: str, lang: Lang) -> "tuple[Book, ...]":
    """The versions a reference names; ends the command with its faults if there are none."""
    from rules.shelf import early_note, find

    versions = find(reference)
    note = early_note(reference)
    show_faults([note] if note else [], lang)
    return versions


def version_or_exit(reference: str, at: dt.date | None, lang: Lang) -> "Book":
    """The version of a reference in force on a day; the newest if no day is named."""
    from rules.shelf import early_note, in_force

    versions = find_or_exit(reference, lang)
    note = None if at is None else early_note(f"{reference}@{at}")
    show_faults([note] if note else [], lang)
    return versions[-1] if at is None else in_force(versions, at)


@click.command("list")
@lang_option
@json_option
def list_books(lang: Lang, as_json: bool) -> None:
    """List the shipped rule books, every version of each."""
    from rules.shelf import shipped, versions

    rows = [book for book_id in shipped() for book in versions(book_id)]
    if as_json:
        print_json(
            [
                {
                    "id": book.id,
                    "effective_from": book.model.effective_from.isoformat(),
                    "regime": book.model.regime,
                    "rider_kinds": list(book.model.rider_kinds),
                    "title": book.model.title.model_dump(),
                    "digest": book.digest,
                }
                for book in rows
            ]
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for key in ("id", "from", "title", "digest"):
        table.add_column(text(lang, f"cli.books_{key}"), no_wrap=key != "title")
    for book in rows:
        title = getattr(book.model.title, lang)
        table.add_row(book.id, book.model.effective_from.isoformat(), title, book.digest[:12])
    out_console().print(table)


@click.command()
@click.argument("reference", metavar="ID")
@click.option("--at", type=DATE, help="The version in force on this day (default: the newest).")
@lang_option
@json_option
def show(reference: str, at: dt.date | None, lang: Lang, as_json: bool) -> None:
    """Show a rule book in full, with all that it inherits."""
    from rules.json_form import to_json
    from rules.shelf import to_toml

    book = version_or_exit(reference, at, lang)
    if as_json:
        print_json({"digest": book.digest, **to_json(book.document)})
        return
    click.echo(f"# {book.id}@{book.model.effective_from.isoformat()}  sha256 {book.digest}")
    click.echo(to_toml(book), nl=False)


@click.command("check")
@click.argument("references", metavar="PATH...", nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Count warnings as faults.")
@lang_option
@json_option
def check_books(references: tuple[str, ...], strict: bool, lang: Lang, as_json: bool) -> None:
    """Check rule books (files, folders or ids) against each other and against GB/T 46862-2025.

    Ends with 3 if a fault is found; warnings are shown and count with --strict only.
    """
    from rules.errors import BookError
    from rules.shelf import find
    from scoring.examples import check_books_and_examples

    faults: list[Fault] = []
    read: list[Book] = []
    for reference in references:
        try:
            read += find(reference)
        except BookError as error:
            if any(fault.code in NOT_THERE for fault in error.faults):
                raise
            faults += error.faults
    faults += check_books_and_examples(read)
    errors = [fault for fault in faults if fault.severity == "error" or strict]
    if as_json:
        print_json([_fault_document(fault) for fault in faults])
    else:
        for fault in faults:
            click.echo(f"{text(lang, f'cli.{fault.severity}')} {fault.describe(lang)}")
        key = "cli.check_faults" if errors else "cli.check_passed"
        click.echo(text(lang, key, errors=len(errors), warnings=len(faults) - len(errors), books=len(read)))
    sys.exit(DIFFERENCES if errors else OK)


def _fault_document(fault: "Fault") -> dict[str, object]:
    return {
        "code": fault.code,
        "severity": fault.severity,
        "file": fault.file,
        "rule": fault.rule,
        "key": fault.key,
        "given": fault.given,
        "allowed": fault.allowed,
        "clause": fault.clause,
        "message": {lang: fault.describe(lang) for lang in LANGS},
    }


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@lang_option
@json_option
def diff_books(before: str, after: str, lang: Lang, as_json: bool) -> None:
    """Say in words what differs between two rule books; ends with 3 if anything does."""
    from rules.diff import diff

    changes = diff(version_or_exit(before, None, lang), version_or_exit(after, None, lang))
    if as_json:
        print_json([change.as_dict() for change in changes])
    else:
        for change in changes:
            click.echo(change.describe(lang))
        if not changes:
            click.echo(text(lang, "cli.no_difference"))
    sys.exit(DIFFERENCES if changes else OK)


@click.command()
@click.argument("reference", metavar="ID")
@click.option("--format", "format_", type=click.Choice(["json", "jdm"]), required=True)
@click.option("--at", type=DATE, help="The version in force on this day (default: the newest).")
@lang_option
def export(reference: str, format_: str, at: dt.date | None, lang: Lang) -> None:
    """Export a rule book: its document as JSON, or its rules as JDM decision tables."""
    from rules.jdm import to_jdm
    from rules.json_form import to_json

    book = version_or_exit(reference, at, lang)
    if format_ == "jdm":
        print_json(to_jdm(book, lang))
    else:
        print_json(to_json(book.document))
