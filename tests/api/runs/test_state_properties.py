"""Random books and histories through a state on disk: however time is cut, the net is that of one run."""

import tempfile
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from api.runs.run import score_files
from rules.book import Book
from rules.errors import BookError
from rules.shelf import find, to_toml
from tests.api.ledgers import nets, rejects_of, scores, write_events
from tests.strategies import books, histories, last_us

pytestmark = pytest.mark.slow


def write_book(folder: Path, versions: list[Book]) -> str:
    """Versions of a book as a folder that `--book` takes."""
    folder.mkdir()
    for book in versions:
        (folder / f"{book.model.effective_from.isoformat()}.toml").write_text(to_toml(book), encoding="utf-8")
    return str(folder)


def is_sound(reference: str) -> bool:
    """Whether a random book could have been written by a person: the model alone admits more than the parser."""
    try:
        return bool(find(reference))
    except BookError:
        return False


@settings(max_examples=settings().max_examples // 6)
@given(
    versions=books(),
    events=histories(controls=True, max_riders=2),
    cuts=st.lists(st.integers(0, 40), min_size=1, max_size=3),
    ending=st.sampled_from(["csv", "ndjson", "parquet"]),
)
def test_runs_through_a_state_on_disk_net_to_one_run(
    versions: list[Book], events: list[dict[str, Any]], cuts: list[int], ending: str
) -> None:
    """Corrections and appeals of what left the window long ago included; replays of all rows add nothing."""
    ordered = sorted(events, key=lambda row: (row["occurred_us"], row["event_id"]))
    # Between two instants: of events at one instant, an appeal may come before what it names.
    times = [row["occurred_us"] for row in ordered]
    places = sorted({0, len(ordered), *(bisect_left(times, times[cut % len(times)]) for cut in cuts)})
    as_of_us = last_us(events)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = write_book(folder / "random", versions)
        assume(is_sound(reference))
        whole = folder / "whole"
        score_files([write_events(folder / f"all.{ending}", ordered)], reference, whole, as_of_us=as_of_us)
        outs = []
        for k, (first, stop) in enumerate(pairwise(places)):
            path = write_events(folder / f"part{k}.{ending}", ordered[first:stop])
            outs.append(folder / f"out{k}")
            score_files([path], reference, outs[-1], state=folder / "state")

        again = score_files([folder / f"all.{ending}"], reference, folder / "again", state=folder / "state")

        reasons = sorted(row["reason"] for out in outs for row in rejects_of(out))
        assert reasons == sorted(row["reason"] for row in rejects_of(whole))
        assert nets(*outs) == nets(whole)
        assert scores(outs[-1]) == scores(whole)
        assert nets(*outs, folder / "again") == nets(whole)
        assert again.document["counts"]["events"] == 0
