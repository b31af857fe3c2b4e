"""A Redis that keeps connections open and does not answer."""

import math
import signal
import threading
import time
from contextlib import contextmanager
from uuid import uuid4

from retrieval import tasks


@contextmanager
def hanging(servers):
    (redis,) = (child for server, child in servers.children if server.name == "Redis")
    redis.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        redis.send_signal(signal.SIGCONT)


def test_who_sends_files_waits_for_it_once_and_not_for_ever(servers, caplog):
    took = []

    def send() -> None:
        for _ in range(3):
            began = time.monotonic()
            tasks.queue(uuid4())
            took.append(time.monotonic() - began)

    sender = threading.Thread(target=send, daemon=True)
    with hanging(servers):
        sender.start()
        sender.join(30)
        assert not sender.is_alive()
    tasks._broker.ask_from = -math.inf  # for the tests to come
    first, *others = took
    assert max(others) < first / 2
    assert "waits for the queue to come back" in caplog.text
