"""Rows in bulk arrive as they are, whatever stands in them."""

import pyarrow as pa
import pytest
from sqlalchemy import select

from api.db.bulk import add_missing_keys, add_rows, add_table, among, change_rows, pairs_among
from api.db.rider_rows import lock_riders
from api.db.store import Store
from api.db.tables import outbox, rider_state

_BLANK = {
    "city": None, "rider_kind": -1, "book_digest": None, "score_mp": 0, "review_required": 0, "seq": 0, "chain": b"\0",
    "until_us": 0, "keep_us": 0, "due_us": 0, "layout": "a", "carried": None, "revision": 0,
}  # fmt: skip
TEXTS = [
    'say "no"',
    "a,b",
    "two\nlines",
    "\\.",
    "\\N",
    "",
    "NULL",
    " space ",
    "骑手",
    "\ttab",
    "a\\b",
    '""',
    "\r\n",
    "\x7f",
]


@pytest.mark.parametrize("way", ["rows", "table"])
def test_any_text_arrives_as_it_is(store: Store, way: str) -> None:
    """Quotes, line ends, backslashes, empty texts and nulls; large numbers of either sign."""
    rows = [
        {"outbox_id": k + 1, "kind": "ping", "rider_id": text, "city": None if k % 2 else "", "payload": text[::-1], "recorded_us": sign * (2**63 - 1)}
        for k, (text, sign) in enumerate(zip(TEXTS, [1, -1] * len(TEXTS), strict=False))
    ]  # fmt: skip
    with store.writing(1) as unit:
        if way == "rows":
            add_rows(unit, outbox, rows)
        else:
            add_table(unit, outbox, pa.Table.from_pylist(rows))

    with store.reading() as unit:
        found = [dict(row) for row in unit.connection.execute(select(outbox).order_by(outbox.c.outbox_id)).mappings()]
    assert found == rows


def test_any_text_is_looked_up_and_changed_as_it_is(store: Store) -> None:
    """Quotes, backslashes, empty texts and the word NULL in ids, among many of which rows are asked for."""
    state, now = rider_state.c, 2**63 - 1
    with store.writing(1) as unit:
        add_missing_keys(unit, rider_state, "rider_id", TEXTS[:-1], dict(_BLANK))
        lock_riders(unit, TEXTS)
        changed = [{"rider_id": text, "city": text, "layout": None, "until_us": -now} for text in TEXTS]
        change_rows(unit, rider_state, "rider_id", changed)

        one_by_one = [unit.connection.scalar(select(state.city).where(among(unit, state.rider_id, [t]))) for t in TEXTS]
        pairs = [(text, text) for text in TEXTS] + [(text, text + '"') for text in TEXTS]
        query = select(state.rider_id, state.layout, state.until_us)
        found = unit.connection.execute(query.where(pairs_among(unit, (state.rider_id, state.city), pairs))).all()
        none = unit.connection.scalars(select(state.rider_id).where(among(unit, state.rider_id, []))).all()

    assert one_by_one == TEXTS
    assert sorted(found) == [(text, None, -now) for text in sorted(TEXTS)]
    assert none == []


def test_nothing_is_no_statement(store: Store) -> None:
    """An empty table is fine."""
    with store.writing(1) as unit:
        add_table(unit, outbox, pa.table({"kind": pa.array([], pa.string())}))
        add_rows(unit, outbox, [])
