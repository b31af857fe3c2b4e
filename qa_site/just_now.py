"""What is broken just now, and what askers get meanwhile: the first thing on the operations page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from answering.models import Run

MINUTES = 5

PAUSED = {
    "embedder": "questions are searched by words alone, and documents wait",
    "vectors": "questions are searched by words alone",
    "lexical": "questions are searched by meaning alone",
    "passages": "questions are answered from what was found first, or end in an error",
    "reranker": "sources stand in the order in which the search found them",
    "cache": "no kept answers are served and nothing is fetched ahead",
}
"""What askers get while the breaker of a dependency is open. Those that are not here are models."""
NO_MODEL = "another model answers where there is one, else answers are quoted from the passages alone"

FINISHES = {
    "extractive": "quoted from the passages alone",
    "partial": "cut short",
    "similar": "answered with the answer to a similar question",
    "error": "ended in an error",
}
"""What is less than was asked for."""

STAGES = {
    "embed": "The embedding of questions",
    "vector": "The search by meaning",
    "lexical": "The search by words",
    "passages": "Reading the passages",
    "rerank": "The reranker",
    "cache": "The cache of answers",
    "conversation": "Reading earlier turns",
    "context": "Trimming the passages",
    "intent": "Fetching ahead by kind of question",
    "generate": "The model",
}
OUTCOMES = {
    "timeout": "is too slow",
    "error": "fails",
    "open": "is paused after failures",
    "shed": "has no room",
}
CODES = {
    "redis_unavailable": "Redis is away: an answer may not outlive its connection",
    "llm_fallback": "The first model is not available; another one answers",
    "llm_continued": "A model broke off; another one went on",
    "stream_cut": "The model breaks off",
    "deadline": "Nothing came in time",
    "unavailable": "Postgres could not be reached",
    "search_unavailable": "Neither search answered",
    "at_capacity": "There are more questions than the models, or this machine, have room for",
}
USUAL = {"llm_hedged", "provisional_extract", "similar_answer"}
"""Also on a good day, or told by how the answer ended."""


@dataclass(frozen=True, slots=True)
class JustNow:
    """`paused`: (dependency, half-open or open, what askers get); `less`: (how many, how they ended); `causes`: (how
    often, what gave way, its code, when a question had it last)."""

    ended: int
    paused: Sequence[tuple[str, str, str]]
    less: Sequence[tuple[int, str]]
    causes: Sequence[tuple[int, str, str, datetime]]

    minutes = MINUTES

    @property
    def whole(self) -> int:
        return self.ended - sum(count for count, _ in self.less)

    @property
    def is_well(self) -> bool:
        return not (self.paused or self.less or self.causes)


def just_now(dependencies: Iterable[dict[str, Any]]) -> JustNow:
    """From the breakers, as `ops` has them, and what was asked in the last minutes."""
    recent = Run.objects.filter(created_at__gte=timezone.now() - timedelta(minutes=MINUTES))
    ended = recent.exclude(status=Run.Status.RUNNING).order_by("created_at")
    runs = list(ended.values_list("finish", "error", "degraded", "created_at"))
    less = Counter(_finish(finish, error, degraded) for finish, error, degraded, _ in runs)
    given_up = [(code, at) for _, error, degraded, at in runs for code in {*degraded, error} - USUAL - {""}]
    codes, last = Counter(code for code, _ in given_up), dict(given_up)
    return JustNow(
        len(runs),
        [
            (row["name"], row["state"], PAUSED.get(row["name"], NO_MODEL))
            for row in dependencies
            if row.get("state") in {"open", "half_open"}
        ],
        [(less[kind], said) for kind, said in FINISHES.items() if less[kind]],
        [(count, _meaning(code), code, last[code]) for code, count in codes.most_common()],
    )


def _finish(finish: str, error: str, degraded: list[str]) -> str:
    if error:
        return "error"
    if "similar_answer" in degraded:
        return "similar"
    has_model = settings.HAS_MODEL or settings.HAS_FALLBACK
    return "" if finish == "extractive" and not has_model else finish


def _meaning(code: str) -> str:
    stage, _, outcome = code.rpartition("_")
    if code in CODES or stage not in STAGES:
        return CODES.get(code, code)
    return f"{STAGES[stage]} {OUTCOMES.get(outcome, outcome)}"
