"""The table of transitions, walked whole: each verb in each state, and each guard of each verb."""

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pytest

from api.access import keys
from api.access.scopes import SCOPES
from api.books import approvals, drafts, rollback, scheduling, transitions
from api.books.draft_rows import DRAFT_STATES, Draft, draft_of
from api.books.scheduling import activate_due
from api.books.transitions import TRANSITIONS, DraftUpdate, Verb
from api.db.store import Store
from api.db.unit_of_work import WriteUnit
from api.ledger import posting
from api.refusals import Refused
from rules.edits import SetCell
from tests.api.books.worlds import (
    ANN,
    BEN,
    CAI,
    HERE,
    NOW_US,
    Someone,
    approved,
    begun,
    enact,
    scheduled,
    submitted,
    version,
)
from tests.api.ledger.posts import table_of
from tests.builders import DAY_US, delivered

ROOT = Path(__file__).parents[3]
SCHEDULE = Someone("schedule", "service")
# The change of `worlds.begun` takes effect on the eighth day.
IN_FORCE_US = NOW_US + 9 * DAY_US


@dataclass(frozen=True)
class Request:
    """How a verb is asked for."""

    approver: Someone = CAI
    reason: str = "both of us read it"
    content_digest: str | None = None

    def digest(self, draft: Draft) -> str:
        """Of what was read: by default what stands there."""
        return draft.content_digest if self.content_digest is None else self.content_digest


Attempt = Callable[[WriteUnit, Draft, Request], Draft]


def ends_schedule(verb: transitions.Verb) -> Attempt:
    """A verb of the schedule itself."""

    def attempt(unit: WriteUnit, draft: Draft, _: Request) -> Draft:
        columns = {"effective_us": None} if verb == "suspend" else {}
        return transitions.apply(unit, SCHEDULE, verb, draft.draft_id, None, lambda _: DraftUpdate(columns))

    return attempt


ATTEMPTS: Mapping[transitions.Verb, Attempt] = {
    "save": lambda u, d, r: drafts.save_document(u, ANN, d.draft_id, d.etag, d.document | {"late_days": 3}),
    "edit": lambda u, d, r: drafts.edit_cells(u, ANN, d.draft_id, d.etag, [SetCell(path="/late_days", value=3)]),
    "set_targets": lambda u, d, r: drafts.set_targets(u, ANN, d.draft_id, d.etag, [HERE]),
    "undo": lambda u, d, r: drafts.undo(u, ANN, d.draft_id, d.etag),
    "restore": lambda u, d, r: drafts.restore(u, ANN, d.draft_id, d.etag, 1),
    "rebase": lambda u, d, r: drafts.rebase(u, ANN, d.draft_id, d.etag),
    "submit": lambda u, d, r: approvals.submit(u, ANN, d.draft_id, d.etag),
    "withdraw": lambda u, d, r: drafts.withdraw(u, ANN, d.draft_id, d.etag, r.reason),
    "approve": lambda u, d, r: approvals.approve(
        u, r.approver, d.draft_id, d.etag, content_digest=r.digest(d), reason=r.reason
    ),
    "reject": lambda u, d, r: approvals.reject(
        u, r.approver, d.draft_id, d.etag, content_digest=r.digest(d), reason=r.reason
    ),
    "schedule": lambda u, d, r: scheduling.schedule(u, ANN, d.draft_id, d.etag),
    "cancel": lambda u, d, r: scheduling.cancel(u, ANN, d.draft_id, d.etag, r.reason),
    "suspend": ends_schedule("suspend"),
    "activate": ends_schedule("activate"),
}
EDITS = ("save", "edit", "set_targets", "undo", "restore")


def row(target: str, *sources: str, **codes: str) -> dict[str, str]:
    """State after a verb in some states; in all others the code of its refusal."""
    others = {state: f"refused: {codes.get(state, 'draft_state')}" for state in DRAFT_STATES}
    return others | dict.fromkeys(sources, target)


BEFORE_SCHEDULE = ("open", "submitted", "approved", "suspended", "rejected")
EDIT_ROW = row("open", *BEFORE_SCHEDULE, scheduled="draft_scheduled", in_force="draft_closed", withdrawn="draft_closed")
# The state after each verb in each state, or why it is refused there; written down apart from the table of the code.
WALK: dict[str, dict[str, str]] = dict.fromkeys(EDITS, EDIT_ROW) | {
    "rebase": row("open", *BEFORE_SCHEDULE),
    "submit": row("submitted", "open"),
    "withdraw": row("withdrawn", *BEFORE_SCHEDULE, scheduled="draft_scheduled"),
    "approve": row("approved", "submitted"),
    "reject": row("rejected", "submitted"),
    "schedule": row("scheduled", "approved"),
    "cancel": row("approved", "scheduled"),
    "suspend": row("suspended", "scheduled"),
    "activate": row("in_force", "scheduled"),
}


def rejected(unit: WriteUnit) -> Draft:
    """A draft that was sent back."""
    draft = submitted(unit)
    return approvals.reject(unit, CAI, draft.draft_id, None, content_digest=draft.content_digest, reason="too hard")


def withdrawn(unit: WriteUnit) -> Draft:
    """A draft that was given up."""
    return drafts.withdraw(unit, ANN, begun(unit).draft_id, None, "not needed")


def suspended(unit: WriteUnit) -> Draft:
    """A draft that was taken off the schedule, since it could not come into force."""
    return ATTEMPTS["suspend"](unit, scheduled(unit), Request())


MADE: Mapping[str, Callable[[WriteUnit], Draft]] = {
    "open": begun, "submitted": submitted, "approved": approved, "scheduled": scheduled, "suspended": suspended,
    "in_force": scheduled, "rejected": rejected, "withdrawn": withdrawn,
}  # fmt: skip


class TakenBack(Exception):  # noqa: N818 - no error: ends a unit without a trace
    """Ends a unit that is only tried."""


def outcome(store: Store, verb: transitions.Verb, draft_id: str, at_us: int, request: Request) -> str:
    """The state after a verb, or why it is refused; nothing of it stays."""
    said = ""
    with contextlib.suppress(TakenBack), store.writing(at_us) as unit:
        try:
            said = ATTEMPTS[verb](unit, draft_of(unit, draft_id), request).state
        except Refused as error:
            said = f"refused: {error.code}"
        raise TakenBack
    return said


@pytest.fixture
def law(store: Store) -> Store:
    """A database with one book in force in two cities."""
    enact(store, version())
    return store


def make(store: Store, state: str) -> tuple[str, int]:
    """A draft in a state, and the time by which it is in it."""
    with store.writing(NOW_US) as unit:
        draft_id = MADE[state](unit).draft_id
    if state != "in_force":
        return draft_id, NOW_US
    with store.writing(IN_FORCE_US) as unit:
        activate_due(unit)
    return draft_id, IN_FORCE_US


@pytest.mark.parametrize("state", DRAFT_STATES)
def test_each_verb_in_each_state_does_what_the_table_says(law: Store, state: str) -> None:
    """It leads to its one target, or is refused with its own code."""
    draft_id, at_us = make(law, state)
    with law.reading() as unit:
        assert draft_of(unit, draft_id).state == state

    walked = {verb: outcome(law, verb, draft_id, at_us, Request()) for verb in TRANSITIONS}

    assert walked == {verb: WALK[verb][state] for verb in TRANSITIONS}


def make_key_of_author(unit: WriteUnit) -> None:
    """The approver has made the author's key."""
    keys.create_key(unit, "ops", "ann", actor="approver:cai")


def post_event(unit: WriteUnit) -> None:
    """A rider of one of the cities has a history."""
    event = delivered("e1") | {"occurred_us": NOW_US, "delivered_us": NOW_US}
    posting.post_events(unit, scheduling.rules_for_posting(unit), table_of([event]))


def schedule_another(unit: WriteUnit) -> None:
    """Another change has the same day."""
    scheduled(unit, who=BEN, points=-3)


def nothing(_: WriteUnit) -> None:
    """All is as it should be."""


@dataclass(frozen=True)
class Violation:
    """What goes against one guard, and the verbs that are refused then, each with its code; all others go on."""

    refused: Mapping[str, str]
    prepare: Callable[[WriteUnit], None] = nothing
    request: Request = Request()
    after_us: int = 0


VIOLATIONS = {
    "nothing": Violation({}),
    "reason": Violation(
        dict.fromkeys(("withdraw", "reject", "cancel"), "reason_needed"), request=Request(reason=" \n")
    ),
    "not_an_author": Violation(
        dict.fromkeys(("approve", "reject"), "author_approves"), request=Request(approver=Someone("ann", "approver"))
    ),
    "other_hand": Violation(dict.fromkeys(("approve", "reject"), "decides_own"), prepare=make_key_of_author),
    "same_content": Violation(
        dict.fromkeys(("approve", "reject"), "not_the_content"), request=Request(content_digest="0" * 64)
    ),
    "impact": Violation({"approve": "impact_needed"}, prepare=post_event),
    "ready, still_ready": Violation(
        {"submit": "draft_not_ready", "approve": "draft_not_ready", "schedule": "schedule_refused"},
        after_us=30 * DAY_US,
    ),
    "day_free": Violation({"schedule": "day_taken"}, prepare=schedule_another),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_guard_stands_before_its_verbs_and_before_no_others(law: Store, name: str) -> None:
    """What goes against one guard alone is refused by the verbs that name it, with its code."""
    violation = VIOLATIONS[name]
    found = {}
    for verb in TRANSITIONS:
        source = TRANSITIONS[verb].sources[0]
        if name == "day_free" and source == "scheduled":
            # It has the day itself.
            continue
        with contextlib.suppress(TakenBack), law.writing(NOW_US) as unit:
            draft = MADE[source](unit)
            violation.prepare(unit)
            later = replace(unit, recorded_us=NOW_US + violation.after_us)
            try:
                ATTEMPTS[verb](later, draft_of(unit, draft.draft_id), violation.request)
            except Refused as error:
                found[verb] = error.code
            raise TakenBack

    assert found == violation.refused


def test_a_roll_back_keeps_its_content(law: Store) -> None:
    """No edit goes through; looking again at what it replaces does."""
    with law.writing(NOW_US) as unit:
        scheduled(unit, points=-4)
    with law.writing(IN_FORCE_US) as unit:
        activate_due(unit)
        draft_id = rollback.roll_back(unit, ANN, "city", version().digest, "as it was").draft_id

    found = {verb: outcome(law, verb, draft_id, IN_FORCE_US, Request()) for verb in (*EDITS, "rebase")}

    assert found == dict.fromkeys(EDITS, "refused: rollback_fixed") | {"rebase": "open"}


def test_what_a_person_does_needs_a_scope_that_some_role_has() -> None:
    """And nobody has one for what happens by itself."""
    known = frozenset().union(*SCOPES.values())

    assert {row.verb for row in TRANSITIONS.values() if row.scope is None} == {"suspend", "activate"}
    assert {row.scope for row in TRANSITIONS.values()} - {None} <= known
    assert set(TRANSITIONS) == set(get_args(Verb)) == set(WALK) == set(ATTEMPTS)


def test_nothing_else_writes_the_state_of_a_draft() -> None:
    """Rows of drafts are updated in one place, which the table's function alone calls."""
    sources = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("api/**/*.py")}

    def using(pattern: str) -> set[str]:
        return {name for name, text in sources.items() if re.search(pattern, text)}

    assert using(r"\bupdate\(drafts\)") == {"api/books/draft_rows.py"}
    assert using(r"\bupdate_draft\b") == {"api/books/draft_rows.py", "api/books/transitions.py"}
