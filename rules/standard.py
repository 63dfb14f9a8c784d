"""GB/T 46862-2025 and the rules beside it, clause by clause, as named checks of a book.

A clause that a book breaks is an error; one that a book is silent about is a warning, since platforms publish little.
Clauses of working time bind the dispatcher as well (`dispatch.fatigue`); here a book only has to state them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rules.book import Book, Rule
from rules.conditions import share_corners
from rules.errors import Fault, Severity
from rules.structure import FINE_FREE_KINDS, NO_FINES_CLAUSE

SEVERE_LEVEL = 3
MAX_LEVEL = 15
MAX_DAILY_H = 8
MAX_CONTINUOUS_H = 4
MIN_REST_MIN = 20
MAX_SPEED_KMH = 15
MIN_SUSPENSION_NOTICE_DAYS = 14


@dataclass(frozen=True, slots=True)
class StandardClause:
    """One clause as a check. Its title stands in the catalogs under `clause.<name>`."""

    name: str
    number: str
    find: Callable[[Book, "StandardClause"], Iterator[Fault]]


def standard(book: Book) -> tuple[Fault, ...]:
    """Every clause that a book breaks or is silent about, in the order of `CLAUSES`."""
    return tuple(fault for clause in CLAUSES for fault in clause.find(book, clause))


def _fault(
    book: Book,
    clause: StandardClause,
    key: str,
    given: object = "",
    allowed: object = "",
    *,
    rule: str = "",
    severity: Severity = "error",
) -> Fault:
    title = ("title", f"@clause.{clause.name}")
    return Fault(
        f"clause_{clause.name}", book.file, rule, key, str(given), str(allowed), clause.number, severity, (title,)
    )


def _silent(book: Book, clause: StandardClause, key: str) -> Fault:
    title = ("title", f"@clause.{clause.name}")
    return Fault("clause_silent", book.file, "", key, clause=clause.number, severity="warning", params=(title,))


def _money(rule: Rule) -> list[int]:
    return [rule.money_fen or 0, *(share for _, share in share_corners(rule))]


def _no_fines(book: Book, clause: StandardClause) -> Iterator[Fault]:
    for rule in book.model.rule:
        if min(_money(rule)) < 0 and set(FINE_FREE_KINDS) & set(rule.kind):
            key = "money_fen" if (rule.money_fen or 0) < 0 else "fee_share"
            yield _fault(book, clause, key, ", ".join(rule.kind), rule=rule.id)


def _wage(book: Book, clause: StandardClause) -> Iterator[Fault]:
    for rule in book.model.rule:
        if min(_money(rule)) < 0 and not set(FINE_FREE_KINDS) & set(rule.kind):
            yield _fault(book, clause, "money_fen", rule.money_fen, rule=rule.id, severity="warning")


def _daily_hours(book: Book, clause: StandardClause) -> Iterator[Fault]:
    hours = book.model.hours
    if hours is None:
        yield _silent(book, clause, "hours")
    elif hours.daily_h > MAX_DAILY_H:
        yield _fault(book, clause, "hours.daily_h", hours.daily_h, f"≤ {MAX_DAILY_H}")


def _continuous_work(book: Book, clause: StandardClause) -> Iterator[Fault]:
    hours = book.model.hours
    if hours is None:
        yield _silent(book, clause, "hours")
        return
    if hours.continuous_h > MAX_CONTINUOUS_H:
        yield _fault(book, clause, "hours.continuous_h", hours.continuous_h, f"≤ {MAX_CONTINUOUS_H}")
    if hours.rest_min < MIN_REST_MIN:
        yield _fault(book, clause, "hours.rest_min", hours.rest_min, f"≥ {MIN_REST_MIN}")


def _weekly_rest(book: Book, clause: StandardClause) -> Iterator[Fault]:
    hours = book.model.hours
    if hours is None:
        yield _silent(book, clause, "hours")
    elif hours.weekly_rest_days < 1:
        yield _fault(book, clause, "hours.weekly_rest_days", hours.weekly_rest_days, "≥ 1")


def _delivery_time(book: Book, clause: StandardClause) -> Iterator[Fault]:
    hours = book.model.hours
    if hours is None:
        yield _silent(book, clause, "hours")
    elif hours.max_speed_kmh > MAX_SPEED_KMH:
        yield _fault(book, clause, "hours.max_speed_kmh", hours.max_speed_kmh, f"≤ {MAX_SPEED_KMH}")


def _scores_deliveries(book: Book) -> bool:
    """Whether a rule, its own or inherited, is about deliveries: in any other book lateness costs nothing."""
    return any("delivered" in rule.kind for rule in book.model.rule)


def _make_up_time(book: Book, clause: StandardClause) -> Iterator[Fault]:
    if book.model.lateness == "gross" and _scores_deliveries(book):
        yield _fault(book, clause, "lateness", '"gross"', '"remaining"')


def _published(book: Book, clause: StandardClause) -> Iterator[Fault]:
    publication = book.model.publication
    if publication is None:
        yield _silent(book, clause, "publication")
    elif not publication.consulted:
        yield _fault(book, clause, "publication.consulted", "[]", severity="warning")


def _no_volume_bonus(book: Book, clause: StandardClause) -> Iterator[Fault]:
    for rule in book.model.rule:
        volume = rule.when.num_delivered
        if volume is None or (volume.over is None and not volume.from_):
            continue
        if max(_money(rule)) > 0:
            yield _fault(book, clause, "when.num_delivered", severity="error", rule=rule.id)


def _appeal(book: Book, clause: StandardClause) -> Iterator[Fault]:
    appeal = book.model.appeal
    if appeal is None:
        yield _silent(book, clause, "appeal")
    elif appeal.on_timeout != "for_rider":
        yield _fault(book, clause, "appeal.on_timeout", f'"{appeal.on_timeout}"', '"for_rider"')


def _severe_weather(book: Book, clause: StandardClause) -> Iterator[Fault]:
    if not _scores_deliveries(book):
        return
    rows = sorted((row for row in book.model.report if row.kind == "severe_weather"), key=lambda row: row.level_from)
    for level in range(SEVERE_LEVEL, MAX_LEVEL + 1):
        in_force = [row for row in rows if row.level_from <= level]
        if not in_force or not in_force[-1].exempt:
            yield _fault(book, clause, "report", level, severity="warning")
            return


def _suspension_by_person(book: Book, clause: StandardClause) -> Iterator[Fault]:
    suspension = book.model.suspension
    if suspension is None:
        yield _silent(book, clause, "suspension")
    elif suspension.decided_by != "person":
        yield _fault(book, clause, "suspension.decided_by", f'"{suspension.decided_by}"', '"person"')


def _suspension_notice(book: Book, clause: StandardClause) -> Iterator[Fault]:
    suspension = book.model.suspension
    if suspension is None:
        yield _silent(book, clause, "suspension")
    elif suspension.notice_days < MIN_SUSPENSION_NOTICE_DAYS:
        given, allowed = suspension.notice_days, f"≥ {MIN_SUSPENSION_NOTICE_DAYS}"
        yield _fault(book, clause, "suspension.notice_days", given, allowed, severity="warning")


GB = "GB/T 46862-2025"
CLAUSES = (
    StandardClause("no_fines", NO_FINES_CLAUSE, _no_fines),
    StandardClause("daily_hours", f"{GB} 7.4.1 a", _daily_hours),
    StandardClause("continuous_work", f"{GB} 7.4.1 b", _continuous_work),
    StandardClause("weekly_rest", f"{GB} 7.4.1 e", _weekly_rest),
    StandardClause("delivery_time", f"{GB} 7.4.4", _delivery_time),
    StandardClause("make_up_time", GB, _make_up_time),
    StandardClause("published", GB, _published),
    StandardClause("no_volume_bonus", GB, _no_volume_bonus),
    StandardClause("appeal", GB, _appeal),
    StandardClause("wage", "2021 guidance", _wage),
    StandardClause("merchant_slow", "Beijing 2026-08", _make_up_time),
    StandardClause("severe_weather", "Suzhou 2026-08", _severe_weather),
    StandardClause("suspension_by_person", "EU 2024/2831", _suspension_by_person),
    StandardClause("suspension_notice", "Seattle", _suspension_notice),
)
