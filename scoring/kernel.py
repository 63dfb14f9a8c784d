"""The only arithmetic on points: a fold of each rider's events, in time order, into entries and a new state.

Integers only, no I/O; the same code serves one event and a hundred million. What is due between events, caps and clamps
are entries of their own: opening score + running sum of deltas = score after every entry. Late events are `revise`'s.
"""

import numpy as np

from rules.compile import FIXED_LABELS, NO_TRAINING, ORDER_CAP_US, Program, Tables
from rules.compiled import compiled, inlined
from rules.events import KIND_CODE, KINDS, PARTY_CODE
from rules.units import US_PER_DAY
from scoring.columns import (
    AWARD,
    CAP,
    CLAMP,
    DEDUCT,
    ENTRY,
    FADE,
    FAR_US,
    I64,
    NO_EVENT,
    NO_TIME,
    RESET,
    REVIEW,
    TRAINING,
    Entries,
    Events,
    Liability,
)
from scoring.facts import F_LATE, F_TENURE, read_facts
from scoring.matching import holds, is_among, outcome
from scoring.pending import advance, next_reset_us, number_alike, push_fade
from scoring.state import (
    FIRST_FADE,
    NUM_ENTRIES,
    NUM_FADES,
    NUM_ORDERS,
    RiderScratch,
    State,
    bucket_of,
    find_by_key,
    load_rider,
    new_scratch,
    save_rider,
    trimmed,
    with_capacity,
)

NUM_KINDS = len(KINDS)
DELIVERED = KIND_CODE["delivered"]
TRAINING_PASSED = KIND_CODE["training_passed"]
CORRECTION = KIND_CODE["correction"]
APPEAL_UPHELD = KIND_CODE["appeal_upheld"]
NOBODY = PARTY_CODE["nobody"]
RIDER = PARTY_CODE["rider"]
L_BASE, L_NEWCOMER, L_COST_LIMIT, L_CEILING, L_FLOOR, L_FADING, L_RESET, L_TRAINING = range(len(FIXED_LABELS))
SCOPE_ORDER, SCOPE_DAY = 1, 2
DEDUCTED, AWARDED = 0, 1


@inlined
def _open_item(work: RiderScratch, ev: int, book: int, at_us: int, party: int, late_s: int, given_s: int) -> None:
    """Set what all entries of the next event or due instant have in common."""
    line = work.line[0]
    line.ev = ev
    line.book = book
    line.occurred_us = at_us
    line.item_us = at_us
    line.party = party
    line.late_s = late_s
    line.given_s = given_s


@inlined
def _write(out: Entries, work: RiderScratch, label: int, kind: int, delta_mp: int, money_fen: int) -> None:
    """Append one entry and move the score by its delta."""
    n = work.at[NUM_ENTRIES]
    work.at[NUM_ENTRIES] = n + 1
    work.rider[0].score_mp += delta_mp
    out[n] = work.line[0]
    line = out[n]
    line.label = label
    line.kind = kind
    line.of_kind = kind
    line.delta_mp = delta_mp
    line.score_after_mp = work.rider[0].score_mp
    line.money_fen = money_fen


@inlined
def _clamp(tables: Tables, out: Entries, work: RiderScratch, book: int) -> int:
    """Bring the score back into [floor, ceiling]; returns the delta."""
    score = work.rider[0].score_mp
    limits = tables.books[book]
    delta = 0
    if score > limits.ceiling_mp:
        delta = limits.ceiling_mp - score
        _write(out, work, L_CEILING, CLAMP, delta, 0)
    elif score < limits.floor_mp:
        delta = limits.floor_mp - score
        _write(out, work, L_FLOOR, CLAMP, delta, 0)
    return delta


@inlined
def tier_of(tables: Tables, book: int, score_mp: int) -> int:
    """Row of the tier that a score lies in."""
    tier = tables.books[book].tier_stop - 1
    while tier > tables.books[book].tier_first and tables.tiers[tier].min_mp > score_mp:
        tier -= 1
    return tier


@inlined
def _review(tables: Tables, out: Entries, work: RiderScratch, book: int) -> None:
    """Recommend a review by a person when the score enters a tier that asks for it; lift it when it leaves."""
    tier = tables.tiers[tier_of(tables, book, work.rider[0].score_mp)]
    if not tier.review:
        work.rider[0].review = 0
    elif not work.rider[0].review:
        work.rider[0].review = 1
        line = work.line[0]
        _open_item(work, line.ev, line.book, line.item_us, NOBODY, 0, 0)
        _write(out, work, tier.label, REVIEW, 0, 0)


@inlined
def _enter_book(tables: Tables, out: Entries, work: RiderScratch, book: int, at_us: int) -> None:
    """Take a rider to another book: a changed base moves the score, its scale bounds it; its tiers hold from now on."""
    rider = work.rider[0]
    base_mp = tables.books[book].base_mp
    if rider.book < 0:
        rider.score_mp = base_mp
    elif book != rider.book:
        written = work.at[NUM_ENTRIES]
        _open_item(work, NO_EVENT, book, at_us, NOBODY, 0, 0)
        if base_mp != rider.base_mp:
            _write(out, work, L_BASE, RESET, base_mp - rider.base_mp, 0)
        if base_mp != rider.base_mp or at_us > tables.old_until_us:
            lifted = _clamp(tables, out, work, book)
            if at_us > tables.old_until_us:
                advance(work, lifted)
        _review(tables, out, work, book)
        number_alike(out, work, written)
    rider.book = book
    rider.base_mp = base_mp
    rider.next_reset_us = next_reset_us(tables, book, at_us)


@inlined
def _switch_us(tables: Tables, work: RiderScratch, stays: bool) -> int:
    """When the rider's book gives way to its next version; `FAR_US` where the next event is still judged by it."""
    book = work.rider[0].book
    if stays or book < 0:
        return FAR_US
    return tables.books[book].next_us


@inlined
def _inside_us(tables: Tables, work: RiderScratch) -> int:
    """When a score that version 0.1.0 left outside its book's scale comes inside; `FAR_US` for all others."""
    rider = work.rider[0]
    if rider.book < 0 or tables.old_until_us < 0:
        return FAR_US
    limits = tables.books[rider.book]
    if limits.floor_mp <= rider.score_mp <= limits.ceiling_mp:
        return FAR_US
    return tables.old_until_us + 1


@inlined
def _next_due_us(tables: Tables, work: RiderScratch, stays: bool) -> int:
    due = min(work.rider[0].next_reset_us, _switch_us(tables, work, stays))
    due = min(due, _inside_us(tables, work))
    if work.at[FIRST_FADE] < work.at[NUM_FADES]:
        due = min(due, work.fades[work.at[FIRST_FADE]].due_us)
    return due


@inlined
def _settle_due(tables: Tables, out: Entries, work: RiderScratch, stays: bool) -> None:
    """Write the next thing due: the calendar reset, a new version's base, the oldest fade, or what 0.1.0 left undone."""
    rider = work.rider[0]
    k = work.at[FIRST_FADE]
    fade_us = work.fades[k].due_us if k < work.at[NUM_FADES] else FAR_US
    switch_us = _switch_us(tables, work, stays)
    book = rider.book
    inside_us = _inside_us(tables, work)
    if inside_us < rider.next_reset_us and inside_us < switch_us and inside_us < fade_us:
        _open_item(work, NO_EVENT, book, inside_us, NOBODY, 0, 0)
        advance(work, _clamp(tables, out, work, book))
        _review(tables, out, work, book)
    elif rider.next_reset_us <= switch_us and rider.next_reset_us <= fade_us:
        at_us = rider.next_reset_us
        delta = tables.books[book].base_mp - rider.score_mp
        if delta != 0:
            _open_item(work, NO_EVENT, book, at_us, NOBODY, 0, 0)
            _write(out, work, L_RESET, RESET, delta, 0)
            _review(tables, out, work, book)
        work.at[FIRST_FADE] = work.at[NUM_FADES]
        rider.next_reset_us = next_reset_us(tables, book, at_us)
    elif switch_us <= fade_us:
        _enter_book(tables, out, work, tables.books[book].next_book, switch_us)
    else:
        fade = work.fades[k]
        work.at[FIRST_FADE] = k + 1
        _open_item(work, fade.ev, fade.book, fade.due_us, NOBODY, 0, 0)
        _write(out, work, L_FADING, FADE, fade.mp, 0)
        work.line[0].book = book
        _clamp(tables, out, work, book)
        _review(tables, out, work, book)


@inlined
def _apply_group(tables: Tables, event: np.void, segment: int, out: Entries, work: RiderScratch) -> tuple[int, int]:
    """Write an entry per rule of one group that fires, and what the group's own cap gives back."""
    group = tables.segments[segment]
    deducted = 0
    awarded = 0
    for row in range(group.row_first, group.row_stop):
        number = tables.row_rule[row]
        rule = tables.rules[number]
        if not holds(tables, rule.test_first, rule.test_stop, work.facts):
            continue
        points, money = outcome(tables, number, work.facts[F_LATE], event.fee_fen)
        kind = DEDUCT if points < 0 or (points == 0 and money < 0) else AWARD
        if event.waived:
            points, money = max(points, 0), max(money, 0)
        _write(out, work, rule.label, kind, points, money)
        deducted += min(points, 0)
        awarded += max(points, 0)
        if not group.all:
            break
    back = 0
    if group.max_deduct_mp >= 0 and -deducted > group.max_deduct_mp:
        back += -deducted - group.max_deduct_mp
        deducted = -group.max_deduct_mp
    if group.max_award_mp >= 0 and awarded > group.max_award_mp:
        back -= awarded - group.max_award_mp
        awarded = group.max_award_mp
    if back != 0:
        _write(out, work, group.label, CAP, back, 0)
    return deducted, awarded


@inlined
def _protect(tables: Tables, event: np.void, out: Entries, work: RiderScratch, deducted: int) -> int:
    """Newcomer protection, then the limit on what one event may cost; returns what stays deducted."""
    book = tables.books[event.book]
    tenure = work.facts[F_TENURE]
    young = work.rider[0].num_delivered < book.newcomer_orders or 0 <= tenure < book.newcomer_days
    if deducted < 0 and young and is_among(book.newcomer_kinds, event.kind):
        _write(out, work, L_NEWCOMER, CAP, -deducted, 0)
        return 0
    limit = tables.limit_mp[event.book, event.rider_kind + 1]
    if 0 < limit < -deducted and is_among(book.limit_kinds, event.kind):
        _write(out, work, L_COST_LIMIT, CAP, -deducted - limit, 0)
        return -limit
    return deducted


@inlined
def _order_sum(work: RiderScratch, key: int, slot: int, since_us: int) -> tuple[int, int]:
    """What an order has cost and earned so far in a slot, from `since_us` on."""
    deducted, awarded = 0, 0
    k = work.latest[bucket_of(work, key)] - 1
    while k >= 0 and work.orders[k].at_us >= since_us:
        points = work.orders[k]
        if points.key == key and points.slot == slot:
            deducted += points.deducted_mp
            awarded += points.awarded_mp
        k = work.earlier[k] - 1
    return deducted, awarded


@inlined
def _apply_caps(
    tables: Tables, event: np.void, out: Entries, work: RiderScratch, deducted: int, awarded: int
) -> tuple[int, int]:
    """Caps per event, order and day, in the book's order; returns what stays deducted and awarded."""
    book = tables.books[event.book]
    for row in range(book.cap_first, book.cap_stop):
        cap = tables.caps[row]
        if not is_among(tables.slots[cap.slot].kinds, event.kind):
            continue
        before_down = 0
        before_up = 0
        if cap.scope == SCOPE_DAY:
            before_down = work.day_sum_mp[cap.slot, DEDUCTED]
            before_up = work.day_sum_mp[cap.slot, AWARDED]
        elif cap.scope == SCOPE_ORDER:
            if event.order_key == 0:
                continue
            before_down, before_up = _order_sum(work, event.order_key, cap.slot, event.occurred_us - ORDER_CAP_US)
        back = 0
        if cap.max_deduct_mp >= 0 and deducted < 0:
            over = max(0, min(-deducted, -before_down - deducted - cap.max_deduct_mp))
            back += over
            deducted += over
        if cap.max_award_mp >= 0 and awarded > 0:
            over = max(0, min(awarded, before_up + awarded - cap.max_award_mp))
            back -= over
            awarded -= over
        if back != 0:
            _write(out, work, cap.label, CAP, back, 0)
    return deducted, awarded


@inlined
def _remember(tables: Tables, event: np.void, work: RiderScratch, deducted: int, awarded: int) -> None:
    """Add an event's points to the sums that later caps look at."""
    if deducted == 0 and awarded == 0:
        return
    for slot in range(tables.slots.size):
        if not is_among(tables.slots[slot].kinds, event.kind):
            continue
        work.day_sum_mp[slot, DEDUCTED] += deducted
        work.day_sum_mp[slot, AWARDED] += awarded
        if tables.slots[slot].orders and event.order_key != 0:
            points = work.orders[work.at[NUM_ORDERS]]
            points.key = event.order_key
            points.at_us = event.occurred_us
            points.slot = slot
            points.deducted_mp = deducted
            points.awarded_mp = awarded
            find_by_key(work)


@inlined
def _train(tables: Tables, out: Entries, work: RiderScratch, book: int, at_us: int) -> int:
    """A passed course lifts the score at once, if the book has courses and the last one is long enough ago; returns the lift."""
    rider = work.rider[0]
    terms = tables.books[book]
    if terms.training_mp == NO_TRAINING:
        return 0
    if rider.last_training_us != NO_TIME and at_us - rider.last_training_us < terms.training_us:
        return 0
    rider.last_training_us = at_us
    lifted = max(0, terms.training_mp - rider.score_mp)
    _write(out, work, L_TRAINING, TRAINING, lifted, 0)
    return lifted


@inlined
def _score_event(
    tables: Tables, events: Events, liability: Liability, out: Entries, work: RiderScratch, i: int
) -> None:
    """One event: book, facts, rules, protections, caps, clamp, bonus, review, and the fade it leaves behind."""
    rider, event, judged = work.rider[0], events[i], liability[i]
    book, kind, at_us = np.int64(event.book), np.int64(event.kind), event.occurred_us
    if kind == CORRECTION or kind == APPEAL_UPHELD:
        return
    if rider.book != book:
        _enter_book(tables, out, work, book, at_us)
    read_facts(tables, events, liability, work, i)
    tier = tables.tiers[tier_of(tables, book, rider.score_mp)]
    party = NOBODY if event.waived and judged.party == RIDER else judged.party
    _open_item(work, i, book, at_us, party, judged.late_s, judged.given_s)

    deducted = np.int64(0)
    awarded = np.int64(0)
    segment = book * NUM_KINDS + kind
    for group in range(tables.segment_start[segment], tables.segment_start[segment + 1]):
        down, up = _apply_group(tables, event, group, out, work)
        deducted += down
        awarded += up
    deducted = _protect(tables, event, out, work, deducted)
    deducted, awarded = _apply_caps(tables, event, out, work, deducted, awarded)
    _remember(tables, event, work, deducted, awarded)
    lifted = np.int64(0)
    if kind == TRAINING_PASSED:
        lifted = _train(tables, out, work, book, at_us)
    clamped = _clamp(tables, out, work, book)
    if kind == DELIVERED:
        rider.num_delivered += 1
        if judged.late_s > 0:
            if judged.exempt or event.waived or judged.given_s >= judged.late_s:
                rider.num_exempt += 1
            else:
                rider.num_late += 1
        if tier.bonus_fen > 0:
            _write(out, work, tier.label, AWARD, 0, tier.bonus_fen)
    _review(tables, out, work, book)
    lost = -deducted - max(0, clamped)
    if tables.books[book].fade_us > 0 and lost > 0:
        push_fade(work, at_us + tables.books[book].fade_us, lost, i, book)
    if lifted > 0 and at_us > tables.old_until_us:
        # What the ceiling took was not lifted.
        advance(work, lifted + min(0, clamped))


@inlined
def _fold_rider(
    tables: Tables, events: Events, liability: Liability, out: Entries, work: RiderScratch,
    r: int, first: int, stop: int, until_us: int, keep_us: int, kept: State,
) -> None:  # fmt: skip
    """Events and what falls due between them, in time order; the state before `keep_us` is kept for the next run."""
    i = first
    saved = False
    while True:
        stays = i < stop and events[i].book == work.rider[0].book
        due = _next_due_us(tables, work, stays)
        if i < stop and due > events[i].occurred_us:
            at_us = events[i].occurred_us
        elif i < stop or due <= until_us:
            at_us = due
        else:
            break
        if not saved and at_us >= keep_us:
            save_rider(kept, work, r, at_us)
            saved = True
        if i < stop and at_us < due:
            _score_event(tables, events, liability, out, work, i)
            i += 1
        else:
            _settle_due(tables, out, work, stays)
    if not saved:
        save_rider(kept, work, r, min(keep_us, until_us))


@compiled(rows=1)
def _fold(
    tables: Tables, events: Events, liability: Liability, first: I64, stop: I64, state: State, until_us: I64,
    keep_us: int, work: RiderScratch, out: Entries, kept: State, head: State, max_entries: int, resume: int,
) -> int:  # fmt: skip
    """Fold riders from `resume` on until the entries might not fit; returns the next rider."""
    week_us = 7 * US_PER_DAY
    for r in range(resume, first.size):
        num_events = stop[r] - first[r]
        num_fades = state.fade_start[r + 1] - state.fade_start[r] + num_events
        bound = num_events * max_entries + 3 * num_fades + 6 + 3 * tables.books.size
        if state.riders[r].next_reset_us < until_us[r]:
            bound += 2 * ((until_us[r] - state.riders[r].next_reset_us) // week_us + 2)
        if num_events > 0:
            last_us = max(until_us[r], events[stop[r] - 1].occurred_us)
            bound += 2 * ((last_us - events[first[r]].occurred_us) // week_us + 2)
        if work.at[NUM_ENTRIES] + bound > out.size:
            return r
        load_rider(state, work, r)
        work.line[0].rider = r
        work.line[0].cause_ev = NO_EVENT
        _fold_rider(tables, events, liability, out, work, r, first[r], stop[r], until_us[r], keep_us, kept)
        save_rider(head, work, r, until_us[r])
    return first.size


def fold(
    program: Program,
    events: Events,
    liability: Liability,
    first: I64,
    stop: I64,
    state: State,
    until_us: I64,
    keep_us: int,
) -> tuple[Entries, State, State]:
    """Score whole riders.

    Parameters
    ----------
    program
        The books in play.
    events, liability
        n rows by rider, each rider's by (occurred_us, event_id).
    first, stop
        int64[R]; the rows of rider r that are folded are `first[r]:stop[r]`.
    state
        R riders as they were before their first row.
    until_us
        int64[R]; what falls due up to this instant is written even where no event follows.
    keep_us
        The third result is each rider before the first thing at or after this instant.

    Returns
    -------
    tuple[Entries, State, State]
        The entries, rider by rider in the order written; the riders at the end; the riders at `keep_us`.
    """
    tables = program.tables
    num_riders = first.size
    num_rows = stop - first
    order_slots = int(tables.slots["orders"].sum())
    work = new_scratch(state, int(num_rows.max(initial=0)), order_slots)
    head, kept = (with_capacity(state, int(num_rows.sum()), order_slots) for _ in range(2))
    chunks: list[Entries] = []
    rider, capacity = 0, 1024 + int(num_rows.sum()) * 3 // 2
    while rider < num_riders:
        out = np.empty(capacity, ENTRY)
        work.at[NUM_ENTRIES] = 0
        following = _fold(
            tables, events, liability, first, stop, state, until_us, keep_us, work, out, kept, head,
            program.max_entries, rider,
        )  # fmt: skip
        written = int(work.at[NUM_ENTRIES])
        chunks.append(out[:written])
        capacity = capacity if following > rider else capacity * 4
        rider = following
    entries = chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, ENTRY), *chunks])
    return entries, trimmed(head), trimmed(kept)
