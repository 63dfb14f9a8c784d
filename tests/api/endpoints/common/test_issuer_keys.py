"""The issuer's public keys: removed ones are refused in time, and nobody's made-up names cost anybody else anything."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from api.access.issuer_keys import (
    RETRY_US,
    TOO_OLD_US,
    IssuerKeys,
    KeysUnknownError,
    from_address,
    is_safe_address,
    public_keys,
)
from api.endpoints.common.jwts import LEEWAY_S, JwtVerifier
from api.endpoints.common.problems import Problem
from api.settings import SettingError, Settings
from tests.api.endpoints.conftest import Clock

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def entry(name: str, **more: Any) -> dict[str, Any]:
    """A public key as a list has it."""
    return RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": name, "use": "sig"} | more


class Issuer:
    """Somebody whose list of keys can be changed, taken away and held back."""

    def __init__(self, *names: str) -> None:
        self.document: Any = {"keys": [entry(name) for name in names]}
        self.num_asked = 0
        self.free = threading.Event()
        self.free.set()
        self.asked = threading.Event()

    def __call__(self) -> Any:
        """The list."""
        self.num_asked += 1
        self.asked.set()
        self.free.wait(30)
        if self.document is None:
            raise OSError
        return self.document


def settled(keys: IssuerKeys) -> None:
    """Wait until nothing is being read."""
    reading = keys._reading
    if reading is not None:
        reading.result(30)


def test_a_removed_key_is_refused_within_its_time(clock: Clock) -> None:
    """The next reading forgets it, the last one of all, too; good ones are answered meanwhile."""
    issuer = Issuer("a", "b")
    keys = IssuerKeys(issuer, clock)
    assert keys.find("a")[0] is not None

    issuer.document = {"keys": [entry("b")]}
    clock.forward(seconds=301)
    meanwhile = keys.find("a")[0]
    settled(keys)

    assert meanwhile is not None
    assert keys.find("a")[0] is None
    issuer.document = {"keys": []}
    clock.forward(seconds=301)
    keys.find("b")
    settled(keys)
    assert keys.find("b")[0] is None


def test_keys_that_cannot_be_read_again_are_not_believed_for_ever(clock: Clock) -> None:
    """An issuer that is away keeps no removed key alive; when it is back, all goes on."""
    issuer = Issuer("a")
    keys = IssuerKeys(issuer, clock)
    until_us = keys.find("a")[1]
    issuer.document = None
    clock.forward(seconds=TOO_OLD_US // 1_000_000)

    with pytest.raises(KeysUnknownError):
        keys.find("a")
    issuer.document = {"keys": [entry("a")]}
    clock.forward(seconds=RETRY_US // 1_000_000)

    assert until_us == clock() - RETRY_US
    assert keys.find("a")[0] is not None


def test_unknown_names_make_no_more_than_one_attempt(clock: Clock) -> None:
    """Thousands of made-up names cost one reading in ten seconds, and nothing is kept of them."""
    issuer = Issuer("a")
    keys = IssuerKeys(issuer, clock)
    keys.find("a")

    clock.forward(seconds=11)
    found = [keys.find(f"made-up-{number}")[0] for number in range(2_000)]

    assert set(found) == {None}
    assert issuer.num_asked == 2
    assert keys.find("a")[0] is not None


def test_good_tokens_do_not_wait_for_unknown_names(clock: Clock) -> None:
    """While an issuer takes its time over a made-up name, known keys are found and other names are refused at once."""
    issuer = Issuer("a")
    keys = IssuerKeys(issuer, clock)
    keys.find("a")
    clock.forward(seconds=301)
    issuer.free.clear()
    issuer.asked.clear()
    waiting = threading.Thread(target=keys.find, args=("made-up",))
    waiting.start()
    assert issuer.asked.wait(30)

    found = [keys.find(name)[0] is not None for name in ("a", "made-up", "a")]

    assert waiting.is_alive()
    issuer.free.set()
    waiting.join(30)
    assert found == [True, False, True]


def test_a_new_key_is_known_to_whoever_asks_first(clock: Clock) -> None:
    """The first token that names it waits for the list and gets in."""
    issuer = Issuer("a")
    keys = IssuerKeys(issuer, clock)
    keys.find("a")
    issuer.document = {"keys": [entry("a"), entry("b")]}
    clock.forward(seconds=11)

    assert keys.find("b")[0] is not None


@pytest.mark.parametrize("document", [[], {}, {"keys": {}}, {"keys": None}, "x", None])
def test_what_is_no_list_changes_nothing(clock: Clock, document: Any) -> None:
    """A page of errors in place of the list removes no key."""
    issuer = Issuer("a")
    keys = IssuerKeys(issuer, clock)
    keys.find("a")
    issuer.document = document
    clock.forward(seconds=301)
    keys.find("a")
    settled(keys)

    assert keys.find("a")[0] is not None


def test_one_bad_entry_costs_itself_alone() -> None:
    """Shared secrets, private keys, weak ones and nonsense are left out."""
    weak = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    bad: list[Any] = [
        7, {}, {"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"}, {"kty": "oct", "kid": "s", "k": "a"},
        entry("private", d="x"), entry("other-use", use="enc"), entry("other-alg", alg="HS256"),
        RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True) | {"kid": "weak"},
    ]  # fmt: skip

    assert set(public_keys({"keys": [*bad, entry("good")]})) == {"good"}


def test_what_a_token_is_believed_for_ends_with_the_key(clock: Clock) -> None:
    """However long a looked-up token is kept: no longer than the list is believed that its key stood in."""
    issuer = Issuer("a")
    jwts = JwtVerifier(Settings(jwt_issuer="i", jwt_audience="a", jwt_jwks_file="none"), clock)
    jwts._keys = IssuerKeys(issuer, clock)
    claims = {"iss": "i", "aud": "a", "sub": "x", "role": "ops", "cities": ["*"], "exp": clock() // 1_000_000 + 9_999}

    actor, until_us = jwts.read(jwt.encode(claims, KEY, "RS256", headers={"kid": "a"}))

    assert until_us == clock() + TOO_OLD_US
    assert actor.signed_by is not None
    assert (jwts.has_key(actor.signed_by), jwts.has_key("b")) == (True, False)


@pytest.mark.parametrize(("over_s", "is_good"), [(0, True), (LEEWAY_S - 1, True), (LEEWAY_S, False)])
def test_a_token_is_good_to_the_second(clock: Clock, over_s: int, is_good: bool) -> None:
    """For as long after its end as clocks may differ, and not a second longer; nobody believes it past that."""
    jwts = JwtVerifier(Settings(jwt_issuer="i", jwt_audience="a", jwt_shared_key="k" * 32), clock)
    now_s = clock() // 1_000_000
    claims = {"iss": "i", "aud": "a", "sub": "x", "role": "ops", "cities": ["*"], "exp": now_s - over_s}
    token = jwt.encode(claims, "k" * 32, "HS256")

    if is_good:
        assert jwts.read(token)[1] == (now_s - over_s + LEEWAY_S) * 1_000_000
    else:
        with pytest.raises(Problem, match=r"token_(invalid|expired)"):
            jwts.read(token)


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://issuer.example/keys", True),
        ("https://issuer.example:8443/keys?x=1", True),
        ("http://localhost/keys", True),
        ("http://LOCALHOST:9000/keys", True),
        ("http://127.0.0.1:9000/keys", True),
        ("http://127.8.9.10/keys", True),
        ("http://[::1]:9000/keys", True),
        ("http://[0:0:0:0:0:0:0:1]/keys", True),
        ("http://issuer.example/keys", False),
        ("http://127.0.0.1.evil.example/keys", False),
        ("http://localhost.evil.example/keys", False),
        ("http://localhost@evil.example/keys", False),
        ("http://127.0.0.1:80@evil.example/keys", False),
        ("http://127.0.0.1\\@evil.example/keys", False),
        ("http://evil.example#@127.0.0.1/", False),
        ("http://127.0.0.1 .evil.example/", False),
        ("http://127.0.0.1\t.evil.example/", False),
        ("http://localhostevil.example/keys", False),
        ("http://127.0.0.1evil.example/keys", False),
        ("http://128.0.0.1/keys", False),
        ("http://0.0.0.0/keys", False),
        ("http://10.0.0.1/keys", False),
        ("http://[::]/keys", False),
        ("http://[::ffff:10.0.0.1]/keys", False),
        ("http://[fe80::1]/keys", False),
        ("http://[::1", False),
        ("http:///keys", False),
        ("https://name:word@issuer.example/keys", False),
        ("https://", False),
        ("ftp://127.0.0.1/keys", False),
        ("file:///etc/passwd", False),
        ("127.0.0.1/keys", False),
        ("http://127.0.0.1:port/keys", False),
    ],
)
def test_keys_come_by_https_or_from_this_machine(url: str, is_safe: bool) -> None:
    """The host is read as a browser reads it, never by how the text begins."""
    assert is_safe_address(url) == is_safe
    if not is_safe:
        with pytest.raises(SettingError):
            JwtVerifier(Settings(jwt_issuer="i", jwt_audience="a", jwt_jwks_url=url), Clock())


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server of this machine; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/keys"
    server.shutdown()
    server.server_close()
    thread.join(30)


def sends(status: int, body: bytes = b"{}", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_keys_are_not_looked_for_elsewhere(status: int) -> None:
    """An answer that leads to another address is none."""
    asked = []

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        sends(200, b'{"keys": []}')(request)

    with (
        answering(elsewhere) as other,
        answering(sends(status, Location=other)) as url,
        pytest.raises(ValueError, match="30"),
    ):
        from_address(url)()
    assert asked == []


@pytest.mark.slow
def test_a_list_is_read_as_far_as_a_list_goes() -> None:
    """What is too long, no JSON or an error is none."""
    with answering(sends(200, b'{"keys": []}')) as url:
        assert from_address(url)() == {"keys": []}
    long = b"[" + b" " * 1_100_000 + b"]"
    for wrong, why in ((sends(200, long), "1"), (sends(200, b"<html>"), "Expecting"), (sends(500), "500")):
        with answering(wrong) as url, pytest.raises(ValueError, match=why):
            from_address(url)()
