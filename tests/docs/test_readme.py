"""The README is run: its files are written, its commands typed, its output looked for."""

import datetime as dt
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from api.app.create import create_app
from api.cli.main import main
from api.cli.serve import prepare
from api.runs.plan import table_of_platform
from api.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def blocks(kind: str) -> list[tuple[str, str]]:
    """Fenced blocks of one language: (what stands after the language, content without the fence's indent)."""
    found = []
    for indent, title, content in re.findall(
        rf"^( *)```{kind} ?([^\n]*)\n(.*?)^ *```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        found.append((title, "".join(line.removeprefix(indent) for line in content.splitlines(keepends=True))))
    return found


def write_files(folder: Path) -> None:
    """The files that the README shows."""
    for kind in ("csv", "toml"):
        for name, content in blocks(kind):
            (folder / name).write_text(content, encoding="utf-8")


def transcripts() -> list[tuple[str, list[str]]]:
    """Commands of the README's transcript, each with the lines it must print."""
    found = []
    for _, content in blocks("console"):
        for part in content.split("$ ")[1:]:
            command, *lines = part.splitlines()
            found.append((command, [line for line in lines if line.strip() and line.strip() != "…"]))
    return found


def test_the_transcript_is_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the transcript runs and prints the lines shown; `…` stands for what is left out."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)

    printed = []
    for command, lines in transcripts():
        result = CliRunner().invoke(main, shlex.split(command)[1:], catch_exceptions=False)
        printed.append((command, result.exit_code, result.output, lines))

    assert printed
    for command, exit_code, output, lines in printed:
        assert exit_code == 0, (command, output)
        for line in lines:
            pattern = ".*".join(re.escape(piece) for piece in line.split("…"))
            assert re.search(pattern, output), (command, line, output)


def test_the_book_of_the_five_steps_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule book that the README writes passes its checks and differs from its parent."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)

    checked = CliRunner().invoke(main, ["books", "check", "hangzhou.toml", "--lang", "en"])
    differs = CliRunner().invoke(main, ["books", "diff", "gbt-46862-reference", "hangzhou.toml", "--lang", "en"])

    assert checked.exit_code == 0, checked.output
    assert differs.exit_code == 3, differs.output
    assert "late" in differs.output


def test_the_service_takes_what_the_readme_posts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as printed, with the key and the event as printed, the server scores the event."""
    (example,) = (content for _, content in blocks("sh") if "events.json" in content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIDERSCORE_PLATFORM", find(r"export RIDERSCORE_PLATFORM=(\S+)", example))
    serve = find(r"riderscore serve --deployment (\S+)", example)
    url, platform = "sqlite:///riderscore.db", Settings.from_environment().platform
    prepare(url, "en", chosen=table_of_platform(serve, platform))
    made = CliRunner().invoke(main, shlex.split(find(r"KEY=\$\(riderscore (.*)\)", example)), catch_exceptions=False)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = find(r"<<END\n(.*?)END\n", example).replace("$NOW", now)
    headers = {"Authorization": f"Bearer {made.stdout.strip()}", "Content-Type": "application/json"}

    with TestClient(create_app(Settings(database_url=url, platform=platform), hooks=())) as client:
        answer = client.post("/v1/events", content=body, headers=headers)

    assert answer.status_code == 200
    assert answer.json()["num_scored"] == len(answer.json()["results"]) == 1


def find(pattern: str, content: str) -> str:
    """What the one group of a pattern holds."""
    found = re.search(pattern, content, re.DOTALL if "END" in pattern else 0)
    assert found is not None, pattern
    return found[1]
