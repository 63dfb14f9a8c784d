"""Numbers of every command: out of their range they are refused before any work, with the range."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api.cli.main import main
from tests.api.cli.commands import run

HUGE = "99999999999999999999999"


def numbers(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Option]]:
    """Every option that takes a number, with the words of its command."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            if found is not None:
                yield from numbers(found, (*path, name))
        return
    for option in command.params:
        if isinstance(option, click.Option) and isinstance(
            option.type, click.types.IntParamType | click.types.FloatParamType
        ):
            yield path, option


NUMBERS = list(numbers(main))


@pytest.mark.parametrize(("path", "option"), NUMBERS, ids=lambda one: one if isinstance(one, str) else None)
def test_every_number_has_a_range(path: tuple[str, ...], option: click.Option) -> None:
    """No number without a least and a most."""
    assert isinstance(option.type, click.IntRange | click.FloatRange), (path, option.opts)
    assert option.type.min is not None, (path, option.opts)
    assert option.type.max is not None, (path, option.opts)


@pytest.mark.parametrize("given", [HUGE, f"-{HUGE}", "x", "nan", "inf", "1e400", ""])
def test_a_number_out_of_range_is_wrong_usage(given: str) -> None:
    """Exit code 2 with the option named, whatever else the command lacks."""
    assert NUMBERS
    for path, option in NUMBERS:
        needed = ["ordinary-week"] if path == ("simulate",) else ["events.csv"] if path == ("score",) else []
        result = run(*path, *needed, f"{option.opts[0]}={given}")
        assert result.exit_code == 2, (path, option.opts, given)
        assert option.opts[0] in result.stderr, (path, option.opts, given)


@pytest.mark.case
@pytest.mark.parametrize(
    "words",
    [
        ("--seeds", "2", "--seed", str(2**63 - 1)),
        ("--seed", str(2**63)),
        ("--seed", "-1"),
        ("--precision", "0"),
        ("--precision", "1"),
        ("--precision", "nan"),
        ("--seeds", "0"),
        ("--days", "0"),
        ("--jobs", "0"),
    ],
)
def test_a_study_is_refused_before_any_run(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The last seed counts, a precision is a share between 0 and 1, and the range is said."""
    out = tmp_path / "out"

    result = run("simulate", "ordinary-week", "--books", "legacy-fine,taobao-crowdsourced", *words, "--out", out)

    assert (result.exit_code, out.exists()) == (2, False)
    assert "range" in result.stderr
    assert "<" in result.stderr


@pytest.mark.parametrize("value", ["1e9", "-1", HUGE, "x", "1.5", ""])
def test_a_setting_of_dispatch_is_a_number_in_range(tmp_path: Path, value: str) -> None:
    """`--set key=value` likewise."""
    result = run("dispatch", tmp_path, "--set", f"foresight={value}", "--out", tmp_path / "out")

    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
