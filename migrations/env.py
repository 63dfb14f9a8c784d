"""Run by Alembic: migrations on the connection that `api.db.schema` hands over. There is no alembic.ini."""

from alembic import context

from api.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
