"""Public names of `riderscore`, imported when they are first used: `import riderscore` takes a few milliseconds."""

import sys
from importlib import import_module
from typing import Any

# Module → public names that come from it.
_NAMES_OF = {
    "api.files.errors": ("InputError",),
    "rules.errors": ("BookError",),
    "riderscore.client": ("Client", "ProblemError"),
    "riderscore.comparisons": ("ComparisonResult", "compare"),
    "riderscore.ledgers": ("LedgerExplanation", "ScoreResult", "Verification", "open_ledger", "score", "verify"),
    "riderscore.studies": ("StudyResult", "simulate"),
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name of the package, imported now and kept there."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("riderscore")
    elif name == "books":
        value = import_module("riderscore.books")
    elif name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module 'riderscore' has no attribute {name!r}")
    setattr(sys.modules["riderscore"], name, value)
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted([*_MODULE_OF, "books", "__version__"])
