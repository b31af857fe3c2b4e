"""Celery's scheduler, on a clock that may be set."""

from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Celery waits for the time of day. After that was set back, also while this did not run, each task would wait
    until it has come again: hours, or years for a machine that started with a wrong clock."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        now = self.app.now()
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > now]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            self._heap = None  # made anew from the entries
        seconds: float = super().tick(*args, **kwargs)
        return seconds
