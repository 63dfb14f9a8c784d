"""The application: routers by area, the middleware before them, what starts and stops with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from api.app import openapi
from api.app.background import background, watching_clock
from api.app.openapi_operations import scopes_of
from api.app.request_checks import RequestChecksMiddleware
from api.app.warm_up import compile_at_start
from api.clock import now_us, running_us
from api.db.clock_guard import ClockGuard
from api.db.store import Store, UnreachableError
from api.endpoints.common import static_files
from api.endpoints.common.auth import Authenticator
from api.endpoints.common.body_limits import BodyRoutes
from api.endpoints.common.head_requests import HeadMiddleware
from api.endpoints.common.logs import make_log
from api.endpoints.common.metrics import Metrics
from api.endpoints.common.open_streams import OpenStreams
from api.endpoints.common.rate_limits import RateLimit, RateLimits
from api.endpoints.common.refusal_answers import add_handlers
from api.endpoints.common.request_log import RequestLogMiddleware
from api.endpoints.common.stopping import StoppingMiddleware
from api.endpoints.common.threads import ConcurrencyLimit
from api.endpoints.common.write_queue import WriteQueue
from api.endpoints.ledger.posts import answer_posts
from api.endpoints.riders.card_cache import CardCache
from api.ledger.backlog import backlog_counts
from api.service import Service
from api.settings import Settings

# Modules with a `router`, in the order in which paths are looked up.
ROUTES: Final = (
    "api.endpoints.system.routes",
    "api.endpoints.system.docs_routes",
    "api.endpoints.ledger.event_routes",
    "api.endpoints.dispatching.routes",
    "api.endpoints.access.key_routes",
    "api.endpoints.riders.routes",
    "api.endpoints.riders.move_routes",
    "api.endpoints.riders.entry_routes",
    "api.endpoints.decisions.appeal_routes",
    "api.endpoints.decisions.review_routes",
    "api.endpoints.cities.routes",
    "api.endpoints.ledger.order_routes",
    "api.endpoints.books.draft_routes",
    "api.endpoints.books.routes",
    "api.endpoints.access.audit_routes",
    "api.endpoints.studies.routes",
    "api.endpoints.webhooks.routes",
)

# Modules with a `router` of pages, in the order in which paths are looked up.
PAGES: Final = (
    "api.endpoints.access.sign_in_pages",
    "api.endpoints.riders.pages",
    "api.endpoints.cities.pages",
    "api.endpoints.decisions.appeal_pages",
    "api.endpoints.decisions.review_pages",
    "api.endpoints.access.audit_pages",
    "api.endpoints.books.pages",
    "api.endpoints.books.draft_pages",
    "api.endpoints.books.draft_file_pages",
    "api.endpoints.books.impact_pages",
    "api.endpoints.books.approval_pages",
    "api.endpoints.studies.pages",
)

Hook = Callable[[Service], AbstractAsyncContextManager[None]]
# What runs beside the requests: each is entered when the service starts and left when it stops.
HOOKS: Final[tuple[Hook, ...]] = (watching_clock, compile_at_start, background)


def create_app(
    settings: Settings, *, hooks: Sequence[Hook] = HOOKS, clock: Callable[[], int] = now_us, log: Any = None
) -> FastAPI:
    """The service on a database whose tables are there.

    Parameters
    ----------
    hooks
        Background work; tests of routes leave it out.
    clock
        Microseconds UTC. With one of a test's own, neither the machine's nor a database's clock is asked.
    log
        Where log lines go; by default JSON on stderr.
    """
    log = log or make_log(settings.log_level)
    store, is_real = Store(settings.database_url), clock is now_us
    running = running_us if is_real else clock
    clock_guard = ClockGuard(store, clock, running, by_database=is_real, is_demo=settings.demo, log=log)
    service = Service(store, settings, clock_guard.now_us, clock_guard=clock_guard)
    authenticator, metrics, desk = Authenticator(service), Metrics(), CardCache(service)
    rate_limits = RateLimits(RateLimit(settings.requests_per_minute), RateLimit(settings.stranger_requests_per_minute))
    open_streams = OpenStreams(service, authenticator)
    clock_guard.when_set += [authenticator.forget, rate_limits.forget]
    app = FastAPI(
        title="riderscore",
        version=version("riderscore"),
        summary="Service scores for delivery riders: liability before deduction, every point explained.",
        lifespan=_lifespan(service, hooks),
        # Logs and metrics of our own; nothing about a request goes to anybody else.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.service = service
    app.state.authenticator = authenticator
    # Of whom it is known that some city of theirs has a book, by their cities.
    app.state.cities_with_book = set()
    app.state.rate_limits = rate_limits
    app.state.metrics = metrics
    app.state.cards = desk
    app.state.rounds = CapacityLimiter(settings.rounds_at_once)
    app.state.downloads = CapacityLimiter(1)
    app.state.uploads = ConcurrencyLimit(settings.uploads_at_once)
    app.state.write_queue = WriteQueue(partial(answer_posts, service))
    app.state.open_streams = open_streams
    app.state.methods_of = partial(methods_of, app)
    metrics.watch_store(partial(_waiting, service))
    metrics.watch_clock(clock_guard)
    add_handlers(app)
    plan = BodyRoutes([(route, tuple(scopes_of(route) or ())) for route in api_routes()], settings)
    app.add_middleware(
        RequestChecksMiddleware,
        service=service,
        authenticator=authenticator,
        desk=desk,
        plan=plan,
        rate_limits=rate_limits,
        open_streams=open_streams,
    )
    app.add_middleware(StoppingMiddleware, shutdown=service.shutdown)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(RequestLogMiddleware, metrics=metrics, log=log)
    for router in routers(ROUTES):
        app.include_router(router)
    openapi.install(app, tuple(api_routes()))
    for router in (static_files.router, *routers(PAGES)):
        app.include_router(router)
    return app


def _waiting(service: Service) -> dict[str, int]:
    try:
        with service.reading() as unit:
            return backlog_counts(unit, service.clock())
    except UnreachableError:
        return {}


def _lifespan(service: Service, hooks: Sequence[Hook]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.shutdown.attach(asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            stack.callback(service.store.close)
            stack.push_async_callback(app.state.cards.close)
            stack.push_async_callback(app.state.write_queue.close)
            stack.push_async_callback(app.state.open_streams.close)
            stack.push_async_callback(service.shutdown.rest)
            for hook in hooks:
                await stack.enter_async_context(hook(service))
            yield

    return lifespan


def routers(names: Sequence[str]) -> Iterator[APIRouter]:
    """The routers of modules."""
    for name in names:
        yield import_module(name).router


def api_routes() -> Iterator[APIRoute]:
    """Every route of the API."""
    for router in routers(ROUTES):
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


def methods_of(app: FastAPI, path: str) -> list[str]:
    """All methods that a path can be asked with."""
    methods: set[str] = set()
    for route in _all_routes(app.routes):
        if isinstance(route, Route) and route.path_regex.match(path):
            methods |= set(route.methods or ())
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _all_routes(routes: Sequence[Any]) -> Iterator[Any]:
    """Routes, those of included routers too (their prefix is their own)."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _all_routes(included.routes)
