"""`riderscore demo`: what it writes, what a person reads, and what it refuses to overwrite."""

import datetime as dt
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from api.books.drafts import drafts_page
from api.cli.demo import telling_deduction, three_riders
from api.cli.main import main
from api.db.store import Store
from api.db.tables import events
from api.decisions.appeal_records import APPEALS
from api.files.readers import read_events
from api.riders.sample_riders import example_riders
from api.studies.jobs import studies_of
from rules.calendar import instant_us
from rules.units import US_PER_DAY, US_PER_S

pytestmark = pytest.mark.slow

SMALL = ("--riders", "12", "--days", "5", "--seed", "3")


def _demo(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["demo", "--no-serve", "--dir", str(folder), *SMALL, *arguments])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A small city, shown once in English."""
    folder = tmp_path_factory.mktemp("demo") / "demo-data"
    return folder, _demo(folder, "--lang", "en")


def test_it_shows_tiers_cards_a_deduction_and_the_fine(shown: tuple[Path, Result]) -> None:
    """The five parts stand in order, and the deduction is told in both languages."""
    _, result = shown

    places = [
        result.stdout.index(words)
        for words in (
            "A sample city", "Where the riders stand", "Three riders' cards", "One deduction, explained",
            "What the old fine would have taken", "Go on",
        )
    ]  # fmt: skip

    assert result.exit_code == 0, result.output
    assert places == sorted(places)
    assert "不是您的责任" in result.stdout or "扣" in result.stdout
    assert result.stdout.count("\nRider r") == 3


def test_piped_output_is_plain(shown: tuple[Path, Result]) -> None:
    """No colours, no frames, no spaces at the ends of lines."""
    _, result = shown

    assert "\x1b" not in result.stdout
    assert not set("╭╰│├└") & set(result.stdout)
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_it_writes_events_and_ledgers_that_other_commands_read(shown: tuple[Path, Result]) -> None:
    """The events are a native file without a bad row, and both ledgers pass `verify`."""
    folder, _ = shown

    events = read_events([folder / "events.parquet"], "native")
    verified = [CliRunner().invoke(main, ["verify", str(folder / name)]) for name in ("ledger", "ledger-fine")]

    assert events.rejects == []
    assert events.warnings == []
    assert [result.exit_code for result in verified] == [0, 0], [result.output for result in verified]


def test_the_commands_it_recommends_run(shown: tuple[Path, Result]) -> None:
    """Each line under the last heading is a command that ends well."""
    _, result = shown
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("  riderscore ")]

    codes = [CliRunner().invoke(main, line[1:]).exit_code for line in lines]

    assert len(codes) == 3
    assert codes == [0, 0, 0]


def test_the_same_seed_tells_the_same_story(
    shown: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run elsewhere at the same moment, the text differs in nothing but the folder, and the events not at all."""
    folder, result = shown
    until_us = json.loads((folder / "demo.json").read_text())["until_us"]
    monkeypatch.setattr("api.cli.demo.now_us", lambda: until_us)

    again = _demo(tmp_path / "again", "--lang", "en")

    assert again.stdout.replace(str(tmp_path / "again"), str(folder)) == result.stdout
    assert (tmp_path / "again" / "events.parquet").read_bytes() == (folder / "events.parquet").read_bytes()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A folder with other things in it is refused, and keeps them."""
    (tmp_path / "thesis.txt").write_text("mine")

    result = _demo(tmp_path)

    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_earlier_demo_is_kept(shown: tuple[Path, Result]) -> None:
    """Run again, even with another seed, the city, its text and its database are those of the first time."""
    folder, result = shown
    before = (folder / "riderscore.db").read_bytes()

    again = _demo(folder, "--lang", "en", "--seed", "9")

    assert again.stdout == result.stdout
    assert "--fresh" in again.stderr
    assert (folder / "riderscore.db").read_bytes() == before


def test_fresh_begins_a_new_one(tmp_path: Path) -> None:
    """With --fresh the old demo is thrown away: another seed is another city."""
    folder = tmp_path / "demo"
    first = _demo(folder)

    second = _demo(folder, "--fresh", "--seed", "4")

    assert second.exit_code == 0, second.output
    assert second.stdout != first.stdout
    assert json.loads((folder / "demo.json").read_text())["seed"] == 4


def newest_us(folder: Path) -> tuple[int, int]:
    """When the newest delivery was, in the file and in the database."""
    in_file = max(
        pq.read_table(folder / "events.parquet", filters=[("kind", "=", "delivered")])["occurred_us"].to_pylist()
    )
    store = Store(f"sqlite:///{folder / 'riderscore.db'}")
    with store.reading() as unit:
        delivered = select(func.max(events.c.occurred_us)).where(events.c.kind == "delivered")
        in_store = unit.connection.execute(delivered).scalar_one()
    store.close()
    return in_file, in_store


def test_the_city_goes_up_to_now_and_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data end at the moment it is made; started two days later, what happened since is added, once."""
    folder = tmp_path / "demo"
    noon_us = instant_us(dt.datetime(2026, 3, 3, 12, 40, tzinfo=ZoneInfo("Asia/Shanghai")))
    found = []
    for at_us in (noon_us, noon_us + 600 * US_PER_S, noon_us + 2 * US_PER_DAY, noon_us + 2 * US_PER_DAY):
        monkeypatch.setattr("api.cli.demo.now_us", lambda at_us=at_us: at_us)
        assert _demo(folder).exit_code == 0
        found.append(newest_us(folder))

    assert all(in_file == in_store for in_file, in_store in found)
    assert 0 <= noon_us - found[0][0] < 3_600 * US_PER_S
    assert found[1] == found[0]
    assert 0 <= noon_us + 2 * US_PER_DAY - found[2][0] < 3_600 * US_PER_S
    assert found[3] == found[2]
    verified = [CliRunner().invoke(main, ["verify", str(folder / "ledger")])]
    verified.append(CliRunner().invoke(main, ["verify", "--database", f"sqlite:///{folder / 'riderscore.db'}"]))
    assert [result.exit_code for result in verified] == [0, 0], [result.output for result in verified]


def test_the_database_holds_a_service_at_work(shown: tuple[Path, Result]) -> None:
    """Every kind of draft there is, an impact, appeals to answer, and a ledger whose chains hold."""
    folder, _ = shown
    store = Store(f"sqlite:///{folder / 'riderscore.db'}")
    with store.reading() as unit:
        states = Counter(draft.state for draft in drafts_page(unit, Everywhere()).items)
        impacts = [study.state for study in studies_of(unit).items]
        num_appeals = len(APPEALS.page(unit, "open").items)
        riders = example_riders(unit)
    store.close()

    assert states == {"in_force": 1, "scheduled": 1, "open": 1, "submitted": 1}
    assert impacts == ["done"]
    assert num_appeals > 0
    assert len(riders) == 3


def test_it_serves_until_it_is_stopped_and_goes_on(shown: tuple[Path, Result]) -> None:
    """The console's address is printed, answers with one-click roles, ends well on Ctrl-C, and comes back."""
    folder, _ = shown

    for _ in range(2):
        with serving(folder) as (process, url):
            page = urllib.request.urlopen(f"{url}/login", timeout=20).read().decode()
            process.send_signal(signal.SIGINT)
            code = process.wait(30)

        assert "li.na" in page
        assert "wang.wei" in page
        assert code == 0


def test_a_port_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    """Nothing is written where the console could not be opened."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["demo", "--dir", str(tmp_path / "demo"), "--port", port, "--lang", "en"])

    assert result.exit_code == 1
    assert not (tmp_path / "demo").exists()


@dataclass(frozen=True)
class Everywhere:
    """Somebody who may look everywhere."""

    subject: str = "nobody"
    name: str = "nobody"
    cities: tuple[str, ...] = ()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that serves on a free port, and its address."""
    command = [sys.executable, "-c", "from api.cli.main import main; main()"]
    arguments = ["demo", "--dir", str(folder), "--port", "0", "--lang", "en", *SMALL]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = next(found[0] for line in process.stdout if (found := re.findall(r"http://[\d.]+:\d+", line)))
        yield process, url
    finally:
        process.kill()
        process.communicate()


def test_it_speaks_chinese(tmp_path: Path) -> None:
    """`--lang zh` tells everything in Chinese."""
    result = _demo(tmp_path / "demo", "--lang", "zh")

    assert "三名骑手的卡片" in result.stdout
    assert "旧罚款会拿走多少" in result.stdout


def test_three_riders_stand_differently() -> None:
    """The lowest, the nearest to a next tier outside that tier, and the one most often exempt in the top tier."""
    riders = pa.table(
        {
            "rider_id": ["a", "b", "c", "d", "e"],
            "score_mp": [50_000, 72_000, 74_000, 80_000, 90_000],
            "tier": ["low", "normal", "normal", "reward", "reward"],
            "on_time_orders_to_next_tier": [50, 16, 6, None, None],
            "num_exempt": [9, 0, 0, 1, 4],
        }
    )

    assert three_riders(riders, ["low", "normal", "reward"]) == ("a", "c", "e")


def test_fewer_riders_or_tiers_give_fewer_cards() -> None:
    """A single rider has one card."""
    riders = pa.table(
        {
            "rider_id": ["a"],
            "score_mp": [70_000],
            "tier": ["all"],
            "on_time_orders_to_next_tier": pa.array([None], pa.int64()),
            "num_exempt": [0],
        }
    )

    assert three_riders(riders, ["all"]) == ("a",)


def test_the_telling_deduction_shares_the_blame() -> None:
    """Of several deductions the first is told where minutes were given back and minutes remained."""
    entries = pa.table(
        {
            "rider_id": ["a", "b", "c"],
            "entry_id": ["1", "2", "3"],
            "kind": ["deduct", "deduct", "award"],
            "late_s": [300, 900, 900],
            "time_given_back_s": [0, 400, 400],
            "delta_mp": [-1_000, -2_000, 200],
        }
    )

    assert telling_deduction(entries) == ("b", "2")
    assert telling_deduction(entries.slice(0, 1)) == ("a", "1")
    assert telling_deduction(entries.slice(2, 1)) is None
