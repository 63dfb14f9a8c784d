"""The hash chain of each rider's ledger: every entry holds a hash of all before it.

`chain` = SHA-256(chain of the entry before, canonical bytes of this entry); the first follows 32 zero bytes. Canonical
bytes are the columns of the interface in order as compact JSON; they are part of the format and never change.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from api.db.rider_rows import GENESIS

CHAINED: Final = (
    "entry_id",
    "event_id",
    "rider_id",
    "seq",
    "rule_id",
    "kind",
    "delta_mp",
    "score_after_mp",
    "money_fen",
    "liable_party",
    "late_s",
    "time_given_back_s",
    "book_digest",
    "occurred_us",
    "recorded_us",
    "of_kind",
    "cause_event_id",
    "of_us",
)
_written: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Breach = Literal["changed", "missing", "score", "cut_off", "orphaned"]


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """Where a rider's ledger no longer vouches for itself.

    `what` is `changed` (the entry is not the one that was chained), `missing` (a number is left out), `score` (the
    running sum is off), `cut_off` (the last entries are gone, or the rider's row was changed), `orphaned` (entries
    of a rider who has no row).
    """

    rider_id: str
    seq: int
    what: Breach


def canonical_bytes(entry: Mapping[str, Any]) -> bytes:
    """What the chain covers of an entry."""
    return _written([entry[name] for name in CHAINED]).encode()


def next_link(before: bytes, entry: Mapping[str, Any]) -> bytes:
    """The chain value of an entry."""
    return hashlib.sha256(before + canonical_bytes(entry)).digest()


def add_links(rows: Sequence[dict[str, Any]], heads: Mapping[str, bytes]) -> dict[str, bytes]:
    """Put `chain` into entries (by rider in order of `seq`); returns each rider's new head."""
    ends: dict[str, bytes] = {}
    for row in rows:
        rider = row["rider_id"]
        before = ends.get(rider)
        ends[rider] = row["chain"] = next_link(heads[rider] if before is None else before, row)
    return ends


def breaks_in(lines: Iterable[Mapping[str, Any]], heads: dict[str, Any]) -> Iterator[ChainBreak]:
    """Breaks of the chains of some riders.

    Parameters
    ----------
    lines
        All entries of the riders, by rider and number.
    heads
        The riders' rows (`seq`, `chain`, `score_mp`) by id; taken out as they are found.
    """
    last: Mapping[str, Any] | None = None
    for line in lines:
        if last is None or last["rider_id"] != line["rider_id"]:
            yield from _ending(last, heads)
            last = None
        before = GENESIS if last is None else last["chain"]
        if line["seq"] != (1 if last is None else last["seq"] + 1):
            yield ChainBreak(line["rider_id"], line["seq"], "missing")
        elif next_link(before, line) != line["chain"]:
            yield ChainBreak(line["rider_id"], line["seq"], "changed")
        if last is not None and last["score_after_mp"] + line["delta_mp"] != line["score_after_mp"]:
            yield ChainBreak(line["rider_id"], line["seq"], "score")
        last = line
    yield from _ending(last, heads)
    for rider_id, head in sorted(heads.items()):
        if head.seq:
            yield ChainBreak(rider_id, 1, "cut_off")


def _ending(last: Mapping[str, Any] | None, heads: dict[str, Any]) -> Iterator[ChainBreak]:
    """Whether a rider's row agrees with the last entry read; takes the row out of `heads`."""
    if last is None:
        return
    head = heads.pop(last["rider_id"], None)
    if head is None:
        yield ChainBreak(last["rider_id"], last["seq"], "orphaned")
    elif (head.seq, bytes(head.chain), head.score_mp) != (last["seq"], last["chain"], last["score_after_mp"]):
        yield ChainBreak(last["rider_id"], last["seq"], "cut_off")


# What JSON writes otherwise than as it stands.
_ESCAPED: Final = r'["\\\x00-\x1f]'


def canonical_texts(entries: pa.Table) -> list[bytes]:
    """What the chain covers of each entry; `entries` has the columns of the interface."""
    if not entries.num_rows:
        return []
    words = [_words(entries[name].combine_chunks()) for name in CHAINED]
    joined = pc.binary_join_element_wise(*words, ",")
    texts: list[bytes] = pc.binary_join_element_wise("[", joined, "]", "").cast(pa.binary()).to_pylist()
    return texts


def _words(column: pa.Array) -> pa.Array:
    """A column as JSON writes its values."""
    if pa.types.is_dictionary(column.type):
        return _words(column.dictionary).take(column.indices)
    if pa.types.is_string(column.type):
        if pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py():
            return pa.array([json.dumps(word, ensure_ascii=False) for word in column.to_pylist()], pa.string())
        column = pc.binary_join_element_wise('"', column, '"', "")
    return pc.fill_null(column.cast(pa.string()), "null")


def links(before: bytes, texts: list[bytes]) -> list[bytes]:
    """Chain values of one rider's entries, in order, that follow the value `before`."""
    values = []
    for text in texts:
        before = hashlib.sha256(before + text).digest()
        values.append(before)
    return values
