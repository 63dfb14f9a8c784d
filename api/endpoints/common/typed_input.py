"""What was typed in a form that was refused: the error page shows it, and it can be sent again.

A form is sent in vain when the session is over, the browser has lost its form cookie, or the service refuses or fails.
What was typed is kept by the browser alone, inside the answer. Forms of other sites are never shown: their words
are not the visitor's.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.datastructures import FormData

from api.endpoints.common.bodies import content_type_of, read_body, receive_again_of
from api.endpoints.common.body_limits import KIB
from api.endpoints.common.problems import Problem
from api.endpoints.common.storable_text import is_plain
from api.service import service_of

FORM_FIELD: Final = "form_token"
ONCE_FIELD: Final = "once"
TYPED_FIELD: Final = "typed"
MULTIPART: Final = "multipart/form-data"
# A larger form is shown to be copied, and not sent again by itself.
SENT_AGAIN_MAX: Final = 128 * KIB
READ_MAX: Final = 256 * KIB
FIELDS_MAX: Final = 2_000
SHOWN_MAX: Final = 40
# Secrets, and what a page puts in a form by itself.
_SECRET: Final = frozenset({FORM_FIELD, TYPED_FIELD, "credential"})
_BY_THE_PAGE: Final = {ONCE_FIELD, "etag", "digest", "content_digest", "next", "part", "columns", "keys", "act", "into"}
# What is chosen, not typed: sent again with the words, but no words.
_CHOICES: Final = {
    "answer",
    "outcome",
    "is_safety",
    "reason_code",
    "scenario",
    "sensitivity",
    "seeds",
    "a",
    "b",
    "place",
}
_NOT_WORDS: Final = _SECRET | _BY_THE_PAGE | _CHOICES
# Where nothing is typed that anybody would miss.
_NOT_KEPT: Final = ("/login", "/logout")


@dataclass(frozen=True, slots=True)
class TypedInput:
    """A form as it was sent.

    Parameters
    ----------
    path
        Where it goes, with its query.
    fields
        Name and value of each field, without secrets; files are left out.
    has_file
        Whether a file was chosen, which has to be chosen again.
    """

    path: str
    fields: tuple[tuple[str, str], ...]
    has_file: bool = False

    @property
    def words(self) -> list[tuple[str, str]]:
        """The fields that a person filled in, longest first."""
        filled = [(name, value) for name, value in self.fields if name not in _NOT_WORDS and value.strip()]
        return sorted(filled, key=lambda pair: -len(pair[1]))[:SHOWN_MAX]

    @property
    def can_be_sent(self) -> bool:
        """Whether it is small enough to stand in a page once more."""
        return not self.has_file and sum(len(name) + len(value) for name, value in self.fields) <= SENT_AGAIN_MAX

    def packed(self) -> str:
        """One text for a hidden field."""
        return json.dumps([self.path, self.fields], ensure_ascii=False)

    @classmethod
    def unpacked(cls, text: str) -> Self | None:
        """The reverse; None for anything that `packed` has not made."""
        try:
            path, fields = json.loads(text)
            pairs = tuple((name, value) for name, value in fields)
        except (ValueError, TypeError, RecursionError):
            return None
        is_sound = all(isinstance(part, str) and is_plain(part) for pair in pairs for part in pair)
        return cls(path, pairs) if isinstance(path, str) and is_sound and len(pairs) <= FIELDS_MAX else None


async def typed_in(request: Request) -> TypedInput | None:
    """What a page of this host has sent with a request, whether or not it has been read; None for nothing to keep."""
    path = request.url.path
    if request.method != "POST" or path.startswith(_NOT_KEPT) or not is_from_here(request):
        return None
    body = getattr(request.state, "posted_body", None)
    if body is None:
        try:
            timeout_s = service_of(request).settings.body_timeout_s
            body = await read_body(request.scope, request.receive, READ_MAX, timeout_s)
        except Problem:
            return None
        request.state.posted_body = body
    has_file = False
    if content_type_of(request.scope) == MULTIPART:
        again = Request(request.scope, receive_again_of(body, request.receive))
        try:
            async with again.form(max_fields=FIELDS_MAX, max_files=1) as form:
                has_file = any(not isinstance(value, str) and value.size for _, value in form.multi_items())
                pairs = texts_of(form)
        except Exception:  # noqa: BLE001 - a form that cannot be read was told so; there is nothing to give back
            return None
    else:
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
        except ValueError:
            return None
    fields = tuple((name, value) for name, value in pairs if name not in _SECRET and is_plain(name) and is_plain(value))
    query = f"?{request.url.query}" if request.url.query else ""
    typed = TypedInput(path + query, fields, has_file)
    return typed if typed.words or has_file else None


def texts_of(form: FormData) -> list[tuple[str, str]]:
    """The fields of a form that are texts."""
    pairs: Iterable[tuple[str, Any]] = form.multi_items()
    return [(name, value) for name, value in pairs if isinstance(value, str)]


def is_from_here(request: Request) -> bool:
    """Whether the browser says that a page of this host sent the form."""
    source = request.headers.get("origin") or request.headers.get("referer", "")
    return urlsplit(source).netloc == request.headers.get("host", "") != ""
