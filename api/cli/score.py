"""`riderscore score`: event files into a ledger directory."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from api.cli.console import (
    json_option,
    lang_option,
    platform_option,
    print_json,
    progress_bar,
    say,
    show_faults,
)
from api.cli.numbers import JOBS_MAX
from api.cli.places import OUT
from api.cli.reading_options import reading_options
from api.cli.results import max_rejects_option, replace_option, tell_rejects
from api.files.readers import FORMATS, Format
from api.files.reading_options import Reading
from api.runs.engines import ENGINES, EngineName
from rules.calendar import instant_us, read_moment
from rules.text import Lang, text


def parse_as_of(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An ISO-8601 instant with an offset as µs UTC."""
    if value is None:
        return None
    try:
        moment = read_moment(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(f"{value!r}: ISO-8601 with an offset, such as 2025-12-17T04:00:00+08:00")
    return instant_us(moment)


@click.command("score")
@click.argument("events", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--book", "reference", required=True, help="Book id, ID@DATE, TOML file (a book, or a deployment table), or `auto`."
)
@click.option("--out", required=True, type=OUT, help="Ledger directory to write.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="native", show_default=True)
@click.option("--state", type=OUT, help="Carried state: read if there, replaced at the end.")
@click.option("--as-of", "as_of_us", callback=parse_as_of, help="Write fades and resets up to this instant.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Where it runs; an mdrp instance always runs here.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    help="Tasks side by side above 4 M rows (default: all cores), each of up to about 1 GB; results do not depend on it.",
)
@click.option("--ray-address", envvar="RAY_ADDRESS", help="Of a Ray cluster (default: a Ray of this machine).")
@platform_option("Whose events these are; run.json names it, and a deployment table is read for it.")
@reading_options
@max_rejects_option
@replace_option
@click.option("--profile", is_flag=True, help="Print the seconds spent by stage, on stderr.")
@lang_option
@json_option
def score_command(
    events: tuple[Path, ...],
    reference: str,
    out: Path,
    format_: Format,
    state: Path | None,
    as_of_us: int | None,
    engine: EngineName,
    jobs: int | None,
    ray_address: str | None,
    platform: str,
    max_rejects: Decimal,
    replace: bool,
    profile: bool,
    reading: Reading,
    lang: Lang,
    as_json: bool,
) -> None:
    """Score EVENTS under a rule book into an exact, explained ledger.

    EVENTS are CSV, NDJSON or Parquet files, or folders of them; with --format mdrp an INSTANCE_DIR and a SOLUTION_DIR.
    Bad rows go to rejects.ndjson and the run goes on; exit code 3 where they are more than --max-rejects, 2 where they are
    all.
    """
    from api.runs.bucketed_run import LakeRun, is_lake, score_lake
    from api.runs.run import Run, score_files

    with progress_bar() as bar:
        task = bar.add_task(text(lang, "cli.stage_read"), total=None)

        def tell(stage: str, done: int, total: int) -> None:
            bar.update(task, description=text(lang, f"cli.stage_{stage}"), completed=done, total=total)

        run: Run | LakeRun
        if (engine == "ray" and format_ != "mdrp") or is_lake(events, format_, state):
            run = score_lake(
                events, reference, out, format=format_, state=state, as_of_us=as_of_us, progress=tell,
                engine_name=engine, num_workers=jobs, address=ray_address, platform=platform, reading=reading,
                replace=replace,
            )  # fmt: skip
        else:
            run = score_files(
                events, reference, out, format=format_, state=state, as_of_us=as_of_us, platform=platform,
                reading=reading, replace=replace, progress=tell,
            )  # fmt: skip
    show_faults(run.warnings, lang)
    counts = run.document["counts"]
    if as_json:
        print_json(run.document)
    else:
        click.echo(text(lang, "cli.scored", out=out, **counts))
    if profile:
        show_seconds(run.document["seconds"], lang)
    if counts["what_if"]:
        say(lang, "cli.what_if", what_if=counts["what_if"])
    _tell_unknown(counts, lang)
    tell_rejects(run.document, out, max_rejects, lang)


def _tell_unknown(counts: dict[str, int], lang: Lang) -> None:
    """How many deliveries nobody can assess the kitchen of, and what the book made of them."""
    if counts["unknown_kitchen"]:
        late, exempt = counts["unknown_kitchen_late"], counts["unknown_kitchen_exempt"]
        words = {"unknown": counts["unknown_kitchen"], "late": late, "assessed": late - exempt, "exempt": exempt}
        say(lang, "cli.unknown_kitchen", **words)


def show_seconds(seconds: dict[str, Any], lang: Lang) -> None:
    """Seconds by stage: of the run, and added up over its workers."""
    for stage, spent in seconds.items():
        if isinstance(spent, dict):
            say(lang, "cli.profile_workers")
            show_seconds(spent, lang)
        else:
            say(lang, "cli.profile_stage", stage=stage, seconds=f"{spent:.1f}")
