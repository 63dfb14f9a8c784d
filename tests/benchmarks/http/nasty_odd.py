"""More requests of `nasty`: odd headers and addresses, long values in every field, chunks, and files that deceive."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any, Final

from tests.api.endpoints.nasty import (
    FORM_TYPE,
    JSON_TYPE,
    LINES_TYPE,
    MIB,
    MULTIPART_TYPE,
    Body,
    many_rows,
    sheet_of,
    unknown_keys,
    workbook,
)
from tests.benchmarks.http.nasty_requests import FORM, TARGETS, Nasty, as_json, filed, rows
from tests.builders import delivered

_MAIN: Final = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_CHUNKED: Final = {"Transfer-Encoding": "chunked"}
_DRAFT: Final = "/v1/books/drafts/{draft}"
# Every route with a body that `documents` leaves out.
_OTHERS: Final = (
    ("rollback", "POST", "/v1/books/gbt-46862-reference/rollback", "ops"),
    ("undo", "POST", _DRAFT + "/undo", "ops"),
    ("restore", "POST", _DRAFT + "/restore", "ops"),
    ("rebase", "POST", _DRAFT + "/rebase", "ops"),
    ("impact", "POST", _DRAFT + "/impact", "ops"),
    ("schedule", "POST", _DRAFT + "/schedule", "approver"),
    ("lift", "POST", "/v1/reviews/x/lift", "ops"),
    ("unmove", "DELETE", "/v1/riders/r1/move", "platform"),
    ("erase", "DELETE", "/v1/riders/x/person", "platform"),
    ("rotate", "POST", "/v1/webhooks/x/rotate", "platform"),
    ("cancel", "POST", "/v1/studies/x/cancel", "policy"),
)
_VALUES: Final[dict[str, Any]] = {
    "digits": "9" * 30_000,
    "marks": "e" + "\u0301" * 15_000,
    "wide digits": "９" * 10_000,
    "dots": "." * 30_000,
    "blanks": " " * 30_000,
    "dashes": "2026-" * 6_000,
    "colons": "https://[" + ":" * 30_000 + "]/",
    "labels": "https://" + "a." * 15_000 + "example/",
    "escaped quotes": '"' * 15_000,
    "punycode": "https://xn--" + "a" * 30_000 + "/",
    "percents": "https://x/" + "%25" * 10_000,
    "ports": "https://x:" + "9" * 30_000 + "/",
    "an at": "https://" + "a@" * 15_000 + "x/",
    "controls": "\u0000\u202e\u200b" * 5_000,
    "a huge whole number": 10**4_000,
    "a small fraction": 1e-300,
    "lists": [["x"] * 100] * 15,
}


def other_bodies() -> Iterator[Nasty]:
    """A few bodies for each route that the others leave out."""
    bodies: dict[str, Body] = {
        "keys": lambda: unknown_keys(250),
        "deep": lambda: b"[" * 60_000,
        "a long text": lambda: b'{"note":"' + b"x" * 60_000 + b'"}',
        "ones": lambda: many_rows("1", 30_000),
    }
    for route, method, path, role in _OTHERS:
        for name, make in bodies.items():
            yield Nasty(f"{route}: {name}", method, path, role, make)


def long_values() -> Iterator[Nasty]:
    """Each odd value in all fields of a body at once."""
    routes: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
        ("webhooks", "POST", "/v1/webhooks", "platform", ("url", "kinds", "cities")),
        ("tokens", "POST", "/v1/tokens", "platform", ("role", "subject", "cities", "expires_days")),
        ("person", "PUT", "/v1/riders/r1/person", "platform", ("name", "phone", "city")),
        ("move", "POST", "/v1/riders/r1/move", "platform", ("city",)),
        ("appeal", "POST", "/v1/entries/{entry}/appeal", "rider", ("reason_code", "reason")),
        ("decision", "POST", "/v1/appeals/x/decision", "ops", ("outcome", "reason_code", "reason")),
        ("studies", "POST", "/v1/studies", "policy", ("scenario", "books", "sets", "seeds", "days", "sensitivity", "sweeps", "lang")),
        ("impacts", "POST", "/v1/impacts", "policy", ("city", "days", "a", "b", "rider_kind")),
        ("try", "POST", _DRAFT + "/try", "ops", ("kind", "facts", "at", "late_min")),
    )  # fmt: skip
    for route, method, path, role, fields in routes:
        for name, value in _VALUES.items():
            yield Nasty(f"{route}: {name} in each field", method, path, role, _each(fields, value))
    for name, value in _VALUES.items():
        event = {key: value[:1_400] if isinstance(value, str) else value for key in delivered()}
        body = json.dumps([event] * 4).encode()
        yield Nasty(f"events: {name} in each field", "POST", "/v1/events", "platform", lambda body=body: body)
    times = {"zeros": "2026-01-01T00:00:00." + "0" * 900 + "Z", "offsets": "2026-01-01T00:00:00+" + "00:" * 300}
    for name, value in times.items():
        body = json.dumps([delivered(f"t{k}") | {"occurred_at": value} for k in range(9_000)]).encode()
        yield Nasty(f"events: times of {name}", "POST", "/v1/events", "platform", lambda body=body: body[: 16 * MIB])


def _each(fields: tuple[str, ...], value: Any) -> Body:
    room = 60_000 // len(fields) // 6
    cut = value[:room] if isinstance(value, str) else value
    return as_json(dict.fromkeys(fields, cut))


def chains() -> Iterator[Nasty]:
    """Events that name each other."""
    path = "/v1/events"
    named = {
        "corrections of each other": lambda k: {"ref_event_id": f"n{k + 1}"},
        "corrections of themselves": lambda k: {"ref_event_id": f"n{k}"},
        "corrections of one": lambda _k: {"ref_event_id": "n0"},
    }
    for name, more in named.items():
        body = json.dumps(
            [delivered(f"n{k}", rider_id="chain") | {"kind": "correction"} | more(k) for k in range(9_000)]
        ).encode()
        yield Nasty(f"events: {name}", "POST", path, "platform", lambda body=body: body, valid=rows(9_000))


def chunked() -> Iterator[Nasty]:
    """Bodies in chunks of one byte."""
    tiny = b"1\r\n[\r\n"
    broken = {"in the last row": b'{"a":nul}]', "behind the last row": b"{}]]", "at the end": b"{}"}
    for name, end in broken.items():
        body = many_rows(unknown_keys(60).decode(), 9_990)[:-1] + b"," + end
        yield Nasty(f"events: a fault {name}", "POST", "/v1/events", "platform", lambda body=body: body)
    for name, path, role, kind in (
        ("events", "/v1/events", "platform", JSON_TYPE),
        ("events, lines", "/v1/events", "platform", LINES_TYPE),
        ("studies", "/v1/studies", "policy", JSON_TYPE),
        ("events of nobody", "/v1/events", "", JSON_TYPE),
    ):
        yield Nasty(f"chunks: {name}", "POST", path, role, lambda: tiny * 200_000 + b"0\r\n\r\n", kind, _CHUNKED)
    yield Nasty(
        "chunks: a form", "POST", "/console/drafts/{draft}/cell", "ops", lambda: b"1\r\n&\r\n" * 200_000 + b"0\r\n\r\n",
        FORM_TYPE, _CHUNKED, is_page=True,
    )  # fmt: skip
    yield Nasty(
        "chunks: blank lines", "POST", "/v1/events", "platform", lambda: b"1\r\n\n\r\n" * 200_000 + b"0\r\n\r\n",
        LINES_TYPE, _CHUNKED,
    )  # fmt: skip
    extended = b"1;" + b"x=y;" * 2_000 + b"\r\n[\r\n"
    yield Nasty(
        "chunks: extensions",
        "POST",
        "/v1/events",
        "platform",
        lambda: extended * 500 + b"0\r\n\r\n",
        JSON_TYPE,
        _CHUNKED,
    )
    trailers = b"1\r\n1\r\n0\r\n" + b"x: y\r\n" * 100_000 + b"\r\n"
    yield Nasty("chunks: trailers", "POST", "/v1/events", "platform", lambda: trailers, JSON_TYPE, _CHUNKED)


def headers() -> Iterator[Nasty]:
    """Headers that are lists, and tokens that are no tokens."""
    card = "/v1/riders/r1/card"
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5_000).decode().rstrip("=")
    found = {
        "Range": "bytes=" + "0-0," * 2_000,
        "If-Match": '"x", ' * 2_000,
        "If-None-Match": 'W/"' + "-" * 60_000 + '"',
        "If-None-Match, packed": '"' + "-gzip" * 12_000 + 'x"',
        "Accept": "a/b;q=0.1," * 1_500,
        "Accept-Encoding": "gzip;q=0.1," * 1_500,
        "Accept-Language": "-".join(["zh"] * 3_000),
        "Cookie": "rs_session=" + "x" * 8_000,
        "Forwarded": "for=1.2.3.4;" * 1_000,
        "X-Forwarded-For": "1.2.3.4, " * 1_500,
        "Host": "a." * 4_000,
        "Traceparent": "0" * 8_000,
        "X-Request-Id": "x" * 8_000,
        "Last-Event-ID": "9" * 8_000,
        "Idempotency-Key": "k" * 8_000,
        "Prefer": "wait=" + "9" * 4_000,
    }
    for name, value in found.items():
        for path, role, is_page in ((card, "ops", False), ("/console/audit", "ops", True), ("/healthz", "", False)):
            yield Nasty(
                f"header {name}: {path}", "GET", path, role, headers={name.partition(",")[0]: value}, is_page=is_page
            )
    for name, value in {
        "a token of deep JSON": f"Bearer {deep}.{deep}.x",
        "a token of dots": "Bearer " + "." * 8_000,
        "a key of underscores": "Bearer rs_" + "_" * 8_000,
        "Basic": "Basic " + "QUFB" * 2_000,
        "no scheme": " " * 8_000 + "x",
    }.items():
        yield Nasty(f"header Authorization: {name}", "GET", card, headers={"Authorization": value})
    for name, value in {
        "boundary": "multipart/form-data; boundary=" + "b" * 8_000,
        "parameters": "application/json" + "; a=b" * 1_500,
        "charset": "application/json; charset=" + "utf-7" * 1_500,
        "quotes": 'multipart/form-data; boundary="' + '\\"' * 3_000,
        "claims of gzip": JSON_TYPE,
    }.items():
        more = {"Content-Encoding": "gzip, " * 1_000} if "gzip" in name else {}
        body = as_json({"a": "x" * 30_000})
        yield Nasty(f"header Content-Type: {name}", "POST", "/v1/events", "platform", body, value, more)
        page = "/console/drafts/{draft}/upload"
        yield Nasty(f"header Content-Type: {name}, a page", "POST", page, "ops", body, value, more, is_page=True)


def addresses() -> Iterator[Nasty]:
    """Queries of every route that reads any."""
    values = {
        "digits": "9" * 4_000,
        "a list": "%2C".join(["x"] * 1_500),
        "NUL": "%00" * 1_300,
        "wide": "%E9%95%BF" * 600,
        "base64": base64.urlsafe_b64encode(b"[" * 2_900).decode(),
        "years": "9999-12-31T23:59:59.999999Z",
        "minus": "-" * 4_000,
    }
    api = (
        "/v1/audit", "/v1/riders/r1/entries", "/v1/riders/r1/forecast", "/v1/riders/r1/card", "/v1/appeals", "/v1/reviews",
        "/v1/studies", "/v1/books", "/v1/books/drafts", "/v1/orders/shared", "/v1/cities/hangzhou/dashboard",
        "/v1/riders/r1/export", "/v1/webhooks", "/v1/tokens", "/v1/moves", _DRAFT,
    )  # fmt: skip
    names = ("cursor", "limit", "city", "since", "until", "by", "state", "kind", "late_min", "lang", "format", "date")
    for path in api:
        for name, value in values.items():
            room = max(1, 7_800 // len(names) - 20)
            query = "&".join(f"{key}={value[: room - room % 3]}" for key in names)
            yield Nasty(f"query of {path}: {name}", "GET", f"{path}?{query}", "ops")
    pages = (
        "/console", "/console/audit", "/console/audit.csv", "/console/appeals", "/console/reviews", "/console/studies",
        "/console/drafts", "/console/drafts/{draft}", "/console/drafts/{draft}/impact", "/console/books",
        "/console/books/gbt-46862-reference", "/console/drafts/{draft}/book.xlsx", "/console/drafts/{draft}/rule.csv",
    )  # fmt: skip
    for path in pages:
        for name, value in values.items():
            query = "&".join(f"{key}={value[:600]}" for key in (*names, "part", "columns", "act"))
            yield Nasty(f"query of {path}: {name}", "GET", f"{path}?{query[:7_900]}", "ops", is_page=True)


def deceiving_files() -> Iterator[Nasty]:
    """Workbooks whose parts are far larger than they look, or say what is not so."""
    empty = sheet_of(b"")
    shared = b"<sst " + _MAIN + b">%s</sst>"
    book = b"<workbook " + _MAIN + b">%s<sheets/></workbook>"
    found: dict[str, Body] = {
        "bomb": lambda: workbook(sheet_of(b"<row/>" * 20_000_000)),
        "bomb of shared texts": lambda: workbook(empty, **{"xl/sharedStrings.xml": shared % (b"<si><t/></si>" * 8_000_000)}),
        "many shared texts": lambda: workbook(empty, **{"xl/sharedStrings.xml": shared % (b"<si><t>x</t></si>" * 150_000)}),
        "shared texts in runs": lambda: workbook(
            empty, **{"xl/sharedStrings.xml": shared % (b"<si>" + b"<r><t>x</t></r>" * 150_000 + b"</si>")}
        ),
        "one shared text in each cell": lambda: workbook(
            sheet_of((b"<row>" + b'<c t="s"><v>0</v></c>' * 100 + b"</row>") * 590),
            **{"xl/sharedStrings.xml": shared % (b"<si><t>" + b"x" * 200_000 + b"</t></si>")},
        ),
        "names": lambda: workbook(
            empty, **{"xl/workbook.xml": book % (b"<definedNames>" + b'<definedName name="x">A1</definedName>' * 150_000 + b"</definedNames>")}
        ),
        "merged ranges": lambda: workbook(
            empty.replace(b"</worksheet>", b"<mergeCells>" + b'<mergeCell ref="A1:XFD1048576"/>' * 150_000 + b"</mergeCells></worksheet>")
        ),
        "a dimension": lambda: workbook(
            sheet_of(b'<row r="1"><c r="XFD1"><v>1</v></c></row>').replace(b"<sheetData>", b'<dimension ref="A1:XFD1048576"/><sheetData>')
        ),
        "far cells": lambda: workbook(sheet_of(b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (k, k) for k in range(1, 2_000)))),
        "cells far right": lambda: workbook(sheet_of(b'<row><c r="' + b"Z" * 100_000 + b'1"><v>1</v></c></row>')),
        "rows back and forth": lambda: workbook(
            sheet_of(b"".join(b'<row r="%d"><c><v>1</v></c></row>' % (1_900 if k % 2 else 1) for k in range(20_000)))
        ),
        "attributes": lambda: workbook(sheet_of(b"<row " + b" ".join(b'a%d="1"' % k for k in range(170_000)) + b"/>")),
        "namespaces": lambda: workbook(sheet_of(b"".join(b'<a:b xmlns:a="u%d">' % k for k in range(30_000)))),
        "entities": lambda: workbook(sheet_of(b"<row><c><v>" + b"&#65;" * 2_000_000 + b"</v></c></row>")),
        "comments": lambda: workbook(sheet_of(b"<!---->" * 2_000_000)),
        "instructions": lambda: workbook(sheet_of(b"<?x?>" * 2_000_000)),
        "characters of data": lambda: workbook(sheet_of(b"<row><c><v>" + b"<![CDATA[x]]>" * 1_000_000 + b"</v></c></row>")),
        "relations": lambda: workbook(
            empty,
            **{"xl/_rels/workbook.xml.rels": b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
               + b'<Relationship Id="r" Type="t" Target="x"/>' * 150_000 + b"</Relationships>"},
        ),
        "types": lambda: workbook(
            empty,
            **{"[Content_Types].xml": b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
               + b'<Override PartName="/x" ContentType="y"/>' * 150_000 + b"</Types>"},
        ),
        "parts": lambda: _archive({f"x{k}": b"" for k in range(40_000)}),
        "one part many times": lambda: _archive({}, [("xl/workbook.xml", b"<a/>")] * 20_000),
        "an archive in itself": lambda: _archive({"xl/worksheets/sheet1.xml": workbook(sheet_of(b"<row/>" * 2_000_000))}),
        "sheets": lambda: workbook(empty, **{"xl/workbook.xml": book.replace(b"<sheets/>", b"<sheets>" + b'<sheet name="x" sheetId="1"/>' * 100_000 + b"</sheets>") % b""}),
        "wide encoding": lambda: workbook('<?xml version="1.0" encoding="utf-16"?><a>'.encode("utf-16") + ("<b/>" * 1_500_000).encode("utf-16-le")),
    }  # fmt: skip
    for name, make in found.items():
        yield Nasty(
            f"file of {name}", "POST", "/console/drafts/{draft}/upload", "ops", lambda make=make: filed(make()),
            kind=MULTIPART_TYPE, is_page=True,
        )  # fmt: skip


def _archive(parts: dict[str, bytes], more: list[tuple[str, bytes]] | None = None) -> bytes:
    made = io.BytesIO(workbook(sheet_of(b"")))
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*parts.items(), *(more or [])]:
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def more_laws() -> Iterator[Nasty]:
    """Rule books as TOML whose parts nest, and tables that hold what a form may hold."""
    tomls = {
        "headers of dotted keys": "\n".join(
            f"[{'.'.join(f'a{k % 7}b{n}' for n in range(14))}.x{k}]" for k in range(9_000)
        ),
        "lists of tables in lists of tables": "".join(f"[[{'.'.join(['a'] * (k % 14 + 1))}]]\n" for k in range(20_000)),
        "quoted keys": "\n".join(f'"{k}"."{"x" * 50}" = 1' for k in range(12_000)),
        "one long key": '"' + "x" * 900_000 + '" = 1',
        "one inline table": "a = {" + ",".join(f"k{k}=1" for k in range(40_000)) + "}",
        "one list of inline tables": "a = [" + ",".join("{b=1}" for _ in range(100_000)) + "]",
        "floats": "a = [" + ",".join(["0." + "1" * 300] * 2_500) + "]",
        "numbers with signs": "a = [" + "+1_0," * 150_000 + "]",
        "hexadecimal": "a = 0x" + "f" * 500_000,
        "underscores": "a = 1" + "_1" * 400_000,
        "lines that end in a backslash": 'a = """' + "\\\n" * 300_000 + '"""',
        "wide characters": 'a = "' + "😀" * 200_000 + '"',
        "returns": "\r\n" * 400_000,
    }
    for name, toml in tomls.items():
        yield Nasty(f"toml: {name}", "POST", "/v1/books/drafts", "ops", as_json({"toml": toml, "targets": TARGETS}))
    for name, written in {
        "escaped quotes": b'{"toml":"' + b'\\"' * 1_400_000,
        "quotes and backslashes": b'{"toml":"' + b'"\\' * 1_400_000,
        "signs": b'{"toml":' + b"-;" * 1_400_000,
        "values without an end": b'{"document":{"rule":[' + b'{"":1},' * 24_000,
    }.items():
        yield Nasty(f"no JSON: {name}", "POST", "/v1/books/drafts", "ops", lambda written=written: written)
    trying = {"kind": "delivered", "facts": {f"f{k}": k for k in range(250)}, "reports": ["rain"] * 900}
    yield Nasty("try: facts of nobody", "POST", _DRAFT + "/try", "ops", as_json(trying))
    path = "/console/drafts/{draft}/"
    pairs = b"&".join(b"c.%d.%s=x" % (k, b"when." * 50) for k in range(1_500))
    for name, act, body in (
        ("long columns", "table", b"part=rule&act=save&" + pairs),
        ("columns of one letter", "table", b"part=rule&" + b"&".join(b"c.0.%d=1" % k for k in range(1_900))),
        ("origins", "table", b"part=rule&" + b"&".join(b"o.%d=%d" % (k, 10**9 - k) for k in range(1_900))),
        ("pasted marks", "paste", b"part=rule&keys=id,points&rows=" + b"%CC%81" * 50_000),
        ("pasted quotes", "paste", b"part=rule&keys=id,points&rows=" + b"%22%0A" * 50_000),
        (
            "pasted near misses",
            "paste",
            b"part=rule&rows=" + b"%09".join(b"[wen%d.latee_s.mn]" % k for k in range(110)) + b"%0Ax",
        ),
    ):
        yield Nasty(
            f"form of {name}", "POST", path + act, "ops", lambda body=body: FORM + body, FORM_TYPE, is_page=True
        )


_KINDS: Final = (other_bodies, long_values, chains, chunked, headers, addresses, deceiving_files, more_laws)
ODD: Final = tuple(nasty for make in _KINDS for nasty in make())
