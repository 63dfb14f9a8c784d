"""Large bodies are read row by row, and mean what they mean when they are read whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.batch import posted
from api.batch.json_rows import row_bounds
from api.batch.posted import NotEventsError, PostedRows, read_posted

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def read(body: bytes, monkeypatch: pytest.MonkeyPatch, *, as_large: bool) -> PostedRows | bool:
    """What a body holds, read row by row or whole; of what holds no events whether it is JSON."""
    with monkeypatch.context() as patch:
        patch.setattr(posted, "_LARGE_BYTES", 0 if as_large else 1 << 30)
        try:
            return read_posted(body, is_ndjson=False)
        except NotEventsError as error:
            return error.is_json


@given(st.lists(VALUES, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_each_row_stands_where_it_is_found(rows: list[object], is_wrapped: bool, indent: int | None) -> None:
    """The parts between the bounds are the rows, however they are written."""
    body = json.dumps({"events": rows} if is_wrapped else rows, indent=indent).encode()

    found = row_bounds(body)

    assert found is not None
    assert found[0] == is_wrapped
    assert [json.loads(body[start:stop]) for start, stop in found[1]] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"[ ]", b"[1]", b"[1,]", b"[,1]", b"[,]", b"[1 2]", b"[1}", b"[{]}", b"[[]", b"[]]", b"[] x", b'["\\"]"]',
        b'{"events":[]}', b'{"events":[1,{}]}', b'{"events":[1],"x":2}', b'{"x":2,"events":[1]}', b'{"events":[1]',
        b'{"events":[1]}}', b'{"events":[1],"events":[2]}', b'[{"a":1,"a":2}]', b'[{"event_id":"\\ud800"}]', b"", b"7",
        b'["]', b'[{"event_id":"x"},"y",{"rider_id":7}]', b"[nan]", b"[\xff]",
    ],
)  # fmt: skip
def test_read_row_by_row_or_whole_is_the_same(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, rejects, places and identities; what is no JSON is none either way."""
    large, whole = (read(body, monkeypatch, as_large=as_large) for as_large in (True, False))

    if isinstance(whole, PostedRows):
        assert isinstance(large, PostedRows)
        assert large.table.equals(whole.table)
        assert (large.rejects, large.places, large.identities) == (whole.rejects, whole.places, whole.identities)
    else:
        assert large == whole


def test_what_is_cut_is_rejected_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is longer than its column takes gets the same answer."""
    body = json.dumps(
        [{"event_id": "x" * 5_000, "rider_id": "r1"}, {"event_id": "e2", "reports": "y;" * 2_000}]
    ).encode()

    large, whole = (read(body, monkeypatch, as_large=as_large) for as_large in (True, False))

    assert isinstance(large, PostedRows)
    assert isinstance(whole, PostedRows)
    assert [(one.row, one.column, one.reason) for one in large.rejects] == [
        (one.row, one.column, one.reason) for one in whole.rejects
    ]
