"""Columns that a file or a posted event has: which are left out, and which name was meant by one that is misspelt.

A near miss of a known name that is not there would lose its values in silence; a near miss of one that is there is a
column like any other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from api.files.errors import InputError
from rules.errors import Fault
from rules.events import FIELDS
from rules.near_names import near_name

_TIMES: Final = {f"{field.name}_{end}": field.name for field in FIELDS if field.type == "time" for end in ("at", "us")}
_FIELD_OF: Final[Mapping[str, str]] = {field.name: field.name for field in FIELDS if field.type != "time"} | _TIMES


def misspelt(names: Collection[str]) -> dict[str, str]:
    """By name that is a near miss of a field that is not there: the name that was meant, in the order of the names."""
    unknown = [name for name in names if name not in _FIELD_OF]
    if not unknown:
        return {}
    return _of_unknown(tuple(unknown), frozenset(_FIELD_OF[name] for name in names if name in _FIELD_OF))


def misspelt_keys(documents: Sequence[Mapping[str, object]]) -> dict[int, dict[str, str]]:
    """As `misspelt`, of each of some objects; those without such a name are left out."""
    if not set().union(*documents) - _FIELD_OF.keys():
        return {}
    return {k: meant for k, document in enumerate(documents) if (meant := misspelt(tuple(document)))}


def refuse_misspelt(file: str, misspelt_names: Mapping[str, str]) -> None:
    """Stop before anything is read.

    Raises
    ------
    InputError
        If a name is misspelt; names each, and what was meant.
    """
    if misspelt_names:
        raise InputError(
            *(
                Fault("input_column_misspelt", file=file, key=name, allowed=meant)
                for name, meant in sorted(misspelt_names.items())
            )
        )


@lru_cache(maxsize=256)
def _of_unknown(unknown: tuple[str, ...], there: frozenset[str]) -> dict[str, str]:
    absent = [name for name, field in _FIELD_OF.items() if field not in there]
    return misspelt_among(unknown, absent)


def misspelt_among(unknown: Iterable[str], absent: Collection[str]) -> dict[str, str]:
    """As `misspelt`, of any format: by unknown name the absent one that was meant."""
    return {name: meant for name in unknown if (meant := near_name(name, absent)) is not None}
