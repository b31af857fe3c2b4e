"""What a run says to its reader: frozen events, numbered when they are written to the run's log.

The names and fields are the socket's frames; every `accepted` is followed by exactly one `done` or `error`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

TERMINAL = frozenset({"done", "error"})

Frame = dict[str, Any]
"""An event with its run and its number: what goes over the wire."""


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    data: Mapping[str, Any]

    @property
    def terminal(self) -> bool:
        return self.type in TERMINAL

    def frame(self, run: str, seq: int) -> Frame:
        return {"type": self.type, "run": run, "seq": seq, **self.data}


def wire(frame: Frame) -> bytes:
    """The same bytes each time: Postgres, which has the frames of what is over, keeps no order of keys."""
    return orjson.dumps(frame, option=orjson.OPT_SORT_KEYS)


def text_of(frames: Sequence[Frame]) -> str:
    """The answer as far as these frames tell it."""
    text = ""
    for frame in frames:
        if frame["type"] in {"delta", "replace"}:
            text = frame["text"] if frame["type"] == "replace" else text + frame["text"]
    return text


def ending(
    kind: str, data: Mapping[str, Any], text: str, citations: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What is stored of a run's terminal frame, of the type `kind`, and of what it ends."""
    return {
        "status": kind,
        "finish": data.get("finish", ""),
        "route": data.get("route", ""),
        "answer": text if kind == "done" else "",
        "html": data.get("html", ""),
        "citations": citations,
        "cited": list(data.get("cited", [])),
        "error": data.get("code", ""),
    }


def outcome(frames: Sequence[Frame]) -> dict[str, Any]:
    """What is stored of a run that has ended, from its frames alone: all but the times of its first words."""
    last = frames[-1]
    shown = [frame["passages"] for frame in frames if frame["type"] == "citations"]
    return {
        **ending(last["type"], last, text_of(frames), shown[-1] if shown else []),
        "degraded": last.get("degraded", []),
        "stages": last.get("stages", []),
        "events": list(frames),
        **dict.fromkeys(("first_citation_ms", "first_token_ms", "usable_ms", "total_ms")),
    }


def accepted(conversation: str, question: str) -> Event:
    return Event("accepted", {"conversation": conversation, "question": question})


def citations(route: str, passages: Sequence[Mapping[str, Any]], *, final: bool) -> Event:
    return Event("citations", {"route": route, "final": final, "passages": list(passages)})


def delta(text: str) -> Event:
    return Event("delta", {"text": text})


def replace(text: str) -> Event:
    return Event("replace", {"text": text})


def notice(code: str, message: str) -> Event:
    return Event("notice", {"code": code, "message": message})


def done(
    finish: str,
    route: str,
    *,
    cited: Sequence[int],
    html: str,
    stages: Sequence[Mapping[str, Any]],
    degraded: Sequence[str],
) -> Event:
    return Event(
        "done",
        {
            "finish": finish,
            "route": route,
            "cited": list(cited),
            "html": html,
            "stages": list(stages),
            "degraded": list(degraded),
        },
    )


def error(code: str, message: str, retry_after: float | None = None) -> Event:
    return Event("error", {"code": code, "message": message, "retry_after": retry_after})
