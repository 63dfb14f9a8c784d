"""Whether a lake's ledger is right: its counts, and some riders' lines beside two other ways to the same.

Counts alone would not do: a distributed run was seen to give the right number of rows and wrong scores.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from api.files.parquet_files import Origin, write_parquet
from api.runs.run import score_files
from rules.shelf import versions
from tests.oracle_history import outcomes

ORACLE_RIDERS = 200


def checked(day: Path, ledger: Path, book: str, num_riders: int, folder: Path) -> str:
    """Hold a ledger against its events; the digest of all (rider, score), and what was compared.

    Counts; entries and riders of a sample, scored in memory from their events alone, in every column and bit; scores of
    some of them by the oracle, which shares no code with the kernel.
    """
    run = json.loads((ledger / "run.json").read_text())
    parts = {name: ds.dataset(ledger / name) for name in ("entries.parquet", "riders.parquet")}
    assert parts["entries.parquet"].count_rows() == run["counts"]["entries"]
    assert parts["riders.parquet"].count_rows() == run["counts"]["riders"]
    rows = sum(pq.read_metadata(path).num_rows for path in day.glob("*.parquet"))
    assert rows == run["counts"]["events"] + run["counts"]["rejected"] + run["counts"]["repeated"]
    scores = parts["riders.parquet"].to_table(columns=["rider_id", "score_mp"])
    riders = scores["rider_id"].cast(pa.string()).combine_chunks()
    chosen = riders.take(np.random.default_rng(1).choice(len(riders), min(num_riders, len(riders)), replace=False))
    events = _of(ds.dataset(sorted(day.glob("*.parquet"))), chosen)
    write_parquet(folder / "sample.parquet", events, Origin("test"))
    score_files([folder / "sample.parquet"], book, folder / "sample", as_of_us=run["as_of_us"])
    for name, found in parts.items():
        own, alone = (_plain(table) for table in (_of(found, chosen), pq.read_table(folder / "sample" / name)))
        assert own.equals(alone), f"{name} of the sample differs"
    few = _of(ds.dataset(folder / "sample.parquet"), chosen.slice(0, ORACLE_RIDERS)).to_pylist()
    told = outcomes([one.model for one in versions(book)], few, run["as_of_us"])
    own = _of(parts["riders.parquet"], chosen)
    known = dict(zip(own["rider_id"].to_pylist(), own["score_mp"].to_pylist(), strict=True))
    assert {rider: one.score_mp for rider, one in told.items()} == {rider: known[rider] for rider in told}
    return f"{digest_of(scores)}; {len(chosen)} riders in memory and {len(told)} by the oracle: the same"


def digest_of(scores: pa.Table) -> str:
    """Digest of (rider, score), riders in order: one number to compare runs by."""
    ordered = scores.select(["rider_id", "score_mp"]).sort_by("rider_id")
    digest = hashlib.sha256()
    for batch in ordered.to_batches(1 << 20):
        lines = pc.binary_join_element_wise(batch[0].cast(pa.string()), batch[1].cast(pa.string()), " ")
        digest.update("\n".join([*lines.to_pylist(), ""]).encode())
    return digest.hexdigest()[:16]


def _of(found: ds.Dataset, riders: pa.Array) -> pa.Table:
    return found.to_table(filter=pc.field("rider_id").isin(riders))


def _plain(table: pa.Table) -> pa.Table:
    """Rows by rider and number, words as such."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    plain = pa.table(columns, names=table.column_names)
    keys = [name for name in ("rider_id", "seq") if name in plain.column_names]
    return plain.sort_by([(name, "ascending") for name in keys]).combine_chunks()
