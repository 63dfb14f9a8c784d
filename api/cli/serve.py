"""`riderscore serve`: the API, the riders' page and the console, in one process."""

import ipaddress
import os
import signal
import socket
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import click

from api.cli.console import FAILED, USAGE, lang_option, print_message
from api.cli.database import check_platform, database_option, open_store, upgrade_store
from api.cli.deploy import put_table, table_for
from api.cli.failures import end_on
from api.cli.option_types import WholeNumber
from rules.text import Lang, text

# Lines of the log: what happened, and its values.
LogLines = dict[str, dict[str, Any]]
NO_BOOK = "no_book_in_force"
GRACE_S = 10
KEEP_ALIVE_S = 5


@click.command("serve")
@database_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=WholeNumber(0, 65_535), default=8000, show_default=True, help="0 for a free one.")
@click.option(
    "--forwarded-allow-ips",
    default=None,
    help="Proxies before this server, whose X-Forwarded-* is believed: addresses or networks with commas, * for all.",
)
@click.option(
    "--deployment",
    default=None,
    metavar="published|FILE",
    help="Put rule books in force first, in cities that have none: the published table, or a file of [[deploy]] rows.",
)
@lang_option
def serve(
    database_url: str, host: str, port: int, forwarded_allow_ips: str | None, deployment: str | None, lang: Lang
) -> None:
    """Serve the API, the riders' page and the console.

    An embedded database is brought up to date first; an outdated PostgreSQL is refused. A fresh database has the
    shipped books, in force nowhere: --deployment takes those rows of a table that are of RIDERSCORE_PLATFORM, or of none.
    """
    from api.settings import Settings

    settings = replace(Settings.from_environment(), database_url=database_url)
    if forwarded_allow_ips is not None:
        settings = replace(settings, forwarded_allow_ips=forwarded_allow_ips)
    check_proxies(settings.forwarded_allow_ips)
    chosen = None if deployment is None else table_for(deployment, settings.platform, lang)
    log_lines = prepare(database_url, lang, is_for_demo=settings.demo, chosen=chosen)
    run(settings, listening(host, port, lang), lang, log_lines)


def check_proxies(named: str) -> None:
    """Refuse what is no address, no network and not `*`.

    Raises
    ------
    SettingError
        Naming the first part that is none: a misspelt one would silently be believed by nobody.
    """
    from api.settings import SettingError

    if named.strip() in ("", "*"):
        return
    for part in named.split(","):
        try:
            ipaddress.ip_network(part.strip())
        except ValueError as error:
            raise SettingError(f"--forwarded-allow-ips: {error}") from None


def prepare(database_url: str, lang: Lang, *, is_for_demo: bool = False, chosen: Any = None) -> LogLines:
    """Bring a database to where this version needs it, or end the command; what the log is to say of it.

    Parameters
    ----------
    is_for_demo
        Whether anybody is to come in as anybody: only a database that was made for that is taken.
    chosen
        A deployment table (`api.runs.plan.ChosenTable`), whose rows are put in force where nothing is.
    """
    from api.books.deployment import COMMAND, num_in_force, seed_shipped
    from api.clock import now_us
    from api.db import schema
    from api.db.identity import is_demo

    with open_store(database_url, lang, makes=True) as store:
        if store.engine.dialect.name == "sqlite":
            upgrade_store(store, lang)
        current, wanted = schema.revision_of(store), schema.head()
        if current != wanted:
            key = "store.empty" if current is None else "store.outdated"
            print_message(lang, key, url=store.shown_url, found=current, revision=wanted)
            sys.exit(FAILED)
        check_platform(store, lang)
        with store.reading() as unit:
            if is_for_demo and not is_demo(unit):
                print_message(lang, "serve.no_demo", url=store.shown_url)
                sys.exit(USAGE)
        with store.writing(now_us()) as unit:
            seed_shipped(unit)
        log_lines: LogLines = {}
        if chosen is not None:
            log_lines["books_put_in_force"] = put_table(store, chosen, lang)
        with store.reading() as unit:
            if not num_in_force(unit, now_us()):
                log_lines[NO_BOOK] = {"detail": text(lang, "deploy.none", command=COMMAND)}
    return log_lines


def run(settings: Any, sock: socket.socket, lang: Lang, log_lines: LogLines | None = None) -> None:
    """Answer requests until told to stop; those being answered are finished, and told a second time, it ends at once.

    `log_lines` are first lines of the log.
    """
    import uvicorn

    from api.app.create import create_app
    from api.endpoints.common.log_output import stderr_output
    from api.endpoints.common.logs import make_log, relay_libraries
    from rules.compiled import tell_what_is_compiled

    # Stderr is the log from here on; `/readyz` says whether all is compiled.
    tell_what_is_compiled(None)
    log = make_log(settings.log_level)
    relay_libraries(log, "uvicorn", "asyncio")
    for event, values in (log_lines or {}).items():
        (log.warning if event == NO_BOOK else log.info)(event, **values)
    app = create_app(settings, log=log)
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    click.echo(text(lang, "serve.at", url=f"http://{shown}:{port}"))
    config = uvicorn.Config(
        app,
        http=_protocol(),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.forwarded_allow_ips.strip()),
        forwarded_allow_ips=settings.forwarded_allow_ips.strip(),
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        ws="none",
    )
    # The server stops in good order at these and then raises them again: that is no failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stopped)
    shutdown = app.state.service.shutdown

    class Server(uvicorn.Server):
        """A server whose application hears of the signal at once."""

        def handle_exit(self, number: int, frame: Any) -> None:
            """Stop in good order; at the second signal, now."""
            if self.should_exit:
                os._exit(128 + number)
            super().handle_exit(number, frame)
            shutdown.begin()

    # What libraries and the interpreter say there must not hold anybody up either.
    sys.stderr = stderr_output()
    try:
        Server(config).run(sockets=[sock])
    finally:
        sys.stderr = sys.__stderr__
        stderr_output().drain()


def _protocol() -> Any:
    """Connections that are let go if they ask for nothing; where their parser does not exist, the server's own."""
    if find_spec("httptools") is None:
        return "auto"
    from api.endpoints.common.connections import Connection

    return Connection


def _stopped(_number: int, _frame: object) -> None:
    """Nothing is left to do."""


def listening(host: str, port: int, lang: Lang) -> socket.socket:
    """A socket at the address, or the end of the command."""
    sock = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        if sock is not None:
            sock.close()
        end_on(error, lang, [text(lang, "serve.no_address", host=host, port=port, reason=error.strerror or error)])
    sock.set_inheritable(False)
    return sock
