"""The `riderscore` command, one module per command group."""
