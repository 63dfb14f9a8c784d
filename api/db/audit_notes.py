"""Lines of the audit trail, written beside the change that they tell of."""

import json
from typing import Any

from sqlalchemy import insert

from api.db.tables import audit
from api.db.unit_of_work import WriteUnit


def add_audit_note(unit: WriteUnit, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Add a line to the audit trail; `detail` never holds personal fields, its `city` says where."""
    unit.connection.execute(
        insert(audit),
        {
            "recorded_us": unit.recorded_us,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True),
            "city": detail.get("city"),
        },
    )
