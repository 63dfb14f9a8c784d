"""Prometheus metrics: requests by route, events by answer, and the queues in the store.

Labels are route templates and closed sets, never ids.
"""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from api.db.clock_guard import ClockGuard

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

BacklogReader = Callable[[], dict[str, int]]


class Metrics:
    """The metrics of one running service, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._requests = Counter(
            "riderscore_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "riderscore_http_request_seconds",
            "Time to an answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("riderscore_http_requests_in_flight", "Requests being answered.", registry=registry)
        self._events = Counter(
            "riderscore_events", "Events posted, by the answer to each.", ("status",), registry=registry
        )
        self._problems = Counter("riderscore_problems", "Problem documents sent.", ("code",), registry=registry)
        self._rounds = Counter("riderscore_dispatch_rounds", "Dispatch rounds solved.", registry=registry)
        # `labels` takes a lock and builds a key on each call.
        self._of_route: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, elapsed_ns: int) -> None:
        """Count a request."""
        key = (method, route, status)
        counters = self._of_route.get(key)
        if counters is None:
            counters = (self._requests.labels(method, route, str(status)), self._seconds.labels(method, route))
            self._of_route[key] = counters
        counters[0].inc()
        counters[1].observe(elapsed_ns / 1e9)

    def problem(self, code: str) -> None:
        """Count a problem document."""
        self._problems.labels(code).inc()

    def events(self, status: str, num: int) -> None:
        """Count answers to events."""
        self._events.labels(status).inc(num)

    def round_solved(self) -> None:
        """Count a dispatch round."""
        self._rounds.inc()

    def watch_store(self, read_backlog: BacklogReader) -> None:
        """Ask the store at each reading what waits in it."""
        self.registry.register(_BacklogCollector(read_backlog))

    def watch_clock(self, clock_guard: ClockGuard) -> None:
        """Say at each reading whether the clock is believed."""
        is_held = Gauge(
            "riderscore_clock_held", "1 while posts and what falls due wait because the clock is not believed.",
            registry=self.registry,
        )  # fmt: skip
        is_held.set_function(lambda: clock_guard.state.status in ("held", "apart"))
        off = Gauge(
            "riderscore_clock_off_seconds", "How far this process's clock is ahead of the database's.",
            registry=self.registry,
        )  # fmt: skip
        off.set_function(lambda: clock_guard.state.off_s)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _BacklogCollector:
    """Gauges that are counted when they are read."""

    def __init__(self, waiting: BacklogReader) -> None:
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """One gauge a figure."""
        for name, value in self._waiting().items():
            yield GaugeMetricFamily(f"riderscore_{name}", _SAYS[name], value=value)

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the store."""
        return iter(())


_SAYS: Final = {
    "appeals_open": "Appeals without an answer.",
    "appeals_overdue": "Appeals whose deadline is over and that nobody has decided yet.",
    "reviews_open": "Reviews that wait for a person.",
    "drafts_open": "Drafts of rule books that are not in force, rejected or withdrawn.",
    "riders": "Riders with a scored event.",
    "riders_due": "Riders whose fades or resets are due and not written.",
    "replays_waiting": "Corrections and appeals that are accepted and not entered yet.",
    "replays_lag_seconds": "Age of the oldest of them.",
    "outbox_waiting": "Deliveries to webhooks that wait.",
    "outbox_lag_seconds": "Age of the oldest delivery that waits.",
    "jobs_waiting": "Long work that has not begun.",
    "jobs_running": "Long work that is running.",
    "places_in_force": "Cities and kinds of riders that a rule book judges; at 0 every event is rejected.",
    "keys_without_end": "API keys that are good for ever, from before keys had to end.",
    "orders_shared": "Orders that two riders delivered.",
    "orders_delivered_twice": "Stored deliveries of an order that their own rider had delivered already, from before 0.2.0.",
}
