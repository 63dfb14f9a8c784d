"""Faults to plant: a file, what stands there once, what to put in its place, and the tests that must notice.

Only faults that change what somebody can see; one that no test notices gets a test, and then a row here.
"""

from typing import NamedTuple


class Planted(NamedTuple):
    """One fault."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_EDGES = ("tests/scoring/test_boundaries.py",)
_STORE_EDGES = ("tests/api/ledger/test_boundaries.py",)
_CARDS = ("tests/api/riders/test_cards.py",)
_REPLAYS = ("tests/api/ledger/test_replays.py", "-k", "folded_once or again_and_again or came_first")

PLANTED = (
    Planted(
        "api/ledger/reach.py", "if event.occurred_us >= first_us)", "if event.occurred_us < first_us)", _STORE_EDGES
    ),
    Planted("api/ledger/reach.py", "if from_us < keep_us[rider]}", "if from_us <= 0}", _STORE_EDGES),
    Planted("api/ledger/posting.py", "occurred_us > latest_us", "occurred_us >= latest_us", _STORE_EDGES),
    Planted("api/ledger/posting.py", "occurred_us > latest_us", "occurred_us > latest_us + 1", _STORE_EDGES),
    Planted(
        "api/endpoints/common/auth.py",
        "if key.expires_us is not None and key.expires_us <= now:",
        "if key.expires_us is not None and key.expires_us <= 0:",
        ("tests/api/endpoints/common/test_auth.py",),
    ),
    Planted(
        "api/webhooks/deliveries.py",
        "            attempts.num_attempts == attempt.num_attempts,\n",
        "",
        ("tests/api/webhooks/test_deliveries.py", "-k", "overtaken"),
    ),
    Planted(
        "api/books/planned_changes.py",
        "newest[0].model.effective_from >= book.model.effective_from",
        "newest[0].model.effective_from > book.model.effective_from",
        ("tests/api/books/test_drafts.py", "-k", "older_one"),
    ),
    Planted(
        "scoring/liability.py",
        "gained += high - low - _overlap_us(low, high, own_from, own_to)",
        "gained += high - low",
        _EDGES,
    ),
    Planted(
        "scoring/liability.py",
        "            reached = high\n",
        "            reached = low\n",
        ("tests/scoring/test_hand_worked.py",),
    ),
    Planted("scoring/liability.py", "-(-given_us // US_PER_S)", "given_us // US_PER_S", _EDGES),
    Planted("scoring/liability.py", "apart_us <= tables.books", "apart_us < tables.books", _EDGES),
    Planted("scoring/kernel.py", "work.orders[k].at_us >= since_us", "work.orders[k].at_us > since_us", _EDGES),
    Planted("scoring/kernel.py", "event.occurred_us - ORDER_CAP_US", "event.occurred_us - ORDER_CAP_US - 1", _EDGES),
    Planted("scoring/state.py", ">= at_us - ORDER_CAP_US", "> at_us - ORDER_CAP_US", _EDGES),
    Planted("scoring/carry.py", ">= keep_us - late_us)", "> keep_us - late_us)", _EDGES),
    Planted("scoring/carry.py", "old & (together | (word", "old & ((word", _EDGES),
    Planted(
        "simulations/run.py",
        "return (worked_s > 0) & (ranks < chance * MILLION)",
        "return (worked_s > 0) & (ranks <= chance * MILLION)",
        ("tests/simulations/test_directions.py",),
    ),
    Planted(
        "simulations/run.py",
        "return (worked_s > 0) & (ranks < chance * MILLION)",
        "return (worked_s >= 0) & (ranks < chance * MILLION)",
        ("tests/simulations/test_directions.py",),
    ),
    Planted(
        "simulations/run.py",
        "if plan.blind else permille",
        "if plan.blind else 2_000 - permille",
        ("tests/simulations/test_directions.py",),
    ),
    Planted(
        "scoring/prepare.py",
        "overtaken[new] = new < last[self.ref[new]]",
        "overtaken[new] = 0",
        ("tests/scoring/test_many_corrections.py",),
    ),
    Planted(
        "scoring/causes.py",
        "applied[k].controls[half:]]",
        "applied[k].controls[half + 1 :]]",
        ("tests/scoring/test_many_corrections.py",),
    ),
    Planted("api/ledger/replay_merge.py", "return None if reaches else since", "return since", _REPLAYS),
    Planted("api/ledger/replay_merge.py", "replay.lines.before(replay.keep_us)", "replay.lines.before(0)", _REPLAYS),
    Planted(
        "api/ledger/rider_past.py",
        'key=lambda row: (row["occurred_us"],',
        'key=lambda row: (-row["occurred_us"],',
        _REPLAYS,
    ),
    Planted(
        "dispatch/problem.py",
        "PRIORITY_NEUTRAL * PRIORITY_NEUTRAL // priority",
        "priority",
        ("tests/dispatch/test_rounds.py", "-k", "priority"),
    ),
    Planted(
        "api/books/checking.py",
        "if start_us(model) <= now_us + MARGIN_US:",
        "if start_us(model) < now_us + MARGIN_US:",
        ("tests/api/books/test_drafts.py", "-k", "leaves_time"),
    ),
    Planted(
        "api/riders/cards.py",
        "(points_mp + MP_PER_TENTH // 2 + _FAR_MP)",
        "(points_mp + _FAR_MP)",
        (*_CARDS, "-k", "tenths_are"),
    ),
    Planted(
        "api/riders/forecast.py",
        "return -(-(target_mp - score_mp) // award_mp)",
        "return (target_mp - score_mp) // award_mp",
        (*_CARDS, "-k", "takes_back"),
    ),
    Planted(
        "api/cities/figures.py",
        "gaps[gaps >= BREAK_US]",
        "gaps[gaps > BREAK_US]",
        ("tests/api/cities/test_dashboard.py", "-k", "are_a_break"),
    ),
    Planted(
        "api/db/idempotency.py",
        "lease_us > unit.recorded_us:\n        return",
        "lease_us >= unit.recorded_us:\n        return",
        ("tests/api/db/test_idempotency.py",),
    ),
    Planted(
        "api/webhooks/deliveries.py",
        "if attempt.num_attempts > len(RETRY_S):",
        "if attempt.num_attempts >= len(RETRY_S):",
        ("tests/api/webhooks/test_deliveries.py", "-k", "every_wait"),
    ),
    Planted(
        "api/endpoints/common/jwts.py",
        "if expires + LEEWAY_S <= at_s:",
        "if expires + LEEWAY_S < at_s:",
        ("tests/api/endpoints/common/test_issuer_keys.py", "-k", "good_to_the"),
    ),
    Planted(
        "api/endpoints/common/rate_limits.py",
        "remaining=-over_us // self._step_us,",
        "remaining=-over_us // self._step_us + 1,",
        ("tests/api/endpoints/common/test_bounds.py", "-k", "left_of_it"),
    ),
    Planted(
        "api/endpoints/common/write_queue.py",
        "place.item.num_rows > ROWS_AT_ONCE:",
        "place.item.num_rows >= ROWS_AT_ONCE:",
        ("tests/api/endpoints/common/test_write_queue.py", "-k", "taken_along"),
    ),
    Planted(
        "rules/units.py",
        "return (points_mp + MP_PER_TENTH // 2) // MP_PER_TENTH",
        "return points_mp // MP_PER_TENTH",
        ("tests/rules/test_units.py",),
    ),
    Planted(
        "rules/conditions.py",
        "lo = max(0 if over is None else over + 1,",
        "lo = max(0 if over is None else over,",
        ("tests/rules/test_compile.py",),
    ),
    Planted(
        "dispatch/rounds.py",
        "allowed = picked_s <= riders.off_s[rider]",
        "allowed = picked_s < riders.off_s[rider]",
        ("tests/dispatch/test_rounds.py", "-k", "end_of_a_shift"),
    ),
    Planted(
        "dispatch/rounds.py",
        "ended = int((problem.riders.off_s < problem.now_s).sum())",
        "ended = int((problem.riders.off_s <= problem.now_s).sum())",
        ("tests/dispatch/test_rounds.py", "-k", "true_one"),
    ),
    Planted(
        "scoring/invariants.py",
        "out[i] = at_us[i] < reached or",
        "out[i] = at_us[i] <= reached or",
        ("tests/scoring/test_invariants.py", "-k", "same_instant"),
    ),
    Planted(
        "scoring/kernel.py",
        "tables.tiers[tier].min_mp > score_mp:",
        "tables.tiers[tier].min_mp >= score_mp:",
        (*_EDGES, "-k", "least_score"),
    ),
    Planted(
        "api/access/keys.py",
        "self.expires_us > at_us)",
        "self.expires_us >= at_us)",
        ("tests/api/endpoints/access/test_tokens.py", "-k", "until_its"),
    ),
    Planted(
        "dispatch/rounds.py",
        "plan_round(board, crew, waiting, settings, 0, cut_off=cut_off)",
        "plan_round(board, crew, waiting, settings, 1, cut_off=cut_off)",
        ("tests/dispatch/test_rounds.py", "-k", "by_itself"),
    ),
    Planted(
        "dispatch/rounds.py",
        "_reason(problem.riders.num, 0, int((picked_s > problem.riders.off_s).sum()))",
        "_reason(problem.riders.num, 0, int((picked_s >= problem.riders.off_s).sum()))",
        ("tests/dispatch/test_rounds.py", "-k", "has_no_room"),
    ),
    Planted(
        "scoring/liability.py",
        "_attribute_rider(tables, events, start[r], start[r + 1],",
        "_attribute_rider(tables, events, start[r], start[r],",
        (*_EDGES, "-k", "own_kitchen"),
    ),
    Planted(
        "scoring/liability.py",
        "waits[1, at] = waits[1, at - 1]",
        "waits[1, at] = waits[2, at - 1]",
        (*_EDGES, "-k", "waits_are_shared"),
    ),
    Planted(
        "scoring/liability.py",
        "elif kind == CANCELLED and events[i].party >= 0:",
        "elif kind == CANCELLED and events[i].party >= -1:",
        ("tests/scoring/test_hand_worked_edges.py", "-k", "who_cancelled"),
    ),
    Planted(
        "api/access/keys.py",
        "if key.revoked_us is not None:",
        "if key.revoked_us is None:",
        ("tests/api/access/test_keys.py", "-k", "hears_why"),
    ),
    Planted(
        "api/access/keys.py",
        "cursor_at(last.created_us, last.key_id)",
        "cursor_at(last.created_us, items[limit].key_id)",
        ("tests/api/access/test_keys.py", "-k", "page_ended"),
    ),
    Planted(
        "api/endpoints/common/auth.py",
        "if self._service.clock() >= until_us:",
        "if self._service.clock() > until_us:",
        ("tests/api/endpoints/common/test_auth.py", "-k", "for_a_while"),
    ),
    Planted("scoring/kernel.py", "if tier.bonus_fen > 0:", "if tier.bonus_fen > 1:", (*_EDGES, "-k", "least_score")),
    Planted(
        "scoring/kernel.py",
        "    delta = 0\n    if score > limits",
        "    delta = -1\n    if score > limits",
        ("tests/scoring/test_hand_worked_edges.py", "-k", "does_not_fade"),
    ),
    Planted(
        "scoring/kernel.py",
        "tables.limit_mp[event.book, event.rider_kind + 1]",
        "tables.limit_mp[event.book, 1]",
        ("tests/scoring/test_hand_worked_edges.py", "-k", "kind_of_rider"),
    ),
    Planted(
        "scoring/kernel.py",
        "state.fade_start[r + 1] - state.fade_start[r] + num_events",
        "num_events",
        (*_EDGES, "-k", "carried_fades"),
    ),
    Planted(
        "scoring/kernel.py",
        "            _open_item(work, NO_EVENT, book, at_us, NOBODY, 0, 0)\n            _write(out, work, L_RESET",
        "            _open_item(work, NO_EVENT, book, at_us, NOBODY, 1, 0)\n            _write(out, work, L_RESET",
        (*_EDGES, "-k", "falls_due"),
    ),
    Planted(
        "api/access/keys.py",
        "actor: str, *, with_children: bool = False) -> Revocation:",
        "actor: str, *, with_children: bool = True) -> Revocation:",
        ("tests/api/access/test_keys.py", "-k", "what_is_left"),
    ),
)
