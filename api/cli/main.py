"""The `riderscore` command: a table of command groups, each loaded when it is called."""

from importlib import import_module
from importlib.metadata import version

import click

COMMANDS = {
    "demo": "api.cli.demo:demo",
    "books": "api.cli.books:books",
    "score": "api.cli.score:score_command",
    "verify": "api.cli.verify:verify",
    "explain": "api.cli.explain:explain_command",
    "compare": "api.cli.compare:compare",
    "dispatch": "api.cli.dispatch:dispatch",
    "schema": "api.cli.schema:schema",
}


class LazyGroup(click.Group):
    """Commands by name; a command's module is imported when it is used, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]} is not a command")
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("riderscore"), prog_name="riderscore")
def main() -> None:
    """Service scores for delivery riders: liability before deduction, every point explained.

    Events go in, rule books are read, ledger entries come out; nothing else changes a score.
    """
