"""Who may do what: roles and their scopes. A city, and for riders their own id, narrow this further (`Actor`)."""

from collections.abc import Mapping
from typing import Final, Literal

from api.access.keys import Role

Scope = Literal[
    "events:write",
    "riders:read",
    "riders:move",
    "training:write",
    "people:write",
    "people:erase",
    "dispatch:solve",
    "webhooks:write",
    "self:read",
    "self:appeal",
    "self:export",
    "self:erase",
    "books:read",
    "books:schedule",
    "books:rollback",
    "drafts:write",
    "drafts:approve",
    "impacts:run",
    "studies:run",
    "studies:read",
    "appeals:decide",
    "reviews:decide",
    "audit:read",
    "dashboard:read",
    "orders:read",
    "tokens:make",
    "tokens:read",
]

SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    "platform": frozenset(
        {
            "events:write",
            "training:write",
            "riders:read",
            "riders:move",
            "people:write",
            "dispatch:solve",
            "webhooks:write",
            "tokens:make",
            "tokens:read",
        }
    ),
    "rider": frozenset({"self:read", "self:appeal", "self:export", "self:erase"}),
    "ops": frozenset(
        {
            "books:read",
            "drafts:write",
            "books:schedule",
            "books:rollback",
            "impacts:run",
            "appeals:decide",
            "reviews:decide",
            "riders:read",
            # Whoever answers for the riders of a city may let one go and take one in, as the platform's register does.
            "riders:move",
            "audit:read",
            "dashboard:read",
            "orders:read",
            "tokens:read",
            "webhooks:write",
            "people:erase",
        }
    ),
    "approver": frozenset({"books:read", "drafts:approve", "audit:read", "dashboard:read", "impacts:run"}),
    "policy": frozenset({"books:read", "studies:run", "studies:read", "impacts:run", "dashboard:read"}),
}
