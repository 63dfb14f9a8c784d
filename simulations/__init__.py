"""Worlds to study a rule in: seeded cities and how riders respond."""
