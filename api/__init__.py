"""Everything that meets the outside: files, database, command line, service."""
