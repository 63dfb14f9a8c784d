"""A PostgreSQL cluster of our own: made in a temporary folder, on a free port of this machine, thrown away at the end."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

INSTALLED = Path("/usr/lib/postgresql")
USER = "postgres"
# Nothing here needs to outlive the machine; what a killed client leaves behind is tested, not a power cut.
FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "60", "shared_buffers": "32MB"}
# With fsync off, sooner than the default, which writes every page to the log.
COPY = "STRATEGY FILE_COPY"
MIGRATED = "migrated"
_numbers = count(1)


def programs() -> Path | None:
    """Where the newest installed version keeps its programs."""
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _run(folder: Path, *command: str) -> None:
    """Run a program of PostgreSQL, which refuses to be root."""
    as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*as_user, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        log = folder / "log"
        raise RuntimeError(f"{' '.join(command)}: {done.stderr} {log.read_text() if log.exists() else ''}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(bin_: Path, folder: Path) -> Iterator[str]:
    """A running cluster; gives the URL of its maintenance database."""
    folder.mkdir()
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, port = folder / "data", _free_port()
    _run(
        folder, str(bin_ / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"
    )
    settings = " ".join(f"-c {name}={value}" for name, value in FAST.items())
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' {settings}"
    control = [str(bin_ / "pg_ctl"), "-D", str(data), "-w"]
    _run(folder, *control, "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
    finally:
        _run(folder, *control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str) -> str:
    """An empty database of a cluster."""
    name = f"store_{os.getpid()}_{next(_numbers)}"
    _maintain(url, f"CREATE DATABASE {name} TEMPLATE template0 {COPY}")
    return _sibling(url, name)


def drop_database(url: str) -> None:
    """Drop a database, whoever is still connected."""
    _maintain(url, f"DROP DATABASE {_name(url)} WITH (FORCE)")


def create_tables(url: str) -> None:
    """Put a copy of a migrated database in the place of an empty one; the first call of a cluster migrates it."""
    from api.db import schema
    from api.db.store import Store

    with _maintenance(url) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", (MIGRATED,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {MIGRATED} TEMPLATE template0 {COPY}")
            store = Store(_sibling(url, MIGRATED))
            schema.upgrade(store)
            store.close()
        connection.execute(f"DROP DATABASE {_name(url)}")
        connection.execute(f"CREATE DATABASE {_name(url)} TEMPLATE {MIGRATED} {COPY}")


def _maintain(url: str, statement: str) -> None:
    with _maintenance(url) as connection:
        connection.execute(statement)


def _maintenance(url: str) -> Any:
    import psycopg

    return psycopg.connect(_sibling(url, "postgres").replace("+psycopg", ""), autocommit=True)


def _sibling(url: str, name: str) -> str:
    """The URL of another database of the same cluster."""
    return f"{url.rpartition('/')[0]}/{name}"


def _name(url: str) -> str:
    return url.rpartition("/")[2]
