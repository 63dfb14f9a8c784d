"""Tables beside riders' histories: where a fold may begin, what waits to be folded in, moves, orders delivered twice."""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from api.db import table_types

metadata: Final = table_types.metadata
Id: Final = table_types.Id

# The state of a rider before an instant, so that a change of the past is folded from there on (`api.ledger.checkpoints`);
# `part` is what `carried` is, without a window.
checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("layout", Text, nullable=False),
    Column("part", LargeBinary, nullable=False),
)

# Corrections and appeals that are stored and not entered yet (`api.ledger.replays`): `about_us` is when that was which
# they are about, `recorded_us` since when they wait, `filed_by` and `filed_key` who posted them.
replays: Final = Table(
    "replays",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("event_id", Id, primary_key=True),
    Column("about_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False, index=True),
    Column("filed_by", Id),
    Column("filed_key", Id),
)

# Moves between cities that the old one has proposed and the new one has not accepted yet; a row goes with the answer.
open_moves: Final = Table(
    "open_moves",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("from_city", Text, nullable=False, index=True),
    Column("to_city", Text, nullable=False, index=True),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_us", BigInteger, nullable=False),
)

# Every move of a rider, numbered from 1: until `moved_us` they were of `from_city`, from then on of `to_city`.
rider_moves: Final = Table(
    "rider_moves",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("move_no", BigInteger, primary_key=True),
    Column("from_city", Text, nullable=False),
    Column("to_city", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("accepted_by", Text, nullable=False),
    Column("moved_us", BigInteger, nullable=False),
)

# Each later delivery of an order beside the one it is compared with (`api.ledger.shared_orders`): the first of its own rider,
# else the first of the order; `recorded_us` is when the later one was stored.
shared_orders: Final = Table(
    "shared_orders",
    metadata,
    Column("order_id", Text, nullable=False, index=True),
    Column("first_rider_id", Id, nullable=False),
    Column("first_event_id", Id, nullable=False),
    Column("first_city", Text, nullable=False),
    Column("later_rider_id", Id, primary_key=True),
    Column("later_event_id", Id, primary_key=True),
    Column("later_city", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False, index=True),
)
