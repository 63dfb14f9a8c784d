"""Service scores for delivery riders, from Python: `import riderscore as rs`.

`rs.score` and `rs.compare` take files or data frames, `rs.simulate` runs a study, `rs.verify` checks a ledger, `rs.books` reads
rule books, `rs.Client` talks to a running service. Nothing is computed here: each name stands for what the folders beside this
one do. Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from riderscore.lazy import __dir__ as __dir__
from riderscore.lazy import __getattr__ as __getattr__

if TYPE_CHECKING:
    from api.files.errors import InputError
    from riderscore import books
    from riderscore.client import Client, ProblemError
    from riderscore.comparisons import ComparisonResult, compare
    from riderscore.ledgers import LedgerExplanation, ScoreResult, Verification, open_ledger, score, verify
    from riderscore.studies import StudyResult, simulate
    from rules.errors import BookError

    __version__: str

__all__ = [
    "BookError",
    "Client",
    "ComparisonResult",
    "InputError",
    "LedgerExplanation",
    "ProblemError",
    "ScoreResult",
    "StudyResult",
    "Verification",
    "books",
    "compare",
    "open_ledger",
    "score",
    "simulate",
    "verify",
]
