"""The layouts (`scoring.layout`) of the riders in a database, by digest."""

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from api.db.bulk import add_missing, among
from api.db.tables import layouts
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.compile import Program
from scoring.layout import StateLayout, layout_of, read_layout

# By digest, None for those of other builds. A digest is the content: this holds for every database.
_KNOWN: Final[dict[str, StateLayout | None]] = {}


def layouts_of(unit: ReadUnit | WriteUnit, digests: Iterable[str | None]) -> dict[str | None, StateLayout | None]:
    """Layouts by digest; None for those of riders that must be made again from events."""
    wanted = {digest for digest in digests if digest is not None}
    missing = sorted(wanted - _KNOWN.keys())
    if missing:
        query = select(layouts).where(among(unit, layouts.c.digest, missing))
        _KNOWN.update({row.digest: read_layout(row.document) for row in unit.connection.execute(query)})
    return {digest: _KNOWN[digest] for digest in wanted}


def add_layout(unit: WriteUnit, program: Program) -> str:
    """Have the layout of a program's riders stored; its digest."""
    layout = layout_of(program)
    if unit.connection.scalar(select(layouts.c.digest).where(layouts.c.digest == layout.digest)) is None:
        add_missing(unit, layouts, [{"digest": layout.digest, "document": json.dumps(layout.document())}])
    return layout.digest
