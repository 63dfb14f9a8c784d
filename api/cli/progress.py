"""How far a command is, on stderr: a bar on a terminal, elsewhere a line every ten seconds.

A command that is done sooner prints none. Nothing here knows what is being done.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, Final, Protocol

import click

from rules.text import Lang, text

EVERY_S: Final = 10.0
# Waits so many seconds, or until the work is done; whether it is done.
Wait = Callable[[float], bool]


class CommandProgress(Protocol):
    """What a command says of itself while it works."""

    def update(self, done: int | None = None, total: int | None = None, stage: str | None = None) -> None:
        """Say how much is done, of how much, and what is being done; what is not named stays."""

    def advance(self, number: int = 1) -> None:
        """Say that so much more is done."""


@contextmanager
def shown_progress(lang: Lang, stage: str, total: int | None = None) -> Iterator[CommandProgress]:
    """Show how far a command is until the block ends.

    Parameters
    ----------
    stage
        What is being done first, in the reader's language.
    total
        How much there is to do; None where nobody knows yet.
    """
    if sys.stderr.isatty():
        with _bar(stage, total) as bar:
            yield bar
        return
    ended = Event()
    lines = ProgressLines(lang, stage, total)
    writer = Thread(target=lines.write, args=(ended.wait,), name="progress", daemon=True)
    writer.start()
    try:
        yield lines
    finally:
        ended.set()
        writer.join()


@contextmanager
def _bar(stage: str, total: int | None) -> Iterator[CommandProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
    with RichProgress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, bar.add_task(stage, total=total))


@dataclass(slots=True)
class _Bar:
    """One task of a bar of `rich`."""

    bar: Any
    task: Any

    def update(self, done: int | None = None, total: int | None = None, stage: str | None = None) -> None:
        self.bar.update(self.task, completed=done, total=total, description=stage)

    def advance(self, number: int = 1) -> None:
        self.bar.advance(self.task, number)


@dataclass(slots=True)
class ProgressLines:
    """Progress where nobody looks at a terminal, such as in a log.

    Parameters
    ----------
    lang
        The reader's language.
    stage, total
        As of `shown_progress`.
    """

    lang: Lang
    stage: str
    total: int | None = None
    done: int = 0
    started_s: float = field(default_factory=time.monotonic)

    def update(self, done: int | None = None, total: int | None = None, stage: str | None = None) -> None:
        """As of `CommandProgress`."""
        self.done = self.done if done is None else done
        self.total = self.total if total is None else total
        self.stage = self.stage if stage is None else stage

    def advance(self, number: int = 1) -> None:
        """As of `CommandProgress`."""
        self.done += number

    def write(self, wait: Wait, now: Callable[[], float] = time.monotonic) -> None:
        """Write a line whenever ten seconds have gone by, until the work is done."""
        while not wait(EVERY_S):
            seconds = round(now() - self.started_s)
            key = "cli.progress" if self.total else "cli.progress_without_end"
            params = {"stage": self.stage, "seconds": seconds, "done": self.done, "total": self.total or 0}
            click.echo(text(self.lang, key, **params), err=True)
