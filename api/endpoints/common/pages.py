"""What every page has in common: who visits, in which language, the templates, what was said after a change.

A template sees `t(key, …)` for all its words, `lang`, `visit`, `asset(name)`, `tree_of(why)`, and filters for amounts and instants.
It escapes whatever it shows; catalogs hold no markup.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.access.scopes import Scope
from api.endpoints.common import formats
from api.endpoints.common.static_files import asset_url
from api.service import Actor, Service
from rules.text import Lang, catalog, text
from scoring.explain import riders_tree, tree

# Each subject has its own templates; a name stands in one folder alone.
_ENDPOINTS: Final = Path(__file__).parents[1]
SAID_COOKIE: Final = "rs_said"
SAID_S: Final = 30


@cache
def templates(lang: Lang) -> Environment:
    """Templates that speak one language."""
    made = Environment(
        loader=FileSystemLoader(sorted(_ENDPOINTS.glob("*/templates"))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"t": partial(text, lang), "lang": lang, "asset": asset_url, "tree_of": partial(tree, lang=lang)}
    made.globals |= {"riders_tree_of": partial(riders_tree, lang=lang), "t_if": partial(text_if, lang)}
    made.globals["random_text"] = partial(secrets.token_hex, 12)
    made.filters |= {name: partial(filter_, lang=lang) for name, filter_ in formats.IN_WORDS.items()}
    made.filters |= formats.PLAIN
    return made


def text_if(lang: Lang, key: str, otherwise: str) -> str:
    """A message without blanks where there is one, else other words."""
    return catalog(lang).get(key, otherwise)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a person.

    Parameters
    ----------
    actor
        Who is signed in; None for a visitor.
    form_token
        What every form of theirs must carry.
    lacks_book
        Whether no rule book is in force in any city of theirs: pages of the console say so.
    """

    request: Request
    service: Service
    actor: Actor | None
    lang: Lang
    form_token: str
    lacks_book: bool = False

    @property
    def who(self) -> Actor:
        """Who is signed in, on pages that need it."""
        if self.actor is None:
            raise TypeError("this page asks for nobody in particular")
        return self.actor

    def say(self, key: str, /, **params: object) -> str:
        """A message in the visitor's language."""
        return text(self.lang, key, **params)

    def may(self, *scopes: Scope) -> bool:
        """Whether the visitor's role has one of some scopes."""
        return self.actor is not None and self.actor.may(*scopes)

    def is_at(self, path: str) -> bool:
        """Whether this page is the one of a path, or stands below it."""
        path_now = self.request.url.path
        return path_now == path or (path != "/console" and path_now.startswith(f"{path}/"))

    def sent(self, name: str) -> str:
        """What the form at hand holds in a field; nothing where the page was only asked for."""
        posted: Mapping[str, str] = getattr(self.request.state, "posted", {})
        return posted.get(name, "")

    def here(self, **changes: object) -> str:
        """The address of this page with some of its query changed; None leaves a part out."""
        query = dict(self.request.query_params) | changes
        kept = urlencode({name: value for name, value in query.items() if value is not None and value != ""})
        return self.request.url.path + (f"?{kept}" if kept else "")

    def steps(self, next_cursor: object, cursor: object) -> dict[str, Any]:
        """Addresses of the next page of a list and of its first, where this page is not the last, not the first."""
        older = None if next_cursor is None else self.here(cursor=next_cursor)
        return {"older": older, "newest": None if cursor is None else self.here(cursor=None)}

    def page(self, template: str, /, status: int = 200, **context: object) -> Response:
        """A rendered page; what was said after the last change is said once."""
        message = self._said()
        words = templates(self.lang).get_template(template).render(visit=self, said=message, **context)
        response = HTMLResponse(words, status)
        if message is not None:
            response.delete_cookie(SAID_COOKIE, path="/", httponly=True, samesite="strict")
        return response

    def goto(self, path: str, message: str | None = None, **params: object) -> Response:
        """Send the browser to another page of ours, which says `flash.<said>` once."""
        response = RedirectResponse(path, 303)
        if message is not None:
            show_on_next_page(response, message, **params)
        return response

    def _said(self) -> str | None:
        """What the last change said; nothing if the cookie is not ours."""
        fields = parse_qs(self.request.cookies.get(SAID_COOKIE, ""))
        try:
            params: Mapping[str, Any] = json.loads(fields["params"][0])
            return self.say(f"flash.{fields['key'][0]}", **params)
        except (KeyError, ValueError, TypeError, IndexError):
            return None


def show_on_next_page(response: Response, message: str, **params: object) -> None:
    """Have the next page say `flash.<said>` once."""
    value = urlencode({"key": message, "params": json.dumps(params, ensure_ascii=False)})
    response.set_cookie(SAID_COOKIE, value, max_age=SAID_S, path="/", httponly=True, samesite="strict")
