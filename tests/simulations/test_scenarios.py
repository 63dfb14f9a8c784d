"""Scenario files: every number has a source, every fault is named, all at once."""

from pathlib import Path

import pytest

from rules.errors import BookError
from simulations.scenario_files import allowed_range, keys, read, shipped

pytestmark = pytest.mark.slow

NAMES = ("new-riders", "ordinary-week", "rain-week", "slow-kitchens", "under-staffed")


def faults(reference: str, *sets: str) -> list[tuple[str, str]]:
    """Codes and keys of all faults."""
    with pytest.raises(BookError) as caught:
        read(reference, sets)
    assert all(fault.describe("zh") and fault.describe("en") for fault in caught.value.faults)
    return [(fault.code.removeprefix("scenario_"), fault.key) for fault in caught.value.faults]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_scenarios_read_and_state_their_sources(name: str) -> None:
    """Each of the five is sound, has words in two languages, and every number says where it is from."""
    scenario = read(name)

    assert all(scenario.title)
    assert set(keys()) <= set(scenario.sources)
    assert all(scenario.sources.values())


def test_these_are_the_shipped_ones() -> None:
    """Names of the interface."""
    assert shipped() == NAMES


def test_all_faults_come_at_once() -> None:
    """Unknown key, impossible shift, negative rate, no whole number: one reading names them all."""
    found = faults(
        "ordinary-week",
        "riderz=3",
        "people.shift_s=[[0, 3600], [1000, 99999]]",
        "weather.rain_per_million=-1",
        "orders_per_day=many",
        "behaviour.nerve=1",
        "novalue",
        "first_day=20251340",
        'promise.extra_s={value = 1, range = [5, 2], source = "x"}',
    )

    assert found == [
        ("unknown_key", "riderz"),
        ("unknown_key", "behaviour.nerve"),
        ("bad_setting", ""),
        ("expected_whole", "orders_per_day"),
        ("bad_date", "first_day"),
        ("bad_range", "promise.extra_s"),
        ("out_of_range", "weather.rain_per_million"),
        ("out_of_range", "people.shift_s"),
    ]


def test_parts_must_agree() -> None:
    """Shifts end by 04:00, begin before work ends, pressure makes nobody calmer, nobody is faster than the fastest."""
    found = faults(
        "ordinary-week", "people.shift_start_s=[[0, 80000], [1000, 86000]]", "behaviour.jump_most_per_million=1",
        "streets.fastest_s_per_km=300",
    )  # fmt: skip

    assert {code for code, _ in found} == {"shift_too_long", "shift_after_end", "jump_order", "fastest"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = = 1", "not_toml"),
        ('extends = "nowhere"', "not_found"),
        ("extends = 3", "extends"),
        ('extends = "ordinary-week"\ntitle = "x"', "title"),
        ('extends = "ordinary-week"\ntime_zone = "Mars"', "time_zone"),
        ('extends = "ordinary-week"\ncity = ""', "no_city"),
        ('extends = "ordinary-week"\nriders = { value = 3 }', "no_source"),
        ('extends = "ordinary-week"\nriders = 3', "no_source"),
        ('extends = "ordinary-week"\ndemand = 3', "not_a_table"),
        ('extends = "ordinary-week"\n[demand]\nplaced_s = { quantiles = [[0, 9]], source = "x" }', "expected_quantiles"),
        ('extends = "ordinary-week"\n[streets]\ncongestion_permille = { value = [[9, 900], [3, 900]], source = "x" }', "expected_pairs"),
        ('extends = "ordinary-week"\n[[obstacle]]\nreport = "dragon"', "unknown_report"),
        ('title = { zh = "a", en = "b" }', "missing_key"),
    ],
)  # fmt: skip
def test_a_broken_file_says_what_is_wrong(tmp_path: Path, text: str, code: str) -> None:
    """One deliberately broken file per mistake."""
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")

    assert code in {found for found, _ in faults(str(path))}


def test_too_many_obstacles_are_refused(tmp_path: Path) -> None:
    """At most one obstacle an order: the shares fit into one."""
    row = '[[obstacle]]\nreport = "{}"\nper_million = {{ value = 600000, source = "x" }}\n'
    row += 'delay_s = {{ quantiles = [[0, 1], [1000, 2]], source = "x" }}\nreported_per_million = {{ value = 1, source = "x" }}\n'
    path = tmp_path / "many.toml"
    path.write_text(
        'extends = "ordinary-week"\n' + row.format("accident") + row.format("vehicle_fault"), encoding="utf-8"
    )

    assert ("obstacles", "obstacle.per_million") in faults(str(path))


def test_a_setting_is_named_as_its_source() -> None:
    """`--set` stands as the source of what it sets, and moves the digest."""
    plain, other = read("ordinary-week"), read("ordinary-week", ["riders=200", "behaviour.belief_permille=500"])

    assert (other.town.riders, other.behaviour.belief_permille) == (200, 500)
    assert other.sources["riders"] == "--set"
    assert other.digest != plain.digest
    assert read("ordinary-week", ["riders=300"]).digest == plain.digest


def test_every_key_has_a_range() -> None:
    """No number goes unchecked."""
    assert [key for key in keys() if allowed_range(key.rpartition(".")[2])[0] <= -(2**31)] == []


def test_stated_ranges_hold_the_value() -> None:
    """Each response says how large its parameter might be, the shipped value within."""
    scenario = read("ordinary-week")

    for key, (low, high) in scenario.ranges.items():
        part, _, name = key.rpartition(".")
        assert low <= getattr(getattr(scenario, part), name) <= high, key
    assert {key for key in keys() if key.startswith("behaviour.")} <= set(scenario.ranges)
