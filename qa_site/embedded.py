"""The bundled servers, as children of ours.

Only the process that started them stops them. Others on the same data folder attach: whoever uses the servers
holds a shared lock, and their owner waits for it before it stops them. The locks are the kernel's: a killed
process leaves none behind."""

import fcntl
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

from qa_site import env, places
from qa_site.account import open_the_way, server_account
from qa_site.bundled import Postgres, Redis, Site, environment
from qa_site.errors import EmbeddedError
from qa_site.processes import tied_to_parent

LOG_LIMIT = 10 * 1024 * 1024
START_PATIENCE = 60.0  # seconds; a recovery after a crash may take its time
STOP_PATIENCE = 10.0
ERROR = re.compile("FATAL|PANIC|[Ee]rror")

Process = subprocess.Popen[bytes]


def _nothing() -> None:
    pass


class Servers:
    """The bundled servers of one data folder. For the main thread only: the children are tied to it."""

    def __init__(
        self, data: Path, *, postgres: bool = True, redis: bool = True, durable: bool = True
    ) -> None:
        self.data = data
        self.notes: list[str] = []
        self.children: list[tuple[Postgres | Redis, Process]] = []
        self._site = Site(data, places.socket_dir(data), server_account(), durable)
        self._servers: list[Postgres | Redis] = [
            *([Redis(self._site)] if redis else []),
            *([Postgres(self._site)] if postgres else []),
        ]
        self._users: int | None = None
        self._logged: dict[str, int] = {}

    def start(
        self,
        *,
        own: bool = False,
        meanwhile: Callable[[], None] = _nothing,
        held: Callable[[], None] = _nothing,
    ) -> bool:
        """Starts the servers; True when this process now owns them, False when it attached to running ones.
        `own`: never attach, but wait for the command that runs them now; `held` is told. `meanwhile`: something useful
        to do while they come up. Raises EmbeddedError."""
        if not self._servers:
            meanwhile()
            return False
        run = self.data / "run"
        places.make(self.data)
        for folder in (run, self.data / "logs"):
            folder.mkdir(mode=0o700, exist_ok=True)
        give_up = time.monotonic() + START_PATIENCE
        while True:
            with locked(run / "start.lock"):
                if not any(server.answers() for server in self._servers):
                    return self._start_all(meanwhile)
                if not own:
                    self._users = take(run / "users.lock", fcntl.LOCK_SH)
                    return False
            held()
            held = _nothing
            if time.monotonic() > give_up:
                raise EmbeddedError(
                    f"Another command uses the database in {self.data}; try again when it is done."
                )
            time.sleep(0.1)

    def stop(self, *, wait_for_others: bool = False) -> None:
        """Stops what this process started. `wait_for_others`: not before no other process uses it."""
        if self._users is not None:
            os.close(self._users)
            self._users = None
        while self.children:
            with locked(self.data / "run" / "start.lock"):  # none may attach from here on
                if not wait_for_others or self._unused():
                    self._stop_all()
                    return
            time.sleep(0.1)

    def revive(self) -> list[str]:
        """Starts again what died of the servers this process owns; returns their names."""
        dead = [server for server, child in self.children if child.poll() is not None]
        self.children = [(server, child) for server, child in self.children if child.poll() is None]
        for server in dead:
            server.prepare()
            self.children.append((server, self._spawn(server)))
        return [server.name for server in dead]

    def _unused(self) -> bool:
        try:
            os.close(take(self.data / "run" / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _start_all(self, meanwhile: Callable[[], None]) -> bool:
        self._users = take(self.data / "run" / "users.lock", fcntl.LOCK_SH)
        try:
            self._make_socket_dir()
            opened = open_the_way(self._site.account, self.data / "any")
            for server in self._servers:
                opened += server.prepare()
                self.children.append((server, self._spawn(server)))
            meanwhile()
            for server, child in self.children:
                self._await(server, child)
            if any(isinstance(server, Postgres) for server in self._servers):
                make_database(self._site.sockets)
        except BaseException:
            self._stop_all()
            raise
        if opened:
            folders = ", ".join(str(folder) for folder in dict.fromkeys(opened))
            self.notes.append(
                f"Postgres runs as {self._site.account.name}, who may now pass through {folders}."
            )
        return True

    def _make_socket_dir(self) -> None:
        """A folder that no one else can enter. In /tmp another user may have made it first."""
        folder = self._site.sockets
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.getuid(), self._site.account.uid}:
            raise EmbeddedError(f"{folder} belongs to someone else; remove it.")
        folder.chmod(0o700)
        self._site.account.own(folder)

    def _spawn(self, server: Postgres | Redis) -> Process:
        with open_log(self.data / "logs" / server.log) as output:
            self._logged[server.name] = output.tell()
            return subprocess.Popen(
                server.command(),
                cwd=server.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(),
                umask=0o077,
                start_new_session=True,  # a Ctrl-C on the terminal is for us to handle, in order
                preexec_fn=tied_to_parent(server.stop_signal),
                user=self._site.account.user,
                group=self._site.account.group,
                extra_groups=self._site.account.extra_groups,
            )

    def _await(self, server: Postgres | Redis, child: Process) -> None:
        log = self.data / "logs" / server.log
        give_up = time.monotonic() + START_PATIENCE
        while not server.answers():
            if child.poll() is not None:
                raise EmbeddedError(
                    f"{server.name} did not start: {last_error(log, self._logged[server.name])} (more in {log})"
                )
            if time.monotonic() > give_up:
                raise EmbeddedError(f"{server.name} does not answer after {START_PATIENCE:.0f} s; see {log}")
            time.sleep(0.02)

    def _stop_all(self) -> None:
        for server, child in self.children:
            if child.poll() is None:
                child.send_signal(server.stop_signal)
        for _, child in self.children:
            try:
                child.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()


def needed_servers(data: Path) -> Servers:
    """Those that no setting points elsewhere for."""
    return Servers(data, postgres=not env.text("DATABASE_URL"), redis=not env.text("REDIS_URL"))


def make_database(sockets: Path) -> None:
    """The database itself, where it does not exist yet."""
    with psycopg.connect(f"host={sockets} user=postgres dbname=postgres", autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [places.DATABASE_NAME])
        if known.fetchone() is None:
            connection.execute(f"CREATE DATABASE {places.DATABASE_NAME}")


def open_log(path: Path) -> IO[bytes]:
    """A log to append to; one that has grown large becomes `.log.1` first."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def shorten_logs(folder: Path) -> None:
    """Empties logs that have grown large while they are written to, after a copy; all who write append."""
    for path in folder.glob("*.log"):
        if path.stat().st_size > LOG_LIMIT:
            shutil.copyfile(path, path.with_suffix(".log.1"))
            os.truncate(path, 0)


def last_error(log: Path, begin: int) -> str:
    """The newest line of a server's log, from the byte `begin` on, that says what went wrong; not one that tells
    who asks how far it is."""
    lines = log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()[-20:]
    errors = [line for line in lines if ERROR.search(line) and "the database system is" not in line]
    return (errors or lines or ["it said nothing"])[-1].strip()


def take(path: Path, how: int) -> int:
    """Locks `path` and returns the descriptor that holds the lock. Raises BlockingIOError under LOCK_NB."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    descriptor = take(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)
