"""One name, one meaning: a class of the product stands for one thing in the whole house."""

import ast
from collections import defaultdict

from tests.architecture.sources import modules, place, tree_of


def test_a_class_name_stands_once() -> None:
    """No two modules define a class of the same name; those that a module keeps to itself begin with `_`."""
    places = defaultdict(list)
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(place(path, node))

    assert {name: where for name, where in places.items() if len(where) > 1} == {}
