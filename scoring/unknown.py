"""How many deliveries of a run nobody can assess the kitchen of, and what their books made of them."""

from typing import NamedTuple

from rules.events import KIND_CODE
from scoring.columns import NO_TIME
from scoring.score import Scored


class UnknownKitchen(NamedTuple):
    """Deliveries with neither a ready nor a pick-up time; of these the late ones, and of these the exempt ones."""

    unknown_kitchen: int
    unknown_kitchen_late: int
    unknown_kitchen_exempt: int


def unknown_kitchen(scored: Scored) -> UnknownKitchen:
    """Counted of the rows that are new in a run, as corrected."""
    events = scored.events
    nothing = (events["ready_us"] == NO_TIME) & (events["picked_us"] == NO_TIME)
    found = (events["kind"] == KIND_CODE["delivered"]) & nothing & (scored.intake.is_new == 1)
    late = found & (scored.liability["late_s"] > 0)
    exempt = late & (scored.liability["exempt"] != 0)
    return UnknownKitchen(int(found.sum()), int(late.sum()), int(exempt.sum()))
