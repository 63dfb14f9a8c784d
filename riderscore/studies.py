"""Studies from Python: a city lives twice, once under each book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from api.studies.design import Sensitivity, StudyRequest
from api.studies.run_study import run_study
from riderscore.frames import Backend, ResultFolder, read_table
from rules.text import Lang
from simulations.report.words import headline, interval_text, metric_title, value_text


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    summary
        What `summary.json` holds: for each metric the means under A and B, the difference, its 95 % interval.
    folder
        Where report, tables and charts are. One that `simulate` made without `out` is removed with this object.
    backend
        The library whose tables `riders` and `paired` are.
    """

    summary: dict[str, Any]
    folder: Path
    backend: Backend = Backend.PYARROW
    _kept: ResultFolder | None = field(default=None, repr=False)

    @cached_property
    def riders(self) -> Any:
        """A table of every rider in every run."""
        return read_table(self.folder / "riders.parquet", self.backend)

    @cached_property
    def paired(self) -> Any:
        """A table of a row for each seed and metric: `seed`, `metric`, `a`, `b`, `difference`."""
        return read_table(self.folder / "paired.parquet", self.backend)

    @property
    def report(self) -> Path:
        """The report, one self-contained HTML file in both languages."""
        return self.folder / "report.html"

    def headline(self, lang: Lang = "en") -> str:
        """The answer for the four primary metrics, in sentences.

        Parameters
        ----------
        lang
            `en` or `zh`.

        Returns
        -------
        str
            A line for each.
        """
        return headline(self.summary, lang)

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr><th style='text-align:left'>"
            + "</th><td>".join(
                (
                    escape(("● " if metric["primary"] else "") + metric_title("en", name)),
                    value_text("en", metric["unit"], metric["mean_a"]),
                    value_text("en", metric["unit"], metric["mean_b"]),
                    value_text("en", metric["unit"], metric["difference"], signed=True),
                    interval_text("en", metric["unit"], metric["ci_low"], metric["ci_high"]),
                )
            )
            + "</td></tr>"
            for name, metric in self.summary["metrics"].items()
        )
        return f"<table><tr><th></th><th>A</th><th>B</th><th>B − A</th><th>95 %</th></tr>{rows}</table>"


def simulate(
    scenario: str = "ordinary-week",
    *,
    books: tuple[str, str],
    seeds: int = 20,
    days: int = 7,
    out: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    sensitivity: Sensitivity = "off",
    sweeps: Sequence[str] = (),
    jobs: int | None = None,
    seed: int = 1,
    orders: str | Path | None = None,
) -> StudyResult:
    """Let a city live under two books and compare.

    Parameters
    ----------
    scenario
        A shipped scenario (`ordinary-week`, `rain-week`, `slow-kitchens`, `new-riders`, `under-staffed`) or a TOML file.
    books
        The old book and the new one, each as `riderscore.score` takes one.
    seeds, seed
        How many pairs of runs, and the first seed.
    days
        Days after the switch.
    out
        Folder to write; finished runs in it are used again. Without it the files live as long as the result.
    settings
        Keys of the scenario with their values; `a:key` and `b:key` change the old and the new book.
    sensitivity
        Which assumptions are varied: `off`, `one-at-a-time`, `morris` or `both`.
    sweeps
        `key=value,value,…`: the primary metrics at each value, in `summary["sweep"]`.
    jobs
        Runs side by side; all cores by default. The results do not depend on it.
    orders
        A Grubhub instance folder or a `meituan` file whose orders take the place of drawn ones.

    Returns
    -------
    StudyResult
        Means, differences and intervals; tables; the report.

    Raises
    ------
    InputError
        With every fault of scenario, books, settings and folder at once; nothing is written then.
    """
    kept = ResultFolder(out)
    request = StudyRequest(
        scenario, (books[0], books[1]), seeds, days, jobs,
        tuple(f"{key}={value}" for key, value in (settings or {}).items()), seed,
        sensitivity=sensitivity, sweeps=tuple(sweeps), orders=None if orders is None else str(orders),
    )  # fmt: skip
    return StudyResult(run_study(request, kept.path), kept.path, Backend.PYARROW, kept)
