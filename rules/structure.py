"""What the parts of one document must agree on before it can be compiled.

Works on raw TOML values and tolerates anything in them, so that these faults are reported together with those of
types and ranges. Rules compared with each other, and versions with each other, are `check`.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rules.errors import Fault
from rules.events import CONTROL_KINDS
from rules.validation import PARTS, as_written

RESERVED_IDS = ("newcomer", "cost_limit", "ceiling", "floor", "base", "reset", "training", "fading")
FINE_FREE_KINDS = ("delivered", "bad_review", "complaint")
NO_FINES_CLAUSE = "GB/T 46862-2025 7.2.8"
_RANGES = ("late_min", "tenure_days", "num_delivered", "weather_level", "distance_km", "time_of_day", "nth_in_month")
_FEWEST_CORNERS = 2
_SLIDES = (("points_slide", "points"), ("fee_share_slide", "share"))


def structural_faults(document: dict[str, Any], file: str) -> list[Fault]:
    """Every disagreement inside one document, in its order."""
    faults: list[Fault] = []
    for find in (_ids, _scale, _rules, _caps, _tiers, _reports, _whole):
        faults += find(document, file)
    return faults


def _items(document: dict[str, Any], part: str) -> list[dict[str, Any]]:
    items = document.get(part)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


def _ids(document: dict[str, Any], file: str) -> Iterator[Fault]:
    # Entries name rules, caps and groups in one column, so their ids share one space.
    seen: dict[str, str] = {}
    for part in PARTS:
        ids_of_part: set[str] = set()
        for item in _items(document, part):
            name = item.get("id")
            if part in ("report", "deploy") or not isinstance(name, str):
                continue
            if name in ids_of_part:
                yield Fault("repeated_id", file, name, "id", as_written(name), part=part)
            elif part != "tier" and name in seen:
                params = (("other", f"@part.{seen[name]}"),)
                yield Fault("shared_id", file, name, "id", as_written(name), params=params, part=part)
            elif part != "tier" and name in RESERVED_IDS:
                yield Fault("reserved_id", file, name, "id", as_written(name), ", ".join(RESERVED_IDS), part=part)
            ids_of_part.add(name)
            if part != "tier":
                seen.setdefault(name, part)


def _scale(document: dict[str, Any], file: str) -> Iterator[Fault]:
    score = document.get("score")
    if not isinstance(score, dict):
        return
    base, floor, ceiling = (_number(score.get(key)) for key in ("base", "floor", "ceiling"))
    if base is not None and floor is not None and floor > base:
        yield Fault("score_order", file, key="score.floor", given=as_written(score["floor"]), allowed=f"≤ {base}")
    if base is not None and ceiling is not None and ceiling < base:
        yield Fault("score_order", file, key="score.ceiling", given=as_written(score["ceiling"]), allowed=f"≥ {base}")


def _rules(document: dict[str, Any], file: str) -> Iterator[Fault]:
    groups = [item["id"] for item in _items(document, "group") if isinstance(item.get("id"), str)]
    for position, rule in enumerate(_items(document, "rule")):
        name = str(rule.get("id", f"#{position + 1}"))
        group = rule.get("group")
        if isinstance(group, str) and group not in groups:
            yield Fault("unknown_group", file, name, "group", as_written(group), ", ".join(groups))
        yield from _outcome(rule, name, file)
        if document.get("regime") != "legacy":
            yield from _fines(rule, name, file)
        yield from _kinds(rule, name, file)
        when = rule.get("when")
        conditions = when if isinstance(when, dict) else {}
        for key in _RANGES:
            if isinstance(conditions.get(key), dict):
                yield from _range(conditions[key], name, f"when.{key}", file)
        for key, value in _SLIDES:
            if isinstance(rule.get(key), list):
                yield from _slide(rule[key], name, key, value, file)


def _outcome(rule: dict[str, Any], name: str, file: str) -> Iterator[Fault]:
    points = [key for key in ("points", "points_slide") if key in rule]
    money = [key for key in ("fee_share", "fee_share_slide", "money_fen") if key in rule]
    if not points and not money:
        yield Fault(
            "no_outcome", file, name, "points", allowed="points, points_slide, fee_share, fee_share_slide, money_fen"
        )
    for keys in (points, money):
        if len(keys) > 1:
            yield Fault("two_outcomes", file, name, keys[1], as_written(rule[keys[1]]), ", ".join(keys))


def _fines(rule: dict[str, Any], name: str, file: str) -> Iterator[Fault]:
    """Money off for lateness or reviews, which only a book of the legacy regime can express."""
    kind = rule.get("kind")
    kinds = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []
    if not any(value in FINE_FREE_KINDS for value in kinds):
        return
    for key in ("money_fen", "fee_share", "fee_share_slide"):
        value = rule.get(key)
        corners = value if isinstance(value, list) else [{"share": value}]
        shares = [_number(corner.get("share")) for corner in corners if isinstance(corner, dict)]
        if any(share is not None and share < 0 for share in shares):
            yield Fault("money_outside_legacy", file, name, key, as_written(value), clause=NO_FINES_CLAUSE)


def _kinds(rule: dict[str, Any], name: str, file: str) -> Iterator[Fault]:
    kind = rule.get("kind")
    kinds = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []
    for value in kinds:
        if value in CONTROL_KINDS:
            yield Fault("control_kind", file, name, "kind", as_written(value))
    if kinds and kinds != ["delivered"]:
        for key in ("points_slide", "fee_share", "fee_share_slide"):
            if key in rule:
                yield Fault("delivered_only", file, name, key, as_written(kind))


def _range(limits: dict[str, Any], name: str, key: str, file: str) -> Iterator[Fault]:
    for pair in (("over", "from"), ("up_to", "below")):
        if all(limit in limits for limit in pair):
            yield Fault("two_limits", file, name, f"{key}.{pair[1]}", as_written(limits), ", ".join(pair))
    if not any(limit in limits for limit in ("over", "from", "up_to", "below")):
        yield Fault("no_limit", file, name, key, as_written(limits), "over, from, up_to, below")
    low_key = "over" if "over" in limits else "from"
    high_key = "below" if "below" in limits else "up_to"
    low, high = _ordered(limits.get(low_key)), _ordered(limits.get(high_key))
    if low is None or high is None:
        return
    closed = low_key == "from" and high_key == "up_to"
    whole = key.endswith(("_days", "num_delivered", "_level", "nth_in_month"))
    # Over 3 and below 4 holds no whole number.
    gap = 1 if whole and low_key == "over" and high_key == "below" else 0
    if low + gap > high or (low + gap == high and not closed):
        code = "empty_time" if key.endswith("time_of_day") else "empty_range"
        yield Fault(code, file, name, key, as_written(limits))


def _ordered(value: object) -> Decimal | None:
    if isinstance(value, dt.time):
        return Decimal(value.hour * 60 + value.minute)
    return _number(value)


def _slide(corners: list[Any], name: str, key: str, value: str, file: str) -> Iterator[Fault]:
    if len(corners) < _FEWEST_CORNERS:
        yield Fault("slide_short", file, name, key, str(len(corners)), value)
    late = [_number(corner.get("late_min")) if isinstance(corner, dict) else None for corner in corners]
    for position in range(1, len(late)):
        before, late_min = late[position - 1], late[position]
        if before is not None and late_min is not None and late_min <= before:
            where = f"{key}[{position + 1}].late_min"
            yield Fault("slide_order", file, name, where, as_written(late_min), f"> {before}")


def _caps(document: dict[str, Any], file: str) -> Iterator[Fault]:
    for position, cap in enumerate(_items(document, "cap")):
        directions = [key for key in ("max_deduct", "max_award") if key in cap]
        if len(directions) != 1:
            name = str(cap.get("id", f"#{position + 1}"))
            yield Fault("cap_direction", file, name, "max_deduct", ", ".join(directions) or "–", part="cap")


def _tiers(document: dict[str, Any], file: str) -> Iterator[Fault]:
    previous: tuple[Decimal, str] | None = None
    tiers = _items(document, "tier")
    if not tiers and document.get("tier") == []:
        yield Fault("no_tier", file, key="tier")
    for position, tier in enumerate(tiers):
        name = str(tier.get("id", f"#{position + 1}"))
        limits = [key for key in ("above", "from") if key in tier]
        if len(limits) > 1:
            yield Fault("two_limits", file, name, "from", as_written(tier["from"]), "above, from", part="tier")
        if position == 0 and limits:
            yield Fault("tier_lowest", file, name, limits[0], as_written(tier[limits[0]]), part="tier")
        if position > 0 and not limits:
            yield Fault("tier_no_threshold", file, name, "from", allowed="above, from", part="tier")
        threshold = _number(tier.get(limits[0])) if limits else None
        if threshold is None:
            continue
        # `above = 75` begins just over `from = 75`.
        lowest = threshold + (Decimal("0.001") if limits[0] == "above" else 0)
        if previous and lowest <= previous[0]:
            given = as_written(tier[limits[0]])
            yield Fault("tier_order", file, name, limits[0], given, f"> {previous[1]}", part="tier")
        previous = (lowest, str(threshold))


def _reports(document: dict[str, Any], file: str) -> Iterator[Fault]:
    seen: set[tuple[object, object]] = set()
    for report in _items(document, "report"):
        kind, level = report.get("kind"), report.get("level_from", 0)
        name = str(kind)
        if isinstance(kind, str) and isinstance(level, int):
            if (kind, level) in seen:
                yield Fault("repeated_report", file, name, "level_from", as_written(level), part="report")
            seen.add((kind, level))
        if level and kind != "severe_weather":
            yield Fault("report_level", file, name, "level_from", as_written(level), part="report")
        if (report.get("exempt") is True) == ("gives_back_min" in report):
            yield Fault("report_effect", file, name, "exempt", allowed="exempt, gives_back_min", part="report")


def _whole(document: dict[str, Any], file: str) -> Iterator[Fault]:
    zone = document.get("time_zone")
    if isinstance(zone, str) and zone and not _known_zone(zone):
        yield Fault("unknown_time_zone", file, key="time_zone", given=as_written(zone))
    if "fading" in document and "reset" in document:
        yield Fault("fading_and_reset", file, key="reset", given=as_written(document["reset"]))
    newcomer = document.get("newcomer")
    if isinstance(newcomer, dict) and not newcomer.get("first_orders") and not newcomer.get("first_days"):
        yield Fault("newcomer_idle", file, key="newcomer", allowed="first_orders, first_days")
    for key in ("group", "rule"):
        if document.get(key) == []:
            yield Fault("empty_list", file, key=key, given="[]")


def _known_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
