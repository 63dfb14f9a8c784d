"""The scoring of posts without a server."""

from sqlalchemy import select

from api.db.store import Store
from api.service import Service
from api.settings import Settings
from tests.api.ledger.posts import START_US


def service_on(store: Store) -> Service:
    """A service whose clock stands still."""
    return Service(store, Settings(database_url=store.url), clock=lambda: START_US)


def copy_law(store: Store, other: Store) -> None:
    """Give another store the law of this one."""
    from api.db import tables

    for name in ("books", "deployments", "law"):
        table = getattr(tables, name)
        with store.reading() as unit:
            rows = [dict(row) for row in unit.connection.execute(select(table)).mappings()]
        with other.writing(START_US) as unit:
            if name == "law":
                unit.connection.execute(table.update().values(**rows[0]))
            else:
                unit.connection.execute(table.insert(), rows)
