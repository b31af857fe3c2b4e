"""Structured logs: one JSON object a line, with every `extra` of the call beside the message."""

import json
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied, RequestAborted

from retrieval.outages import is_outage

ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Routine(logging.Filter):
    """Passes over what `tasks`, which run on a schedule, have to say while all is well: every 15 s, for years."""

    def __init__(self, tasks: Iterable[str]) -> None:
        super().__init__()
        self.tasks = frozenset(tasks)

    def filter(self, record: logging.LogRecord) -> bool:
        said = getattr(record, "data", None)  # Celery's own extra
        return (
            record.levelno > logging.INFO or not isinstance(said, dict) or said.get("name") not in self.tasks
        )


class Departed(logging.Filter):
    """Passes over readers whose event stream was open when the process was told to stop: Django raises an error for
    each that nobody takes up."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.name == "asyncio" and record.exc_info and record.exc_info[0] is RequestAborted)


class Seldom(logging.Filter):
    """Of lines that say the same again and again, as while Postgres is away, lets through so many a minute. The next
    one after that says how many were `held_back`."""

    def __init__(self, a_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.a_minute = a_minute
        self._clock = clock
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}  # when the minute began, lines since

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        # What differs stands behind a colon, in libraries too.
        fault = record.exc_info[0] if record.exc_info else None
        same = (record.name, record.levelno, fault, record.getMessage().partition(":")[0])
        began, count = self._seen.get(same, (now, 0))
        if now - began >= 60:
            if count > self.a_minute:
                record.held_back = count - self.a_minute
            began, count = now, 0
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[same] = (began, count + 1)
        return count < self.a_minute


class JsonFormatter(logging.Formatter):
    """A record as one line: time, level, logger, message, then what the call gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields.update((key, value) for key, value in vars(record).items() if key not in ORDINARY)
        # Who calls the server by a wrong name, sends what Django suspects, or may not do something, is no bug of ours.
        if record.exc_info and is_outage(record.exc_info[1]):
            fields["cause"] = str(record.exc_info[1]).partition("\n")[0]
        elif record.exc_info and not (
            (record.name or "").startswith("django.security.")
            or isinstance(record.exc_info[1], PermissionDenied)
        ):
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)
