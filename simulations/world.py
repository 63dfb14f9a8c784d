"""What a run of the living city leaves behind: exact tables, and the plan that it followed.

Holds no behaviour and makes nothing up: the simulator fills these tables, the study reads them. Points and money are
whole numbers; the one float is the relative exposure to red lights, which is an assumption and says so.

Invariant: `rider_days` has one row for every rider of the city and every day, whether the rider worked, rested or has left.
"""

from dataclasses import dataclass

import pyarrow as pa

from rules.book import Book

TENURE_GROUPS = ("first_month", "first_year", "later")
SKILL_GROUPS = ("slow", "usual", "quick")
OUTCOMES = ("delivered", "cancelled", "refused", "open")
STAYS = ("off", "idle", "to_store", "waiting", "to_customer", "at_door")
WORD = pa.dictionary(pa.int8(), pa.string())

# One row a rider and day, by (day, rider). Day 0 is the first under the new book, warm-up days are negative.
RIDER_DAYS = pa.schema(
    [
        ("rider", pa.int32()),
        ("day", pa.int16()),
        ("kind", WORD),  # rules.events.RIDER_KINDS
        ("tenure_group", WORD),  # on this day
        ("skill_group", WORD),  # fixed
        ("online", pa.bool_()),  # took orders on this day
        ("left", pa.bool_()),  # has left for good before or at the end of this day
        ("shift_s", pa.int32()),  # what the rider meant to work, the target's extension included
        ("worked_s", pa.int32()),  # from coming online to going offline
        ("busy_s", pa.int32()),  # of it, with an order in hand
        ("num_offered", pa.int32()),  # = declined + taken
        ("num_declined", pa.int32()),
        ("num_delivered", pa.int32()),  # = on time + late + exempt
        ("num_on_time", pa.int32()),
        ("num_late", pa.int32()),  # the rider's own lateness
        ("num_exempt", pa.int32()),  # late, all of it given back or exempt
        ("num_severe", pa.int32()),  # gross lateness beyond 10 minutes
        ("late_s", pa.int64()),  # gross, sum
        ("given_back_merchant_s", pa.int64()),
        ("given_back_customer_s", pa.int64()),
        ("given_back_platform_s", pa.int64()),
        ("given_back_force_s", pa.int64()),
        ("fees_fen", pa.int64()),
        ("fines_fen", pa.int64()),
        ("bonus_fen", pa.int64()),
        ("income_fen", pa.int64()),  # fees − fines + bonus
        ("points_awarded_mp", pa.int64()),
        ("points_deducted_mp", pa.int64()),
        ("score_start_mp", pa.int64()),
        ("score_end_mp", pa.int64()),
        (
            "tier_idx",
            pa.int8(),
        ),  # at the start of the day: what the dispatcher and the rider see; position in the book's tiers
        ("tier_end_idx", pa.int8()),
        ("review", pa.bool_()),  # a review by a person is due at the day's end
        ("distance_m", pa.int64()),  # ridden
        ("ride_s", pa.int64()),
        ("red_lights", pa.float64()),  # expected number of lights jumped: relative exposure, never accidents
    ]
)

# One row an order placed, by order number (which is the same under every book).
ORDERS = pa.schema(
    [
        ("order", pa.int64()),
        ("day", pa.int16()),
        ("area", pa.int16()),
        ("merchant", pa.int32()),
        ("rider", pa.int32()),  # who brought it; −1 nobody
        ("outcome", WORD),  # OUTCOMES
        ("placed_us", pa.int64()),
        ("promised_us", pa.int64()),  # also the assessed deadline
        ("promised_ready_us", pa.int64()),
        ("ready_us", pa.int64()),
        ("accepted_us", pa.int64()),  # from here on null where it did not happen
        ("arrived_us", pa.int64()),
        ("picked_up_us", pa.int64()),
        ("delivered_us", pa.int64()),
        ("num_declined", pa.int32()),
        ("distance_m", pa.int32()),  # merchant to door, by road
        ("fee_fen", pa.int32()),
        ("customer_wait_s", pa.int32()),  # placed to delivered; null where it was not
    ]
)

# Where every rider was, in stretches without gaps from 04:00 to 04:00; by (rider, from_us).
STAYS_SCHEMA = pa.schema(
    [
        ("rider", pa.int32()),
        ("from_us", pa.int64()),
        ("to_us", pa.int64()),
        ("what", WORD),  # STAYS
        ("metres", pa.int32()),  # ridden in the stretch
        ("order", pa.int64()),  # whose stop it is; −1 none
    ]
)


@dataclass(frozen=True, slots=True)
class BookSwitch:
    """A policy: the versions of the book before the switch and after it.

    Parameters
    ----------
    warm_up, book
        Versions of one book each, oldest first (`rules.shelf.find`). Warm-up days are judged by the first.
    blind
        The dispatcher does not see tiers (the third arm).
    behaviour_off
        Riders ride, decline, extend and stay as if nothing cost or earned them anything.
    noise
        Another number draws the riders' answers to offers anew and nothing else: the same city under the same book, apart
        by as much as chance in who carries what makes it. For comparing a book with itself.
    """

    warm_up: tuple[Book, ...]
    book: tuple[Book, ...]
    blind: bool = False
    behaviour_off: bool = False
    noise: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """One run.

    Parameters
    ----------
    scenario, scenario_digest, seed, plan
        What made it.
    first_day_us
        04:00 local of day 0.
    rider_days, orders, stays
        `RIDER_DAYS`, `ORDERS`, `STAYS_SCHEMA`; warm-up days included.
    events
        Native events of all days (`scoring.columns.EVENT_SCHEMA`), what the ledger was made from.
    entries, riders
        The ledger over all days (`scoring.ledger`), as files hold it.
    draws_digest
        Digest of orders, kitchens, weather and people as drawn: equal under every plan.
    figures
        Counts of the run: rounds, offers, events of the simulation, rows.
    """

    scenario: str
    scenario_digest: str
    seed: int
    plan: BookSwitch
    num_days: int
    num_warm_up: int
    first_day_us: int
    rider_days: pa.Table
    orders: pa.Table
    stays: pa.Table
    events: pa.Table
    entries: pa.Table
    riders: pa.Table
    draws_digest: dict[str, str]
    figures: dict[str, int]
