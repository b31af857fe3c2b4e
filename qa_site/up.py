"""What `manage.py up` does: everything in one foreground process and its children."""

import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from fcntl import LOCK_EX, LOCK_NB
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM, signal

import psutil
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from qa_site import env, first_start, outside, places
from qa_site.embedded import needed_servers, shorten_logs, take
from qa_site.errors import Unanswered, UpError
from qa_site.processes import WARM
from qa_site.supervisor import Job, Supervisor

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
READY_PATIENCE = 120.0  # seconds
INDEX_PATIENCE = 10.0  # a large index may take longer to read; questions are answered meanwhile
LOOK_EVERY = 0.25
TIDY_EVERY = 60.0


class Ready(Enum):
    NOT = auto()
    ALMOST = auto()  # questions are answered, but the index of words is still being read
    FULLY = auto()


@dataclass(frozen=True, slots=True)
class Options:
    host: str
    port: int
    web: int
    sample: bool


class Up:
    """One run of `manage.py up`."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.say = say
        self.data: Path = settings.DATA_DIR
        self.stopping = threading.Event()
        self.waiting = True
        self.servers = needed_servers(self.data)

    def run(self) -> None:
        """Returns once it was asked to stop and all is stopped. Raises UpError, EmbeddedError."""
        for number in (SIGINT, SIGTERM, SIGHUP):
            signal(number, self._stop)
        at = self.options.host, self.options.port
        with only_one(self.data), listen(*at) as listener, places.metrics_dir(self.data) as metrics:
            try:
                self.say(f"Citefirst, with its data in {self.data}")
                queue = self._look_outside()
                self._serve(listener, self._supervisor(metrics), sample=queue and self.options.sample)
            except KeyboardInterrupt:
                self.say("Stopping ...")
            finally:
                self.servers.stop()

    def _stop(self, *_: object) -> None:
        """Where it waits for others (a command that holds the servers, a Postgres that recovers, hangs or has locked
        what a migration wants) nothing looks at `stopping`."""
        self.stopping.set()
        if self.waiting:
            self.waiting = False  # once: what is then stopped is stopped in order
            raise KeyboardInterrupt

    def _look_outside(self) -> bool:
        """Looks at the servers that settings point to; whether documents can be queued."""
        if env.text("DATABASE_URL"):
            outside.check_postgres()
        if env.text("REDIS_URL"):
            try:
                warning = outside.check_redis()
            except Unanswered as error:
                self.say(f"{error} Questions are answered without it; documents wait until it is there.")
                return False
            if warning:
                self.say(warning)
        return True

    def _serve(self, listener: socket.socket, supervisor: Supervisor, *, sample: bool) -> None:
        """The first web process imports what it needs while the database comes up: it asks it nothing before the
        first request. The worker and the scheduler can wait, unless a document waits for them."""

        def start_web() -> None:
            supervisor.add(web_job(1, listener))

        try:
            self.servers.start(own=True, meanwhile=start_web, held=self._held)
            self._come_up(listener, supervisor, sample=sample)
            tidy_at = time.monotonic()
            while not self.stopping.wait(LOOK_EVERY):
                supervisor.look()
                if time.monotonic() >= tidy_at:
                    tidy_at += TIDY_EVERY
                    shorten_logs(self.data / "logs")
                    supervisor.tidy()
                for name in self.servers.revive():
                    self.say(f"{name} ended and was started again. See {self.data / 'logs'}")
            self.say("Stopping ...")
        finally:
            supervisor.stop()

    def _held(self) -> None:
        self.say("Another command uses these data: waiting until it is done ...")

    def _come_up(self, listener: socket.socket, supervisor: Supervisor, *, sample: bool) -> None:
        """From an empty database to Ready; returns at once when it is asked to stop meanwhile."""
        for note in self.servers.notes:
            self.say(note)
        migrate(self.say)
        self.waiting = False
        for number in range(2, self.options.web + 1):
            supervisor.add(web_job(number, listener, warm=True))
        first_start.make_admin(self.say)
        later = [worker_job(), beat_job()]
        sample = sample and first_start.library_is_empty()
        if sample:
            supervisor.add(later.pop(0))
            first_start.add_sample(self.say, self.stopping)
        self._until_ready(supervisor, listener, sample=sample)
        if not self.stopping.is_set():
            for job in later:
                supervisor.add(job)

    def _until_ready(self, supervisor: Supervisor, listener: socket.socket, *, sample: bool) -> None:
        """Waits until a question can be asked and the sample, where there is one, can be asked about."""
        port = listener.getsockname()[1]
        give_up = time.monotonic() + READY_PATIENCE
        index_by = time.monotonic() + INDEX_PATIENCE
        reason = "nothing answers"
        while not self.stopping.wait(0.05):
            supervisor.look()
            ready, reason = readiness(self.options.host, port)
            enough = ready is Ready.FULLY or (ready is Ready.ALMOST and time.monotonic() > index_by)
            if enough and not (sample and first_start.documents_wait()):
                self.say(f"Ready: http://{bracketed(self.options.host)}:{port}\nStop with Ctrl-C.")
                return
            if time.monotonic() > give_up:
                raise UpError(f"Not ready after {READY_PATIENCE:.0f} s: {reason}. See {self.data / 'logs'}")

    def _supervisor(self, metrics: Path) -> Supervisor:
        for name in ("logs", "files", "lexical"):
            make_private(self.data / name)
        environment = os.environ | {
            "DATA_DIR": str(self.data),
            "ALLOWED_HOSTS": ",".join(hosts(self.options.host)),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",  # or each thread keeps memory of its own that it once needed
        }
        return Supervisor(settings.BASE_DIR, environment, self.data / "logs", say=self.say)


def make_private(folder: Path) -> None:
    """Under root the data folder itself lets others pass, and versions before this one let them read these."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(PermissionError):  # a mount that belongs to someone else
        folder.chmod(0o700)


def web_job(number: int, listener: socket.socket, *, warm: bool = False) -> Job:
    """A web process on the socket that all of them share; one that is started again, or `warm`, gets ready to answer
    before anybody asks. Any ASGI server that takes a descriptor will do."""
    options = ["--fd", str(listener.fileno()), "--verbosity", "0", "--no-server-name"]
    options += ["--application-close-timeout", "2", "--ping-interval", "20"]
    if settings.HTTPS_ONLY:
        options.append("--proxy-headers")
    command = [sys.executable, "-m", "qa_site.serve", *options, "qa_site.asgi:application"]
    again = () if warm else (WARM,)
    return Job(
        f"web-{number}", [*command, WARM] if warm else command, pass_fds=(listener.fileno(),), again=again
    )


def worker_job() -> Job:
    """Nice, so that reading documents never holds up a question. SIGQUIT: the document at hand goes back to
    the queue; when there is no time for that, the sweeper finds it."""
    options = ["--concurrency", "1", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
    command = [sys.executable, "-m", "celery", "-q", "-A", "qa_site.celery:app", "worker", *options]
    return Job("worker", command, stop_signal=SIGQUIT, patience=2.0, nice=19)


def beat_job() -> Job:
    schedule = settings.DATA_DIR / "run" / "beat-schedule"
    options = ["--schedule", str(schedule), "--pidfile", "", "--loglevel", "WARNING"]
    return Job(
        "beat", [sys.executable, "-m", "celery", "-q", "-A", "qa_site.celery:app", "beat", *options], nice=10
    )


def migrate(say: Callable[[str], None]) -> None:
    """Brings the schema up to date; quick when it is. Most changes leave older versions working, so one that the
    database is ahead of goes on, and says so."""
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        if executor.loader.applied_migrations:
            changes = "1 change" if len(plan) == 1 else f"{len(plan)} changes"
            say(f"Bringing the database up to date ({changes}) ...")
        call_command("migrate", verbosity=0, interactive=False)
    known = executor.loader.disk_migrations
    if unknown := sorted(set(executor.loader.applied_migrations) - set(known)):
        newest = ".".join(unknown[-1])
        say(
            f"The database is of a newer Citefirst (it has {newest}). If anything fails, start that version again."
        )


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def readiness(host: str, port: int) -> tuple[Ready, str]:
    """How ready /readyz says it is, and in which words."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = hosts(host)[0].replace("*", "localhost").lstrip(".")
    request = urllib.request.Request(f"http://{bracketed(reached)}:{port}/readyz", headers={"Host": name})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            said = reply.read(4000).decode(errors="replace")
            return (
                Ready.FULLY if json.loads(said)["dependencies"]["lexical"] == "ok" else Ready.ALMOST
            ), said
    except urllib.error.HTTPError as error:
        return Ready.NOT, refusal(error)
    except OSError as error:
        return Ready.NOT, str(error)


def refusal(error: urllib.error.HTTPError) -> str:
    """The states that /readyz tells, else the status: pages of errors are for browsers."""
    said = error.read(2000).decode(errors="replace")
    return said if "json" in error.headers.get("Content-Type", "") else f"HTTP {error.code} from /readyz"


def hosts(bound: str) -> list[str]:
    """The names by which this server may be called: those of ALLOWED_HOSTS, else what fits the address."""
    allowed: list[str] = list(settings.ALLOWED_HOSTS)
    if env.text("ALLOWED_HOSTS") or bound in LOOPBACK:
        return allowed
    own = {bracketed(bound), socket.gethostname(), socket.getfqdn()} - {"0.0.0.0", "::"}
    return allowed + sorted(own | addresses())


def addresses() -> set[str]:
    """The addresses of this machine, in the way hosts are written."""
    families = (socket.AF_INET, socket.AF_INET6)
    every = (item for items in psutil.net_if_addrs().values() for item in items)
    found = {item.address.split("%")[0] for item in every if item.family in families}
    return {f"[{address}]" if ":" in address else address for address in found}


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Two `up` on one data folder would fight over it."""
    places.make(data)
    (data / "run").mkdir(mode=0o700, exist_ok=True)
    path = data / "run" / "up.lock"
    try:
        descriptor = take(path, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        other = path.read_text().strip() or "?"
        raise UpError(
            f"Citefirst already runs with the data in {data} (process {other}). Stop it, or choose"
            " another --data."
        ) from None
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """The listening socket, taken before anything is started so that a port in use is known at once."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        advice = "Choose another with --host or --port."
        raise UpError(f"Cannot listen on {host} port {port}: {reason}. {advice}") from None
    with listener:
        yield listener
