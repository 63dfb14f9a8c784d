"""The only arithmetic on points: a fold of each rider's events, in time order, into entries and a new state.

Integers only, no I/O. The same code serves one event and a hundred million. What is due between events (fades,
calendar resets), caps and clamps are entries of their own, so that opening score + running sum of deltas = score
after every entry. Liability is an input; late events and corrections are `revise`'s.

A rider's registers are one int64 array (`Work.reg`), its positions named in `state`.
"""

import numpy as np
from numba import njit

from rules.compile import FACT_CODE, FIXED_LABELS, NO_TRAINING, ORDER_CAP_US, Program, Tables
from rules.events import KIND_CODE, KINDS, PARTY_CODE
from rules.units import PERMILLE, US_PER_DAY
from scoring.columns import (
    AWARD,
    CAP,
    CLAMP,
    DEDUCT,
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
    empty_entries,
)
from scoring.state import (
    AWARDED,
    BASE,
    BOOK,
    DAY_START,
    DEDUCTED,
    FIRST_FADE,
    LAST_TRAINING,
    MONTH,
    NEXT_RESET,
    NUM_DELIVERED,
    NUM_ENTRIES,
    NUM_FADES,
    NUM_ORDERS,
    REVIEW_FLAG,
    SCORE,
    State,
    Work,
    load,
    new_work,
    room,
    save,
    trimmed,
)

NUM_KINDS = len(KINDS)
DELIVERED = KIND_CODE["delivered"]
TRAINING_PASSED = KIND_CODE["training_passed"]
CORRECTION = KIND_CODE["correction"]
APPEAL_UPHELD = KIND_CODE["appeal_upheld"]
NOBODY = PARTY_CODE["nobody"]
RIDER = PARTY_CODE["rider"]
L_BASE, L_NEWCOMER, L_COST_LIMIT, L_CEILING, L_FLOOR, L_FADING, L_RESET, L_TRAINING = range(len(FIXED_LABELS))
US_PER_MINUTE = 60_000_000
MINUTES_PER_DAY = 1_440
SCOPE_ORDER, SCOPE_DAY = 1, 2

F_LATE = FACT_CODE["late_s"]
F_RIDER_KIND = FACT_CODE["rider_kind"]
F_TENURE = FACT_CODE["tenure_days"]
F_NUM_DELIVERED = FACT_CODE["num_delivered"]
F_WEATHER = FACT_CODE["weather_level"]
F_DISTANCE = FACT_CODE["distance_m"]
F_MINUTE = FACT_CODE["minute_of_day"]
F_NTH = FACT_CODE["nth_in_month"]
F_PARTY = FACT_CODE["party"]
F_LIABLE = FACT_CODE["liable"]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _write(
    out: Entries,
    work: Work,
    rider: int,
    ev: int,
    label: int,
    kind: int,
    delta_mp: int,
    money_fen: int,
    book: int,
    at_us: int,
    party: int,
    late_s: int,
    given_s: int,
) -> None:
    """Append one entry and move the score by its delta."""
    reg = work.reg
    n = reg[NUM_ENTRIES]
    reg[SCORE] += delta_mp
    out.rider[n] = rider
    out.ev[n] = ev
    out.label[n] = label
    out.kind[n] = kind
    out.of_kind[n] = kind
    out.delta_mp[n] = delta_mp
    out.score_after_mp[n] = reg[SCORE]
    out.money_fen[n] = money_fen
    out.party[n] = party
    out.late_s[n] = late_s
    out.given_s[n] = given_s
    out.book[n] = book
    out.occurred_us[n] = at_us
    out.item_us[n] = at_us
    out.cause_ev[n] = NO_EVENT
    reg[NUM_ENTRIES] = n + 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _clamp(
    tables: Tables,
    out: Entries,
    work: Work,
    rider: int,
    ev: int,
    book: int,
    at_us: int,
    party: int,
    late_s: int,
    given_s: int,
) -> int:
    """Bring the score back into [floor, ceiling]; returns the delta."""
    score = work.reg[SCORE]
    if score > tables.ceiling_mp[book]:
        delta = tables.ceiling_mp[book] - score
        _write(out, work, rider, ev, L_CEILING, CLAMP, delta, 0, book, at_us, party, late_s, given_s)
        return delta  # type: ignore[no-any-return]
    if score < tables.floor_mp[book]:
        delta = tables.floor_mp[book] - score
        _write(out, work, rider, ev, L_FLOOR, CLAMP, delta, 0, book, at_us, party, late_s, given_s)
        return delta  # type: ignore[no-any-return]
    return 0


@njit(cache=True)  # type: ignore[untyped-decorator]
def tier_of(tables: Tables, book: int, score_mp: int) -> int:
    """Row of the tier that a score lies in."""
    tier = tables.tier_start[book + 1] - 1
    while tier > tables.tier_start[book] and tables.tier_min_mp[tier] > score_mp:
        tier -= 1
    return tier  # type: ignore[no-any-return]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _review(tables: Tables, out: Entries, work: Work, rider: int, ev: int, book: int, at_us: int) -> None:
    """Recommend a review by a person when the score enters a tier that asks for it; lift it when it leaves."""
    tier = tier_of(tables, book, work.reg[SCORE])
    if not tables.tier_review[tier]:
        work.reg[REVIEW_FLAG] = 0
    elif not work.reg[REVIEW_FLAG]:
        work.reg[REVIEW_FLAG] = 1
        _write(out, work, rider, ev, tables.tier_label[tier], REVIEW, 0, 0, book, at_us, NOBODY, 0, 0)


@njit(cache=True)  # type: ignore[untyped-decorator]
def day_of(tables: Tables, book: int, at_us: int) -> int:
    """Local day (index of the calendar) of an instant under a book."""
    starts = tables.day_start_us[tables.cal[book]]
    # Days are 24 h but for daylight saving: the guess is off by one at most.
    day = (at_us - starts[0]) // US_PER_DAY
    day = min(max(day, 0), starts.size - 2)
    while day > 0 and starts[day] > at_us:
        day -= 1
    while day < starts.size - 2 and starts[day + 1] <= at_us:
        day += 1
    return day  # type: ignore[no-any-return]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _next_reset_us(tables: Tables, book: int, at_us: int) -> int:
    """First instant of the next calendar period after `at_us`; `FAR_US` where the book does not reset."""
    row = tables.reset_period[book]
    if row < 0:
        return FAR_US
    calendar = tables.cal[book]
    period = tables.day_period[calendar, row]
    day = day_of(tables, book, at_us)
    later = day + 1
    while later < period.size and period[later] == period[day]:
        later += 1
    if later >= period.size:
        return FAR_US
    return tables.day_start_us[calendar, later]  # type: ignore[no-any-return]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _push_fade(work: Work, due_us: int, amount_mp: int, ev: int, book: int) -> None:
    """Remember a deduction to be returned; the list stays ordered by due time."""
    reg = work.reg
    at = reg[NUM_FADES]
    while at > reg[FIRST_FADE] and work.fade_due[at - 1] > due_us:
        work.fade_due[at] = work.fade_due[at - 1]
        work.fade_mp[at] = work.fade_mp[at - 1]
        work.fade_ev[at] = work.fade_ev[at - 1]
        work.fade_book[at] = work.fade_book[at - 1]
        at -= 1
    work.fade_due[at] = due_us
    work.fade_mp[at] = amount_mp
    work.fade_ev[at] = ev
    work.fade_book[at] = book
    reg[NUM_FADES] += 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _next_due_us(work: Work) -> int:
    reg = work.reg
    due = reg[NEXT_RESET]
    if reg[FIRST_FADE] < reg[NUM_FADES]:
        due = min(due, work.fade_due[reg[FIRST_FADE]])
    return due  # type: ignore[no-any-return]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _settle_due(tables: Tables, out: Entries, work: Work, rider: int) -> None:
    """Write the next thing due: the calendar reset, or the oldest fade."""
    reg = work.reg
    at_us = reg[NEXT_RESET]
    if reg[FIRST_FADE] >= reg[NUM_FADES] or at_us <= work.fade_due[reg[FIRST_FADE]]:
        book = reg[BOOK]
        delta = tables.base_mp[book] - reg[SCORE]
        if delta != 0:
            _write(out, work, rider, NO_EVENT, L_RESET, RESET, delta, 0, book, at_us, NOBODY, 0, 0)
            _review(tables, out, work, rider, NO_EVENT, book, at_us)
        reg[FIRST_FADE] = reg[NUM_FADES]
        reg[NEXT_RESET] = _next_reset_us(tables, book, at_us)
        return
    k = reg[FIRST_FADE]
    reg[FIRST_FADE] += 1
    at_us, ev, book = work.fade_due[k], work.fade_ev[k], work.fade_book[k]
    _write(out, work, rider, ev, L_FADING, FADE, work.fade_mp[k], 0, book, at_us, NOBODY, 0, 0)
    _clamp(tables, out, work, rider, ev, reg[BOOK], at_us, NOBODY, 0, 0)
    _review(tables, out, work, rider, ev, reg[BOOK], at_us)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _enter_book(tables: Tables, out: Entries, work: Work, rider: int, book: int, at_us: int) -> None:
    """Take a rider to the book of the event at hand: a changed base moves the score, points earned are kept."""
    reg = work.reg
    if reg[BOOK] < 0:
        reg[SCORE] = tables.base_mp[book]
    elif tables.base_mp[book] != reg[BASE]:
        delta = tables.base_mp[book] - reg[BASE]
        _write(out, work, rider, NO_EVENT, L_BASE, RESET, delta, 0, book, at_us, NOBODY, 0, 0)
        _clamp(tables, out, work, rider, NO_EVENT, book, at_us, NOBODY, 0, 0)
    reg[BOOK] = book
    reg[BASE] = tables.base_mp[book]
    reg[NEXT_RESET] = _next_reset_us(tables, book, at_us)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _read_facts(tables: Tables, events: Events, liability: Liability, work: Work, i: int) -> None:
    """Fill the facts of event i and open its local day and month."""
    reg, facts = work.reg, work.facts
    book = events.book[i]
    calendar = tables.cal[book]
    day = day_of(tables, book, events.occurred_us[i])
    day_start = tables.day_start_us[calendar, day]
    if reg[DAY_START] != day_start:
        reg[DAY_START] = day_start
        work.day_sum[:] = 0
    month = tables.day_period[calendar, 1, day]
    if reg[MONTH] != month:
        reg[MONTH] = month
        work.month_count[:] = 0
    late_s = liability.late_s[i]
    if not tables.gross[book]:
        late_s = 0 if liability.exempt[i] else late_s - liability.given_s[i]
    facts[F_LATE] = late_s
    facts[F_RIDER_KIND] = events.rider_kind[i]
    facts[F_TENURE] = -1
    if events.joined_us[i] != NO_TIME:
        facts[F_TENURE] = max(0, day - day_of(tables, book, events.joined_us[i]))
    facts[F_NUM_DELIVERED] = reg[NUM_DELIVERED]
    facts[F_WEATHER] = liability.weather[i]
    facts[F_DISTANCE] = events.distance_m[i]
    later = 1 if events.occurred_us[i] >= tables.day_change_us[calendar, day] else 0
    local_us = events.occurred_us[i] + tables.day_offset_us[calendar, day, later]
    facts[F_MINUTE] = (local_us // US_PER_MINUTE) % MINUTES_PER_DAY
    slot = tables.nth_slot[events.kind[i]]
    if slot >= 0:
        work.month_count[slot] += 1
        facts[F_NTH] = work.month_count[slot]
    else:
        facts[F_NTH] = -1
    facts[F_PARTY] = events.party[i]
    facts[F_LIABLE] = liability.party[i]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _holds(tables: Tables, rule: int, facts: I64) -> bool:
    for c in range(tables.rule_cond[rule], tables.rule_cond[rule + 1]):
        value = facts[tables.cond_fact[c]]
        if tables.cond_codes[c] >= 0:
            if value < 0 or not (tables.cond_codes[c] >> value) & 1:
                return False
        elif value < tables.cond_lo[c] or value > tables.cond_hi[c]:
            return False
    return True


@njit(cache=True)  # type: ignore[untyped-decorator]
def _slide(x: I64, v: I64, first: int, stop: int, late_s: int) -> tuple[int, int]:
    """Value at a lateness as (numerator, denominator): linear between corners, flat outside."""
    if stop - first == 1 or late_s <= x[first]:
        return v[first], 1
    for k in range(first + 1, stop):
        if late_s <= x[k]:
            width = x[k] - x[k - 1]
            return v[k - 1] * width + (v[k] - v[k - 1]) * (late_s - x[k - 1]), width
    return v[stop - 1], 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _truncated(numerator: int, denominator: int) -> int:
    """Quotient rounded toward zero."""
    if numerator >= 0:
        return numerator // denominator
    return -((-numerator) // denominator)


@njit(cache=True)  # type: ignore[untyped-decorator]
def outcome(tables: Tables, rule: int, late_s: int, fee_fen: int) -> tuple[int, int]:
    """Points (mp) and money (fen) of a rule that matched, before any cap."""
    top, bottom = _slide(
        tables.points_x, tables.points_v, tables.rule_points[rule], tables.rule_points[rule + 1], late_s
    )
    points_mp = _truncated(top, bottom)
    top, bottom = _slide(tables.share_x, tables.share_v, tables.rule_share[rule], tables.rule_share[rule + 1], late_s)
    money_fen = tables.rule_money_fen[rule]
    if top != 0 and fee_fen > 0:
        money_fen += _truncated(fee_fen * top, bottom * PERMILLE)
    return points_mp, money_fen


@njit(cache=True)  # type: ignore[untyped-decorator]
def _apply_rules(
    tables: Tables, events: Events, liability: Liability, out: Entries, work: Work, i: int, party: int
) -> tuple[int, int]:
    """Write an entry per rule that fires, and the groups' own caps; returns points deducted (<= 0) and awarded."""
    rider, book, at_us = events.rider[i], events.book[i], events.occurred_us[i]
    late_s, given_s = liability.late_s[i], liability.given_s[i]
    deducted = 0
    awarded = 0
    segment = book * NUM_KINDS + events.kind[i]
    for seg in range(tables.seg_start[segment], tables.seg_start[segment + 1]):
        down = 0
        up = 0
        for row in range(tables.seg_row[seg], tables.seg_row[seg + 1]):
            rule = tables.row_rule[row]
            if not _holds(tables, rule, work.facts):
                continue
            points, money = outcome(tables, rule, work.facts[F_LATE], events.fee_fen[i])
            kind = DEDUCT if points < 0 or (points == 0 and money < 0) else AWARD
            if events.waived[i]:
                points, money = max(points, 0), max(money, 0)
            _write(
                out, work, rider, i, tables.rule_label[rule], kind, points, money, book, at_us, party, late_s, given_s
            )
            down += min(points, 0)
            up += max(points, 0)
            if not tables.seg_all[seg]:
                break
        most_down = tables.seg_deduct_mp[seg]
        most_up = tables.seg_award_mp[seg]
        back = 0
        if most_down >= 0 and -down > most_down:
            back += -down - most_down
            down = -most_down
        if most_up >= 0 and up > most_up:
            back -= up - most_up
            up = most_up
        if back != 0:
            _write(out, work, rider, i, tables.seg_label[seg], CAP, back, 0, book, at_us, party, late_s, given_s)
        deducted += down
        awarded += up
    return deducted, awarded


@njit(cache=True)  # type: ignore[untyped-decorator]
def _order_sum(work: Work, key: int, slot: int, side: int, since_us: int) -> int:
    """What an order has cost or earned so far in a slot, from `since_us` on."""
    total = 0
    k = work.reg[NUM_ORDERS] - 1
    while k >= 0 and work.order_us[k] >= since_us:
        if work.order_key[k] == key and work.order_slot[k] == slot:
            total += work.order_mp[k, side]
        k -= 1
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def _protect(
    tables: Tables, events: Events, liability: Liability, out: Entries, work: Work, i: int, deducted: int, party: int
) -> int:
    """Newcomer protection, then the limit on what one event may cost; returns what stays deducted."""
    rider, book, at_us = events.rider[i], events.book[i], events.occurred_us[i]
    late_s, given_s = liability.late_s[i], liability.given_s[i]
    tenure = work.facts[F_TENURE]
    young = work.reg[NUM_DELIVERED] < tables.newcomer_orders[book] or 0 <= tenure < tables.newcomer_days[book]
    if deducted < 0 and young and tables.newcomer_kinds[book] >> events.kind[i] & 1:
        _write(out, work, rider, i, L_NEWCOMER, CAP, -deducted, 0, book, at_us, party, late_s, given_s)
        return 0
    limit = tables.limit_mp[book, events.rider_kind[i] + 1]
    if limit > 0 and -deducted > limit and tables.limit_kinds[book] >> events.kind[i] & 1:
        _write(out, work, rider, i, L_COST_LIMIT, CAP, -deducted - limit, 0, book, at_us, party, late_s, given_s)
        return -limit  # type: ignore[no-any-return]
    return deducted


@njit(cache=True)  # type: ignore[untyped-decorator]
def _apply_caps(
    tables: Tables,
    events: Events,
    liability: Liability,
    out: Entries,
    work: Work,
    i: int,
    deducted: int,
    awarded: int,
    party: int,
) -> tuple[int, int]:
    """Caps per event, order and day, in the book's order; returns what stays deducted and awarded."""
    rider, book, at_us = events.rider[i], events.book[i], events.occurred_us[i]
    for cap in range(tables.cap_start[book], tables.cap_start[book + 1]):
        slot = tables.cap_slot[cap]
        if not tables.slot_kinds[slot] >> events.kind[i] & 1:
            continue
        before_down = 0
        before_up = 0
        if tables.cap_scope[cap] == SCOPE_DAY:
            before_down = work.day_sum[slot, DEDUCTED]
            before_up = work.day_sum[slot, AWARDED]
        elif tables.cap_scope[cap] == SCOPE_ORDER:
            key = events.order_key[i]
            if key == 0:
                continue
            since_us = at_us - ORDER_CAP_US
            before_down = _order_sum(work, key, slot, DEDUCTED, since_us)
            before_up = _order_sum(work, key, slot, AWARDED, since_us)
        back = 0
        if tables.cap_deduct_mp[cap] >= 0 and deducted < 0:
            over = min(-deducted, -before_down - deducted - tables.cap_deduct_mp[cap])
            if over > 0:
                back += over
                deducted += over
        if tables.cap_award_mp[cap] >= 0 and awarded > 0:
            over = min(awarded, before_up + awarded - tables.cap_award_mp[cap])
            if over > 0:
                back -= over
                awarded -= over
        if back != 0:
            _write(
                out, work, rider, i, tables.cap_label[cap], CAP, back, 0, book, at_us,
                party, liability.late_s[i], liability.given_s[i],
            )  # fmt: skip
    return deducted, awarded


@njit(cache=True)  # type: ignore[untyped-decorator]
def _remember(tables: Tables, events: Events, work: Work, i: int, deducted: int, awarded: int) -> None:
    """Add an event's points to the sums that later caps look at."""
    if deducted == 0 and awarded == 0:
        return
    reg = work.reg
    for slot in range(tables.slot_kinds.size):
        if not tables.slot_kinds[slot] >> events.kind[i] & 1:
            continue
        work.day_sum[slot, DEDUCTED] += deducted
        work.day_sum[slot, AWARDED] += awarded
        if tables.slot_orders[slot] and events.order_key[i] != 0:
            k = reg[NUM_ORDERS]
            work.order_key[k] = events.order_key[i]
            work.order_us[k] = events.occurred_us[i]
            work.order_slot[k] = slot
            work.order_mp[k, DEDUCTED] = deducted
            work.order_mp[k, AWARDED] = awarded
            reg[NUM_ORDERS] += 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _train(tables: Tables, out: Entries, work: Work, rider: int, i: int, book: int, at_us: int) -> None:
    """A passed course lifts the score at once, if the book has courses and the last one is long enough ago."""
    reg = work.reg
    if tables.training_mp[book] == NO_TRAINING:
        return
    if reg[LAST_TRAINING] != NO_TIME and at_us - reg[LAST_TRAINING] < tables.training_us[book]:
        return
    reg[LAST_TRAINING] = at_us
    delta = max(0, tables.training_mp[book] - reg[SCORE])
    _write(out, work, rider, i, L_TRAINING, TRAINING, delta, 0, book, at_us, NOBODY, 0, 0)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _score_event(tables: Tables, events: Events, liability: Liability, out: Entries, work: Work, i: int) -> None:
    """One event: book, facts, rules, protections, caps, clamp, bonus, review, and the fade it leaves behind."""
    reg = work.reg
    rider, book, at_us, kind = events.rider[i], events.book[i], events.occurred_us[i], events.kind[i]
    if kind == CORRECTION or kind == APPEAL_UPHELD:
        return
    if reg[BOOK] != book:
        _enter_book(tables, out, work, rider, book, at_us)
    _read_facts(tables, events, liability, work, i)
    tier = tier_of(tables, book, reg[SCORE])
    party = liability.party[i]
    if events.waived[i] and party == RIDER:
        party = NOBODY
    late_s, given_s = liability.late_s[i], liability.given_s[i]

    deducted, awarded = _apply_rules(tables, events, liability, out, work, i, party)
    deducted = _protect(tables, events, liability, out, work, i, deducted, party)
    deducted, awarded = _apply_caps(tables, events, liability, out, work, i, deducted, awarded, party)
    _remember(tables, events, work, i, deducted, awarded)
    if kind == TRAINING_PASSED:
        _train(tables, out, work, rider, i, book, at_us)
    clamped = _clamp(tables, out, work, rider, i, book, at_us, party, late_s, given_s)
    if kind == DELIVERED:
        reg[NUM_DELIVERED] += 1
        bonus = tables.tier_bonus_fen[tier]
        if bonus > 0:
            _write(out, work, rider, i, tables.tier_label[tier], AWARD, 0, bonus, book, at_us, party, late_s, given_s)
    _review(tables, out, work, rider, i, book, at_us)
    lost = -deducted - max(0, clamped)
    if tables.fade_us[book] > 0 and lost > 0:
        _push_fade(work, at_us + tables.fade_us[book], lost, i, book)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _fold_rider(
    tables: Tables, events: Events, liability: Liability, out: Entries, work: Work,
    rider: int, first: int, stop: int, until_us: int, keep_us: int, kept: State,
) -> None:  # fmt: skip
    """Events and what falls due between them, in time order; the state before `keep_us` is kept for the next run."""
    i = first
    saved = False
    while True:
        due = _next_due_us(work)
        if i < stop and due > events.occurred_us[i]:
            at_us = events.occurred_us[i]
        elif i < stop or due <= until_us:
            at_us = due
        else:
            break
        if not saved and at_us >= keep_us:
            save(kept, work, rider, at_us)
            saved = True
        if i < stop and at_us < due:
            _score_event(tables, events, liability, out, work, i)
            i += 1
        else:
            _settle_due(tables, out, work, rider)
    if not saved:
        save(kept, work, rider, min(keep_us, until_us))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _fold(
    tables: Tables, events: Events, liability: Liability, first: I64, stop: I64, state: State, until_us: I64, keep_us: int,
    work: Work, out: Entries, kept: State, head: State, max_entries: int, resume: int,
) -> int:  # fmt: skip
    """Fold riders from `resume` on until the entries might not fit; returns the next rider."""
    reg = work.reg
    week_us = 7 * US_PER_DAY
    for r in range(resume, first.size):
        num_events = stop[r] - first[r]
        num_fades = state.fade_start[r + 1] - state.fade_start[r] + num_events
        bound = num_events * max_entries + 3 * num_fades + 4
        if state.next_reset_us[r] < until_us[r]:
            bound += 2 * ((until_us[r] - state.next_reset_us[r]) // week_us + 2)
        if num_events > 0:
            last_us = max(until_us[r], events.occurred_us[stop[r] - 1])
            bound += 2 * ((last_us - events.occurred_us[first[r]]) // week_us + 2)
        if reg[NUM_ENTRIES] + bound > out.rider.size:
            return r
        load(state, work, r)
        _fold_rider(tables, events, liability, out, work, r, first[r], stop[r], until_us[r], keep_us, kept)
        save(head, work, r, until_us[r])
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
    The entries, rider by rider in the order written; the state at the end; the state at `keep_us`.
    """
    tables = program.tables
    num_riders = first.size
    num_rows = stop - first
    order_slots = int(tables.slot_orders.sum())
    work = new_work(state, int(num_rows.max(initial=0)), order_slots)
    head, kept = (room(state, int(num_rows.sum()), order_slots) for _ in range(2))
    chunks: list[Entries] = []
    rider, capacity = 0, 1024 + int(num_rows.sum()) * 3 // 2
    while rider < num_riders:
        out = empty_entries(capacity)
        work.reg[NUM_ENTRIES] = 0
        following = _fold(
            tables, events, liability, first, stop, state, until_us, keep_us, work, out, kept, head,
            program.max_entries, rider,
        )  # fmt: skip
        written = int(work.reg[NUM_ENTRIES])
        chunks.append(Entries(*(column[:written] for column in out)))
        capacity = capacity if following > rider else capacity * 4
        rider = following
    if len(chunks) == 1:
        return chunks[0], trimmed(head), trimmed(kept)
    chunks.append(empty_entries(0))
    entries = Entries(*(np.concatenate(columns) for columns in zip(*chunks, strict=True)))
    return entries, trimmed(head), trimmed(kept)
