"""A service on a port of this machine, with the published books in force and keys made by the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.cli.serve import prepare
from api.clock import now_us
from api.runs.plan import table_of_platform
from tests.e2e.serving import serving

PLATFORM = "taobao"


class LiveService(NamedTuple):
    """Where it is, its database, and a key of a platform in hangzhou."""

    url: str
    database: str
    platform_key: str


@contextmanager
def live_service(folder: Path) -> Iterator[LiveService]:
    """The service, until the block ends."""
    database = f"sqlite:///{folder / 'riderscore.db'}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RIDERSCORE_PLATFORM", PLATFORM)
        prepare(database, "en", chosen=table_of_platform("published", PLATFORM))
    with serving(database, now_us, platform=PLATFORM, demo=False) as url:
        yield LiveService(url, database, key_of(database, "platform", "dispatch-1", "--city", "hangzhou"))


def key_of(database: str, role: str, subject: str, *place: str) -> str:
    """A new key, made by the command; a rider's needs no place."""
    words = ["token", "create", "--role", role, "--subject", subject, *place, "--database-url", database]
    made = CliRunner().invoke(main, words, catch_exceptions=False, env={"RIDERSCORE_PLATFORM": PLATFORM})
    assert made.exit_code == 0, made.output
    return made.stdout.strip()
