"""A large post is done in parts of whole riders, so that nobody waits for all of it: each part takes its turn in the queue.

Its answer is written when the turn is over, while others have theirs; with an Idempotency-Key a post of one part is answered
within it, since what is kept must be kept with what is stored.

What an event is answered does not depend on other riders', so the answer is that of one piece. Each part stands as it is
done. One that fails after others stand is told so: whatever is stored is answered `repeated` when it is posted again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import pyarrow as pa
from anyio import CancelScope
from anyio.to_thread import run_sync

from api.db.idempotency import ClaimedKey, KeyedRequest, StoredAnswer, claim_key, release_key, store_answer
from api.endpoints.common.problems import Problem
from api.endpoints.ledger.posts import Post, PostAnswer, ScoredPost
from api.files.request_events import PostedRows
from api.refusals import Refused
from api.service import Service
from rules.units import US_PER_S

# With fewer, commits cost more than events do; with more, others wait for longer than they like.
PART_ROWS: Final = 500

Ask = Callable[[Post], Awaitable[Any]]


def split_by_rider(rows: PostedRows) -> list[PostedRows]:
    """Rows in parts of whole riders; what could not be read stands in the first."""
    if rows.table.num_rows <= PART_ROWS:
        return [rows]
    rider_ids = rows.table["rider_id"].to_pylist()
    of_rider: dict[str, list[int]] = {}
    for k, rider in enumerate(rider_ids):
        of_rider.setdefault(rider, []).append(k)
    parts: list[list[int]] = [[]]
    for own in of_rider.values():
        if parts[-1] and len(parts[-1]) + len(own) > PART_ROWS:
            parts.append([])
        parts[-1] += own
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
    if isinstance(rows, PostedRows) and post.once is None:
        return await _scored(ask, post, rows)
    if not isinstance(rows, PostedRows) or post.once is None or rows.table.num_rows <= PART_ROWS:
        done: PostAnswer = await ask(post)
        return done
    taken = await run_sync(_claimed, service, post.once)
    if isinstance(taken, StoredAnswer):
        return PostAnswer(taken.body, taken.headers, is_replayed=True)
    try:
        done = await _scored(ask, replace(post, once=None), rows)
        await run_sync(_keep, service, taken, done)
    except BaseException:
        with CancelScope(shield=True):
            await run_sync(_drop, service, taken)
        raise
    return done


async def _scored(ask: Ask, post: Post, rows: PostedRows) -> PostAnswer:
    parts: list[ScoredPost] = []
    held: list[ScoredPost] = []
    for part in await run_sync(split_by_rider, rows):
        try:
            await ask(replace(post, content=part, answer=partial(_noted, held)))
        except Refused:
            raise
        except Exception as error:
            if not parts:
                raise
            raise Problem("partly_stored", headers={"Retry-After": "1"}) from error
        parts += held
    return await run_sync(post.answer, _whole(rows, parts))


def _noted(held: list[ScoredPost], scored: ScoredPost) -> PostAnswer:
    """What a part is answered: nothing yet. A turn that failed may be tried again: the last counts."""
    held[:] = [scored]
    return PostAnswer(b"", {})


def _whole(rows: PostedRows, parts: Sequence[ScoredPost]) -> ScoredPost:
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


def _claimed(service: Service, once: KeyedRequest) -> ClaimedKey | StoredAnswer:
    with service.writing() as unit:
        lease_us = service.settings.idempotency_lease_s * US_PER_S
        return claim_key(unit, once.actor, once.key, once.request_digest, lease_us)


def _keep(service: Service, taken: ClaimedKey, done: PostAnswer) -> None:
    with service.writing() as unit:
        store_answer(unit, taken, StoredAnswer(200, done.headers, done.body))


def _drop(service: Service, taken: ClaimedKey) -> None:
    with service.writing() as unit:
        release_key(unit, taken)
