"""Rounds of dispatch: routes and shapes."""
