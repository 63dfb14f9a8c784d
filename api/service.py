"""What every route and page works with: the service, and who is asking."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import Annotated, Final

from fastapi import Depends, Request

from api.access.keys import Role, need_valid_key
from api.access.scopes import SCOPES, Scope
from api.clock import now_us
from api.db.clock_guard import ClockGuard
from api.db.store import HeldTransaction, Store, connection_errors
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.settings import Settings
from api.shutdown import Shutdown
from rules.text import Lang

_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking, as their token says.

    Parameters
    ----------
    subject
        A person, or a platform's name; for riders their own rider id.
    cities
        Where they may act; empty for everywhere.
    token_id
        Which key or token it was, for logs and limits; no secret.
    key_id
        The API key that they came with, or that their session was begun with; None for a JWT.
    expires_us
        Until when what they came with is good; None for ever.
    session_id
        The session of the console that they are in, if it is one.
    signed_by
        The print of the issuer's key that their JWT was signed with, or that of their session, if it was one of those.
    """

    role: Role
    subject: str
    cities: tuple[str, ...] = ()
    token_id: str = ""
    key_id: str | None = None
    expires_us: int | None = None
    session_id: str | None = None
    signed_by: str | None = None

    @property
    def name(self) -> str:
        """How the audit trail names them: `ops:li.na`."""
        return f"{self.role}:{self.subject}"

    def may(self, *scopes: Scope) -> bool:
        """Whether the role has one of some scopes."""
        return not SCOPES[self.role].isdisjoint(scopes)

    def in_city(self, city: str | None) -> bool:
        """Whether they may act in a city; what has no city is for those who act everywhere."""
        return not self.cities or city in self.cities

    def may_see_rider(self, rider_id: str, city: str | None) -> bool:
        """Whether a rider's things may be shown to them: riders see themselves alone, others their cities."""
        return rider_id == self.subject if self.role == "rider" else self.in_city(city)


def _is_set() -> Event:
    event = Event()
    event.set()
    return event


@dataclass(frozen=True, slots=True)
class Service:
    """The store, the settings and the clock of one running service.

    Parameters
    ----------
    transaction
        Of a request whose answer is kept: what it writes is committed with the answer.
    clock_guard
        Says whether the clock may be believed; without one it always is.
    shutdown
        Whether this process is stopping.
    compiled
        Set once the code that scores is compiled: on a new machine that takes a minute, and who writes waits for it
        before they hold anything that others wait for.
    asker
        Who asks, where a request is answered: nothing is written for them once their API key has ended.
    """

    store: Store
    settings: Settings
    clock: Callable[[], int] = field(default=now_us)
    transaction: HeldTransaction | None = None
    clock_guard: ClockGuard | None = None
    shutdown: Shutdown = field(default_factory=Shutdown)
    compiled: Event = field(default_factory=_is_set)
    asker: Callable[[], Actor | None] | None = None

    @contextmanager
    def reading(self) -> Iterator[ReadUnit]:
        """A unit that only reads."""
        with connection_errors(), (self.transaction or self.store).reading() as unit:
            yield unit

    @contextmanager
    def writing(self) -> Iterator[WriteUnit]:
        """A unit that is committed when its block ends; its clock is the service's.

        Raises
        ------
        Refused
            `clock_held` or `clock_apart` while the clock is not believed; `token_revoked` or `token_expired` where the
            key has ended that the request came with, although it was believed when it came; `stopping` where this
            process is told to stop before it has done anything.
        """
        while not self.compiled.wait(_LOOK_S):
            if self.shutdown.has_begun:
                raise Refused("stopping")
        if self.clock_guard is not None:
            self.clock_guard.permit()
        with connection_errors(), (self.transaction or self.store).writing(self.clock()) as unit:
            actor = None if self.asker is None else self.asker()
            if actor is not None:
                need_valid_key(unit, actor.key_id)
            yield unit

    @contextmanager
    def guarding(self) -> Iterator[WriteUnit]:
        """As `writing`, for who comes in and who no longer does: whatever the clock, sessions begin and keys end."""
        with connection_errors(), (self.transaction or self.store).writing(self.clock()) as unit:
            yield unit


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    service: Service = request.app.state.service
    transaction: HeldTransaction | None = getattr(request.state, "transaction", None)
    return replace(service, transaction=transaction, asker=partial(_asker, request))


def _asker(request: Request) -> Actor | None:
    """Who is known to ask by now: by a token, or in a session."""
    asker: Actor | None = getattr(request.state, "actor", None) or getattr(request.state, "visitor", None)
    return asker


def lang_of(request: Request) -> Lang:
    """The language a client prefers of those we speak (`Accept-Language`); English where it says nothing."""
    return preferred_lang(request.headers.get("accept-language", ""))


def preferred_lang(header: str) -> Lang:
    """The language of an `Accept-Language` header: the first of ours by weight, English for none."""
    best: tuple[float, Lang] = (0.0, "en")
    for part in header.split(",")[:20]:
        tag, _, weight = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary not in ("zh", "en"):
            continue
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > best[0]:
            best = (quality, "zh" if primary == "zh" else "en")
    return best[1]


async def _service(request: Request) -> Service:
    return service_of(request)


async def _lang(request: Request) -> Lang:
    return lang_of(request)


# Coroutines: plain functions would each be handed to a thread.
ServiceDep = Annotated[Service, Depends(_service)]
LangDep = Annotated[Lang, Depends(_lang)]
