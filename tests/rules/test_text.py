"""Catalogs: the same promises in both languages, and no word missing."""

import re
import string

import pytest
from pydantic import BaseModel

from rules import text as catalogs
from rules.book import BookDocument
from rules.diff import LISTS
from rules.events import KINDS, PARTIES, RIDER_KINDS
from rules.standard import CLAUSES
from rules.validation import inner_model
from tests.rules.fault_codes import fault_codes

# A verb behind a name; a number in words, which is counted beside it; "and less" behind a second number.
NO_COUNT = frozenset(
    {
        "deploy.done",
        "diff.moved",
        "diff.plain_moved",
        "fault.mixed_ids",
        "fault.place_in_force",
        "fault.several_platforms",
        "fault.too_many_decimals",
        "reject.no_book_here",
        "reject.no_book_then",
        "reject.no_book_yet",
        "say.bonus",
        "study.movers_noise",
    }
)


def placeholders(template: str) -> set[str]:
    """The names of a template's placeholders."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def keys_of(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[str]:
    """Every key that a document of this model may hold, at any depth."""
    if model in seen:
        return set()
    seen.add(model)
    found = set()
    for name, field in model.model_fields.items():
        found.add(field.alias or name)
        inner = inner_model(field.annotation)
        if inner is not None and set(inner.model_fields) != {"zh", "en"}:
            found |= keys_of(inner, seen)
    return found


def test_both_languages_have_the_same_keys() -> None:
    """Whatever can be said in one language can be said in the other."""
    zh, en = catalogs.catalog("zh"), catalogs.catalog("en")

    only_one = set(zh) ^ set(en)

    assert only_one == set()


def test_both_languages_have_the_same_placeholders() -> None:
    """No language leaves out a value that the other names, or asks for one that nobody gives."""
    zh, en = catalogs.catalog("zh"), catalogs.catalog("en")

    different = [key for key in zh if placeholders(zh[key]) != placeholders(en[key])]

    assert different == []


def nouns_after_numbers(words: str) -> set[str]:
    """Placeholders with a plural noun behind them, such as `{riders} riders`."""
    between = r"(?: (?:other|older|more|on-time|open|rider|broken|better|new|stored|further|own))*"
    return set(re.findall(r"\{(\w+)\}" + between + r" [a-z-]*[a-z]s\b(?! (?:and|or)\b)", words))


def counts_without_forms(key: str, words: str) -> set[str]:
    """Numbers of a message whose noun does not follow them."""
    plural = catalogs.plurals("en").get(key)
    not_counted = {"is", "has", "holds", "does", "works", "gives", "stands", "runs", "leads", "lacks", "contradicts",
                   "comes", "counts", "says", "takes", "overlaps", "was", "lies", "goes"}  # fmt: skip
    free = {
        name
        for name in nouns_after_numbers(words)
        if not re.search(r"\{" + name + r"\} (?:" + "|".join(not_counted) + r")\b", words)
    }
    return free - ({plural.counted} if plural else set())


def test_every_count_has_plural_forms() -> None:
    """English says 1 order and 2 orders: no message has a noun of one form behind a number."""
    wrong = {key: counts_without_forms(key, words) for key, words in catalogs.catalog("en").items()}

    assert {key: names for key, names in wrong.items() if names and key not in NO_COUNT} == {}


def test_plural_forms_fit_their_language() -> None:
    """Every counted message has one form in Chinese and two in English, and counts a placeholder that it is given."""
    zh, en = catalogs.plurals("zh"), catalogs.plurals("en")

    assert set(zh) == set(en)
    assert {key for key, found in zh.items() if len(found.forms) != 1 or found.counted != en[key].counted} == set()
    assert {key for key, found in en.items() if len(found.forms) != 2} == set()


@pytest.mark.parametrize(("number", "said"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (21, "21 days")])
def test_a_noun_follows_its_number(number: int, said: str) -> None:
    """One day, two days, and the same in a message that counts several things."""
    assert catalogs.text("en", "span.days", number=number) == said
    assert catalogs.text("en", "web_books.impact_found", days=number, riders=1, orders=1) == (
        f"Last {said}: 1 rider, 1 order"
    )


def test_every_noun_that_is_counted_is_known() -> None:
    """`{riders:rider}` names a message `count.rider`, and none of these is left over."""
    named = {noun for words in catalogs.catalog("en").values() for noun in re.findall(r"\{\w+:([a-z_]+)\}", words)} | {
        noun
        for found in catalogs.plurals("en").values()
        for form in found.forms
        for noun in re.findall(r"\{\w+:([a-z_]+)\}", form)
    }

    assert {f"count.{noun}" for noun in named} == {key for key in catalogs.catalog("en") if key.startswith("count.")}


def test_no_message_is_empty() -> None:
    """Every key has words in every language."""
    empty = [key for lang in catalogs.LANGS for key, words in catalogs.catalog(lang).items() if not words]

    assert empty == []


def test_every_fault_has_words_and_a_remedy() -> None:
    """No code path can meet a fault that the catalogs do not know."""
    known = catalogs.catalog("en")

    codes = fault_codes() | {f"clause_{clause.name}" for clause in CLAUSES}

    assert len(codes) > 50
    assert {code for code in codes if f"fault.{code}" not in known or f"remedy.{code}" not in known} == set()


def test_every_key_and_part_of_a_book_has_a_name() -> None:
    """A difference in any key can be told in words."""
    known = catalogs.catalog("en")

    keys = {f"key.{key}" for key in keys_of(BookDocument, set())} | {f"part.{part}" for part in LISTS}
    clauses = {f"clause.{clause.name}" for clause in CLAUSES}

    assert (keys | clauses) - set(known) == set()


def test_every_choice_has_a_word() -> None:
    """Kinds, parties and other closed sets can be named to a rider in both languages."""
    known = catalogs.catalog("en")

    choices = {*KINDS, *PARTIES, *RIDER_KINDS}

    assert {name for name in choices if f"word.{name}" not in known} == set()


def test_values_are_never_read_as_templates() -> None:
    """Braces in a person's value come out as they are."""
    line = catalogs.text("en", "fault.expected_number", key="{x}", given='"{0}"')

    assert '{x} = "{0}"' in line


def test_an_unknown_language_is_a_programmers_fault() -> None:
    """Asking for a language without catalogs raises instead of answering in another."""
    with pytest.raises(ValueError, match="no catalog"):
        catalogs.catalog("fr")
