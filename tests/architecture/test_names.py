"""One name, one meaning: a class stands for one thing in the whole house; what is read by name is there under that name."""

import ast
from collections import defaultdict

from tests.architecture.sources import dotted, modules, place, tree_of


def test_a_class_name_stands_once() -> None:
    """No two modules define a class of the same name; those that a module keeps to itself begin with `_`."""
    places = defaultdict(list)
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(place(path, node))

    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_what_is_read_of_the_applications_state_is_put_there() -> None:
    """`app.state` has no types: each name that a route reads of it is one that the application sets when it is made."""
    read, put = {}, set()
    for path in modules("api"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and dotted(node).endswith(f"app.state.{node.attr}"):
                if isinstance(node.ctx, ast.Store):
                    put.add(node.attr)
                else:
                    read[place(path, node)] = node.attr

    assert read
    assert {where: name for where, name in read.items() if name not in put} == {}
