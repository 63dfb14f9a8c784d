"""Shapes that many routes share: strict models, answers made from values of the store, cursors, limits."""

import datetime as dt
from typing import Annotated, Any, Final, Self

from fastapi import Header, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from api.words import Translated
from rules.book import Bilingual
from rules.text import Lang

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200

# Text that a database takes and a page can show: no control characters, no halves of characters.
PlainText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
IdText = PlainText


def _in_language(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, Translated | Bilingual):
        return value.zh if info.context == "zh" else value.en
    return value


def _iso_date(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


# Fields of answers that `Model.of` makes: a statement in the language of the answer, a date as ISO 8601 text.
InLanguage = Annotated[str, BeforeValidator(_in_language)]
IsoDate = Annotated[str, BeforeValidator(_iso_date)]
City = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["hangzhou"])]


class Model(BaseModel):
    """A body or an answer: unknown fields are errors, nothing is guessed (`"1"` and `true` are no numbers)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def of(cls, value: object, lang: Lang | None = None, **others: object) -> Self:
        """The answer made from a value of the store.

        Parameters
        ----------
        value
            Its attributes are named as the fields; lists of the answer are tuples.
        lang
            Language of its words (`InLanguage`); None for an answer without words.
        others
            Fields that it has no such attribute for.
        """
        if others:
            value = {name: getattr(value, name) for name in cls.model_fields if name not in others} | others
        return cls.model_validate(value, from_attributes=True, context=lang)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, data: Any) -> Any:
        """Take `204.0` for the whole number it is in JSON."""
        if not isinstance(data, dict) or not any(type(value) in (float, list) for value in data.values()):
            return data
        return {
            name: [_whole(v) for v in value] if type(value) is list else _whole(value) for name, value in data.items()
        }


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


class ListPage(Model):
    """What every list answers; `items` belongs to the list."""

    cursor: str | None = Field(description="Ask for the next page with it; null on the last page.")


def _limit() -> Any:
    return Query(ge=1, le=LIMIT_MAX, description="Items a page at most.")


Limit = Annotated[int, _limit()]
Cursor = Annotated[
    str | None,
    Query(
        max_length=500,
        # No list ever gave one with controls, and no address may hold NUL.
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="`cursor` of the page before; leave it out for the first page.",
    ),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200, description="The ETag that was read.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=2_000)]


class TitleShown(Model):
    """The same words in Chinese and English."""

    zh: str = Field(examples=["淘宝闪购众包服务分"])
    en: str = Field(examples=["Taobao Flash service score, crowdsourced riders"])


class Started(Model):
    """Where to watch it."""

    study_id: str
