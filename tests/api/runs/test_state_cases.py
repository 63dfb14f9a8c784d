"""Days one after the other through a state on disk: small cases that went wrong once, each with its right value."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from api.runs.bucketed_run import score_bucketed
from api.runs.ledger_files import read_ledgers
from api.runs.run import score_files
from scoring.invariants import check_ledger
from tests.api.ledgers import entries_of, nets, score_events, scores, write_events
from tests.api.runs.two_versions import DAY_MIN, of_february, versions_of
from tests.builders import DAY_US, HOUR_US, appeal_upheld, correction, delivered, deploy_row, event, tiny_book

pytestmark = pytest.mark.slow

# As version 0.1.0 wrote them.
OLD_IDS = ["5viGAUg0IQL7kTPi", "KphEPI63-TjBHjpw"]
Events = list[dict[str, Any]]


def verified(*outs: Path) -> list[str]:
    """Names of the checks that do not hold."""
    return [
        found.check for out in outs for ledger in read_ledgers(out) for found in check_ledger(ledger) if not found.holds
    ]


def fading(folder: Path) -> str:
    """A tiny book whose deductions fade after seven days."""
    path = folder / "fade7.toml"
    path.write_text(tomli_w.dumps(tiny_book(fading={"after_days": 7})), encoding="utf-8")
    return str(path)


def bellas_days() -> Events:
    """A late order whose deduction fades a week later, and one three days after it, that keeps the first in the window."""
    return [delivered("b1", rider_id="bella", late_min=10), delivered("b2", rider_id="bella", at_min=3 * DAY_MIN)]


def aarons_day() -> Events:
    """A late order of a rider who comes before bella, and an appeal about it that is upheld."""
    late = delivered("a1", rider_id="aaron", at_min=8 * DAY_MIN, late_min=10)
    return [late, appeal_upheld("a2", late)]


@pytest.mark.case
@pytest.mark.parametrize("word", [True, False])
def test_a_day_writes_lines_of_its_own_riders_alone(tmp_path: Path, word: bool) -> None:
    """Another rider's fade stays where it was written, whoever comes before that rider and whatever is appealed."""
    book, state = fading(tmp_path), tmp_path / "state"
    first, second = bellas_days(), aarons_day()
    as_of_us = first[0]["occurred_us"] + 7 * DAY_US + 3 * HOUR_US
    score_events(tmp_path, first, "one", book=book, state=state, as_of_us=as_of_us)

    score_events(tmp_path, second if word else second[:1], "two", book=book, state=state)

    assert {line["rider_id"] for line in entries_of(tmp_path / "two")} == {"aaron"}
    assert scores(tmp_path / "two")["bella"] == 70_200
    assert verified(tmp_path / "one", tmp_path / "two") == []


def test_a_word_about_long_ago_leaves_the_fades_of_others(tmp_path: Path) -> None:
    """A rider whose whole history is read again stands before others whose pending fades refer to the window."""
    book, state = fading(tmp_path), tmp_path / "state"
    long_ago = delivered("a0", rider_id="aaron", at_min=-20 * DAY_MIN, late_min=10)
    score_events(tmp_path, [long_ago, *bellas_days()], "one", book=book, state=state)

    appeal = appeal_upheld("a9", long_ago, after_min=23 * DAY_MIN + 60)
    score_events(tmp_path, [appeal], "two", book=book, state=state)
    last = delivered("c1", rider_id="carl", at_min=9 * DAY_MIN)
    score_events(tmp_path, [last], "three", book=book, state=state)

    fades = [line for line in entries_of(tmp_path / "three") if line["kind"] == "fade"]
    assert [(line["rider_id"], line["event_id"]) for line in fades] == [("bella", "b1")]
    assert verified(*(tmp_path / name for name in ("one", "two", "three"))) == []


def test_fades_stay_with_their_riders_in_buckets(tmp_path: Path) -> None:
    """A state split into buckets hands each pending fade to its own rider, whoever comes before."""
    book, state = fading(tmp_path), tmp_path / "state"
    riders = [f"r{number:02d}" for number in range(30)]
    first = [
        row | {"rider_id": rider, "event_id": f"{row['event_id']}{rider}"} for rider in riders for row in bellas_days()
    ]
    as_of_us = first[0]["occurred_us"] + 7 * DAY_US + 3 * HOUR_US
    score_events(tmp_path, first, "one", book=book, state=state, as_of_us=as_of_us)
    path = write_events(tmp_path / "day.csv", aarons_day())

    whole = tmp_path / "whole-state"
    shutil.copytree(state, whole)
    score_bucketed([path], book, tmp_path / "two", state=state, bucket_rows=20)
    score_files([path], book, tmp_path / "alone", state=whole)

    lines = [line for ledger in read_ledgers(tmp_path / "two") for line in ledger.entries.to_pylist()]
    assert {line["rider_id"] for line in lines} == {"aaron"}
    assert verified(tmp_path / "two", tmp_path / "alone") == []


BASE_70 = {"score": {"base": 70, "floor": 0, "ceiling": 100}}


@pytest.mark.case
def test_an_earlier_first_event_under_another_base_ends_as_in_one_run(tmp_path: Path) -> None:
    """The opening that turns out to be another one is a `reset` entry, and the base of the next version counts once."""
    book, state = versions_of(tmp_path, **BASE_70), tmp_path / "state"
    jana = {"rider_id": "jana"}
    first = [of_february(2, "h2", rider_id="hana"), of_february(2, "j2", **jana) | {"kind": "accepted"}]
    second = [of_february(0, "h1", rider_id="hana"), of_february(0, "j1", **jana)]
    score_events(tmp_path, first, "one", book=book, state=state)

    score_events(tmp_path, second, "two", book=book, state=state)
    third = [of_february(3, "h3", rider_id="hana")]
    score_events(tmp_path, third, "three", book=book, state=state)
    score_events(tmp_path, [*first, *second, *third], "whole", book=book)

    assert scores(tmp_path / "two") == {"hana": 70_200, "jana": 70_100}
    outs = [tmp_path / name for name in ("one", "two", "three")]
    assert scores(outs[2]) == scores(tmp_path / "whole")
    assert of_events(nets(*outs)) == of_events(nets(tmp_path / "whole"))
    moved = [line for line in entries_of(outs[1]) if line["rider_id"] == "hana" and line["of_kind"] == "reset"]
    assert [(line["event_id"], line["delta_mp"], line["cause_event_id"]) for line in moved] == [
        ("reset:2026-01-31", -58_000, "h1"),
        ("reset:2026-02-01", 58_000, "h1"),
    ]
    assert verified(*outs) == []


def test_a_second_earlier_first_event_takes_the_opening_back(tmp_path: Path) -> None:
    """Two days late one after the other: the opening's entry moves to the earliest event, and nothing is written twice."""
    book, state = versions_of(tmp_path, **BASE_70), tmp_path / "state"
    days = [[of_february(day, f"h{day}", rider_id="hana")] for day in (3, 0, -1, 4)]
    outs = [tmp_path / f"out{number}" for number in range(len(days))]
    for day, out in zip(days, outs, strict=True):
        score_events(tmp_path, day, out.name, book=book, state=state)

    score_events(tmp_path, [row for day in days for row in day], "whole", book=book)

    assert scores(outs[-1]) == scores(tmp_path / "whole") == {"hana": 70_400}
    assert of_events(nets(*outs)) == of_events(nets(tmp_path / "whole"))
    ids = [line["entry_id"] for out in outs for line in entries_of(out)]
    assert len(set(ids)) == len(ids)
    assert verified(*outs) == []


def of_events(net: dict[tuple[str, str], tuple[int, int]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Net of real events: the opening is an entry in one way of cutting time and none in another."""
    return {key: value for key, value in net.items() if not key[1].startswith("reset:")}


def extension(event_id: str, of: dict[str, Any], *, at_min: float) -> dict[str, Any]:
    """One minute granted for a red light."""
    return event("deadline_extended", event_id, at_min=at_min, order_id=of["order_id"], cause="red_light", extend_s=60)


@pytest.mark.case
@pytest.mark.parametrize("first", ["correction", "good_review", "nothing"])
def test_the_cause_of_a_change_is_the_fact_that_made_it(tmp_path: Path, first: str) -> None:
    """What an extension changes is because of the extension, whatever came before it, and a correction's change is its own."""
    book, state = "gbt-46862-reference", tmp_path / "state"
    late = delivered("l1", late_min=5)
    less = correction("l2", late, after_min=55, promised_us=late["occurred_us"] - 4 * 60_000_000)
    less["assess_deadline_us"] = less["promised_us"]
    others = {"correction": [less], "good_review": [event("good_review", "l2", at_min=5)], "nothing": []}[first]
    score_events(tmp_path, [late], "one", book=book, state=state)

    score_events(tmp_path, [*others, extension("l3", late, at_min=115)], "two", book=book, state=state)

    lines = entries_of(tmp_path / "two")
    told = [(line["kind"], line["cause_event_id"]) for line in lines if line["event_id"] == "l1"]
    pairs = [("reverse", "l3"), ("reenter", "l3")]
    assert told == pairs + ([("reverse", "l2"), ("reenter", "l2")] if first == "correction" else [])
    assert scores(tmp_path / "two")["r1"] == {"correction": 69_400, "good_review": 69_400, "nothing": 69_200}[first]
    assert verified(tmp_path / "one", tmp_path / "two") == []


def test_each_change_of_a_run_has_its_own_cause(tmp_path: Path) -> None:
    """Among many new facts of one rider every changed order names the extension that is about it."""
    state = tmp_path / "state"
    orders = [delivered(f"o{number}", at_min=60 * number, late_min=5) for number in range(7)]
    noise = [event("good_review", f"n{number}", at_min=430 + number) for number in range(9)]
    facts = [extension(f"x{number}", orders[number], at_min=450 + number) for number in (5, 1, 3)]
    score_events(tmp_path, orders, "one", book="gbt-46862-reference", state=state)

    score_events(tmp_path, [*noise, *facts], "two", book="gbt-46862-reference", state=state)

    late = [line for line in entries_of(tmp_path / "two") if line["rule_id"] == "late" and line["cause_event_id"]]
    assert {(line["event_id"], line["cause_event_id"]) for line in late} == {("o1", "x1"), ("o3", "x3"), ("o5", "x5")}


def two_books(folder: Path) -> str:
    """The table of the two cities, as the shipped one had them in 0.1.0."""
    path = folder / "two-books.toml"
    rows = (("hangzhou", "taobao-crowdsourced", "2025-12-03"), ("quanzhou", "meituan-anzhun", "2024-12-01"))
    path.write_text("\n".join(deploy_row(*row) for row in rows), encoding="utf-8")
    return str(path)


def two_cities() -> Events:
    """A rider of two cities: one change of book, then three at one instant."""
    days = [("q1", "hangzhou", 0), ("q2", "quanzhou", 30), ("q3", "hangzhou", 30), ("q4", "quanzhou", 30)]
    start = 90 * DAY_MIN
    return [delivered(name, at_min=start + minute, rider_id="quinn", city=city) for name, city, minute in days]


@pytest.mark.case
@pytest.mark.parametrize("cut", [4, 3, 2, 1])
def test_two_books_at_one_instant_have_lines_of_their_own(tmp_path: Path, cut: int) -> None:
    """Lines of one instant that are otherwise alike have ids of their own, in one run and where late ones come later."""
    state, events, book = tmp_path / "state", two_cities(), two_books(tmp_path)

    score_events(tmp_path, events[:cut], "one", book=book, state=state)
    score_events(tmp_path, events[cut:] or events[:1], "two", book=book, state=state)

    lines = entries_of(tmp_path / "one") + entries_of(tmp_path / "two")
    resets = [line for line in lines if line["of_kind"] == "reset"]
    assert len({line["entry_id"] for line in lines}) == len(lines)
    assert sum(line["delta_mp"] for line in resets) == -58_000
    assert {line["event_id"] for line in resets} == {"reset:2026-03-10"}
    assert cut < 4 or len(resets) == 3
    assert scores(tmp_path / "two") == {"quinn": 12_600}
    assert verified(tmp_path / "one", tmp_path / "two") == []


def test_ids_of_ledgers_that_exist_stay(tmp_path: Path) -> None:
    """Where nothing repeats at an instant, changes of book keep the ids that version 0.1.0 gave them."""
    run = tmp_path / "run"
    score_events(tmp_path, two_cities()[:3], "run", book=two_books(tmp_path))

    resets = [line["entry_id"] for line in entries_of(run) if line["kind"] == "reset"]
    assert resets == OLD_IDS


@pytest.mark.case
def test_a_narrower_scale_bounds_at_the_change(tmp_path: Path) -> None:
    """One `clamp` line under `reset:DATE` brings a rider inside at once, with or without an order later."""
    book, state = versions_of(tmp_path, score={"base": 12, "floor": 10, "ceiling": 20}), tmp_path / "state"
    late = [of_february(-20, f"{rider}1", rider_id=rider, late_min=10) for rider in ("dora", "emil")]
    events = [*late, of_february(2, "d2", rider_id="dora")]

    score_events(tmp_path, events, "whole", book=book)
    for number, row in enumerate(events):
        score_events(tmp_path, [row], f"out{number}", book=book, state=state)

    assert scores(tmp_path / "whole") == scores(tmp_path / "out2") == {"dora": 10_100, "emil": 10_000}
    lines = [line for line in entries_of(tmp_path / "whole") if line["rider_id"] == "emil"]
    assert [(line["event_id"], line["rule_id"], line["kind"], line["delta_mp"]) for line in lines[1:]] == [
        ("reset:2026-02-01", "floor", "clamp", 1_500)
    ]
    assert verified(tmp_path / "whole", *(tmp_path / f"out{number}" for number in range(3))) == []


def test_a_lower_ceiling_bounds_at_the_change(tmp_path: Path) -> None:
    """A rider above the new ceiling is brought down by one line, and earns nothing above it from then on."""
    book = versions_of(tmp_path, score={"base": 12, "floor": 0, "ceiling": 12})

    score_events(tmp_path, [of_february(-20, "d1"), of_february(-19, "d2"), of_february(2, "d3")], "whole", book=book)

    lines = [(line["event_id"], line["kind"], line["score_after_mp"]) for line in entries_of(tmp_path / "whole")]
    assert lines[2] == ("reset:2026-02-01", "clamp", 12_000)
    assert scores(tmp_path / "whole") == {"r1": 12_000}
    assert verified(tmp_path / "whole") == []


@pytest.mark.case
def test_a_late_event_under_the_version_before_is_judged_by_the_present_scale(tmp_path: Path) -> None:
    """A late delivery of the old version moves a score that the old scale does not reach, and `verify` holds."""
    book, state = versions_of(tmp_path, **BASE_70), tmp_path / "state"
    first = [of_february(-1, "n1", rider_id="nora"), of_february(2, "n3", rider_id="nora")]
    score_events(tmp_path, first, "one", book=book, state=state)

    score_events(tmp_path, [of_february(0, "n2", rider_id="nora")], "two", book=book, state=state)

    assert scores(tmp_path / "two") == {"nora": 70_300}
    assert [line["event_id"] for line in entries_of(tmp_path / "two")] == ["n2"]
    assert verified(tmp_path / "one", tmp_path / "two") == []


def test_a_state_of_version_010_goes_on_by_its_readings(tmp_path: Path) -> None:
    """Up to where 0.1.0 wrote, a narrower scale is no clamp; before the first thing after, one line brings the rider inside."""
    book, state = versions_of(tmp_path, score={"base": 12, "floor": 10, "ceiling": 20}), tmp_path / "state"
    score_events(tmp_path, [of_february(-20, "e1", late_min=10)], "one", book=book, state=state)
    header = json.loads((state / "state.json").read_text(encoding="utf-8"))
    until_us = of_february(1, "e1")["occurred_us"]
    del header["old_until_us"]
    (state / "state.json").write_text(json.dumps(header | {"format": 2, "until_us": until_us}), encoding="utf-8")

    runs = [
        score_events(tmp_path, [of_february(day, f"e{day}")], f"out{day}", book=book, state=state) for day in (2, 3)
    ]

    assert [run.document["old_readings_until_us"] for run in runs] == [until_us, until_us]
    lines = [(line["event_id"], line["kind"], line["delta_mp"]) for line in entries_of(tmp_path / "out2")]
    assert lines == [("reset:2026-02-01", "clamp", 1_500), ("e2", "award", 100)]
    assert scores(tmp_path / "out3") == {"r1": 10_200}
    assert verified(tmp_path / "out2", tmp_path / "out3") == []
