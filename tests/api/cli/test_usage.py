"""The command line before any work: help is cheap, wrong usage is told in the reader's language."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from click.testing import CliRunner

from api.cli.click_words import LOCALE_DIR, lang_of
from api.cli.lazy_group import LazyGroup
from api.cli.main import main

CATALOG = LOCALE_DIR / "zh" / "LC_MESSAGES" / "messages.po"
# What takes long to import; none of it is needed to say what there is.
DEAR = ("numpy", "pyarrow", "numba", "pydantic", "sqlalchemy", "fastapi", "rich", "babel", "ortools", "altair")
# Of click's words those that no command of ours can say: prompts, editors, pagers, mistakes in a program.
NEVER_SAID = {
    "d", "?", "Windows error: {error}", "{editor}: Editing failed", "{editor}: Editing failed: {e}",
    "DeprecationWarning: The command {name!r} is deprecated.{extra_message}",
    "DeprecationWarning: The {param_type} {name!r} is deprecated.{extra_message}",
    "Could not determine name for option with declarations {decls!r}",
    ("No options defined but a name was passed ({name}). Did you mean to declare an argument instead? Did you mean to"
    " pass '--{name}'?"),
    "Arguments take exactly one parameter declaration, got {length}: {decls}.", "Name '{name}' defined twice",
    "Boolean option {decl!r} cannot use the same flag for true/false.", "Do you want to continue?",
    "Confirm the action without prompting.", "Press any key to continue...", "Repeat for confirmation",
    "Error: The two entered values do not match.", "Unknown color {colour!r}", "Error: invalid input",
}  # fmt: skip


def said(*words: str, lang: str = "") -> str:
    """What a command that ends as wrong usage says on stderr."""
    result = CliRunner(env={"LANG": lang, "LC_ALL": "", "LC_MESSAGES": ""}).invoke(main, words)
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("score", "--help"), ("serve", "--help")])
def test_help_imports_nothing_dear(words: tuple[str, ...]) -> None:
    """To be told what there is takes no compiler, no table and no database."""
    code = (
        "import sys; from api.cli.main import main\n"
        f"try: main({list(words)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('DEAR', [name for name in {DEAR!r} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "DEAR []"


def groups(group: LazyGroup) -> Iterator[LazyGroup]:
    """A lazy group and those below it."""
    yield group
    for command in group.table.values():
        below = command.load()
        if isinstance(below, LazyGroup):
            yield from groups(below)


def test_the_line_of_each_command_is_what_the_command_says_of_itself() -> None:
    """The help that stands in the table of a group is the first paragraph of the command's own."""
    lines = {
        (group.name, name): (command.help, " ".join((command.load().help or "").partition("\n\n")[0].split()))
        for group in groups(main)
        for name, command in group.table.items()
    }

    assert len(lines) > 15
    assert {name: both for name, both in lines.items() if both[0] != both[1]} == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("scor", "--lang", "zh"), "没有命令 'scor'"),
        (("score", "--lang", "zh"), "缺少参数"),
        (("score", "day.csv", "--out", "x", "--lang=zh"), "缺少选项 '--book'"),
        (("score", "day.csv", "--bok", "x", "--lang=zh"), "没有选项 '--bok'"),
        (("score", "a", "--book", "b", "--out", "c", "--engine", "x", "--lang=zh"), "'x' 不在 'local', 'ray' 之中"),
        (("score", "a", "--book", "b", "--out", "c", "--jobs", "0", "--lang=zh"), "不在范围"),
        (("score", "a", "--book", "b", "--out", "c", "--jobs", "x", "--lang=zh"), "x 不是整数"),
        (("score", "a", "--book", "b", "--out", "c", "--as-of", "x", "--lang=zh"), "带时差的 ISO-8601"),
        (("score", "a", "--book", "b", "--out", "c", "--zone", "x", "--lang=zh"), "不是 IANA 时区"),
        (("score", "a", "--book", "b", "--out", "c", "--max-rejects", "2", "--lang=zh"), "0 到 1 之间"),
        (("score", "a", "--book", "b", "--out", "c", "--platform", "!", "--lang=zh"), "不是平台名"),
        (("books", "show", "x", "--at", "x", "--lang", "zh"), "不是日期"),
        (("compare", "a", "--books", "b", "--out", "c", "--lang", "zh"), "两个规则书"),
        (("simulate", "a", "--books", "b,c", "--out", "d", "--precision", "x", "--lang", "zh"), "x 不是数"),
        (("db", "upgrade", "extra", "--lang", "zh"), "多余的参数"),
        (("dispatch", "--lang", "zh"), "请写 INSTANCE_DIR"),
    ],
)
def test_wrong_usage_is_told_in_chinese(words: tuple[str, ...], told: str) -> None:
    """With `--lang zh` no word of a usage error is English but names of options and what was typed."""
    text = said(*words)

    assert told in text
    assert "用法：" in text
    assert "错误：" in text
    assert not {"Error", "Usage:", "Try", "Invalid", "Missing", "No such"} & set(text.replace(".", " ").split())


def test_wrong_usage_follows_the_language_of_the_environment() -> None:
    """Where no language is named, LANG decides, also before a command is known."""
    assert "没有命令" in said("scor", lang="zh_CN.UTF-8")
    assert "No such command" in said("scor", lang="de_DE.UTF-8")
    assert "No such command" in said("scor", "--lang", "en", lang="zh_CN.UTF-8")


def test_the_language_of_a_command_line_is_known_before_it_is_parsed() -> None:
    """`--lang zh` and `--lang=zh` are seen wherever they stand; a language we do not have is none."""
    assert lang_of(["score", "--lang", "zh"]) == "zh"
    assert lang_of(["--lang=zh", "x"]) == "zh"
    assert lang_of(["score", "--lang", "fr"]) == lang_of([]) == lang_of(["--lang"])


def words_of_click() -> set[str]:
    """Every text that the installed click looks up with gettext."""
    texts: set[str] = set()
    for path in Path(click.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"_", "ngettext"}:
                first = node.args[0]
                texts.add(first.value if isinstance(first, ast.Constant) else "?")
    return texts


def test_every_word_of_click_has_a_translation() -> None:
    """What the installed click can say to people stands in the catalog, with the same placeholders."""
    with CATALOG.open("rb") as file:
        messages = {
            message.id[0] if isinstance(message.id, tuple) else message.id: message
            for message in read_po(file, locale="zh")
        }

    assert words_of_click() - NEVER_SAID - set(messages) == set()


def test_the_compiled_catalog_is_the_written_one() -> None:
    """`messages.mo` says what `messages.po` says (`make locale` makes it)."""
    with CATALOG.open("rb") as file:
        written = {flat(message.id): flat(message.string) for message in read_po(file, locale="zh") if message.id}
    with CATALOG.with_suffix(".mo").open("rb") as file:
        compiled = {flat(message.id): flat(message.string) for message in read_mo(file) if message.id}

    assert len(written) > 40
    assert compiled == written


def flat(words: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The forms of a message, whether it has one or several."""
    return (words,) if isinstance(words, str) else tuple(words)
