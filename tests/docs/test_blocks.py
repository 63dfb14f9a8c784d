"""What pages show is run: files are written, commands typed, their output looked for, Python executed."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from api.cli.main import main
from tests.docs.pages import Block, blocks_of, name_of, pages

FILES = ("csv", "toml", "json", "python", "text")
SHELL_TIMEOUT_S = 300
SLOW = {"docs/tutorials/first-study.md"}
PAGES = {name_of(page): blocks_of(page) for page in pages()}


def with_(language: str, *, name: str | None = None) -> list[Any]:
    """The pages that have such a block; those that work for seconds are marked."""
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else [])
        for page, blocks in PAGES.items()
        if any(block.language == language and (name is None or block.name == name) for block in blocks)
    ]


def write_files(blocks: list[Block], folder: Path) -> None:
    """The files that a page shows."""
    for block in blocks:
        if block.language in FILES and block.name:
            path = folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def transcript(text: str) -> list[tuple[str, list[str]]]:
    """Commands of a transcript, each with the lines it must print."""
    commands = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        commands.append((command, [line for line in lines if line.strip() and line.strip() != "…"]))
    return commands


@pytest.mark.parametrize("page", with_("console"))
def test_a_transcript_is_what_the_commands_print(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs and prints the lines shown; `…` stands for what is left out."""
    monkeypatch.chdir(tmp_path)
    write_files(PAGES[page], tmp_path)
    commands = [entry for block in PAGES[page] if block.language == "console" for entry in transcript(block.text)]

    for command, lines in commands:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "riderscore", command
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code in (0, 3), (command, result.output)
        for line in lines:
            pattern = ".*".join(re.escape(piece) for piece in line.split("…"))
            assert re.search(pattern, result.output), (command, line, result.output)
    assert commands


@pytest.mark.parametrize("page", with_("python", name=""))
def test_python_on_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of Python of a page run one after the other, beside the files that the page shows."""
    monkeypatch.chdir(tmp_path)
    write_files(PAGES[page], tmp_path)
    code = "\n".join(block.text for block in PAGES[page] if block.language == "python" and not block.name)

    exec(compile(code, page, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@pytest.mark.parametrize("page", with_("sh", name="run"))
def test_shell_on_a_page_runs(page: str, tmp_path: Path) -> None:
    """The blocks that say `run` are one script; what it starts is ended with it."""
    write_files(PAGES[page], tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = "\n".join(block.text for block in PAGES[page] if block.language == "sh" and block.name == "run")
    script = script.replace("localhost:8000", f"localhost:{port}").replace(
        "riderscore serve", f"riderscore serve --port {port}"
    )
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    # Printed into a file: what the script leaves running would hold a pipe open.
    with (tmp_path / ".printed").open("w") as printed:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path, env={**os.environ, "PATH": path, "LANG": "C.UTF-8"}, start_new_session=True,
            stdout=printed, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        exit_code = process.wait(timeout=SHELL_TIMEOUT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    assert exit_code == 0, (tmp_path / ".printed").read_text(encoding="utf-8")


def typed_commands() -> list[tuple[str, str]]:
    """Each line of a page's blocks that types a command of the product, with the page."""
    typed = []
    for page, blocks in PAGES.items():
        for block in blocks:
            if block.language in ("sh", "console", "text"):
                for line in block.text.replace("\\\n", " ").splitlines():
                    match = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(riderscore .*)", line.strip())
                    if match and "…" not in match[1]:
                        typed.append((page, match[1]))
    return typed


def faults_of(line: str) -> str:
    """What is wrong with a typed command: a name or an option that does not exist; empty where nothing is."""
    words = shlex.split(re.split(r" [|>&]", line)[0], comments=True)[1:]
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        with click.Context(command) as context:
            inner = command.get_command(context, words[0])
        if inner is None:
            return f"no command {words[0]}"
        command, words = inner, words[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    return ", ".join(word for word in words if word.startswith("--") and word.partition("=")[0] not in known)


def test_every_command_typed_on_a_page_exists() -> None:
    """Its words and its options are those of the product."""
    assert [(page, line, fault) for page, line in typed_commands() if (fault := faults_of(line))] == []


def test_a_command_that_does_not_exist_is_seen() -> None:
    """The check above can fail."""
    assert faults_of("riderscore scores day.csv") == "no command scores"
    assert faults_of("riderscore score day.csv --bok x") == "--bok"
