"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE; and what keeps `make test-fast` fast.

The profile `default` tries the same examples every time, so that a gate never falls by chance; `explore` draws new ones
for as long as `make explore` is asked to, and replays what it found before.

A test file that works for seconds says so itself (`pytestmark = pytest.mark.slow`). Tests that need PostgreSQL or a
browser are slow by that. A test that starts a process or listens on a port without being marked fails.
"""

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile("default", max_examples=40, deadline=None, suppress_health_check=QUIET, derandomize=True)
settings.register_profile("explore", max_examples=400, deadline=None, suppress_health_check=QUIET, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Events of the interpreter (https://docs.python.org/3/library/audit_events.html).
SLOW_EVENTS = frozenset({"os.fork", "os.posix_spawn", "socket.bind", "subprocess.Popen"})
# `git ls-files` ends at once, and says which files the documents' tests read.
PROGRAMS = frozenset({"git"})


class _FastTest:
    """The test that runs now, if it is not marked as slow."""

    name: str | None = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what needs PostgreSQL or a browser."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "postgresql" in fixtures or "postgresql" in parameters:
            item.add_marker(pytest.mark.postgresql)
        if "browser" in fixtures or item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember the test that is about to run."""
    _FastTest.name = None if item.get_closest_marker("slow") else item.nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Forget it: what ends with it may be a cluster that tests before it have used."""
    _FastTest.name = None


def _refuse_processes_and_servers(event: str, arguments: tuple[Any, ...]) -> None:
    if _FastTest.name is not None and event in SLOW_EVENTS and arguments[0] not in PROGRAMS:
        pytest.fail(f"{_FastTest.name} is not marked as slow and does {event}{arguments!r}")


def pytest_configure() -> None:
    """Listen to what the interpreter reports."""
    sys.addaudithook(_refuse_processes_and_servers)
