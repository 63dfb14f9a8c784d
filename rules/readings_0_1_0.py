"""Ledgers begun by version 0.1.0: its entries are checked as that version scored, later ones as this version scores.

That version did not bring a score inside a narrower scale when the book changed, and what a passed course gave back
returned once more when it fell due. A score that it left outside its scale comes inside by a `clamp` line of its own,
under `reset:DATE`, right after what that version wrote.
"""

from dataclasses import replace

from rules.calendar import NEVER_US
from rules.compile import Program


def with_old_readings(program: Program, until_us: int | None) -> Program:
    """The same books for a ledger that version 0.1.0 has written up to an instant (None: it has written none of it).

    Parameters
    ----------
    program
        Books of the ledger.
    until_us
        The last instant that version 0.1.0 wrote up to (UTC µs).

    Returns
    -------
    Program
        The same books and labels.
    """
    return program if until_us is None else replace(program, tables=program.tables._replace(old_until_us=until_us))


def old_readings_until(program: Program) -> int | None:
    """As given to `with_old_readings`.

    Parameters
    ----------
    program
        Of a run.

    Returns
    -------
    int or None
        UTC µs.
    """
    return None if program.tables.old_until_us == -NEVER_US else program.tables.old_until_us
