"""Which role may ask which route."""

from collections.abc import Iterator
from typing import Final

from api.app.create import api_routes

OPEN: Final = frozenset(
    {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "GET /problems",
        "GET /problems/{code}",
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/assets/{name}",
    }
)


PLATFORM, RIDER, OPS, APPROVER, POLICY = "platform", "rider", "ops", "approver", "policy"


MAY: Final[dict[str, frozenset[str]]] = {
    "POST /v1/events": frozenset({PLATFORM}),
    "POST /v1/dispatch/rounds": frozenset({PLATFORM}),
    "GET /v1/tokens": frozenset({OPS, PLATFORM}),
    "POST /v1/tokens": frozenset({PLATFORM}),
    "GET /v1/tokens/{key_id}": frozenset({OPS, PLATFORM}),
    "DELETE /v1/tokens/{key_id}": frozenset({OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/card": frozenset({RIDER, OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/entries": frozenset({RIDER, OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/forecast": frozenset({RIDER, OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/export": frozenset({RIDER}),
    "PUT /v1/riders/{rider_id}/person": frozenset({PLATFORM}),
    "DELETE /v1/riders/{rider_id}/person": frozenset({RIDER, OPS}),
    "GET /v1/riders/{rider_id}/move": frozenset({OPS, PLATFORM}),
    "POST /v1/riders/{rider_id}/move": frozenset({OPS, PLATFORM}),
    "DELETE /v1/riders/{rider_id}/move": frozenset({OPS, PLATFORM}),
    "GET /v1/moves": frozenset({OPS, PLATFORM}),
    "GET /v1/entries/{entry_id}": frozenset({RIDER, OPS, PLATFORM}),
    "POST /v1/entries/{entry_id}/appeal": frozenset({RIDER}),
    "GET /v1/appeals": frozenset({RIDER, OPS}),
    "GET /v1/appeals/{appeal_id}": frozenset({RIDER, OPS}),
    "POST /v1/appeals/{appeal_id}/decision": frozenset({OPS}),
    "GET /v1/reviews": frozenset({RIDER, OPS}),
    "GET /v1/reviews/{review_id}": frozenset({RIDER, OPS}),
    "POST /v1/reviews/{review_id}/decision": frozenset({OPS}),
    "POST /v1/reviews/{review_id}/lift": frozenset({OPS}),
    "GET /v1/cities/{city}/dashboard": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/shared-orders": frozenset({OPS}),
    "POST /v1/studies": frozenset({POLICY}),
    "POST /v1/impacts": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies/{study_id}": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies/{study_id}/events": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies/{study_id}/report": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/studies/{study_id}/cancel": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/webhooks": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks": frozenset({PLATFORM, OPS}),
    "GET /v1/webhooks/{webhook_id}": frozenset({PLATFORM, OPS}),
    "DELETE /v1/webhooks/{webhook_id}": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks/{webhook_id}/ping": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks/{webhook_id}/rotate": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks/{webhook_id}/enable": frozenset({PLATFORM, OPS}),
    "GET /v1/webhooks/{webhook_id}/deliveries": frozenset({PLATFORM, OPS}),
    "GET /v1/books": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/books/{book_id}": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/books/{book_id}/versions/{digest}": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/{book_id}/rollback": frozenset({OPS}),
    "GET /v1/books/drafts": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/drafts": frozenset({OPS}),
    "GET /v1/books/drafts/{draft_id}": frozenset({OPS, APPROVER, POLICY}),
    "PUT /v1/books/drafts/{draft_id}": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/check": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/drafts/{draft_id}/try": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/drafts/{draft_id}/undo": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/restore": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/rebase": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/submit": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/withdraw": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/schedule": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/cancel": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/approve": frozenset({APPROVER}),
    "POST /v1/books/drafts/{draft_id}/reject": frozenset({APPROVER}),
    "POST /v1/books/drafts/{draft_id}/impact": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/audit": frozenset({OPS, APPROVER}),
}


def routes() -> Iterator[str]:
    """Every route of the API: `GET /v1/books`."""
    for route in api_routes():
        for method in sorted(route.methods or ()):
            yield f"{method} {route.path}"
