"""A ledger scored from files, loaded: the store goes on as if every event had been posted to it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from api.books import in_force
from api.cli.main import main
from api.db import schema
from api.db.rider_rows import lock_riders
from api.db.store import Store
from api.db.tables import events as events_table
from api.db.tables import reviews, rider_state
from api.files.readers import read_events
from api.ledger.chain import CHAINED, canonical_bytes, canonical_texts, links
from api.ledger.loading import LedgerPart, load_block
from api.ledger.posting import post_events
from api.ledger.verify import verify_store
from api.runs.bucketed_run import score_bucketed
from api.runs.loadable import books_of_state, loadable_parts
from api.runs.run import score_files
from scoring.ledger_columns import ENTRY_SCHEMA
from tests.api.db.databases import create_tables
from tests.api.ledger.posts import (
    FADING,
    START_US,
    later,
    lines_of,
    net_of,
    newest_us,
    post,
    publish,
    rider_week,
    same_ledger,
    scores_of,
    settle,
)
from tests.api.ledgers import score_events, write_events
from tests.api.runs.two_versions import of_february, versions_of
from tests.builders import DAY_US, delivered
from tests.fixtures.v0_1_0.kept import Kept

pytestmark = pytest.mark.slow

Events = Sequence[dict[str, Any]]
# Between the first and the second day, when nobody has an order in hand.
CUT_US = START_US + 16 * DAY_US // 24


def city(num_riders: int = 6, days: int = 3) -> list[dict[str, Any]]:
    """Riders' days in order of time, reports, a correction and an appeal of the day before among them."""
    rows = [row for k in range(num_riders) for row in rider_week(f"r{k}", days=days, shift_min=7 * k)]
    return sorted(later(rows), key=lambda row: (row["occurred_us"], row["event_id"]))


def scored(folder: Path, events: Events, name: str = "ledger", *, buckets: bool = False) -> tuple[Path, Path]:
    """Events scored from a file; the ledger and the state, which an earlier run may have left."""
    path = write_events(folder / f"{name}.parquet", events)
    out, state = folder / name, folder / "state"
    if buckets:
        score_bucketed([path], FADING, out, state=state, bucket_rows=len(events) // 3, num_workers=1)
    else:
        score_files([path], FADING, out, state=state)
    return out, state


def load(url: str, ledger: Path, state: Path) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(
        main, ["db", "load", str(ledger), "--state", str(state), "--database-url", url, "--json", "--lang", "en"]
    )


def counts(result: Result) -> tuple[int, int]:
    """Riders loaded and riders there."""
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    return said["riders"], said["riders_there"]


def contents(store: Store) -> dict[str, list[Any]]:
    """All that a load writes, but when it was recorded."""
    with store.reading() as unit:
        return {
            table.name: [
                {name: value for name, value in row.items() if (table.name, name) != ("events", "recorded_us")}
                for row in unit.connection.execute(select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in (events_table, rider_state)
        } | {"entries": lines_of(store)}


def holds(store: Store) -> bool:
    """Whether every chain and every invariant does."""
    with store.reading() as unit:
        return verify_store(unit).holds


@pytest.mark.parametrize("buckets", [False, True])
def test_posting_goes_on_from_what_was_loaded(store: Store, url: str, tmp_path: Path, buckets: bool) -> None:
    """The first day from files, the rest posted, late words on the first day among it: the ledger of one batch."""
    events = city()
    ledger, state = scored(tmp_path, [row for row in events if row["occurred_us"] < CUT_US], buckets=buckets)

    assert counts(load(url, ledger, state)) == (6, 0)
    rest = [row for row in events if row["occurred_us"] >= CUT_US]
    answers = [one for at in range(0, len(rest), 9) for one in post(store, rest[at : at + 9], FADING)]
    settle(store, newest_us(events), FADING)

    assert {answer.status for answer in answers} == {"scored"}
    same_ledger(store, events, newest_us(events), FADING)
    assert holds(store)


def test_a_late_event_bears_on_what_was_loaded(store: Store, url: str, tmp_path: Path) -> None:
    """What comes after the load and was before it reverses and re-enters lines that were loaded."""
    events = [row for row in city() if "ref_event_id" not in row]
    late = next(row for row in events if row["event_id"] == "r2-0d")
    ledger, state = scored(tmp_path, [row for row in events if row is not late])
    load(url, ledger, state)

    (answer,) = post(store, [late], FADING, newest_us(events))
    settle(store, newest_us(events), FADING)

    assert answer.status == "scored"
    assert {"reverse", "reenter"} <= {line["kind"] for line in lines_of(store)}
    same_ledger(store, events, newest_us(events), FADING)


def test_what_was_posted_is_what_was_loaded(store: Store, url: str, tmp_path: Path) -> None:
    """Lines, nets, riders and reviews are those of a store that got the same events by post; a repeat is known."""
    events = city()
    ledger, state = scored(tmp_path, events)
    posted = Store(f"sqlite:///{tmp_path / 'posted.db'}")
    create_tables(posted)
    publish(posted, FADING)
    # Both doors read rows by the same parser.
    table = read_events([tmp_path / "ledger.parquet"], "native", time_zone="Asia/Shanghai").table

    load(url, ledger, state)
    answers = []
    for one in (posted, store):
        with one.writing(newest_us(events)) as writing:
            answers.append(
                {answer.status for answer in post_events(writing, in_force.rules_in_force(writing, FADING), table)}
            )

    assert answers == [{"scored"}, {"repeated"}]
    assert net_of(lines_of(store)) == net_of(lines_of(posted))
    assert scores_of(lines_of(store)) == scores_of(lines_of(posted))
    with store.reading() as unit, posted.reading() as other:
        found = [
            [
                one.connection.execute(select(table.c[name]).order_by(table.c.rider_id)).scalars().all()
                for table, name in (
                    (reviews, "rider_id"), (rider_state, "book_digest"), (rider_state, "city"),
                    (rider_state, "review_required"), (rider_state, "due_us"), (rider_state, "rider_kind"),
                )
            ]
            for one in (unit, other)
        ]  # fmt: skip
    posted.close()
    assert found[0] == found[1]


def test_an_order_that_was_loaded_is_delivered_once(store: Store, url: str, tmp_path: Path) -> None:
    """A delivery posted after the load, of an order that the ledger delivered, is refused and names the loaded one."""
    events = city(num_riders=1)
    ledger, state = scored(tmp_path, events)
    load(url, ledger, state)
    first = next(row for row in events if row["kind"] == "delivered")
    before = lines_of(store)

    (answer,) = post(store, [first | {"event_id": "again"}], FADING, newest_us(events))

    assert (answer.status, answer.reason, answer.stands) == ("rejected", "duplicate_order", first["event_id"])
    assert lines_of(store) == before
    assert holds(store)


@pytest.mark.parametrize("buckets", [False, True])
def test_twice_is_once(store: Store, url: str, tmp_path: Path, buckets: bool) -> None:
    """The second time every rider is there and nothing is written; nor when the store has gone on meanwhile."""
    events = city()
    first = [row for row in events if row["occurred_us"] < CUT_US]
    ledger, state = scored(tmp_path, first, buckets=buckets)
    load(url, ledger, state)
    before = contents(store)

    again = counts(load(url, ledger, state))

    assert again == (0, 6)
    assert contents(store) == before
    post(store, [row for row in events if row["occurred_us"] >= CUT_US], FADING)
    gone_on = contents(store)
    assert counts(load(url, ledger, state)) == (0, 6)
    assert contents(store) == gone_on


def test_a_load_that_was_killed_goes_on(store: Store, url: str, tmp_path: Path) -> None:
    """Some blocks are in, the rest is not: the next load writes the rest, and all is as in one go."""
    ledger, state = scored(tmp_path, city())
    with store.writing(START_US) as unit:
        in_force.publish(unit, books_of_state(state))
    for given in loadable_parts(ledger, state):
        part = LedgerPart(given)
        for first, stop in list(part.blocks(2))[:2]:
            with store.writing(START_US) as unit:
                load_block(unit, part, first, stop)

    rest = counts(load(url, ledger, state))

    assert rest == (2, 4)
    whole = Store(f"sqlite:///{tmp_path / 'whole.db'}")
    create_tables(whole)
    load(whole.url, ledger, state)
    assert contents(store) == contents(whole)
    whole.close()


def test_blocks_side_by_side_are_those_one_after_the_other(
    store: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rider a transaction, several at once: the same rows; a rider who cannot be loaded stops it, and the rest can go on."""
    ledger, state = scored(tmp_path, city(num_riders=12))
    whole = Store(f"sqlite:///{tmp_path / 'whole.db'}")
    create_tables(whole)
    load(whole.url, ledger, state)
    each = LedgerPart.blocks
    monkeypatch.setattr(LedgerPart, "blocks", lambda part: each(part, 1))
    with store.writing(START_US) as unit:
        before = lock_riders(unit, ["r5"])["r5"]
        unit.connection.execute(rider_state.update().where(rider_state.c.rider_id == before.rider_id).values(seq=4))

    stopped = load(url, ledger, state)
    with store.writing(START_US) as unit:
        unit.connection.execute(rider_state.delete().where(rider_state.c.rider_id == "r5"))
    rest = counts(load(url, ledger, state))

    assert stopped.exit_code == 2
    assert "r5" in stopped.stderr
    assert sum(rest) == 12
    assert rest[1] > 0
    assert contents(store) == contents(whole)
    whole.close()


def test_a_ledger_of_several_books_is_loaded(store: Store, url: str, tmp_path: Path) -> None:
    """Scored by a deployment table: every rider stays with the book of their city, and files and store agree."""
    rows = [row | {"city": "hangzhou" if row["rider_id"] < "r3" else "beijing"} for row in city()]
    row = '[[deploy]]\ncity = "{}"\nrider_kind = "crowdsourced"\nbook = "{}"\nfrom = 2026-01-01\n'
    table = tmp_path / "deployment.toml"
    table.write_text(row.format("hangzhou", "taobao-crowdsourced") + row.format("beijing", "gbt-46862-reference"))
    path = write_events(tmp_path / "events.parquet", rows)
    score_files([path], str(table), tmp_path / "ledger", state=tmp_path / "state")

    loaded = counts(load(url, tmp_path / "ledger", tmp_path / "state"))

    digests = {row["city"]: row["book_digest"] for row in contents(store)["rider_state"]}
    assert loaded == (6, 0)
    assert len(set(digests.values())) == 2
    assert verify(tmp_path / "ledger", url).exit_code == 0


@pytest.mark.parametrize("buckets", [False, True])
def test_day_by_day_is_loaded_day_by_day(store: Store, url: str, tmp_path: Path, buckets: bool) -> None:
    """The second day adds its lines and events, and replaces the riders' rows; then posting goes on."""
    events = city(days=4)
    bounds = [0, CUT_US, CUT_US + DAY_US, CUT_US + 2 * DAY_US]
    for day in range(3):
        own = [row for row in events if bounds[day] <= row["occurred_us"] < bounds[day + 1]]
        ledger, state = scored(tmp_path, own, f"day{day}", buckets=buckets)
        assert counts(load(url, ledger, state)) == (6, 0)

    post(store, [row for row in events if row["occurred_us"] >= bounds[-1]], FADING, newest_us(events))
    settle(store, newest_us(events), FADING)

    same_ledger(store, events, newest_us(events), FADING)
    assert holds(store)


def test_a_day_whose_past_is_not_there_is_refused(store: Store, url: str, tmp_path: Path) -> None:
    """The second day alone: every rider is named with the remedy, and nothing is written."""
    events = city()
    scored(tmp_path, [row for row in events if row["occurred_us"] < CUT_US], "day1")
    ledger, state = scored(tmp_path, [row for row in events if row["occurred_us"] >= CUT_US], "day2")

    refused = load(url, ledger, state)

    assert refused.exit_code == 2
    assert "load the ledgers of the days before first" in refused.stderr
    assert lines_of(store) == []


def test_riders_whom_no_path_can_name_are_refused(store: Store, url: str, tmp_path: Path) -> None:
    """A ledger of files takes any id; the service could never show such a rider."""
    ledger, state = scored(tmp_path, later(rider_week("hz/7", days=1)))

    refused = load(url, ledger, state)

    assert refused.exit_code == 2
    assert "rider hz/7 has an id that no address of the service can hold" in refused.stderr
    assert lines_of(store) == []


def test_another_ledger_is_refused(store: Store, url: str, tmp_path: Path) -> None:
    """A rider who is there with other lines: exit 2, named; the store stays as it was."""
    events = city()
    ledger, state = scored(tmp_path, events)
    load(url, ledger, state)
    before = contents(store)
    (tmp_path / "other").mkdir()
    changed = [row | ({"fee_fen": 999} if row["event_id"] == "r3-0b" else {}) for row in events]
    changed = [row for row in changed if row["event_id"] != "r3-1b"]
    other = scored(tmp_path / "other", changed)

    refused = load(url, *other)

    assert refused.exit_code == 2
    assert "r3" in refused.stderr
    assert "another ledger" in refused.stderr
    assert contents(store) == before


def test_a_store_that_went_on_by_itself_takes_no_next_day(store: Store, url: str, tmp_path: Path) -> None:
    """Posted after the first day was loaded: the second day's ledger does not know of it."""
    events = city()
    ledger, state = scored(tmp_path, [row for row in events if row["occurred_us"] < CUT_US], "day1")
    load(url, ledger, state)
    rest = [row for row in events if row["occurred_us"] >= CUT_US]
    post(store, rest[:3], FADING)
    ledger, state = scored(tmp_path, rest, "day2")
    before = contents(store)

    assert load(url, ledger, state).exit_code == 2
    assert contents(store) == before


def test_ledger_and_state_must_be_of_one_run(store: Store, url: str, tmp_path: Path) -> None:
    """Another day's state, no state at all, and a database without tables: exit 2 with what to do."""
    events = city()
    first, state = scored(tmp_path, [row for row in events if row["occurred_us"] < CUT_US], "day1")
    scored(tmp_path, [row for row in events if row["occurred_us"] >= CUT_US], "day2")

    refused = load(url, first, state)
    missing = load(url, first, tmp_path / "nothing")
    empty = load(f"sqlite:///{tmp_path / 'empty.db'}", first, state)

    assert (refused.exit_code, missing.exit_code, empty.exit_code) == (2, 2, 2)
    assert "one and the same run" in refused.stderr
    assert "db upgrade" in empty.stderr
    assert lines_of(store) == []


def by_0_1_0(state: Path) -> None:
    """Make a state what version 0.1.0 would have left: its header says nothing of readings."""
    header = json.loads((state / "state.json").read_text(encoding="utf-8"))
    del header["old_until_us"]
    (state / "state.json").write_text(json.dumps(header | {"format": 2}), encoding="utf-8")


def rules_in_force(store: Store) -> list[str]:
    """The stamp of the law, with the instant of the old readings, and the books that are stored."""
    with store.reading() as unit:
        return [in_force.rules_stamp(unit), *sorted(book.digest for book in in_force.stored_program(unit).books)]


def two_ledgers(folder: Path) -> list[tuple[Path, Path]]:
    """Ledgers of riders of their own, each with its state; the second is of another book."""
    found = []
    for name, book in (("one", FADING), ("two", "gbt-46862-reference")):
        (folder / name).mkdir()
        events = [row | {"rider_id": f"{name}-{row['rider_id']}"} for row in city(2)]
        path = write_events(folder / name / "events.parquet", events)
        score_files([path], book, folder / name / "ledger", state=folder / name / "state")
        found.append((folder / name / "ledger", folder / name / "state"))
    return found


@pytest.mark.case
@pytest.mark.parametrize("old", [0, 1])
def test_ledgers_of_other_readings_are_not_mixed(store: Store, url: str, tmp_path: Path, old: int) -> None:
    """One of 0.1.0 where riders of today are, or the other way round: refused in both languages, and nothing moves."""
    ledgers = two_ledgers(tmp_path)
    by_0_1_0(ledgers[old][1])
    load(url, *ledgers[0])
    before, law = contents(store), rules_in_force(store)

    refused = load(url, *ledgers[1])
    in_zh = ["db", "load", str(ledgers[1][0]), "--state", str(ledgers[1][1]), "--database-url", url, "--lang", "zh"]

    assert refused.exit_code == 2
    assert "load it into a new database" in refused.stderr
    assert "请载入到新的数据库" in CliRunner().invoke(main, in_zh).stderr
    assert (contents(store), rules_in_force(store)) == (before, law)
    assert holds(store)


@pytest.mark.case
def test_a_ledger_of_today_is_not_mixed_into_an_upgraded_database(v0_1_0: Kept, tmp_path: Path) -> None:
    """What 0.1.0 scored is read on as it was scored; a ledger of today needs a database of its own."""
    upgraded = Store(v0_1_0.url)
    schema.upgrade(upgraded)
    before, law = contents(upgraded), rules_in_force(upgraded)

    refused = load(v0_1_0.url, *two_ledgers(tmp_path)[1])

    assert refused.exit_code == 2
    assert "load it into a new database" in refused.stderr
    assert (contents(upgraded), rules_in_force(upgraded)) == (before, law)
    upgraded.close()


@pytest.mark.case
def test_days_of_version_010_are_loaded_day_by_day(store: Store, url: str, tmp_path: Path) -> None:
    """Each day that 0.1.0 scored moves the instant on, as nobody was scored by today's readings; then posting goes on."""
    events = city()
    for day, (low, high) in enumerate([(0, CUT_US), (CUT_US, CUT_US + DAY_US)]):
        ledger, state = scored(tmp_path, [row for row in events if low <= row["occurred_us"] < high], f"day{day}")
        by_0_1_0(state)
        assert counts(load(url, ledger, state)) == (6, 0)
        assert counts(load(url, ledger, state)) == (0, 6)

    post(store, [row for row in events if row["occurred_us"] >= CUT_US + DAY_US], FADING, newest_us(events))

    assert holds(store)


@pytest.mark.case
def test_a_database_without_riders_takes_either(store: Store, url: str, tmp_path: Path) -> None:
    """A load of 0.1.0 that failed leaves no readings behind for what is loaded next."""
    events = city()
    scored(tmp_path, [row for row in events if row["occurred_us"] < CUT_US], "day1")
    ledger, state = scored(tmp_path, [row for row in events if row["occurred_us"] >= CUT_US], "day2")
    by_0_1_0(state)
    ledgers = two_ledgers(tmp_path)

    assert load(url, ledger, state).exit_code == 2
    assert counts(load(url, *ledgers[0])) == (2, 0)
    with store.reading() as unit:
        assert in_force.old_readings_until(unit) is None


def verify(ledger: Path, url: str) -> Result:
    """The outcome of comparing files with a store."""
    return CliRunner().invoke(main, ["verify", str(ledger), "--database", url, "--json", "--lang", "en"])


@pytest.mark.parametrize("buckets", [False, True])
def test_files_and_store_say_the_same(store: Store, url: str, tmp_path: Path, buckets: bool) -> None:
    """Each day's ledger beside a store that has gone on since: 0."""
    events = city()
    days = [[row for row in events if (row["occurred_us"] < CUT_US) == first] for first in (True, False)]
    ledgers = []
    for day, own in enumerate(days):
        ledger, state = scored(tmp_path, own, f"day{day}", buckets=buckets)
        load(url, ledger, state)
        ledgers.append(ledger)

    found = [verify(ledger, url) for ledger in ledgers]

    assert [one.exit_code for one in found] == [0, 0], found[0].output
    assert [json.loads(one.stdout)["riders"] for one in found] == [6, 6]


def test_where_files_and_store_differ_is_said(store: Store, url: str, tmp_path: Path) -> None:
    """A line that reads otherwise and lines that are not there: 3, the first of them named by rider, number, column."""
    events = city()
    ledger, state = scored(tmp_path, events)
    load(url, ledger, state)
    (tmp_path / "other").mkdir()
    more = later([delivered("x1", rider_id="r9"), delivered("r2-9z", at_min=3_300, rider_id="r2", late_min=4)])
    changed = [
        row | ({"delivered_us": row["delivered_us"] + 60 * 1_000_000} if row["event_id"] == "r4-0b" else {})
        for row in events
    ]
    other, _ = scored(tmp_path / "other", [*changed, *more])

    differs = verify(other, url)

    (check,) = json.loads(differs.stdout)["checks"]
    places = {(one["rider"], one["what"]) for one in check["violations"]}
    assert differs.exit_code == 3
    assert {("r9", "entry_id"), ("r2", "entry_id"), ("r4", "late_s")} <= places


def test_the_chain_by_columns_is_the_chain() -> None:
    """Of any words: quotes, lines, Chinese, nothing."""
    words = ["plain", 'a "quoted" one', "back\\slash", "two\nlines\t", "\x01\x7f", "订单 9", "", "a,b"]
    rows = [
        {
            field.name: None if field.name in ("cause_event_id", "of_us") and k % 2 else word if "string" in str(field.type) else k - 3
            for field in ENTRY_SCHEMA
        }
        for k, word in enumerate(words)
    ]  # fmt: skip

    texts = canonical_texts(pa.Table.from_pylist(rows, schema=ENTRY_SCHEMA))

    assert set(CHAINED) == set(ENTRY_SCHEMA.names)
    assert texts == [canonical_bytes(row) for row in rows]
    assert len(set(links(bytes(32), texts))) == len(words)


@pytest.mark.case
def test_a_rider_whom_010_left_below_a_narrower_floor_comes_inside(store: Store, url: str, tmp_path: Path) -> None:
    """By one `clamp` line right after what that version wrote, with or without an order; no award is swallowed, and all verifies."""
    book = versions_of(tmp_path, score={"base": 12, "floor": 10, "ceiling": 20})
    late = [of_february(-20, f"{rider}1", rider_id=rider, late_min=10) for rider in ("dora", "emil")]
    state = tmp_path / "state"
    score_events(tmp_path, late, "one", book=book, state=state)
    by_0_1_0(state)
    assert counts(load(url, tmp_path / "one", state)) == (2, 0)
    until_us = of_february(1, "e1")["occurred_us"]
    with store.writing(until_us) as unit:
        # As that version would have gone on past the change of versions.
        in_force.note_old_readings(unit, until_us)
        unit.connection.execute(update(rider_state).values(until_us=until_us, due_us=until_us + 1))
        before = {row.rider_id: row.score_mp for row in lock_riders(unit, ["dora", "emil"]).values()}

    orders = [of_february(2, "d2", rider_id="dora"), of_february(3, "d3", rider_id="dora")]
    for row in orders:
        assert [answer.status for answer in post(store, [row], "book")] == ["scored"]

    lines = [
        (line["event_id"], line["kind"], line["delta_mp"]) for line in lines_of(store) if line["rider_id"] == "dora"
    ]
    assert before == {"dora": 8_500, "emil": 8_500}
    assert lines[1:] == [("reset:2026-02-01", "clamp", 1_500), ("d2", "award", 100), ("d3", "award", 100)]
    assert settle(store, newest_us(orders), "book") == 1
    assert scores_of(lines_of(store)) == {"dora": 10_200, "emil": 10_000}
    with store.reading() as unit:
        assert [found for found in verify_store(unit).found if not found.holds] == []
