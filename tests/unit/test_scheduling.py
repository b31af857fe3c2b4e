"""What comes again on a schedule, on a clock that is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from qa_site.celery import app
from qa_site.scheduling import Scheduler

HOUR = timedelta(hours=1)


@contextmanager
def started(folder: Path) -> Iterator[Scheduler]:
    scheduler = Scheduler(app, schedule_filename=str(folder / "schedule"))
    scheduler.setup_schedule()
    try:
        yield scheduler
    finally:
        scheduler._store.close()


OFTEN = min(job["schedule"] for job in settings.CELERY_BEAT_SCHEDULE.values())


def test_it_is_the_one_that_is_used():
    assert app.conf.beat_scheduler == "qa_site.scheduling:Scheduler"


def test_after_the_clock_was_set_back_tasks_come_as_often_as_before(tmp_path):
    with started(tmp_path) as scheduler:
        assert scheduler.tick() <= OFTEN
        for entry in scheduler.schedule.values():
            entry.last_run_at += HOUR
        scheduler._heap = [
            event._replace(time=event.time + HOUR.total_seconds()) for event in scheduler._heap
        ]
        assert scheduler.tick() <= OFTEN


def test_what_a_wrong_clock_wrote_down_holds_up_no_later_start(tmp_path):
    with started(tmp_path) as before:
        for entry in before.schedule.values():
            entry.last_run_at += 10_000 * HOUR
    with started(tmp_path) as after:
        assert after.tick() <= OFTEN
