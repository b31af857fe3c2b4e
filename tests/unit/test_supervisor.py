import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qa_site.supervisor import Job, Supervisor


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(tmp_path, clock, said):
    supervisor = Supervisor(tmp_path, {}, tmp_path, say=said.append, clock=clock)
    yield supervisor
    supervisor.stop()


DEAF = "import pathlib, signal, sys; signal.signal(15, signal.SIG_IGN); pathlib.Path(sys.argv[1]).touch()"
ROOT = Path(__file__).resolve().parents[2]


def python(code):
    return [sys.executable, "-c", code]


def until(supervisor, said, count):
    while len(said) < count:
        supervisor.look()


def test_what_died_is_started_again_after_its_pause(supervisor, clock, said, tmp_path):
    supervisor.add(Job("short", python("print('once more', flush=True)")))
    until(supervisor, said, 1)
    supervisor.look()
    assert len(said) == 1  # its pause is not over
    clock.now += 0.6
    until(supervisor, said, 2)
    assert (tmp_path / "short.log").read_text().count("once more") == 2


def test_the_pause_doubles(supervisor, clock, said):
    supervisor.add(Job("short", python("raise SystemExit(3)")))
    for count in range(1, 4):
        until(supervisor, said, count)
        clock.now += 40
    assert [line.split(" in ")[1].split(" s.")[0] for line in said] == ["0.5", "1", "2"]
    assert "exit status 3" in said[0]


def test_a_process_that_ignores_the_signal_is_killed(supervisor, tmp_path):
    ready = tmp_path / "ready"
    supervisor.add(Job("deaf", [*python(f"{DEAF}; signal.pause()"), str(ready)], patience=0.1))
    process = supervisor._running[0].process
    while not ready.exists():
        assert process.poll() is None
    supervisor.stop()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_a_process_that_ignores_the_signal_ends_with_a_supervisor_that_is_killed(tmp_path):
    ready = tmp_path / "ready"
    job = [*python(f"{DEAF}; signal.pause()"), str(ready)]
    code = (
        "import pathlib, signal; from qa_site.supervisor import Job, Supervisor;"
        f"folder = pathlib.Path({str(tmp_path)!r}); made = Supervisor(folder, {{}}, folder, say=print);"
        f"made.add(Job('deaf', {job!r})); print(made._running[0].process.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen(python(code), cwd=ROOT, stdout=subprocess.PIPE) as parent:
        deaf = os.pidfd_open(int(parent.stdout.readline()))
        while not ready.exists():
            assert parent.poll() is None
        parent.kill()
    try:
        ended, _, _ = select.select([deaf], [], [], 10)
        if not ended:
            signal.pidfd_send_signal(deaf, signal.SIGKILL)
        assert ended
    finally:
        os.close(deaf)
