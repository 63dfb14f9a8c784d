"""The page of licences: what each package of an install says of itself, made from the lock file and the packages' own words."""

import re
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

_LOCK: Final = Path(__file__).parents[1] / "requirements" / "runtime.txt"
_PINNED: Final = re.compile(r"^([A-Za-z0-9_.\-]+)(?:\[[^]]+\])?==", re.MULTILINE)
_CLASSIFIER: Final = "License :: OSI Approved :: "
# Longer than a name: the text of a licence, which begins with its name or a copyright line.
_NAME_LENGTH_MAX: Final = 60
_INTRODUCTION: Final = """<!-- Made by `python -m docs.generated`; edit the code, not this page. -->

# Licences

riderscore is licensed under Apache-2.0. An install brings the packages below; each states its own licence. All of them allow
use in a company without a fee. Two ask for something when you hand the program on to others:

- **psycopg** and **psycopg-binary** (LGPL-3.0-only), the driver of PostgreSQL. They are used as they come, as packages of their own.
  Whoever hands on an image or an installer with them hands on their licence, says that they are in it, and leaves it possible to
  exchange them for another version: as Python packages they can be.
- All others ask that their licence and copyright lines go with them. They lie in the `*.dist-info` folders.
"""


def licence_of(stated: PackageMetadata) -> str:
    """What a package says of its licence: its expression, else its classifiers, else the name in its `License` field."""
    expression = stated["License-Expression"]
    if expression:
        return expression
    classified = [
        classifier.removeprefix(_CLASSIFIER)
        for classifier in stated.get_all("Classifier") or []
        if classifier.startswith(_CLASSIFIER)
    ]
    if classified:
        return " or ".join(sorted(classified))
    first = (stated["License"] or "").partition("\n")[0].strip()
    return first if 0 < len(first) <= _NAME_LENGTH_MAX else "see the package"


def packages() -> dict[str, str]:
    """Each package of the lock file and its licence; those of other systems than this one are left out."""
    named = sorted(set(_PINNED.findall(_LOCK.read_text(encoding="utf-8"))), key=str.lower)
    licences = {}
    for name in named:
        try:
            licences[name] = licence_of(metadata(name))
        except PackageNotFoundError:
            continue
    return licences


def licences_page() -> str:
    """The page, without the line that says how it is made."""
    rows = [f"| {name} | {licence} |" for name, licence in packages().items()]
    table = ["| package | licence |", "|---|---|", *rows]
    return _INTRODUCTION + "\n" + "\n".join(table) + "\n"
