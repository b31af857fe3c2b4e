import subprocess
import sys

import psutil

from tests.processes import running


def test_a_process_that_has_just_ended_is_passed_over():
    ended = subprocess.Popen([sys.executable, "-c", "'a mark'"])
    waiting = subprocess.Popen([sys.executable, "-c", "input('a mark')"], stdin=subprocess.PIPE)
    try:
        while (process := psutil.Process(ended.pid)).status() != psutil.STATUS_ZOMBIE:
            pass
        assert running([process, psutil.Process(waiting.pid)], "a mark") == [psutil.Process(waiting.pid)]
    finally:
        ended.communicate()
        waiting.communicate(b"\n")
