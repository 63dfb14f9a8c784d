"""What riders' routes answer with: cards, forecasts and entries as JSON, in one language."""

import hashlib
from typing import Annotated, Any, Final, Literal

from pydantic import AliasGenerator, AliasPath, BeforeValidator, ConfigDict, Field, field_validator

from api.endpoints.common.schemas import InLanguage, IsoDate, ListPage, Model
from api.endpoints.decisions.shapes import AppealShown, ReviewShown
from api.ledger.recalculation import Recalculation
from api.riders.cards import RiderCard, book_summary
from api.riders.entries_explained import ExplainedEntry
from rules.book_values import Confidence
from rules.events import EventKind, Party, RiderKind
from rules.text import Lang
from scoring.because import EntryLine
from scoring.columns import EntryKind
from scoring.explain import tree

_LINE_FIELDS: Final = frozenset(EntryLine.__dataclass_fields__)


class EffectShown(Model):
    """One thing that a tier affects."""

    kind: Literal["bonus", "priority", "offers", "warning", "review"]
    amount: int = Field(
        description="bonus: fen an order; priority: per-mille; offers: of 100 offers, how many a low score may cost at most.",
        examples=[50],
    )
    words: InLanguage = Field(examples=["0.50 yuan more per order"])


class TierShown(Model):
    """A tier and all that it affects; nothing else is affected."""

    tier_id: str = Field(examples=["reward"])
    title: InLanguage
    from_mp: int | None = Field(description="Its lowest score; null for the lowest tier.", examples=[75001])
    effects: tuple[EffectShown, ...]


class WayShown(Model):
    """How to get to a score above."""

    target_mp: int
    points_mp: int = Field(description="What is missing.")
    orders: int | None = Field(description="On-time orders that get there; null where they do not.", examples=[28])
    needs: Literal["on_time_orders", "training", "other"]
    words: InLanguage


class ReturningShown(Model):
    """A deduction that will be given back."""

    due_us: int
    points_mp: int


class ForecastShown(Model):
    """What the next order would do."""

    late_min: int = Field(description="Minutes late by the rider alone; 0 is on time.")
    points_mp: int
    money_fen: int
    score_after_mp: int
    tier_id: str
    tier_title: InLanguage
    changes_tier: bool
    back_orders: int | None = Field(description="On-time orders that win the loss back.")
    words: InLanguage


class Forecasts(Model):
    """The next order, at each lateness asked for; empty where no rule book will judge it."""

    rider_id: str
    items: tuple[ForecastShown, ...]


class CountersShown(Model):
    """Orders since the first; late by the rider, exempt without costing anything."""

    delivered: int
    on_time: int
    late: int
    exempt: int


class MoneyShown(Model):
    """Money in fen; income = fees + bonus − fines."""

    orders: int
    fees_fen: int
    bonus_fen: int
    fines_fen: int
    income_fen: int


class BookShown(Model):
    """The version of the rule book that was used."""

    book_id: str = Field(examples=["taobao-crowdsourced"])
    digest: str
    effective_from: IsoDate = Field(examples=["2025-12-03"])
    title: InLanguage
    text: InLanguage = Field(description="What the book does, a line a rule, made from the rules themselves.")
    comment: InLanguage | None = Field(description="Free words that the book carries; the rules decide, not these.")
    time_zone: str


class AnnouncedShown(Model):
    """A change of the rules to come, and what it changes against the rules before it."""

    book_id: str
    digest: str
    from_us: int
    date: IsoDate = Field(examples=["2026-03-01"])
    title: InLanguage
    changes: tuple[InLanguage, ...]
    notice_waived: bool = Field(description="A roll-back, for which riders get less notice than promised.")


class SuspensionShown(Model):
    """A person's decision that the rider may not take orders, from an instant on."""

    review_id: str
    state: Literal["announced", "in_force"]
    from_us: int
    reason: str | None = Field(description="In the person's words; null once they were erased.")
    decided_by: str
    is_safety: bool


class RecalculatingShown(Model):
    """That a correction or an upheld appeal about the rider's older past is stored and being entered."""

    since_us: int = Field(description="When the oldest of it was stored.")
    from_us: int = Field(description="Entries of then and later may change.")
    words: InLanguage


class AppealRightShown(Model):
    """Whether and until when an entry can be appealed."""

    can: bool
    why_not: str | None = Field(description="A code.", examples=["appeal_too_late"])
    until_us: int | None
    within_days: int
    decide_days: int
    terms: Literal["book", "default"] = Field(description="Whether the book sets the days.")
    words: InLanguage
    appeal: AppealShown | None


def _place_in_entry(name: str) -> str | AliasPath:
    """Where `ExplainedEntry` has a field of `EntryShown`."""
    return AliasPath("line", name) if name in _LINE_FIELDS else name


class EntryShown(Model):
    """One line of the ledger, and why in one sentence."""

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=_place_in_entry))

    entry_id: str
    event_id: str
    seq: int
    kind: EntryKind = Field(description="What the entry does.", examples=["deduct"])
    of_kind: EntryKind
    rule_id: str = Field(examples=["late_5"])
    order_id: str | None
    event_kind: EventKind | None
    delta_mp: int = Field(examples=[-1000])
    score_after_mp: int
    money_fen: int
    liable_party: Party
    late_s: int
    time_given_back_s: int
    occurred_us: int
    recorded_us: int
    book_digest: str
    sentence: InLanguage
    appeal: AppealRightShown
    recalculating: bool = Field(
        description="Something about its event or an earlier one is being entered: it may change."
    )


def _above_a_list(waiting: Any) -> Any:
    """What waits for a replay, in the words that stand above a list."""
    if not isinstance(waiting, Recalculation):
        return waiting
    return {"since_us": waiting.since_us, "from_us": waiting.from_us, "words": waiting.list_words}


class EntryPage(ListPage):
    """Entries, newest first."""

    items: tuple[EntryShown, ...]
    recalculating: Annotated[RecalculatingShown | None, BeforeValidator(_above_a_list)] = Field(
        description="Null where no entry waits for a replay."
    )

    @field_validator("cursor", mode="before")
    @classmethod
    def _cursor_text(cls, seq: Any) -> Any:
        return str(seq) if type(seq) is int else seq


class TreeBranch(Model):
    """One statement and what it rests on."""

    label: str = Field(validation_alias="text")
    children: tuple["TreeBranch", ...]


class RuleShown(Model):
    """The rule that wrote an entry, and where its numbers come from."""

    rule_id: str = Field(validation_alias="id")
    title: InLanguage
    source: str | None
    confidence: Confidence | None = Field(examples=["H"])


class EntryExplained(Model):
    """An entry with its because-tree."""

    entry: EntryShown
    book: BookShown
    rule: RuleShown | None
    tree: TreeBranch


class CardShown(Model):
    """Where a rider stands, what exactly it affects, what happened today, what comes next."""

    rider_id: str
    city: str | None
    rider_kind: RiderKind | None
    score_mp: int = Field(description="Milli-points.", examples=[70200])
    base_mp: int
    floor_mp: int
    ceiling_mp: int
    tier: TierShown
    next_tier: TierShown | None
    up: WayShown | None = Field(description="To the next tier.")
    back: WayShown | None = Field(description="Back to the base; null for who is there.")
    returning: tuple[ReturningShown, ...]
    day_starts_us: int
    today: tuple[EntryShown, ...] = Field(description="What happened since the local day began, or was entered since.")
    today_mp: int = Field(description="Points of what happened since the local day began; `money_today` is its money.")
    earlier_mp: int = Field(description="Points entered since then about the days before.")
    today_more: bool
    forecast: tuple[ForecastShown, ...]
    counters: CountersShown
    money_today: MoneyShown
    money_week: MoneyShown
    book: BookShown
    announced: AnnouncedShown | None = Field(description="The first of `announcements`.")
    announcements: tuple[AnnouncedShown, ...] = Field(description="Every change of the rules to come, by time.")
    appeals: tuple[AppealShown, ...] = Field(description="Not answered yet, the oldest first.")
    decided_appeals: tuple[AppealShown, ...] = Field(description="Every appeal that was answered, the newest first.")
    reviews: tuple[ReviewShown, ...] = Field(description="Every review, the newest first, with what was decided.")
    suspension: SuspensionShown | None
    is_review_open: bool
    recalculating: RecalculatingShown | None = Field(description="Null where the card is final.")
    words: tuple[InLanguage, ...] = Field(description="The card told.")
    good_until_us: int = Field(description="Until when it stays so if nothing is written.")


def card_bytes(card: RiderCard, lang: Lang) -> bytes:
    """A card as it goes over the wire; the same card gives the same bytes."""
    return CardShown.of(card, lang).model_dump_json().encode()


def bytes_tag(body: bytes) -> str:
    """What an entity tag is made of: the digest of what is sent."""
    return hashlib.sha256(body).hexdigest()[:24]


def explained_entry(entry: ExplainedEntry, lang: Lang) -> EntryExplained:
    """An entry with all that it follows from, in one language."""
    rule = entry.why.rule
    return EntryExplained(
        entry=EntryShown.of(entry, lang),
        book=BookShown.of(book_summary(entry.why.book), lang),
        rule=None if rule is None else RuleShown.of(rule.rule, lang),
        tree=TreeBranch.of(tree(entry.why, lang)),
    )
