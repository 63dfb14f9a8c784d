"""Which role may create keys of which role, and the limits of every new key.

A key reaches no further than its maker: neither to other cities nor longer. No person makes a key for themself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api.access.keys import LIFE_DAYS, ROLES, Key, Role, create_key, need_valid_key
from api.access.new_ids import need_valid_cities, need_valid_person, need_valid_rider_id
from api.access.requester import Requester, need_cities
from api.db.rider_rows import home_of
from api.db.unit_of_work import WriteUnit
from api.refusals import Refused
from api.words import role_words
from rules.units import US_PER_DAY

# Whoever can run the command on the server can read the database file or its password, and so anything.
SERVER_COMMAND: Final = "cli"
MAY_MAKE: Final[Mapping[str, frozenset[Role]]] = {
    SERVER_COMMAND: frozenset(ROLES),
    "platform": frozenset({"rider"}),
}
# Longest life of a rider's key: it travels in phones.
RIDER_DAYS_MAX: Final = 30


class KeyMaker(Requester, Protocol):
    """Who makes a key; `api.service.Actor` is one."""

    @property
    def role(self) -> str:
        """A role, or `cli`."""

    @property
    def key_id(self) -> str | None:
        """The API key they came with, if it was one."""

    @property
    def expires_us(self) -> int | None:
        """Until when what they came with is good; None for ever."""


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """The maker when the command on the server makes a key: all cities, no end, no person."""

    role: str = SERVER_COMMAND
    subject: str = ""
    name: str = "cli:token"
    cities: tuple[str, ...] = ()
    key_id: str | None = None
    expires_us: int | None = None


def make_key(
    unit: WriteUnit,
    maker: KeyMaker,
    role: Role,
    subject: str,
    cities: Sequence[str] = (),
    expires_days: int | None = None,
) -> tuple[Key, str]:
    """Make a key in the name of the person or program that asks; the text that comes with it is its only copy.

    Parameters
    ----------
    cities
        Where it is good; empty for everywhere. A rider's key is good in the rider's city, whatever is said here.
    expires_days
        None for as long as keys of the role live. A key ends with its maker's at the latest.

    Raises
    ------
    Refused
        `key_role` (not theirs to make), `key_for_oneself`, `bad_id`, `city_unknown`, `rider_unknown` (none of that id, or none
        that they may see), `key_lives_too_long`; `token_revoked` or `token_expired` where the maker's own key has ended.
    """
    need_valid_key(unit, maker.key_id, holds=True)
    if role not in MAY_MAKE.get(maker.role, frozenset()):
        raise Refused("key_role", role=role_words(role))
    if subject == maker.subject:
        raise Refused("key_for_oneself")
    if role == "rider":
        need_valid_rider_id(unit, maker, subject, "subject")
        cities = _home(unit, maker, subject, cities)
    else:
        need_valid_person(unit, subject)
        need_cities(maker, cities or ("*",))
        need_valid_cities(unit, maker, cities, "cities")
    days = LIFE_DAYS[role] if expires_days is None else expires_days
    if role == "rider" and days > RIDER_DAYS_MAX:
        raise Refused("key_lives_too_long", days=RIDER_DAYS_MAX)
    expires_us = unit.recorded_us + days * US_PER_DAY
    if maker.expires_us is not None:
        expires_us = min(expires_us, maker.expires_us)
    return create_key(
        unit, role, subject, cities, expires_us=expires_us, actor=maker.name, parent=maker.key_id
    )  # fmt: skip


def _home(unit: WriteUnit, maker: KeyMaker, rider_id: str, cities: Sequence[str]) -> tuple[str, ...]:
    """The city of a rider whom the maker may see; none but that may be asked for."""
    home = home_of(unit, rider_id)
    if home is None or home.city is None or (maker.cities and home.city not in maker.cities):
        raise Refused("rider_unknown")
    if not set(cities) <= {home.city}:
        raise Refused("key_of_other_city")
    return (home.city,)
