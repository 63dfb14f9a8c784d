"""Events per second of scoring, beside what others do of the same job (targets.md, section 1).

Answers are compared before anything is timed; times are reported, never asserted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.runs.run import score_files
from rules.conditions import FACTS, SET_FACTS
from rules.events import KIND_CODE, KINDS, PARTIES, PARTY_CODE
from scoring.columns import NO_TIME, Entries
from scoring.kernel import fold
from scoring.ledger import entries_table, riders_table
from scoring.liability import attribute
from scoring.score import score
from scoring.state import State, fresh_state
from tests.benchmarks import peers
from tests.benchmarks.conftest import PEER_EVENTS, Day

DELIVERED = KIND_CODE["delivered"]
RIDER = PARTY_CODE["rider"]


def measure(
    benchmark: Any, run: Callable[[], Any], *, group: str, who: str, events: int, peer: bool = False, rounds: int = 5
) -> Any:
    """Time a run after one that is not timed; returns what it returned."""
    benchmark.group = group
    benchmark.extra_info.update(who=who, events=events, peer=peer)
    return benchmark.pedantic(run, rounds=rounds, warmup_rounds=1)


def fold_day(day: Day, num_riders: int | None = None) -> tuple[Entries, State, State]:
    """The kernel over the first riders of the day, or all."""
    stop = day.prepared.start[1:][:num_riders]
    first = day.prepared.start[:-1][:num_riders]
    state = fresh_state(day.program, first.size)
    return fold(day.program, day.events, day.liability, first, stop, state, day.until_us[: first.size], NO_TIME)


def facts_of(day: Day, num: int) -> peers.Facts:
    """What a rule engine is asked: the facts that decide, of the first deliveries and others; words for codes."""
    given = (
        dict.fromkeys(FACTS, 0)
        | dict.fromkeys(SET_FACTS)
        | {"tenure_days": 365, "num_delivered": 1_000, "minute_of_day": 720}
    )
    events, judged = day.events[:num], day.liability[:num]
    remaining = np.where(judged["exempt"], 0, judged["late_s"] - judged["given_s"])
    return [
        given
        | {"kind": KINDS[kind], "fee_fen": fee, "late_s": late, "liable": PARTIES[liable], "weather_level": weather, "nth_in_month": 1}
        for kind, fee, late, liable, weather in zip(
            events["kind"].tolist(),
            events["fee_fen"].tolist(),
            remaining.tolist(),
            judged["party"].tolist(),
            judged["weather"].tolist(),
            strict=True,
        )
    ]  # fmt: skip


def test_kernel(benchmark: Any, day: Day) -> None:
    """The fold alone: caps, clamps, fades, tiers, a ledger line for all of it."""
    entries, _, _ = measure(
        benchmark, lambda: fold_day(day), group=f"look-up against fold: {day.book.id}", who="kernel",
        events=day.events.size,
    )  # fmt: skip

    assert entries.size > 0


def test_liability_and_kernel(benchmark: Any, day: Day) -> None:
    """Who answers for each lateness, orders in the same bag included, and the fold."""

    def run() -> Entries:
        attribute(day.program.tables, day.events, day.prepared.start)
        return fold_day(day)[0]

    measure(
        benchmark, run, group=f"look-up against fold: {day.book.id}", who="liability + kernel", events=day.events.size
    )


def test_zen_bare(benchmark: Any, day: Day) -> None:
    """GoRules' engine in its best mode, look-up only; its answers are those of the kernel."""
    facts = facts_of(day, PEER_EVENTS)

    results = measure(
        benchmark, peers.zen_bare_lookup(day.book, facts), group=f"look-up against fold: {day.book.id}",
        who="zen-engine, bare tables", events=len(facts), peer=True,
    )  # fmt: skip

    assert len(results) == len(facts)


def test_zen(benchmark: Any, day: Day) -> None:
    """GoRules' engine with the exported document; what fires for deliveries is what the kernel wrote."""
    facts = facts_of(day, PEER_EVENTS)

    results = measure(
        benchmark, peers.zen_lookup(day.book, facts), group=f"look-up against fold: {day.book.id}",
        who="zen-engine, the export", events=len(facts), peer=True,
    )  # fmt: skip

    entries, _, _ = fold_day(day)
    rule_ids = {rule.id for rule in day.book.model.rule}
    own = {
        (ev, day.program.labels[label], delta)
        for ev, label, delta in zip(
            entries["ev"].tolist(), entries["label"].tolist(), entries["delta_mp"].tolist(), strict=True
        )
        if ev < len(facts) and day.program.labels[label] in rule_ids and day.events["kind"][ev] == DELIVERED
    }
    theirs = {
        (ev, fired["rule_id"], fired["delta_mp"])
        for ev, result in enumerate(results)
        for fired in result["fired"]
        if facts[ev]["kind"] == "delivered"
    }
    assert own == theirs


def test_plain_python(benchmark: Any, day: Day) -> None:
    """If and elif over rows of one book, caps, clamp and lines included; final scores are the kernel's."""
    if day.book.id != "taobao-crowdsourced":
        pytest.skip("one book is written out by hand")
    num_riders = int(np.searchsorted(day.prepared.start, min(10 * PEER_EVENTS, day.events.size), side="right")) - 1
    num = int(day.prepared.start[num_riders])
    events, judged = day.events[:num], day.liability[:num]
    remaining = np.where(judged["exempt"], 0, judged["late_s"] - judged["given_s"])
    rows = list(
        zip(
            events["rider"].tolist(),
            (events["kind"] == DELIVERED).tolist(),
            events["order_key"].tolist(),
            (judged["exempt"] != 0).tolist(),
            remaining.tolist(),
            (judged["party"] == RIDER).tolist(),
            range(num),
            strict=True,
        )
    )

    scores, _ = measure(
        benchmark, lambda: peers.plain_python(rows), group=f"look-up against fold: {day.book.id}",
        who="plain Python if/elif, one book", events=num, peer=True,
    )  # fmt: skip

    _, head, _ = fold_day(day, num_riders)
    assert [scores[rider] for rider in range(num_riders)] == head.riders["score_mp"].tolist()


def test_parquet_to_ledger(benchmark: Any, day: Day, tmp_path: Path) -> None:
    """The whole command: read and check every column, liability, fold, ledger and rider tables written."""
    run = measure(
        benchmark, lambda: score_files([day.path], day.book.id, tmp_path / "out"),
        group=f"Parquet to Parquet: {day.book.id}", who="riderscore score", events=day.events.size,
    )  # fmt: skip

    assert run.document["counts"]["rejected"] == 0


def test_duckdb_sum(benchmark: Any, day: Day, tmp_path: Path) -> None:
    """DuckDB on all cores: a CASE and a sum per rider."""
    measure(
        benchmark, lambda: peers.duckdb_sum(day.path, tmp_path / "sum.parquet"),
        group=f"Parquet to Parquet: {day.book.id}", who="DuckDB sum per rider", events=day.events.size, peer=True,
    )  # fmt: skip


def test_duckdb_running(benchmark: Any, day: Day, tmp_path: Path) -> None:
    """DuckDB on all cores: a row per event with a CASE and a running sum per rider."""
    measure(
        benchmark, lambda: peers.duckdb_running(day.path, tmp_path / "running.parquet"),
        group=f"Parquet to Parquet: {day.book.id}", who="DuckDB row per event, running sum", events=day.events.size,
        peer=True,
    )  # fmt: skip


def test_tables(benchmark: Any, day: Day) -> None:
    """Arrow tables of entries and riders from a finished run."""
    scored = score(day.program, day.schedule, day.table)

    measure(
        benchmark, lambda: (entries_table(scored, scored.until_us), riders_table(scored)),
        group=f"parts: {day.book.id}", who="tables of the ledger", events=day.events.size,
    )  # fmt: skip
