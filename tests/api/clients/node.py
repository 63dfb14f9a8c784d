"""Programs of Node: the interpreter comes from a wheel, the others from a lock file (`requirements/clients`)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = Path(sys.prefix) / "clients" / "node_modules"
NODE = Path(sys.executable).with_name("node")


def need_node() -> None:
    """Skip where the programs are not installed; in CI they must be."""
    if not NODE.exists() or not MODULES.is_dir():
        message = "the Node programs are not installed (`make test` installs them)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def run_node(*command: str | Path, cwd: Path) -> str:
    """What a program says; it must end well. No request leaves this machine: none of them is told to ask anybody."""
    told = {
        "PATH": f"{NODE.parent}:{os.environ['PATH']}",
        "REDOCLY_TELEMETRY": "off",
        "HOME": str(cwd),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [NODE, *command], cwd=cwd, env=told, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def project(folder: Path, source: Path) -> Path:
    """A folder with some files, in which modules are found."""
    shutil.copytree(source, folder / "project")
    (folder / "project" / "node_modules").symlink_to(MODULES, target_is_directory=True)
    (folder / "project" / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return folder / "project"
