"""Rejects text that no database can store (NUL, lone surrogates), naming its place in the request.

PostgreSQL refuses both in any text, SQLite and every page some of it; so nothing behind this module has to think of
them. Uploaded files are looked at by their readers, and events are answered one by one (`api.files.request_events`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from starlette.requests import cookie_parser
from starlette.types import Scope

from api.endpoints.common.field_errors import FieldPlace, pointer_to
from api.endpoints.common.problems import FieldError, Problem, no_json
from api.files.json_faults import find_json_fault
from api.files.json_lines import validate_json
from rules.text import Lang, text
from rules.text_files import file_format_of

# Which escapes of JSON may stand for such a text: only then is a body read twice.
_SUSPECT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_SHOWN_MAX: Final = 50


def is_plain(words: str) -> bool:
    """Whether a database takes some text."""
    return "\0" not in words and (words.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in words))


def check_address(scope: Scope) -> None:
    """Refuse a request whose path, query or cookies hold such text.

    Raises
    ------
    Problem
        `unusable_text`, with each place.
    """
    places = []
    path, raw = scope["path"], scope.get("raw_path") or b""
    if not is_plain(path) or not _is_utf8(unquote_to_bytes(raw) if b"%" in raw else raw):
        places.append("path")
    query = scope["query_string"]
    if b"%" in query or b"\0" in query or not query.isascii():
        places += list(_query_places(query))
    for name, value in scope["headers"]:
        if name == b"cookie":
            known = cookie_parser(value.decode("latin-1"))
            places += [f"cookie/{key}" for key, words in known.items() if not is_plain(words)]
        elif b"\0" in value:
            places.append(f"header/{name.decode('latin-1')}")
    if places:
        raise unusable(FieldPlace(parameter=place) for place in places)


def check_json(body: bytes) -> None:
    """Refuse a JSON body that holds such text, in names or values, and what a lenient parser would read all the same.

    Raises
    ------
    Problem
        `unusable_text`, with a pointer to each value; `bad_json` for NaN, a key that stands twice, a packed body.
    """
    if file_format_of(body) is not None or not _is_utf8(body):
        raise no_json(find_json_fault(body))
    if b"\0" in body:
        raise unusable([FieldPlace(pointer="#")])
    _check_strictly(body)
    if not _SUSPECT.search(body):
        return
    document = json.loads(body)
    places = [FieldPlace(pointer=pointer_to(path)) for path in _odd_in(document)]
    if places:
        raise unusable(places)


def _check_strictly(body: bytes) -> None:
    try:
        validate_json(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise no_json(find_json_fault(body.decode("utf-8-sig"))) from None


def check_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Refuse a form that holds such text in a field.

    Raises
    ------
    Problem
        `unusable_text`, with the name of each field.
    """
    places = [
        FieldPlace(parameter=f"form/{_printed(name)}")
        for name, value in fields
        if not is_plain(name) or (isinstance(value, str) and not is_plain(value))
    ]
    if places:
        raise unusable(places)


def unusable(places: Iterable[FieldPlace]) -> Problem:
    """The refusal of such text at some places."""
    all_places = list(places)
    errors = [FieldError(place, "unusable_text", _says) for place in all_places[:_SHOWN_MAX]]
    return Problem("unusable_text", errors=errors, num_errors=len(all_places), num=len(all_places))


def _says(lang: Lang) -> str:
    return text(lang, "invalid.unusable_text")


def _query_places(query: bytes) -> Iterator[str]:
    for part in query.split(b"&"):
        pair = unquote_to_bytes(part.replace(b"+", b" "))
        if not _is_utf8(pair) or b"\0" in pair:
            name = unquote_to_bytes(part.partition(b"=")[0]).decode("utf-8", "replace")
            yield f"query/{_printed(name)}"


def _odd_in(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths to texts that are not plain; a name that is not is told by the object that holds it."""
    if isinstance(document, str):
        if not is_plain(document):
            yield path
    elif isinstance(document, dict):
        if not all(map(is_plain, document)):
            yield path
        for name, value in document.items():
            yield from _odd_in(value, (*path, _printed(name)))
    elif isinstance(document, list):
        for k, value in enumerate(document):
            yield from _odd_in(value, (*path, k))


def _printed(name: str) -> str:
    """A name as an answer may repeat it."""
    return name if is_plain(name) else "".join(letter if is_plain(letter) else "\ufffd" for letter in name)


def _is_utf8(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
