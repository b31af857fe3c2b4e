"""What runs on a schedule, while Postgres is away."""

import logging

import pytest

from retrieval import tasks


@pytest.mark.parametrize("task", [tasks.tidy_vectors, tasks.complete_vectors])
def test_it_is_put_off_in_a_line(task, settings, caplog, tmp_path):
    settings.DATABASE_URL = f"postgresql://postgres@/citefirst?host={tmp_path}"
    with caplog.at_level(logging.WARNING, logger="retrieval.tasks"):
        task()
    (record,) = (record for record in caplog.records if record.name == "retrieval.tasks")
    assert record.getMessage().startswith("not done now: ")
    assert "\n" not in record.getMessage()
    assert record.exc_info is None
