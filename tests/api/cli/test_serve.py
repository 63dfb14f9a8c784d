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

from api.store import schema
from api.store.units import Store
from tests.api.cli.commands import run
from tests.api.conftest import url_for

DEADLINE_S = 60
RISE = [sys.executable, "-c", "from api.cli.main import main; main()", "serve", "--port", "0", "--lang", "en"]


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server on a free port, and where it says it is."""
    env = os.environ | {"RIDERSCORE_BACKGROUND": "0", "PYTHONPATH": str(Path.cwd())}
    with (folder / "log").open("w") as log:
        command = [*RISE, "--database-url", url]
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

    checks = {"database": True, "migrations": True, "books": True, "clock": True}
    assert ready == (200, {"ready": True, "checks": checks, "warnings": []})
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
