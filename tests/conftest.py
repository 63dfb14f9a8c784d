"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE; and which tests are slow.

`default` tries the same examples every time, so that a gate never falls by chance; `explore` draws new ones for as long
as `make explore` is asked to, and replays what it found before.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile("default", max_examples=40, deadline=None, suppress_health_check=QUIET, derandomize=True)
settings.register_profile("explore", max_examples=400, deadline=None, suppress_health_check=QUIET, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What starts processes or a browser, or works for seconds: folders and files below `tests`.
SLOW = (
    "api/app/test_background.py",
    "api/books/test_change_model.py",
    "api/cli/test_demo.py",
    "api/cli/test_serve.py",
    "api/cli/test_simulate.py",
    "api/decisions/test_properties.py",
    "api/endpoints/common/test_matrix.py",
    "api/endpoints/ledger/test_exactly_once.py",
    "api/endpoints/studies",
    "api/ledger/test_exactly_once.py",
    "api/ledger/test_loading.py",
    "api/ledger/test_properties.py",
    "api/ledger/test_replay_process.py",
    "api/notebooks",
    "api/runs/test_bucketed",
    "api/runs/test_engines.py",
    "api/runs/test_input_slices.py",
    "api/runs/test_kept.py",
    "api/runs/test_ray.py",
    "api/runs/test_state_properties.py",
    "api/studies",
    "api/test_v0_1_0.py",
    "api/webhooks/test_deliveries.py",
    "dispatch/test_horizon.py",
    "e2e",
    "scoring/test_runs.py",
    "scoring/test_schedule.py",
    "simulations",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
