"""Posts of events that wait, scored together: one transaction, an answer to each as if it had come alone.

Read as one table → claimed by Idempotency-Key → rounds in which no rider stands twice → scored → answered and kept.
What cannot be answered together is answered apart: a post that fails takes no other with it.

A large post is done in parts of whole riders, each with its turn in the queue, so that nobody waits for all of it. What an
event is answered does not depend on other riders', so the answer is that of one piece. Each part stands as it is done. One
that fails after others stand is answered so: whatever is stored is answered `repeated` when it is posted again. With an
Idempotency-Key a post of one part is answered within its turn, since what is kept must be kept with what is stored.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from anyio import CancelScope
from anyio.to_thread import run_sync

from api.access.keys import refusals_of
from api.books.in_force import RulesInForce
from api.books.scheduling import rules_for_posting
from api.db.idempotency import (
    ClaimedKey,
    KeyedRequest,
    StoredAnswer,
    claim_keys,
    store_answers,
)
from api.db.rider_rows import NO_ADDRESS, RiderRow, lock_free_riders
from api.db.store import UnreachableError
from api.db.unit_of_work import WriteUnit
from api.decisions.appeals import OWN_IDS
from api.endpoints.common.idempotency_keys import claim, keep, release
from api.endpoints.common.problems import Problem
from api.endpoints.common.write_queue import Deferred
from api.files.rejects import Reject, shorten
from api.files.request_events import RequestBody, RequestRows, read_event_bodies
from api.ledger import posting
from api.ledger.admission import Admission
from api.ledger.filings import note_filing, note_waiting
from api.ledger.posting import EventOutcome
from api.ledger.shared_orders import note_shared
from api.ledger.stored_ids import StoredIds
from api.refusals import Refused
from api.service import Service
from rules.units import US_PER_S

Lines = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
# A post with more events than this is read before its turn, not while others wait.
SMALL: Final = 64


@dataclass(frozen=True, slots=True)
class ScoredPost:
    """What became of a post: its rows, those left out, and for the rows of `table` answers and entries by event.

    `places` are the cities and kinds of riders that have a book, in force or to come.
    """

    rows: RequestRows
    table: pa.Table
    refused: Sequence[Reject]
    answers: Sequence[EventOutcome]
    lines: Lines
    places: Collection[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """An answer that is ready; `is_replayed` if it was given before. `counts` are the events by what became of them."""

    body: bytes
    headers: Mapping[str, str]
    is_replayed: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Post:
    """One request.

    Parameters
    ----------
    content
        What it holds: taken apart where it is small, else read.
    admission
        What its sender may post.
    once
        Its Idempotency-Key, where it has one.
    answer
        Makes its answer.
    filed_by, key_id
        Its sender, and the API key that it came with, if it was one.
    """

    content: RequestBody | RequestRows
    admission: Admission
    once: KeyedRequest | None
    answer: Callable[[ScoredPost], PostAnswer]
    filed_by: str
    key_id: str | None

    @property
    def num_rows(self) -> int:
        """How many events it holds, good or bad."""
        if isinstance(self.content, RequestRows):
            return self.content.table.num_rows + len(self.content.rejects)
        return len(self.content.places)

    @property
    def key(self) -> tuple[str, str] | None:
        """What tells it from all others that are done once."""
        return None if self.once is None else (self.once.actor, self.once.key)


PostResult = PostAnswer | BaseException | Deferred


def answer_posts(service: Service, posts: Sequence[Post], *, waits: bool = False) -> list[PostResult]:
    """Answer posts in the order of their coming.

    Parameters
    ----------
    waits
        Wait for riders whom another writer holds; else their posts are `Deferred`, since others would wait with them.
    """
    first, again = _each_key_once(posts)
    results: dict[int, PostResult] = dict(
        zip(first, _attempt(service, [posts[k] for k in first], waits=waits), strict=True)
    )
    for k in again:
        results[k] = _attempt(service, [posts[k]], waits=waits)[0]
    return [results[k] for k in range(len(posts))]


def _each_key_once(posts: Sequence[Post]) -> tuple[list[int], list[int]]:
    """Posts with the first of each key, and those that repeat one."""
    seen: set[tuple[str, str]] = set()
    first: list[int] = []
    again: list[int] = []
    for k, post in enumerate(posts):
        (again if post.key in seen else first).append(k)
        if post.key is not None:
            seen.add(post.key)
    return first, again


def _attempt(service: Service, posts: Sequence[Post], *, waits: bool) -> list[PostResult]:
    try:
        return _in_one(service, posts, waits=waits)
    except (UnreachableError, Refused) as error:
        # No batch is running at the moment.
        return [error] * len(posts)
    except Exception as error:  # noqa: BLE001 - told to whoever posted it, and to nobody else
        if len(posts) == 1:
            return [error]
    return [_attempt(service, [post], waits=waits)[0] for post in posts]


@dataclass(slots=True)
class _PendingPost:
    """A post that is being answered: what was read of it, what is left to score, and what is known so far."""

    post: Post
    rows: RequestRows
    table: pa.Table
    refused: list[Reject]
    riders: frozenset[str]
    answers: Sequence[EventOutcome] = ()
    lines: Lines = field(default_factory=dict)
    places: Collection[tuple[str, str]] = ()

    def done(self) -> PostAnswer:
        """The answer."""
        return self.post.answer(ScoredPost(self.rows, self.table, self.refused, self.answers, self.lines, self.places))


def _in_one(service: Service, posts: Sequence[Post], *, waits: bool) -> list[PostResult]:
    """Answer all in one transaction."""
    opened = _opened(service, posts)
    results: dict[int, PostResult] = {}
    done: dict[int, PostAnswer] = {}
    with service.writing() as unit:
        rows_held, away = (
            ({}, frozenset())
            if waits
            else lock_free_riders(unit, (rider for pending in opened for rider in pending.riders))
        )
        ended = refusals_of(unit, {post.key_id for post in posts if post.key_id is not None}, unit.recorded_us)
        results |= {k: Deferred() for k, pending in enumerate(opened) if pending.riders & away}
        results |= {k: ended[post.key_id] for k, post in enumerate(posts) if post.key_id in ended}
        claims = _claims(
            unit, service, {k: post.once for k, post in enumerate(posts) if k not in results and post.once}
        )
        results |= {k: _known(claim) for k, claim in claims.items() if not isinstance(claim, ClaimedKey)}
        left = {k: pending for k, pending in enumerate(opened) if k not in results}
        if any(pending.table.num_rows for pending in left.values()):
            law = rules_for_posting(unit)
            orders = [_score(unit, law, some, rows_held) for some in _rounds(left.values())]
            note_shared(unit, frozenset[str]().union(*orders))
        done = {k: pending.done() for k, pending in left.items()}
        claimed = [(claim, done[k]) for k, claim in claims.items() if isinstance(claim, ClaimedKey)]
        store_answers(
            unit, [(claim, StoredAnswer(200, post_answer.headers, post_answer.body)) for claim, post_answer in claimed]
        )
    results |= done
    return [results[k] for k in range(len(posts))]


def _claims(
    unit: WriteUnit, service: Service, wanted: Mapping[int, KeyedRequest]
) -> dict[int, ClaimedKey | StoredAnswer | Refused]:
    """What is known of the keys, by post."""
    if not wanted:
        return {}
    lease_us = service.settings.idempotency_lease_s * US_PER_S
    return dict(zip(wanted, claim_keys(unit, list(wanted.values()), lease_us), strict=True))


def _known(claim: StoredAnswer | Refused) -> PostResult:
    return claim if isinstance(claim, Refused) else PostAnswer(claim.body, claim.headers, is_replayed=True)


def _opened(service: Service, posts: Sequence[Post]) -> list[_PendingPost]:
    """Posts with their rows; those that cannot be scored whatever is stored are left out."""
    small = {k: post.content for k, post in enumerate(posts) if isinstance(post.content, RequestBody)}
    stored_ids = [StoredIds(service.reading, posts[k].admission.cities) for k in small]
    read = dict(zip(small, read_event_bodies(list(small.values()), stored_ids), strict=True))
    large = {k: post.content for k, post in enumerate(posts) if isinstance(post.content, RequestRows)}
    rows = read | large
    names = pa.concat_tables([read_rows.table.select(["event_id", "rider_id"]) for read_rows in rows.values()])
    # Looked at all together first: nearly always all are named well.
    is_well = not (pc.any(_own_id(names)).as_py() or pc.any(_no_address(names)).as_py())
    return [_open(post, rows[k], is_well=is_well) for k, post in enumerate(posts)]


def _open(post: Post, rows: RequestRows, *, is_well: bool) -> _PendingPost:
    table, refused = rows.table, list(rows.rejects)
    if not is_well:
        table, unwelcome = _named_well(table)
        refused += unwelcome
    return _PendingPost(post, rows, table, refused, frozenset(table["rider_id"].to_pylist()))


def _named_well(table: pa.Table) -> tuple[pa.Table, list[Reject]]:
    """Events of riders whom a path can name, under ids that are not the service's own; rejects."""
    table, own_ids = _without(table, _own_id(table), "event_id", "reserved_id")
    table, nowhere = _without(table, _no_address(table), "rider_id", "no_address")
    return table, own_ids + nowhere


def _own_id(table: pa.Table) -> pa.ChunkedArray:
    return pc.starts_with(table["event_id"], OWN_IDS)


def _no_address(table: pa.Table) -> pa.ChunkedArray:
    return pc.match_substring_regex(table["rider_id"], NO_ADDRESS)


def _without(table: pa.Table, mask: pa.ChunkedArray, column: str, reason: str) -> tuple[pa.Table, list[Reject]]:
    if not pc.any(mask).as_py():
        return table, []
    marked = table.filter(mask).select(["row", column]).to_pylist()
    rejects = [Reject("body", row["row"], column, shorten(row[column]), reason) for row in marked]
    return table.filter(pc.invert(mask)), rejects


def _rounds(posts: Iterable[_PendingPost]) -> list[list[_PendingPost]]:
    """Posts that may be scored as one table: of senders who may post the same, and no rider stands in two.

    Of a rider's posts the first comes first.
    """
    rounds: list[list[_PendingPost]] = []
    after: dict[str, int] = {}
    for pending in posts:
        number = max((after.get(rider, 0) for rider in pending.riders), default=0)
        while number < len(rounds) and rounds[number][0].post.admission != pending.post.admission:
            number += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(pending)
        after |= dict.fromkeys(pending.riders, number + 1)
    return rounds


def _score(
    unit: WriteUnit, law: RulesInForce, posts: Sequence[_PendingPost], rows_held: dict[str, RiderRow]
) -> frozenset[str]:
    """Score posts in which no rider stands twice; the orders that were delivered.

    Parameters
    ----------
    rows_held
        Rows that nobody has changed since they were read; those of these riders are taken out.
    """
    table = pa.concat_tables([pending.table for pending in posts]).combine_chunks()
    rows = {rider: rows_held.pop(rider) for pending in posts for rider in pending.riders if rider in rows_held}
    done = posting.score_and_store(unit, law, table, posts[0].post.admission, rows)
    lines, at = by_event(done.lines), 0
    reviews = [line for line in done.lines if line["of_kind"] == "review"]
    for pending in posts:
        if reviews:
            reviews_of_post = (line for line in reviews if line["rider_id"] in pending.riders)
            note_filing(unit, reviews_of_post, pending.post.filed_by, pending.post.key_id)
        pending.answers, pending.lines = done.answers[at : at + pending.table.num_rows], lines
        pending.places = law.schedule.rules.keys()
        accepted = {(answer.rider_id, answer.event_id) for answer in pending.answers if answer.status == "accepted"}
        note_waiting(unit, accepted, pending.post.filed_by, pending.post.key_id)
        at += pending.table.num_rows
    return done.orders


Line = Mapping[str, Any]


def by_event(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    """Entries by (rider, event); one that an event brought about in another stands under both."""
    entries_by_event: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        rider, event, cause = line["rider_id"], line["event_id"], line["cause_event_id"]
        entries_by_event[rider, event].append(line)
        if cause is not None and cause != event:
            entries_by_event[rider, cause].append(line)
    return entries_by_event


# With fewer, commits cost more than events do; with more, others wait for longer than they like.
PART_ROWS: Final = 500

Ask = Callable[[Post], Awaitable[Any]]


def split_by_rider(rows: RequestRows) -> list[RequestRows]:
    """Rows in parts of whole riders; what could not be read stands in the first."""
    if rows.table.num_rows <= PART_ROWS:
        return [rows]
    rider_ids = rows.table["rider_id"].to_pylist()
    of_rider: dict[str, list[int]] = {}
    for k, rider in enumerate(rider_ids):
        of_rider.setdefault(rider, []).append(k)
    parts: list[list[int]] = [[]]
    for rows_of_rider in of_rider.values():
        if parts[-1] and len(parts[-1]) + len(rows_of_rider) > PART_ROWS:
            parts.append([])
        parts[-1] += rows_of_rider
    tables = (rows.table.take(pa.array(sorted(part), pa.int64())) for part in parts)
    return [replace(rows, table=table, rejects=() if k else rows.rejects) for k, table in enumerate(tables)]


async def answer_in_parts(service: Service, ask: Ask, post: Post) -> PostAnswer:
    """The answer to a post.

    Parameters
    ----------
    ask
        Puts a part into the queue, and waits for what comes of it.

    Raises
    ------
    Problem
        `partly_stored` where one part fails after others stand.
    """
    rows = post.content
    if isinstance(rows, RequestRows) and post.once is None:
        return await _scored(ask, post, rows)
    if not isinstance(rows, RequestRows) or post.once is None or rows.table.num_rows <= PART_ROWS:
        done: PostAnswer = await ask(post)
        return done
    taken = await run_sync(claim, service, post.once)
    if isinstance(taken, StoredAnswer):
        return PostAnswer(taken.body, taken.headers, is_replayed=True)
    try:
        done = await _scored(ask, replace(post, once=None), rows)
        await run_sync(keep, service, taken, StoredAnswer(200, done.headers, done.body))
    except BaseException:
        with CancelScope(shield=True):
            await run_sync(release, service, taken)
        raise
    return done


async def _scored(ask: Ask, post: Post, rows: RequestRows) -> PostAnswer:
    parts: list[ScoredPost] = []
    scored_parts: list[ScoredPost] = []
    for part in await run_sync(split_by_rider, rows):
        try:
            await ask(replace(post, content=part, answer=partial(_noted, scored_parts)))
        except Refused:
            raise
        except Exception as error:
            if not parts:
                raise
            raise Problem("partly_stored", headers={"Retry-After": "1"}) from error
        parts += scored_parts
    return await run_sync(post.answer, _whole(rows, parts))


def _noted(scored_parts: list[ScoredPost], scored: ScoredPost) -> PostAnswer:
    """What a part is answered: nothing yet. A turn that failed may be tried again: the last counts."""
    scored_parts[:] = [scored]
    return PostAnswer(b"", {})


def _whole(rows: RequestRows, parts: Sequence[ScoredPost]) -> ScoredPost:
    if len(parts) == 1:
        return parts[0]
    return ScoredPost(
        rows,
        pa.concat_tables([part.table for part in parts]),
        [reject for part in parts for reject in part.refused],
        [answer for part in parts for answer in part.answers],
        {identity: lines for part in parts for identity, lines in part.lines.items()},
        {place for part in parts for place in part.places},
    )
