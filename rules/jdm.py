"""A rule book as a GoRules JSON Decision Model (JDM): one decision table per group, chained.

The document decides what `conditions.match` decides: which rules fire for the facts of an event (`conditions.FACTS`, plus
`kind` and `fee_fen`), with points and money before any cap. Numbers are those of the compiled facts, -1 for an unknown
one; `rider_kind`, `party` and `liable` are words of `conditions.SET_FACTS`, null for an unknown one. Caps, protections and the
clamp depend on the rider's history and are not part of it. The answer stands under `fired`, in reading order.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rules.book import Book, BookDocument, Rule, RuleGroup
from rules.conditions import FACTS, MAX_FACT, SET_FACTS, Condition, conditions_of, points_corners, share_corners
from rules.text import Lang
from rules.units import PERMILLE

CONTENT_TYPE = "application/vnd.gorules.decision"
_OUTPUTS = ("rule_id", "delta_mp", "money_fen")
_X_STEP = 320


def to_jdm(book: Book, lang: Lang = "en") -> dict[str, Any]:
    """The book's groups as a JDM document; titles in one language.

    Parameters
    ----------
    book
        A sound book.
    lang
        Language of the titles.

    Returns
    -------
    dict
        A JSON document of content type `CONTENT_TYPE`.
    """
    model = book.model
    tables = [
        _table(position, group, rows, model, lang) for position, (group, rows) in enumerate(_grouped(model)) if rows
    ]
    nodes = [
        _node("event", "inputNode", "event"),
        *tables,
        _node("fired", "expressionNode", "fired") | {"content": _fired(tables)},
        _node("entries", "outputNode", "entries"),
    ]
    for position, node in enumerate(nodes):
        node["position"] = {"x": position * _X_STEP, "y": 0}
    edges = [
        {"id": f"edge{position}", "sourceId": source["id"], "targetId": target["id"], "type": "edge"}
        for position, (source, target) in enumerate(pairwise(nodes))
    ]
    name = f"{model.title.zh if lang == 'zh' else model.title.en} {model.effective_from}"
    settings = {"book": book.id, "digest": book.digest, "effective_from": model.effective_from.isoformat()}
    return {"contentType": CONTENT_TYPE, "name": name, "settings": settings, "nodes": nodes, "edges": edges}


def _grouped(book: BookDocument) -> list[tuple[RuleGroup, list[Rule]]]:
    return [
        (group, [rule for rule in book.rule if rule.group == group.id and _can_hold(conditions_of(rule, book))])
        for group in book.group
    ]


def _can_hold(tests: Sequence[Condition]) -> bool:
    # JDM has no spelling of an empty set; such a row never fires and is left out.
    return all(test.codes is None or test.codes for test in tests)


def _node(node_id: str, kind: str, name: str) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "name": name}


def _table(position: int, group: RuleGroup, rules: list[Rule], book: BookDocument, lang: Lang) -> dict[str, Any]:
    # Group ids may hold dots, which JDM reads as nested paths: the answer goes by position instead.
    title = group.id if group.title is None else (group.title.zh if lang == "zh" else group.title.en)
    content = {
        "hitPolicy": "first" if group.hit == "first" else "collect",
        "inputs": [{"id": fact, "name": fact, "field": fact} for fact in ("kind", *FACTS)],
        "outputs": [{"id": output, "name": output, "field": output} for output in _OUTPUTS],
        "rules": [_row(rule, book, lang) for rule in rules],
        "passThrough": True,
        "inputField": None,
        "outputPath": f"group{position}",
        "executionMode": "single",
    }
    return _node(f"group{position}", "decisionTableNode", title) | {"content": content}


def _row(rule: Rule, book: BookDocument, lang: Lang) -> dict[str, str]:
    row = {
        "_id": rule.id,
        "_description": rule.title.zh if lang == "zh" else rule.title.en,
        "kind": ", ".join(f'"{kind}"' for kind in rule.kind),
    }
    row |= dict.fromkeys(FACTS, "")
    for test in conditions_of(rule, book):
        row[test.fact] = _cell(test)
    money_fen = str(rule.money_fen or 0)
    shares = share_corners(rule)
    if any(share for _, share in shares):
        money_fen = _slide(shares, factor="fee_fen * ", divisor=PERMILLE)
    return row | {"rule_id": f'"{rule.id}"', "delta_mp": _slide(points_corners(rule)), "money_fen": money_fen}


def _cell(test: Condition) -> str:
    if test.codes is not None:
        return ", ".join(f'"{SET_FACTS[test.fact][code]}"' for code in sorted(test.codes))
    return f">= {test.lo}" if test.hi >= MAX_FACT else f"[{test.lo}..{test.hi}]"


def _slide(corners: Sequence[tuple[int, int]], factor: str = "", divisor: int = 1) -> str:
    """A sliding scale as one expression, truncated toward zero as `conditions.outcome` does."""

    def value(numerator: str, denominator: int) -> str:
        if not factor and denominator == 1:
            return numerator
        return f"trunc({factor}({numerator}) / {denominator})"

    expression = value(str(corners[-1][1]), divisor)
    for (x0, v0), (x1, v1) in reversed(list(pairwise(corners))):
        numerator = f"({v0}) * {x1 - x0} + ({v1 - v0}) * (late_s - {x0})"
        expression = f"late_s <= {x1} ? {value(numerator, (x1 - x0) * divisor)} : ({expression})"
    if len(corners) > 1:
        first_x, first_v = corners[0]
        expression = f"late_s <= {first_x} ? {value(str(first_v), divisor)} : ({expression})"
    return expression


def _fired(tables: list[dict[str, Any]]) -> dict[str, Any]:
    lists = [f"[{table['id']}]" if table["content"]["hitPolicy"] == "first" else table["id"] for table in tables]
    value = f"filter(flatMap([{', '.join(lists)}], #), #.rule_id != null)"
    return {
        "expressions": [{"id": "fired", "key": "fired", "value": value}],
        "passThrough": False,
        "inputField": None,
        "outputPath": None,
        "executionMode": "single",
    }
