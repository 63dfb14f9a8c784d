"""The files of a study: tables as Parquet and CSV, `summary.json`, charts, `report.html`, and last of all `run.json`."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from api.files.atomic import MARKER, atomic_file, write_json
from api.files.parquet_files import Origin, write_parquet
from api.runs.run import Stopwatch
from api.studies.design import Design
from rules.formula_guard import escape_formula
from simulations.report.content import Content
from simulations.report.page import report
from simulations.study.findings import Findings
from simulations.study.metrics import PRIMARY
from simulations.study.seed import SeedResult
from simulations.study.sensitivity import Sensitivity, Swept
from simulations.study.tables import (
    days_table,
    effects_table,
    groups_table,
    paired_table,
    riders_table,
    summary_document,
    sweep_table,
    swings_table,
)


@dataclass(frozen=True, slots=True)
class StudyResults:
    """Everything a study found."""

    results: Sequence[SeedResult]
    findings: Findings
    sensitivity: Sensitivity | None
    sweep: tuple[Swept, ...]


def _harmless(table: pa.Table) -> pa.Table:
    """A table whose texts no spreadsheet program runs."""
    for k, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            cells = [None if cell is None else escape_formula(cell) for cell in table.column(k).to_pylist()]
            table = table.set_column(k, column, pa.array(cells, pa.string()))
    return table


def write_results(folder: Path, design: Design, results: StudyResults, watch: Stopwatch) -> dict[str, Any]:
    """Write all files; return `summary.json`."""
    document = design.document()
    summary = _summary(design, results, document)
    tables, pages = _tables(results), _pages(design, results, summary, document)
    (folder / MARKER).unlink(missing_ok=True)
    _clear(folder, {*pages, *(f"{name}.{kind}" for name in tables for kind in ("parquet", "csv"))})
    origin = _origin(design)
    for name, table in tables.items():
        write_parquet(folder / f"{name}.parquet", table, origin)
        with atomic_file(folder / f"{name}.csv") as temporary:
            csv.write_csv(_harmless(table), temporary)
    write_json(folder / "summary.json", summary)
    for name, content in pages.items():
        with atomic_file(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="\n")
    watch.lap("report")
    document["seeds_run"] = list(results.findings.seeds)
    document["luck"] = {"equal_under_all_books": results.findings.luck_is_equal}
    document["seconds"] = watch.seconds
    write_json(folder / MARKER, document)
    return summary


def _origin(design: Design) -> Origin:
    books = {book.digest: book for versions in design.books for book in versions}
    time_zone = next(iter(books.values())).model.time_zone
    return Origin("simulate", tuple(books.values()), time_zone)


def _clear(folder: Path, names: Collection[str]) -> None:
    """Remove what an earlier study in the folder wrote and this one does not."""
    for kind in ("*.svg", "*.parquet", "*.csv"):
        for path in folder.glob(kind):
            if path.name not in names:
                path.unlink()


def _tables(results: StudyResults) -> dict[str, pa.Table]:
    tables = {
        "riders": riders_table(results.findings),
        "paired": paired_table(results.results),
        "groups": groups_table(results.findings),
        "days": days_table(results.findings),
    }
    if results.sensitivity is not None:
        tables["one_at_a_time"] = swings_table(results.sensitivity)
        tables["morris"] = effects_table(results.sensitivity)
    if results.sweep:
        tables["sweep"] = sweep_table(results.sweep)
    return {name: table for name, table in tables.items() if table.num_rows}


def _summary(design: Design, results: StudyResults, document: dict[str, Any]) -> dict[str, Any]:
    names = ("version", "scenario", "books", "days", "sets")
    return {
        **{name: document[name] for name in names},
        "seeds": list(results.findings.seeds),
        **summary_document(results.findings, design.books),
        "sensitivity": None if results.sensitivity is None else _sensitivity(results.sensitivity),
        "sweep": sweep_table(results.sweep).to_pylist(),
    }


def _sensitivity(sensitivity: Sensitivity) -> dict[str, Any]:
    return {
        "settings": list(sensitivity.settings),
        "num_seeds": sensitivity.num_seeds,
        "num_days": sensitivity.num_days,
        "one_at_a_time": swings_table(sensitivity).to_pylist(),
        "morris": effects_table(sensitivity).to_pylist(),
        "morris_signs": [asdict(signs) for signs in sensitivity.kept],
    }


def _pages(design: Design, results: StudyResults, summary: dict[str, Any], document: dict[str, Any]) -> dict[str, str]:
    """`report.html` and the charts, by file name."""
    differences = {
        name: [result.metrics["b"][name] - result.metrics["a"][name] for result in results.results]
        for name in PRIMARY
        if name in summary["metrics"]
    }
    content = Content(
        summary=summary,
        document=document,
        books=design.books,
        scenario=design.scenario,
        differences={name: [each for each in values if each == each] for name, values in differences.items()},  # noqa: PLR0124 - NaN
        income_fen=results.findings.income_of_riders,
        late_bins=results.findings.late_bins,
        lang=design.request.lang,
    )
    made = report(content)
    return {"report.html": made.html, **made.charts}
