"""The columns of the two tables of a ledger: the one place that says their names, types, units and meanings.

Schemas of files, JSON Schemas and the reference are made from these tables.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from rules.events import PARTIES, RIDER_KINDS, unit_of
from scoring.columns import ENTRY_KINDS

_NAMES: Final = pa.dictionary(pa.int32(), pa.string())
_WORDS: Final = pa.dictionary(pa.int8(), pa.string())
_DIGESTS: Final = pa.dictionary(pa.int16(), pa.string())
MONEY_KINDS: Final = ("bonus", "fine")
_DIGEST: Final = "0f3a9c64d1e25b7788c01d2f6a4be35990d7c1a2b3f4e5d6978812345678abcd"


@dataclass(frozen=True, slots=True)
class LedgerColumn:
    """One column of a table of a ledger.

    Parameters
    ----------
    name
        Its name; the last part states the unit of a number.
    type
        Its Arrow type in files.
    meaning
        What it says, in one sentence.
    example
        A value as JSON has it.
    when_missing
        What an empty cell says; empty text where no cell is.
    choices
        The words that may stand in it; empty where any may.
    """

    name: str
    type: pa.DataType
    meaning: str
    example: str | int | bool
    when_missing: str = ""
    choices: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit of its numbers; empty for text and counts."""
        return unit_of(self.name) if pa.types.is_integer(self.type) else ""


ENTRY_COLUMNS: Final = (
    LedgerColumn(
        "entry_id",
        pa.string(),
        "Names the entry by its content, so that a replay cannot write it twice: 16 characters of base64url.",
        "k3uWZ0c9be1a7f34",
    ),
    LedgerColumn(
        "event_id",
        pa.string(),
        "The event that the entry is about, always one of the same rider; `reset:DATE` where what happened is no event.",
        "e4",
    ),
    LedgerColumn("rider_id", _NAMES, "Whose score it is.", "r7"),
    LedgerColumn("seq", pa.int64(), "Position in the rider's ledger, from 1 without gaps.", 4),
    LedgerColumn(
        "rule_id",
        _NAMES,
        "What wrote the entry: a rule, a cap or a group of the book by its id, `tier:ID` for a tier's bonus or review, or a word for what every "
        "book does (`ceiling`, `floor`, `base`, `reset`, `training`, `fading`, `newcomer`, `cost_limit`).",
        "late_5",
    ),
    LedgerColumn(
        "kind",
        _WORDS,
        "What the entry does: `award` and `deduct` follow a rule, `cap` takes back what is beyond a limit, `clamp` brings the score "
        "into its range, `fade` returns a deduction, `reset` begins a period, `reverse` and `reenter` take an entry back and enter it "
        "anew, `training` lifts the score after a course, `review` asks that a person look.",
        "deduct",
        choices=ENTRY_KINDS,
    ),
    LedgerColumn("delta_mp", pa.int32(), "By how much the entry moves the score.", -1_000),
    LedgerColumn(
        "score_after_mp",
        pa.int32(),
        "The score after the entry: the opening score and all movements up to here.",
        69_600,
    ),
    LedgerColumn(
        "money_fen",
        pa.int32(),
        "Money of the entry, positive to the rider: a bonus, or a fine below zero; fees are not in it.",
        0,
    ),
    LedgerColumn(
        "liable_party",
        _WORDS,
        "Who answers for the event: `nobody` where it was on time, the rider where lateness remains that was theirs.",
        "rider",
        choices=PARTIES,
    ),
    LedgerColumn(
        "late_s",
        pa.int32(),
        "How late the delivery was, gross, rounded down: on the first line of the event, below zero on the line that takes "
        "the last of them back, 0 on all others, so that a sum over lines is the sum over deliveries.",
        240,
    ),
    LedgerColumn(
        "time_given_back_s",
        pa.int32(),
        "How much of that was not the rider's, rounded up; stated once for each event, as `late_s` is.",
        0,
    ),
    LedgerColumn("book_digest", _DIGESTS, "The version of the rule book that judged (SHA-256).", _DIGEST),
    LedgerColumn(
        "occurred_us", pa.int64(), "When the event happened, or what falls due was due.", 1_764_740_040_000_000
    ),
    LedgerColumn(
        "recorded_us",
        pa.int64(),
        "When the entry was written, by the store's clock or `--as-of`.",
        1_764_740_041_000_000,
    ),
    LedgerColumn(
        "of_kind",
        _WORDS,
        "The kind of the entry that a `reverse` or `reenter` concerns; else the same as `kind`.",
        "deduct",
        choices=ENTRY_KINDS,
    ),
    LedgerColumn(
        "cause_event_id",
        pa.string(),
        "The event that made a `reverse` or `reenter` necessary: late, corrected or appealed.",
        "e5",
        "the entry is no reversal",
    ),
    LedgerColumn(
        "of_us",
        pa.int64(),
        "When the event or due instant happened that the entry concerns, where that is another time than `occurred_us`.",
        1_764_740_040_000_000,
        "the same as `occurred_us`",
    ),
    LedgerColumn(
        "late_counted_s",
        pa.int32(),
        "The lateness that counted: `late_s` less `time_given_back_s` where the rider answers for it, 0 where not; all of it "
        "in a book that counts gross lateness. Stated once for each event, as `late_s` is.",
        240,
    ),
    LedgerColumn(
        "money_kind",
        _WORDS,
        "What the money of the entry is; a `reverse` has the kind of what it takes back. Lines of a bonus are of kind `award` "
        "and give no points.",
        "bonus",
        "no money moves",
        MONEY_KINDS,
    ),
    LedgerColumn(
        "of_late_s",
        pa.int32(),
        "How late the delivery was that the entry concerns, gross: the same on each of its lines. Not to be added up.",
        240,
    ),
    LedgerColumn(
        "of_time_given_back_s",
        pa.int32(),
        "How much of `of_late_s` was not the rider's: the same on each line of the delivery. Not to be added up.",
        0,
    ),
)
RIDER_COLUMNS: Final = (
    LedgerColumn("rider_id", pa.string(), "The rider.", "r7"),
    LedgerColumn("city", pa.string(), "The rider's city, by their last event.", "hangzhou", "nothing told"),
    LedgerColumn("book_digest", pa.string(), "The version of the rule book that judged last (SHA-256).", _DIGEST),
    LedgerColumn(
        "opening_score_mp",
        pa.int64(),
        "The score before the first entry: the book's base for a new rider, else what was carried.",
        70_000,
    ),
    LedgerColumn("score_mp", pa.int64(), "The score after the last entry.", 69_600),
    LedgerColumn("tier", pa.string(), "The tier that the score lies in, by its id.", "ordinary"),
    LedgerColumn("num_delivered", pa.int64(), "Deliveries in this ledger: on time, late and exempt together.", 4),
    LedgerColumn("num_on_time", pa.int64(), "Deliveries without lateness.", 1),
    LedgerColumn("num_late", pa.int64(), "Deliveries with lateness that remained the rider's.", 1),
    LedgerColumn("num_exempt", pa.int64(), "Late deliveries that cost the rider nothing.", 2),
    LedgerColumn(
        "points_awarded_mp", pa.int64(), "Points given, net of caps and of what was taken back; at least 0.", 600
    ),
    LedgerColumn(
        "points_deducted_mp", pa.int64(), "Points taken, net of caps and of what was taken back; at least 0.", 1_000
    ),
    LedgerColumn("fines_fen", pa.int64(), "Money taken, net of what was taken back; at least 0.", 0),
    LedgerColumn("bonus_fen", pa.int64(), "Money given, net of what was taken back; at least 0.", 0),
    LedgerColumn("fees_fen", pa.int64(), "Fees of the deliveries.", 1_950),
    LedgerColumn("income_fen", pa.int64(), "Fees and the money of all entries.", 1_950),
    LedgerColumn(
        "on_time_orders_to_next_tier",
        pa.int64(),
        "On-time orders to the next tier.",
        28,
        "there is none, or orders do not lead there",
    ),
    LedgerColumn(
        "on_time_orders_to_recover",
        pa.int64(),
        "On-time orders back to the book's base.",
        2,
        "the score is there, or orders do not lead there",
    ),
    LedgerColumn("review_required", pa.bool_(), "Whether the book recommends that a person look at the rider.", False),
    LedgerColumn(
        "rider_kind",
        pa.string(),
        "How the rider works, by their last event.",
        "crowdsourced",
        "nothing told",
        RIDER_KINDS,
    ),
    LedgerColumn("num_entries", pa.int64(), "The rider's entries in this ledger.", 4),
    LedgerColumn(
        "events_digest",
        pa.int64(),
        "Sum modulo 2⁶⁴ of the hashes of the rider's events that entries name; `verify` holds it against the entries.",
        -3_458_764_513_820_540_928,
    ),
)
# Rows of `entries.parquet`.
ENTRY_FILE_SCHEMA: Final = pa.schema([(column.name, column.type) for column in ENTRY_COLUMNS])
# Under these names files have what each line was judged by; in memory and in databases lines have nothing else.
OF_LINE: Final = {"late_s": "of_late_s", "time_given_back_s": "of_time_given_back_s"}
# What files have beside a line: sums of these columns are sums over events, and money is told apart.
STATED: Final = (*OF_LINE, "late_counted_s", "money_kind")
# Lines in memory: `late_s` and `time_given_back_s` on each of an event.
ENTRY_SCHEMA: Final = pa.schema(
    [field for field in ENTRY_FILE_SCHEMA if field.name not in (*STATED[len(OF_LINE) :], *OF_LINE.values())]
)
