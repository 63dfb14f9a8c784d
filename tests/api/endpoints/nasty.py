"""Bodies that cost much and say nothing, for every route that takes one; and a way to send them without a network."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import anyio
from fastapi import FastAPI

Body = Callable[[], bytes]
MIB: Final = 1 << 20
JSON_TYPE: Final = "application/json"
LINES_TYPE: Final = "application/x-ndjson"
FORM_TYPE: Final = "application/x-www-form-urlencoded"


def unknown_keys(number: int, before: str = "") -> bytes:
    """One object with so many names that nobody knows."""
    return ("{" + before + ",".join(f'"k{k}":1' for k in range(number)) + "}").encode()


def many_rows(row: str, number: int) -> bytes:
    """A list of the same over and over."""
    return ("[" + ",".join([row] * number) + "]").encode()


def inside(name: str, value: bytes) -> bytes:
    """An object with one value."""
    return b'{"' + name.encode() + b'":' + value + b"}"


ANY_JSON: Final[dict[str, Body]] = {
    "keys": lambda: unknown_keys(1_100_000),
    "keys that fit": lambda: unknown_keys(250),
    "keys of one letter": lambda: b"{" + b",".join(b'"":1' for _ in range(400_000)) + b"}",
    "ones": lambda: many_rows("1", 1_000_000),
    "empty objects": lambda: many_rows("{}", 900),
    "objects of unknown keys": lambda: many_rows(unknown_keys(200).decode(), 900),
    "deep": lambda: b"[" * 1_000_000,
    "deep and closed": lambda: b'{"a":' * 31 + b"1" + b"}" * 31,
    "a long text": lambda: inside("reason", b'"' + b"x" * 8_000_000 + b'"'),
    "a long name": lambda: inside("x" * 8_000_000, b"1"),
    "wide characters": lambda: inside("reason", ('"😀' + "x" * 3_000_000 + '"').encode()),
    "a long number": lambda: inside("fee_fen", b"9" * 100_000),
    "a huge exponent": lambda: inside("fee_fen", b"1e999999"),
    "escapes": lambda: inside("reason", b'"' + rb"\ud83d" * 10_000 + b'"'),
    "backslashes": lambda: inside("reason", b'"' + b"\\" * 2_000_000),
    "escaped quotes": lambda: inside("reason", b'"' + b'\\"' * 15_000)[:-1],
    "quotes and backslashes": lambda: inside("reason", b'"\\' * 15_000)[:-1],
    "signs": lambda: inside("reason", b"-;" * 15_000),
    "commas": lambda: b"[" + b"," * 4_000_000,
    "blanks": lambda: b" " * 4_000_000 + b"1",
    "a name over and over": lambda: b"{" + b",".join([b'"a":1'] * 200) + b"}",
    "no JSON": lambda: b"\xff" * 4_000_000,
}
EVENTS: Final[dict[str, Body]] = {
    "sixteen MiB of keys in rows": lambda: many_rows(unknown_keys(180).decode(), 9_000)[: 16 * MIB],
    "rows of 60 unknown keys": lambda: many_rows(unknown_keys(60).decode(), 9_990),
    "rows of nothing": lambda: many_rows("{}", 10_000),
    "rows of lists": lambda: many_rows("[[],[],[],[],[]]", 10_000),
    "rows of pairs": lambda: many_rows('{"a":{"":0},"b":{"":0}}', 9_999),
    "rows of long texts": lambda: many_rows('{"event_id":"' + "x" * 1_500 + '"}', 10_000),
    "rows of long wide texts": lambda: many_rows('{"event_id":"😀' + "x" * 1_500 + '"}', 10_000),
    "rows of long numbers": lambda: many_rows('{"fee_fen":' + "9" * 1_400 + "}", 10_000),
    "lists of reports": lambda: many_rows('{"reports":[' + ",".join(['"x"'] * 50) + "]}", 9_000),
}
LINES: Final[dict[str, Body]] = {
    "tiny lines": lambda: b"1\n" * 1_000_000,
    "blank lines": lambda: b"\n" * 8_000_000,
    "lines of keys": lambda: (unknown_keys(100) + b"\n") * 9_000,
    "deep lines": lambda: (b"[" * 5_000 + b"\n") * 1_000,
    "one line": lambda: b"x" * 8_000_000,
    "open texts": lambda: b'{"a":"\n' * 10_000,
}
FORMS: Final[dict[str, Body]] = {
    "fields": lambda: b"&".join(b"f%d=1" % k for k in range(100_000)),
    "separators": lambda: b"&" * 4_000_000,
    "equals": lambda: b"=" * 200_000,
    "percents": lambda: b"a=" + b"%" * 200_000,
    "a long field": lambda: b"a=" + b"x" * 8_000_000,
}


def multipart(parts: int, name: str = "f", content: bytes = b"1") -> bytes:
    """A form of so many parts."""
    one = b'--b\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + content + b"\r\n"
    return one * parts + b"--b--\r\n"


MULTIPART_TYPE: Final = "multipart/form-data; boundary=b"
MULTIPARTS: Final[dict[str, Body]] = {
    "parts": lambda: multipart(100_000)[: 4 * MIB],
    "returns": lambda: multipart(1, content=b"\r" * 250_000),
    "almost boundaries": lambda: multipart(1, content=b"\r\n--" * 60_000),
    "headers": lambda: b"--b\r\n" + b"x: y\r\n" * 40_000 + b"\r\n\r\n--b--\r\n",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how much of the body was asked for."""

    status: int
    headers: dict[str, str]
    body: bytes
    num_read: int


def ask(app: FastAPI, method: str, path: str, headers: dict[str, str], body: bytes = b"", query: str = "") -> Answer:
    """Send a body in parts of 64 KiB to an app that was started, from a thread of its own."""
    return ThreadPoolExecutor(1).submit(anyio.run, _asked, app, method, path, headers, body, query).result()


async def _asked(app: FastAPI, method: str, path: str, headers: dict[str, str], body: bytes, query: str) -> Answer:
    said: list[Any] = []
    num_read = 0

    def parts() -> Iterator[bytes]:
        for first in range(0, max(len(body), 1), 65_536):
            yield body[first : first + 65_536]

    waiting = parts()

    async def receive() -> dict[str, Any]:
        nonlocal num_read
        part = next(waiting, b"")
        num_read += len(part)
        return {"type": "http.request", "body": part, "more_body": num_read < len(body)}

    async def send(message: Any) -> None:
        said.append(message)

    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if body:
        pairs.append((b"content-length", str(len(body)).encode()))
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": pairs, "http_version": "1.1", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("testserver", 80), "app": app,
    }  # fmt: skip
    await app(scope, receive, send)
    heads = {name.decode().lower(): value.decode() for name, value in said[0]["headers"]}
    return Answer(said[0]["status"], heads, b"".join(m.get("body", b"") for m in said[1:]), num_read)


def checked(answer: Answer) -> dict[str, Any]:
    """A refusal that is short: the problem document."""
    assert 400 <= answer.status < 500, answer.status
    assert len(answer.body) <= MIB
    document: dict[str, Any] = json.loads(answer.body)
    assert len(document.get("errors", ())) <= 50
    return document


def workbook(sheet: bytes, **more: bytes) -> bytes:
    """An Excel workbook of one sheet, whatever is in it; other parts by name."""
    parts = {
        "[Content_Types].xml": b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        b'<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        b'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
        b"</Types>",
        "_rels/.rels": b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": b'<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        b'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="rule" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>'
        b'<Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": b'<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"></sst>',
        "xl/worksheets/sheet1.xml": sheet,
    } | {name.replace("__", "/"): content for name, content in more.items()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def sheet_of(rows: bytes) -> bytes:
    """A sheet's XML."""
    return (
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + rows
        + b"</sheetData></worksheet>"
    )
