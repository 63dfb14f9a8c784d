"""`riderscore verify`: every ledger invariant, recomputed from the files or in the database."""

import dataclasses
import sys
from pathlib import Path

import click

from api.cli.console import FOUND, USAGE, json_option, lang_option, out_console, print_json, say, stop
from api.cli.database import opened
from rules.errors import BookError
from rules.text import Lang, text
from scoring.invariants import Found, Violation, added, check_ledger


@click.command("verify")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--database", metavar="URL", help="Check the ledger of a database instead of a directory.")
@lang_option
@json_option
def verify(directory: Path | None, database: str | None, lang: Lang, as_json: bool) -> None:
    """Recompute every invariant of the ledger in DIR from its files, or of the ledger in a database.

    A database also has a chain of hashes for each rider, in which any change from outside shows. Exits with 3 if a
    check does not hold, with 2 if DIR is no ledger directory or the database is none of ours.
    """
    if (directory is None) == (database is None):
        raise click.UsageError(text(lang, "verify.what"))
    results, riders, entries = _of_database(database, lang) if database else _of_directory(directory or Path(), lang)
    holds = all(result.holds for result in results)
    if as_json:
        checks = [_document(result, lang) for result in results]
        print_json({"holds": holds, "riders": riders, "entries": entries, "checks": checks})
    else:
        _show(results, lang)
        failed = sum(not result.holds for result in results)
        key = "verify.holds" if holds else "verify.broken"
        click.echo(text(lang, key, entries=entries, riders=riders, checks=len(results), failed=failed))
    sys.exit(0 if holds else FOUND)


def _of_directory(directory: Path, lang: Lang) -> tuple[tuple[Found, ...], int, int]:
    from api.batch.errors import InputError
    from api.batch.ledger_source import read_ledgers, wrong_counts

    num_entries = num_riders = 0
    results: tuple[Found, ...] = ()
    try:
        for ledger in read_ledgers(directory):
            results = added(results, check_ledger(ledger))
            num_entries += ledger.entries.num_rows
            num_riders += ledger.riders.num_rows
        wrong = [Violation("", None, name, str(wanted), str(said)) for name, wanted, said in wrong_counts(directory)]
    except InputError as error:
        stop(error.faults, lang, USAGE)
    if wrong:
        results = added(results, (Found("counted", len(wrong), tuple(wrong)),))
    return results, num_riders, num_entries


def _of_database(url: str, lang: Lang) -> tuple[tuple[Found, ...], int, int]:
    from api.store import schema
    from api.store.verifying import verify_store

    with opened(url, lang) as store:
        found, wanted = schema.revision_of(store), schema.head()
        if found != wanted:
            key = "store.empty" if found is None else "store.outdated"
            say(lang, key, url=store.shown_url, found=found, revision=wanted)
            sys.exit(USAGE)
        with store.reading() as unit:
            try:
                verified = verify_store(unit)
            except BookError as error:
                stop(error.faults, lang, FOUND)
    return verified.found, verified.num_riders, verified.num_entries


def _document(result: Found, lang: Lang) -> dict[str, object]:
    return dataclasses.asdict(result) | {"holds": result.holds, "title": text(lang, f"check.{result.check}")}


def _show(results: tuple[Found, ...], lang: Lang) -> None:
    console = out_console()
    for result in results:
        mark = "[green]✓[/green]" if result.holds else "[red]✗[/red]"
        console.print(f"{mark} {text(lang, f'check.{result.check}')}")
        for violation in result.violations:
            console.print("    " + _line(violation, lang), markup=False)
        hidden = result.num_violations - len(result.violations)
        if hidden > 0:
            console.print("    " + text(lang, "verify.more", number=hidden), markup=False)


def _line(violation: Violation, lang: Lang) -> str:
    key = "verify.ledger" if not violation.rider else "verify.rider" if violation.seq is None else "verify.entry"
    return text(
        lang,
        key,
        rider=violation.rider,
        seq=violation.seq,
        what=violation.what,
        expected=violation.expected,
        found=violation.found,
    )
