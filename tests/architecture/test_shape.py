"""How large things may be, and that package files run nothing."""

import ast

from tests.architecture.sources import modules, place, tree_of

FUNCTION_LINES = 70
MODULE_LINES = 500


def test_functions_fit_on_a_screen() -> None:
    """No function has more than 70 lines, its docstring included."""
    long = [
        f"{place(path, node)} {node.name}: {lines} lines"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]

    assert long == []


def test_modules_are_about_one_thing() -> None:
    """No module has more than 500 lines."""
    counted = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}

    assert {name: lines for name, lines in counted.items() if lines > MODULE_LINES} == {}


def test_package_files_run_nothing() -> None:
    """`__init__` files hold a docstring, imports and names."""
    acts = [
        place(path, node)
        for path in modules()
        if path.name == "__init__.py"
        for node in tree_of(path).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    calls = [
        place(path, node)
        for path in modules()
        if path.name == "__init__.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
    ]

    assert acts + calls == []


def test_every_module_says_what_lives_in_it() -> None:
    """The first thing in a file is a docstring."""
    assert [place(path) for path in modules() if not ast.get_docstring(tree_of(path))] == []
