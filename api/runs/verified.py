"""A ledger directory, verified: every invariant recomputed from its files."""

from dataclasses import dataclass
from pathlib import Path

from api.runs.ledger_files import read_ledgers, wrong_counts
from scoring.invariants import CheckResult, LedgerViolation, added_results, check_ledger


@dataclass(frozen=True, slots=True)
class VerifiedLedger:
    """What the checks found.

    Parameters
    ----------
    results
        One for each check.
    num_riders, num_entries
        How many were looked at.
    """

    results: tuple[CheckResult, ...]
    num_riders: int
    num_entries: int


def verify_ledger(folder: Path) -> VerifiedLedger:
    """Recompute every invariant of a ledger directory, part by part.

    Parameters
    ----------
    folder
        As `riderscore score` wrote it.

    Returns
    -------
    VerifiedLedger
        The results.

    Raises
    ------
    InputError
        If the folder is no ledger; with every file that is missing or cannot be read.
    """
    num_entries = num_riders = 0
    results: tuple[CheckResult, ...] = ()
    for ledger in read_ledgers(folder):
        results = added_results(results, check_ledger(ledger))
        num_entries += ledger.entries.num_rows
        num_riders += ledger.riders.num_rows
    wrong = [LedgerViolation("", None, name, str(wanted), str(stated)) for name, wanted, stated in wrong_counts(folder)]
    if wrong:
        results = added_results(results, (CheckResult("counted", len(wrong), tuple(wrong)),))
    return VerifiedLedger(results, num_riders, num_entries)
