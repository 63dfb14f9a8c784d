"""What ends a command: the one place where an error becomes words on stderr and an exit code."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

import click

from api.cli.click_words import click_speaks, default_lang, lang_of
from api.cli.console import (
    DIFFERENCES,
    FAILED,
    INTERRUPTED,
    LANG_KEY,
    USAGE,
    print_message,
    show_faults,
    show_reasons,
)
from api.cli.lazy_group import LazyGroup
from rules.text import Lang

# Setting words by the name of what failed, where the error brings none.
_WORDS: Final = {
    "MemoryError": "cli.out_of_memory",
    "WorkersLostError": "cli.worker_lost",
    "StudyStopped": "study.interrupted",
}


class Commands(LazyGroup):
    """The group of all commands: an error of one of the families below ends a command, any other is a fault of ours."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        """Read the command line and run what it asks for, in the language that it asks for."""
        with click_speaks(lang_of(sys.argv[1:] if args is None else args)):
            return super().main(args, *others, **options)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; where compiled code is kept is settled before."""
        if not {"-h", "--help"} & set(args):
            prepare_compiling(lang_of(args))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            # click shows these; to ask for the families below costs their imports.
            raise
        except KeyboardInterrupt:
            end_on_interrupt(ctx.meta.get(LANG_KEY) or default_lang())
        except families() as error:
            end_on(error, ctx.meta.get(LANG_KEY) or default_lang())


def prepare_compiling(lang: Lang) -> None:
    """Settle where compiled code is kept, and say what is compiled: it takes long, and no progress shows."""
    from api.compiled_cache import choose_cache
    from rules.compiled import tell_what_is_compiled

    choose_cache(lambda key, folder: print_message(lang, key, folder=folder))
    tell_what_is_compiled(lambda name: print_message(lang, "cli.compiling", name=name))


def families() -> tuple[type[BaseException], ...]:
    """The families of errors that are no faults of the program; imported when something has failed."""
    from api.child_process import WorkError
    from api.db.store import DatabaseError
    from api.files.errors import InputError
    from api.refusals import Refused
    from api.runs.outcome import RunError
    from api.settings import SettingError
    from dispatch.errors import DispatchError
    from rules.errors import RuleError

    return (
        DatabaseError, DispatchError, InputError, MemoryError, Refused, RuleError, RunError, SettingError, WorkError,
    )  # fmt: skip


def end_on_interrupt(lang: Lang) -> NoReturn:
    """End a command that a person has stopped with Ctrl-C; what it was writing is taken away by then."""
    # The terminal shows ^C in the line.
    click.echo(err=True)
    print_message(lang, "cli.interrupted")
    sys.exit(INTERRUPTED)


def exit_code_of(error: BaseException) -> int:
    """How a command ends on an error of the families."""
    if type(error).__name__ == "StudyStopped":
        return INTERRUPTED
    from api.child_process import WorkError
    from api.db.store import UnreachableError
    from api.refusals import StoredBooksError
    from api.runs.outcome import RunError

    if isinstance(error, StoredBooksError):
        return DIFFERENCES
    return FAILED if isinstance(error, MemoryError | OSError | RunError | UnreachableError | WorkError) else USAGE


def end_on(error: BaseException, lang: Lang, words: Iterable[str] = ()) -> NoReturn:
    """End a command on an error of the families.

    Parameters
    ----------
    words
        Lines that say what is wrong, where the command knows more than the error.
    """
    lines = list(words)
    for line in lines:
        click.echo(line, err=True)
    if not lines:
        _say_what_is_wrong(error, lang)
    sys.exit(exit_code_of(error))


def _say_what_is_wrong(error: BaseException, lang: Lang) -> None:
    from api.refusals import Refused
    from api.settings import SettingError

    if isinstance(error, Refused):
        click.echo(error.describe(lang), err=True)
    elif isinstance(error, SettingError):
        print_message(lang, "serve.bad_setting", reason=error)
    elif type(error).__name__ in _WORDS:
        print_message(lang, _WORDS[type(error).__name__])
    elif hasattr(error, "faults"):
        show_faults(error.faults, lang)
        show_reasons(getattr(error, "reasons", ()), lang)
    else:
        click.echo(str(error), err=True)
