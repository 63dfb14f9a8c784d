"""Every door to the outside: files, command line, service."""
