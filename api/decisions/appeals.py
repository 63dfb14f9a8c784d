"""Appeals: a rider says why a deduction is wrong; a person answers with reasons, and silence answers for the rider.

An appeal that is upheld becomes an `appeal_upheld` event in the same transaction, so that the ledger takes the deduction
back as it takes back anything. Whoever writes holds the rider's row first: a person and the deadline cannot both answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import pyarrow as pa
from sqlalchemy import insert, select

from api.access.keys import need_valid_key
from api.access.separation_of_duties import behind_appeal
from api.books.in_force import RulesInForce, stored_program
from api.db.audit_notes import add_audit_note
from api.db.bulk import among, rows_among
from api.db.decision_words import keep_words
from api.db.outbox import Message, emit
from api.db.records import record_of
from api.db.rider_rows import lock_riders, raise_revision
from api.db.tables import appeal_texts, appeals, entries, events, open_appeals
from api.db.unit_of_work import WriteUnit
from api.decisions.appeal_records import APPEALS, Appeal, right_of, standing_lines, terms_of
from api.decisions.cases import already_decided, need_written, trimmed
from api.ledger.posting import post_events
from api.ledger.stored_events import events_among
from api.refusals import Refused
from api.words import coded
from rules.text import text
from rules.units import US_PER_DAY
from scoring.because import EntryLine
from scoring.columns import EVENT_SCHEMA

# Why a rider appeals. `report_refused`: a report made in good faith was not believed, which must cost nothing.
AppealReason = Literal[
    "not_late",
    "merchant_slow",
    "merchant_closed",
    "customer_unreachable",
    "address_changed",
    "access_blocked",
    "severe_weather",
    "vehicle_fault",
    "accident",
    "platform_fault",
    "report_refused",
    "record_wrong",
    "not_me",
    "other",
]
REASONS: Final[tuple[AppealReason, ...]] = get_args(AppealReason)
# Why an appeal was upheld or dismissed; `timeout` is the code of silence, which no person gives.
UpheldReason = Literal["evidence_accepted", "record_wrong", "not_riders_fault", "good_faith_report", "goodwill"]
UPHELD_REASONS: Final[tuple[UpheldReason, ...]] = get_args(UpheldReason)
DismissedReason = Literal["evidence_insufficient", "record_confirmed", "riders_fault", "outside_rules"]
DISMISSED_REASONS: Final[tuple[DismissedReason, ...]] = get_args(DismissedReason)
TIMEOUT: Final = "timeout"
# How the ids of the events begin that the answers to appeals post.
OWN_IDS: Final = "appeal:"
_COPIED: Final = ("city", "rider_kind", "order_id")
UPHELD, DISMISSED = "upheld", "dismissed"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a look at the deadlines came to.

    Parameters
    ----------
    num_over
        Appeals over their deadline that were looked at.
    refused
        Those of them that the ledger would not take back: they stay open, and the others are decided.
    """

    num_over: int
    refused: tuple[str, ...]


def file_appeal(
    unit: WriteUnit, rider_id: str, entry_id: str, reason_code: str, reason: str, evidence_ref: str | None, actor: str,
    *, key_id: str | None = None,
) -> tuple[Appeal, bool]:  # fmt: skip
    """File a rider's appeal against a deduction of theirs.

    Parameters
    ----------
    key_id
        The API key that it came with, if it came with one: whoever made that does not decide the appeal.

    Returns
    -------
    The appeal, and whether it is new: the same appeal again is the first one.

    Raises
    ------
    Refused
        entry_unknown, appeal_reason_unknown, words_too_long, appeal_differs (another appeal against the same entry),
        what `right_of` says against it, or `token_revoked` where the key has ended.
    """
    if reason_code not in REASONS:
        raise Refused(
            "appeal_reason_unknown",
            given=reason_code,
            allowed=coded(REASONS, lambda lang, code: text(lang, f"appeal.reason_{code}")),
        )
    reason, evidence_ref = trimmed(reason), trimmed(evidence_ref or "") or None
    city = lock_riders(unit, [rider_id])[rider_id].city
    # An erasure may have been waited for: it ends the rider's keys, and no words come after it.
    need_valid_key(unit, key_id)
    entry = select(entries).where(entries.c.entry_id == entry_id, entries.c.rider_id == rider_id)
    row = unit.connection.execute(entry).mappings().one_or_none()
    if row is None:
        raise Refused("entry_unknown", entry=entry_id)
    first = APPEALS.find(unit, f"ap_{entry_id}")
    if first is not None:
        if (first.reason_code, first.reason, first.evidence_ref) != (reason_code, reason, evidence_ref):
            raise Refused("appeal_differs", appeal=first.appeal_id)
        return first, False
    line = record_of(EntryLine, row)
    book = next(book for book in stored_program(unit).books if book.digest == line.book_digest)
    right = right_of(line, entry_id not in standing_lines(unit, [line]), book, unit.recorded_us, None)
    if right.why_not is not None:
        raise Refused(right.why_not, entry=entry_id, days=right.within_days)
    filed: dict[str, Any] = {
        "appeal_id": f"ap_{entry_id}",
        "rider_id": rider_id,
        "entry_id": entry_id,
        "event_id": line.event_id,
        "city": city,
        "book_digest": line.book_digest,
        "reason_code": reason_code,
        "filed_us": unit.recorded_us,
        "deadline_us": unit.recorded_us + terms_of(book.model).decide_days * US_PER_DAY,
    }
    unit.connection.execute(insert(appeals), filed | {"filed_by": actor, "filed_key": key_id})
    texts = {"appeal_id": filed["appeal_id"], "rider_id": rider_id, "reason": reason, "evidence_ref": evidence_ref}
    unit.connection.execute(insert(appeal_texts), texts)
    waiting = {name: filed[name] for name in ("appeal_id", "rider_id", "city", "deadline_us")}
    unit.connection.execute(insert(open_appeals), waiting)
    raise_revision(unit, [rider_id])
    add_audit_note(
        unit, actor, "appeal_filed", rider_id, appeal=filed["appeal_id"], entry=entry_id, reason=reason_code, city=city
    )
    return APPEALS.get(unit, filed["appeal_id"]), True


def decide_appeal(
    unit: WriteUnit, law: RulesInForce, appeal_id: str, upheld: bool, reason_code: str, reason: str, actor: str
) -> Appeal:
    """Answer an appeal, as a person (`actor`), with a reason code and words.

    The same answer by the same person again is the first one.

    Raises
    ------
    Refused
        appeal_unknown, decides_own, appeal_decided, appeal_overdue (a dismissal after the deadline, when silence has answered),
        appeal_reason_unknown, reason_missing, words_too_long, appeal_not_scored (the ledger will not take it back).
    """
    answer, allowed = (UPHELD, UPHELD_REASONS) if upheld else (DISMISSED, DISMISSED_REASONS)
    if reason_code not in allowed:
        words = coded(allowed, lambda lang, code: text(lang, f"appeal.{answer}_{code}"))
        raise Refused("appeal_reason_unknown", given=reason_code, allowed=words)
    reason = need_written(reason)
    appeal, _ = APPEALS.hold(unit, appeal_id, actor, lambda: behind_appeal(unit, _filing(unit, appeal_id)))
    first = appeal.decision
    if first is not None:
        # Words that were erased meanwhile cannot be told apart from those that come again.
        same = (answer, actor, reason_code, reason if first.reason is not None else None)
        if (first.decision, first.decided_by, first.reason_code, first.reason) == same:
            return appeal
        sent = {"decision": answer, "reason_code": reason_code, "reason": reason}
        raise already_decided(unit, "appeal_decided", appeal, first, (first.decision, first.reason_words), sent)
    if not upheld and unit.recorded_us >= appeal.deadline_us:
        raise Refused("appeal_overdue", appeal=appeal_id)
    if _close(unit, law, [appeal], answer, actor, reason_code, reason):
        raise Refused("appeal_not_scored", appeal=appeal_id)
    return APPEALS.get(unit, appeal_id)


def _filing(unit: WriteUnit, appeal_id: str) -> Any:
    """The row of an appeal, which says with which key it was filed."""
    return unit.connection.execute(select(appeals).where(appeals.c.appeal_id == appeal_id)).one()


def settle_appeals(
    unit: WriteUnit, law: RulesInForce, now_us: int, limit: int = 200, beside: Collection[str] = ()
) -> Settled:  # fmt: skip
    """Decide for the rider whatever nobody has answered by its deadline, the oldest first.

    Parameters
    ----------
    now_us
        Not later than the unit's clock.
    limit
        Appeals at most; call again in a new unit until nothing is left.
    beside
        Appeals to leave alone: those that were refused before.
    """
    if now_us > unit.recorded_us:
        raise ValueError("no deadline has passed that lies ahead of the clock")
    over = (
        select(open_appeals.c.appeal_id, open_appeals.c.rider_id)
        .join(appeals, appeals.c.appeal_id == open_appeals.c.appeal_id)
        .where(open_appeals.c.deadline_us <= now_us, open_appeals.c.appeal_id.not_in(sorted(beside)))
        .order_by(open_appeals.c.deadline_us, appeals.c.filed_us, open_appeals.c.appeal_id)
        .limit(limit)
    )
    due = unit.connection.execute(over).all()
    lock_riders(unit, (row.rider_id for row in due))
    # Another writer may have answered before the lock.
    still = among(unit, open_appeals.c.appeal_id, [row.appeal_id for row in due])
    open_yet = set(unit.connection.scalars(select(open_appeals.c.appeal_id).where(still))) if due else set()
    overdue = [APPEALS.get(unit, row.appeal_id) for row in due if row.appeal_id in open_yet]
    refused = _close(unit, law, overdue, UPHELD, TIMEOUT, TIMEOUT, "") if overdue else frozenset()
    return Settled(len(due), tuple(sorted(refused)))


def _close(
    unit: WriteUnit, law: RulesInForce, decided: Sequence[Appeal], answer: str, by: str, reason_code: str, reason: str
) -> frozenset[str]:
    """Write one answer to appeals whose riders' rows are locked; ids of those left open, since the ledger refuses them."""
    refused = _take_back(unit, law, decided) if answer == UPHELD else frozenset()
    decided = [appeal for appeal in decided if appeal.appeal_id not in refused]
    decisions = [
        {
            "appeal_id": appeal.appeal_id,
            "decision": answer,
            "decided_by": by,
            "reason_code": reason_code,
            "reason_digest": keep_words(unit, "appeal", appeal.appeal_id, appeal.rider_id, reason),
            "decided_us": unit.recorded_us,
        }
        for appeal in decided
    ]
    APPEALS.close(unit, decided, decisions)
    for appeal in decided:
        add_audit_note(
            unit, by, "appeal_decided", appeal.rider_id,
            appeal=appeal.appeal_id, entry=appeal.entry_id, decision=answer, reason=reason_code,
            city=appeal.city,
        )  # fmt: skip
    emit(unit, [_message(appeal, decision) for appeal, decision in zip(decided, decisions, strict=True)])
    return refused


def _message(appeal: Appeal, decision: dict[str, Any]) -> Message:
    answer = {name: decision[name] for name in ("appeal_id", "decision", "decided_by", "reason_code", "decided_us")}
    about = {"rider_id": appeal.rider_id, "city": appeal.city, "entry_id": appeal.entry_id, "event_id": appeal.event_id}
    data = about | answer
    return Message("appeal.decided", data, appeal.rider_id, appeal.city)


def _take_back(unit: WriteUnit, law: RulesInForce, upheld: Sequence[Appeal]) -> frozenset[str]:
    """Post an `appeal_upheld` event for each event appealed; its id is the appeal's, so it counts once.

    Also where nothing is deducted at the moment: a late record may enter the deduction again.

    Returns
    -------
    Ids of appeals whose event was refused.
    """
    to_post = {(appeal.rider_id, appeal.event_id): appeal for appeal in upheld}
    waived = select(events.c.rider_id, events.c.ref_event_id).where(events.c.kind == "appeal_upheld")
    for row in rows_among(unit, waived, events.c.rider_id, [rider for rider, _ in to_post]):
        to_post.pop((row.rider_id, row.ref_event_id), None)
    named = events_among(unit, to_post, (*_COPIED, "occurred_us"))
    rows = [_upheld(unit, event, to_post[identity]) for identity, event in named.items()]
    if not rows:
        return frozenset()
    answers = post_events(unit, law, pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))
    refused = {
        (row["rider_id"], row["ref_event_id"])
        for row, answer in zip(rows, answers, strict=True)
        if answer.status == "rejected"
    }
    return frozenset(appeal.appeal_id for appeal in upheld if (appeal.rider_id, appeal.event_id) in refused)


def _upheld(unit: WriteUnit, event: Any, appeal: Appeal) -> dict[str, Any]:
    return {
        "rider_id": event.rider_id,
        **{name: getattr(event, name) for name in _COPIED},
        "event_id": f"{OWN_IDS}{appeal.appeal_id}",
        "kind": "appeal_upheld",
        "occurred_us": max(unit.recorded_us, event.occurred_us),
        "ref_event_id": event.event_id,
    }
