"""The process that parses files for a worker: `python -m retrieval.ingestion.parser_process`.

It loads the parsers once and forks a child for each file, so a file costs a fork and not a start of Python,
and whatever it does to its parser ends with it. The child for the next file waits already. Requests are JSON
lines on stdin; each reply is its length in eight bytes and JSON. When stdin closes, the worker is gone and so
is this process."""

import contextlib
import gc
import json
import os
import resource
import select
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

from retrieval import errors
from retrieval.ingestion.blocks import Limits, ParsedDocument
from retrieval.ingestion.parsing import parse
from retrieval.ingestion.reasons import CRASHED, TOO_LARGE, TOO_MUCH_MEMORY, TOO_SLOW

_STDIN, _STDOUT = 0, 1
_PIECE = 1 << 20
_FRAME = 8  # bytes of a reply's length

_PAUSE = 0.004  # seconds in which the worker, which goes on now, has the processors to itself

_SAMPLE = b"""# A

*b* **c** [d](e "f") `g` <b>h</b> &amp; \\* ![i](j)

- k
  1. l

> m

```
n
```

| o |
|---|
| p |

<div>q</div>
"""


class _Child:
    """A process for one file, forked before that file is there: what a fork costs, and the copies of memory that
    the first parsing brings with it, are paid while the worker is busy with the file before."""

    def __init__(self) -> None:
        requests, self.requests = os.pipe()
        self.replies, replies = os.pipe()
        self.id = os.fork()
        if not self.id:
            os.close(self.requests)
            os.close(self.replies)
            os._exit(_serve(requests, replies))
        os.close(requests)
        os.close(replies)

    def parse(self, request: bytes) -> bytes:
        with contextlib.suppress(BrokenPipeError):  # it has died; its status tells of what
            _write(self.requests, request + b"\n")
        limits = Limits(**json.loads(request)["limits"])
        reply, failure = _collect(self.replies, limits)
        if failure:
            return _framed(_error("ParserLimit", failure))
        return reply or _framed(_error(*_cause(self.end())))

    def end(self) -> int:
        """Its status. Ends it where it has not ended yet: a whole reply is all that was wanted of it."""
        if not self.id:
            return 0
        for fd in (self.requests, self.replies):
            os.close(fd)
        child, self.id = self.id, 0
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        return status


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the worker decides when this ends
    _warm()
    gc.freeze()  # a child's collector must not touch, and so copy, what all of them share
    child = _Child()
    waiting = b""
    while piece := os.read(_STDIN, _PIECE):
        waiting += piece
        while b"\n" in waiting:
            line, waiting = waiting.split(b"\n", 1)
            _write(_STDOUT, child.parse(line))
            select.select([_STDIN], [], [], _PAUSE)
            child.end()
            child = _Child()
    child.end()


def _collect(reader: int, limits: Limits) -> tuple[bytes, str]:
    """The child's whole reply with its length in front, nothing if it ended before that, or why it must be
    stopped."""
    deadline = time.monotonic() + limits.wall_seconds
    most = 100 * 2**20 + 6 * limits.characters
    held = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        selector.register(_STDIN, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if key.fd == _STDIN:
                    return b"", "The worker has gone."
                piece = os.read(reader, _PIECE)
                if not piece:
                    return b"", ""
                held += piece
                if len(held) > most:
                    return b"", TOO_LARGE
                if len(held) >= _FRAME and len(held) == _FRAME + int.from_bytes(held[:_FRAME], "big"):
                    return bytes(held), ""
    return b"", TOO_SLOW


def _cause(status: int) -> tuple[str, str]:
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended_by in {signal.SIGXCPU, signal.SIGKILL}:
        return "ParserLimit", TOO_SLOW
    # PDFium stops the process when it gets no memory.
    if ended_by in {signal.SIGABRT, signal.SIGTRAP, signal.SIGILL}:
        return "ParserLimit", TOO_MUCH_MEMORY
    return "DocumentDamaged", CRASHED


def _serve(requests: int, replies: int) -> int:
    """In the child: waits for its one file. The exit status."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, _STDIN)
        os.dup2(nowhere, _STDOUT)  # the worker's pipes are none of its business
        _warm()
        size = _address_space()
        held = b""
        while not held.endswith(b"\n"):
            piece = os.read(requests, _PIECE)
            if not piece:
                return 0  # there are no more files
            held += piece
        request = json.loads(held)
        limits = Limits(**request["limits"])
        _limit(limits, size)
        _write(replies, _framed(_reply(request, limits)))
        os.read(requests, 1)  # to end takes time too: not before it is asked for
    except BaseException:  # noqa: BLE001 - nothing may escape into the parent's code; the status tells
        return 1
    return 0


def _warm() -> None:
    """Parses a little of everything that Markdown has: what parsers make at their first use is made, and the
    memory that every parsing writes to is this process's own."""
    parse(_SAMPLE, "sample.md")


def _address_space() -> int:
    """Bytes of this process; 0 where that is not to be had."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _limit(limits: Limits, used: int) -> None:
    """What the system holds the child to. No files are written and no core is left."""
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


def _framed(reply: bytes) -> bytes:
    return len(reply).to_bytes(_FRAME, "big") + reply


def encode(document: ParsedDocument) -> list[Any]:
    blocks = [(block.kind, block.text, block.page, block.level, block.header) for block in document.blocks]
    return [document.title, blocks, document.media_type, document.pages, document.warnings]


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(to, view) :]


if __name__ == "__main__":
    main()
    sys.exit(0)
