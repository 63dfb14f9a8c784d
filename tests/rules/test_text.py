"""Catalogs: the same promises in both languages, and no word missing."""

import ast
import string
from pathlib import Path

import pytest
from pydantic import BaseModel

from rules import text as catalogs
from rules.book import BookDocument
from rules.diff import LISTS
from rules.events import KINDS, PARTIES, RIDER_KINDS
from rules.standard import CLAUSES
from rules.validation import inner_model

RULES_DIR = Path(catalogs.__file__).parent


def placeholders(template: str) -> set[str]:
    """The names of a template's placeholders."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def fault_codes() -> set[str]:
    """Every literal code that the package's source builds a `Fault` with."""
    codes = set()
    for path in RULES_DIR.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Fault" or not node.args:
                continue
            if isinstance(node.args[0], ast.Constant):
                codes.add(str(node.args[0].value))
    return codes


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
