"""Stable 64-bit hashes of strings and rows: identities of events and orders, and the 96 bits of an entry id.

MurmurHash3's finalizer over 8-byte little-endian words; the values are part of the ledger's format, so the
arithmetic must never change.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rules.compiled import compiled_with_runtime
from scoring.columns import I64, U8, U64, filled

_MULTIPLIER_1 = np.uint64(0xFF51AFD7ED558CCD)
_MULTIPLIER_2 = np.uint64(0xC4CEB9FE1A85EC53)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(33)
NULL_HASH = np.uint64(0)
ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
ID_LENGTH = 16


@compiled_with_runtime()
def mix(value: np.uint64) -> np.uint64:
    """MurmurHash3 finalizer."""
    value ^= value >> _SHIFT
    value *= _MULTIPLIER_1
    value ^= value >> _SHIFT
    value *= _MULTIPLIER_2
    value ^= value >> _SHIFT
    return value


@compiled_with_runtime()
def fold_in(state: np.uint64, value: np.uint64) -> np.uint64:
    """Hash of a sequence so far and its next word; the two are not interchangeable."""
    return mix((state * _GOLDEN + _GOLDEN) ^ value)


@compiled_with_runtime(rows=3)
def _hash_bytes(offsets: NDArray[np.int32] | I64, data: U8, seed: np.uint64, out: U64) -> None:
    for i in range(out.size):
        at, stop = np.int64(offsets[i]), np.int64(offsets[i + 1])
        state = mix(np.uint64(stop - at) + _GOLDEN * seed)
        while at + 8 <= stop:
            # A loop of known length over neighbours becomes one load.
            word = np.uint64(0)
            for k in range(8):
                word |= np.uint64(data[at + k]) << np.uint64(8 * k)
            state = fold_in(state, word)
            at += 8
        if at < stop:
            word = np.uint64(0)
            for k in range(stop - at):
                word |= np.uint64(data[at + k]) << np.uint64(8 * k)
            state = fold_in(state, word)
        # 0 is kept for "no value".
        out[i] = state if state != NULL_HASH else np.uint64(1)


def _hash_array(strings: pa.Array, seed: int, out: U64) -> None:
    plain = strings if pa.types.is_string(strings.type) else strings.cast(pa.large_string())
    n = len(plain)
    if plain.null_count == n:
        out[:] = NULL_HASH
        return
    _, offsets, data = plain.buffers()
    width: type[np.integer] = np.int32 if pa.types.is_string(plain.type) else np.int64
    bounds = np.frombuffer(offsets, width, n + 1, plain.offset * np.dtype(width).itemsize)
    content = np.zeros(1, np.uint8) if data is None or data.size == 0 else np.frombuffer(data, np.uint8)
    _hash_bytes(bounds, content, np.uint64(seed), out)
    if plain.null_count:
        out[~pc.is_valid(plain).to_numpy(zero_copy_only=False)] = NULL_HASH


def hash_strings(strings: pa.ChunkedArray | pa.Array, seed: int = 1) -> U64:
    """A 64-bit hash of every string.

    Parameters
    ----------
    strings
        n strings.
    seed
        Another seed is another hash.

    Returns
    -------
    U64
        uint64[n]; 0 for null alone.
    """
    out = np.empty(len(strings), np.uint64)
    at = 0
    for chunk in strings.chunks if isinstance(strings, pa.ChunkedArray) else [strings]:
        _hash_array(chunk, seed, out[at : at + len(chunk)])
        at += len(chunk)
    return out


def hash_pairs(strings: pa.ChunkedArray | pa.Array) -> U64:
    """uint64[n, 2]: two hashes of every string that know nothing of each other."""
    return np.stack([hash_strings(strings, 1), hash_strings(strings, 2)], axis=1)


@compiled_with_runtime(rows=0)
def _fold_column(state: U64, values: I64) -> None:
    for i in range(state.size):
        state[i] = fold_in(state[i], np.uint64(values[i]))


def hash_rows(table: pa.Table, columns: list[str]) -> U64:
    """A 64-bit hash of the content of every row over the named columns (strings or integers).

    Parameters
    ----------
    table
        n rows.
    columns
        Names of columns of strings or whole numbers; their order counts.

    Returns
    -------
    U64
        uint64[n].
    """
    state = np.zeros(table.num_rows, np.uint64)
    for name in columns:
        column = table.column(name)
        if pa.types.is_integer(column.type):
            values = filled(column.cast(pa.int64()), -(2**63)).astype(np.int64, copy=False)
        else:
            values = hash_strings(column).view(np.int64)
        _fold_column(state, np.ascontiguousarray(values))
    return state


@compiled_with_runtime(rows=0)
def write_ids(high: U64, low: U64, out: U8) -> None:
    """Spell 96 bits (64 of `high`, 32 of `low`) as `ID_LENGTH` characters of base64url per row of `out`."""
    six = np.uint64(63)
    for i in range(high.size):
        a, b = high[i], low[i] & np.uint64(0xFFFFFFFF)
        for k in range(10):
            out[i * ID_LENGTH + k] = ALPHABET[(a >> np.uint64(6 * k)) & six]
        rest = (a >> np.uint64(60)) | (b << np.uint64(4))
        for k in range(6):
            out[i * ID_LENGTH + 10 + k] = ALPHABET[(rest >> np.uint64(6 * k)) & six]
