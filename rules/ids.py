"""Deterministic identities: the digest of a document."""

import datetime as dt
import hashlib
import json
from decimal import Decimal
from typing import Any

_MOST_DIGITS = 400


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # 1.0, 1.00 and 1 are the same number and must give the same digest.
        if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
            # Written out, 1e999999999 would take the memory of the machine.
            return str(value)
        return int(value) if value == value.to_integral_value() else str(value.normalize())
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")


def digest(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of a document of plain TOML values, independent of key order and number spelling."""
    canonical = json.dumps(document, default=_plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
