"""Idempotency-Key: a repeated POST gets its first answer and is not carried out again."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Final

from anyio import CancelScope, CapacityLimiter
from anyio.to_thread import run_sync
from cryptography.fernet import Fernet, InvalidToken
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.db.idempotency import ClaimedKey, KeyedRequest, StoredAnswer, claim_key, release_key, store_answer
from api.db.store import HeldTransaction, connection_errors
from api.endpoints.common.problems import Problem
from api.service import Actor, Service
from rules.units import US_PER_S

_KEY: Final = re.compile(rb"[\x21-\x7e]{1,200}")
# Answers to the request at hand alone.
_NOT_KEPT: Final = frozenset({b"date", b"server", b"connection", b"x-request-id"})
# Answers that show an API key, which the database otherwise holds as a hash alone.
_SECRET: Final = frozenset({"/v1/tokens"})
REPLAYED: Final = {"idempotency-replayed": "true"}
# Routes that keep their answers themselves, in the transaction that does many requests.
STORES_OWN_ANSWERS: Final = frozenset({"/v1/events"})


def idempotency_key(scope: Scope) -> str | None:
    """The key a client sent.

    Raises
    ------
    Problem
        `idempotency_key_invalid`.
    """
    values = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise Problem("idempotency_key_invalid")
    return str(values[0].decode())


def keyed_request(scope: Scope, body: bytes) -> KeyedRequest | None:
    """What a route of `STORES_OWN_ANSWERS` is to do once; None where the client sent no key."""
    key = idempotency_key(scope)
    actor = scope["state"]["actor"]
    return None if key is None else KeyedRequest(actor.name, _kept_under(actor, key), _digest(scope, body))


def _kept_under(actor: Actor, key: str) -> str:
    """What an answer is kept under besides its asker's name: who reaches other cities may not see it.

    A client's key has no blank in it. Riders reach themselves alone, wherever they ride.
    """
    if actor.role == "rider" or not actor.cities:
        return key
    cities = json.dumps(sorted(set(actor.cities)), ensure_ascii=False)
    return f"{key} {hashlib.sha256(cities.encode()).hexdigest()[:32]}"


async def answer_idempotently(
    app: ASGIApp, service: Service, turns: CapacityLimiter, actor: Actor, key: str, body: bytes,
    scope: Scope, receive: Receive, send: Send,
) -> None:  # fmt: skip
    """Do a request, or repeat the answer it got.

    What it writes and its answer are one transaction. Only what succeeded is kept: a refusal changed nothing, and what
    was wrong may be put right.

    Parameters
    ----------
    turns
        Of threads that nobody waits in for a row: who holds rows ends in one of them.
    """
    request = KeyedRequest(actor.name, _kept_under(actor, key), _digest(scope, body))
    taken = await run_sync(claim, service, request)
    if isinstance(taken, StoredAnswer):
        taken = _decrypted(scope, taken)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in taken.headers.items()]
        headers += ((name.encode(), value.encode()) for name, value in REPLAYED.items())
        await send({"type": "http.response.start", "status": taken.status, "headers": headers})
        await send({"type": "http.response.body", "body": taken.body})
        return
    messages: list[Message] = []

    async def hold(message: Message) -> None:
        messages.append(message)

    transaction = scope["state"]["transaction"] = HeldTransaction(service.store)
    try:
        await app(scope, receive, hold)
        if 200 <= messages[0]["status"] < 300:
            answer = _encrypted(scope, _answer(messages))
            await run_sync(keep, replace(service, transaction=transaction), taken, answer, limiter=turns)
        else:
            await run_sync(_drop, service, transaction, taken, limiter=turns)
    except BaseException:
        with CancelScope(shield=True):
            await run_sync(_drop, service, transaction, taken, limiter=turns)
        raise
    for message in messages:
        await send(message)


def _answer(messages: list[Message]) -> StoredAnswer:
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in messages[0]["headers"]
        if name.lower() not in _NOT_KEPT
    }
    return StoredAnswer(messages[0]["status"], headers, b"".join(message.get("body", b"") for message in messages[1:]))


def _encrypted(scope: Scope, answer: StoredAnswer) -> StoredAnswer:
    """An answer as the database may hold it: secrets can be read with the asker's own token alone."""
    return replace(answer, body=_seal(scope).encrypt(answer.body)) if scope["path"] in _SECRET else answer


def _decrypted(scope: Scope, answer: StoredAnswer) -> StoredAnswer:
    """The reverse.

    Raises
    ------
    Problem
        `idempotency_key_reused` if the same person asks with another token.
    """
    if scope["path"] not in _SECRET:
        return answer
    try:
        return replace(answer, body=_seal(scope).decrypt(answer.body))
    except InvalidToken:
        raise Problem("idempotency_key_reused") from None


def _seal(scope: Scope) -> Fernet:
    token = next(value for name, value in scope["headers"] if name == b"authorization")
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"answer\0" + token).digest()))


def _digest(scope: Scope, body: bytes) -> str:
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], kind, body)
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def claim(service: Service, request: KeyedRequest) -> ClaimedKey | StoredAnswer:
    """Take a request on in a unit of its own, or give the answer it got before.

    Raises
    ------
    Refused
        `idempotency_key_reused` for another request, `idempotency_in_flight` while it is being answered.
    """
    with service.writing() as unit:
        lease_us = service.settings.idempotency_lease_s * US_PER_S
        return claim_key(unit, request.actor, request.key, request.request_digest, lease_us)


def keep(service: Service, claimed: ClaimedKey, answer: StoredAnswer) -> None:
    """Keep an answer, and commit what a request has written so far.

    Raises
    ------
    Refused
        `idempotency_in_flight` where somebody else has claimed the request since.
    """
    with service.writing() as unit:
        store_answer(unit, claimed, answer)
    if service.transaction is not None:
        with connection_errors():
            service.transaction.commit()


def release(service: Service, claimed: ClaimedKey) -> None:
    """Let a request be tried again at once."""
    with service.writing() as unit:
        release_key(unit, claimed)


def _drop(service: Service, transaction: HeldTransaction, taken: ClaimedKey) -> None:
    with connection_errors():
        transaction.undo()
    release(service, taken)
