"""Docstrings of what folders import from each other: NumPy sections that fit the signature, checked by numpydoc."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate
from pydantic import BaseModel

from tests.architecture.sources import PACKAGES, ROOT, imports, modules, tree_of

# Folders of which everything that others import is described in full.
FOLDERS = ("rules", "scoring", "dispatch", "simulations", "api.webhooks")
# Of numpydoc's checks those that the house asks for; types stand in the signature.
CHECKS = {
    "GL03", "GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "SS06", "PR01", "PR02", "PR03", "PR07", "PR10", "RT01", "RT03", "YD01"
}  # fmt: skip
# What the fields of a document mean stands in its description, its parameters are aliases; an enumeration takes none.
OF_PARAMETERS = {"PR01", "PR02", "PR03"}


def imported(folder: str) -> set[tuple[str, str]]:
    """Module and name of everything that other folders import from one; a folder inside `api` is named `api.files`."""
    found: set[tuple[str, str]] = set()
    inside = ROOT / folder.replace(".", "/")
    for path in modules(*PACKAGES):
        if path.is_relative_to(inside):
            continue
        tree = tree_of(path)
        whole = {}
        for node, name in imports(tree):
            if not name.startswith(f"{folder}.") or not isinstance(node, ast.ImportFrom):
                continue
            if (ROOT / f"{name.replace('.', '/')}.py").is_file():
                whole[name.rpartition(".")[2]] = name
            else:
                module, _, inner = name.rpartition(".")
                found.add((module, inner))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in whole:
                found.add((whole[node.value.id], node.attr))
    return found


def described(folder: str) -> Iterator[tuple[str, Any]]:
    """Functions and classes among them, by dotted name; compiled and cached ones as they are written."""
    for module, name in sorted(imported(folder)):
        value = getattr(importlib.import_module(module), name, None)
        value = inspect.unwrap(getattr(value, "py_func", value)) if callable(value) else value
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module:
            yield f"{module}.{name}", value


def raises_something(function: Any) -> bool:
    """Whether a function raises something of its own, not only again."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))


def faults_of(value: Any) -> list[str]:
    """What is wrong with a docstring."""
    document = get_doc_object(value)
    ignored = OF_PARAMETERS if inspect.isclass(value) and issubclass(value, (BaseModel, Enum)) else set()
    faults = [f"{code} {words}" for code, words in validate(document)["errors"] if code in CHECKS - ignored]
    faults += [f"type of {parameter.name} stands twice" for parameter in document["Parameters"] if parameter.type]
    if inspect.isfunction(value) and raises_something(value) and not document["Raises"]:
        faults.append("no Raises section found")
    return faults


def badly(first: int, second: int) -> int:
    """Add two numbers

    Parameters
    ----------
    second : int
        The second.
    """  # noqa: D400
    if first < 0:
        raise ValueError("negative")
    return first + second


DESCRIBED = [pytest.param(value, id=name) for folder in FOLDERS for name, value in described(folder)]


@pytest.mark.parametrize("value", DESCRIBED)
def test_what_others_import_is_described_in_full(value: Any) -> None:
    """Parameters in the order of the signature, what comes back, what is raised; no type twice."""
    assert faults_of(value) == []


def test_a_bad_docstring_is_found() -> None:
    """A parameter that is missing, a type, no summary's end, nothing about the answer or the error."""
    codes = [fault.partition(" ")[0] for fault in faults_of(badly)]

    assert codes == ["SS03", "PR01", "RT01", "type", "no"]
