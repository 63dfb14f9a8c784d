"""Runs that follow one another through a carried state: the same ledger as one run, whatever comes late."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tomli_w

from api.files.errors import InputError
from api.runs.outcome import NothingReadError
from api.runs.run import ScoredFiles, score_files
from tests.api.ledgers import (
    BOOK,
    CUT_US,
    Event,
    contents,
    entries_of,
    lines_of,
    nets,
    rejects_of,
    riders_of,
    score_events,
    scores,
    two_days,
    write_events,
)
from tests.builders import DAY_US, MINUTE_US, appeal_upheld, correction, delivered, slow_merchant, tiny_book

# Seconds of work.
pytestmark = pytest.mark.slow

DAY_MIN = 24 * 60
BOOKS = [BOOK, "gbt-46862-reference", "legacy-fine"]


class Chain:
    """Runs that hand on a state, each into a directory of its own."""

    def __init__(self, folder: Path, book: str = BOOK) -> None:
        self.folder = folder
        self.book = book
        self.state = folder / "state"
        self.outs: list[Path] = []

    def run(self, events: list[Event], **options: Any) -> ScoredFiles:
        """The next run."""
        name = f"run{len(self.outs)}"
        self.outs.append(self.folder / name)
        return score_events(self.folder, events, name, book=self.book, state=self.state, **options)

    def agrees_with(self, whole: Path) -> bool:
        """Whether scores and the net of every event are those of one run over everything."""
        return nets(*self.outs) == nets(whole) and scores(self.outs[-1]) == scores(whole)


def on_days(rider: str, *days: int, **columns: Any) -> list[dict[str, Any]]:
    """One delivery on each of some days."""
    return [delivered(f"{rider}{day}", at_min=day * DAY_MIN, rider_id=rider, **columns) for day in days]


@pytest.mark.parametrize("book", BOOKS)
def test_days_one_after_the_other_give_the_ledger_of_both_at_once(tmp_path: Path, book: str) -> None:
    """Cut at 04:00, when nobody has an order in hand, the lines of two runs are those of one, line for line."""
    events = two_days()
    chain = Chain(tmp_path, book)

    chain.run([row for row in events if row["occurred_us"] < CUT_US])
    chain.run([row for row in events if row["occurred_us"] >= CUT_US])
    score_events(tmp_path, events, "whole", book=book)

    both = sorted(lines_of(chain.outs[0]) + lines_of(chain.outs[1]), key=lambda line: (line["rider_id"], line["seq"]))
    assert both == lines_of(tmp_path / "whole")
    assert scores(chain.outs[1]) == scores(tmp_path / "whole")


@pytest.mark.parametrize("at_min", [30, 55, 163, 202, DAY_MIN + 5])
def test_any_cut_in_time_nets_to_the_same(tmp_path: Path, at_min: int) -> None:
    """Even through orders in hand: final scores and the net of each event are those of one run."""
    events = two_days()
    cut_us = events[0]["occurred_us"] + at_min * MINUTE_US
    chain = Chain(tmp_path, "gbt-46862-reference")

    chain.run([row for row in events if row["occurred_us"] < cut_us])
    chain.run([row for row in events if row["occurred_us"] >= cut_us])
    score_events(tmp_path, events, "whole", book="gbt-46862-reference")

    assert chain.agrees_with(tmp_path / "whole")


def test_a_score_is_carried_on(tmp_path: Path) -> None:
    """The next run opens with the score of the one before and counts its lines on."""
    chain = Chain(tmp_path)
    chain.run(on_days("r1", 0, late_min=4))
    chain.run(on_days("r1", 1))

    rider, line = riders_of(chain.outs[1])["r1"], entries_of(chain.outs[1])[0]
    assert (rider["opening_score_mp"], rider["score_mp"]) == (69_000, 69_200)
    assert (line["seq"], line["score_after_mp"]) == (2, 69_200)


def test_a_replay_adds_nothing(tmp_path: Path) -> None:
    """The same file again is all repeats: no entries, the state's scores as they were."""
    chain = Chain(tmp_path, "gbt-46862-reference")
    chain.run(two_days())

    again = chain.run(two_days())

    assert entries_of(chain.outs[1]) == []
    assert (again.document["counts"]["repeated"], again.document["counts"]["rejected"]) == (len(two_days()), 0)
    assert scores(chain.outs[1]) == scores(chain.outs[0])


def test_another_content_of_a_known_event_is_refused(tmp_path: Path) -> None:
    """What is stored wins over a newcomer with the same identity."""
    chain = Chain(tmp_path)
    chain.run([delivered("e1")])
    chain.run([delivered("e1", late_min=9), delivered("e2", rider_id="r2")])

    assert [row["reason"] for row in rejects_of(chain.outs[1])] == ["duplicate_conflict"]
    assert scores(chain.outs[1]) == {"r1": 70_200, "r2": 70_200}


def test_a_late_event_reverses_only_what_it_changes(tmp_path: Path) -> None:
    """A wait that becomes known later excuses the order in the same bag: that line is reversed and re-entered."""
    before = delivered("before", at_min=-300)
    held_up = delivered("held_up", at_min=0, late_min=8)
    after = delivered("after", at_min=300)
    wait = slow_merchant("wait", wait_min=12, at_min=-2, late_min=9)
    chain = Chain(tmp_path)
    chain.run([before, held_up, after])

    chain.run([wait])
    score_events(tmp_path, [before, held_up, after, wait], "whole")

    assert {(line["event_id"], line["kind"]) for line in entries_of(chain.outs[1])} >= {
        ("held_up", "reverse"),
        ("held_up", "reenter"),
    }
    assert "before" not in {line["event_id"] for line in entries_of(chain.outs[1])}
    assert nets(chain.outs[0])["r1", "held_up"] == (-2_000, 0)
    assert chain.agrees_with(tmp_path / "whole")


def test_a_late_event_that_changes_nothing_reverses_nothing(tmp_path: Path) -> None:
    """An earlier order that moves no one else's points gets lines of its own and no more."""
    chain = Chain(tmp_path)
    chain.run(on_days("r1", 0, 2, 3))

    chain.run(on_days("r1", 1))

    assert [(line["event_id"], line["kind"]) for line in entries_of(chain.outs[1])] == [("r11", "award")]


@pytest.mark.parametrize(("days_late", "reasons"), [(6, []), (8, ["too_late"])])
def test_events_may_be_late_by_the_days_of_the_book(tmp_path: Path, days_late: int, reasons: list[str]) -> None:
    """Within 7 days of the carried state an event is entered; an older one is rejected as too late."""
    chain = Chain(tmp_path)
    chain.run(on_days("r1", 0, 20))

    chain.run([*on_days("r1", 20 - days_late), *on_days("r2", 20)])

    assert [row["reason"] for row in rejects_of(chain.outs[1])] == reasons
    assert len([line for line in entries_of(chain.outs[1]) if line["rider_id"] == "r1"]) == 1 - len(reasons)


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("word", ["correction", "appeal"])
def test_a_late_word_reaches_behind_the_window(tmp_path: Path, book: str, word: str) -> None:
    """Twenty days and three runs later, a correction or an upheld appeal still nets to what one run gives."""
    wrong = delivered("wrong", late_min=9)
    runs: list[list[Event]] = [
        [wrong, delivered("more", at_min=60, late_min=3)],
        [*on_days("r1", 6), *on_days("r2", 6, late_min=2)],
        on_days("r1", 13),
        on_days("r1", 19, late_min=3),
    ]
    on_time = {"promised_us": wrong["delivered_us"], "assess_deadline_us": wrong["delivered_us"]}
    after_min = 20 * DAY_MIN
    last = (
        correction("word", wrong, after_min=after_min, **on_time)
        if word == "correction"
        else appeal_upheld("word", wrong, after_min=after_min)
    )
    chain = Chain(tmp_path, book)
    for events in runs:
        chain.run(events)

    chain.run([last])
    score_events(tmp_path, [*(row for events in runs for row in events), last], "whole", book=book)

    assert rejects_of(chain.outs[-1]) == []
    # An order on time earns nothing under the legacy fine: nothing to re-enter then.
    assert "reverse" in {line["kind"] for line in entries_of(chain.outs[-1])}
    assert {line["rider_id"] for line in entries_of(chain.outs[-1])} == {"r1"}
    assert chain.agrees_with(tmp_path / "whole")


def test_a_word_about_a_word_reaches_behind_the_window(tmp_path: Path) -> None:
    """A correction of a correction counts, though the event of both left the window long ago."""
    wrong = delivered("wrong", late_min=9)
    on_time = {"promised_us": wrong["delivered_us"], "assess_deadline_us": wrong["delivered_us"]}
    word = correction("word", wrong, after_min=6 * DAY_MIN)
    again = correction("again", wrong, after_min=9 * DAY_MIN, **on_time) | {"ref_event_id": "word"}
    runs: list[list[Event]] = [[wrong, *on_days("r1", 5)], [word], on_days("r1", 8)]
    chain = Chain(tmp_path, BOOK)
    for events in runs:
        chain.run(events)

    chain.run([again])
    score_events(tmp_path, [*(row for events in runs for row in events), again], "whole", book=BOOK)

    assert rejects_of(chain.outs[-1]) == []
    assert chain.agrees_with(tmp_path / "whole")


def test_a_late_word_leaves_later_resets_alone(tmp_path: Path) -> None:
    """A rider reloaded beside another: of three weekly resets only the first, which gives back less, is entered again."""
    path = tmp_path / "weekly.toml"
    path.write_text(tomli_w.dumps(tiny_book(reset={"every": "week"})), encoding="utf-8")
    wrong = delivered("wrong", late_min=9)
    runs: list[list[Event]] = [
        [wrong, *on_days("r1", 1, 2, 8, 15)],
        [*on_days("r1", 20), *on_days("r2", 19, 20)],
    ]
    chain = Chain(tmp_path, str(path))
    for events in runs:
        chain.run(events)

    chain.run([appeal_upheld("word", wrong, after_min=21 * DAY_MIN)])

    reversed_rules = [line["rule_id"] for line in entries_of(chain.outs[-1]) if line["kind"] == "reverse"]
    assert sorted(reversed_rules) == ["late_more", "reset"]


def test_runs_go_on_after_a_late_word(tmp_path: Path) -> None:
    """After reaching back, days, replays and further late events go on as in one run."""
    wrong = delivered("wrong", late_min=9)
    on_time = {"promised_us": wrong["delivered_us"], "assess_deadline_us": wrong["delivered_us"]}
    runs: list[list[Event]] = [
        [wrong, *on_days("r2", 0, late_min=3)],
        on_days("r1", 13, late_min=3),
        [correction("word", wrong, after_min=20 * DAY_MIN, **on_time)],
        [*on_days("r1", 21, late_min=1), *on_days("r2", 21)],
        on_days("r1", 18, late_min=20),
        [appeal_upheld("appeal", delivered("r113", at_min=13 * DAY_MIN), after_min=12 * DAY_MIN)],
        [*on_days("r1", 13, late_min=3), *on_days("r2", 21)],
    ]
    chain = Chain(tmp_path, "gbt-46862-reference")
    for events in runs:
        chain.run(events)

    score_events(tmp_path, [row for events in runs for row in events], "whole", book="gbt-46862-reference")

    assert nets(*chain.outs) == nets(tmp_path / "whole")
    assert scores(chain.outs[-1])["r1"] == scores(tmp_path / "whole")["r1"]
    assert entries_of(chain.outs[-1]) == []


def test_fades_fall_due_in_a_later_run(tmp_path: Path) -> None:
    """A deduction that left the window long ago is still returned, once, under its own event's id."""
    chain = Chain(tmp_path, "gbt-46862-reference")
    runs = [on_days("r1", 0, late_min=9), on_days("r1", 20), on_days("r1", 100), on_days("r1", 101)]
    for events in runs:
        chain.run(events)

    score_events(tmp_path, [row for events in runs for row in events], "whole", book="gbt-46862-reference")

    fades = [line["event_id"] for out in chain.outs for line in entries_of(out) if line["kind"] == "fade"]
    assert fades == ["r10"]
    assert chain.agrees_with(tmp_path / "whole")


def test_another_book_keeps_the_score(tmp_path: Path) -> None:
    """A state goes on under another book: the score stays, and what stood is not rewritten."""
    chain = Chain(tmp_path)
    chain.run(on_days("r1", 0, late_min=4))
    chain.book = "gbt-46862-reference"

    chain.run(on_days("r1", 1))

    assert riders_of(chain.outs[1])["r1"]["opening_score_mp"] == 69_000
    assert [line["event_id"] for line in entries_of(chain.outs[1])] == ["r11"]


def test_a_first_run_whose_rows_are_all_refused_does_no_harm(tmp_path: Path) -> None:
    """A run that accepts nothing fails and leaves no state: the next run scores as from new."""
    chain = Chain(tmp_path)
    with pytest.raises(NothingReadError):
        chain.run([correction("c1", delivered("nothing"))])
    assert not chain.state.exists()

    chain.run([delivered("e1")])

    assert scores(chain.outs[-1]) == {"r1": 70_200}


def test_a_failed_run_leaves_the_state_alone(tmp_path: Path) -> None:
    """When the files cannot be read or the ledger cannot be written, the state is what it was, to the byte."""
    chain = Chain(tmp_path)
    chain.run(two_days())
    before = contents(chain.state)
    broken, foreign = tmp_path / "broken.parquet", tmp_path / "foreign"
    broken.write_bytes(b"PAR1 not at all")
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine", encoding="utf-8")
    good = write_events(tmp_path / "good.csv", on_days("r1", 3))

    for paths, out in (([good, broken], tmp_path / "out"), ([good], foreign)):
        with pytest.raises(InputError):
            score_files(paths, BOOK, out, state=chain.state)

    assert contents(chain.state) == before


def test_a_run_killed_before_its_state_was_replaced_can_be_repeated(tmp_path: Path) -> None:
    """With the old state back in place, the same command writes the same lines and the same state again."""
    chain = Chain(tmp_path)
    events = two_days()
    chain.run([row for row in events if row["occurred_us"] < CUT_US])
    shutil.copytree(chain.state, tmp_path / "old")
    chain.run([row for row in events if row["occurred_us"] >= CUT_US])
    first, state = contents(chain.outs[1])["entries.parquet"], contents(chain.state)
    shutil.rmtree(chain.state)
    (tmp_path / "old").rename(chain.state)

    score_files([tmp_path / "run1.csv"], BOOK, chain.outs[1], state=chain.state)

    assert contents(chain.outs[1])["entries.parquet"] == first
    assert contents(chain.state) == state


def test_an_absent_or_empty_folder_is_no_state_yet(tmp_path: Path) -> None:
    """A first run may name a folder that is not there, or that is empty."""
    (tmp_path / "state").mkdir()

    score_events(tmp_path, [delivered()], "one", state=tmp_path / "state")
    score_events(tmp_path, [delivered()], "two", state=tmp_path / "new" / "state")

    assert contents(tmp_path / "state") == contents(tmp_path / "new" / "state")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("thesis.txt", "mine"),
        ("state.json", "{"),
        ("state.json", '{"format": 99}'),
        ("state.json", '["format"]'),
        (
            "state.json",
            '{"format": 2, "until_us": 0, "keep_us": 0, "books": [], "slots": [], "counted": [], "faded": []}',
        ),
    ],
)
def test_a_folder_that_is_no_state_is_refused(tmp_path: Path, name: str, content: str) -> None:
    """Anything else than a state is refused with the folder's name, is not touched, and nothing is written."""
    state = tmp_path / "state"
    state.mkdir()
    (state / name).write_text(content, encoding="utf-8")

    with pytest.raises(InputError, match="state"):
        score_events(tmp_path, [delivered()], state=state)

    assert contents(state) == {name: content.encode()}
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name", ["riders.parquet", "window.parquet", "written.parquet", "fades.parquet", "orders.parquet"]
)
def test_a_torn_state_is_refused(tmp_path: Path, name: str) -> None:
    """A state with a broken file is unusable input, not a crash."""
    chain = Chain(tmp_path)
    chain.run([delivered()])
    (chain.state / name).write_bytes(b"PAR1 torn")

    with pytest.raises(InputError, match="state"):
        chain.run(on_days("r1", 1))


def test_lines_of_all_runs_have_ids_of_their_own(tmp_path: Path) -> None:
    """No entry id comes twice over runs, reversals and late words included."""
    chain = Chain(tmp_path, "gbt-46862-reference")
    chain.run([row for row in two_days() if row["occurred_us"] < CUT_US])
    chain.run([row for row in two_days() if row["occurred_us"] >= CUT_US])
    chain.run([appeal_upheld("a1", delivered("r1-b", rider_id="r1", at_min=50), after_min=3 * DAY_MIN)])
    chain.run(on_days("r1", 30))

    ids = [line["entry_id"] for out in chain.outs for line in entries_of(out)]
    assert len(set(ids)) == len(ids)


def test_states_do_not_grow_with_what_has_left_the_window(tmp_path: Path) -> None:
    """Only the archive keeps old events: the window of a later state holds the late days alone."""
    chain = Chain(tmp_path)
    chain.run(on_days("r1", *range(10)))
    chain.run(on_days("r1", 40))

    oldest_us = min(pq.read_table(chain.state / "window.parquet").column("occurred_us").to_pylist())
    assert oldest_us >= on_days("r1", 40)[0]["occurred_us"] - 7 * DAY_US
    assert len(list((chain.state / "archive").iterdir())) == 2
