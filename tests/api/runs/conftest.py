"""A city's days as files."""

from pathlib import Path

import pyarrow as pa
import pytest

from api.files.parquet_files import Origin, write_parquet
from rules.units import US_PER_DAY
from simulations.sample_city import events_only, generate
from simulations.sample_parameters import SampleCity

NUM_DAYS = 5


@pytest.fixture(scope="package")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A city's days; the last one has some rows of each before, and a correction of an event of the first."""
    folder = tmp_path_factory.mktemp("days")
    table = events_only(generate(SampleCity(num_riders=40, num_days=NUM_DAYS), 5))
    occurred = table["occurred_us"].to_numpy()
    day = (occurred - occurred.min()) // US_PER_DAY
    day[::50] = NUM_DAYS - 1
    paths = [folder / f"day{k}.parquet" for k in range(NUM_DAYS)]
    for k, path in enumerate(paths):
        write_parquet(path, table.filter(pa.array(day == k)), Origin("test"))
    return paths
