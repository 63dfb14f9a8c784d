"""Large bodies are read row by row, and mean what they mean when they are read whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.files import request_events
from api.files.input_files import LINE_BYTES_MAX
from api.files.json_list import json_list_bounds
from api.files.request_events import NotEventsError, RequestRows, read_event_body, split_body

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def read(body: bytes, monkeypatch: pytest.MonkeyPatch, *, as_large: bool) -> RequestRows | bool:
    """What a body holds, read row by row or whole; of what holds no events whether it is JSON."""
    with monkeypatch.context() as patch:
        patch.setattr(request_events, "_LARGE_BYTES", 0 if as_large else 1 << 30)
        try:
            return read_event_body(split_body(body, is_ndjson=False))
        except NotEventsError as error:
            return error.is_json


@given(st.lists(VALUES, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_each_row_stands_where_it_is_found(rows: list[object], is_wrapped: bool, indent: int | None) -> None:
    """The parts between the bounds are the rows, however they are written and whatever stands beside them."""
    wrapped = {"a": '":[', "events ": {"events": [7]}, "b": [[]], "events": rows, "c": 1}
    body = json.dumps(wrapped if is_wrapped else rows, indent=indent).encode()

    found = json_list_bounds(body)

    assert found is not None
    assert [json.loads(body[start:stop]) for start, stop in found.rows] == rows
    rest = json.loads(body[: found.start] + body[found.stop :])
    assert rest == (wrapped | {"events": []} if is_wrapped else [])


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"[ ]", b"[1]", b"[1,]", b"[,1]", b"[,]", b"[1 2]", b"[1}", b"[{]}", b"[[]", b"[]]", b"[] x", b'["\\"]"]',
        b'{"events":[]}', b'{"events":[1,{}]}', b'{"events":[1],"x":2}', b'{"x":2,"events":[1]}', b'{"events":[1]',
        b'{"events":[1]}}', b'{"events":[1],"events":[2]}', b'[{"a":1,"a":2}]', b'[{"event_id":"\\ud800"}]', b"", b"7",
        b'{"events":{"events":[1]}}', b'{"events":7,"a":[1]}', b'{"a":"events","b":[1]}', b'{"a":"events":[1]}', b'{"events"[1]}',
        b'{"a":[{"events":[1]}],"events":[{"event_id":"x"}]}', b'{"events":[1],}', b'{"events":"[1]"}', b'"[1]"',
        b'["]', b'[{"event_id":"x"},"y",{"rider_id":7}]', b"[nan]", b"[\xff]",
    ],
)  # fmt: skip
def test_read_row_by_row_or_whole_is_the_same(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, rejects, places and identities; what is no JSON is none either way."""
    large, whole = (read(body, monkeypatch, as_large=as_large) for as_large in (True, False))

    if isinstance(whole, RequestRows):
        assert isinstance(large, RequestRows)
        assert large.table.equals(whole.table)
        assert (large.rejects, large.places, large.identities) == (whole.rejects, whole.places, whole.identities)
    else:
        assert large == whole


@pytest.mark.parametrize(
    "more",
    [
        {"event_id": "x" * 5_000},
        {"event_id": "😀" * 201},
        {"event_id": " " * 5_000 + "x"},
        {"fee_fen": "0" * 5_000 + "1x"},
        {"occurred_at": "2026-03-02T12:04:00+08:00" + " " * 500 + "x"},
        {"fee_fen": 10**1_500},
        {"fee_fen": -(10**1_500)},
        {"event_id": 10**1_500},
        {"occurred_at": 10**1_500},
        {"reports": "y;" * 2_000},
        {"reports": "merchant_slow;" * 300},
        {"reports": "merchant_slow;" * 300 + "mood"},
        {"reports": "merchant_slow;" + " " * 2_000 + "mood"},
        {"reports": " " * 2_000 + "merchant_slow"},
        {"reports": ["merchant_slow"] * 100},
        {"reports": ["merchant_slow"] * 100 + ["mood"]},
        {"reports": ["x" * 5_000]},
        {"reports": [7] * 300},
        {"kind": ["x" * 5_000]},
        {"kind": {"x": "y" * 5_000}},
        {"distance_m": [[]] * 500},
    ],
)
def test_what_is_cut_is_answered_all_the_same(monkeypatch: pytest.MonkeyPatch, more: dict[str, object]) -> None:
    """A value that is longer than its column takes gets the same reason, or is taken alike."""
    good = {"event_id": "e1", "rider_id": "r1", "city": "hangzhou", "rider_kind": "crowdsourced", "kind": "complaint"}
    body = json.dumps([good | {"occurred_at": "2026-03-02T12:04:00+08:00"} | more]).encode()

    large, whole = (read(body, monkeypatch, as_large=as_large) for as_large in (True, False))

    assert isinstance(large, RequestRows)
    assert isinstance(whole, RequestRows)
    assert [(one.row, one.column, one.reason) for one in large.rejects] == [
        (one.row, one.column, one.reason) for one in whole.rejects
    ]
    assert large.table.equals(whole.table)


@pytest.mark.parametrize(
    ("body", "rows", "reasons"),
    [
        (b'[{"event_id":"e"},{"x":"' + b"y" * LINE_BYTES_MAX + b'"}]', 2, {1: "line_too_long"}),
        (b'{"a":"' + b"y" * LINE_BYTES_MAX + b'","events":[{}]}', 1, {0: "line_too_long"}),
        (b'{"event_id":"' + b"y" * LINE_BYTES_MAX + b'"}', 1, {0: "line_too_long"}),
    ],
)
def test_what_is_longer_than_a_line_may_be_is_not_read(body: bytes, rows: int, reasons: dict[int, str]) -> None:
    """A row of more than 1 MiB, an event that is the whole body, or what stands beside the list; the others are."""
    found = read_event_body(split_body(body, is_ndjson=False))

    assert len(found.places) == rows
    assert {one.row: one.reason for one in found.rejects if one.reason == "line_too_long"} == reasons


def test_columns_that_are_none_are_not_kept() -> None:
    """Of a row that is read by itself only what is looked at: memory does not grow with what nobody knows."""
    row = {"event_id": "e", "x": "y" * 500} | {f"u{k}": k for k in range(100)}

    documents = [
        split_body(json.dumps([row] * 1_000).encode(), is_ndjson=False),
        split_body(b"\n".join([json.dumps(row).encode()] * 3), is_ndjson=True),
    ]

    assert [{name for event in one.events for name in event} for one in documents] == [{"event_id"}] * 2
