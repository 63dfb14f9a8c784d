"""Types that people and their tools read: a closed list of values shows its values."""

import ast
from collections.abc import Iterator

from tests.architecture.sources import dotted, modules, place, tree_of


def hidden_literals(tree: ast.AST) -> Iterator[ast.Subscript]:
    """`Literal[…]` made from a variable or a computation; names of other types (`StepKind`) are read as their values."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and dotted(node.value).rpartition(".")[2] == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if any(not isinstance(value, ast.Constant) and not is_type(value) for value in values):
                yield node


def is_type(value: ast.expr) -> bool:
    """Whether an expression is the name of a type, by the way it is spelt."""
    name = dotted(value).rpartition(".")[2]
    return name[:1].isupper() and not name.isupper()


def test_every_literal_spells_its_values_out() -> None:
    """No `Literal[KINDS]`: type checkers, editors and readers could not see its values."""
    assert [place(path, node) for path in modules() for node in hidden_literals(tree_of(path))] == []


def test_a_literal_of_a_variable_is_seen() -> None:
    """Variables and computed tuples are found; strings and names of types are not."""
    hidden = ast.parse("A = Literal[KINDS]\nB = Literal[(*KINDS, 'x')]\nC = typing.Literal[_TRIED]")
    plain = ast.parse("A = Literal['a', 'b']\nB = Literal[StepKind, 'x']\nC = Literal[events.StepKind]")

    assert [node.lineno for node in hidden_literals(hidden)] == [1, 2, 3]
    assert list(hidden_literals(plain)) == []
