"""Words for people: every key that code asks for is there, and no key is there that nothing asks for."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from jinja2 import Environment, nodes

from rules.text import LANGS, catalog
from tests.architecture.sources import ROOT, modules, tree_of


def keys() -> frozenset[str]:
    """Keys of the catalogs."""
    return frozenset(catalog("en"))


def areas() -> frozenset[str]:
    """First parts of keys."""
    return frozenset(key.partition(".")[0] for key in keys())


@cache
def templates() -> tuple[nodes.Template, ...]:
    """Pages, as syntax trees."""
    reader = Environment(autoescape=True)
    folders = (*sorted((ROOT / "api" / "endpoints").glob("*/templates")), ROOT / "simulations" / "report")
    paths = sorted(path for folder in folders for path in folder.rglob("*.html"))
    return tuple(reader.parse(path.read_text(encoding="utf-8")) for path in paths)


def asked_in_pages() -> Iterator[nodes.Expr]:
    """First arguments of `t(…)` in pages."""
    for page in templates():
        for call in page.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in ("t", "t_if") and call.args:
                yield from _answers(call.args[0])


def _answers(word: nodes.Expr) -> Iterator[nodes.Expr]:
    if isinstance(word, nodes.CondExpr):
        yield from _answers(word.expr1)
        if word.expr2 is not None:
            yield from _answers(word.expr2)
    else:
        yield word


@cache
def constants() -> frozenset[str]:
    """Every string that stands in the code or in a page."""
    in_code = {
        node.value
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    in_pages = {
        node.value for page in templates() for node in page.find_all(nodes.Const) if isinstance(node.value, str)
    }
    return frozenset(in_code | in_pages)


@cache
def names() -> frozenset[str]:
    """Every name that the code gives to something, strings and the pieces of f-strings included."""
    found = {word for constant in constants() for word in re.findall(r"\w+", constant)}
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif isinstance(node, ast.keyword | ast.arg) and node.arg:
                found.add(node.arg)
    return frozenset(found | {name.strip("_") for name in found})


@cache
def families() -> tuple[re.Pattern[str], ...]:
    """Keys that are put together, such as `fault.{code}`, as patterns."""
    found = set()
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                first = str(node.values[0].value)
                if first.lstrip("@").partition(".")[0] in areas() and re.fullmatch(r"@?[a-z_]+\.[a-z0-9_]*", first):
                    parts = [
                        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"(\w*)"
                        for part in node.values
                    ]
                    found.add("".join(parts).lstrip("@"))
    for word in asked_in_pages():
        if isinstance(word, nodes.Concat) and isinstance(word.nodes[0], nodes.Const):
            parts = [
                re.escape(str(part.value)) if isinstance(part, nodes.Const) else r"([\w.]*)" for part in word.nodes
            ]
            found.add("".join(parts))
    return tuple(re.compile(pattern) for pattern in sorted(found))


def is_asked_for(key: str) -> bool:
    """Whether the code holds the key, or puts it together from a name that it holds."""
    if key in constants() or f"@{key}" in constants():
        return True
    for family in families():
        made = family.fullmatch(key)
        if made and all(is_known(part) for group in made.groups() for part in group.split(".")):
            return True
    return False


@cache
def pieces() -> tuple[re.Pattern[str], ...]:
    """Parts of keys that are themselves put together, such as `clause_{name}`, as patterns."""
    found = set()
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values]
                if re.fullmatch(r"[a-z_]+", "".join(parts)):
                    found.add("".join(part or r"(\w+)" for part in parts))
    return tuple(re.compile(pattern) for pattern in sorted(found))


def is_known(part: str) -> bool:
    """Whether the code holds a part of a key: as a name, a number, put together, or with an ending such as `_bare`."""
    if not part or part.isdigit() or part in names():
        return True
    if any(made and set(made.groups()) <= names() for made in (piece.fullmatch(part) for piece in pieces())):
        return True
    stem, line, ending = part.rpartition("_")
    return bool(stem) and line + ending in constants() and stem in names()


def asked_keys() -> set[str]:
    """Literal keys in calls of `text` and `print_message`, and of `t` in pages, both branches of a choice included."""
    found = set()
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                found |= {str(word.value) for word in _asked(node) if isinstance(word, ast.Constant)}
    return found | {str(word.value) for word in asked_in_pages() if isinstance(word, nodes.Const)}


def _asked(call: ast.Call) -> list[ast.expr]:
    """What a call of `text(lang, key)`, `print_message(lang, key)` or `visit.say(key)` asks for."""
    name, at = call.func, 1
    if isinstance(name, ast.Attribute) and name.attr == "say":
        at = 0
    elif not isinstance(name, ast.Name) or name.id not in ("text", "print_message"):
        return []
    return _choices(call.args[at]) if len(call.args) > at else []


def _choices(word: ast.expr) -> list[ast.expr]:
    return [*_choices(word.body), *_choices(word.orelse)] if isinstance(word, ast.IfExp) else [word]


def test_both_languages_have_the_same_keys() -> None:
    """Nothing can be said in one language alone."""
    assert {lang: frozenset(catalog(lang)) - keys() for lang in LANGS} == {lang: frozenset() for lang in LANGS}
    assert {lang: keys() - frozenset(catalog(lang)) for lang in LANGS} == {lang: frozenset() for lang in LANGS}


def test_every_key_asked_for_is_there() -> None:
    """No command ends in a KeyError for want of words."""
    assert asked_keys() - keys() == set()


def test_every_family_of_keys_has_members() -> None:
    """A key put together from parts has words for at least one of them."""
    assert [family.pattern for family in families() if not any(family.fullmatch(key) for key in keys())] == []


def test_no_key_is_left_over() -> None:
    """Every message can be reached from the code."""
    assert sorted(key for key in keys() if not is_asked_for(key)) == []
