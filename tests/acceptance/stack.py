"""`manage.py up` as a newcomer runs it: a process of its own, with nothing set."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from qa_site import places
from tests.conftest import SETTINGS
from tests.processes import running

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a-password-for-tests"


def bare_environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not SETTINGS.match(name)}
    return inherited | {"ADMIN_PASSWORD": PASSWORD} | settings


def manage(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=bare_environment(**settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )


@contextmanager
def data_folder() -> Iterator[Path]:
    """Outside pytest's own folder, which each run of pytest closes to the account that runs Postgres."""
    place = Path(tempfile.mkdtemp(prefix="citefirst tests "))
    try:
        yield place / "the data"
    finally:
        shutil.rmtree(places.socket_dir(place / "the data"), ignore_errors=True)
        shutil.rmtree(place)


class Stack:
    """A running `up`, as far as the line with `until`. `url` is what its Ready line says."""

    def __init__(
        self,
        data: Path,
        *options: str,
        until: str = "Ready: ",
        start_new_session: bool = False,
        **settings: str,
    ) -> None:
        self.data = data
        self.options = options
        self.settings = settings
        self.until = until
        self.start_new_session = start_new_session
        self.start()

    def start(self) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "manage.py"),
                "up",
                "--port",
                "0",
                "--data",
                str(self.data),
                *self.options,
            ],
            env=bare_environment(**self.settings),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=self.start_new_session,
        )
        self.url = self.wait_for(self.until).rpartition("Ready: ")[2]

    def wait_for(self, text: str) -> str:
        """The first new line of the output that contains `text`."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return line.rstrip()
        raise AssertionError(f"ended without {text!r}:\n" + "\n".join([*self.lines, *self.logs()]))

    def logs(self) -> Iterator[str]:
        for log in sorted((self.data / "logs").glob("*.log")):
            yield f"--- {log.name}"
            yield from log.read_text(errors="replace").splitlines()[-15:]

    def family(self) -> list[psutil.Process]:
        """`up` and all that it started."""
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def running(self, command: str) -> list[psutil.Process]:
        """Those of the family whose command line holds `command`."""
        return running(self.family(), command)

    def status(self, path: str) -> int:
        with urllib.request.urlopen(self.url + path, timeout=60) as reply:
            return int(reply.status)

    def end(self, number: int = signal.SIGTERM) -> list[psutil.Process]:
        """Signals `up` alone, and waits. Returns what is still there after that."""
        if self.process.poll() is not None:
            return []
        family = self.family()
        self.process.send_signal(number)
        _, left = psutil.wait_procs(family, timeout=20)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        return [process for process in left if process.is_running()]
