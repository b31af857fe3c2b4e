"""Counts what the application logs as an error, so that a bug that degrades quietly is a failed check."""

import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Watch(logging.Handler):
    """`seen` counts errors by message and, where there was an exception, its last line and place."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error is not None:
            place = traceback.extract_tb(error.__traceback__)[-1:]
            at = f" ({place[0].filename.rpartition('/')[2]}:{place[0].lineno})" if place else ""
            text += f": {error!r}{at}"
        self.seen[text] += 1


@contextmanager
def watched() -> Iterator[Watch]:
    """Errors of the application are counted, and not printed, meanwhile."""
    watch = Watch()
    loggers = [logging.getLogger(name) for name in ("answering", "retrieval", "asyncio")]
    for logger in loggers:
        logger.addHandler(watch)
        logger.propagate = False
    try:
        yield watch
    finally:
        for logger in loggers:
            logger.removeHandler(watch)
            logger.propagate = True
