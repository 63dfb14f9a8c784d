"""Separation of duties: no person decides on what they filed, or on what was filed with a key that they made.

A person is their subject, whatever their role and however many keys they hold. Whoever made a key stands behind all that
is filed with it, and so does whoever made the key of whoever made it.
"""

from collections.abc import Iterable
from typing import Any

from api.access.keys import ROLES, Key, key_by_id, keys_of
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused


def need_other_decider(decided_by: str, behind: Iterable[str]) -> None:
    """Refuse a decision by a person who filed what is decided, in person or through a key.

    Parameters
    ----------
    decided_by
        As the audit trail names them: `ops:li.na`.

    Raises
    ------
    Refused
        `decides_own`.
    """
    person = person_of_name(decided_by)
    if person is not None and person in set(behind):
        raise Refused("decides_own", subject=person)


def behind_appeal(unit: ReadUnit | WriteUnit, appeal: Any) -> frozenset[str]:
    """Who stands behind an appeal.

    Of one from before it was written down with which key it came: the rider and the makers of every key that the rider
    had by then.
    """
    if appeal.filed_by is not None:
        return behind_filing(unit, appeal.filed_by, appeal.filed_key)
    known = (key for key in keys_of(unit, "rider", appeal.rider_id) if key.created_us <= appeal.filed_us)
    return frozenset({appeal.rider_id}).union(*(behind_key(unit, key) for key in known))


def behind_filing(unit: ReadUnit | WriteUnit, filed_by: str, filed_key: str | None) -> frozenset[str]:
    """Who stands behind what a person filed with a key, or without one."""
    person = person_of_name(filed_by)
    key = None if filed_key is None else key_by_id(unit, filed_key)
    filer = frozenset() if person is None else frozenset({person})
    return filer if key is None else filer | behind_key(unit, key)


def behind_authors(unit: ReadUnit | WriteUnit, authors: Iterable[str]) -> frozenset[str]:
    """Who stands behind what operations wrote: the authors, and the makers of every key that they had for it."""
    held = {author: keys_of(unit, "ops", author) for author in authors}
    return frozenset(held).union(*(behind_key(unit, key) for known in held.values() for key in known))


def behind_key(unit: ReadUnit | WriteUnit, key: Key) -> frozenset[str]:
    """The holder of a key, its maker, the maker's maker, and so on."""
    persons: set[str] = set()
    seen: set[str] = set()
    waiting = [key]
    while waiting:
        current = waiting.pop()
        if current.key_id in seen:
            continue
        seen.add(current.key_id)
        persons.add(current.subject)
        waiting += _makers(unit, current)
        maker = person_of_name(current.created_by)
        if maker is not None:
            persons.add(maker)
    return frozenset(persons)


def _makers(unit: ReadUnit | WriteUnit, key: Key) -> tuple[Key, ...]:
    """The key that a key was made with; where that is not known, all that its maker had by then."""
    if key.parent is not None:
        parent = key_by_id(unit, key.parent)
        return () if parent is None else (parent,)
    role, _, subject = key.created_by.partition(":")
    maker_role = next((made for made in ROLES if made == role), None)
    if maker_role is None:
        return ()
    return tuple(made for made in keys_of(unit, maker_role, subject) if made.created_us <= key.created_us)


def person_of_name(name: str) -> str | None:
    """The person of a name in the audit trail; None for a program (`cli:token`, `timeout`)."""
    role, _, subject = name.partition(":")
    return subject if role in ROLES and subject else None
