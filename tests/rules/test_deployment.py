"""The deployment table: city, kind of rider, day → book."""

import datetime as dt

import pytest

from rules import shelf
from rules.deployment import Deployment, parse_deployment
from rules.errors import BookError

ROW = '[[deploy]]\ncity = "{city}"\nrider_kind = "{kind}"\nbook = "{book}"\nfrom = {day}\n'


def row(
    city: str = "hangzhou", kind: str = "crowdsourced", book: str = "taobao-crowdsourced", day: str = "2025-12-03"
) -> str:
    """One row of a table."""
    return ROW.format(city=city, kind=kind, book=book, day=day)


def codes_of(text: str) -> list[str]:
    """The codes of the faults of a table."""
    with pytest.raises(BookError) as caught:
        parse_deployment(text, "deployment.toml", shelf.versions)
    assert all(fault.describe(lang) for fault in caught.value.faults for lang in ("zh", "en"))
    return [fault.code for fault in caught.value.faults]


def table(*rows: str) -> Deployment:
    """A table that parses."""
    return parse_deployment("\n".join(rows), "deployment.toml", shelf.versions)


def test_no_score_is_in_use_before_the_roll_out() -> None:
    """A city has a book from its first day on, not before, and only for the riders named."""
    deployment = table(row())

    found = [
        deployment.book_for("hangzhou", kind, dt.date(2025, 12, day))
        for kind, day in (("crowdsourced", 2), ("crowdsourced", 3), ("dedicated", 3))
    ]

    assert found == [None, "taobao-crowdsourced", None]


def test_the_newest_row_counts() -> None:
    """A city can move to another book; the order of the rows does not matter."""
    deployment = table(row(book="gbt-46862-reference", day="2026-06-01"), row())

    found = [deployment.book_for("hangzhou", "crowdsourced", dt.date(2026, month, 1)) for month in (5, 6)]

    assert found == ["taobao-crowdsourced", "gbt-46862-reference"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (row() + row(book="jd-service-score"), ["repeated_deploy"]),
        (row(book="legacy-fine"), ["legacy_deployed"]),
        (row(city="7.0"), ["deployed_bad_city"]),
        (row(book="taobao"), ["unknown_book"]),
        (row(day="2025-12-01"), ["deployed_early"]),
        (row(kind="dedicated"), ["deployed_to_others"]),
        (
            row(kind="robots") + row(day='"2025"') + "until = 2026-01-01\n",
            ["not_one_of", "expected_date", "unknown_key"],
        ),
        ("[[deploy]]", ["missing_key"] * 4),
        ("", ["missing_key"]),
    ],
)
def test_faults_of_the_table_come_together(text: str, codes: list[str]) -> None:
    """A fine can never be deployed, nor an unknown book, nor one before it takes effect."""
    assert codes_of(text) == codes


def test_the_shipped_table_has_the_published_roll_outs() -> None:
    """Every row says where it comes from, and a city that nobody published is marked as an example."""
    deployment = shelf.deployment()

    assert deployment.book_for("quanzhou", "crowdsourced", dt.date(2024, 12, 31)) == "meituan-anzhun"
    assert all(row.source and row.confidence for row in deployment.rows)
    assert all(row.example for row in deployment.rows if row.confidence == "ours")
