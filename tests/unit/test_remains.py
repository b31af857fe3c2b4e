"""The metrics of processes that have ended."""

import os
import shutil
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from qa_site import remains
from qa_site.supervisor import Supervisor

BEYOND = 5_000_000
"""No process has a number as high."""

COUNTING = """
import sys
from prometheus_client import Counter, Gauge, Histogram
Counter("answers", "Answers", ["route"]).labels(sys.argv[1]).inc(2)
Histogram("seconds", "Seconds", buckets=(1, 5)).observe(3)
Gauge("state", "State", multiprocess_mode="livemax").set(2)
print("counted", flush=True)
if sys.argv[2:]:
    sys.stdin.read()
"""


def counting(folder, *arguments):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", COUNTING, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.fixture
def ended(tmp_path):
    """A folder with the files of three processes that have ended."""
    for route in ("hybrid", "hybrid", "cached"):
        with counting(tmp_path, route) as process:
            process.communicate()
        assert process.returncode == 0
    return tmp_path


def told(folder):
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return {
        (sample.name, *sample.labels.items()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if metric.name != "state"
    }


def test_what_was_counted_stays_in_the_sums(ended):
    before = told(ended)
    assert before["answers_total", ("route", "hybrid")] == 4
    assert before["seconds_bucket", ("le", "5.0")] == 3
    remains.tidy(ended, tolerated=0)
    assert told(ended) == before
    with counting(ended, "cached") as another:
        another.communicate()
    remains.tidy(ended, tolerated=0)
    assert told(ended) == before | {
        ("answers_total", ("route", "cached")): 4,
        ("seconds_bucket", ("le", "5.0")): 4,
        ("seconds_bucket", ("le", "+Inf")): 4,
        ("seconds_count",): 4,
        ("seconds_sum",): 12,
    }


def test_however_many_ended_there_are_no_more_files(ended):
    remains.tidy(ended, tolerated=0)
    assert sorted(path.name for path in ended.iterdir()) == ["counter_0.db", "histogram_0.db"]


def test_those_of_a_few_are_left_where_they_are(ended):
    """But for what says how it is: that of a process which has ended would stand for ever."""
    remains.tidy(ended, tolerated=3)
    assert sorted(path.name.split("_")[0] for path in ended.iterdir()) == ["counter"] * 3 + ["histogram"] * 3


def test_those_of_a_process_that_lives_stay(tmp_path):
    with counting(tmp_path, "hybrid", "stay") as process:
        process.stdout.readline()
        before = sorted(tmp_path.iterdir())
        remains.tidy(tmp_path, tolerated=0)
        assert sorted(tmp_path.iterdir()) == before
        assert len(before) == 3
        process.communicate()


def test_the_supervisor_looks_after_them(ended, tmp_path):
    """Once there are many."""
    (counter,) = sorted(ended.glob("counter_*"))[:1]
    for number in range(remains.TOLERATED):
        shutil.copyfile(counter, ended / f"counter_{BEYOND + number}.db")
    before = told(ended)
    Supervisor(ended, {"PROMETHEUS_MULTIPROC_DIR": str(ended)}, tmp_path, say=print).tidy()
    assert told(ended) == before
    assert len(list(ended.glob("*.db"))) == 2
