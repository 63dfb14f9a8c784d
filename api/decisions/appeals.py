"""Appeals: a rider says why a deduction is wrong; a person answers with reasons, and silence answers for the rider.

An appeal that is upheld becomes an `appeal_upheld` event in the same transaction, so that the ledger takes the deduction
back as it takes back anything. Whoever writes holds the rider's row first: a person and the deadline cannot both answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import pyarrow as pa
from sqlalchemy import delete, insert, select

from api.access.keys import need_good
from api.access.separation_of_duties import behind_appeal, need_other_hand
from api.books.in_force import RulesInForce, stored_program
from api.db.audit_notes import add_audit_note
from api.db.bulk import add_rows, among, in_chunks, pairs_among
from api.db.decision_words import keep_words
from api.db.outbox import Message, emit
from api.db.rider_rows import lock_riders, raise_revision
from api.db.tables import appeal_decisions, appeal_texts, appeals, entries, events, open_appeals
from api.db.unit_of_work import WriteUnit
from api.decisions.already_decided import decided_first
from api.decisions.appeal_records import Appeal, AppealDecision, appeal_of, right_of, standing_lines, terms_of
from api.ledger.posting import post_events
from api.refusals import Refused
from api.words import Translated, coded, translated
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
UPHELD, DISMISSED = "upheld", "dismissed"
# Longest text of a rider or a person.
WORDS_MAX: Final = 2_000


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


def reason_words(reason_code: str) -> Translated:
    """A rider's reason in words."""
    return translated(lambda lang: text(lang, f"appeal.reason_{reason_code}"))


def answer_words(decision: AppealDecision) -> Translated:
    """The reason of an answer in words."""
    code = decision.reason_code
    if decision.decision == UPHELD:
        return translated(lambda lang: text(lang, f"appeal.upheld_{code}"))
    return translated(lambda lang: text(lang, f"appeal.dismissed_{code}"))


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
    reason, evidence_ref = _words(reason), _words(evidence_ref or "") or None
    city = lock_riders(unit, [rider_id])[rider_id].city
    # An erasure may have been waited for: it ends the rider's keys, and no words come after it.
    need_good(unit, key_id)
    own = (entries.c.entry_id == entry_id, entries.c.rider_id == rider_id)
    row = unit.connection.execute(select(entries).where(*own)).mappings().one_or_none()
    if row is None:
        raise Refused("entry_unknown", entry=entry_id)
    first = appeal_of(unit, f"ap_{entry_id}")
    if first is not None:
        said = (first.reason_code, first.reason, first.evidence_ref)
        if said != (reason_code, reason, evidence_ref):
            raise Refused("appeal_differs", appeal=first.appeal_id)
        return first, False
    line = EntryLine(**{name: row[name] for name in EntryLine.__dataclass_fields__})
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
    waits = {name: filed[name] for name in ("appeal_id", "rider_id", "city", "deadline_us")}
    unit.connection.execute(insert(open_appeals), waits)
    raise_revision(unit, [rider_id])
    add_audit_note(
        unit, actor, "appeal_filed", rider_id, appeal=filed["appeal_id"], entry=entry_id, reason=reason_code, city=city
    )
    return decided_appeal(unit, filed["appeal_id"]), True


def _words(words: str) -> str:
    """What a person wrote, without surrounding space."""
    if len(words) > WORDS_MAX:
        raise Refused("words_too_long", most=WORDS_MAX)
    return words.strip()


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
    allowed = UPHELD_REASONS if upheld else DISMISSED_REASONS
    if reason_code not in allowed:
        side = UPHELD if upheld else DISMISSED
        words = coded(allowed, lambda lang, code: text(lang, f"appeal.{side}_{code}"))
        raise Refused("appeal_reason_unknown", given=reason_code, allowed=words)
    reason = _words(reason)
    if not reason:
        raise Refused("reason_missing")
    found = appeal_of(unit, appeal_id)
    if found is None:
        raise Refused("appeal_unknown", appeal=appeal_id)
    filed = unit.connection.execute(select(appeals).where(appeals.c.appeal_id == appeal_id)).one()
    need_other_hand(actor, behind_appeal(unit, filed))
    lock_riders(unit, [found.rider_id])
    answer = UPHELD if upheld else DISMISSED
    found = decided_appeal(unit, appeal_id)
    if found.decision is not None:
        stands = found.decision
        # Words that were erased meanwhile cannot be told apart from those that come again.
        same = (answer, actor, reason_code, reason if stands.reason is not None else None)
        if (stands.decision, stands.decided_by, stands.reason_code, stands.reason) == same:
            return found
        sent = {"decision": answer, "reason_code": reason_code, "reason": reason}
        first, what = (stands.decided_by, stands.decided_us), (stands.decision, answer_words(stands))
        raise decided_first(unit, "appeal_decided", found.book_digest, first, what, sent)
    if not upheld and unit.recorded_us >= found.deadline_us:
        raise Refused("appeal_overdue", appeal=appeal_id)
    if _close(unit, law, [found], answer, actor, reason_code, reason):
        raise Refused("appeal_not_scored", appeal=appeal_id)
    return decided_appeal(unit, appeal_id)


def decided_appeal(unit: WriteUnit, appeal_id: str) -> Appeal:
    """An appeal that is known to be there."""
    found = appeal_of(unit, appeal_id)
    if found is None:
        raise KeyError(appeal_id)
    return found


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
    waiting = [row.appeal_id for row in due if row.appeal_id in open_yet]
    found = [decided_appeal(unit, appeal_id) for appeal_id in waiting]
    refused = _close(unit, law, found, UPHELD, TIMEOUT, TIMEOUT, "") if found else frozenset()
    return Settled(len(due), tuple(sorted(refused)))


def _close(
    unit: WriteUnit, law: RulesInForce, found: Sequence[Appeal], answer: str, by: str, reason_code: str, reason: str
) -> frozenset[str]:
    """Write one answer to appeals whose riders are held; ids of those left open, since the ledger will not follow."""
    refused = _take_back(unit, law, found) if answer == UPHELD else frozenset()
    found = [appeal for appeal in found if appeal.appeal_id not in refused]
    decisions = [
        {
            "appeal_id": appeal.appeal_id,
            "decision": answer,
            "decided_by": by,
            "reason_code": reason_code,
            "reason_digest": keep_words(unit, "appeal", appeal.appeal_id, appeal.rider_id, reason),
            "decided_us": unit.recorded_us,
        }
        for appeal in found
    ]
    add_rows(unit, appeal_decisions, decisions)
    for some in in_chunks([appeal.appeal_id for appeal in found]):
        unit.connection.execute(delete(open_appeals).where(among(unit, open_appeals.c.appeal_id, some)))
    raise_revision(unit, (appeal.rider_id for appeal in found))
    for appeal in found:
        add_audit_note(
            unit, by, "appeal_decided", appeal.rider_id,
            appeal=appeal.appeal_id, entry=appeal.entry_id, decision=answer, reason=reason_code,
            city=appeal.city,
        )  # fmt: skip
    emit(unit, [_message(appeal, decision) for appeal, decision in zip(found, decisions, strict=True)])
    return refused


def _message(appeal: Appeal, decision: dict[str, Any]) -> Message:
    says = ("appeal_id", "decision", "decided_by", "reason_code", "decided_us")
    own = {"rider_id": appeal.rider_id, "city": appeal.city, "entry_id": appeal.entry_id, "event_id": appeal.event_id}
    data = own | {name: decision[name] for name in says}
    return Message("appeal.decided", data, appeal.rider_id, appeal.city)


def _take_back(unit: WriteUnit, law: RulesInForce, found: Sequence[Appeal]) -> frozenset[str]:
    """Post an `appeal_upheld` event for each event appealed; its id is the appeal's, so it counts once.

    Also where nothing is deducted at the moment: a late record may enter the deduction again.

    Returns
    -------
    Ids of appeals whose event was refused.
    """
    wanted = {(appeal.rider_id, appeal.event_id): appeal for appeal in found}
    riders = sorted({rider for rider, _ in wanted})
    for some in in_chunks(riders):
        waived = select(events.c.rider_id, events.c.ref_event_id).where(
            among(unit, events.c.rider_id, some), events.c.kind == "appeal_upheld"
        )
        for row in unit.connection.execute(waived):
            wanted.pop((row.rider_id, row.ref_event_id), None)
    rows = [
        _upheld(unit, row, wanted[row["rider_id"], row["event_id"]])
        for some in in_chunks(sorted(wanted))
        for row in unit.connection.execute(
            select(events).where(pairs_among(unit, (events.c.rider_id, events.c.event_id), some))
        ).mappings()
    ]
    if not rows:
        return frozenset()
    answers = post_events(unit, law, pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))
    refused = {
        (row["rider_id"], row["ref_event_id"])
        for row, answer in zip(rows, answers, strict=True)
        if answer.status == "rejected"
    }
    return frozenset(appeal.appeal_id for appeal in found if (appeal.rider_id, appeal.event_id) in refused)


def _upheld(unit: WriteUnit, event: Any, appeal: Appeal) -> dict[str, Any]:
    kept = ("rider_id", "city", "rider_kind", "order_id")
    return {name: event[name] for name in kept} | {
        "event_id": f"{OWN_IDS}{appeal.appeal_id}",
        "kind": "appeal_upheld",
        "occurred_us": max(unit.recorded_us, event["occurred_us"]),
        "ref_event_id": event["event_id"],
    }
