"""`riderscore demo`: a sample city, scored, told to a person, and opened in the console with one-click roles."""

import datetime as dt
import json
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.tree import Tree

from api.cli.console import lang_option, out_console, print_message
from api.cli.option_types import OUTPUT_PATH, SEED, WholeNumber
from api.cli.progress import shown_progress
from api.cli.tables import aligned, money, plain_table
from api.clock import now_us
from api.files.atomic import check_output, write_json
from api.files.parquet_files import Origin, write_parquet
from api.runs.ledger_files import read_ledger
from api.runs.rider_inputs import reread_inputs
from api.runs.run import ScoredFiles, score_files
from rules.book import Tier
from rules.calendar import calendar
from rules.compiled import only_machine_code
from rules.text import LANGS, Lang, text
from rules.units import US_PER_S, points_text
from scoring.because import Because, EntryLine, because, lines_of
from scoring.comparison import Comparison, books_in_use, compare
from scoring.explain import Branch, card, card_lines, effects, titled, tree
from scoring.invariants import Ledger
from simulations.counter_random import CounterRandom
from simulations.sample_city import events_only, generate
from simulations.sample_orders import draw_rain
from simulations.sample_parameters import SampleCity

# The demo's city stands in the deployment table, so `auto` finds the book of each kind of rider.
SCORE_BOOK, FINE_BOOK = "auto", "legacy-fine"
MARKER, EVENTS, DATABASE = "demo.json", "events.parquet", "riderscore.db"
# The demo's own city of the deployment table.
CITY = "sample"
HOST = "127.0.0.1"
DEFAULT_SEED = 1
BAR_WIDTH = 16
PARTLY_S = 180
ADDED_FROM_US = 3_600 * US_PER_S


@dataclass(frozen=True, slots=True)
class DemoCity:
    """The sample city on disk, scored under both books."""

    folder: Path
    city: SampleCity
    num_events: int
    num_rain_days: int
    score: ScoredFiles
    fine: ScoredFiles
    comparison: Comparison

    @property
    def ledger_folder(self) -> Path:
        """The ledger under the service score."""
        return self.folder / "ledger"


@click.command()
@click.option("--no-serve", is_flag=True, help="Print and end, without the console in the browser.")
@click.option("--port", type=WholeNumber(0, 65_535), default=8000, show_default=True, help="Port of the console.")
@click.option(
    "--dir",
    "folder",
    type=OUTPUT_PATH,
    default=Path("demo-data"),
    show_default=True,
    help="Where the city, its ledgers and its database are; what is there of an earlier demo is kept and opened.",
)
@click.option("--fresh", is_flag=True, help="Throw an earlier demo in --dir away and begin a new one.")
@click.option("--riders", type=WholeNumber(1, 20_000), default=200, show_default=True, help="Riders of the city.")
@click.option("--days", type=WholeNumber(1, 366), default=14, show_default=True, help="Days up to now, today included.")
@click.option("--seed", type=SEED, default=DEFAULT_SEED, show_default=True, help="Another seed is another city.")
@lang_option
def demo(no_serve: bool, port: int, folder: Path, fresh: bool, riders: int, days: int, seed: int, lang: Lang) -> None:
    """Score a seeded sample city under a service score and under the old fine, and open the console on it.

    Writes events.parquet, two ledgers and the service's database below --dir. Stopped and started again, the service
    goes on where it was, and what the city has seen since is added.
    """
    from api.cli.serve import listening

    # A port that is taken is told before anything is done.
    sock = None if no_serve else listening(HOST, port, lang)
    described, is_kept = find_or_begin(folder, riders, days, seed, fresh=fresh)
    sample = make_sample(folder, described, lang)
    database = make_database(folder, described, lang)
    if is_kept:
        print_message(lang, "demo.kept", folder=folder, day=described.city.first_day.isoformat())
    console = out_console()
    # A terminal wraps between words; what is piped keeps its lines whole.
    console.soft_wrap = not console.is_terminal
    with aligned(console):
        show(console, sample, lang)
    if sock is not None:
        serve_demo(database, sock, lang)


@dataclass(frozen=True, slots=True)
class DemoDescription:
    """Which city a demo shows: what `demo.json` says.

    Parameters
    ----------
    since_us
        Up to when its data went at the last start; the same as `until_us` where nothing has to be added.
    until_us
        Up to when they go now.
    """

    city: SampleCity
    seed: int
    since_us: int
    until_us: int

    def write(self, folder: Path) -> None:
        """Keep it in the demo's folder."""
        city = self.city
        described = {"version": version("riderscore"), "seed": self.seed, "riders": city.num_riders}
        days = {"days": city.num_days, "first_day": city.first_day.isoformat(), "until_us": self.until_us}
        write_json(folder / MARKER, described | days)


def find_or_begin(folder: Path, riders: int, days: int, seed: int, *, fresh: bool) -> tuple[DemoDescription, bool]:
    """The demo that a folder holds, or a new one there; says whether it was found.

    The city's data go up to now; those of a demo that was found are added to when they are an hour old.

    Raises
    ------
    InputError
        If the folder holds something else.
    """
    marker = folder / MARKER
    until_us = now_us()
    today = dt.datetime.fromtimestamp(until_us // US_PER_S, ZoneInfo(SampleCity().time_zone)).date()
    if marker.is_file() and not fresh:
        try:
            document = json.loads(marker.read_text(encoding="utf-8"))
            first = dt.date.fromisoformat(document["first_day"])
            city = SampleCity(name=CITY, num_riders=document["riders"], num_days=document["days"], first_day=first)
            # Version 0.1.0 ended with whole days.
            of_city = calendar(city.time_zone, dt.time())
            since_us = document.get("until_us", of_city.start_of(first + dt.timedelta(days=document["days"])))
            if until_us - since_us < ADDED_FROM_US:
                return DemoDescription(city, document["seed"], since_us, since_us), True
            city = replace(city, num_days=(today - first).days + 1)
            return DemoDescription(city, document["seed"], since_us, until_us), True
        except (ValueError, KeyError, TypeError):
            # What an earlier version left is made anew.
            pass
    check_output(folder, marker=MARKER)
    if marker.is_file():
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    city = SampleCity(name=CITY, num_riders=riders, num_days=days, first_day=today - dt.timedelta(days=days - 1))
    described = DemoDescription(city, seed, until_us, until_us)
    described.write(folder)
    return described, False


def make_sample(folder: Path, described: DemoDescription, lang: Lang) -> DemoCity:
    """Generate the city, write its events, score them under both books."""
    city, seed = described.city, described.seed
    # The service that follows needs it all the same.
    only_machine_code()
    with shown_progress(lang, text(lang, "demo.stage_city"), 3) as shown:
        events = folder / EVENTS
        if not events.exists() or described.since_us < described.until_us:
            table = events_only(generate(city, seed))
            until = table.filter(pc.less_equal(table["occurred_us"], described.until_us))
            write_parquet(events, until, Origin("demo"))
        shown.update(1, stage=text(lang, "demo.stage_score"))
        scored = score_files([events], SCORE_BOOK, folder / "ledger", replace=True)
        shown.update(2, stage=text(lang, "demo.stage_fine"))
        fined = score_files([events], FINE_BOOK, folder / "ledger-fine", replace=True)
    rain = int((draw_rain(city, CounterRandom(seed)) > 0).sum())
    return DemoCity(
        folder, city, scored.scored.prepared.table.num_rows, rain, scored, fined, compare(fined.scored, scored.scored)
    )


def make_database(folder: Path, described: DemoDescription, lang: Lang) -> Path:
    """The service's database with the city in it; one that is there is kept, and what happened since is added."""
    from api.cli.demo_store import catch_up, make_store

    database = folder / DATABASE
    is_new = not database.exists()
    if is_new or described.since_us < described.until_us:
        with shown_progress(lang, text(lang, "demo.stage_store")) as shown:
            table = pq.read_table(folder / EVENTS)

            if is_new:
                make_store(database, table, described.until_us, shown.update)
            else:
                catch_up(database, table, described.since_us, described.until_us, shown.update)
        described.write(folder)
    return database


def serve_demo(database: Path, sock: socket.socket, lang: Lang) -> None:
    """The console with one-click roles, until Ctrl-C."""
    from api.cli.serve import prepare, run
    from api.settings import Settings

    url = f"sqlite:///{database}"
    prepare(url, lang, is_for_demo=True)
    settings = replace(Settings.from_environment(), database_url=url, demo=True, log_level="warning")
    click.echo()
    click.echo(text(lang, "demo.console", database=database))
    try:
        run(settings, sock, lang)
    except KeyboardInterrupt:
        # Ctrl-C is how a demo ends; what is stored is stored.
        return


def show(console: Console, sample: DemoCity, lang: Lang) -> None:
    """Everything the demo tells."""
    ledger = read_ledger(sample.ledger_folder)
    _title(console, text(lang, "demo.title"))
    comparison, city = sample.comparison, sample.city
    console.print(
        text(
            lang,
            "demo.city",
            num_riders=comparison.riders.num_rows,
            num_days=city.num_days,
            first_day=city.first_day.isoformat(),
            num_rain_days=sample.num_rain_days,
            num_delivered=f"{comparison.num_delivered:,}",
            num_late=f"{_both(comparison, 'num_late') + _both(comparison, 'num_exempt'):,}",
            num_exempt=f"{_both(comparison, 'num_exempt'):,}",
        )
    )
    _show_tiers(console, sample, lang)
    _show_cards(console, sample, ledger, lang)
    why = _show_deduction(console, sample, ledger, lang)
    _show_fine(console, sample, why, lang)
    _heading(console, text(lang, "demo.next"))
    rider = why.line.rider_id if why is not None else ledger.riders.column("rider_id")[0].as_py()
    for key in ("explain", "verify", "compare"):
        console.print("  " + text(lang, f"demo.next_{key}", folder=sample.folder, rider=rider), soft_wrap=True)


def _both(comparison: Comparison, name: str) -> int:
    """The sum of an amount under the service score."""
    return comparison.totals[name][1]


def _heading(console: Console, words: str) -> None:
    console.print()
    _title(console, words)


def _title(console: Console, words: str) -> None:
    if console.is_terminal:
        console.rule(f"[bold]{escape(words)}[/bold]", align="left", style="dim")
    else:
        console.print(f"== {words}", markup=False)


def _show_tiers(console: Console, sample: DemoCity, lang: Lang) -> None:
    """How many riders stand in each tier, and what the tier does."""
    _heading(console, text(lang, "demo.tiers"))
    riders = sample.comparison.riders
    tiers = _tiers(sample)
    num = riders.num_rows
    table = plain_table(
        text(lang, "demo.tier"), text(lang, "demo.tier_score"), text(lang, "demo.tier_riders"), "", left=2
    )
    table.add_column(text(lang, "demo.tier_effects"), overflow="fold")
    table.columns[3].justify = "left"
    for tier in reversed(tiers):
        num_in_tier = pc.sum(pc.equal(riders.column("tier_b"), tier.id)).as_py() or 0
        bar = "█" * max(round(BAR_WIDTH * num_in_tier / num), 1 if num_in_tier else 0)
        table.add_row(titled(lang, tier.title), _threshold(tier, lang), str(num_in_tier), bar, effects(tier, lang))
    console.print(table)


def _tiers(sample: DemoCity) -> Sequence[Tier]:
    """Tiers of the first book in use under the service score, lowest first."""
    program = sample.score.scored.program
    return books_in_use(sample.comparison.riders, program, "book_digest_b")[0].model.tier


def _threshold(tier: Tier, lang: Lang) -> str:
    if tier.above_mp is not None:
        return text(lang, "demo.tier_above", points=points_text(tier.above_mp))
    if tier.from_mp is not None:
        return text(lang, "demo.tier_from", points=points_text(tier.from_mp))
    return text(lang, "demo.tier_lowest")


def _show_cards(console: Console, sample: DemoCity, ledger: Ledger, lang: Lang) -> None:
    """Three riders who stand differently."""
    _heading(console, text(lang, "demo.cards"))
    rows = {row["rider_id"]: row for row in ledger.riders.to_pylist()}
    for rider in three_riders(ledger.riders, [tier.id for tier in _tiers(sample)]):
        lines_of_rider = _lines(ledger, rider)
        events = reread_inputs(ledger.run, ledger.books, rider)
        moved = [line for line in lines_of_rider if line.delta_mp or line.money_fen]
        last = because(moved[-1], lines_of_rider, ledger.books, events.known) if moved else None
        lines = card_lines(card(rows[rider], dict(ledger.books), last), lang)
        if console.is_terminal:
            console.print(Panel(escape("\n".join(lines[1:])), title=escape(lines[0]), title_align="left"))
        else:
            console.print(lines[0], markup=False)
            for line in lines[1:]:
                console.print(f"  {line}", markup=False)


def three_riders(riders: pa.Table, tiers: Sequence[str]) -> tuple[str, ...]:
    """Ids of three riders worth a card (of fewer, if there are): the lowest score, the nearest to a next tier, the most often exempt.

    Parameters
    ----------
    riders
        The riders table of a ledger.
    tiers
        Tier ids, lowest first. The second rider is looked for outside the first one's tier, the third among the rest, first of all in the last tier.
    """
    rows = sorted(riders.to_pylist(), key=lambda row: row["rider_id"])
    lowest = min(rows, key=lambda row: row["score_mp"])
    others = [row for row in rows if row["tier"] != lowest["tier"]] or rows
    climbing = [row for row in others if row["on_time_orders_to_next_tier"] is not None]
    near = min(climbing or others, key=lambda row: (row["on_time_orders_to_next_tier"] or 0, row["score_mp"]))
    left = [row for row in rows if row is not lowest and row is not near] or rows
    top = [row for row in left if row["tier"] == tiers[-1]] or left
    spared = max(top, key=lambda row: row["num_exempt"])
    return tuple(dict.fromkeys(row["rider_id"] for row in (lowest, near, spared)))


def _lines(ledger: Ledger, rider: str) -> tuple[EntryLine, ...]:
    is_of_rider = pc.equal(ledger.entries.column("rider_id").cast(pa.string()), rider)
    return lines_of(ledger.entries.filter(is_of_rider))


def _show_deduction(console: Console, sample: DemoCity, ledger: Ledger, lang: Lang) -> Because | None:
    """One deduction, where part of the lateness was not the rider's, in both languages."""
    _heading(console, text(lang, "demo.deduction"))
    chosen = telling_deduction(ledger.entries)
    if chosen is None:
        console.print(text(lang, "demo.no_deduction"))
        return None
    rider, entry_id = chosen
    lines_of_rider = _lines(ledger, rider)
    line = next(line for line in lines_of_rider if line.entry_id == entry_id)
    why = because(line, lines_of_rider, ledger.books, reread_inputs(ledger.run, ledger.books, rider).known)
    for other in LANGS:
        reasons = tree(why, other)
        if console.is_terminal:
            console.print(_branches(reasons))
        else:
            console.print("\n".join(_indented(reasons)), markup=False)
        if other != LANGS[-1]:
            console.print()
    return why


def telling_deduction(entries: pa.Table) -> tuple[str, str] | None:
    """(rider id, entry id) of a deduction that explains much.

    The first where minutes were given back and minutes remained; without such, the first for lateness, if any.
    """
    late, given_back = (entries.column(name).to_numpy() for name in ("late_s", "time_given_back_s"))
    deducts = pc.equal(entries.column("kind").cast(pa.string()), "deduct").to_numpy()
    rows = np.flatnonzero(deducts & (late > 0) & (entries.column("delta_mp").to_numpy() < 0))
    if not rows.size:
        return None
    partly = (given_back[rows] >= PARTLY_S) & (late[rows] - given_back[rows] >= PARTLY_S)
    at = int(rows[np.argmax(partly)])
    return entries.column("rider_id")[at].as_py(), entries.column("entry_id")[at].as_py()


def _branches(branch: Branch, parent: Tree | None = None) -> Tree:
    node = Tree(escape(branch.text)) if parent is None else parent.add(escape(branch.text))
    for child in branch.children:
        _branches(child, node)
    return node


def _indented(branch: Branch, depth: int = 0) -> Iterator[str]:
    """A tree as plain lines, each whole."""
    yield "  " * depth + branch.text
    for child in branch.children:
        yield from _indented(child, depth + 1)


def _show_fine(console: Console, sample: DemoCity, why: Because | None, lang: Lang) -> None:
    """What the old fine would have taken from the same deliveries."""
    _heading(console, text(lang, "demo.fine"))
    comparison = sample.comparison
    fines, _ = comparison.totals["fines_fen"]
    innocent, _ = comparison.totals["fines_not_liable_fen"]
    fined = comparison.riders.column("fines_fen_a").to_numpy()
    worst = int(fined.max(initial=0))
    console.print(
        text(
            lang,
            "demo.fine_sum",
            fines=money(fines),
            num_fined=int((fined > 0).sum()),
            num_riders=fined.size,
            worst=money(worst),
        )
    )
    console.print(text(lang, "demo.fine_not_liable", money=money(innocent)))
    if why is not None:
        console.print(text(lang, "demo.fine_order", order=why.order_id or "", money=money(_fine_of(sample, why))))
    a, b, _ = comparison.income
    table = plain_table(
        text(lang, "demo.per_rider"), text(lang, "demo.under_fine"), text(lang, "demo.under_score"), left=1
    )
    for name in ("mean", "p10", "p90"):
        table.add_row(text(lang, f"compare.{name}"), money(getattr(a, name)), money(getattr(b, name)))
    console.print()
    console.print(table)
    console.print(text(lang, "demo.fine_note"))


def _fine_of(sample: DemoCity, why: Because) -> int:
    """What the fine took for the event that a deduction is about."""
    fined = read_ledger(sample.folder / "ledger-fine", rider=why.line.rider_id).entries
    entries = fined.filter(pc.equal(fined.column("event_id"), why.line.event_id))
    return -int(pc.sum(entries.column("money_fen")).as_py() or 0)
