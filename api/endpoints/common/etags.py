"""Entity tags: what was read (`ETag`), and changing only that (`If-Match`).

A tag names a revision, not bytes. A proxy that packs an answer on its way marks the tag (`W/"7"`, `"7-gzip"`), and a client
sends back what it got: it means the same revision.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Response

from api.endpoints.common.problems import Problem
from api.service import LangDep
from rules.text import Lang

# Ours are revisions and digests; a longer one is nobody's.
_LONGEST: Final = 200
_PACKED: Final = re.compile(r"(?:[-;:]+(?:gzip|br|zstd|deflate|df))+(?=\"$)")


def etag_of(revision: object) -> str:
    """The strong entity tag of a revision or digest."""
    return f'"{revision}"'


def need_match(if_match: str | None, current: str) -> None:
    """Refuse a change of something that is not what the client has read.

    Parameters
    ----------
    if_match
        The header as it came.
    current
        The entity tag of what is stored (`etag_of`).

    Raises
    ------
    Problem
        428 `precondition_required` without the header, 412 `precondition_failed` where it names something else.
    """
    if if_match is None:
        raise Problem("precondition_required")
    if if_match.strip() != "*" and current not in _tags(if_match):
        raise Problem("precondition_failed", current=current)


def is_unchanged(if_none_match: str | None, current: str) -> bool:
    """Whether a client has this already (answer 304)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or current in _tags(if_none_match)


def _tags(header: str) -> set[str]:
    """The tags of a header, without what proxies have put to them."""
    tags = (tag.strip().removeprefix("W/").strip() for tag in header.split(","))
    return {_PACKED.sub("", tag) for tag in tags if len(tag) <= _LONGEST}


def in_words(lang: Lang) -> dict[str, str]:
    """Headers of an answer that differs by language and is for one reader."""
    return {"Content-Language": lang, "Vary": "Accept-Language, Authorization", "Cache-Control": "private, no-cache"}


async def _worded(lang: LangDep, response: Response) -> Lang:
    response.headers.update(in_words(lang))
    return lang


# The language of an answer, which says so in its headers.
WordsDep = Annotated[Lang, Depends(_worded)]
