"""`riderscore explain`: a rider's card, why each entry stands, and one sentence for each."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.tree import Tree

from api.cli.console import json_option, lang_option, out_console, print_json, show_faults
from rules.book import Book, BookPart
from rules.conditions import MAX_FACT, SET_FACTS, UNKNOWN, Condition
from rules.errors import Fault
from rules.text import LANGS, Lang, text
from scoring.because import Because, ConditionResult
from scoring.explain import Branch, LedgerCard, card_lines, sentence, tree
from scoring.explain_words import clock


@click.command("explain")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--rider", required=True, help="Rider id.")
@click.option("--event", help="Explain all entries of this event, each as a tree.")
@click.option("--entry", help="Explain this entry as a tree.")
@lang_option
@json_option
def explain_command(
    directory: Path, rider: str, event: str | None, entry: str | None, lang: Lang, as_json: bool
) -> None:
    """Explain a rider's score from the ledger in DIR.

    Without --event or --entry: the rider's card, and a sentence for each entry. The files that were scored are read
    once more if they are unchanged; otherwise the ledger and its books alone explain.
    """
    from api.runs.explained import explain_rider

    explained = explain_rider(directory, rider, event, entry)
    show_faults(explained.notes, lang)
    if as_json:
        print_json(_document(explained.card, explained.entries, explained.notes))
    elif explained.kind_without_entry:
        kind = text(lang, f"word.{explained.kind_without_entry}")
        click.echo(text(lang, "explain.no_entry", event=event, kind=kind))
    elif event is None and entry is None:
        _show_rider(explained.card, explained.entries, lang)
    else:
        for why in explained.entries:
            out_console().print(_rich(tree(why, lang)))


def _show_rider(about: LedgerCard, explained: Sequence[Because], lang: Lang) -> None:
    for line in card_lines(about, lang):
        click.echo(line)
    click.echo()
    click.echo(text(lang, "explain.entries", number=len(explained)))
    for why in explained:
        at = clock(why.line.occurred_us, why.book.model, "%Y-%m-%d %H:%M")
        click.echo(
            text(lang, "explain.entry", at=at, seq=why.line.seq, id=why.line.entry_id, sentence=sentence(why, lang))
        )


def _rich(branch: Branch, parent: Tree | None = None) -> Tree:
    node = Tree(f"[bold]{escape(branch.text)}[/bold]") if parent is None else parent.add(escape(branch.text))
    for child in branch.children:
        _rich(child, node)
    return node


def _document(about: LedgerCard, explained: Sequence[Because], notes: Sequence[Fault]) -> dict[str, Any]:
    entries = []
    for why in explained:
        facts = {fact: _fact(fact, value) for fact, value in why.facts.items()}
        entries.append(_plain(why) | {"facts": facts, "sentence": {lang: sentence(why, lang) for lang in LANGS}})
    return {
        "rider": {
            "rider_id": about.rider_id,
            "score_mp": about.score_mp,
            "tier": _plain(about.tier),
            "next_tier": _plain(about.next_tier),
            "on_time_orders_to_next_tier": about.to_next_tier,
            "on_time_orders_to_recover": about.to_recover,
            "review_required": about.review_required,
            "card": {lang: list(card_lines(about, lang)) for lang in LANGS},
        },
        "entries": entries,
        "notes": [{"code": note.code, "file": note.file, "message": note.describe("en")} for note in notes],
    }


def _fact(fact: str, value: int) -> int | str | None:
    """A fact as JSON holds it: a name where it is one, null where it is unknown."""
    if value == UNKNOWN:
        return None
    return SET_FACTS[fact][value] if fact in SET_FACTS else value


def _plain(value: Any) -> Any:
    """A value as JSON holds it; of a book only what names it."""
    if isinstance(value, Book):
        model = value.model
        return {"id": model.id, "effective_from": model.effective_from.isoformat(), "digest": value.digest}
    if isinstance(value, BookPart):
        return value.model_dump(mode="json", exclude={"example", "when"}, exclude_none=True)
    if isinstance(value, Condition):
        names = None if value.codes is None else [SET_FACTS[value.fact][code] for code in sorted(value.codes)]
        high = None if value.hi == MAX_FACT or names else value.hi
        return {"fact": value.fact, "from": None if names else value.lo, "up_to": high, "one_of": names}
    if isinstance(value, ConditionResult):
        return {"condition": _plain(value.condition), "value": _fact(value.condition.fact, value.value)}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value
