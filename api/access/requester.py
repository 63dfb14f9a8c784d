"""Who does something through a verb of the store: a person in a role, for all cities or some."""

from collections.abc import Iterable
from typing import Protocol

from api.refusals import Refused
from api.words import city_words


class Requester(Protocol):
    """What verbs need to know of who asks; `api.service.Actor` is one."""

    @property
    def subject(self) -> str:
        """The person, whatever their role or token."""

    @property
    def name(self) -> str:
        """How the audit trail names them: `ops:li.na`."""

    @property
    def cities(self) -> tuple[str, ...]:
        """Where they may act; empty for everywhere."""


def need_cities(who: Requester, cities: Iterable[str]) -> None:
    """Refuse what is not for each of these cities; a city that is not theirs and one that is none are the same to them.

    Raises
    ------
    Refused
        `city_unknown`, naming the first city that is not theirs.
    """
    for city in sorted(set(cities)):
        if not may_act_in(who, city):
            raise Refused("city_unknown", city=city_words(city))


def may_act_in(who: Requester, city: str | None) -> bool:
    """Whether the requester may act in a city; what has no city is for those who may act in all cities."""
    return not who.cities or city in who.cities


def need_reason(reason: str) -> str:
    """A reason in words, trimmed.

    Raises
    ------
    Refused
        `reason_needed` for blanks.
    """
    words = clean_text(reason)
    if not words:
        raise Refused("reason_needed")
    return words


def clean_text(words: str) -> str:
    """A person's words as every database can hold them: no NUL, no half characters, trimmed."""
    return words.replace("\0", "").encode(errors="replace").decode().strip()
