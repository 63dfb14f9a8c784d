"""Every route × every role: what a valid request is answered, with an own key and with a key of somebody else's city.

The table alone; `test_matrix.py` asks. A role that a row does not name is refused with 403 whatever it sends. `own` asks
with a key of the city that the subject is of (a rider: with their own), `foreign` with a key of another city (another
rider). Names in braces are ids of the world (`test_matrix.world`).
"""

from dataclasses import dataclass, field
from typing import Any, Final

PLATFORM, RIDER, OPS, APPROVER, POLICY = "platform", "rider", "ops", "approver", "policy"
HERE, THERE, SAMPLE, EVERYWHERE = "hangzhou", "shanghai", "sample", ""
Answers = dict[str, int]


@dataclass(frozen=True)
class Row:
    """A valid request to a route, and its answers by role."""

    own: Answers
    foreign: Answers
    body: Any = None
    query: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    here: str = HERE


def each(status: int, *roles: str) -> Answers:
    """The same answer for some roles."""
    return dict.fromkeys(roles, status)


EVENT: Final = {
    "event_id": "new", "rider_id": "{rider}", "city": HERE, "rider_kind": "crowdsourced", "kind": "delivered",
    "order_id": "new", "occurred_us": "{now}", "promised_us": "{now}", "delivered_us": "{now}", "fee_fen": 500,
}  # fmt: skip
PLACE: Final = {"latitude": 30.25, "longitude": 120.15}
ROUND: Final = {
    "now_s": 1_800_000_000,
    "riders": [{"rider_id": "r", "at": PLACE, "free_s": 1_800_000_000, "off_s": 1_800_007_200}],
    "orders": [],
}
APPEAL: Final = {"reason_code": "merchant_slow", "reason": "the kitchen was slow"}
DISMISSED: Final = {"decision": "dismissed", "reason_code": "record_confirmed", "reason": "so it was"}
STUDY: Final = {"scenario": "ordinary-week", "books": ["legacy-fine", "taobao-crowdsourced"], "seeds": 2, "days": 1}
DRAFT: Final = {"city": HERE, "rider_kind": "crowdsourced"}
EDITS: Final = {"edits": [{"path": "/late_days", "value": 5}]}
TRIED: Final = {"kind": "delivered", "facts": {"late_s": 240}}
REASON: Final = {"reason": "so it is"}
DECIDED: Final = {"content_digest": "{content}", "reason": "read it"}
HOOK: Final = {"url": "https://platform.example/hook", "cities": [HERE]}
RIDER_KEY: Final = {"role": "rider", "subject": "{rider}"}
ONE: Final = {"draft_id": "{open_draft}"}
SENT: Final = {"draft_id": "{submitted_draft}"}
APPROVED: Final = {"draft_id": "{approved_draft}"}
SCHEDULED: Final = {"draft_id": "{scheduled_draft}"}
IMPACT: Final = {"study_id": "{impact}"}
READERS: Final = (OPS, APPROVER, POLICY)
OWNERS: Final = (PLATFORM, OPS)
# Drafts of other cities.
ELSEWHERE: Final = 404

MATRIX: Final[dict[str, Row]] = {
    "POST /v1/events": Row(each(200, PLATFORM), each(200, PLATFORM), {"events": [EVENT]}),
    "POST /v1/dispatch/rounds": Row(each(200, PLATFORM), each(200, PLATFORM), ROUND),
    # Keys.
    "GET /v1/tokens": Row(each(200, *OWNERS), each(200, *OWNERS)),
    "POST /v1/tokens": Row(each(201, PLATFORM), each(404, PLATFORM), RIDER_KEY),
    "GET /v1/tokens/{key_id}": Row(each(200, *OWNERS), each(404, *OWNERS)),
    "DELETE /v1/tokens/{key_id}": Row(each(204, *OWNERS), each(404, *OWNERS)),
    # A rider and what is theirs.
    "GET /v1/riders/{rider_id}/card": Row(each(200, RIDER, *OWNERS), each(404, RIDER, *OWNERS)),
    "GET /v1/riders/{rider_id}/entries": Row(each(200, RIDER, *OWNERS), each(404, RIDER, *OWNERS)),
    "GET /v1/riders/{rider_id}/forecast": Row(each(200, RIDER, *OWNERS), each(404, RIDER, *OWNERS)),
    "GET /v1/riders/{rider_id}/export": Row(each(200, RIDER), each(404, RIDER)),
    "PUT /v1/riders/{rider_id}/person": Row(each(204, PLATFORM), each(404, PLATFORM), {"name": "张三"}),
    "DELETE /v1/riders/{rider_id}/person": Row(each(200, RIDER, OPS), each(404, RIDER, OPS)),
    # Nobody asked for one: a platform of the old city asks, and who looks finds none.
    "POST /v1/riders/{rider_id}/move": Row(each(202, *OWNERS), each(404, *OWNERS), {"city": THERE}),
    "GET /v1/riders/{rider_id}/move": Row(each(404, *OWNERS), each(404, *OWNERS)),
    "DELETE /v1/riders/{rider_id}/move": Row(each(404, *OWNERS), each(404, *OWNERS)),
    "GET /v1/moves": Row(each(200, *OWNERS), each(200, *OWNERS)),
    "GET /v1/entries/{entry_id}": Row(each(200, RIDER, *OWNERS), each(404, RIDER, *OWNERS)),
    "POST /v1/entries/{entry_id}/appeal": Row(each(201, RIDER), each(404, RIDER), APPEAL),
    "GET /v1/appeals": Row(each(200, RIDER, OPS), each(200, RIDER, OPS)),
    "GET /v1/appeals/{appeal_id}": Row(each(200, RIDER, OPS), each(404, RIDER, OPS)),
    "POST /v1/appeals/{appeal_id}/decision": Row(each(200, OPS), each(404, OPS), DISMISSED),
    "GET /v1/reviews": Row(each(200, RIDER, OPS), each(200, RIDER, OPS)),
    "GET /v1/reviews/{review_id}": Row(each(200, RIDER, OPS), each(404, RIDER, OPS)),
    "POST /v1/reviews/{review_id}/decision": Row(
        each(200, OPS), each(404, OPS), {"outcome": "warning"} | REASON, ids={"review_id": "{open_review}"}
    ),
    "POST /v1/reviews/{review_id}/lift": Row(each(200, OPS), each(404, OPS), REASON),
    "GET /v1/cities/{city}/dashboard": Row(each(200, *READERS), each(404, *READERS)),
    "GET /v1/shared-orders": Row(each(200, OPS), each(200, OPS)),
    # Long work: an impact belongs to a city, a study to those who act everywhere.
    "POST /v1/studies": Row(each(202, POLICY), {}, STUDY, here=EVERYWHERE),
    "POST /v1/impacts": Row(each(202, *READERS), each(404, *READERS), {"city": HERE, "a": "{book_a}", "b": "{book_b}"}),
    "GET /v1/studies": Row(each(200, *READERS), each(200, *READERS)),
    "GET /v1/studies/{study_id}": Row(each(200, *READERS), each(404, *READERS), ids=IMPACT),
    "GET /v1/studies/{study_id}/events": Row(each(200, *READERS), each(404, *READERS), query="wait_s=0", ids=IMPACT),
    "GET /v1/studies/{study_id}/report": Row(each(200, POLICY), each(404, *READERS), here=EVERYWHERE),
    "POST /v1/studies/{study_id}/cancel": Row(
        each(200, POLICY), each(404, *READERS), ids={"study_id": "{waiting_study}"}, here=EVERYWHERE
    ),
    # Webhooks.
    "GET /v1/webhooks": Row(each(200, *OWNERS), each(200, *OWNERS)),
    "POST /v1/webhooks": Row(each(201, *OWNERS), each(404, *OWNERS), HOOK),
    "GET /v1/webhooks/{webhook_id}": Row(each(200, *OWNERS), each(404, *OWNERS)),
    "DELETE /v1/webhooks/{webhook_id}": Row(each(204, *OWNERS), each(404, *OWNERS)),
    "POST /v1/webhooks/{webhook_id}/ping": Row(each(202, *OWNERS), each(404, *OWNERS)),
    "POST /v1/webhooks/{webhook_id}/rotate": Row(each(200, *OWNERS), each(404, *OWNERS)),
    "POST /v1/webhooks/{webhook_id}/enable": Row(each(200, *OWNERS), each(404, *OWNERS)),
    "GET /v1/webhooks/{webhook_id}/deliveries": Row(each(200, *OWNERS), each(404, *OWNERS)),
    # The law is read by all who have to do with it, and changed where one acts.
    "GET /v1/books": Row(each(200, *READERS), each(200, *READERS)),
    "GET /v1/books/{book_id}": Row(each(200, *READERS), each(200, *READERS)),
    "GET /v1/books/{book_id}/versions/{digest}": Row(each(200, *READERS), each(200, *READERS)),
    # What is in force already is no way back; and a book of many cities is not one city's to take back.
    "POST /v1/books/{book_id}/rollback": Row(
        each(409, OPS), each(404, OPS), {"digest": "{book_a}"} | REASON, here=EVERYWHERE
    ),
    "GET /v1/books/drafts": Row(each(200, *READERS), each(200, *READERS)),
    "POST /v1/books/drafts": Row(each(201, OPS), each(404, OPS), DRAFT),
    "GET /v1/books/drafts/{draft_id}": Row(each(200, *READERS), each(ELSEWHERE, *READERS), ids=ONE),
    "PUT /v1/books/drafts/{draft_id}": Row(each(200, OPS), each(ELSEWHERE, OPS), EDITS, ids=ONE),
    "POST /v1/books/drafts/{draft_id}/check": Row(each(200, *READERS), each(ELSEWHERE, *READERS), ids=ONE),
    "POST /v1/books/drafts/{draft_id}/try": Row(each(200, *READERS), each(ELSEWHERE, *READERS), TRIED, ids=ONE),
    "POST /v1/books/drafts/{draft_id}/undo": Row(each(200, OPS), each(ELSEWHERE, OPS), ids=ONE),
    "POST /v1/books/drafts/{draft_id}/restore": Row(each(200, OPS), each(ELSEWHERE, OPS), {"revision": 1}, ids=ONE),
    "POST /v1/books/drafts/{draft_id}/rebase": Row(each(200, OPS), each(ELSEWHERE, OPS), ids=ONE),
    "POST /v1/books/drafts/{draft_id}/submit": Row(each(200, OPS), each(ELSEWHERE, OPS), ids=ONE),
    "POST /v1/books/drafts/{draft_id}/withdraw": Row(each(200, OPS), each(ELSEWHERE, OPS), REASON, ids=ONE),
    "POST /v1/books/drafts/{draft_id}/impact": Row(
        each(202, *READERS), each(ELSEWHERE, *READERS), {"days": 7}, ids=ONE
    ),
    # Without an impact of that content nobody approves.
    "POST /v1/books/drafts/{draft_id}/approve": Row(each(409, APPROVER), each(ELSEWHERE, APPROVER), DECIDED, ids=SENT),
    "POST /v1/books/drafts/{draft_id}/reject": Row(each(200, APPROVER), each(ELSEWHERE, APPROVER), DECIDED, ids=SENT),
    "POST /v1/books/drafts/{draft_id}/schedule": Row(each(200, OPS), each(ELSEWHERE, OPS), ids=APPROVED),
    "POST /v1/books/drafts/{draft_id}/cancel": Row(
        each(200, OPS), each(ELSEWHERE, OPS), REASON, ids=SCHEDULED, here=SAMPLE
    ),
    "GET /v1/audit": Row(each(200, OPS, APPROVER), each(200, OPS, APPROVER)),
}
