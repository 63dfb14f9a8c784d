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
    "api/batch/test_compare_lake.py",
    "api/batch/test_engines.py",
    "api/batch/test_kept.py",
    "api/batch/test_lake",
    "api/batch/test_ray.py",
    "api/batch/test_state_properties.py",
    "api/batch/test_study.py",
    "api/cli/test_demo.py",
    "api/cli/test_serve.py",
    "api/cli/test_simulate.py",
    "api/http/test_exactly_once.py",
    "api/http/test_matrix.py",
    "api/http/test_studies.py",
    "api/notebooks",
    "api/store/test_decisions_properties.py",
    "api/store/test_exactly_once.py",
    "api/store/test_law_model.py",
    "api/store/test_loading.py",
    "api/store/test_properties.py",
    "api/test_v0_1_0.py",
    "api/work",
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
