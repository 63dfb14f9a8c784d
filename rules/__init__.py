"""The vocabulary and the law: units, events, rule books, checks, compilation.

Pure: no clock, no network, no database; `rules/shelf.py` alone reads files.
"""
