"""The chain of many entries at once: the canonical bytes of `api.ledger.chain`, made column by column.

Nothing here defines the format; a test holds it to `chain.canonical_bytes`.
"""

import hashlib
import json
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from api.ledger.chain import CHAINED

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
    found = []
    for text in texts:
        before = hashlib.sha256(before + text).digest()
        found.append(before)
    return found
