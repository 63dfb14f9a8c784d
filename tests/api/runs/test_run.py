"""A ledger directory from files: what is in it, and that only what happened decides what it says."""

import datetime as dt
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.errors import InputError
from api.runs.outcome import NothingReadError
from api.runs.run import score_files
from rules import shelf
from rules.errors import BookError
from tests.api.ledgers import (
    BOOK,
    contents,
    entries_of,
    nets,
    rejects_of,
    riders_of,
    score_events,
    shuffled,
    two_days,
    write_events,
)
from tests.builders import DAY_US, appeal_upheld, correction, delivered, event, slow_merchant

ENTRY_COLUMNS = [
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
]
RIDER_COLUMNS = [
    "rider_id",
    "city",
    "book_digest",
    "opening_score_mp",
    "score_mp",
    "tier",
    "num_delivered",
    "num_on_time",
    "num_late",
    "num_exempt",
    "points_awarded_mp",
    "points_deducted_mp",
    "fines_fen",
    "bonus_fen",
    "fees_fen",
    "income_fen",
    "on_time_orders_to_next_tier",
    "on_time_orders_to_recover",
    "review_required",
]
TEXTS = {"entry_id", "event_id", "rider_id", "rule_id", "kind", "liable_party", "book_digest", "city", "tier"}


def test_a_ledger_holds_its_tables_its_books_and_what_was_run(tmp_path: Path) -> None:
    """Entries, riders, rejects, each book by digest and run.json stand in the directory."""
    score_events(tmp_path, two_days())

    digest = shelf.versions(BOOK)[0].digest
    assert set(contents(tmp_path / "run")) == {
        "entries.parquet",
        "riders.parquet",
        "rejects.ndjson",
        "run.json",
        f"books/{digest}.toml",
    }
    assert shelf.find(str(tmp_path / "run" / "books" / f"{digest}.toml"))[0].digest == digest


@pytest.mark.parametrize(("name", "expected"), [("entries", ENTRY_COLUMNS), ("riders", RIDER_COLUMNS)])
def test_columns_have_the_agreed_names_and_types(tmp_path: Path, name: str, expected: list[str]) -> None:
    """The agreed columns come first, in order; words are text, all else whole numbers, nothing is a float."""
    score_events(tmp_path, two_days())

    schema = pq.read_schema(tmp_path / "run" / f"{name}.parquet")
    assert schema.names[: len(expected)] == expected
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name in TEXTS:
            assert pa.types.is_string(kind), field
        elif field.name in expected and field.name != "review_required":
            assert pa.types.is_integer(kind), field
        assert not pa.types.is_floating(kind), field


def test_each_line_follows_from_the_one_before(tmp_path: Path) -> None:
    """Score after = opening score + sum of deltas so far, and seq counts from 1 without gaps."""
    score_events(tmp_path, two_days(), book="gbt-46862-reference")

    riders = riders_of(tmp_path / "run")
    for rider, row in riders.items():
        lines = sorted(
            (line for line in entries_of(tmp_path / "run") if line["rider_id"] == rider), key=lambda x: x["seq"]
        )
        score = row["opening_score_mp"]
        for number, line in enumerate(lines, start=1):
            score += line["delta_mp"]
            assert (line["seq"], line["score_after_mp"]) == (number, score)
        assert row["score_mp"] == score
    assert len({line["entry_id"] for line in entries_of(tmp_path / "run")}) == len(entries_of(tmp_path / "run"))


def test_riders_add_up(tmp_path: Path) -> None:
    """Delivered = on time + late + exempt; income = fees + money of the lines; fines and bonuses are not negative."""
    score_events(tmp_path, two_days(), book="legacy-fine")

    money = nets(tmp_path / "run")
    for rider, row in riders_of(tmp_path / "run").items():
        own = sum(fen for (who, _), (_, fen) in money.items() if who == rider)
        assert row["num_delivered"] == row["num_on_time"] + row["num_late"] + row["num_exempt"] == 7
        assert row["income_fen"] == row["fees_fen"] + own == 7 * 500 + row["bonus_fen"] - row["fines_fen"]
        assert row["fines_fen"] > 0


def test_the_worked_examples_come_out(tmp_path: Path) -> None:
    """4 min late −1, 30 min late −2, a merchant 12 min slow costs neither its order nor the other in the bag."""
    score_events(tmp_path, two_days())

    points = {event_id: mp for (rider, event_id), (mp, _) in nets(tmp_path / "run").items() if rider == "r1"}
    assert points == {
        "r1-a": 200, "r1-b": -1_000, "r1-c": -2_000, "r1-d": 200, "r1-e": 200, "r1-g": -1_000, "r1-i": 200,
    }  # fmt: skip


def test_run_json_says_what_was_read_and_made(tmp_path: Path) -> None:
    """Inputs with digests and rows, books, counts, seconds by stage, what was rejected and why."""
    events = [*two_days(), delivered("bad", rider_id="r1", fee_fen=-5)]
    score_events(tmp_path, events)

    document = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    source = tmp_path / "run.csv"
    assert document["inputs"] == [
        {"path": str(source), "sha256": hashlib.sha256(source.read_bytes()).hexdigest(), "rows": 31}
    ]
    assert document["books"] == [{"id": BOOK, "effective_from": "2025-12-03", "digest": shelf.versions(BOOK)[0].digest}]
    assert document["counts"]["events"] == 30
    assert document["counts"]["entries"] == len(entries_of(tmp_path / "run"))
    assert document["counts"]["rejected"] == sum(document["rejected"].values()) == 1
    assert document["as_of_us"] == max(row["occurred_us"] for row in two_days())
    assert set(document["seconds"]) >= {"read", "score", "tables", "write"}


def test_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    """Entries and riders are equal to the byte when a run is repeated."""
    score_events(tmp_path, two_days())
    first = contents(tmp_path / "run")
    score_events(tmp_path, two_days())

    second = contents(tmp_path / "run")
    for name in ("entries.parquet", "riders.parquet", "rejects.ndjson"):
        assert first[name] == second[name]


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("num_files", [1, 3])
def test_files_and_rows_in_any_order_give_the_same_ledger(tmp_path: Path, ending: str, num_files: int) -> None:
    """Any format, any split into files, rows shuffled: entries.parquet is the same to the byte."""
    events = [*two_days(), appeal_upheld("r1-x", two_days()[0])]
    score_events(tmp_path, events, "plain", book="gbt-46862-reference")

    rows = shuffled(events)
    paths = [write_events(tmp_path / f"part{k}.{ending}", rows[k::num_files]) for k in range(num_files)]
    score_files(paths, "gbt-46862-reference", tmp_path / "split")

    plain, split = (contents(tmp_path / name)["entries.parquet"] for name in ("plain", "split"))
    assert split == plain


def test_a_repeated_row_counts_once_and_a_contradiction_not_at_all(tmp_path: Path) -> None:
    """The same identity with the same content is counted once; with another content both are refused, with reason."""
    same, one, other = delivered("same"), delivered("torn", at_min=5), delivered("torn", at_min=5, late_min=9)

    run = score_events(tmp_path, [same, same, one, other])

    assert {line["event_id"] for line in entries_of(tmp_path / "run")} == {"same"}
    assert run.document["counts"]["repeated"] == 1
    assert run.document["rejected"] == {"duplicate_conflict": 2}
    assert [(row["row"], row["reason"]) for row in rejects_of(tmp_path / "run")] == [
        (3, "duplicate_conflict"),
        (4, "duplicate_conflict"),
    ]


def test_a_correction_and_an_appeal_in_one_file_write_reversals(tmp_path: Path) -> None:
    """Both always write reverse and re-enter lines; the net is what the corrected facts give."""
    late, much = delivered("late", late_min=4), delivered("much", at_min=50, late_min=9)

    on_time = {"promised_us": late["delivered_us"], "assess_deadline_us": late["delivered_us"]}

    score_events(tmp_path, [late, much, correction("c1", late, **on_time), appeal_upheld("a1", much)])

    kinds = [(line["event_id"], line["kind"]) for line in entries_of(tmp_path / "run")]
    assert [kind for name, kind in kinds if name == "late"] == ["deduct", "reverse", "reenter"]
    assert next(kind for name, kind in kinds if name == "much") == "deduct"
    assert {"reverse", "reenter"} <= {kind for name, kind in kinds if name == "much"}
    assert nets(tmp_path / "run") == {("r1", "late"): (200, 0)}


@pytest.mark.parametrize(("ref", "reason"), [("nobody", "ref_unknown"), ("later", "ref_later")])
def test_a_correction_of_nothing_is_rejected_with_its_reason(tmp_path: Path, ref: str, reason: str) -> None:
    """What a correction names must be there and must be earlier."""
    later = delivered("later", at_min=100)
    wrong = correction("c1", delivered("later"), after_min=10) | {"ref_event_id": ref}

    score_events(tmp_path, [later, wrong])

    assert [row["reason"] for row in rejects_of(tmp_path / "run")] == [reason]


def test_as_of_moves_fades_but_not_events(tmp_path: Path) -> None:
    """A later as-of returns what has faded by then and is what recorded_us says."""
    late = delivered("late", late_min=30)
    as_of_us = late["occurred_us"] + 200 * DAY_US

    score_events(tmp_path, [late], "now", book="gbt-46862-reference")
    score_events(tmp_path, [late], "then", book="gbt-46862-reference", as_of_us=as_of_us)

    now, then = (entries_of(tmp_path / name) for name in ("now", "then"))
    assert [line["kind"] for line in now] == ["deduct"]
    assert [line["kind"] for line in then][:2] == ["deduct", "fade"]
    assert {line["recorded_us"] for line in then} == {as_of_us}
    assert next(line["entry_id"] for line in then) == now[0]["entry_id"]


def test_auto_takes_the_deployed_book_of_each_city_and_kind(tmp_path: Path) -> None:
    """Each rider is judged by the book deployed for their city and kind on that day."""
    events = [
        delivered("e1", rider_id="h", city="hangzhou"),
        delivered("e3", rider_id="d", city="hangzhou", rider_kind="dedicated"),
    ]
    elsewhere = [delivered("e4", rider_id="q", city="quanzhou"), delivered("e5", rider_id="b", city="harbin")]

    score_events(tmp_path, events, book="auto", platform="taobao")
    score_events(tmp_path, elsewhere[:1], "meituan", book="auto", platform="meituan")
    score_events(tmp_path, elsewhere[1:], "jd", book="auto", platform="jd")

    digests = {
        rider: row["book_digest"]
        for name in ("run", "meituan", "jd")
        for rider, row in riders_of(tmp_path / name).items()
    }
    chosen = {"h": BOOK, "q": "meituan-anzhun", "d": "taobao-dedicated", "b": "jd-service-score"}
    assert digests == {rider: shelf.versions(book)[-1].digest for rider, book in chosen.items()}


def test_auto_rejects_what_no_book_is_deployed_for(tmp_path: Path) -> None:
    """An unknown city, and a city before its roll-out, give `no_book`; nothing is scored by guess."""
    before_us = delivered()["occurred_us"] - 30 * DAY_US
    early = delivered("early", city="hangzhou") | {"occurred_us": before_us, "delivered_us": before_us}
    for name in ("placed", "accepted", "arrived_store", "merchant_ready", "merchant_promised_ready", "picked_up"):
        early[f"{name}_us"] -= 30 * DAY_US

    score_events(
        tmp_path,
        [delivered("there"), delivered("nowhere", city="atlantis", at_min=1), early],
        book="auto",
        platform="taobao",
    )

    assert {line["event_id"] for line in entries_of(tmp_path / "run")} == {"there"}
    assert {(row["reason"]) for row in rejects_of(tmp_path / "run")} == {"no_book"}
    assert len(rejects_of(tmp_path / "run")) == 2


def test_events_before_the_first_version_are_a_what_if_and_counted(tmp_path: Path) -> None:
    """A book named by id judges earlier events by its first version, and run.json says how many."""
    run = score_events(tmp_path, [delivered("e1")], book="gbt-46862-reference")

    assert run.document["counts"]["what_if"] == 1
    assert len(entries_of(tmp_path / "run")) == 1


def test_versions_of_a_folder_judge_from_their_local_day(tmp_path: Path) -> None:
    """A version is in force from `day_starts` of its day on; an event a minute earlier is judged by the one before."""
    text = shelf.to_toml(shelf.versions(BOOK)[0])
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "2025-12-03.toml").write_text(text, encoding="utf-8")
    harder = text.replace("effective_from = 2025-12-03", "effective_from = 2025-12-11").replace(
        "points = -1\n", "points = -1.5\n"
    )
    (folder / "2025-12-11.toml").write_text(harder, encoding="utf-8")
    starts_min = (
        dt.datetime(2025, 12, 11, 4, tzinfo=dt.UTC) - dt.datetime(2025, 12, 10, 12, tzinfo=dt.UTC)
    ).total_seconds() / 60

    score_events(
        tmp_path,
        [delivered("old", at_min=starts_min - 1, late_min=3), delivered("new", at_min=starts_min, late_min=3)],
        book=str(folder),
    )

    assert nets(tmp_path / "run") == {("r1", "old"): (-1_000, 0), ("r1", "new"): (-1_500, 0)}


def test_no_rows_give_no_ledger(tmp_path: Path) -> None:
    """A file of a header alone is nothing to score."""
    with pytest.raises(NothingReadError):
        score_events(tmp_path, [])

    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """An output folder with other people's files is refused before anything is written."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(InputError):
        score_events(tmp_path, two_days())

    assert contents(out) == {"thesis.txt": b"mine"}


def test_an_unknown_book_writes_nothing(tmp_path: Path) -> None:
    """A book that is not there stops the run, and the output folder is not made."""
    with pytest.raises(BookError, match="taobao-crowdsourced"):
        score_events(tmp_path, two_days(), book="taobao-crowdsource")

    assert not (tmp_path / "run").exists()


def test_an_unreadable_file_leaves_the_last_result(tmp_path: Path) -> None:
    """When a run fails, what an earlier one wrote stays as it was."""
    score_events(tmp_path, two_days())
    before = contents(tmp_path / "run")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 not at all")

    with pytest.raises(InputError):
        score_files([tmp_path / "run.csv", broken], BOOK, tmp_path / "run")

    assert contents(tmp_path / "run") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.parquet", "run", "run.csv"]


def test_other_events_of_the_order_bear_on_it(tmp_path: Path) -> None:
    """An extension and a report that come as events of their own excuse the order they name."""
    extended = delivered("x", late_min=6)
    reported = slow_merchant("y", wait_min=1, at_min=90, late_min=9)
    events = [
        extended,
        event("deadline_extended", "x2", at_min=-5, order_id=extended["order_id"], cause="weather", extend_s=360),
        reported,
        event("merchant_slow", "y2", at_min=80, order_id=reported["order_id"]),
    ]

    score_events(tmp_path, events)

    parties = {line["event_id"]: line["liable_party"] for line in entries_of(tmp_path / "run") if line["late_s"]}
    assert parties == {"x": "force_majeure", "y": "merchant"}
    assert nets(tmp_path / "run") == {("r1", "x"): (200, 0), ("r1", "y"): (200, 0)}
