"""What may be asked of a study through the service: shipped scenarios, stored or shipped books; never a path."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.db.store import Store
from api.studies.design import design_of
from api.studies.simulation import find_stored, study_request
from simulations import scenario_files


def scenario_names() -> tuple[str, ...]:
    """The shipped scenarios."""
    return scenario_files.shipped()


def check_request(store: Store, request: Mapping[str, Any]) -> None:
    """Refuse what cannot be simulated, before it waits for its turn.

    Raises
    ------
    InputError
        With every fault of scenario, books and settings.
    """
    with tempfile.TemporaryDirectory(prefix="riderscore-look-") as folder:
        design_of(study_request(request), lambda reference: find_stored(store, reference), Path(folder))
