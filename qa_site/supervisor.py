"""The processes of `manage.py up` besides Postgres and Redis: started, restarted with a growing pause when
they die, and stopped in order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from qa_site import remains
from qa_site.embedded import Process, open_log
from qa_site.processes import tied_to_parent

FIRST_PAUSE = 0.5  # seconds before a restart; doubles each time
LONGEST_PAUSE = 30.0
STEADY = 60.0  # seconds after which a process counts as well again


@dataclass(frozen=True, slots=True)
class Job:
    """A process to keep running. `patience`: how long it may take to stop, in seconds. `again`: what is added to the
    command when it is started again."""

    name: str
    command: Sequence[str]
    stop_signal: int = signal.SIGTERM
    patience: float = 3.0
    nice: int = 0
    pass_fds: tuple[int, ...] = ()
    again: tuple[str, ...] = ()


@dataclass(slots=True)
class _Running:
    job: Job
    process: Process
    since: float
    pause: float = FIRST_PAUSE
    again_at: float | None = field(default=None)


class Supervisor:
    """Keeps jobs running. For the main thread only: the children are tied to it."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        logs: Path,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._logs = logs
        self._say = say
        self._clock = clock
        self._running: list[_Running] = []

    def add(self, job: Job) -> None:
        self._running.append(_Running(job, self._spawn(job), self._clock()))

    def look(self) -> None:
        """One round: notices what died, and starts it again when its pause is over."""
        now = self._clock()
        for running in self._running:
            if running.again_at is None:
                code = running.process.poll()
                if code is not None:
                    self._died(running, code, now)
            elif now >= running.again_at:
                running.process, running.since, running.again_at = (
                    self._spawn(running.job, again=True),
                    now,
                    None,
                )

    def tidy(self) -> None:
        if folder := self._environment.get("PROMETHEUS_MULTIPROC_DIR"):
            with suppress(OSError):  # no room for it now: the next time
                remains.tidy(Path(folder))

    def stop(self) -> None:
        """Stops all of them: asked first, in parallel, then killed."""
        alive = [running for running in self._running if running.process.poll() is None]
        for running in alive:
            running.process.send_signal(running.job.stop_signal)
        asked = time.monotonic()
        for running in alive:
            try:
                running.process.wait(max(0.0, asked + running.job.patience - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(running.process.pid, signal.SIGKILL)  # a session of its own: its children too
                running.process.wait()
        self._running.clear()

    def _died(self, running: _Running, code: int, now: float) -> None:
        if now - running.since > STEADY:
            running.pause = FIRST_PAUSE
        running.again_at = now + running.pause
        self._forget_gauges(running.process.pid)
        log = self._logs / f"{running.job.name}.log"
        self._say(
            f"{running.job.name} ended ({_reason(code)}); starting it again in {running.pause:g} s. See {log}"
        )
        running.pause = min(2 * running.pause, LONGEST_PAUSE)

    def _forget_gauges(self, pid: int) -> None:
        if "PROMETHEUS_MULTIPROC_DIR" in self._environment:
            mark_process_dead(pid, self._environment["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]

    def _spawn(self, job: Job, *, again: bool = False) -> Process:
        # Who kills the parent takes Redis and Postgres with it: asked to end in order, a busy worker waits for them.
        tie = tied_to_parent(signal.SIGKILL)

        def before_exec() -> None:
            tie()
            if job.nice:
                os.nice(job.nice)

        with open_log(self._logs / f"{job.name}.log") as output:
            return subprocess.Popen(
                [*job.command, *(job.again if again else ())],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=job.pass_fds,
                start_new_session=True,  # a Ctrl-C on the terminal is for us to handle, in order
                preexec_fn=before_exec,
            )


def _reason(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name
