"""Posts that are scored together get the answers that they would get one after the other, and leave the same behind."""

import json
import random
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, select

from api.db.idempotency import KeyedRequest
from api.db.rider_rows import lock_riders
from api.db.store import Store
from api.db.tables import entries, events, idempotency
from api.endpoints.common.write_queue import Deferred
from api.endpoints.ledger.event_routes import EventAnswers, _done
from api.endpoints.ledger.posts import Post, PostAnswer, ScoredPost, answer_posts
from api.files.request_events import read_event_bodies, read_event_body, split_body
from api.ledger.admission import Admission
from api.refusals import Refused
from tests.api.db.databases import create_tables, url_for
from tests.api.endpoints.ledger.in_process import copy_law, service_on
from tests.api.ledger.posts import START_US, chain_breaks, later, lines_of, rider_week
from tests.builders import delivered

pytestmark = pytest.mark.usefixtures("_law")


def post_of(rows: Any, key: str | None = None, cities: tuple[str, ...] = ()) -> Post:
    """A post as the route makes it."""
    body = json.dumps(rows).encode()
    once = None if key is None else KeyedRequest("platform:p", key, body.decode())
    return Post(split_body(body, is_ndjson=False), Admission(cities), once, partial(_done, "en"), "platform:p", None)


def mixed(seed: int) -> list[Post]:
    """Posts as many clients send them: parts of riders' weeks in any order, repeats, conflicts, faults, keys used twice."""
    luck = random.Random(seed)
    rows = later([row for k in range(5) for row in rider_week(f"r{k}", days=1, shift_min=-4_000 + 7 * k)])
    rows += later([delivered("cased", at_min=-5, rider_id="r1", city="nowhere")])
    rows += [luck.choice(rows) | {"fee_fen": 1} for _ in range(3)] + [luck.choice(rows) for _ in range(6)]
    rows += [{"event_id": "half"}, rows[0] | {"event_id": "bad", "occurred_us": "soon"}, rows[1] | {"rider_id": "a/b"}]
    luck.shuffle(rows)
    posts = []
    while rows:
        size = luck.choice((1, 1, 1, 2, 5))
        some, rows = rows[:size], rows[size:]
        cities = luck.choice(((), (), ("hangzhou",), ("beijing",)))
        posts.append(post_of(some if size > 1 else some[0], luck.choice((None, f"k{len(posts)}")), cities))
    return posts + [post for post in posts if post.once is not None][:4]


def said(outcomes: Sequence[Any]) -> list[Any]:
    """What each was told."""
    return [(one.body, one.is_replayed) if isinstance(one, PostAnswer) else repr(one) for one in outcomes]


def left_behind(store: Store) -> Any:
    """Events, ledger and kept answers."""
    with store.reading() as unit:
        assert chain_breaks(unit) == []
        stored = unit.connection.execute(select(events).order_by(events.c.rider_id, events.c.event_id)).all()
        kept = unit.connection.execute(select(idempotency).order_by(idempotency.c.key)).all()
    return [tuple(row) for row in stored], lines_of(store), [tuple(row) for row in kept]


@pytest.mark.parametrize("seed", range(3))
def test_together_is_one_after_the_other(
    store: Store, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Answers, ledger and kept answers are the same to the byte, however posts were put together."""
    engine = "sqlite" if store.is_sqlite else "postgresql"
    alone = Store(url_for(engine, request, tmp_path_factory.mktemp("alone")))
    create_tables(alone)
    copy_law(store, alone)
    luck, posts = random.Random(seed), mixed(seed)
    together, rest = [], list(posts)
    while rest:
        size = luck.choice((1, 4, 30))
        together += answer_posts(service_on(store), rest[:size])
        rest = rest[size:]

    one_by_one = [answer_posts(service_on(alone), [post])[0] for post in posts]

    assert said(together) == said(one_by_one)
    assert left_behind(store) == left_behind(alone)
    alone.close()


def test_a_post_that_fails_takes_no_other_with_it(store: Store) -> None:
    """What came of it is undone with its key; the others are answered and stored, in whatever place it stood."""
    first, broken, last = later(
        [delivered("first"), delivered("broken", rider_id="r2"), delivered("last", rider_id="r3")]
    )

    def fails(_scored: ScoredPost) -> PostAnswer:
        raise RuntimeError("broken")

    bad = Post(
        post_of(broken).content, Admission(), KeyedRequest("platform:p", "k", "digest"), fails, "platform:p", None
    )
    found = answer_posts(service_on(store), [post_of(first), bad, post_of(last)])

    assert [type(one) for one in found] == [PostAnswer, RuntimeError, PostAnswer]
    stored, _, kept = left_behind(store)
    assert sorted(row[1] for row in stored) == ["first", "last"]
    assert kept == []


def test_a_key_twice_in_one_turn_is_done_once(store: Store) -> None:
    """The second gets the first one's answer; other content under the key is refused."""
    event, other = later([delivered("e1"), delivered("e2")])

    first, again, reused = answer_posts(
        service_on(store), [post_of(event, "k"), post_of(event, "k"), post_of(other, "k")]
    )

    assert isinstance(first, PostAnswer)
    assert isinstance(again, PostAnswer)
    assert (again.body, again.is_replayed) == (first.body, True)
    assert isinstance(reused, Refused)
    assert len(left_behind(store)[0]) == 1


def test_a_rider_whom_another_writer_holds_holds_nobody_up(store: Store) -> None:
    """On PostgreSQL the posts of a rider who is being replayed are put off; SQLite has one writer anyway."""
    if store.is_sqlite:
        return
    known, quick, slow = later([delivered("e0", at_min=-1), delivered("e1", rider_id="r2"), delivered("e2", at_min=1)])
    answer_posts(service_on(store), [post_of(known)])

    with store.writing(START_US) as unit:
        lock_riders(unit, ["r1"])
        found = answer_posts(service_on(store), [post_of(slow, "k"), post_of(quick)])
        waiting = threading.Thread(
            target=lambda: found.extend(answer_posts(service_on(store), [post_of(slow, "k")], waits=True))
        )
        waiting.start()
    waiting.join()

    assert [type(one) for one in found] == [Deferred, PostAnswer, PostAnswer]
    assert len(left_behind(store)[0]) == 3


def test_posts_of_a_known_rider_in_one_turn_follow_each_other(store: Store) -> None:
    """What riders are before a turn is not taken for what they are after the first of its posts: none is done anew."""
    known, *others = (post_of(later([delivered(f"e{k}", at_min=k - 4, late_min=10)])) for k in range(4))
    answer_posts(service_on(store), [known])

    commits: list[object] = []

    def note(connection: object) -> None:
        commits.append(connection)

    event.listen(store.engine, "commit", note)
    found = answer_posts(service_on(store), others)
    event.remove(store.engine, "commit", note)

    assert len(commits) == 1
    assert [one.counts["scored"] for one in found if isinstance(one, PostAnswer)] == [1, 1, 1]
    with store.reading() as unit:
        assert chain_breaks(unit) == []
        assert len(unit.connection.execute(select(entries)).all()) == 4


def test_each_answer_is_of_the_documented_shape(store: Store) -> None:
    """Every member is there, in the documented order and of its type, for what is scored, repeated and rejected."""
    for found in answer_posts(service_on(store), mixed(1)):
        if isinstance(found, PostAnswer):
            assert EventAnswers.model_validate_json(found.body).model_dump_json().encode() == found.body


def statements_of(store: Store, num_events: int) -> list[str]:
    """The statements that a post of so many known riders' next orders takes, rows that are added or changed in bulk left out."""
    first, second, then = (
        later([delivered(f"e{num_events}-{k}-{r}", rider_id=f"r{r}", at_min=k - 3) for r in range(num_events)])
        for k in range(3)
    )
    found: list[str] = []
    for known in (first, second):
        answer_posts(service_on(store), [post_of(known)])

    def note(*said: Any) -> None:
        found.append(said[2])

    event.listen(store.engine, "before_cursor_execute", note)
    (answer,) = answer_posts(service_on(store), [post_of(then)])
    event.remove(store.engine, "before_cursor_execute", note)
    assert isinstance(answer, PostAnswer)
    assert answer.counts["scored"] == num_events
    return found


def test_a_post_asks_the_database_as_often_whatever_it_holds(store: Store) -> None:
    """What many events need is asked for at once, and once: riders' rows, their events, their orders, each order."""
    few, many = statements_of(store, 2), statements_of(store, 50)

    assert len(few) == len(many) == (14 if store.is_sqlite else 10)


def test_what_is_read_together_is_read_alike() -> None:
    """Columns, types and faults of other bodies change nothing in what a body is found to hold."""
    good = {name: value for name, value in delivered("e1").items() if value is not None}
    spelt = good | {"distance_m": "3000", "event_id": 7}
    less = {name: good[name] for name in ("event_id", "rider_id", "city", "rider_kind", "kind")}
    at = less | {"occurred_at": "2026-02-10T12:00:00+08:00"}
    huge, naive = good | {"fee_fen": 10**30}, less | {"occurred_at": "2026-02-10T12:00:00"}
    documents = [good, [good, spelt], less, at, huge, naive, [], [1, good], good | {"reports": ["bad_weather"]}, good]
    bodies = [json.dumps(document).encode() for document in documents]

    together = read_event_bodies([split_body(body, is_ndjson=False) for body in bodies])

    for body, rows in zip(bodies, together, strict=True):
        alone = read_event_body(split_body(body, is_ndjson=False))
        assert rows.table.equals(alone.table)
        assert (rows.rejects, rows.places, rows.identities) == (alone.rejects, alone.places, alone.identities)
        assert read_event_body(split_body(body, is_ndjson=False)).table.equals(alone.table)
