"""How event files are read: the options that a person gives, and which ids are known from before."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, get_args

Format = Literal["native", "meituan", "mdrp"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
RiderAndId = tuple[str, str]


class KnownIds(Protocol):
    """Ids that a state or a database holds: they stay valid, even those that are refused today."""

    def filter_known(self, column: str, named: Collection[RiderAndId]) -> Collection[RiderAndId]:
        """Those of some (rider id, id) of a column of events that are known."""


class AllIdsKnown:
    """Every id is known: for rows that were accepted before."""

    def filter_known(self, column: str, named: Collection[RiderAndId]) -> Collection[RiderAndId]:  # noqa: ARG002 as of `KnownIds`
        """All of them."""
        return named


ALL_IDS_KNOWN: Final = AllIdsKnown()


@dataclass(frozen=True, slots=True)
class PrefixedIds:
    """Known ids that are stored with a prefix."""

    known_ids: KnownIds
    prefix: str

    def filter_known(self, column: str, named: Collection[RiderAndId]) -> Collection[RiderAndId]:
        """Those of some that are known, without the prefix."""
        prefixed = self.known_ids.filter_known(column, {(rider, self.prefix + value) for rider, value in named})
        return {(rider, value.removeprefix(self.prefix)) for rider, value in prefixed}


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Options of reading event files.

    Parameters
    ----------
    zone
        IANA zone of times without an offset; empty where none was named.
    ids_as_they_are
        Take ids that look damaged, too.
    ignored
        Columns that are left out, whatever they are called.
    known_ids
        Ids known from before.
    quotes_as_they_are
        Take what stands inside quotes as one value, of however many lines.
    """

    zone: str = ""
    ids_as_they_are: bool = False
    ignored: tuple[str, ...] = ()
    known_ids: KnownIds | None = None
    quotes_as_they_are: bool = False

    def document(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {
            "zone": self.zone or None,
            "ids_as_they_are": self.ids_as_they_are,
            "ignored_columns": list(self.ignored),
            "quotes_as_they_are": self.quotes_as_they_are,
        }


DEFAULT_READING = ReadingOptions()
