"""How every command speaks: data on stdout, progress and messages on stderr, exit codes, language.

Exit codes: 0 done, 1 the run failed, 2 wrong usage or unusable input, 3 differences or faults found, 130 interrupted.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from api.cli.click_words import default_lang
from rules.ids import NO_PLATFORM, PLATFORM_PATTERN
from rules.text import LANGS, Lang, text

if TYPE_CHECKING:
    from rich.console import Console

    from api.runs.outcome import RejectReason
    from rules.errors import Fault

OK, FAILED, USAGE, DIFFERENCES = 0, 1, 2, 3
INTERRUPTED = 130
# Under this name a command keeps its language for whoever ends it.
LANG_KEY = "riderscore.lang"
# Columns of a table that is piped: wide enough that nothing wraps.
PIPED_WIDTH = 160
F = TypeVar("F", bound=Callable[..., Any])


def lang_option(command: F) -> F:
    """Add `--lang zh|en`."""
    return click.option(
        "--lang",
        type=click.Choice(LANGS),
        default=default_lang,
        callback=_remember_lang,
        is_eager=True,
        help="Language of what people read (default: LANG).",
    )(command)


def _remember_lang(ctx: click.Context, _param: click.Parameter, value: Lang) -> Lang:
    """The language, also for the module that ends the command (`api.cli.failures`)."""
    ctx.meta[LANG_KEY] = value
    return value


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text.")(command)


def platform_option(says: str) -> Callable[[F], F]:
    """Add `--platform`, which the environment may name too."""
    return click.option(
        "--platform",
        envvar="RIDERSCORE_PLATFORM",
        default=NO_PLATFORM,
        show_default=True,
        show_envvar=True,
        callback=parse_platform,
        help=says,
    )


def parse_platform(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A platform's name, as the service takes it."""
    if not re.fullmatch(PLATFORM_PATTERN, value):
        raise click.BadParameter(usage_text(ctx, "platform", given=value))
    return value


def usage_text(ctx: click.Context | None, key: str, **params: object) -> str:
    """What is wrong with the value of an option, in the language of the command that is being parsed."""
    lang: Lang = default_lang() if ctx is None else ctx.find_root().meta.get(LANG_KEY) or default_lang()
    return text(lang, f"usage.{key}", **params)


def out_console() -> "Console":
    """Where results go; plain and wide when it is no terminal."""
    from rich.console import Console

    return Console(file=sys.stdout, soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_message(lang: Lang, key: str, **params: object) -> None:
    """One message on stderr."""
    click.echo(text(lang, key, **params), err=True)


def show_faults(faults: Iterable["Fault"], lang: Lang) -> None:
    """All faults on stderr, a line each."""
    for fault in faults:
        click.echo(fault.describe(lang), err=True)


def show_reasons(reasons: Iterable["RejectReason"], lang: Lang) -> None:
    """Rows left out by reason on stderr, each with the place and words of its first."""
    for item in reasons:
        place, message = item.example, item.example["message"][lang]
        print_message(
            lang,
            "cli.reason",
            number=item.number,
            reason=item.reason,
            file=place["file"],
            row=place["row"],
            message=message,
        )
