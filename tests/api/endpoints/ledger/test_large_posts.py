"""A large post is done in parts: the same answers and the same ledger, and nobody waits for all of it."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from api.db.idempotency import KeyedRequest
from api.db.store import BusyError, Store
from api.endpoints.common.problems import Problem
from api.endpoints.ledger import posts as posts_module
from api.endpoints.ledger.event_routes import _done
from api.endpoints.ledger.posts import Post, PostAnswer, answer_in_parts, answer_posts, split_by_rider
from api.files.request_events import read_event_body, split_body
from api.ledger.admission import Admission
from api.refusals import Refused
from tests.api.db.databases import create_tables, url_for
from tests.api.endpoints import own_loop
from tests.api.endpoints.ledger.in_process import copy_law, service_on
from tests.api.ledger.posts import later, lines_of, rider_week

pytestmark = pytest.mark.usefixtures("_law")
SMALL = 7


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts_module, "PART_ROWS", SMALL)


def large(key: str | None = None) -> Post:
    """A post of several riders' days with a repeat, a conflict, a row that cannot be read and a rider no path names."""
    rows = later([row for k in range(6) for row in rider_week(f"r{k}", days=1, shift_min=-4_000 + 7 * k)])
    rows += [rows[0], rows[1] | {"fee_fen": 1}, {"event_id": "half"}, rows[2] | {"event_id": "x", "rider_id": "a/b"}]
    rows = rows[::2] + rows[1::2]
    body = json.dumps(rows).encode()
    once = None if key is None else KeyedRequest("platform:p", key, "digest")
    content = read_event_body(split_body(body, is_ndjson=False))
    return Post(content, Admission(()), once, partial(_done, "en"), "platform:p", None)


def asking(store: Store, asked: list[Post], fails_at: int | None = None) -> Callable[[Post], Awaitable[Any]]:
    """A queue that does one post at a time, and is full at one of them."""

    async def ask(post: Post) -> Any:
        if len(asked) == fails_at:
            raise BusyError("full")
        asked.append(post)
        [outcome] = answer_posts(service_on(store), [post])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return ask


def done(store: Store, post: Post, asked: list[Post] | None = None, fails_at: int | None = None) -> PostAnswer:
    """What a large post is answered."""
    ask = asking(store, [] if asked is None else asked, fails_at)
    return own_loop.run(answer_in_parts(service_on(store), ask, post))


def test_a_part_holds_whole_riders() -> None:
    """Each row stands in one part, a rider's rows in one and in their order; what cannot be read stands once."""
    rows = large().content

    found = split_by_rider(rows)

    riders = [set(part.table["rider_id"].to_pylist()) for part in found]
    numbers = [part.table["row"].to_pylist() for part in found]
    assert len(found) > 3
    assert sum(map(len, riders)) == len(set().union(*riders))
    assert all(own == sorted(own) for own in numbers)
    assert sorted(number for own in numbers for number in own) == sorted(rows.table["row"].to_pylist())
    assert [part.rejects for part in found if part.rejects] == [rows.rejects]


def test_in_parts_is_in_one_piece(
    store: Store, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The answer is the same to the byte, and so is what is left behind; no part is larger than it may be."""
    engine = "sqlite" if store.is_sqlite else "postgresql"
    whole = Store(url_for(engine, request, tmp_path_factory.mktemp("whole")))
    create_tables(whole)
    copy_law(store, whole)
    asked: list[Post] = []

    answer = done(store, large(), asked)

    [expected] = answer_posts(service_on(whole), [large()])
    assert isinstance(expected, PostAnswer)
    assert answer == expected
    assert lines_of(store) == lines_of(whole)
    assert len(asked) > 3
    riders_rows = len(rider_week("r", days=1)) + 2
    assert max(post.num_rows for post in asked) <= max(SMALL, riders_rows) + 1
    whole.close()


def test_a_key_keeps_the_whole_answer(store: Store) -> None:
    """A large post that is repeated under its key gets the answer it got; another one under the key is refused."""
    first = done(store, large("k"))

    asked: list[Post] = []
    again = done(store, large("k"), asked)

    assert (again.body, again.is_replayed) == (first.body, True)
    assert asked == []
    other = large("k")
    with pytest.raises(Refused, match="idempotency_key_reused"):
        done(
            store,
            Post(other.content, other.admission, KeyedRequest("platform:p", "k", "other"), other.answer, "p", None),
        )


@pytest.mark.parametrize("key", [None, "k"])
def test_what_stands_is_said(store: Store, key: str | None) -> None:
    """A post whose later part finds no place is told that some of it is stored; posted again it is done, nothing twice."""
    with pytest.raises(Problem) as caught:
        done(store, large(key), fails_at=2)
    before = len(lines_of(store))

    answers = json.loads(done(store, large(key)).body)

    assert caught.value.code == "partly_stored"
    assert before > 0
    assert answers["num_repeated"] > 1
    assert answers["num_scored"] > 0


def test_a_first_part_without_a_place_changed_nothing(store: Store) -> None:
    """A post none of which is stored is told why, as a small one is."""
    with pytest.raises(BusyError):
        done(store, large("k"), fails_at=0)

    assert lines_of(store) == []
    assert json.loads(done(store, large("k")).body)["num_scored"] > 0
