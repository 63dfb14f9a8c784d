"""Small cities for tests, and how often each is made: once."""

from functools import cache

from rules.amend import amend
from rules.book import Book
from rules.shelf import versions
from simulations.run import run
from simulations.scenario_files import read
from simulations.world import BookSwitch, World

SMALL = ("riders=60", "riders_per_area=60", "merchants_per_area=40", "orders_per_day=1000", "warm_up_days=1")
LEGACY, SCORE, REFERENCE = "legacy-fine", "taobao-crowdsourced", "gbt-46862-reference"


def books(name: str) -> tuple[Book, ...]:
    """Versions of a shipped book, or of one made for a test."""
    if name == "no fine":
        changes = {f"rule.{rule.id}.fee_share": 0 for rule in versions(LEGACY)[0].model.rule}
        return (amend(versions(LEGACY)[0], changes),)
    if name == "no effects":
        book = versions(SCORE)[0]
        changes = {
            "tier.reward.bonus_fen": 0,
            "tier.reward.priority": 1,
            "tier.low.priority": 1,
            "tier.low.review": False,
        }
        return (amend(book, changes),)
    if name.startswith("renamed "):
        changes = {"id": "another", "title": {"zh": "别的", "en": "Another"}}
        return (amend(versions(name.removeprefix("renamed "))[0], changes),)
    return versions(name)


@cache
def city(
    before: str = LEGACY, after: str = SCORE, seed: int = 1, days: int = 2, sets: tuple[str, ...] = (), scenario: str = "ordinary-week",
    *, blind: bool = False, behaviour_off: bool = False,
) -> World:  # fmt: skip
    """One run of a small city."""
    plan = BookSwitch(books(before), books(after), blind=blind, behaviour_off=behaviour_off)
    return run(read(scenario, (*SMALL, *sets)), plan, seed, days)
