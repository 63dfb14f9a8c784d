"""`riderscore verify`: every ledger invariant, recomputed from the files or in the database; whether the two agree."""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import (
    DIFFERENCES,
    json_option,
    lang_option,
    out_console,
    print_json,
)
from api.cli.database import check_is_upgraded, open_store
from api.cli.progress import shown_progress
from rules.text import Lang, text
from scoring.invariants import CheckResult, LedgerViolation, added_results

if TYPE_CHECKING:
    from api.ledger.verify import VerifyReport


@click.command("verify")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--database", metavar="URL", help="Check the ledger of a database; with DIR, whether it holds the lines of DIR."
)
@lang_option
@json_option
def verify(directory: Path | None, database: str | None, lang: Lang, as_json: bool) -> None:
    """Recompute every invariant of the ledger in DIR from its files, or of the ledger in a database.

    A database also has a chain of hashes for each rider, in which any change from outside shows. With both, every line
    of DIR is compared with the database's. Exits with 3 if a check does not hold, with 2 if DIR is no ledger directory
    or the database is none of ours.
    """
    notes: Mapping[str, int] = {}
    if directory is not None and database is not None:
        results, riders, entries = _of_both(directory, database, lang)
    elif directory is not None:
        from api.runs.verified import verify_ledger

        checked = verify_ledger(directory)
        results, riders, entries = checked.results, checked.num_riders, checked.num_entries
    elif database is not None:
        verified = _of_database(database, lang)
        results, riders, entries, notes = verified.found, verified.num_riders, verified.num_entries, verified.notes
    else:
        raise click.UsageError(text(lang, "verify.what"))
    holds = all(result.holds for result in results)
    if as_json:
        checks = [_document(result, lang) for result in results]
        print_json({"holds": holds, "riders": riders, "entries": entries, "checks": checks, "notes": notes})
    else:
        _show(results, lang)
        for name, num in notes.items():
            if num:
                click.echo(text(lang, f"verify.{name}", num=num))
        failed = sum(not result.holds for result in results)
        key = "verify.holds" if holds else "verify.broken"
        click.echo(text(lang, key, entries=entries, riders=riders, checks=len(results), failed=failed))
    sys.exit(0 if holds else DIFFERENCES)


def _of_database(url: str, lang: Lang) -> "VerifyReport":
    from api.ledger.verify import verify_store

    with open_store(url, lang) as store:
        check_is_upgraded(store, lang)
        with store.reading() as unit, shown_progress(lang, text(lang, "verify.title")) as shown:
            return verify_store(unit, tell=shown.update)


def _of_both(directory: Path, url: str, lang: Lang) -> tuple[tuple[CheckResult, ...], int, int]:
    from api.ledger.file_comparison import compare_entries
    from api.runs.ledger_files import read_ledgers

    num_entries = num_riders = 0
    results: tuple[CheckResult, ...] = ()
    with open_store(url, lang) as store:
        check_is_upgraded(store, lang)
        for ledger in read_ledgers(directory):
            with store.reading() as unit:
                results = added_results(results, (compare_entries(unit, ledger.entries),))
            num_entries += ledger.entries.num_rows
            num_riders += ledger.riders.num_rows
    return results, num_riders, num_entries


def _document(result: CheckResult, lang: Lang) -> dict[str, object]:
    return dataclasses.asdict(result) | {"holds": result.holds, "title": text(lang, f"check.{result.check}")}


def _show(results: tuple[CheckResult, ...], lang: Lang) -> None:
    console = out_console()
    for result in results:
        left_out = result.num_unchecked
        mark = "[red]✗[/red]" if not result.holds else "[yellow]–[/yellow]" if left_out else "[green]✓[/green]"
        console.print(f"{mark} {text(lang, f'check.{result.check}')}")
        if left_out:
            console.print("    " + text(lang, "verify.unchecked", number=left_out), markup=False)
        for violation in result.violations:
            console.print("    " + _line(violation, lang), markup=False)
        hidden = result.num_violations - len(result.violations)
        if hidden > 0:
            console.print("    " + text(lang, "verify.more", number=hidden), markup=False)


def _line(violation: LedgerViolation, lang: Lang) -> str:
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
