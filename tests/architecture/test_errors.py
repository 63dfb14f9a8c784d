"""Errors come in one family a floor, and each family becomes exit codes and problem documents in one place."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, modules, place, tree_of

# The family of each floor: of a folder, or of one module where a floor is one.
FAMILIES = {
    "rules": ("rules.errors.RuleError",),
    "dispatch": ("dispatch.errors.DispatchError",),
    "api/settings.py": ("api.settings.SettingError",),
    "api/child_process.py": ("api.child_process.WorkError",),
    "api/refusals.py": ("api.refusals.Refused", "rules.errors.RuleError"),
    "api/files": ("api.files.errors.InputError",),
    "api/db": ("api.db.store.DatabaseError",),
    "api/runs": ("api.files.errors.InputError", "api.runs.outcome.RunError"),
    "api/access": ("api.refusals.Refused",),
    "api/books": ("api.refusals.Refused",),
    "api/ledger": ("api.refusals.Refused", "api.child_process.WorkError"),
    "api/studies": ("api.refusals.Refused", "api.child_process.WorkError"),
    "api/endpoints": ("api.endpoints.common.problems.Problem",),
    "riderscore": ("riderscore.client.ProblemError",),
}
# Families of what the command line does not stand on.
ABOVE_COMMANDS = {"api.endpoints.common.problems.Problem", "riderscore.client.ProblemError"}
# Where whatever went wrong must not end what goes on, and why.
BROAD = {
    "api/app/ticker.py": "one duty that fails must not keep the deadlines of the others; all are raised together",
    "api/db/store.py": "what was written is undone, and the error goes on",
    "api/endpoints/common/idempotency_keys.py": "the key is released, and the error goes on",
    "api/endpoints/common/request_log.py": "a fault of ours is logged and answered as a problem, never shown",
    "api/endpoints/common/typed_input.py": "a form that cannot be read was refused; there is nothing to give back",
    "api/endpoints/ledger/posts.py": "whoever posted hears of it: nobody who posted at the same time does; a key is released",
    "api/ledger/replayer.py": "sent to the process that asked and raised there; one rider must not keep the others waiting",
    "api/loop.py": "a thread that does work again and again must not end; it is logged",
    "api/runs/engines.py": "the other tasks are given up, and the error goes on",
    "api/studies/job_process.py": "kept with the job, for whoever asked for it",
    "api/webhooks/deliverer.py": "one message must not end the sender; it is logged",
}


def broad(tree: ast.Module) -> list[ast.ExceptHandler]:
    """Handlers that take anything."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or any(isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"} for n in ast.walk(node.type))
        )
    ]


def own_errors() -> list[tuple[Path, str]]:
    """Every class of the product that can be raised, by its file."""
    found = []
    for path in modules(*PACKAGES):
        classes = [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
        if not any(node.bases for node in classes):
            continue
        module = importlib.import_module(
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        )
        found += [
            (path, node.name)
            for node in classes
            if isinstance(kind := getattr(module, node.name), type) and issubclass(kind, BaseException)
        ]
    return found


def class_of(name: str) -> type:
    """A class by its full name."""
    module, _, attribute = name.rpartition(".")
    kind: type = getattr(importlib.import_module(module), attribute)
    return kind


def floor_of(path: Path) -> str | None:
    """The floor that a file stands on."""
    relative = str(path.relative_to(ROOT))
    return next((floor for floor in FAMILIES if relative == floor or relative.startswith(f"{floor}/")), None)


def test_whatever_goes_wrong_is_caught_only_where_it_must_be() -> None:
    """No handler is bare, and one that takes any error stands in the list, with the reason."""
    caught = {place(path) for path in modules() for _ in broad(tree_of(path))}
    bare = [place(path, node) for path in modules() for node in broad(tree_of(path)) if node.type is None]

    assert bare == []
    assert caught == set(BROAD)


def test_a_planted_handler_is_seen() -> None:
    """The check above can fail: bare handlers and those within a tuple are found."""
    planted = "try:\n    f()\nexcept (OSError, Exception):\n    pass\ntry:\n    f()\nexcept:\n    pass\n"

    assert len(broad(ast.parse(planted))) == 2


def test_every_error_is_of_the_family_of_its_floor() -> None:
    """A class that can be raised derives from a family of the floor that it stands on."""
    strange = []
    for path, name in own_errors():
        floor = floor_of(path)
        kind = class_of(".".join([*path.relative_to(ROOT).with_suffix("").parts, name]))
        if floor is None or not issubclass(kind, tuple(class_of(root) for root in FAMILIES[floor])):
            strange.append(f"{place(path)}: {name}")

    assert strange == []


def test_errors_become_exit_codes_in_one_place() -> None:
    """No command ends the process while it handles an error: `api.cli.failures` does, by the family."""
    ends = [
        place(path, call)
        for path in modules("api")
        if path.is_relative_to(ROOT / "api" / "cli") and path.name != "failures.py"
        for handler in ast.walk(tree_of(path))
        if isinstance(handler, ast.ExceptHandler)
        for call in ast.walk(handler)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"sys.exit", "stop", "exit", "SystemExit"}
    ]

    assert ends == []


@pytest.mark.parametrize("root", sorted({root for roots in FAMILIES.values() for root in roots} - ABOVE_COMMANDS))
def test_every_family_has_an_exit_code(root: str) -> None:
    """The command line knows each family below the endpoints."""
    from api.cli.failures import exit_code_of, families

    kind = class_of(root)

    assert issubclass(kind, families())
    assert exit_code_of(kind.__new__(kind)) in {1, 2}
