"""The standard, clause by clause."""

from pathlib import Path

import pytest

from rules import shelf
from rules.standard import CLAUSES, StandardClause, standard

GALLERY = Path(__file__).parent / "gallery"


def clauses_of(book_id: str, severity: str) -> set[str]:
    """The numbers of the clauses that a shipped book breaks (error) or is silent about (warning)."""
    return {fault.clause for book in shelf.versions(book_id) for fault in standard(book) if fault.severity == severity}


def test_the_reference_passes_every_clause() -> None:
    """Nothing is broken and nothing left unsaid."""
    found = [fault for book in shelf.versions("gbt-46862-reference") for fault in standard(book)]

    assert found == []


def test_the_legacy_fine_fails_7_2_8_and_says_so() -> None:
    """Each fining rule is named with the clause, in both languages."""
    faults = [fault for fault in standard(shelf.versions("legacy-fine")[0]) if "7.2.8" in fault.clause]

    assert [fault.rule for fault in faults] == ["fine_6", "fine_12", "fine_18", "fine_over_18"]
    assert {fault.severity for fault in faults} == {"error"}
    assert all("7.2.8" in fault.describe(lang) for fault in faults for lang in ("zh", "en"))


@pytest.mark.parametrize("book_id", [name for name in shelf.shipped() if name != "legacy-fine"])
def test_platform_books_break_no_clause(book_id: str) -> None:
    """What platforms published breaks nothing; what they did not publish is a warning."""
    assert clauses_of(book_id, "error") == set()


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.name)
def test_every_clause_can_be_broken(clause: StandardClause) -> None:
    """Each clause has a book in the gallery that breaks it, so no check passes everything."""
    book = shelf.find(str(GALLERY / f"clause_{clause.name}.toml"))[0]

    found = {fault.code for fault in clause.find(book, clause)}

    assert found == {f"clause_{clause.name}"}


def test_clauses_have_names_of_their_own() -> None:
    """A clause is cited by one check each; several checks may cite the same document."""
    names = [clause.name for clause in CLAUSES]

    assert len(set(names)) == len(names)
    assert {"7.2.8", "7.4.1 a", "7.4.1 b", "7.4.1 e", "7.4.4"} <= {
        clause.number.removeprefix("GB/T 46862-2025 ") for clause in CLAUSES
    }
