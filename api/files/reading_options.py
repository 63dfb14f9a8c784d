"""How a run reads event files: what a person has said about them, and which ids are known from before."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Protocol

Named = tuple[str, str]


class Held(Protocol):
    """Ids that a state or a database holds; they stay valid, however they are spelt."""

    def among(self, column: str, named: Collection[Named]) -> Collection[Named]:
        """Which of some (rider id, id) of a column of events are held."""


class Everything:
    """All ids are held: those of rows that were accepted before."""

    def among(self, column: str, named: Collection[Named]) -> Collection[Named]:  # noqa: ARG002 as of `Held`
        """All of them."""
        return named


EVERYTHING: Final = Everything()


@dataclass(frozen=True, slots=True)
class Renamed:
    """Ids that are held under a prefix."""

    held: Held
    prefix: str

    def among(self, column: str, named: Collection[Named]) -> Collection[Named]:
        """Which of some are held, without the prefix."""
        found = self.held.among(column, {(rider, self.prefix + value) for rider, value in named})
        return {(rider, value.removeprefix(self.prefix)) for rider, value in found}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person has said about event files.

    Parameters
    ----------
    zone
        IANA zone of times without an offset; empty where none was named.
    ids_as_they_are
        Take ids that look damaged, too.
    ignored
        Columns that are left out, whatever they are called.
    held
        Ids known from before.
    quotes_as_they_are
        Take what stands inside quotes as one value, of however many lines.
    """

    zone: str = ""
    ids_as_they_are: bool = False
    ignored: tuple[str, ...] = ()
    held: Held | None = None
    quotes_as_they_are: bool = False

    def document(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {
            "zone": self.zone or None,
            "ids_as_they_are": self.ids_as_they_are,
            "ignored_columns": list(self.ignored),
            "quotes_as_they_are": self.quotes_as_they_are,
        }


AS_IT_IS = Reading()
