"""`riderscore doctor`: shows and confirms what stops a service until a person has checked it, such as its clock."""

import datetime as dt
import sys
from typing import Any

import click

from api.cli.console import DIFFERENCES, json_option, lang_option, print_json
from api.cli.database import check_is_upgraded, database_option, open_store
from rules.text import Lang, text
from rules.units import US_PER_S


@click.command("doctor")
@click.option("--confirm-clock", is_flag=True, help="Say that the clock is right now: posts and what falls due go on.")
@database_option
@lang_option
@json_option
def doctor(*, confirm_clock: bool, database_url: str, lang: Lang, as_json: bool) -> None:
    """Say whether the service's clock is believed; exits with 3 if it is not.

    On SQLite this machine's clock counts, on PostgreSQL the database's. Compare it with a clock you trust before you
    confirm it: decisions made at a wrong time cannot be taken back.
    """
    from api.clock import now_us
    from api.db import clock_guard

    with open_store(database_url, lang) as store:
        check_is_upgraded(store, lang)
        own_us = now_us()
        with store.writing(own_us) if confirm_clock else store.reading() as unit:
            at_us = clock_guard.database_now_us(unit) or own_us
            if confirm_clock:
                clock_guard.confirm_clock(unit, at_us, "cli:doctor")
            row = clock_guard.clock_row(unit)
    why = row.why or clock_guard.clock_doubt(row, at_us)
    off_us = own_us - at_us
    is_apart = abs(off_us) > clock_guard.APART_US
    findings: dict[str, Any] = {
        "believed": why is None, "why": why, "clock_us": at_us, "heartbeat_us": row.heartbeat_us,
        "held_us": row.held_us, "off_us": off_us,
    }  # fmt: skip
    if as_json:
        print_json({"database": store.shown_url, "clock": findings})
    else:
        for line in _lines(findings, lang, is_apart=is_apart):
            click.echo(line)
    if why is not None or is_apart:
        sys.exit(DIFFERENCES)


def _lines(findings: dict[str, Any], lang: Lang, *, is_apart: bool) -> list[str]:
    from api.db.clock_guard import REMEDY

    lines = [text(lang, "doctor.clock", now=_shown(findings["clock_us"]))]
    if findings["heartbeat_us"] is not None:
        lines.append(text(lang, "doctor.heartbeat", at=_shown(findings["heartbeat_us"])))
    if findings["why"] is None:
        lines.append(text(lang, "doctor.believed"))
    else:
        lines.append(text(lang, f"doctor.why_{findings['why']}"))
        if findings["held_us"] is not None:
            lines.append(text(lang, "doctor.held", at=_shown(findings["held_us"])))
        lines.append(text(lang, "doctor.remedy", command=REMEDY))
    if is_apart:
        lines.append(text(lang, "doctor.apart", seconds=findings["off_us"] // US_PER_S))
    return lines


def _shown(at_us: int) -> str:
    return dt.datetime.fromtimestamp(at_us // US_PER_S, dt.UTC).isoformat()
