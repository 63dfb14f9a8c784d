"""Catalogs are read as gettext's own tools read them."""

import pytest
from babel.messages.pofile import read_po

from rules.catalog_files import read_catalog
from rules.text import LOCALE_DIR

CATALOGS = sorted(LOCALE_DIR.rglob("*.po"))
SMALL = r"""
# a comment
msgid ""
msgstr ""
"Language: en\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: somewhere
msgid "a.b"
msgstr "one \"two\" \\n three\n"
"and on"

msgid "c"
msgid_plural "number"
msgstr[0] "{number} day"
msgstr[1] "{number} "
"days"
"""


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_catalog_reads_as_babel_reads_it(path) -> None:
    """Keys, plural forms and their expression are those that a library for the whole format finds."""
    with path.open("rb") as file:
        babel = read_po(file, locale=path.parts[-3])
    wanted = {
        (message.id, "") if isinstance(message.id, str) else message.id: message.string
        for message in babel
        if message.id
    }

    expression, messages = read_catalog(path.read_text("utf-8"))

    found = {
        (message.key, message.plural): tuple(message.forms) if message.plural else message.forms[0]
        for message in messages
    }
    assert found == wanted
    # A catalog without counts needs none; babel knows one by the language.
    assert not expression or expression.strip("()") == str(babel.plural_expr).strip("()")
    assert expression or not any(message.plural for message in messages)


def test_escapes_and_lines_that_go_on() -> None:
    """Quotes, backslashes and line ends are what they were written for; a text may stand on several lines."""
    expression, (first, second) = read_catalog(SMALL)

    assert expression == "(n != 1)"
    assert (first.key, first.forms) == ("a.b", ['one "two" \\n three\nand on'])
    assert (second.plural, second.forms) == ("number", ["{number} day", "{number} days"])


@pytest.mark.parametrize("line", ['msgctxt "menu"', "msgid no quotes", '"before any message"', "#~"])
def test_what_our_catalogs_have_not_is_refused(line: str) -> None:
    """A line that would be lost is an error that names it; comments are passed by."""
    if line.startswith("#"):
        assert read_catalog(f'{line}\nmsgid "a"\nmsgstr "b"')[1][0].forms == ["b"]
    else:
        with pytest.raises(ValueError, match="line 1"):
            read_catalog(line)
