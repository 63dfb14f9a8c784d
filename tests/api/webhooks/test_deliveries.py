"""Webhooks: signed, at least once, in a rider's order, tried again, given up, switched off, never into the own network."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from api.app.ticker import Ticker
from api.clock import now_us
from api.db.outbox import BODY_BYTES_MAX, Message, emit, enqueue, wanted_kinds
from api.db.store import Store
from api.db.tables import outbox, webhook_attempts
from api.db.tables import webhooks as webhooks_table
from api.endpoints.common.logs import make_log
from api.refusals import Refused
from api.settings import Settings
from api.webhooks import deliveries, sender, subscriptions
from api.webhooks.deliverer import WebhookDeliverer
from api.webhooks.deliveries import (
    DISABLED_AFTER_US,
    HOLDS_BACK,
    LEASE_US,
    RETRY_S,
    AttemptResult,
    lease_due_attempts,
    record_result,
)
from api.webhooks.sender import WebhookSender
from tests.api.endpoints.conftest import Clock
from tests.api.ledger.posts import BOOK, later, newest_us, post, publish
from tests.api.webhooks.receiver import Receiver, receiving
from tests.builders import delivered

pytestmark = pytest.mark.slow

S = 1_000_000


@pytest.fixture
def clock() -> Clock:
    """A clock that begins now: receivers check how old a message is."""
    return Clock(now_us())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who listens."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def deliverer(store: Store, clock: Clock) -> Iterator[WebhookDeliverer]:
    """What sends, to this machine too."""
    deliverer = WebhookDeliverer(store, clock, WebhookSender(allow_private=True, clock=clock), make_log("error"))
    yield deliverer
    deliverer.close()


def listen(store: Store, clock: Clock, url: str, *kinds: str, cities: tuple[str, ...] = ()) -> tuple[str, str]:
    """Register; id and secret."""
    with store.writing(clock()) as unit:
        made, secret = subscriptions.register(unit, "platform:p", url, kinds, cities, allow_private=True)
    return made.webhook_id, secret


def tell(store: Store, clock: Clock, *messages: Message) -> None:
    """Announce, and commit."""
    with store.writing(clock()) as unit:
        emit(unit, messages)


def changed(number: int, rider: str = "r1", city: str = "hangzhou") -> Message:
    """A message about a rider."""
    return Message("score.changed", {"number": number}, rider, city)


def send_all(deliverer: WebhookDeliverer) -> None:
    """Until nothing more is due."""
    while deliverer.step():
        deliverer.wait()


def states(store: Store, webhook_id: str) -> list[tuple[str, int]]:
    """State and attempts of each delivery, oldest first."""
    with store.reading() as unit:
        page = subscriptions.deliveries_of(unit, webhook_id)
    return [(one.state, one.num_attempts) for one in reversed(page.items)]


def test_a_message_arrives_signed(store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer) -> None:
    """The receiver verifies it with the convention's own library; the id is the message's, the body as announced."""
    webhook_id, secret = listen(store, clock, receiver.url)
    tell(store, clock, changed(1))

    send_all(deliverer)

    assert [body["data"] for body in receiver.verified(secret)] == [{"number": 1}]
    headers, body = receiver.came[0]
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"].startswith("msg_")
    assert headers["riderscore-platform"] == json.loads(body)["platform"] == "default"
    assert json.loads(body)["type"] == "score.changed"
    assert states(store, webhook_id) == [("delivered", 1)]


def test_messages_that_arrived_are_forgotten_in_time(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer, url: str
) -> None:
    """What waits stays, however old, until nobody waits for it; numbers go on; the rest is gone for good."""
    listen(store, clock, receiver.url)
    off, _ = listen(store, clock, "https://off.example/", "tier.changed")
    with store.writing(clock()) as unit:
        unit.connection.execute(update(webhooks_table).where(webhooks_table.c.webhook_id == off).values(disabled_us=1))
    with store.writing(clock()) as unit:
        waiting = enqueue(unit, [(Message("tier.changed", {}, "r1"), [off])])
    tell(store, clock, *(changed(k) for k in range(3)))
    send_all(deliverer)
    ticker = Ticker(store, Settings(database_url=url, messages_keep_d=30), clock)

    clock.forward(days=30)
    ticker.step()
    before = numbers_of(store)
    clock.forward(seconds=1)
    ticker.step()
    after = numbers_of(store)
    with store.writing(clock()) as unit:
        subscriptions.remove(unit, "platform:p", off)
    ticker.step()

    first = waiting[0]
    assert before == [first, first + 1, first + 2, first + 3]
    assert after == [first, first + 3]
    assert numbers_of(store) == [first + 3]


def test_the_database_keeps_what_is_to_be_delivered(store: Store, clock: Clock) -> None:
    """Neither changed nor removed while a delivery of it is left, whatever program tries."""
    listen(store, clock, "https://a.example/")
    tell(store, clock, changed(1))

    for statement in (delete(outbox), update(outbox).values(payload="{}")):
        with pytest.raises(DBAPIError, match="append-only"), store.writing(clock()) as unit:
            unit.connection.execute(statement)


def numbers_of(store: Store) -> list[int]:
    """Messages that are kept."""
    with store.reading() as unit:
        return list(unit.connection.scalars(select(outbox.c.outbox_id).order_by(outbox.c.outbox_id)))


def test_only_those_who_listen_are_told(store: Store, clock: Clock) -> None:
    """Kinds and cities choose; what nobody hears is not kept; what has no city is for all."""
    tiers, _ = listen(store, clock, "https://a.example/", "tier.changed")
    hangzhou, _ = listen(store, clock, "https://b.example/", cities=("hangzhou",))
    tell(
        store, clock,
        changed(1, city="suzhou"),
        changed(2),
        Message("tier.changed", {}, "r1", "suzhou"),
        Message("book.scheduled", {}),
    )  # fmt: skip

    with store.reading() as unit:
        kept = unit.connection.scalars(select(outbox.c.kind).order_by(outbox.c.outbox_id)).all()
        assert wanted_kinds(unit) >= {"tier.changed", "score.changed"}
    assert kept == ["score.changed", "tier.changed", "book.scheduled"]
    assert len(states(store, tiers)) == 1
    assert len(states(store, hangzhou)) == 2


def test_nothing_is_told_of_what_did_not_happen(store: Store, clock: Clock) -> None:
    """A transaction that is rolled back leaves no message."""
    webhook_id, _ = listen(store, clock, "https://a.example/")

    def never_mind() -> None:
        with store.writing(clock()) as unit:
            emit(unit, [changed(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        never_mind()

    assert states(store, webhook_id) == []


def test_a_failed_message_is_tried_again_under_the_same_id(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """After growing waits, with chance in them; the first success ends it."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda number: 503 if number < 4 else 200
    tell(store, clock, changed(1))

    waits = []
    for _ in range(3):
        send_all(deliverer)
        with store.reading() as unit:
            waits.append((subscriptions.deliveries_of(unit, webhook_id).items[0].next_us - clock()) // S)
        clock.forward(seconds=waits[-1] + 1)
    send_all(deliverer)

    assert all(wanted_s <= waited <= wanted_s * 3 // 2 + 1 for waited, wanted_s in zip(waits, RETRY_S, strict=False))
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.came}) == 4
    assert states(store, webhook_id) == [("delivered", 4)]
    with store.reading() as unit:
        assert subscriptions.webhook_of(unit, webhook_id).failing_us is None


def test_a_receiver_may_ask_for_more_time(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """Retry-After is kept to."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda _number: 429
    receiver.headers = {"Retry-After": "1000"}
    tell(store, clock, changed(1))

    send_all(deliverer)

    with store.reading() as unit:
        assert subscriptions.deliveries_of(unit, webhook_id).items[0].next_us == clock() + 1000 * S


def test_a_message_is_given_up_in_the_end(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """After the last attempt, saying what was answered."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda _number: 500
    tell(store, clock, changed(1))

    for _ in range(len(RETRY_S) + 3):
        send_all(deliverer)
        clock.forward(seconds=2 * 86_400 // 10)
        clock.forward(days=1)

    with store.reading() as unit:
        found = subscriptions.deliveries_of(unit, webhook_id).items[0]
    assert len(receiver.came) <= len(RETRY_S) + 1
    assert found.last_status == 500


def test_every_wait_is_followed_by_an_attempt(store: Store, clock: Clock) -> None:
    """As many waits as the list has, one attempt more, and then it is given up."""
    webhook_id, _ = listen(store, clock, "http://127.0.0.1:9/")
    tell(store, clock, changed(1))

    waits = []
    for _ in range(len(RETRY_S) + 1):
        with store.writing(clock()) as unit:
            (parcel,) = lease_due_attempts(unit, 1)
            record_result(unit, parcel, AttemptResult(500), 0)
            found = subscriptions.deliveries_of(unit, webhook_id).items[0]
        waits.append((found.state, (found.next_us - clock()) // S))
        clock.now_us = found.next_us

    assert waits[:-1] == [("waiting", wait_s) for wait_s in RETRY_S]
    assert waits[-1][0] == "given_up"
    assert states(store, webhook_id) == [("given_up", len(RETRY_S) + 1)]


def test_a_webhook_that_fails_for_long_is_switched_off(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """Nothing more is kept for it until somebody switches it on again; then what waited is sent."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda _number: 500
    tell(store, clock, changed(1))
    send_all(deliverer)
    clock.forward(seconds=DISABLED_AFTER_US // S)
    send_all(deliverer)
    tell(store, clock, changed(2))

    with store.reading() as unit:
        found = subscriptions.webhook_of(unit, webhook_id)
    assert found.disabled_why == "failing"
    assert len(states(store, webhook_id)) == 1

    receiver.answer = lambda _number: 200
    with store.writing(clock()) as unit:
        subscriptions.enable(unit, "ops:li.na", webhook_id)
    clock.forward(days=1)
    send_all(deliverer)
    assert [state for state, _ in states(store, webhook_id)] == ["delivered"]


def test_a_receiver_that_is_gone_is_left_alone(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """410 switches it off at once."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda _number: 410
    tell(store, clock, changed(1), changed(2, "r2"))

    send_all(deliverer)

    with store.reading() as unit:
        assert subscriptions.webhook_of(unit, webhook_id).disabled_why == "gone"


def test_messages_of_a_rider_keep_their_order(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """A failed one holds back the later ones of that rider, of nobody else, and not for ever."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda _number: 500
    tell(store, clock, changed(1), changed(2), changed(3))
    send_all(deliverer)
    receiver.answer = lambda _number: 200
    tell(store, clock, changed(4, "r2"))
    send_all(deliverer)
    assert [json.loads(body)["data"]["number"] for _, body in receiver.came] == [1, 4]

    clock.forward(seconds=10)
    send_all(deliverer)

    assert [json.loads(body)["data"]["number"] for _, body in receiver.came] == [1, 4, 1, 2, 3]
    assert {state for state, _ in states(store, webhook_id)} == {"delivered"}


def test_one_that_cannot_be_delivered_does_not_block_its_rider_for_ever(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """After some failures later messages pass it."""
    listen(store, clock, receiver.url)
    receiver.answer = lambda number: 400 if json.loads(receiver.came[number - 1][1])["data"]["number"] == 1 else 200
    tell(store, clock, changed(1), changed(2))
    for _ in range(HOLDS_BACK + 1):
        send_all(deliverer)
        clock.forward(seconds=2_000)

    numbers = [json.loads(body)["data"]["number"] for _, body in receiver.came]

    assert numbers == [1] * (HOLDS_BACK + 1) + [2]


def test_two_servers_do_not_send_double(store: Store, clock: Clock) -> None:
    """What one has taken up the other does not find, until the one has been silent for long."""
    listen(store, clock, "https://a.example/")
    tell(store, clock, *(changed(k, f"r{k}") for k in range(6)))

    with store.writing(clock()) as unit:
        first = lease_due_attempts(unit, 4)
    with store.writing(clock()) as unit:
        second = lease_due_attempts(unit, 100)
    clock.forward(seconds=LEASE_US // S)
    with store.writing(clock()) as unit:
        again = lease_due_attempts(unit, 100)

    assert (len(first), len(second), len(again)) == (4, 2, 6)
    assert not {one.outbox_id for one in first} & {one.outbox_id for one in second}


@pytest.mark.parametrize("sent", [AttemptResult(204), AttemptResult(500), AttemptResult(error="too late")])
def test_an_attempt_that_was_overtaken_changes_nothing(store: Store, clock: Clock, sent: AttemptResult) -> None:
    """Its lease ran out and another attempt is on its way: what the first one says in the end does not count."""
    listen(store, clock, "http://127.0.0.1:9/")
    tell(store, clock, changed(1))
    with store.writing(clock()) as unit:
        (stale,) = lease_due_attempts(unit, 1)
    clock.now_us += LEASE_US
    with store.writing(clock()) as unit:
        (current,) = lease_due_attempts(unit, 1)
        before = unit.connection.execute(select(webhook_attempts)).one()
        record_result(unit, stale, sent, 0)
        after = unit.connection.execute(select(webhook_attempts)).one()
        record_result(unit, current, AttemptResult(204), 0)
        last = unit.connection.execute(select(webhook_attempts)).one()

    assert (stale.num_attempts, current.num_attempts) == (1, 2)
    assert after == before
    assert (last.state, last.num_attempts, last.last_status) == ("delivered", 2, 204)


def test_a_busy_receiver_holds_up_no_other(store: Store, clock: Clock) -> None:
    """Webhooks with enough on their way are passed over."""
    slow, _ = listen(store, clock, "https://slow.example/")
    quick, _ = listen(store, clock, "https://quick.example/")
    tell(store, clock, changed(1))

    with store.writing(clock()) as unit:
        claimed = lease_due_attempts(unit, 10, {slow: 10})

    assert [one.webhook_id for one in claimed] == [quick]


def test_a_rotated_secret_overlaps_with_the_old_one(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """Both sign for a day, then the new one alone."""
    webhook_id, old = listen(store, clock, receiver.url)
    with store.writing(clock()) as unit:
        new = subscriptions.rotate(unit, "platform:p", webhook_id)
    tell(store, clock, changed(1))
    send_all(deliverer)
    assert receiver.verified(old) == receiver.verified(new)

    receiver.came.clear()
    clock.forward(days=1)
    tell(store, clock, changed(2))
    send_all(deliverer)

    assert len(receiver.came[0][0]["webhook-signature"].split()) == 1


def test_a_ping_reaches_its_webhook_alone(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """Whatever it listens to."""
    webhook_id, secret = listen(store, clock, receiver.url, "tier.changed")
    listen(store, clock, "http://127.0.0.1:1/")
    with store.writing(clock()) as unit:
        subscriptions.ping(unit, webhook_id)

    send_all(deliverer)

    assert [body["type"] for body in receiver.verified(secret)] == ["ping"]


def test_a_removed_webhook_hears_nothing_more(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """Not even what was on its way."""
    webhook_id, _ = listen(store, clock, receiver.url)
    tell(store, clock, changed(1))
    with store.writing(clock()) as unit:
        subscriptions.remove(unit, "platform:p", webhook_id)
    tell(store, clock, changed(2))

    send_all(deliverer)

    assert receiver.came == []
    with store.reading() as unit, pytest.raises(Refused, match="webhook_unknown"):
        subscriptions.webhook_of(unit, webhook_id)


def test_redirects_are_not_followed(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """They are failures: who may be called was decided for the address that was registered."""
    webhook_id, _ = listen(store, clock, receiver.url)
    receiver.answer = lambda _number: 302
    receiver.headers = {"Location": receiver.url}
    tell(store, clock, changed(1))

    send_all(deliverer)

    assert len(receiver.came) == 1
    assert states(store, webhook_id) == [("waiting", 1)]


@pytest.mark.parametrize(
    "address",
    [
        "http://platform.example/hook",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://localhost/",
        "https://intranet/",
        "https://db.internal/",
        "https://2130706433/",
        "https://user:password@platform.example/",
        "https://platform.example/#x",
        "https:///x",
        "ftp://platform.example/",
        "https://platform.example:99999/",
        "javascript:alert(1)",
    ],
)
def test_addresses_that_may_not_be_called_are_refused(address: str) -> None:
    """Own networks, other schemes, passwords in addresses."""
    with pytest.raises(Refused, match="webhook_url"):
        subscriptions.check_url(address, allow_private=False)


def test_a_name_that_leads_into_the_own_network_is_not_called(store: Store, clock: Clock, receiver: Receiver) -> None:
    """What a name leads to is looked at when something is sent."""
    webhook_id, _ = listen(store, clock, receiver.url.replace("http://127.0.0.1", "https://localhost"))
    tell(store, clock, changed(1))
    careful = WebhookDeliverer(store, clock, WebhookSender(allow_private=False, clock=clock), make_log("error"))

    send_all(careful)
    careful.close()

    with store.reading() as unit:
        found = subscriptions.deliveries_of(unit, webhook_id).items[0]
    assert receiver.came == []
    assert found.last_error == "address of a private network"


def test_what_a_post_changes_is_heard(store: Store, receiver: Receiver) -> None:
    """A late order: the platform hears of the score, signed, with the entry that explains it."""
    publish(store, BOOK)
    events = later([delivered("e1", late_min=4), delivered("e2", rider_id="r2")])
    clock = Clock(newest_us(events))
    _, secret = listen(store, clock, receiver.url, "score.changed", cities=("hangzhou",))
    post(store, events)
    deliverer = WebhookDeliverer(store, clock, WebhookSender(allow_private=True, clock=now_us), make_log("error"))

    send_all(deliverer)
    deliverer.close()

    heard = receiver.verified(secret)
    assert {body["type"] for body in heard} == {"score.changed"}
    assert len(heard) == 2
    assert {"r1", "r2"} >= {body["data"]["rider_id"] for body in heard}
    assert all(isinstance(body["timestamp"], str) for body in heard)


@contextmanager
def dripping() -> Iterator[str]:
    """A receiver that takes all and answers a byte at a time, never to the end; its address."""
    ended = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def drip(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(1 << 16)
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000:
                client.sendall(bytes([byte]))
                if ended.wait(0.05):
                    return

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        ended.set()
        server.close()


def test_an_attempt_is_over_in_time_however_slowly_the_answer_drips(
    store: Store, clock: Clock, deliverer: WebhookDeliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, the answer does not: one deadline holds for all of it."""
    monkeypatch.setattr(sender, "TIMEOUT_S", 0.5)
    with dripping() as url:
        webhook_id, _ = listen(store, clock, url)
        tell(store, clock, changed(1))

        deliverer.step()
        deliverer.wait()

    with store.reading() as unit:
        delivery = subscriptions.deliveries_of(unit, webhook_id).items[0]
    assert (delivery.state, delivery.num_attempts) == ("waiting", 1)
    assert "0.5 s" in (delivery.last_error or "")


def test_receivers_that_do_not_answer_hold_up_no_other(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of them have however much waiting, the one that answers has all of its messages before they fail."""
    monkeypatch.setattr(sender, "TIMEOUT_S", 30)
    with dripping() as url:
        dead = [listen(store, clock, url)[0] for _ in range(8)]
        webhook_id, _ = listen(store, clock, receiver.url)
        tell(store, clock, *(changed(k, rider=f"r{k}") for k in range(20)))

        while [state for state, _ in states(store, webhook_id)].count("delivered") < 20:
            deliverer.step()

        assert all(attempts <= 1 for one in dead for _, attempts in states(store, one))
    assert len(receiver.came) == 20


def many_entries(number: int) -> dict[str, object]:
    """A change by very many entries of very long names."""
    entry = {"entry_id": "e" * 64, "event_id": "字" * 128, "rule_id": "r" * 60, "delta_mp": -1}
    return {"rider_id": "r1", "seq": number, "entries": [entry | {"seq": k + 1} for k in range(number)]}


def test_a_body_is_bounded_and_says_what_is_missing(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """The newest entries, how many there are, and the cursor that `GET …/entries` goes on from; a small one has all."""
    _, secret = listen(store, clock, receiver.url)
    tell(store, clock, Message("score.changed", many_entries(5_000), "r1", "hangzhou"))
    tell(store, clock, Message("score.changed", many_entries(3), "r2", "hangzhou"))

    send_all(deliverer)

    large, small = sorted((body["data"] for body in receiver.verified(secret)), key=lambda data: -data["num_entries"])
    assert all(len(body) <= BODY_BYTES_MAX for _, body in receiver.came)
    assert [large["num_entries"], large["entries"][-1]["seq"]] == [5_000, 5_000]
    assert large["cursor"] == str(large["entries"][0]["seq"])
    assert len(large["entries"]) >= 100
    assert (small["num_entries"], len(small["entries"]), small["cursor"]) == (3, 3, None)


def test_a_body_that_waits_from_before_is_bounded_too(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer
) -> None:
    """A message of 0.1.0 is never changed in the database; what is sent of it is."""
    webhook_id, secret = listen(store, clock, receiver.url)
    body = {"type": "score.changed", "timestamp": "2026-01-01T00:00:00Z", "data": many_entries(5_000)}
    row = {"kind": "score.changed", "rider_id": "r1", "city": "hangzhou", "recorded_us": clock()}
    with store.writing(clock()) as unit:
        unit.connection.execute(insert(outbox), row | {"outbox_id": 1, "payload": json.dumps(body)})
        attempt = {"webhook_id": webhook_id, "outbox_id": 1, "rider_id": "r1", "state": "waiting", "num_attempts": 0}
        unit.connection.execute(insert(webhook_attempts), attempt | {"next_us": clock()})

    send_all(deliverer)

    assert len(receiver.came[0][1]) <= BODY_BYTES_MAX
    assert receiver.verified(secret)[0]["data"]["num_entries"] == 5_000


def test_one_owner_has_so_many_webhooks_and_no_more(store: Store, clock: Clock) -> None:
    """Another owner still has theirs, and removing one makes room."""
    made = [listen(store, clock, "https://a.example/")[0] for _ in range(subscriptions.NUM_OF_ONE_MAX)]
    with pytest.raises(Refused) as refused:
        listen(store, clock, "https://a.example/")
    with store.writing(clock()) as unit:
        subscriptions.register(unit, "platform:q", "https://b.example/", allow_private=True)
        subscriptions.remove(unit, "platform:p", made[0])

    assert refused.value.code == "too_many_own_webhooks"
    assert listen(store, clock, "https://a.example/")


def test_what_waits_for_one_receiver_is_bounded(
    store: Store, clock: Clock, receiver: Receiver, deliverer: WebhookDeliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it nothing more is kept, what waits is sent, and with half of it gone all goes on by itself."""
    monkeypatch.setattr(deliveries, "WAITING_MAX", 4)
    webhook_id, _ = listen(store, clock, receiver.url)
    tell(store, clock, *(changed(k) for k in range(5)))
    with store.writing(clock()) as unit:
        deliveries.limit_queues(unit)
        full = subscriptions.webhook_of(unit, webhook_id).disabled_why
    tell(store, clock, changed(6))

    send_all(deliverer)
    with store.writing(clock()) as unit:
        deliveries.limit_queues(unit)
        after = subscriptions.webhook_of(unit, webhook_id).disabled_us
    tell(store, clock, changed(7))

    assert (full, after, len(receiver.came)) == ("full", None, 5)
    assert [state for state, _ in states(store, webhook_id)] == ["delivered"] * 5 + ["waiting"]


@pytest.mark.parametrize("host", ["foo..bar", ".bar.example", "a" * 64 + ".example"])
def test_a_name_that_is_none_fails_as_one_that_is_not_found(
    store: Store, clock: Clock, deliverer: WebhookDeliverer, host: str
) -> None:
    """Its owner sees why nothing arrives, and in the end it is given up."""
    webhook_id, _ = listen(store, clock, f"https://{host}/hook")
    tell(store, clock, changed(1))

    send_all(deliverer)

    assert states(store, webhook_id) == [("waiting", 1)]
    with store.reading() as unit:
        assert unit.connection.scalar(select(webhook_attempts.c.last_error)) == "name not found"
