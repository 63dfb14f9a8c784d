"""A study small enough to run many times: a few riders, one day, rounds of ten minutes."""

from typing import Any

from api.studies.design import StudyRequest

TINY = (
    "riders=8",
    "orders_per_day=60",
    "warm_up_days=0",
    "sending.period_s=600",
)


def request(**given: Any) -> StudyRequest:
    """Two seeds of the tiny city, the old fine against the score, nothing varied."""
    values: dict[str, Any] = {
        "scenario": "ordinary-week",
        "books": ("legacy-fine", "taobao-crowdsourced"),
        "seeds": 2,
        "days": 1,
        "jobs": 1,
        "sets": TINY,
        "sensitivity": "off",
    }
    return StudyRequest(**{**values, **given})
