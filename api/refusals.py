"""Refusals of the store. They know nothing of HTTP; their words stand in the catalogs under `refused.<code>`."""

from collections.abc import Mapping

from api.words import Translated
from rules.errors import BookError
from rules.text import Lang, text


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the program
    """A request that the law of the service does not allow.

    Parameters
    ----------
    code
        Names the reason for programs; `refused.<code>` says it to people.
    params
        What the words need; what is `Translated` is said in the language of the words.
    """

    def __init__(self, code: str, /, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(code)

    def describe(self, lang: Lang) -> str:
        """Why, and what would be allowed, in one line."""
        return text(lang, f"refused.{self.code}", **params_in(self.params, lang))


def params_in(params: Mapping[str, object], lang: Lang) -> dict[str, object]:
    """Parameters in one language."""
    return {name: value.lang(lang) if isinstance(value, Translated) else value for name, value in params.items()}


class StoredBooksError(BookError):
    """Rule books that the store holds and that cannot be used any more."""
