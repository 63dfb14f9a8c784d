"""How a city is doing: where its riders stand now, and the counted figures of its last days.

Reads one index range of `rider_state`, at most `NUM_DAYS` rows of `city_days` and the queues of open appeals and
reviews, however long the ledger is.
"""

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import and_, func, select

from api.books.in_force import RulesInForce
from api.cities.daily_figures import books_of, tier_of
from api.cities.figures import CityFigures, TierWork
from api.db.tables import city_days, open_appeals, open_reviews, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.shared_orders import num_shared
from rules.book import Bilingual, Tier
from rules.units import US_PER_DAY


@dataclass(frozen=True, slots=True)
class TierCount:
    """Riders in one tier now, and what riders of the tier did and got in the days looked at."""

    tier: str
    title: Bilingual
    priority_permille: int
    num_riders: int
    work: TierWork
    is_reviewed: bool = False


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One local day."""

    day: dt.date
    figures: CityFigures


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A city at one time.

    Parameters
    ----------
    tiers
        Lowest first; books of different riders that name a tier alike are one row.
    days
        Those that were counted, oldest first; `figures` adds them up.
    counted_us
        When the oldest of these counts was made; None while nothing is counted.
    num_appeals_late
        Open after their deadline: for the background work to decide.
    num_shared_orders
        Ever delivered by two riders, one of whom at least is of the city now.
    """

    city: str
    num_riders: int
    num_under_review: int
    tiers: tuple[TierCount, ...]
    days: tuple[DayFigures, ...]
    figures: CityFigures
    counted_us: int | None
    num_appeals: int
    num_appeals_due: int
    num_appeals_late: int
    num_reviews: int
    num_shared_orders: int


def dashboard_of(
    unit: ReadUnit | WriteUnit, law: RulesInForce, city: str, num_days: int, now_us: int
) -> Dashboard | None:
    """A city's last days; None where it has no rider.

    Parameters
    ----------
    num_days
        Local days up to the newest counted one.
    """
    standing = _standing(unit, law, city)
    if not standing:
        return None
    rows = unit.connection.execute(
        select(city_days).where(city_days.c.city == city).order_by(city_days.c.day.desc()).limit(num_days)
    ).all()
    days = tuple(DayFigures(row.day, CityFigures.read(json.loads(row.figures))) for row in reversed(rows))
    figures = CityFigures()
    for day in days:
        figures.add(day.figures)
    tiers = _tiers(law, standing, figures)
    appeals = _appeals(unit, city, now_us)
    reviews = select(func.count()).select_from(open_reviews).where(open_reviews.c.city == city)
    return Dashboard(
        city=city,
        num_riders=sum(standing.values()),
        num_under_review=sum(num for (_, _, under), num in standing.items() if under),
        tiers=tiers,
        days=days,
        figures=figures,
        counted_us=min((row.counted_us for row in rows), default=None),
        num_appeals=appeals[0],
        num_appeals_due=appeals[1],
        num_appeals_late=appeals[2],
        num_reviews=unit.connection.scalar(reviews) or 0,
        num_shared_orders=num_shared(unit, city),
    )


def _standing(unit: ReadUnit | WriteUnit, law: RulesInForce, city: str) -> Counter[tuple[str, str, bool]]:
    """Riders by (book, tier, whether a review is required)."""
    columns = (rider_state.c.book_digest, rider_state.c.score_mp, rider_state.c.review_required)
    rows = unit.connection.execute(
        select(*columns, func.count().label("num"))
        .where(rider_state.c.city == city, rider_state.c.book_digest.is_not(None))
        .group_by(*columns)
    )
    books = books_of(law)
    num_riders: Counter[tuple[str, str, bool]] = Counter()
    for digest, score_mp, review, num in rows:
        num_riders[digest, tier_of(books[digest], score_mp), bool(review)] += num
    return num_riders


def _tiers(law: RulesInForce, standing: Counter[tuple[str, str, bool]], figures: CityFigures) -> tuple[TierCount, ...]:
    here = {digest for digest, _, _ in standing}
    books = [book for book in law.program.books if book.digest in here]
    rows: dict[str, Tier] = {}
    for book in books:
        for tier in book.model.tier:
            rows.setdefault(tier.id, tier)
    # Lowest first also where books have tiers of their own: by what each asks for.
    ordered = sorted(rows.values(), key=lambda tier: -(2**62) if tier.min_mp is None else tier.min_mp)
    num = Counter[str]()
    for (_, tier_id, _), riders in standing.items():
        num[tier_id] += riders
    return tuple(
        TierCount(
            tier.id,
            tier.title,
            tier.priority_permille,
            num[tier.id],
            figures.tiers.get(tier.id, TierWork()),
            tier.review,
        )
        for tier in ordered
    )


def _appeals(unit: ReadUnit | WriteUnit, city: str, now_us: int) -> tuple[int, int, int]:
    """Open appeals: all, due within a day, and late."""
    deadline = open_appeals.c.deadline_us
    of_city = open_appeals.c.city == city
    conditions = (
        of_city,
        and_(of_city, deadline >= now_us, deadline < now_us + US_PER_DAY),
        and_(of_city, deadline < now_us),
    )
    counts = [
        unit.connection.scalar(select(func.count()).select_from(open_appeals).where(condition))
        for condition in conditions
    ]
    return counts[0] or 0, counts[1] or 0, counts[2] or 0
