"""Rule books and their words: units, events, rule books, checks, compilation.

Pure: no clock, no network, no database; `rules/shelf.py` alone reads files.
"""
