"""`riderscore dispatch`: a whole day of orders given to riders online, or a folder of days measured against others."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.console import (
    FAILED,
    USAGE,
    json_option,
    lang_option,
    out_console,
    print_json,
    print_message,
)
from api.cli.failures import end_on
from api.cli.option_types import INT64_MAX, OUTPUT_PATH, SECONDS, WholeNumber
from api.cli.progress import shown_progress
from rules.text import Lang, text

if TYPE_CHECKING:
    from dispatch.benchmark import Played

POLICIES = ("rolling", "nearest")
TIME_ZONE = "Asia/Shanghai"


@click.command()
@click.argument("instance_dir", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=OUTPUT_PATH, help="Folder to write; its earlier result is replaced.")
@click.option("--bench", type=click.Path(path_type=Path), help="Play every instance of this folder and print a table.")
@click.option("--policy", type=click.Choice(POLICIES), default="rolling", show_default=True)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A weight or setting; may be repeated.")
@click.option(
    "--seed",
    type=WholeNumber(0, INT64_MAX),
    default=0,
    show_default=True,
    help="Luck of the search; one seed, one result.",
)
@click.option(
    "--time-limit",
    type=SECONDS,
    help="Seconds after which rounds search no further; the result is then not repeatable.",
)
@click.option("--replace", is_flag=True, help="Replace what --out holds even if another command has written it.")
@lang_option
@json_option
def dispatch(
    instance_dir: Path | None,
    out: Path | None,
    bench: Path | None,
    policy: str,
    assignments: tuple[str, ...],
    seed: int,
    time_limit: float | None,
    replace: bool,
    lang: Lang,
    as_json: bool,
) -> None:
    """Give a day's orders to riders, online, and write who carried what.

    INSTANCE_DIR holds a Grubhub (MDRP) instance: orders.txt, restaurants.txt, couriers.txt, instance_parameters.txt. DIR
    receives the three solution files, deliveries.parquet for `score`, explanations.ndjson and run.json.
    """
    if (instance_dir is None) == (bench is None) or (instance_dir is None) != (out is None):
        raise click.UsageError(text(lang, "usage.dispatch_what"))
    player = _player(policy, assignments, seed, time_limit, lang)
    if bench is not None:
        _bench(bench, player, lang, as_json=as_json)
    elif instance_dir is not None and out is not None:
        _one(instance_dir, out, player, time_limit, lang, replace=replace, as_json=as_json)


def _player(
    policy: str, assignments: tuple[str, ...], seed: int, time_limit: float | None, lang: Lang
) -> "Callable[[Path], Played]":
    from dispatch.benchmark import SearchSettingError, benchmark_plan, play_instance

    try:
        plan = benchmark_plan(policy, dict(_split(assignment) for assignment in assignments), seed)
    except SearchSettingError as error:
        end_on(error, lang, [text(lang, error.key, given=error.given, detail=error.detail)])

    def play_folder(folder: Path) -> "Played":
        if time_limit is None:
            return play_instance(folder, plan)
        ends = time.monotonic() + time_limit
        return play_instance(folder, plan, lambda: time.monotonic() > ends)

    return play_folder


def _split(assignment: str) -> tuple[str, str]:
    key, _, value = assignment.partition("=")
    return key.strip(), value.strip()


def _one(
    folder: Path,
    out: Path,
    player: "Callable[[Path], Played]",
    time_limit: float | None,
    lang: Lang,
    *,
    replace: bool,
    as_json: bool,
) -> None:
    from api.files.atomic import check_run_paths
    from api.runs.outcome import read_earlier_run

    check_run_paths([folder], out)
    if not replace:
        read_earlier_run(out, "dispatch")
    played, seconds = _timed(player, folder, lang)
    document = _write(folder, out, played, time_limit)
    metrics = document["metrics"]
    print_message(
        lang,
        "dispatch.done",
        given=document["instance"],
        delivered=metrics["delivered"],
        orders=metrics["orders"],
        minutes=f"{metrics['click_to_door_mean']:.2f}",
        seconds=f"{seconds:.2f}",
    )
    if as_json:
        print_json(document)
    else:
        table = out_console()
        for name, value in metrics.items():
            table.print(f"{name:32} {value:g}")
    _stop_if_broken(played, lang)


def _timed(player: "Callable[[Path], Played]", folder: Path, lang: Lang) -> "tuple[Played, float]":
    from dispatch.mdrp import InstanceError

    started = time.perf_counter()
    try:
        return player(folder), time.perf_counter() - started
    except InstanceError as error:
        end_on(error, lang, [f"{folder.name}/{fault.describe(lang)}" for fault in error.faults])


def _stop_if_broken(played: "Played", lang: Lang) -> None:
    if played.violations:
        first = played.violations[0]
        words = f"{first.rule} {first.subject} {first.found}"
        print_message(
            lang, "dispatch.violations", given=played.instance.name, detail=len(played.violations), first=words
        )
        sys.exit(FAILED)


def _write(folder: Path, out: Path, played: "Played", time_limit: float | None) -> dict[str, Any]:
    """Write the result folder, all at once; return run.json's content."""
    from importlib.metadata import version

    from api.files.atomic import atomic_folder, write_json, write_ndjson
    from api.files.mdrp import read_mdrp_day
    from api.files.parquet_files import SCHEMA_VERSION, Origin, write_parquet
    from dispatch.benchmark import run_document
    from dispatch.mdrp import solution_texts

    document = run_document(played) | {"time_limit_s": time_limit, "version": version("riderscore")}
    document["schema_version"] = SCHEMA_VERSION
    with atomic_folder(out) as target:
        for name, content in solution_texts(played.solution).items():
            (target / name).write_text(content, encoding="utf-8", newline="\n")
        deliveries = _events(read_mdrp_day((folder, target), TIME_ZONE).table)
        write_parquet(target / "deliveries.parquet", deliveries, Origin("dispatch", time_zone=TIME_ZONE))
        write_ndjson(target / "explanations.ndjson", played.explanations)
        write_json(target / "run.json", document)
    return document


def _events(table: Any) -> Any:
    """Return the native event columns without those that say where a row was read."""
    from scoring.columns import EVENT_SCHEMA

    return table.select([name for name in EVENT_SCHEMA.names if name in table.column_names])


def _bench(folder: Path, player: "Callable[[Path], Played]", lang: Lang, *, as_json: bool) -> None:
    """Play every instance, print the table; exit 1 if a solution breaks a rule."""
    from dispatch.reference import compare_rows, mean_rows, read_reference

    root = folder / "instances" if (folder / "instances").is_dir() else folder
    names = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if not names:
        print_message(lang, "dispatch.no_instances", given=folder)
        sys.exit(USAGE)
    reference_file = root.parent / "reference.csv"
    if not reference_file.is_file():
        print_message(lang, "dispatch.no_reference", given=root.parent)
    reference = read_reference(reference_file)
    rows, broken = [], 0
    with shown_progress(lang, text(lang, "dispatch.playing", given=names[0]), len(names)) as progress:
        for name in names:
            progress.update(stage=text(lang, "dispatch.playing", given=name))
            played, seconds = _timed(player, root / name, lang)
            rows.append(compare_rows(played, seconds, reference))
            if played.violations:
                broken += 1
                first = played.violations[0]
                print_message(lang, "dispatch.violations", given=name, detail=len(played.violations), first=str(first))
            progress.advance()
    summary = mean_rows(rows, reference, names)
    if as_json:
        print_json({"instances": rows, "means": summary})
    else:
        shown = [{name: value for name, value in row.items() if name not in reference} for row in rows]
        _print_table("instances", shown)
        _print_table("mean over instances", summary)
    sys.exit(FAILED if broken else 0)


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title=title)
    for name in rows[0]:
        is_text = isinstance(rows[0][name], str)
        header = name.replace("_", " ")
        table.add_column(header, justify="left" if is_text else "right", no_wrap=is_text)
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else _cell(value) for value in row.values()))
    out_console().print(table)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else json.dumps(value)
