"""Rows in bulk arrive as they are, whatever stands in them."""

import pyarrow as pa
import pytest
from sqlalchemy import select

from api.store.bulk import add_rows, add_table
from api.store.tables import outbox
from api.store.units import Store

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


def test_nothing_is_no_statement(store: Store) -> None:
    """An empty table is fine."""
    with store.writing(1) as unit:
        add_table(unit, outbox, pa.table({"kind": pa.array([], pa.string())}))
        add_rows(unit, outbox, [])
