"""`riderscore bench`: data to measure with."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from api.cli.console import json_option, lang_option, print_json
from api.cli.option_types import OUTPUT_PATH, SEED, WholeNumber
from api.cli.progress import shown_progress
from rules.text import Lang, text

if TYPE_CHECKING:
    from simulations.national import NationalDay

MARKER: Final = "bench.json"
DEPLOYMENT: Final = "deployment.toml"
MOST_RIDERS, MOST_EVENTS = 90_000_000, 9_000_000_000


@click.group("bench")
def bench() -> None:
    """Data to measure with."""


@bench.command("generate")
@click.option("--riders", type=WholeNumber(1, MOST_RIDERS), default=70_000, show_default=True, help="Riders in all.")
@click.option("--events", type=WholeNumber(1, MOST_EVENTS), default=1_000_000, show_default=True, help="Rows in all.")
@click.option("--cities", type=WholeNumber(1, 9_999), default=300, show_default=True, help="Cities in all.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Another seed is another day.")
@click.option("--out", required=True, type=OUTPUT_PATH, help="Folder of Parquet files to write.")
@lang_option
@json_option
def generate(riders: int, events: int, cities: int, seed: int, out: Path, lang: Lang, as_json: bool) -> None:
    """A seeded national day as time-ordered Parquet files.

    Nine rows in ten are deliveries, one of them in ten is late, about a quarter share the bag; some rows come in late.
    Several books are in force: `riderscore score OUT --book OUT/deployment.toml` scores each city by its own.
    The same options give the same bytes, however many cores make them.
    """
    from importlib.metadata import version

    from api.files.atomic import atomic_folder, write_json
    from api.runs.engines import engine
    from simulations.national import NationalDay, deployment_of

    day = NationalDay(riders, events, cities, seed)
    described = {"version": version("riderscore")} | {
        name: str(value) if name == "first_day" else value for name, value in dataclasses.asdict(day).items()
    }
    stage = text(lang, "cli.stage_generate")
    with atomic_folder(out, marker=MARKER) as folder, shown_progress(lang, stage, day.num_windows) as shown:
        with engine("local") as run_tasks:
            for _ in run_tasks(partial(write_window, day, folder), range(day.num_windows)):
                shown.advance()
        (folder / DEPLOYMENT).write_text(deployment_of(day), encoding="utf-8", newline="\n")
        write_json(folder / MARKER, described)
    if as_json:
        print_json(described | {"files": day.num_windows})
    else:
        click.echo(text(lang, "cli.generated", events=events, riders=riders, files=day.num_windows, out=out))


def write_window(day: "NationalDay", folder: Path, window: int) -> None:
    """One file of the day."""
    from api.files.parquet_files import Origin, write_parquet
    from simulations.national import window_table

    write_parquet(folder / f"{window:05d}.parquet", window_table(day, window), Origin("bench generate"))
