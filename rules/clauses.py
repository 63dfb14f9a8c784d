"""The clauses of `standard` that apply to each part of a book, whether the book breaks them or not.

`standard` says what is wrong; here stands what a person should read next to a row. The words of a clause are in the
catalogs: `clause.<name>` its title, `law.<name>` what it asks for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.book import BookDocument, Rule
from rules.conditions import can_deduct, share_corners
from rules.standard import CLAUSES
from rules.structure import FINE_FREE_KINDS

NUMBERS = {clause.name: clause.number for clause in CLAUSES}


@dataclass(frozen=True, slots=True)
class PartClause:
    """One clause beside one part of a book.

    Parameters
    ----------
    part
        `rule`, `tier`, `report`; empty for a table of the book itself.
    name
        The part's id.
    pointer
        JSON pointer to it in the document.
    clause
        Name of the clause (`rules.standard`).
    number
        Its number in GB/T 46862-2025 or another source.
    """

    part: str
    name: str
    pointer: str
    clause: str
    number: str


def clauses_for(book: BookDocument) -> tuple[PartClause, ...]:
    """Every clause beside every part that it speaks about, in the order of the document.

    Parameters
    ----------
    book
        A sound book.

    Returns
    -------
    tuple of PartClause
        Each with a JSON pointer to its part.
    """
    clauses = [PartClause("", "", f"/{key}", clause, NUMBERS[clause]) for key, clause in _TABLES]
    for position, rule in enumerate(book.rule):
        clauses += [
            PartClause("rule", rule.id, f"/rule/{position}", clause, NUMBERS[clause]) for clause in _of_rule(rule)
        ]
    for position, tier in enumerate(book.tier):
        if tier.review:
            clause = "suspension_by_person"
            clauses.append(PartClause("tier", tier.id, f"/tier/{position}", clause, NUMBERS[clause]))
    for position, report in enumerate(book.report):
        clause = {"merchant_slow": "merchant_slow", "severe_weather": "severe_weather"}.get(report.kind, "")
        if clause:
            clauses.append(PartClause("report", report.kind, f"/report/{position}", clause, NUMBERS[clause]))
    return tuple(clauses)


_TABLES = (
    ("lateness", "make_up_time"),
    ("publication", "published"),
    ("hours", "daily_hours"),
    ("hours", "continuous_work"),
    ("hours", "weekly_rest"),
    ("hours", "delivery_time"),
    ("appeal", "appeal"),
    ("suspension", "suspension_by_person"),
    ("suspension", "suspension_notice"),
)


def _of_rule(rule: Rule) -> Iterator[str]:
    money = [rule.money_fen or 0, *(share for _, share in share_corners(rule))]
    if can_deduct(rule) and set(rule.kind) & set(FINE_FREE_KINDS):
        yield "no_fines"
    if can_deduct(rule) and "delivered" in rule.kind:
        yield "make_up_time"
        yield "merchant_slow"
        yield "severe_weather"
        yield "delivery_time"
    if can_deduct(rule):
        yield "appeal"
    if rule.when.num_delivered is not None or max(money) > 0:
        yield "no_volume_bonus"
    if min(money) < 0 and not set(rule.kind) & set(FINE_FREE_KINDS):
        yield "wage"
