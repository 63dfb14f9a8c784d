"""`riderscore serve`, as it is typed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.access import keys
from api.cli.serve import prepare
from api.db import schema
from api.db.identity import is_demo
from api.db.store import Store
from tests.api.cli.commands import run
from tests.api.db.databases import url_for
from tests.fixtures.v0_1_0 import kept
from tests.fixtures.v0_1_0.kept import Kept

pytestmark = pytest.mark.slow

DEADLINE_S = 60
RISE = [sys.executable, "-c", "from api.cli.main import main; main()", "serve", "--port", "0", "--lang", "en"]


@contextmanager
def serving(url: str, folder: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server on a free port, and where it says it is."""
    env = os.environ | {"RIDERSCORE_BACKGROUND": "0", "PYTHONPATH": str(Path.cwd())}
    with (folder / "log").open("w") as log:
        command = [*RISE, "--database-url", url, *words]
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            yield said.split()[3] if said else "", server
        finally:
            if server.poll() is None:
                server.kill()
            server.communicate(timeout=DEADLINE_S)


def get(url: str, token: str = "") -> tuple[int, Any]:
    """Status and body of a path; waits until the server answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError:
            if time.monotonic() > end:
                raise


def test_serve_makes_its_database_and_answers(tmp_path: Path) -> None:
    """From nothing: tables, shipped books, the address on stdout, an answer; told to stop, it stops in good order."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with serving(url, tmp_path) as (address, server):
        ready = get(f"{address}/readyz")
        made = run("token", "create", "--role", "ops", "--subject", "li.na", "--all-cities", "--database-url", url)
        seen = get(f"{address}/v1/tokens", made.stdout.strip())
        server.send_signal(signal.SIGTERM)
        code = server.wait(DEADLINE_S)

    checks = {"database": True, "migrations": True, "books": True, "clock": True, "compiled": True}
    assert (ready[0], ready[1]["ready"], ready[1]["checks"]) == (200, True, checks)
    assert [warned["code"] for warned in ready[1]["warnings"]] == ["no_book_in_force"]
    assert (seen[0], [item["subject"] for item in seen[1]["items"]]) == (200, ["li.na"])
    assert code == 0
    assert all(json.loads(line) for line in (tmp_path / "log").read_text().splitlines())


def test_a_head_without_end_is_refused(tmp_path: Path) -> None:
    """The server lets go of who sends headers and never asks for anything."""
    with serving(f"sqlite:///{tmp_path / 'store.db'}", tmp_path) as (address, _):
        get(f"{address}/healthz")
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), DEADLINE_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_921)
            heard = client.recv(100)

    assert heard.startswith(b"HTTP/1.1 431 ")


def test_an_outdated_postgresql_is_refused(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The command to run is named, and nothing is served or changed."""
    url = url_for("postgresql", request, tmp_path)

    done = run("serve", "--port", "0", "--database-url", url, "--lang", "en")

    assert done.exit_code == 1
    assert "riderscore db upgrade" in done.stderr
    store = Store(url)
    assert schema.revision_of(store) is None
    store.close()


def test_a_setting_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable ends the command before anything is made."""
    monkeypatch.setenv("RIDERSCORE_TOKEN_CASHE_S", "1")

    done = run("serve", "--database-url", f"sqlite:///{tmp_path / 'store.db'}")

    assert done.exit_code == 2
    assert "RIDERSCORE_TOKEN_CASHE_S" in done.stderr
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("named", "is_secure"), [("127.0.0.1", True), ("10.0.0.0/8, 127.0.0.0/8", True), ("10.0.0.1", False), ("", False)]
)
def test_https_before_a_proxy_is_believed_of_the_proxies_named(tmp_path: Path, named: str, is_secure: bool) -> None:
    """Cookies are `Secure` where a stated proxy says that the browser came by https; nobody else is believed."""
    words = ("--forwarded-allow-ips", named) if named else ()
    with serving(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, *words) as (address, _):
        get(f"{address}/healthz")
        request = urllib.request.Request(f"{address}/login", headers={"X-Forwarded-Proto": "https"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            cookies = answer.headers.get_all("Set-Cookie")

    assert cookies
    assert all(("; secure" in cookie.lower()) == is_secure for cookie in cookies)


@pytest.mark.parametrize("named", ["localhost", "10.0.0.0/99", "10.0.0.1;10.0.0.2", "*,10.0.0.1", "10.0.0.1/8"])
def test_a_proxy_that_is_no_address_is_refused(tmp_path: Path, named: str) -> None:
    """A misspelt one would be believed by nobody, in silence."""
    done = run(
        "serve", "--forwarded-allow-ips", named, "--port", "0", "--database-url", f"sqlite:///{tmp_path / 'store.db'}"
    )

    assert done.exit_code == 2
    assert "--forwarded-allow-ips" in done.stderr
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize("is_filled", [True, False])
def test_one_click_roles_need_a_database_of_a_demo(
    v0_1_0: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_filled: bool
) -> None:
    """The setting on any other database ends the command, whether it is filled or new."""
    monkeypatch.setenv("RIDERSCORE_DEMO", "1")
    url = v0_1_0.url if is_filled else f"sqlite:///{tmp_path / 'new.db'}"
    run("db", "upgrade", "--database-url", url)

    done = run("serve", "--port", "0", "--database-url", url, "--lang", "en")

    assert done.exit_code == 2
    assert "riderscore demo" in done.stderr


def test_a_demo_of_0_1_0_is_known(tmp_path: Path) -> None:
    """The upgrade marks it; a filled database of a service with a city of the same name it does not."""
    folder = kept.demo(tmp_path)
    url = f"sqlite:///{folder / 'riderscore.db'}"

    prepare(url, "en", is_for_demo=True)

    store = Store(url)
    with store.reading() as unit:
        clicked = [key for key in keys.all_keys(unit) if key.created_by == "demo:login"]
        assert is_demo(unit)
    store.close()
    assert clicked
    assert all(key.revoked_us is not None for key in clicked)
