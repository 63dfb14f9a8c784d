"""On a Ray cluster of several nodes ledgers and studies are those of this machine, byte for byte, also when a node is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.files.errors import InputError
from api.files.parquet_files import Origin, write_parquet
from api.runs.bucketed_run import score_bucketed
from api.studies.run_study import run_study
from simulations.national import NationalDay, window_table
from tests.api.studies.requests import request

BOOK = "gbt-46862-reference"
DAY = NationalDay(num_riders=600, num_events=6_000, num_cities=3)
BUCKET_ROWS = 800

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small national day."""
    folder = tmp_path_factory.mktemp("day")
    for window in range(DAY.num_windows):
        write_parquet(folder / f"{window:05d}.parquet", window_table(DAY, window), Origin("test"))
    return sorted(folder.glob("*.parquet"))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that runs no task, and two nodes of one core each."""
    monkeypatch.setenv("RAY_ENABLE_UINT8_TYPE", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a ledger or study but `run.json`, which holds seconds."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_lost_node_changes_nothing(files: list[Path], cluster: Any, tmp_path: Path) -> None:
    """A node dies in the middle of scoring: its tasks are done elsewhere, the bytes are those of the local engine."""
    score_bucketed(files, BOOK, tmp_path / "local", bucket_rows=BUCKET_ROWS, num_workers=1)
    lost = []

    def watch(stage: str, done: int, _total: int) -> None:
        if stage == "score" and done == 2 and not lost:
            lost.append(max(cluster.worker_nodes, key=lambda node: node.unique_id))
            cluster.remove_node(lost[0], allow_graceful=False)

    score_bucketed(
        files,
        BOOK,
        tmp_path / "ray",
        bucket_rows=BUCKET_ROWS,
        engine_name="ray",
        address=cluster.address,
        progress=watch,
    )

    assert lost
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_a_study_is_the_same_on_a_cluster_that_loses_a_node(cluster: Any, tmp_path: Path) -> None:
    """Its runs are Ray tasks: those of the lost node are done again, files and progress are those of this machine."""
    told: dict[str, list[int]] = {"local": [], "ray": []}
    run_study(request(), tmp_path / "local", lambda permille, _stage: told["local"].append(permille))

    def watch(permille: int, _stage: str) -> None:
        told["ray"].append(permille)
        if len(told["ray"]) == 2:
            cluster.remove_node(max(cluster.worker_nodes, key=lambda node: node.unique_id), allow_graceful=False)

    asked = request(jobs=None, engine="ray", ray_address=cluster.address)
    run_study(asked, tmp_path / "ray", watch)

    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert told["ray"] == told["local"]


def test_no_cluster_is_told(files: list[Path], tmp_path: Path) -> None:
    """An address where nobody answers is a fault with what to do."""
    with pytest.raises(InputError, match="no Ray cluster answers"):
        score_bucketed(files, BOOK, tmp_path / "out", engine_name="ray", address="127.0.0.1:1")
    with pytest.raises(InputError, match="no Ray cluster answers"):
        run_study(request(engine="ray", ray_address="127.0.0.1:1"), tmp_path / "study")

    assert not (tmp_path / "study").exists()
