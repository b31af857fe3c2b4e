"""Structured logs: one JSON object a line, with every `extra` of the call beside the message."""

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

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
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)
