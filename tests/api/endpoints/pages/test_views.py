"""What pages draw: the score on its scale, a day's entries folded, figures in words."""

import dataclasses
import datetime as dt
import re
from itertools import pairwise

import pytest

from api.cities.dashboard import Dashboard, DayFigures, TierCount
from api.cities.figures import CityFigures, TierWork
from api.endpoints.cities.charts import fills_of, on_time_chart, tier_rates
from api.endpoints.common import formats
from api.endpoints.riders.book_view import WIDTH, rows_of, score_scale
from api.words import NAMED_CITIES, city_name
from rules.book import Bilingual
from rules.shelf import deployment, shipped, versions
from rules.text import LANGS, in_language


@pytest.mark.parametrize("book_id", [name for name in shipped() if name != "legacy-fine"])
def test_the_scale_is_covered_once(book_id: str) -> None:
    """Bands lie side by side from end to end, labels do not touch, every score has its place."""
    for book in versions(book_id):
        for score_mp in (book.model.score.floor_mp, book.model.score.base_mp, book.model.score.ceiling_mp):
            ruler = score_scale(book, score_mp)

            ends = [band.x for band in ruler.bands] + [WIDTH]
            assert all(abs(band.x + band.width - end) < 0.11 for band, end in zip(ruler.bands, ends[1:], strict=True))
            places = [x for x, _ in ruler.ticks]
            assert all(b - a >= 20 for a, b in pairwise(places))
            assert 0 <= ruler.here <= WIDTH


@pytest.mark.parametrize("book_id", shipped())
def test_every_rule_says_what_it_is_worth(book_id: str) -> None:
    """Each rule of each shipped book has words in both languages."""
    for lang in LANGS:
        rows = rows_of(versions(book_id)[-1], lang)

        assert rows
        assert [row.title for row in rows if row.worth == "–" and row.gain] == []


@pytest.mark.parametrize(
    ("us", "zh", "en"),
    [(60_000_000, "1 分钟", "1 minute"), (7_200_000_000, "2 小时", "2 hours"), (-3 * 86_400_000_000, "3 天", "3 days")],
)
def test_spans_are_as_long_as_they_say(us: int, zh: str, en: str) -> None:
    """The largest unit that says enough."""
    assert (formats.span(us, "zh"), formats.span(us, "en")) == (zh, en)


def test_money_and_shares_read_well() -> None:
    """Separators, signs, and a dash for a share of nothing."""
    assert formats.money(123_456_789) == "1,234,567.89"
    assert formats.money(-50) == "−0.50"
    assert formats.signed_points(0) == "±0"
    assert formats.share(1, 0) == "–"
    assert formats.yuan_short(109_962) == "1,100"


@pytest.mark.parametrize(
    ("words", "zh", "en"),
    [
        ("提前点送达 clicked delivered early", "提前点送达", "clicked delivered early"),
        ("迟到 5 分钟 5 minutes late", "迟到 5 分钟", "5 minutes late"),
        (
            "商家慢，核实后不算迟到 merchant slow, verified: not late",
            "商家慢，核实后不算迟到",
            "merchant slow, verified: not late",
        ),
        ("只有中文", "只有中文", "只有中文"),
        ("English alone", "English alone", "English alone"),
        # Tried in every way that it can be parted in, this would take half an hour.
        ("长" * 6_000 + " " * 6_000 + "(", *("长" * 6_000 + " " * 6_000 + "(",) * 2),
        ("长" + " " * 6_000 + "long", "长", "long"),
    ],
    ids=range(7),
)
def test_words_in_both_languages_are_shown_in_one(words: str, zh: str, en: str) -> None:
    """Titles of examples stand in Chinese, then in English."""
    assert (in_language(words, "zh"), in_language(words, "en")) == (zh, en)


def test_every_shipped_example_has_a_title_in_each_language() -> None:
    """Nothing of one language is left in the other."""
    titles = [
        example.title or ""
        for book_id in shipped()
        for book in versions(book_id)
        for rule in book.model.rule
        for example in rule.example
    ]

    assert [title for title in titles if re.search("[\u3400-\u9fff]", in_language(title, "en"))] == []
    assert [title for title in titles if re.search("[a-z]{3}", in_language(title, "zh"))] == []


def test_cities_have_names_and_others_are_shown_as_written() -> None:
    """Every city of the shipped deployment in both languages."""
    cities = {row.city for row in deployment().rows}

    assert cities <= set(NAMED_CITIES)
    assert (city_name("hangzhou", "zh"), city_name("hangzhou", "en"), city_name("台州", "en")) == (
        "杭州",
        "Hangzhou",
        "台州",
    )


def test_tiers_are_coloured_as_riders_see_them() -> None:
    """A warning is amber, a tier in which a person looks is red."""
    ways = ((900, True), (950, False), (1_000, False), (1_050, False))
    tiers = (TierCount(f"t{more}", Bilingual(zh="级", en="tier"), more, 1, TierWork(), review) for more, review in ways)

    fills = fills_of(dataclasses.replace(city(), tiers=tuple(tiers)))

    assert list(fills.values()) == ["fill-bad", "fill-warn", "fill-mute", "fill-good"]


def city(*works: TierWork, days: int = 0) -> Dashboard:
    """A city whose tiers did some work."""
    tiers = tuple(TierCount(f"t{k}", Bilingual(zh="级", en="tier"), 1_000, 1, work) for k, work in enumerate(works))
    half = CityFigures(num_delivered=10, num_on_time=5)
    each = tuple(DayFigures(dt.date(2026, 1, 1 + k), half) for k in range(days))
    return Dashboard("hangzhou", 1, 0, tiers, each, CityFigures(), None, 0, 0, 0, 0, 0)


def test_the_watch_compares_orders_an_hour_with_the_best() -> None:
    """Two an hour against three is a third less; a tier with few hours is not judged."""
    low, high = TierWork(30, 80, 40 * 3_600, 4_000, 0), TierWork(30, 120, 40 * 3_600, 6_000, 600)

    best, worse, few = tier_rates(city(TierWork(1, 1, 3_600, 50, 0), low, high))

    assert (best.orders_centi, best.behind_permille, best.income_hour_fen, best.income_day_fen) == (300, 0, 165, 220)
    assert (worse.behind_permille, worse.is_far_behind) == (333, True)
    assert (few.behind_permille, few.is_far_behind) == (None, False)


def test_a_line_needs_two_days() -> None:
    """One day is no line; two run from end to end."""
    assert on_time_chart(city(days=1)) is None
    line = on_time_chart(city(days=2))
    assert line is not None
    assert [point.rate for point in line.points] == ["50.0%", "50.0%"]
    assert line.low == 50
