"""`riderscore verify`: every ledger invariant, recomputed from the files."""

import dataclasses
import sys
from pathlib import Path

import click

from api.cli.console import FOUND, USAGE, json_option, lang_option, out_console, print_json, stop
from rules.text import Lang, text
from scoring.invariants import Found, Violation, added, check_ledger


@click.command("verify")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@lang_option
@json_option
def verify(directory: Path, lang: Lang, as_json: bool) -> None:
    """Recompute every invariant of the ledger in DIR from its files.

    Exits with 3 if one does not hold, with 2 if DIR is no ledger directory.
    """
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
    holds = all(result.holds for result in results)
    if as_json:
        print_json({"holds": holds, "checks": [_document(result, lang) for result in results]})
    else:
        _show(results, lang)
        key = "verify.holds" if holds else "verify.broken"
        click.echo(
            text(
                lang,
                key,
                entries=num_entries,
                riders=num_riders,
                checks=len(results),
                failed=sum(not result.holds for result in results),
            )
        )
    sys.exit(0 if holds else FOUND)


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
