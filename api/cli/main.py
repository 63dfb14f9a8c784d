"""The `riderscore` command: a table of command groups, each loaded when it is called."""

import click

from api.cli.failures import Commands
from api.cli.lazy_group import LazyCommand

# The help of a command stands beside it, too, in full (tested): to read it there takes its imports.
COMMANDS = {
    "demo": LazyCommand(
        "api.cli.demo:demo",
        "Score a seeded sample city under a service score and under the old fine, and open the console on it.",
    ),
    "init": LazyCommand(
        "api.cli.init:init",
        "Make a folder to begin with: a rule book, a deployment table, a sample day, and a README that uses them.",
    ),
    "books": LazyCommand("api.cli.books:books", "List, show, check, compare and export rule books."),
    "score": LazyCommand(
        "api.cli.score:score_command", "Score EVENTS under a rule book into an exact, explained ledger."
    ),
    "verify": LazyCommand(
        "api.cli.verify:verify",
        "Recompute every invariant of the ledger in DIR from its files, or of the ledger in a database.",
    ),
    "explain": LazyCommand("api.cli.explain:explain_command", "Explain a rider's score from the ledger in DIR."),
    "compare": LazyCommand(
        "api.cli.compare:compare",
        "Score the same EVENTS under two books: points, fines, bonuses, income, who gains and who loses.",
    ),
    "dispatch": LazyCommand(
        "api.cli.dispatch:dispatch", "Give a day's orders to riders, online, and write who carried what."
    ),
    "simulate": LazyCommand(
        "api.cli.simulate:simulate", "What changes for riders, customers and the platform when book B replaces book A."
    ),
    "bench": LazyCommand("api.cli.bench:bench", "Data to measure with."),
    "serve": LazyCommand("api.cli.serve:serve", "Serve the API, the riders' page and the console."),
    "deploy": LazyCommand(
        "api.cli.deploy:deploy", "Which rule book is in force in which city, for which riders, since when."
    ),
    "db": LazyCommand("api.cli.db:db", "Tables of the service's database: SQLite by default, PostgreSQL by URL."),
    "doctor": LazyCommand(
        "api.cli.doctor:doctor", "Say whether the service's clock is believed; exits with 3 if it is not."
    ),
    "token": LazyCommand("api.cli.token:token", "API keys: each is shown once, when it is made."),
    "schema": LazyCommand(
        "api.cli.schema:schema",
        "Print the JSON Schema of an event, a rule book, a ledger entry, or where a rider stands.",
    ),
}


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"riderscore, version {version('riderscore')}")
        ctx.exit()


@click.command(
    cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
def main() -> None:
    """Service scores for delivery riders: liability before deduction, every point explained.

    Events go in, rule books are read, ledger entries come out; nothing else changes a score.
    """
