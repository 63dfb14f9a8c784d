"""The deployment table: city, kind of rider, day → book."""

import datetime as dt

import pytest

from rules import shelf
from rules.check import check
from rules.deployment import Deployment, parse_deployment
from rules.errors import BookError
from tests.builders import deploy_row


def row(
    city: str = "hangzhou", kind: str = "crowdsourced", book: str = "taobao-crowdsourced", day: str = "2025-12-03",
    platform: str | None = None,
) -> str:  # fmt: skip
    """One row of a table."""
    return deploy_row(city, book, day, kind, platform)


def codes_of(text: str) -> list[str]:
    """The codes of the faults of a table."""
    with pytest.raises(BookError) as caught:
        parse_deployment(text, "deployment.toml", shelf.versions)
    assert all(fault.describe(lang) for fault in caught.value.faults for lang in ("zh", "en"))
    return [fault.code for fault in caught.value.faults]


def table(*rows: str) -> Deployment:
    """A table that parses."""
    return parse_deployment("\n".join(rows), "deployment.toml", shelf.versions)


def book_for(deployment: Deployment, city: str, rider_kind: str, day: dt.date) -> str | None:
    """The id of the book in force, or None where no score is in use on that day."""
    rows = [row for row in deployment.rows if (row.city, row.rider_kind) == (city, rider_kind) and row.from_ <= day]
    return rows[-1].book if rows else None


def test_no_score_is_in_use_before_the_roll_out() -> None:
    """A city has a book from its first day on, not before, and only for the riders named."""
    deployment = table(row())

    found = [
        book_for(deployment, "hangzhou", kind, dt.date(2025, 12, day))
        for kind, day in (("crowdsourced", 2), ("crowdsourced", 3), ("dedicated", 3))
    ]

    assert found == [None, "taobao-crowdsourced", None]


def test_the_newest_row_counts() -> None:
    """A city can move to another book; the order of the rows does not matter."""
    deployment = table(row(book="gbt-46862-reference", day="2026-06-01"), row())

    found = [book_for(deployment, "hangzhou", "crowdsourced", dt.date(2026, month, 1)) for month in (5, 6)]

    assert found == ["taobao-crowdsourced", "gbt-46862-reference"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (row() + row(book="jd-service-score"), ["repeated_deploy"]),
        (row(book="legacy-fine"), ["legacy_deployed"]),
        (row(city="7.0"), ["deployed_bad_city"]),
        (row(book="taobao"), ["unknown_book"]),
        (row(day="2025-12-01"), ["deployed_early"]),
        (row(platform="taobao") + row(platform="taobao", book="jd-service-score"), ["repeated_deploy"]),
        (row(platform="taobao") + row(book="jd-service-score"), ["repeated_deploy"]),
        (row() + row(platform="taobao", book="jd-service-score"), ["repeated_deploy"]),
        (row(platform="no name"), ["bad_id"]),
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


def test_a_city_has_several_platforms() -> None:
    """Each platform has its own rows beside those that name none; who names none is asked where several begin."""
    deployment = table(
        row(platform="meituan", book="meituan-anzhun", day="2025-07-01"),
        row(platform="taobao"),
        row(city="wuhan", day="2026-01-01"),
    )
    day = dt.date(2026, 2, 1)

    found = {
        name: book_for(deployment.of(name), "hangzhou", "crowdsourced", day) for name in ("meituan", "taobao", "jd")
    }
    sure, doubts = deployment.without_ambiguous()

    assert found == {"meituan": "meituan-anzhun", "taobao": "taobao-crowdsourced", "jd": None}
    assert {book_for(deployment.of(name), "wuhan", "crowdsourced", day) for name in found} == {"taobao-crowdsourced"}
    assert [(doubt.city, doubt.from_, doubt.platforms) for doubt in doubts] == [
        ("hangzhou", dt.date(2025, 12, 3), ("meituan", "taobao"))
    ]
    assert {row.book for row in sure.rows if row.city == "hangzhou"} == {"meituan-anzhun"}
    assert book_for(sure, "wuhan", "crowdsourced", day) == "taobao-crowdsourced"


# domain.md section 5, as published: platform, first day, cities.
PUBLISHED = (
    ("taobao", "2025-12-03", "beijing hangzhou guangzhou wuhan chengdu xiamen xian shijiazhuang"),
    ("taobao", "2025-12-03", "hohhot changchun shenyang dalian"),
    ("taobao", "2025-12-12", "shanghai chongqing shenzhen fuzhou nanchang guiyang harbin taiyuan lanzhou qingdao"),
    ("eleme", "2025-10-01", "nantong changzhou jieyang jingdezhen"),
    ("meituan", "2024-12-01", "quanzhou"),
    ("meituan", "2025-03-01", "nanning xinxiang nanchang"),
    ("meituan", "2025-07-01", "hangzhou wuhan beijing shanghai guangzhou shenzhen"),
    ("jd", "2025-10-01", "shenzhen nanjing harbin wuhan"),
)


def test_the_shipped_table_has_the_published_roll_outs() -> None:
    """Each city of each platform from its published day, with source and confidence; no city that nobody named."""
    shipped = shelf.deployment()

    found = {(row.platform, row.from_.isoformat(), row.city) for row in shipped.rows if row.platform is not None}
    assert found == {(platform, day, city) for platform, day, cities in PUBLISHED for city in cities.split()}
    assert shipped.platforms == ("eleme", "jd", "meituan", "taobao")
    assert all(row.source and row.confidence for row in shipped.rows)
    assert all(row.example == (row.confidence == "ours") == (row.platform is None) for row in shipped.rows)
    assert all(row.confidence == "L" for row in shipped.rows if row.book == "taobao-dedicated")


def test_a_pilot_is_judged_by_a_version_that_is_ours() -> None:
    """Before the first published version of a book stands an earlier one, every part of it marked."""
    pilot, published = shelf.deployable("taobao-crowdsourced")
    parts = (
        pilot.model,
        pilot.model.score,
        *pilot.model.rule,
        *pilot.model.cap,
        *pilot.model.tier,
        *pilot.model.report,
    )

    assert (pilot.model.effective_from, published.model.effective_from) == (dt.date(2025, 10, 1), dt.date(2025, 12, 3))
    assert {part.confidence for part in parts} == {"ours"}
    assert [rule.points_mp for rule in pilot.model.rule] == [rule.points_mp for rule in published.model.rule]
    assert shelf.versions("taobao-crowdsourced") == shelf.find("taobao-crowdsourced") == (published,)
    assert shelf.find("taobao-crowdsourced@2025-11-01") == (published,)
    assert [fault for fault in check((pilot, published)) if fault.severity == "error"] == []
