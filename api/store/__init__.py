"""The store: all SQL of the service, on SQLite and PostgreSQL alike."""
