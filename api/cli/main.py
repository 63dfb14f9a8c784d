"""The `riderscore` command: a table of command groups, each loaded when it is called."""

from importlib.metadata import version

import click

from api.cli.failures import Commands

COMMANDS = {
    "demo": "api.cli.demo:demo",
    "books": "api.cli.books:books",
    "score": "api.cli.score:score_command",
    "verify": "api.cli.verify:verify",
    "explain": "api.cli.explain:explain_command",
    "compare": "api.cli.compare:compare",
    "dispatch": "api.cli.dispatch:dispatch",
    "simulate": "api.cli.simulate:simulate",
    "bench": "api.cli.bench:bench",
    "serve": "api.cli.serve:serve",
    "deploy": "api.cli.deploy:deploy",
    "db": "api.cli.db:db",
    "doctor": "api.cli.doctor:doctor",
    "token": "api.cli.token:token",
    "schema": "api.cli.schema:schema",
}


@click.command(
    cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(version("riderscore"), prog_name="riderscore")
def main() -> None:
    """Service scores for delivery riders: liability before deduction, every point explained.

    Events go in, rule books are read, ledger entries come out; nothing else changes a score.
    """
