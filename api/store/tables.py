"""The tables of the store and nothing else; `migrations` sees this module alone.

Ids of riders are pseudonyms here; names and phones stand in `people` only. Tables named in `APPEND_ONLY` are written
once: the database itself refuses to change or remove their rows (triggers, made by the migrations).
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text

metadata: Final = MetaData()
# Ids sort by their bytes on both engines: the order in which riders are locked and entries are read.
Id: Final = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the key is an INTEGER.
Serial: Final = BigInteger().with_variant(Integer(), "sqlite")

# A version of a rule book, for good: the resolved document as TOML, by its digest.
books: Final = Table(
    "books",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("book_id", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("document", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# Which book judges riders of a kind in a city, from a local day on.
deployments: Final = Table(
    "deployments",
    metadata,
    Column("city", Text, primary_key=True),
    Column("rider_kind", Text, primary_key=True),
    Column("from_date", Date, primary_key=True),
    Column("book_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("confidence", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
)

# What positions in `rider_state.carried` mean: books, rule ids, slots of sums (JSON), by digest.
layouts: Final = Table(
    "layouts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("document", Text, nullable=False),
)

# Personal fields, which can be erased; nothing else refers to them.
people: Final = Table(
    "people",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("name", Text),
    Column("phone", Text),
    Column("recorded_us", BigInteger, nullable=False),
)

# Who did what to whom; `detail` (JSON) never holds personal fields.
audit: Final = Table(
    "audit",
    metadata,
    Column("audit_id", Serial, primary_key=True),
    Column("recorded_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Id, nullable=False, index=True),
    Column("detail", Text, nullable=False),
)

# Every event accepted, as it first came (`rules.events.FIELDS`); `content` is its hash as a signed 64-bit number,
# `book_digest` the book that judged it.
events: Final = Table(
    "events",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("event_id", Id, primary_key=True),
    Column("city", Text, nullable=False),
    Column("rider_kind", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("order_id", Text),
    Column("occurred_us", BigInteger, nullable=False),
    Column("placed_us", BigInteger),
    Column("promised_us", BigInteger),
    Column("assess_deadline_us", BigInteger),
    Column("accepted_us", BigInteger),
    Column("arrived_store_us", BigInteger),
    Column("merchant_ready_us", BigInteger),
    Column("merchant_promised_ready_us", BigInteger),
    Column("picked_up_us", BigInteger),
    Column("delivered_us", BigInteger),
    Column("distance_m", BigInteger),
    Column("fee_fen", BigInteger),
    Column("reports", Text),
    Column("cause", Text),
    Column("extend_s", BigInteger),
    Column("party", Text),
    Column("level", BigInteger),
    Column("rider_joined_us", BigInteger),
    Column("ref_event_id", Text),
    Column("content", BigInteger, nullable=False),
    Column("book_digest", Text, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Index("events_by_order", "rider_id", "order_id"),
)

# The ledger. `chain` = SHA-256 of the rider's previous chain value and this entry (`api.store.chain`).
entries: Final = Table(
    "entries",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("entry_id", Id, nullable=False, unique=True),
    Column("event_id", Id, nullable=False),
    Column("rule_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("delta_mp", BigInteger, nullable=False),
    Column("score_after_mp", BigInteger, nullable=False),
    Column("money_fen", BigInteger, nullable=False),
    Column("liable_party", Text, nullable=False),
    Column("late_s", BigInteger, nullable=False),
    Column("time_given_back_s", BigInteger, nullable=False),
    Column("book_digest", Text, nullable=False),
    Column("occurred_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("of_kind", Text, nullable=False),
    Column("cause_event_id", Text),
    Column("of_us", BigInteger),
    Column("chain", LargeBinary, nullable=False),
)

# Where each rider stands, and what the next post needs (`api.store.carrying`). A row without `carried` belongs to a
# rider who was locked but has no event yet. `until_us`: how far fades and resets are written; `due_us`: when the next
# one is due; `keep_us`: start of the window in `carried`.
rider_state: Final = Table(
    "rider_state",
    metadata,
    Column("rider_id", Id, primary_key=True),
    Column("city", Text),
    Column("rider_kind", SmallInteger, nullable=False),
    Column("book_digest", Text),
    Column("score_mp", BigInteger, nullable=False),
    Column("review_required", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("keep_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False, index=True),
    Column("layout", Text),
    Column("carried", LargeBinary),
)

APPEND_ONLY: Final = ("books", "deployments", "layouts", "audit", "events", "entries")
