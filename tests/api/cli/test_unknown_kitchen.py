"""Late orders of which nobody knows the kitchen, from the outside: counted, explained, and as the book says."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rules.shelf import versions
from rules.toml_text import toml_of
from tests.api.cli.commands import run
from tests.api.ledgers import entries_of, write_events
from tests.builders import DAY_US, MINUTE_US, delivered, rule, tiny_book

REFERENCE = "gbt-46862-reference"
UNKNOWN: dict[str, Any] = {"merchant_ready_us": None, "picked_up_us": None}
NOTHING: dict[str, Any] = UNKNOWN | {"accepted_us": None, "placed_us": None, "arrived_store_us": None}


def orders(after_days: int = 0) -> list[dict[str, Any]]:
    """Three orders 20 minutes late: of a and d no kitchen is known, b was picked up after 20 minutes at the merchant."""
    found = [
        delivered("a1", late_min=20, rider_id="ra", **UNKNOWN),
        delivered("b1", late_min=20, rider_id="rb", merchant_ready_us=None),
        delivered("d1", late_min=20, rider_id="rd", **NOTHING),
    ]
    for one in found:
        one["merchant_promised_ready_us"] = None
        for name in [name for name, value in one.items() if name.endswith("_us") and value is not None]:
            one[name] += after_days * DAY_US
    found[1]["picked_up_us"] = found[1]["occurred_us"] - 10 * MINUTE_US
    return found


def scored(folder: Path, events: list[dict[str, Any]], reference: str, name: str = "out") -> Any:
    """A run, what it says, and its folder."""
    path = write_events(folder / f"{name}.csv", events)
    result = run("score", path, "--book", reference, "--out", folder / name)
    assert result.exit_code == 0, result.stderr
    return result


def counts_of(folder: Path) -> dict[str, int]:
    """Of unknown kitchens, in `run.json`."""
    counts = json.loads((folder / "run.json").read_text(encoding="utf-8"))["counts"]
    return {name: value for name, value in counts.items() if name.startswith("unknown")}


@pytest.mark.case
def test_what_could_not_be_assessed_is_counted_and_said(tmp_path: Path) -> None:
    """On the screen, in `run.json` and in the tree; a book that says nothing judges by the lateness, as ever."""
    result = scored(tmp_path, orders(), "taobao-crowdsourced")

    told = run("explain", tmp_path / "out", "--rider", "rd", "--event", "d1", "--lang", "zh").stdout
    points = {row["rider_id"]: row["delta_mp"] for row in entries_of(tmp_path / "out")}
    assert (
        "could not be assessed. Late among them: 2 (judged by the lateness alone: 2, exempt by the book: 0)."
        in result.stderr
    )
    assert counts_of(tmp_path / "out") == {
        "unknown_kitchen": 2, "unknown_kitchen_late": 2, "unknown_kitchen_exempt": 0,
    }  # fmt: skip
    assert points == {"ra": -2000, "rb": 200, "rd": -2000}
    assert "没有出餐和取餐时间，无从得知商家出餐是否慢；本规则册只看晚到多久" in told


@pytest.mark.case
def test_the_reference_takes_nothing_off_for_an_unknown_kitchen(tmp_path: Path) -> None:
    """From its second version on; the first judges as it did."""
    first = scored(tmp_path, orders(), f"{REFERENCE}@2026-01-01", "first")
    second = scored(tmp_path, orders(), f"{REFERENCE}@2026-12-15", "second")

    before, after = (
        {row["rider_id"]: row["delta_mp"] for row in entries_of(tmp_path / name)} for name in ("first", "second")
    )
    told = run("explain", tmp_path / "second", "--rider", "ra", "--event", "a1", "--lang", "en").stdout
    assert "(judged by the lateness alone: 2, exempt by the book: 0)" in first.stderr
    assert "(judged by the lateness alone: 0, exempt by the book: 2)" in second.stderr
    assert (before["ra"] < 0, before["rb"]) == (True, 200)
    assert after == {"ra": 200, "rb": 200, "rd": 200}
    assert "this book takes nothing off for such an order" in told
    assert run("verify", tmp_path / "second").exit_code == 0


def test_versions_that_were_there_before_say_what_they_said() -> None:
    """The new key changes no digest; the reference changes by a version of its own, marked as ours."""
    old, new = versions(REFERENCE)

    assert old.digest == "bdb8e91f3b16b35c2ca4d9bdca09f4fe29a8b60fd5f80db0e1aad1324a00868c"
    assert (old.model.unknown_kitchen, new.model.unknown_kitchen, new.model.confidence) == ("assess", "exempt", "ours")


@pytest.mark.case
@pytest.mark.parametrize(
    ("lang", "words", "never"),
    [("en", "arrival not reported: counted from acceptance", "measured"), ("zh", "到店时间未上报，从接单起算", "测得")],
)
def test_a_wait_before_any_known_arrival_is_not_called_measured(
    tmp_path: Path, lang: str, words: str, never: str
) -> None:
    """It is counted from acceptance, and says so."""
    event = delivered(late_min=20, arrived_store_us=None, merchant_ready_us=None, merchant_promised_ready_us=None)
    event["picked_up_us"] = event["occurred_us"] - 20 * MINUTE_US
    scored(tmp_path, [event], "taobao-crowdsourced")

    told = run("explain", tmp_path / "out", "--rider", "r1", "--event", "e1", "--lang", lang).stdout

    assert words in told
    assert never not in told


def test_a_lake_and_a_comparison_count_alike(tmp_path: Path) -> None:
    """A folder of files is counted as one file is; a comparison says what each book exempts."""
    folder = tmp_path / "events"
    folder.mkdir()
    for one in orders():
        write_events(folder / f"{one['event_id']}.parquet", [one])
    reference = f"{REFERENCE}@2026-12-15"

    lake = run("score", folder, "--book", reference, "--out", tmp_path / "lake", "--engine", "local")
    compared = run(
        "compare", folder, "--books", f"taobao-crowdsourced,{reference}", "--out", tmp_path / "both"
    )  # fmt: skip

    assert counts_of(tmp_path / "lake") == {
        "unknown_kitchen": 2, "unknown_kitchen_late": 2, "unknown_kitchen_exempt": 2,
    }  # fmt: skip
    assert "(judged by the lateness alone: 0, exempt by the book: 2)" in lake.stderr
    assert counts_of(tmp_path / "both") == {
        "unknown_kitchen": 2, "unknown_kitchen_late": 2, "unknown_kitchen_exempt_a": 0, "unknown_kitchen_exempt_b": 2,
    }  # fmt: skip
    assert "(exempt by book A: 0, by book B: 2;" in compared.stderr


def test_an_exemption_that_would_change_nothing_is_a_fault(tmp_path: Path) -> None:
    """A book that counts all lateness cannot spare what is not known."""
    rules = [
        rule("on_time", points=Decimal("0.2"), when={"late_min": {"up_to": 0}}),
        rule("late", points=-1, when={"late_min": {"over": 0}}),
    ]
    path = tmp_path / "gross.toml"
    document = tiny_book(id="gross", rule=rules, lateness="gross", unknown_kitchen="exempt")
    path.write_text(toml_of(document), encoding="utf-8")

    result = run("books", "check", path)

    assert result.exit_code == 3
    assert (
        'unknown_kitchen = "exempt" changes nothing in a book with lateness = "gross"' in result.stdout + result.stderr
    )
