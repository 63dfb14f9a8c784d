"""The requests of `nasty`: bodies, addresses, headers, forms and files that cost much and say nothing, by route."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.clock import now_us
from rules.shelf import versions
from tests.api.endpoints.nasty import (
    ANY_JSON,
    EVENTS,
    FORM_TYPE,
    FORMS,
    JSON_TYPE,
    LINES,
    LINES_TYPE,
    MIB,
    MULTIPART_TYPE,
    MULTIPARTS,
    Body,
    many_rows,
    sheet_of,
    unknown_keys,
    workbook,
)
from tests.api.ledger.posts import later, newest_us
from tests.builders import MINUTE_US, delivered


@dataclass(frozen=True, slots=True)
class Nasty:
    """One request.

    Parameters
    ----------
    role
        Whose key, or session (`is_page`), it comes with; nobody's if empty.
    valid
        Where rows of the body count: a body of them alone, which may cost what it costs.
    """

    name: str
    method: str
    path: str
    role: str = ""
    body: Body | None = None
    kind: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    is_page: bool = False
    valid: Body | None = None


_BOOK: Final = versions("gbt-46862-reference")[-1]
TARGETS: Final = [{"city": "hangzhou", "rider_kind": "crowdsourced"}]
FORM: Final = b"form_token=" + b"f" * 40 + b"&"


def as_json(document: object) -> Body:
    return lambda: json.dumps(document).encode()


def rows(number: int, **more: Any) -> Body:
    """Good events, each of a rider of its own, with whatever else."""

    def make() -> bytes:
        some = [delivered(f"n{k}", rider_id=f"n{k}") for k in range(number)]
        some = later(some, now_us() - newest_us(some) - MINUTE_US)
        return json.dumps([row | more for row in some]).encode()

    return make


def posted() -> Iterator[Nasty]:
    """Posts of events."""
    path = "/v1/events"
    unknown = {f"u{k}": 1 for k in range(30)}
    for name, make in (ANY_JSON | EVENTS).items():
        yield Nasty(f"events: {name}", "POST", path, "platform", make)
    for name, make in LINES.items():
        yield Nasty(f"events: {name}", "POST", path, "platform", make, kind=LINES_TYPE)
    found: dict[str, tuple[Body, Body | None]] = {
        "good rows with 30 unknown keys": (rows(10_000, **unknown), rows(10_000)),
        "good rows with long unknown texts": (rows(10_000, x="x" * 800), rows(10_000)),
        "good rows, one wide character": (rows(10_000, x="😀" + "x" * 700), rows(10_000)),
        "rows of 61 unknown keys": (lambda: many_rows(unknown_keys(61).decode(), 10_000), None),
        "rows of unknown keys, each its own": (lambda: _own_keys(9_999, 60), None),
        "rows of nested lists": (lambda: many_rows('{"reports":' + "[" * 25 + "]" * 25 + "}", 10_000), None),
        "rows of huge numbers": (lambda: many_rows('{"event_id":"e","fee_fen":1e99999}', 10_000), None),
        "rows of half characters": (lambda: many_rows('{"event_id":"' + r"\ud83d" * 100 + '"}', 10_000), None),
        "rows with all columns wrong": (_wrong_rows, None),
        "one row twice in each place": (lambda: many_rows(json.dumps(delivered("same", rider_id="same")), 10_000), None),
        "wrapped rows of long texts": (
            lambda: b'{"events":' + many_rows('{"event_id":"' + "y" * 1_500 + '"}', 10_000) + b"}",
            None,
        ),
        "a large object before its events": (
            lambda: b'{"a":' + many_rows("1", 9_000) + b',"events":' + many_rows('{"b":"' + "z" * 1_500 + '"}', 9_000) + b"}",
            None,
        ),
        "texts of 64 KiB": (lambda: many_rows('{"event_id":"' + "x" * 65_000 + '"}', 250), None),
        "wide texts of 64 KiB": (lambda: many_rows('{"event_id":"😀' + "x" * 65_000 + '"}', 250), None),
        "escaped texts of 64 KiB": (lambda: many_rows('{"event_id":"' + r"\n" * 32_000 + '"}', 250), None),
    }  # fmt: skip
    for name, (make, valid) in found.items():
        yield Nasty(f"events: {name}", "POST", path, "platform", make, valid=valid)
    yield Nasty(
        "events: lines of long texts", "POST", path, "platform",
        lambda: (b'{"event_id":"' + b"x" * 1_500 + b'"}\n') * 10_000, kind=LINES_TYPE,
    )  # fmt: skip
    yield Nasty(
        "events: lines of wide texts", "POST", path, "platform",
        lambda: ('{"event_id":"😀' + "x" * 1_500 + '"}\n').encode() * 10_000, kind=LINES_TYPE,
    )  # fmt: skip
    packed = {"Content-Encoding": "gzip"}
    yield Nasty("events: packed", "POST", path, "platform", lambda: gzip.compress(b"[" * 100_000_000), headers=packed)
    yield Nasty("events: by nobody", "POST", path, "", lambda: b" " * 16 * MIB)
    yield Nasty("events: by a rider", "POST", path, "rider", lambda: b" " * 16 * MIB)
    yield Nasty("events: larger than may be", "POST", path, "platform", lambda: b" " * 17 * MIB)
    once = {"Idempotency-Key": "k" * 200}
    yield Nasty("events: once", "POST", path, "platform", EVENTS["rows of long texts"], headers=once)


def _own_keys(number: int, keys: int) -> bytes:
    return (
        "[" + ",".join("{" + ",".join(f'"{r}_{k}":1' for k in range(keys)) + "}" for r in range(number)) + "]"
    ).encode()


def _wrong_rows() -> bytes:
    row = dict.fromkeys(delivered(), "x" * 30)
    return many_rows(json.dumps(row), 9_000)


def documents() -> Iterator[Nasty]:
    """JSON for every other route with a body."""
    asked: dict[str, tuple[str, str, str]] = {
        "drafts": ("POST", "/v1/books/drafts", "ops"),
        "a draft": ("PUT", "/v1/books/drafts/{draft}", "ops"),
        "try": ("POST", "/v1/books/drafts/{draft}/try", "ops"),
        "rejection": ("POST", "/v1/books/drafts/{draft}/reject", "approver"),
        "rounds": ("POST", "/v1/dispatch/rounds", "platform"),
        "tokens": ("POST", "/v1/tokens", "platform"),
        "webhooks": ("POST", "/v1/webhooks", "platform"),
        "appeal": ("POST", "/v1/entries/{entry}/appeal", "rider"),
        "decision": ("POST", "/v1/appeals/x/decision", "ops"),
        "review": ("POST", "/v1/reviews/x/decision", "ops"),
        "person": ("PUT", "/v1/riders/r1/person", "platform"),
        "move": ("POST", "/v1/riders/r1/move", "platform"),
        "studies": ("POST", "/v1/studies", "policy"),
        "impacts": ("POST", "/v1/impacts", "policy"),
    }  # fmt: skip
    for route, (method, path, role) in asked.items():
        for name, make in ANY_JSON.items():
            yield Nasty(f"{route}: {name}", method, path, role, make)


def _rules(number: int, **more: Any) -> dict[str, Any]:
    document = json.loads(json.dumps(_BOOK.document, default=str))
    document["rule"] = [document["rule"][k % len(document["rule"])] | {"id": f"r{k}"} | more for k in range(number)]
    return {"document": document}


def laws() -> Iterator[Nasty]:
    """Rule books."""
    tomls = {
        "key parts": ".".join(["a"] * 20_000) + " = 1",
        "sixteen key parts": "\n".join(".".join(f"a{k}b{n}" for n in range(15)) + " = 1" for k in range(3_000)),
        "inline tables": "a = " + "{a=" * 2_000 + "1" + "}" * 2_000,
        "lists in lists": "a = " + "[" * 100_000,
        "tables": "[[rule]]\n" * 40_000,
        "tables of their own": "\n".join(f"[t{k}]\na=1" for k in range(20_000)),
        "numbers": "a = [" + "1e999999," * 20_000 + "]",
        "a long number": "a = " + "9" * 900_000,
        "a long float": "a = 0." + "9" * 900_000,
        "an exponent": "[tier]\npoints = 1e999999999",
        "texts": 'a = """' + "x" * 1_000_000 + '"""',
        "escapes": 'a = "' + r"\u0041" * 150_000 + '"',
        "comments": "#\n" * 500_000,
        "dates": "a = [" + "2025-12-03T00:00:00Z," * 30_000 + "]",
        "quotes": "a = '''" + "'\n" * 400_000,
        "blanks": " " * 1_000_000,
        "unknown keys": "\n".join(f"k{k} = 1" for k in range(45_000)),
        "extends itself": 'extends = "x"\n' * 10_000,
    }
    for name, toml in tomls.items():
        yield Nasty(f"toml: {name}", "POST", "/v1/books/drafts", "ops", as_json({"toml": toml, "targets": TARGETS}))
    put = ("PUT", "/v1/books/drafts/{draft}", "ops")
    whens = [{"fact": "late_s", "min": k} for k in range(50)]
    found: dict[str, object] = {
        "150 rules": _rules(150),
        "500 rules": _rules(500),
        "500 rules of unknown keys": _rules(500, **{f"u{k}": 1 for k in range(60)}),
        "rules of conditions": _rules(150, when=whens),
        "rules of examples": _rules(20, example=[{"given": {"late_min": 5}, "points": -1}] * 100),
        "rules of titles": _rules(150, title={"zh": "长" * 2_000, "en": "x" * 2_000}),
        "huge points": _rules(150, points=10**300),
        "points to many decimals": _rules(150, points=0.1 + 1e-17),
        "places": {"targets": [{"city": f"c{k}", "rider_kind": "crowdsourced"} for k in range(1_000)]},
        "too many places": {"targets": TARGETS * 5_000},
        "edits": {"edits": [{"op": "set", "path": f"/rule/{k % 5}/points", "value": -2} for k in range(1_000)]},
        "edits far away": {"edits": [{"op": "set", "path": "/rule/999999999/points", "value": -2}] * 500},
        "edits that add": {"edits": [{"op": "add", "part": "rule", "at": 0, "value": {"id": "x" * 100}}] * 500},
        "a document of one text": {"document": {"id": "x" * 1_000_000}},
        "a document of lists": {"document": {"rule": [[[1] * 100] * 100] * 4}},
    }
    for name, document in found.items():
        yield Nasty(f"a draft: {name}", *put, as_json(document), headers={"If-Match": "*"})
    yield Nasty("a draft: check", "POST", "/v1/books/drafts/{draft}/check", "ops")
    yield Nasty("a draft: read", "GET", "/v1/books/drafts/{draft}", "ops")
    facts = {"late_s": 86_400, "num_delivered": 1_000_000, "nth_in_month": 1_000_000, "score_mp": -1_000_000}
    trying = {"kind": "delivered", "facts": facts}
    yield Nasty("try: all at their ends", "POST", "/v1/books/drafts/{draft}/try", "ops", as_json(trying))


def rounds() -> Iterator[Nasty]:
    """Dispatch rounds that contradict themselves; those that do not have a bound of their own."""
    here = {"latitude": 30.0, "longitude": 120.0}
    rider = {"at": here, "free_s": 0, "off_s": 10_000}
    order = {"merchant": here, "door": here, "placed_s": 0, "ready_s": 0, "promised_s": 900}
    stops = [{"order_id": "x", "kind": "pickup"}] * 10
    same = {
        "now_s": 0,
        "riders": [rider | {"rider_id": "r", "stops": stops}] * 1_000,
        "orders": [order | {"order_id": "o"}] * 1_000,
    }
    foreign = {
        "now_s": 0,
        "riders": [rider | {"rider_id": f"r{k}", "stops": stops} for k in range(1_000)],
        "orders": [order | {"order_id": f"o{k}", "rider_id": "nobody"} for k in range(1_000)],
    }
    unknown = {
        "now_s": 0,
        "riders": [],
        "orders": [order | {"order_id": "o"} | {f"u{k}": 1 for k in range(80)}] * 1_000,
    }
    for name, document in (("the same twice", same), ("of nobody", foreign), ("unknown keys", unknown)):
        yield Nasty(f"rounds: {name}", "POST", "/v1/dispatch/rounds", "platform", as_json(document))


def asked() -> Iterator[Nasty]:
    """Others with a body."""
    long_sets = [f"riders={'9' * 180}"] * 50
    study = {"scenario": "ordinary-week", "books": ["legacy-fine", "taobao-crowdsourced"]}
    sweeps = ["b:tier.reward.bonus_fen=" + ",".join(["1"] * 80)] * 3
    yield Nasty("studies: long settings", "POST", "/v1/studies", "policy", as_json(study | {"sets": long_sets}))
    yield Nasty("studies: sweeps of sweeps", "POST", "/v1/studies", "policy", as_json(study | {"sweeps": sweeps}))
    yield Nasty(
        "studies: a city of all people", "POST", "/v1/studies", "policy",
        as_json(study | {"sets": ["riders=100000000", "orders_per_day=1000000000"], "seeds": 200, "days": 92}),
    )  # fmt: skip
    cities = [f"城{k}" for k in range(1_000)]
    yield Nasty(
        "tokens: cities",
        "POST",
        "/v1/tokens",
        "platform",
        as_json({"role": "rider", "subject": "r1", "cities": cities}),
    )
    hook = {"url": "https://example.org/" + "x" * 1_900, "cities": cities[:500], "kinds": ["score.changed"] * 20}
    yield Nasty("webhooks: cities", "POST", "/v1/webhooks", "platform", as_json(hook))
    words = {"reason_code": "merchant_slow", "reason": "长" * 10_000}
    yield Nasty("appeal: long words", "POST", "/v1/entries/{entry}/appeal", "rider", as_json(words))


def read() -> Iterator[Nasty]:
    """Addresses and headers, and answers that are long."""
    long = "x" * 7_900
    yield Nasty("query: long cursor", "GET", f"/v1/audit?cursor={long}", "ops")
    yield Nasty("query: many", "GET", "/v1/riders/r1/card?" + "a=1&" * 2_000, "ops")
    yield Nasty("query: percents", "GET", "/v1/audit?by=" + "%25" * 2_600, "ops")
    yield Nasty("query: wildcards", "GET", "/v1/audit?action=" + "%25_" * 45 + "*", "ops")
    yield Nasty("query: late again and again", "GET", "/v1/riders/r1/forecast?" + "late_min=1&" * 700, "ops")
    yield Nasty(
        "query: twelve times late",
        "GET",
        "/v1/riders/r1/forecast?" + "&".join(f"late_min={k}" for k in range(12)),
        "ops",
    )
    yield Nasty("path: long", "GET", "/v1/riders/" + "%2e" * 1_300 + "/card", "ops")
    yield Nasty("path: slashes", "GET", "/" * 4_000, "ops")
    yield Nasty("page: slashes", "GET", "/" * 4_000, "ops", is_page=True)
    many = {f"x-{k}": "y" * 500 for k in range(90)}
    yield Nasty("headers: many", "GET", "/v1/riders/r1/card", "ops", headers=many)
    yield Nasty(
        "headers: language", "GET", "/v1/riders/r1/card", "ops", headers={"Accept-Language": "zh;q=0.1," * 5_000}
    )
    yield Nasty("headers: tags", "GET", "/v1/riders/r1/card", "ops", headers={"If-None-Match": '"x",' * 10_000})
    yield Nasty("headers: cookies", "GET", "/console", headers={"Cookie": "a=b;" * 10_000}, is_page=True)
    yield Nasty(
        "headers: a long token", "GET", "/v1/riders/r1/card", headers={"Authorization": "Bearer " + "a.b." * 2_000}
    )
    yield Nasty("headers: since", "GET", "/v1/studies/x/events", "policy", headers={"Last-Event-ID": "9" * 90})
    yield Nasty("export: a long history", "GET", "/v1/riders/r1/export", "rider")
    yield Nasty("page: a long history", "GET", "/rider/export", "rider", is_page=True)
    yield Nasty("entries: most", "GET", "/v1/riders/r1/entries?limit=200", "ops")
    yield Nasty("dashboard", "GET", "/v1/cities/hangzhou/dashboard", "ops")
    yield Nasty("page: dashboard", "GET", "/console?city=hangzhou", "ops", is_page=True)
    yield Nasty("page: a draft, columns", "GET", "/console/drafts/{draft}?columns=" + "x," * 3_500, "ops", is_page=True)
    trying = "kind=delivered&late_min=" + "9" * 4_000
    yield Nasty("page: try, huge numbers", "GET", "/console/drafts/{draft}?" + trying, "ops", is_page=True)
    reports = "kind=delivered&reports=" + "rain," * 1_400
    yield Nasty("page: try, reports", "GET", "/console/drafts/{draft}?" + reports, "ops", is_page=True)
    for path in ("/metrics", "/openapi.json", "/readyz", "/problems"):
        yield Nasty(f"open: {path}", "GET", path)


def filed(content: bytes, name: str = "book.xlsx") -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n' + b"f" * 40 + b"\r\n"
    file = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return head + file + content + b"\r\n--b--\r\n"


def pages() -> Iterator[Nasty]:
    """Forms and files."""
    drafts = "/console/drafts/{draft}/"
    for path, role in (
        ("/login", ""), ("/console/drafts", "ops"), (drafts + "table", "ops"), (drafts + "cell", "ops"),
        (drafts + "targets", "ops"), (drafts + "paste", "ops"), ("/console/studies", "policy"),
    ):  # fmt: skip
        for name, make in FORMS.items():
            yield Nasty(f"page {path}: {name}", "POST", path, role, _after(make), kind=FORM_TYPE, is_page=True)
        for name, make in MULTIPARTS.items():
            yield Nasty(f"page {path}: {name}", "POST", path, role, make, kind=MULTIPART_TYPE, is_page=True)
    cells = b"&".join(b"c.%d.id=x%d" % (k, k) for k in range(1_900))
    yield _form("a table of rows", drafts + "table", b"part=rule&act=save&" + cells)
    yield _form("a table of far rows", drafts + "table", b"part=rule&act=save&c.999999999.id=x&o.999999999=5")
    yield _form("a table of long cells", drafts + "table", b"part=rule&c.0.id=" + b"x" * 4_000_000)
    yield _form("a cell of a long number", drafts + "cell", b"part=rule&key=points&origin=0&written=" + b"9" * 200_000)
    yield _form("a cell of an exponent", drafts + "cell", b"part=rule&key=points&origin=0&written=1e999999999")
    yield _form("a cell of parts", drafts + "cell", b"part=rule&key=" + b"a." * 100_000 + b"&origin=0&written=1")
    yield _form("places", drafts + "targets", b"&".join(b"place=c%d%%2Fcrowdsourced" % k for k in range(1_900)))
    yield _form("pasted rows", drafts + "paste", b"part=rule&keys=id&rows=" + b"x%0A" * 59_000)
    yield _form("pasted columns", drafts + "paste", b"part=rule&rows=" + b"x%09" * 59_000)
    yield _form("pasted numbers", drafts + "paste", b"part=rule&keys=id,points&rows=" + b"a%091e999999%0A" * 1_900)
    for name, content in files().items():
        suffix = ".csv" if name.startswith("csv") else ".xlsx"
        yield Nasty(
            f"file {name}", "POST", drafts + "upload", "ops", lambda content=content, suffix=suffix: filed(content(), "book" + suffix),
            kind=MULTIPART_TYPE, is_page=True,
        )  # fmt: skip


def _form(name: str, path: str, body: bytes) -> Nasty:
    return Nasty(f"page {path}: {name}", "POST", path, "ops", lambda: FORM + body, kind=FORM_TYPE, is_page=True)


def _after(make: Body) -> Body:
    return lambda: FORM + make()


def files() -> dict[str, Body]:
    """Workbooks and tables."""
    cell = b'<c r="A1" t="inlineStr"><is><t>x</t></is></c>'
    styles = b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs>%s</cellXfs></styleSheet>'
    formats = b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts>%s</numFmts></styleSheet>'
    return {
        "of 18 278 columns": lambda: workbook(sheet_of(b"<row>" + b"".join(b"<c/>" for _ in range(18_278)) + b"</row>")),
        "of 59 000 cells": lambda: workbook(sheet_of((b"<row>" + cell * 100 + b"</row>") * 590)),
        "of rows without cells": lambda: workbook(sheet_of(b"<row/>" * 300_000)),
        "of merged cells": lambda: workbook(
            sheet_of(b"").replace(b"</worksheet>", b'<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells></worksheet>')
        ),
        "of styles by name": lambda: workbook(sheet_of(b""), **{"xl/styles.xml": styles % (b"<xf/>" * 170_000)}),
        "of formats": lambda: workbook(
            sheet_of(b""), **{"xl/styles.xml": formats % (b'<numFmt numFmtId="1" formatCode="0"/>' * 59_000)}
        ),
        "of a long formula": lambda: workbook(sheet_of(b"<row><c><f>" + b"1+" * 3_000_000 + b"1</f></c></row>")),
        "of nested tags": lambda: workbook(sheet_of(b"<a>" * 100_000)),
        "of one long text": lambda: workbook(sheet_of(b'<row><c t="inlineStr"><is><t>' + b"x" * 15_000_000 + b"</t></is></c></row>")),
        "of blanks": lambda: workbook(sheet_of(b" " * 15_000_000)),
        "of a long number": lambda: workbook(sheet_of(b"<row><c><v>" + b"9" * 5_000_000 + b"</v></c></row>")),
        "of far rows": lambda: workbook(sheet_of(b'<row r="999999999"><c r="A999999999"><v>1</v></c></row>')),
        "of two sheets of one name": lambda: workbook(sheet_of(b"<row>" + cell * 100 + b"</row>")) * 2,
        "csv of columns": lambda: b",".join(b"x%d" % k for k in range(18_279)),
        "csv of separators": lambda: b"," * 59_000 + b"\n",
        "csv of lines": lambda: b"a\n" * 59_000,
        "csv of a long cell": lambda: b"id\n" + b"x" * 4_000_000,
        "csv in another script": lambda: ("编号\n" + "长" * 1_300_000).encode("gb18030"),
        "csv of rows": lambda: b"id,points\n" + b"".join(b"r%d,1e999999\n" % k for k in range(1_990)),
        "csv in two bytes": lambda: b"\xff\xfe" + ("a,b\n" * 14_000).encode("utf-16-le"),
    }  # fmt: skip


_KINDS: Final[tuple[Callable[[], Iterator[Nasty]], ...]] = (posted, documents, laws, rounds, asked, read, pages)
REQUESTS: Final = tuple(nasty for make in _KINDS for nasty in make())
