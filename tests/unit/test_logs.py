import json
import logging
import sys

from qa_site.logs import JsonFormatter, Routine


def test_a_record_is_one_line_with_its_extras():
    record = logging.makeLogRecord(
        {
            "name": "answering",
            "levelname": "WARNING",
            "msg": "late: %s",
            "args": ("embed",),
            "stage": "embed",
            "ms": 1200,
        }
    )
    line = JsonFormatter().format(record)
    read = json.loads(line)
    assert (read["logger"], read["level"], read["message"]) == ("answering", "warning", "late: embed")
    assert (read["stage"], read["ms"]) == ("embed", 1200)
    assert "\n" not in line


def test_an_exception_stays_on_the_line():
    try:
        raise ValueError("no such page")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "no such page" in json.loads(line)["exception"]


def test_what_runs_on_a_schedule_is_only_told_when_it_goes_wrong():
    def record(task, level):
        return logging.makeLogRecord({"msg": "succeeded", "levelno": level, "data": {"name": task}})

    routine = Routine(["tasks.sweep"])
    assert not routine.filter(record("tasks.sweep", logging.INFO))
    assert routine.filter(record("tasks.sweep", logging.ERROR))
    assert routine.filter(record("tasks.index", logging.INFO))
    assert routine.filter(logging.makeLogRecord({"msg": "ready", "levelno": logging.INFO}))
