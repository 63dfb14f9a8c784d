"""Progress where no terminal is: a line every ten seconds on stderr, none for what is done sooner."""

import threading

import pytest
from click.testing import CliRunner

from api.cli.progress import EVERY_S, ProgressLines, shown_progress


class Clock:
    """Time that passes when somebody waits for it; the work is done after so many seconds."""

    def __init__(self, ends_s: float, lines: ProgressLines) -> None:
        self.now_s, self.ends_s, self.lines = 0.0, ends_s, lines

    def wait(self, seconds: float) -> bool:
        if self.now_s + seconds >= self.ends_s:
            return True
        self.now_s += seconds
        self.lines.advance(5)
        return False

    def now(self) -> float:
        return self.now_s


def written(seconds: float, total: int | None, capsys: pytest.CaptureFixture[str], lang: str = "en") -> list[str]:
    """Lines on stderr of work of so many seconds."""
    lines = ProgressLines(lang, "scoring", total, started_s=0.0)  # type: ignore[arg-type]
    clock = Clock(seconds, lines)
    lines.write(clock.wait, clock.now)
    output = capsys.readouterr()
    assert output.out == ""
    return output.err.splitlines()


def test_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Work of 35 s says three times how far it is."""
    assert EVERY_S == 10
    assert written(35, 20, capsys) == [
        "scoring: 5 of 20 done after 10 s",
        "scoring: 10 of 20 done after 20 s",
        "scoring: 15 of 20 done after 30 s",
    ]


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What is done before ten seconds are over writes no line."""
    assert written(9, 20, capsys) == []


def test_work_of_unknown_length_says_that_it_is_alive(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody knows how much there is to do, the line says for how long it has been done."""
    assert written(15, None, capsys) == ["scoring: at work for 10 s"]
    assert written(15, None, capsys, lang="zh") == ["scoring：已用 10 秒"]


def test_progress_ends_with_its_block() -> None:
    """No thread is left, whether the block ends well or by an error, such as Ctrl-C."""
    before = threading.active_count()

    with CliRunner().isolation(), shown_progress("en", "reading") as shown:
        shown.update(1, 2, "scoring")
        assert threading.active_count() == before + 1
    with CliRunner().isolation(), pytest.raises(KeyboardInterrupt), shown_progress("en", "reading"):
        raise KeyboardInterrupt

    assert threading.active_count() == before
