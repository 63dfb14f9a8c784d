"""What riders' routes answer with: cards, forecasts and entries as JSON, in one language."""

import hashlib
from typing import Literal

from pydantic import Field

from api.books.announcements import RulesChange
from api.decisions.appeal_records import AppealRight
from api.endpoints.common.schemas import ListPage, Model
from api.endpoints.decisions.shapes import AppealShown, ReviewShown, appeal_shown, review_shown
from api.ledger.recalculation import Recalculation
from api.ledger.suspensions import Suspension
from api.riders.cards import BookOf, Card, book_of
from api.riders.earnings import Money
from api.riders.entries_explained import ToldEntry, ToldPage
from api.riders.forecast import Forecast
from api.riders.tier_effects import TierOn, Way
from api.words import Translated
from rules.text import Lang
from scoring.because import Because
from scoring.explain import Branch, tree
from scoring.explain_words import titled


class EffectShown(Model):
    """One thing that a tier affects."""

    kind: Literal["bonus", "priority", "offers", "warning", "review"]
    amount: int = Field(
        description="bonus: fen an order; priority: per-mille; offers: of 100 offers, how many a low score may cost at most.",
        examples=[50],
    )
    words: str = Field(examples=["0.50 yuan more per order"])


class TierShown(Model):
    """A tier and all that it affects; nothing else is affected."""

    tier_id: str = Field(examples=["reward"])
    title: str
    from_mp: int | None = Field(description="Its lowest score; null for the lowest tier.", examples=[75001])
    effects: list[EffectShown]


class WayShown(Model):
    """How to get to a score above."""

    target_mp: int
    points_mp: int = Field(description="What is missing.")
    orders: int | None = Field(description="On-time orders that get there; null where they do not.", examples=[28])
    needs: Literal["on_time_orders", "training", "other"]
    words: str


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
    tier_title: str
    changes_tier: bool
    back_orders: int | None = Field(description="On-time orders that win the loss back.")
    words: str


class Forecasts(Model):
    """The next order, at each lateness asked for; empty where no rule book will judge it."""

    rider_id: str
    items: list[ForecastShown]


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
    effective_from: str = Field(examples=["2025-12-03"])
    title: str
    text: str = Field(description="What the book does, a line a rule, made from the rules themselves.")
    comment: str | None = Field(description="Free words that the book carries; the rules decide, not these.")
    time_zone: str


class AnnouncedShown(Model):
    """A change of the rules to come, and what it changes against the rules before it."""

    book_id: str
    digest: str
    from_us: int
    date: str = Field(examples=["2026-03-01"])
    title: str
    changes: list[str]
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
    words: str


class AppealRightShown(Model):
    """Whether and until when an entry can be appealed."""

    can: bool
    why_not: str | None = Field(description="A code.", examples=["appeal_too_late"])
    until_us: int | None
    within_days: int
    decide_days: int
    terms: Literal["book", "default"] = Field(description="Whether the book sets the days.")
    words: str
    appeal: AppealShown | None


class EntryShown(Model):
    """One line of the ledger, and why in one sentence."""

    entry_id: str
    event_id: str
    seq: int
    kind: str = Field(examples=["deduct"])
    of_kind: str
    rule_id: str = Field(examples=["late_5"])
    order_id: str | None
    event_kind: str | None
    delta_mp: int = Field(examples=[-1000])
    score_after_mp: int
    money_fen: int
    liable_party: str
    late_s: int
    time_given_back_s: int
    occurred_us: int
    recorded_us: int
    book_digest: str
    sentence: str
    appeal: AppealRightShown
    recalculating: bool = Field(
        description="Something about its event or an earlier one is being entered: it may change."
    )


class EntryPage(ListPage):
    """Entries, newest first."""

    items: list[EntryShown]
    recalculating: RecalculatingShown | None = Field(description="Null where no entry waits for a replay.")


class TreeBranch(Model):
    """One statement and what it rests on."""

    label: str
    children: list["TreeBranch"]


class RuleShown(Model):
    """The rule that wrote an entry, and where its numbers come from."""

    rule_id: str
    title: str
    source: str | None
    confidence: str | None = Field(examples=["H"])


class EntryTold(Model):
    """An entry with its because-tree."""

    entry: EntryShown
    book: BookShown
    rule: RuleShown | None
    tree: TreeBranch


class CardShown(Model):
    """Where a rider stands, what exactly it affects, what happened today, what comes next."""

    rider_id: str
    city: str | None
    rider_kind: str | None
    score_mp: int = Field(description="Milli-points.", examples=[70200])
    base_mp: int
    floor_mp: int
    ceiling_mp: int
    tier: TierShown
    next_tier: TierShown | None
    up: WayShown | None = Field(description="To the next tier.")
    back: WayShown | None = Field(description="Back to the base; null for who is there.")
    returning: list[ReturningShown]
    day_starts_us: int
    today: list[EntryShown] = Field(description="What happened since the local day began, or was entered since.")
    today_mp: int = Field(description="Points of what happened since the local day began; `money_today` is its money.")
    earlier_mp: int = Field(description="Points entered since then about the days before.")
    today_more: bool
    forecast: list[ForecastShown]
    counters: CountersShown
    money_today: MoneyShown
    money_week: MoneyShown
    book: BookShown
    announced: AnnouncedShown | None = Field(description="The first of `announcements`.")
    announcements: list[AnnouncedShown] = Field(description="Every change of the rules to come, by time.")
    appeals: list[AppealShown] = Field(description="Not answered yet, the oldest first.")
    decided_appeals: list[AppealShown] = Field(description="Every appeal that was answered, the newest first.")
    reviews: list[ReviewShown] = Field(description="Every review, the newest first, with what was decided.")
    suspension: SuspensionShown | None
    is_review_open: bool
    recalculating: RecalculatingShown | None = Field(description="Null where the card is final.")
    words: list[str] = Field(description="The card told.")
    good_until_us: int = Field(description="Until when it stays so if nothing is written.")


def card_shown(card: Card, lang: Lang) -> CardShown:
    """A card in one language."""
    waits = card.recalculating
    return CardShown(
        rider_id=card.rider_id,
        city=card.city,
        rider_kind=card.rider_kind,
        score_mp=card.score_mp,
        base_mp=card.base_mp,
        floor_mp=card.floor_mp,
        ceiling_mp=card.ceiling_mp,
        tier=_tier(card.tier, lang),
        next_tier=None if card.next_tier is None else _tier(card.next_tier, lang),
        up=_way(card.up, lang),
        back=_way(card.back, lang),
        returning=[ReturningShown(due_us=item.due_us, points_mp=item.points_mp) for item in card.returning],
        day_starts_us=card.day_starts_us,
        today=[entry_shown(entry, lang) for entry in card.today],
        today_mp=card.today_mp,
        earlier_mp=card.earlier_mp,
        today_more=card.today_more,
        forecast=[forecast_shown(item, lang) for item in card.forecast],
        counters=CountersShown(
            delivered=card.counters.delivered,
            on_time=card.counters.on_time,
            late=card.counters.late,
            exempt=card.counters.exempt,
        ),
        money_today=_money(card.money_today),
        money_week=_money(card.money_week),
        book=book_shown(card.book, lang),
        announced=next((_announced(found, lang) for found in card.announcements), None),
        announcements=[_announced(found, lang) for found in card.announcements],
        appeals=[appeal_shown(appeal, lang) for appeal in card.appeals],
        decided_appeals=[appeal_shown(appeal, lang) for appeal in card.all_appeals if appeal.decision is not None],
        reviews=[review_shown(review, lang) for review in card.reviews],
        suspension=_suspension(card.suspension),
        is_review_open=card.is_review_open,
        recalculating=None if waits is None else _recalculating(waits, lang, waits.words),
        words=[said.lang(lang) for said in card.words],
        good_until_us=card.good_until_us,
    )


def card_bytes(card: Card, lang: Lang) -> bytes:
    """A card as it goes over the wire; the same card gives the same bytes."""
    return card_shown(card, lang).model_dump_json().encode()


def bytes_tag(body: bytes) -> str:
    """What an entity tag is made of: the digest of what is sent."""
    return hashlib.sha256(body).hexdigest()[:24]


def _tier(tier: TierOn, lang: Lang) -> TierShown:
    effects = [
        EffectShown(kind=effect.kind, amount=effect.amount, words=effect.words.lang(lang)) for effect in tier.effects
    ]
    return TierShown(tier_id=tier.tier_id, title=tier.title.lang(lang), from_mp=tier.from_mp, effects=effects)


def _way(way: Way | None, lang: Lang) -> WayShown | None:
    if way is None:
        return None
    return WayShown(
        target_mp=way.target_mp, points_mp=way.points_mp, orders=way.orders, needs=way.needs, words=way.words.lang(lang)
    )  # fmt: skip


def forecast_shown(item: Forecast, lang: Lang) -> ForecastShown:
    """A forecast in one language."""
    return ForecastShown(
        late_min=item.late_min,
        points_mp=item.points_mp,
        money_fen=item.money_fen,
        score_after_mp=item.score_after_mp,
        tier_id=item.tier_id,
        tier_title=item.tier_title.lang(lang),
        changes_tier=item.changes_tier,
        back_orders=item.back_orders,
        words=item.words.lang(lang),
    )


def _money(money: Money) -> MoneyShown:
    return MoneyShown(
        orders=money.orders,
        fees_fen=money.fees_fen,
        bonus_fen=money.bonus_fen,
        fines_fen=money.fines_fen,
        income_fen=money.income_fen,
    )


def book_shown(book: BookOf, lang: Lang) -> BookShown:
    """A book in one language."""
    return BookShown(
        book_id=book.book_id,
        digest=book.digest,
        effective_from=book.effective_from.isoformat(),
        title=book.title.lang(lang),
        text=book.text.lang(lang),
        comment=None if book.comment is None else book.comment.lang(lang),
        time_zone=book.time_zone,
    )


def _announced(found: RulesChange, lang: Lang) -> AnnouncedShown:
    return AnnouncedShown(
        book_id=found.book_id,
        digest=found.digest,
        from_us=found.from_us,
        date=found.date.isoformat(),
        title=found.title.lang(lang),
        changes=[change.lang(lang) for change in found.changes],
        notice_waived=found.notice_waived,
    )


def _recalculating(found: Recalculation, lang: Lang, words: Translated) -> RecalculatingShown:
    return RecalculatingShown(since_us=found.since_us, from_us=found.from_us, words=words.lang(lang))


def _suspension(found: Suspension | None) -> SuspensionShown | None:
    if found is None:
        return None
    return SuspensionShown(
        review_id=found.review_id,
        state=found.state,
        from_us=found.from_us,
        reason=found.reason,
        decided_by=found.decided_by,
        is_safety=found.is_safety,
    )


def _right(right: AppealRight, lang: Lang) -> AppealRightShown:
    return AppealRightShown(
        can=right.can,
        why_not=right.why_not,
        until_us=right.until_us,
        within_days=right.within_days,
        decide_days=right.decide_days,
        terms=right.terms,
        words=right.words.lang(lang),
        appeal=None if right.appeal is None else appeal_shown(right.appeal, lang),
    )


_LINE = tuple(
    name
    for name in EntryShown.model_fields
    if name not in ("order_id", "event_kind", "sentence", "appeal", "recalculating")
)


def entry_shown(told: ToldEntry, lang: Lang) -> EntryShown:
    """An entry in one language."""
    return EntryShown(
        **{name: getattr(told.line, name) for name in _LINE},
        order_id=told.order_id,
        event_kind=told.event_kind,
        recalculating=told.recalculating,
        sentence=told.sentence.lang(lang),
        appeal=_right(told.right, lang),
    )


def page_shown(page: ToldPage, lang: Lang) -> EntryPage:
    """A page of a rider's ledger in one language."""
    waits = page.recalculating
    return EntryPage(
        items=[entry_shown(told, lang) for told in page.entries],
        cursor=None if page.cursor is None else str(page.cursor),
        recalculating=None if waits is None else _recalculating(waits, lang, waits.list_words),
    )


def entry_told(told: ToldEntry, lang: Lang) -> EntryTold:
    """An entry with all that it follows from, in one language."""
    return EntryTold(
        entry=entry_shown(told, lang),
        book=book_shown(book_of(told.why.book), lang),
        rule=_rule(told.why, lang),
        tree=_branch(tree(told.why, lang)),
    )


def _rule(why: Because, lang: Lang) -> RuleShown | None:
    if why.rule is None:
        return None
    rule = why.rule.rule
    return RuleShown(
        rule_id=rule.id, title=titled(lang, rule.title), source=rule.source, confidence=rule.confidence
    )  # fmt: skip


def _branch(branch: Branch) -> TreeBranch:
    return TreeBranch(label=branch.text, children=[_branch(child) for child in branch.children])
