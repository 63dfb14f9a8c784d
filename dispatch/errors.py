"""The family of errors of dispatch."""


class DispatchError(ValueError):
    """What cannot be dispatched, or not so."""
