"""The clock guard over HTTP and behind it: reads go on, posts and what falls due wait for a person."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from starlette.testclient import TestClient

from api.app.background import Background, watching_clock
from api.app.create import create_app
from api.cli.main import main
from api.db.clock_guard import ClockGuard, confirm_clock
from api.db.store import Store
from api.db.tables import entries, rider_state
from api.service import Service
from api.settings import Settings
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import FADING, START_US, later, post, publish, rider_week
from tests.api.studies.worlds import wait_for
from tests.builders import DAY_US, delivered

MONTH_DAYS = 30


@pytest.fixture
def watched(store: Store, settings: Settings, clock: Clock, _law: None) -> Iterator[TestClient]:
    """A service that watches its clock, asked in English; nothing else goes on behind it."""
    app = create_app(replace(settings, tick_s=1), hooks=(watching_clock,), clock=clock)
    with TestClient(app, headers={"Accept-Language": "en"}) as client:
        yield client


def one(event_id: str) -> dict[str, object]:
    """A delivery of the day on which the service starts."""
    return later([delivered(event_id)])[0]


def look(client: TestClient) -> None:
    """The next tick."""
    client.app.state.service.clock_guard.look()


def test_posts_wait_while_reads_go_on(watched: TestClient, clock: Clock, bearer: Bearer) -> None:
    """Thirty days ahead: a post is refused with what to do, a card is served, and both are so with a kept answer's key."""
    key = bearer("platform", cities=["hangzhou"])
    assert watched.post("/v1/events", json=one("e1"), headers=key).status_code == 200
    clock.forward(days=MONTH_DAYS)
    look(watched)

    plain = watched.post("/v1/events", json=one("e2"), headers=key)
    kept = watched.post("/v1/events", json=one("e2"), headers=key | {"Idempotency-Key": "k1"})

    for refused in (plain, kept):
        assert (refused.status_code, refused.json()["code"]) == (503, "clock_held")
        assert "riderscore doctor --confirm-clock" in refused.json()["detail"]
        assert int(refused.headers["Retry-After"]) > 0
    assert watched.get(f"/v1/riders/{one('e1')['rider_id']}/card", headers=key).status_code == 200


def test_readiness_and_metrics_tell(watched: TestClient, clock: Clock) -> None:
    """A service that waits for a confirmation stays ready, since it answers reads; it says what waits."""
    assert watched.get("/readyz").json()["warnings"] == []
    clock.forward(days=MONTH_DAYS)
    look(watched)

    ready = watched.get("/readyz")

    assert ready.json()["checks"]["clock"]
    assert [warning["code"] for warning in ready.json()["warnings"]] == ["clock_held"]
    assert "riderscore_clock_held 1.0" in watched.get("/metrics").text


def test_a_confirmation_lets_posts_through(watched: TestClient, store: Store, clock: Clock, bearer: Bearer) -> None:
    """What `doctor --confirm-clock` writes is seen at the next tick."""
    key = bearer("platform", cities=["hangzhou"])
    clock.forward(days=MONTH_DAYS)
    look(watched)
    assert watched.post("/v1/events", json=one("e1"), headers=key).status_code == 503

    with store.writing(clock()) as unit:
        confirm_clock(unit, clock(), "cli:doctor")
    look(watched)

    assert watched.post("/v1/events", json=one("e1"), headers=key).status_code == 200
    assert watched.get("/readyz").json()["warnings"] == []


def test_nothing_falls_due_at_a_wrong_clock(store: Store, settings: Settings) -> None:
    """A server thirty days ahead writes no fade; once its clock is confirmed it does."""
    publish(store, FADING)
    post(store, later(rider_week("r1", days=2)), FADING, START_US + 3 * DAY_US)
    clock = Clock(START_US + 3 * DAY_US)
    ClockGuard(store, clock, clock, by_database=False).look()
    clock.forward(days=MONTH_DAYS)
    clock_guard = ClockGuard(store, clock, clock, by_database=False)
    clock_guard.look()
    behind = Background(Service(store, replace(settings, tick_s=1), clock_guard.now_us, clock_guard=clock_guard))

    def num(*where: object) -> int:
        with store.reading() as unit:
            return unit.connection.execute(select(func.count()).where(*where)).scalar_one()  # type: ignore[arg-type]

    asked: list[bool] = []
    for loop in behind.loops:
        loop._may_act = lambda: asked.append(clock_guard.may_act()) or asked[-1]

    behind.start()
    try:
        wait_for(lambda: len(asked) > 3 * len(behind.loops))
        assert num(entries.c.kind == "fade") == 0
        assert num(rider_state.c.due_us <= clock()) == 1
        with store.writing(clock()) as unit:
            confirm_clock(unit, clock(), "cli:doctor")
        clock_guard.look()
        wait_for(lambda: num(rider_state.c.due_us <= clock()) == 0)
    finally:
        behind.stop()
    assert num(entries.c.kind == "fade") > 0


def test_the_command_tells_and_confirms(store: Store, url: str) -> None:
    """`doctor` exits with 3 on a clock that is not believed, says why, and `--confirm-clock` ends the hold."""
    with store.writing(START_US) as unit:
        confirm_clock(unit, START_US, "test:test")

    told = CliRunner().invoke(main, ["doctor", "--database-url", url, "--lang", "en"])
    asked = CliRunner().invoke(main, ["doctor", "--database-url", url, "--confirm-clock", "--lang", "zh"])
    after = CliRunner().invoke(main, ["doctor", "--database-url", url, "--json"])

    assert (told.exit_code, asked.exit_code, after.exit_code) == (3, 0, 0)
    assert "riderscore doctor --confirm-clock" in told.output
    assert "时钟可信" in asked.output
    assert '"believed": true' in after.output


def test_the_command_makes_no_database(tmp_path: Path) -> None:
    """A misspelt path is named, not created."""
    missing = tmp_path / "nothing.db"

    told = CliRunner().invoke(main, ["doctor", "--database-url", f"sqlite:///{missing}", "--lang", "en"])

    assert told.exit_code == 2
    assert not missing.exists()
