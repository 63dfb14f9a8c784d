"""JSON logs: one line an event, on stderr. Names, phones, tokens and bodies never stand in them.

Whoever writes a line never waits for whoever reads it (`api.endpoints.common.log_output`).
"""

import logging
from typing import Any, Final, TextIO

import structlog

from api.endpoints.common.log_output import LogOutput, stderr_output

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def make_log(level: str = "info", file: TextIO | LogOutput | None = None) -> Any:
    """A logger that writes JSON lines from a level on, to stderr unless a file is given.

    Raises
    ------
    ValueError
        If there is no such level.
    """
    if level not in _LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(_LEVELS)}")
    return structlog.wrap_logger(
        structlog.WriteLogger(file or stderr_output()),  # type: ignore[arg-type]
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )


class _Relay(logging.Handler):
    """Lines of libraries that use the standard library's logging."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line as ours."""
        self._log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def relay_libraries(log: Any, *names: str) -> None:
    """Let the loggers of libraries write where we do, and nowhere else."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers = [_Relay(log)]
        logger.propagate = False
        logger.setLevel(logging.INFO)
