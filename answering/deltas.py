"""The lines of a streamed chat completion -> the answer."""

import codecs
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from .errors import UpstreamBroken, UpstreamMalformed
from .thoughts import Habits, Spoken, joined

LONGEST = 1_000_000
"""Bytes of an event, and of a line."""

DONE = "[DONE]"

CUT_SHORT = {"length", "content_filter"}
"""Why an upstream ends an answer that has not come to its end."""


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a stream of events, which end in LF, CR LF or CR, and last what has not ended. A CR at the end may
    be half of an end."""
    if b"\r" in data:
        whole = data.removesuffix(b"\r")
        half = data[len(whole) :]
        data = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + half
    return data.split(b"\n")


class Delta(NamedTuple):
    """`thought`: the model is thinking; `reason`: why this is the last one, else ""."""

    text: str = ""
    thought: bool = False
    reason: str = ""


class Events:
    """Server-sent events of JSON. One may stand on several `data:` lines, and is there as soon as it is whole: some
    servers forget the blank line after it."""

    def __init__(self, upstream: str) -> None:
        self._upstream, self._open = upstream, b""

    def feed(self, line: bytes) -> Any:
        """What this line completes: an object, DONE, or None. Raises UpstreamMalformed."""
        if not line.startswith(b"data:"):
            if self._open and not line.strip():
                raise UpstreamMalformed(self._upstream, f"not JSON: {self._open[:200]!r}")
            return None
        data = self._open + line[5:].strip()
        if data == b"[DONE]":
            return DONE
        if not data:
            return None
        try:
            found = orjson.loads(data)
        except ValueError:
            if len(data) > LONGEST:
                raise UpstreamMalformed(self._upstream, "an event without end") from None
            self._open = data + b"\n"
            return None
        self._open = b""
        return found


def delta_of(upstream: str, chunk: Any) -> Delta:
    """Raises UpstreamBroken where the upstream tells of an error, UpstreamMalformed where this is no completion."""
    try:
        if chunk.get("error"):
            raise UpstreamBroken(upstream, f"error inside the stream: {chunk['error']}"[:300])
        choices = chunk.get("choices")
        if not choices:
            return Delta()  # usage figures or a filter's report
        told = choices[0].get("delta") or {}
        text = told.get("content") or ""
        thought = told.get("reasoning_content") or told.get("reasoning")  # by server
        if isinstance(text, list):
            text, thought = text_of(text), True
        if not isinstance(text, str):
            raise TypeError(f"content is {type(text).__name__}")
        # No document, page or table can hold a NUL.
        return Delta(
            text.replace("\0", ""),
            bool(thought),
            str(choices[0].get("finish_reason") or ""),
        )
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise UpstreamMalformed(upstream, f"not a completion chunk: {error}") from error


def text_of(parts: list[dict[str, Any]]) -> str:
    """The text among parts, of which the others are thoughts: so Mistral's models answer that reason."""
    return "".join(part["text"] for part in parts if part["type"] == "text")


class Reading:
    """One answer, read line by line. `finished`: the upstream said that this was its end; `cut_short`: and that the
    answer is not whole."""

    def __init__(self, upstream: str, habits: Habits) -> None:
        self.finished = self.cut_short = False
        self._upstream, self._habits = upstream, habits
        self._events, self._spoken = Events(upstream), Spoken(habits)

    def feed(self, lines: Sequence[bytes]) -> str | None:
        """The text that these lines add. None: not even a sign that the model is at work. Raises UpstreamError."""
        text, alive = "", False
        for line in lines:
            chunk = self._events.feed(line.removeprefix(codecs.BOM_UTF8))
            if chunk == DONE:
                self.finished = True
                break
            if chunk is None:
                continue
            delta = delta_of(self._upstream, chunk)
            self._habits.thinks = self._habits.thinks or delta.thought
            alive = alive or delta.thought or bool(delta.text)
            text = joined(text, self._spoken.feed(delta.text))
            self.finished = self.finished or bool(delta.reason)
            self.cut_short = self.cut_short or delta.reason in CUT_SHORT
        if self.finished:
            text = joined(text, self._spoken.flush(cut_short=self.cut_short))
        return text if text or alive else None
