"""What goes on behind a running service: due things happen, whoever is there, however many there are."""

import datetime as dt
from collections.abc import Collection
from threading import Thread

import pytest
from sqlalchemy import func, select

from api.app import ticker
from api.app.background import Background
from api.app.ticker import Ticker
from api.books import in_force
from api.cities.count_figures import FigureCounter
from api.cities.daily_figures import is_behind
from api.db.store import Store
from api.db.tables import rider_state
from api.decisions.appeals import Settled
from api.service import Service
from api.settings import Settings
from rules.deployment import Deploy
from tests.api.endpoints.conftest import Clock
from tests.api.ledger.posts import FADING, START_US, later, lines_of, post, publish, rider_week
from tests.api.studies.worlds import wait_for
from tests.builders import DAY_US

pytestmark = pytest.mark.slow


@pytest.fixture
def clock(store: Store) -> Clock:
    """A clock at a time when fades of three riders are due."""
    publish(store, FADING)
    for k in range(3):
        post(store, later(rider_week(f"r{k}", days=2)), FADING, START_US + 3 * DAY_US)
    return Clock(START_US + 90 * DAY_US)


def num_due(store: Store, clock: Clock) -> int:
    """Riders with something due."""
    with store.reading() as unit:
        due = select(func.count()).where(rider_state.c.due_us <= clock())
        return unit.connection.execute(due).scalar_one()


def test_what_is_due_is_done(store: Store, settings: Settings, clock: Clock) -> None:
    """Fades are written; a second look finds nothing."""
    assert num_due(store, clock) == 3

    Ticker(store, settings, clock).step()

    assert num_due(store, clock) == 0
    lines = lines_of(store)
    assert "fade" in {line["kind"] for line in lines}
    Ticker(store, settings, clock).step()
    assert lines_of(store) == lines


def test_many_servers_do_it_once(store: Store, settings: Settings, clock: Clock) -> None:
    """Whoever is first does it, nobody does it twice."""
    servers = [Thread(target=Ticker(store, settings, clock).step) for _ in range(4)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    Ticker(store, settings, clock).step()

    assert num_due(store, clock) == 0
    fades = [(line["rider_id"], line["event_id"]) for line in lines_of(store) if line["kind"] == "fade"]
    assert len(fades) == len(set(fades))


def test_a_duty_that_fails_keeps_no_other_waiting(
    store: Store, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed is raised once all else is done."""
    monkeypatch.setattr(ticker, "activate_due", lambda _unit: 1 // 0)

    with pytest.raises(ExceptionGroup):
        Ticker(store, settings, clock).step()

    assert num_due(store, clock) == 0


def test_an_appeal_that_the_ledger_refuses_is_told_once(
    store: Store, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then left alone, so that it is neither tried nor told every few seconds."""
    asked = []

    def settle_appeals(_unit: object, _law: object, _now_us: int, _limit: int, beside: Collection[str]) -> Settled:
        asked.append(set(beside))
        return Settled(0, ()) if beside else Settled(1, ("ap_1",))

    monkeypatch.setattr(ticker, "settle_appeals", settle_appeals)
    own = Ticker(store, settings, clock)

    with pytest.raises(ExceptionGroup, match="could not be done") as failed:
        own.step()
    own.step()

    assert "ap_1" in str(failed.value.exceptions[0])
    assert asked == [set(), {"ap_1"}, {"ap_1"}]


def test_a_tick_without_books_does_nothing(store: Store, settings: Settings) -> None:
    """A fresh database is no fault."""
    Ticker(store, settings, Clock()).step()

    assert lines_of(store) == []


def test_figures_of_cities_are_counted_beside(store: Store, clock: Clock) -> None:
    """In a process of its own; once they are up to date there is nothing to do."""
    counter = FigureCounter(store, clock)
    with store.writing(clock()) as unit:
        row = {
            "city": "hangzhou",
            "rider_kind": "crowdsourced",
            "book": FADING,
            "from": dt.date(2025, 12, 3),
            "source": "test",
        }
        in_force.deploy(unit, [Deploy.model_validate(row | {"confidence": "ours"})])
    assert is_behind(store, clock())

    counter.step()

    assert not is_behind(store, clock())


def test_a_service_begins_and_ends_it(store: Store, settings: Settings, clock: Clock) -> None:
    """Started, it does what is due; stopped, nothing of it is left."""
    behind = Background(Service(store, settings, clock))

    behind.start()
    wait_for(lambda: not num_due(store, clock))
    behind.stop()

    assert not any(loop.is_alive() for loop in behind.loops)


@pytest.fixture
def settings(url: str) -> Settings:
    """Settings of the service."""
    return Settings(database_url=url)
