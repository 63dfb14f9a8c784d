"""The database: engines, units of work, tables, and rows that many subjects share."""
