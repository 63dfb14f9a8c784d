"""The codes of all faults, read from the sources."""

import ast
from pathlib import Path

from rules import text as catalogs

RULES_DIR = Path(catalogs.__file__).parent


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
