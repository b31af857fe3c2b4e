"""Parses stored files in a process of their own, within limits of memory, time and size
(`parser_process`)."""

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import retrieval
from retrieval import errors
from retrieval.errors import DocumentError, ParserLimit
from retrieval.ingestion.blocks import Block, Limits, ParsedDocument
from retrieval.ingestion.reasons import CRASHED, TOO_SLOW

_ROOT = Path(retrieval.__file__).parents[1]
_PIECE = 1 << 20
_GRACE = (
    10.0  # seconds beyond the wall limit, within which the parser process itself must have ended the child
)


class Sandbox:
    """One parser process, started at first use and again when it is gone. One file at a time; thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def parse(self, path: Path, name: str) -> ParsedDocument:
        """The text of a file. Raises DocumentError."""
        request = {"path": str(path), "name": name, "limits": asdict(self.limits)}
        with self._lock:
            reply = self._ask(json.dumps(request).encode() + b"\n")
        if "document" in reply:
            return decode(reply["document"])
        kind, message = reply["error"]
        raise _error(kind, message)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        with contextlib.suppress(BrokenPipeError):
            process.communicate()  # closes stdin, at which it ends

    def _ask(self, request: bytes) -> dict[str, Any]:
        try:
            return self._exchange(request)
        except (BrokenPipeError, EOFError):
            # The process itself has died: of an operator's kill, or for want of memory. Once more with a
            # new one.
            self._discard()
        try:
            return self._exchange(request)
        except (BrokenPipeError, EOFError) as error:
            self._discard()
            raise ParserLimit(CRASHED) from error

    def _exchange(self, request: bytes) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(request)
        process.stdin.flush()
        deadline = time.monotonic() + self.limits.wall_seconds + _GRACE
        size = int.from_bytes(self._read(process, 8, deadline), "big")
        reply: dict[str, Any] = json.loads(self._read(process, size, deadline))
        return reply

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        return b"".join(self._pieces(process, size, deadline))

    def _pieces(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> Iterator[bytes]:
        assert process.stdout is not None
        fd = process.stdout.fileno()
        while size:
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._discard()
                raise ParserLimit(TOO_SLOW)
            piece = os.read(fd, min(size, _PIECE))
            if not piece:
                raise EOFError
            size -= len(piece)
            yield piece

    def _running(self) -> subprocess.Popen[bytes]:
        # A process inherited through a fork belongs to the parent, whose requests it answers.
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._discard()
            self._process, self._owner = _start(), os.getpid()
        return self._process

    def _discard(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        with contextlib.suppress(BrokenPipeError):
            process.communicate()


def _start() -> subprocess.Popen[bytes]:
    """A parser process. It gets no secrets: of the environment only what Python and tesseract need."""
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "TESSDATA_PREFIX") if name in os.environ
    }
    environment |= {"PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}
    command = [sys.executable, "-m", "retrieval.ingestion.parser_process"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, env=environment, bufsize=0
    )


def decode(document: list[Any]) -> ParsedDocument:
    title, blocks, media_type, pages, warnings = document
    return ParsedDocument(title, tuple(Block(*block) for block in blocks), media_type, pages, tuple(warnings))


def _error(kind: str, message: str) -> DocumentError:
    made = getattr(errors, kind, DocumentError)
    return made(message) if issubclass(made, DocumentError) else DocumentError(message)


_sandbox: Sandbox | None = None


def shared(limits: Limits) -> Sandbox:
    """This process's sandbox."""
    global _sandbox
    if _sandbox is None:
        _sandbox = Sandbox(limits)
        atexit.register(_sandbox.close)
    _sandbox.limits = limits
    return _sandbox
