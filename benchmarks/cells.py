"""The cells of the fault matrix, and what must hold in each: a question comes to one end, in time, and what the answer
says of itself is true."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from answering.events import TERMINAL, Frame, text_of

PARTS = ("embedder", "model_a", "model_b", "postgres", "redis", "lexical")
STATES = ("ok", "slow", "error", "hang")
DOWN = {"error", "hang"}
BUDGETS = {
    **{"embed": 500, "lexical": 500, "vector": 500, "context": 300},
    **{"first_token": 900, "token_gap": 400, "usable": 700, "answer": 4000},
}
"""Milliseconds: shorter than in production, so that hangs are soon over."""

LONGEST = 2.0 + BUDGETS["answer"] / 1000 + 1.0
"""Seconds: to store the question, to answer it, and for a busy machine."""

REDIS_PATIENCE = 0.7
"""Seconds after which an answer must know that Redis hangs; a shorter one may end before."""

Cell = Mapping[str, str]


def every_pair() -> Iterator[Cell]:
    """All parts ok, each fault alone, and each pair of faults in two parts."""
    calm = dict.fromkeys(PARTS, "ok")
    yield calm
    faults = [(part, state) for part in PARTS for state in STATES[1:]]
    for part, state in faults:
        yield {**calm, part: state}
    for (first, one), (second, other) in itertools.combinations(faults, 2):
        if first != second:
            yield {**calm, first: one, second: other}


def name_of(cell: Cell) -> str:
    return ", ".join(f"{part} {state}" for part, state in cell.items() if state != "ok") or "all ok"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader of one question saw, and which model's answer was whole."""

    cell: Cell
    frames: Sequence[Frame]
    seconds: float
    told_by: str

    @property
    def text(self) -> str:
        return text_of(self.frames)


def untrue(seen: Seen) -> list[str]:
    """What is wrong with an answer, or with what it says of itself; nothing where all is well."""
    types = [frame["type"] for frame in seen.frames]
    if sum(kind in TERMINAL for kind in types) != 1 or types[-1] not in TERMINAL:
        return [f"no single end: {types}"]
    wrong = []
    if [frame["seq"] for frame in seen.frames] != list(range(1, len(types) + 1)):
        wrong.append("numbers have a gap")
    if seen.seconds > LONGEST:
        wrong.append(f"took {seen.seconds:.1f} s")
    last = seen.frames[-1]
    if last["type"] == "error":
        return wrong + _refusal_untrue(seen, last)
    words = [kind for kind in types if kind in {"delta", "replace"}]
    if not words or "citations" not in types or types.index("citations") > types.index(words[0]):
        wrong.append("no sources before the first word")
    return wrong + _route_untrue(seen, last) + _finish_untrue(seen, last)


def _refusal_untrue(seen: Seen, last: Frame) -> list[str]:
    """A refusal is right where Postgres is down, or where both legs are told to be lost."""
    codes = [frame["code"] for frame in seen.frames if frame["type"] == "notice"]
    searchless = any(code.startswith("lexical_") for code in codes) and any(
        code.startswith(("embed_", "vector_")) for code in codes
    )
    if seen.cell["postgres"] not in DOWN and not searchless:
        return [f"refused with {last['code']} though an answer was to be had: {codes}"]
    return [] if last.get("retry_after") else ["a refusal without a time to come back"]


def _route_untrue(seen: Seen, last: Frame) -> list[str]:
    """The route is that of the legs that worked, and each leg that did not is told."""
    cell, codes = seen.cell, last["degraded"]
    told = {leg: any(code.startswith(leg) for code in codes) for leg in ("lexical_", "embed_", "vector_")}
    meaning_lost = told["embed_"] or told["vector_"]
    route = "vector" if told["lexical_"] else "lexical" if meaning_lost else "hybrid"
    wrong = []
    if last["route"] != route:
        wrong.append(f"route {last['route']}, though {codes} says {route}")
    if cell["lexical"] in DOWN and not told["lexical_"]:
        wrong.append("the lexical index was down, and nothing says so")
    if cell["embedder"] in DOWN and not told["embed_"]:
        wrong.append("the embedder was down, and nothing says so")
    noticed = cell["redis"] == "error" or (cell["redis"] == "hang" and seen.seconds > REDIS_PATIENCE)
    if noticed and "redis_unavailable" not in codes:
        wrong.append("Redis was down, and nothing says so")
    if all(state == "ok" for state in cell.values()) and codes:
        wrong.append(f"all was well, and it says {codes}")
    return wrong


def _finish_untrue(seen: Seen, last: Frame) -> list[str]:
    """The finish is what became of the models."""
    codes, finish = last["degraded"], last["finish"]
    failed = any(code.startswith("generate_") for code in codes)
    down = seen.cell["model_a"] in DOWN and seen.cell["model_b"] in DOWN
    short = "partial" if "stream_cut" in codes else "complete"
    expected = short if not failed else "cached" if "similar_answer" in codes else "extractive"
    wrong = []
    if finish != expected:
        wrong.append(f"finish {finish}, though {codes} says {expected}")
    if down and not failed:
        wrong.append(f"both models were down, and it says {codes}")
    if finish == "complete" and not seen.told_by:
        wrong.append("complete, though no model told all")
    other = any(code.startswith("llm_") for code in codes)
    if finish == "complete" and other != (seen.told_by == "model_b"):
        wrong.append(f"told by {seen.told_by}, and it says {codes}")
    sent = {
        passage["n"] for frame in seen.frames if frame["type"] == "citations" for passage in frame["passages"]
    }
    if not last["cited"] or not set(last["cited"]) <= sent:
        wrong.append(f"cites {last['cited']} of {sorted(sent)}")
    return wrong
