"""Histories explained: every entry, and every statement of a tree."""

from collections.abc import Iterator, Sequence
from typing import Any

from rules.book import Book
from scoring.because import Because, because, lines_of
from scoring.explain import Branch
from scoring.explain_facts import known_events
from scoring.ledger import entries_table
from tests.scoring.readings import engine, table_of

Events = list[dict[str, Any]]


def explained(rule_books: Sequence[Book], events: Events, *, with_inputs: bool = True) -> list[Because]:
    """Every entry of the only rider, explained."""
    run = engine(rule_books)
    scored = run.run(events)
    lines = lines_of(entries_table(scored, scored.until_us))
    known = known_events(run.program, run.schedule, table_of(events), is_whole=True) if with_inputs else None
    by_digest = {one.digest: one for one in rule_books}
    return [because(line, lines, by_digest, known) for line in lines]


def texts(branch: Branch) -> Iterator[str]:
    """All statements of a tree."""
    yield branch.text
    for child in branch.children:
        yield from texts(child)
