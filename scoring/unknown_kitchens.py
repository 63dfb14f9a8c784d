"""Counts of deliveries whose kitchen times are not known, and what their books made of them."""

from typing import NamedTuple

from rules.events import KIND_CODE
from scoring.columns import NO_TIME
from scoring.score import ScoredRun


class UnknownKitchen(NamedTuple):
    """Deliveries with neither a ready nor a pick-up time.

    Parameters
    ----------
    unknown_kitchen
        How many.
    unknown_kitchen_late
        Of these, late.
    unknown_kitchen_exempt
        Of the late ones, exempt.
    """

    unknown_kitchen: int
    unknown_kitchen_late: int
    unknown_kitchen_exempt: int


def unknown_kitchen(scored: ScoredRun) -> UnknownKitchen:
    """Count the deliveries of a run whose kitchen nobody can assess.

    Parameters
    ----------
    scored
        A run; rows that are new in it count, as corrected.

    Returns
    -------
    UnknownKitchen
        The counts.
    """
    events = scored.events
    nothing = (events["ready_us"] == NO_TIME) & (events["picked_us"] == NO_TIME)
    is_unknown = (events["kind"] == KIND_CODE["delivered"]) & nothing & (scored.prepared.is_new == 1)
    late = is_unknown & (scored.liability["late_s"] > 0)
    exempt = late & (scored.liability["exempt"] != 0)
    return UnknownKitchen(int(is_unknown.sum()), int(late.sum()), int(exempt.sum()))
