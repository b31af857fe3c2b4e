"""The process that parses files for a worker: `python -m retrieval.ingestion.parser_process`.

It loads the parsers once and forks a child for each file, so a file costs a fork and not a start of Python,
and whatever it does to its parser ends with it. Requests are JSON lines on stdin; each reply is its length
in eight bytes and JSON. When stdin closes, the worker is gone and so is this process."""

import contextlib
import gc
import json
import os
import resource
import selectors
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retrieval import errors
from retrieval.ingestion.blocks import Limits, ParsedDocument
from retrieval.ingestion.parsing import parse
from retrieval.ingestion.reasons import CRASHED, TOO_LARGE, TOO_MUCH_MEMORY, TOO_SLOW

_STDIN, _STDOUT = 0, 1
_PIECE = 1 << 20


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the worker decides when this ends
    gc.freeze()  # a child's collector must not touch, and so copy, what all of them share
    waiting = b""
    while piece := os.read(_STDIN, _PIECE):
        waiting += piece
        while b"\n" in waiting:
            line, waiting = waiting.split(b"\n", 1)
            reply = _in_child(json.loads(line))
            _write(_STDOUT, len(reply).to_bytes(8, "big") + reply)


def _in_child(request: dict[str, Any]) -> bytes:
    limits = Limits(**request["limits"])
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os._exit(_work(request, limits, writer))
    os.close(writer)
    try:
        reply, failure = _collect(reader, limits)
    finally:
        os.close(reader)
    if failure:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if failure:
        return _error("ParserLimit", failure)
    return reply if status == 0 else _error(*_cause(status))


def _collect(reader: int, limits: Limits) -> tuple[bytes, str]:
    """What the child writes until it ends, or why it must be stopped."""
    deadline = time.monotonic() + limits.wall_seconds
    most = 100 * 2**20 + 6 * limits.characters
    pieces: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        selector.register(_STDIN, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if key.fd == _STDIN:
                    return b"", "The worker has gone."
                piece = os.read(reader, _PIECE)
                if not piece:
                    return b"".join(pieces), ""
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    return b"", TOO_LARGE
    return b"", TOO_SLOW


def _cause(status: int) -> tuple[str, str]:
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended_by in {signal.SIGXCPU, signal.SIGKILL}:
        return "ParserLimit", TOO_SLOW
    # PDFium stops the process when it gets no memory.
    if ended_by in {signal.SIGABRT, signal.SIGTRAP, signal.SIGILL}:
        return "ParserLimit", TOO_MUCH_MEMORY
    return "DocumentDamaged", CRASHED


def _work(request: dict[str, Any], limits: Limits, writer: int) -> int:
    """In the child: the exit status."""
    try:
        _limit(limits)
        _write(writer, _reply(request, limits))
    except BaseException:  # noqa: BLE001 - nothing may escape into the parent's code; the status tells
        return 1
    return 0


def _limit(limits: Limits) -> None:
    """What the system holds the child to. No files are written and no core is left."""
    used = 0
    with contextlib.suppress(OSError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, used + limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # a system without this limit
            resource.setrlimit(what, (most, most))


def _reply(request: dict[str, Any], limits: Limits) -> bytes:
    try:
        path = Path(request["path"])
        document = parse(path.read_bytes(), request["name"], limits)
        return json.dumps({"document": encode(document)}).encode()
    except errors.DocumentError as error:
        return _error(type(error).__name__, str(error))
    except MemoryError:
        return _error("ParserLimit", TOO_MUCH_MEMORY)
    except OSError:
        return _error("DocumentDamaged", "The stored file cannot be read.")


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"error": [kind, message]}).encode()


def encode(document: ParsedDocument) -> dict[str, Any]:
    return asdict(document)


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(to, view) :]


if __name__ == "__main__":
    main()
    sys.exit(0)
