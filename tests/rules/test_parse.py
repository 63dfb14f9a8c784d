"""Reading one document: every fault at once, exact numbers, `extends`."""

import copy
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from rules.check import check
from rules.errors import BookError, Fault
from rules.ids import digest
from rules.parse import MAX_BYTES, FindParent, Source, book_of, decode, no_parents, parse
from tests.builders import rule, tiny_book

NATIONAL = """
id = "national"
effective_from = 2025-01-01
title = { zh = "全国", en = "National" }
score = { base = 70, floor = 0, ceiling = 100 }
group = [{ id = "lateness" }, { id = "conduct", hit = "all" }]

[[rule]]
id = "on_time"
group = "lateness"
title = { zh = "准时", en = "On time" }
kind = "delivered"
when = { late_min = { up_to = 0 } }
points = 0.2

[[rule]]
id = "late"
group = "lateness"
title = { zh = "迟到", en = "Late" }
kind = "delivered"
points = -1

[[tier]]
id = "all"
title = { zh = "全部", en = "All" }
"""


def library(**texts: str) -> FindParent:
    """Books by id, as a `FindParent`."""

    def find_parent(reference: str, file: str, on: dt.date | None) -> Source | None:
        return Source(texts[reference], f"{reference}.toml") if reference in texts else None

    return find_parent


def faults_of(text: str, file: str = "city.toml", find_parent: FindParent = no_parents) -> tuple[Fault, ...]:
    """The faults of a text that must not parse."""
    with pytest.raises(BookError) as caught:
        parse(text, file, find_parent)
    return caught.value.faults


def test_a_fourth_decimal_is_told_as_the_house_tells_it() -> None:
    """The sample message of the house style comes out word by word."""
    text = NATIONAL.replace("points = -1", "points = 0.0005").replace('id = "late"', 'id = "late_5"')

    found = faults_of(text, "hangzhou/2025-12-03.toml")

    assert [fault.describe("en") for fault in found] == [
        'hangzhou/2025-12-03.toml: rule "late_5": points = 0.0005 has four decimals; use at most three.'
    ]


def test_all_faults_come_at_once() -> None:
    """Wrong keys, values, references and order are reported together, not one per attempt."""
    text = (
        NATIONAL.replace("base = 70", "base = 0.0001, bas = 3")
        .replace('group = "lateness"', 'group = "time"', 1)
        .replace('kind = "delivered"\npoints = -1', 'kind = "delivred"\npoints = "x"')
        + "above = 3\n"
    )

    codes = {fault.code for fault in faults_of(text)}

    assert codes == {
        "too_many_decimals",
        "misspelt_key",
        "unknown_group",
        "misspelt_value",
        "expected_number",
        "tier_lowest",
    }


def test_points_are_exact() -> None:
    """A decimal becomes milli-points without passing through a float."""
    book = parse(NATIONAL.replace("0.2", "0.333"), "x.toml")

    assert book.model.rule[0].points_mp == 333
    assert isinstance(book.document["rule"][0]["points"], Decimal)


def test_digits_beyond_the_precision_of_decimals_are_not_lost() -> None:
    """A number with forty decimals is refused, not rounded to a whole one."""
    found = faults_of(NATIONAL.replace("0.2", "1." + "0" * 39 + "1"))

    assert found[0].code == "too_many_decimals"


@pytest.mark.parametrize("number", ["1e999999", "1e-999999", "nan", "-inf", "9" * 5_000])
def test_absurd_numbers_are_faults(number: str) -> None:
    """No number makes the reader fail or hang."""
    found = faults_of(NATIONAL.replace("0.2", number))

    assert len(found) == 1
    assert len(found[0].describe("zh")) < 500


def test_the_same_content_has_the_same_digest() -> None:
    """Order of keys, spelling of numbers, comments and line ends do not change what a book is."""
    spelled = NATIONAL.replace("0.2", "0.200").replace('id = "national"\n', "") + '\n[note]\nzh = "a"\nen = "b"\n'
    other = '# comment\nnote = { en = "b", zh = "a" }\nid = "national"\n' + NATIONAL.replace('id = "national"\n', "")

    digests = {
        parse('id = "national"\n' + spelled, "a.toml").digest,
        parse(other.replace("\n", "\r\n"), "b.toml").digest,
    }

    assert len(digests) == 1


def test_a_city_overrides_what_it_says_and_inherits_the_rest() -> None:
    """Tables merge key by key, parts by id in place, new parts come last, removed ones are gone."""
    city = """
    id = "city"
    effective_from = 2025-06-01
    extends = "national"
    remove = ["conduct"]
    score = { base = 80 }
    rule = [
      { id = "late", group = "lateness", title = { zh = "迟", en = "Late" }, kind = "delivered", points = -2 },
      { id = "review", group = "lateness", title = { zh = "评", en = "Review" }, kind = "bad_review", points = -1 },
    ]
    """

    book = parse(city, "city.toml", library(national=NATIONAL))

    assert (book.model.score.base_mp, book.model.score.ceiling_mp) == (80_000, 100_000)
    assert [(row.id, row.points_mp) for row in book.model.rule] == [
        ("on_time", 200),
        ("late", -2_000),
        ("review", -1_000),
    ]
    assert [group.id for group in book.model.group] == ["lateness"]
    assert not {"extends", "remove"} & set(book.document)


def test_a_resolved_book_is_the_book() -> None:
    """Writing everything out instead of extending gives the same digest."""
    city = 'id = "city"\neffective_from = 2025-06-01\nextends = "national"\n'
    full = NATIONAL.replace('"national"', '"city"').replace("2025-01-01", "2025-06-01")

    extended = parse(city, "a.toml", library(national=NATIONAL))

    assert extended.digest == parse(full, "b.toml").digest


def test_an_announcement_is_not_inherited() -> None:
    """The day riders were told of the parent says nothing about the child."""
    parent = NATIONAL.replace("effective_from", "announced = 2024-12-01\neffective_from")
    city = 'id = "city"\neffective_from = 2025-06-01\nextends = "national"\n'

    book = parse(city, "city.toml", library(national=parent))

    assert book.model.announced is None


def test_books_that_extend_each_other_are_a_fault() -> None:
    """A circle of books is reported with its path."""
    one = 'id = "one"\neffective_from = 2025-06-01\nextends = "two"\n'
    two = 'id = "two"\neffective_from = 2025-06-01\nextends = "one"\n'

    found = faults_of(one, "one.toml", library(one=one, two=two))

    assert [fault.code for fault in found] == ["extends_cycle"]
    assert found[0].given == "one.toml → two.toml → one.toml"


def test_a_parents_syntax_is_reported_in_the_parent() -> None:
    """The file named is the one to be corrected."""
    city = 'id = "city"\neffective_from = 2025-06-01\nextends = "national"\n'

    found = faults_of(city, "city.toml", library(national="id ="))

    assert [(fault.code, fault.file) for fault in found] == [("toml_syntax", "national.toml")]


def test_a_report_is_removed_by_its_kind() -> None:
    """Reports have no id; they go by what is reported."""
    parent = NATIONAL + '\n[[report]]\nkind = "accident"\nexempt = true\n'
    city = 'id = "city"\neffective_from = 2025-06-01\nextends = "national"\nremove = ["accident"]\n'

    book = parse(city, "city.toml", library(national=parent))

    assert book.model.report == ()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xef\xbb\xbfid = 1", "byte_order_mark"),
        ("id = 1".encode("utf-16"), "byte_order_mark"),
        ("title = '服务分'".encode("gbk"), "not_utf8"),
        (b"", "empty_file"),
        (b" \r\n\t\n", "empty_file"),
        (b"#" * (MAX_BYTES + 1), "too_large"),
    ],
)
def test_bytes_that_are_no_text_are_faults(content: bytes, code: str) -> None:
    """Marks, other encodings, emptiness and size are told apart."""
    with pytest.raises(BookError) as caught:
        decode(content, "x.toml")

    assert [fault.code for fault in caught.value.faults] == [code]


PATHS = [
    ("id",),
    ("title",),
    ("title", "zh"),
    ("effective_from",),
    ("score",),
    ("score", "base"),
    ("group",),
    ("group", 0),
    ("group", 0, "id"),
    ("rule",),
    ("rule", 1),
    ("rule", 1, "id"),
    ("rule", 1, "kind"),
    ("rule", 1, "points"),
    ("rule", 1, "points_slide"),
    ("rule", 1, "fee_share_slide"),
    ("rule", 1, "when"),
    ("rule", 1, "when", "late_min"),
    ("rule", 1, "when", "late_min", "over"),
    ("rule", 1, "when", "time_of_day"),
    ("rule", 1, "example"),
    ("cap",),
    ("tier",),
    ("tier", 1),
    ("tier", 1, "above"),
    ("report",),
    ("newcomer",),
    ("remove",),
    ("extends",),
]
scalars = st.one_of(
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.text(max_size=5),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.dates(),
    st.times(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(("id", "kind", "late_min", "points", "x", "zh", "level_from")), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


@given(path=st.sampled_from(PATHS), value=values)
def test_whatever_stands_in_a_book_is_read_or_reported(path: tuple[Any, ...], value: Any) -> None:
    """Any TOML value in any place gives a book or faults with words in both languages, never another error."""
    document = copy.deepcopy(tiny_book())
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step] if isinstance(holder, list) else holder.setdefault(step, {})
    holder[path[-1]] = value

    try:
        parse(tomli_w.dumps(document), "any.toml")
    except BookError as error:
        assert error.faults
        assert all(fault.describe(lang) for fault in error.faults for lang in ("zh", "en"))


def test_a_document_is_not_changed_by_reading_it() -> None:
    """Validation converts copies; the resolved document keeps the person's own numbers."""
    document = tiny_book(rule=[rule("late", points=Decimal("-1.500"))])

    book = book_of(document, "x.toml")

    assert str(book.document["rule"][0]["points"]) == "-1.500"


SOURCED = tiny_book(source="the union's minutes", confidence="M") | {
    "rule": [
        rule("on_time", points=Decimal("0.2"), when={"late_min": {"up_to": 0}}),
        rule("late", points=-1, when={"late_min": {"over": 0}}, source="ours", confidence="ours"),
    ]
}


def test_what_states_no_source_has_that_of_its_book() -> None:
    """Rules, tiers and tables without one inherit it; what states its own keeps it, and the digest is of what is written."""
    text = tomli_w.dumps(SOURCED)

    read = parse(text, "own.toml")
    child = parse(CHILD, "child.toml", lambda _reference, _child, _on: Source(text, "own.toml"))

    for book in (read, child):
        parts = {part.id: part for part in (*book.model.rule, *book.model.tier)}
        assert (parts["on_time"].source, parts["on_time"].confidence) == ("the union's minutes", "M")
        assert (parts["late"].source, parts["late"].confidence) == ("ours", "ours")
        assert book.model.score.source == parts["gold"].source == "the union's minutes"
        assert [fault for fault in check((book,)) if fault.code == "no_source"] == []
    assert read.digest == digest(read.document)
    assert "source" not in read.document["rule"][0]


CHILD = """
id = "child"
effective_from = 2026-01-01
extends = "own.toml"
"""


@pytest.mark.parametrize(("kind", "asked"), [("complaint", False), ("delivered", True)])
def test_lateness_is_asked_about_only_where_deliveries_are_scored(kind: str, asked: bool) -> None:
    """A book whose own or inherited rules are about something else need not say what bad weather does to lateness."""
    text = tomli_w.dumps(SOURCED | {"rule": [rule("one", kind=kind, points=-1)], "lateness": "gross"})

    found = [
        {fault.key for fault in check((book,)) if fault.code.startswith("clause")}
        for book in (
            parse(text, "own.toml"),
            parse(CHILD, "child.toml", lambda _reference, _child, _on: Source(text, "own.toml")),
        )
    ]

    assert [{"report", "lateness"} & keys for keys in found] == [{"report", "lateness"} if asked else set()] * 2
