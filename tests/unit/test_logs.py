import json
import logging
import sys

from django.core.exceptions import PermissionDenied, RequestAborted

from qa_site.logs import Departed, JsonFormatter, Routine, Seldom


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


def test_what_is_said_again_and_again_is_said_so_many_times_a_minute():
    now = [0.0]
    seldom = Seldom(2, clock=lambda: now[0])

    def say(text, name="pool", level=logging.WARNING):
        record = logging.makeLogRecord({"msg": text, "name": name, "levelno": level})
        return record, seldom.filter(record)

    assert [say(f"no connection: port {number}")[1] for number in range(5)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert say("something else")[1]
    assert say("no connection: no memory", level=logging.ERROR)[1]
    assert say("no connection: port 6", "another pool")[1]
    now[0] = 60.0
    record, told = say("no connection: port 7")
    assert told
    assert json.loads(JsonFormatter().format(record))["held_back"] == 3


def test_a_call_by_a_wrong_name_is_logged_without_a_stack():
    try:
        raise ValueError("Invalid HTTP_HOST header")
    except ValueError:
        fields = {"msg": "Invalid HTTP_HOST header", "name": "django.security.DisallowedHost"}
        record = logging.makeLogRecord(fields | {"exc_info": sys.exc_info()})
    assert "exception" not in json.loads(JsonFormatter().format(record))


def test_a_reader_who_is_there_when_the_process_stops_is_no_error():
    def record(name, error):
        return logging.makeLogRecord({"name": name, "exc_info": (type(error), error, None)})

    departed = Departed()
    assert not departed.filter(record("asyncio", RequestAborted()))
    assert departed.filter(record("asyncio", RuntimeError()))
    assert departed.filter(logging.makeLogRecord({"name": "asyncio"}))


def test_a_page_that_is_not_for_who_asks_is_logged_without_a_stack():
    try:
        raise PermissionDenied
    except PermissionDenied:
        fields = {"msg": "Forbidden (Permission denied): /library/", "name": "django.request"}
        record = logging.makeLogRecord(fields | {"exc_info": sys.exc_info()})
    assert "exception" not in json.loads(JsonFormatter().format(record))
