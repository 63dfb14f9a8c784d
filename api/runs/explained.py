"""A rider of a ledger directory, explained: the card, and why each entry stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.files.errors import InputError
from api.runs.ledger_files import read_ledger, rejected_places
from api.runs.rider_inputs import reread_inputs
from rules.book import Book
from rules.errors import Fault
from scoring.because import Because, EntryLine, because, lines_of
from scoring.explain import LedgerCard, card, last_of
from scoring.explain_facts import KnownEvents


@dataclass(frozen=True, slots=True)
class ExplainedRider:
    """What a ledger says of one rider.

    Parameters
    ----------
    card
        Score, tier, ways up and back.
    entries
        The entries asked for, each with what it rests on.
    kind_without_entry
        The kind of the event asked for, where it is in the inputs but wrote no entry; else None.
    notes
        What is less exact than it could be, such as inputs that have changed since.
    """

    card: LedgerCard
    entries: tuple[Because, ...]
    kind_without_entry: str | None
    notes: tuple[Fault, ...]


def explain_rider(folder: Path, rider: str, event: str | None = None, entry: str | None = None) -> ExplainedRider:
    """Explain one rider from a ledger directory.

    The files that were scored are read once more if they are unchanged; otherwise the ledger and its books explain.

    Parameters
    ----------
    folder
        As `riderscore score` wrote it.
    rider
        Rider id.
    event, entry
        Only the entries of this event, or this entry; None for all.

    Returns
    -------
    ExplainedRider
        The card and the entries.

    Raises
    ------
    InputError
        If the folder is no ledger, or holds no such rider, event or entry.
    """
    ledger = read_ledger(folder, rider=rider)
    if not ledger.riders.num_rows:
        raise InputError(Fault("rider_unknown", file=str(folder), given=rider))
    lines = lines_of(ledger.entries)
    events = reread_inputs(ledger.run, ledger.books, rider, rejected_places(folder))
    without = _kind_without_entry(event, lines, events.known)
    chosen = () if without else _chosen(lines, folder, rider, event, entry)
    explained = tuple(because(line, lines, ledger.books, events.known) for line in chosen)
    about = card(ledger.riders.to_pylist()[0], ledger.books, _last(explained, lines, ledger.books))
    return ExplainedRider(about, explained, without, tuple(events.notes))


def _kind_without_entry(event: str | None, lines: Sequence[EntryLine], known: KnownEvents | None) -> str | None:
    if event is None or known is None or any(line.event_id == event for line in lines):
        return None
    return known.kinds.get(event)


def _chosen(
    lines: Sequence[EntryLine], folder: Path, rider: str, event: str | None, entry: str | None
) -> tuple[EntryLine, ...]:
    chosen = tuple(line for line in lines if event in (None, line.event_id) and entry in (None, line.entry_id))
    if not chosen and event is not None and not any(line.event_id == event for line in lines):
        raise InputError(Fault("event_unknown", file=str(folder), key=rider, given=event))
    if not chosen and entry is not None:
        raise InputError(Fault("entry_unknown", file=str(folder), key=rider, given=entry))
    return chosen


def _last(explained: Sequence[Because], lines: Sequence[EntryLine], books: Mapping[str, Book]) -> Because | None:
    """What happened last, explained."""
    line = last_of(lines)
    if line is None:
        return None
    return next((why for why in explained if why.line == line), None) or because(line, lines, books)
