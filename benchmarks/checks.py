"""What must hold of each profile: the figures that docs/performance.md lists."""

import heapq
from collections.abc import Callable, Mapping, Sequence

from benchmarks import profiles
from benchmarks.figures import Asked, Check, at_least, at_most, quantile, shown, since_asked
from benchmarks.outcome import MODEL, Outcome
from benchmarks.profiles import CAPACITY, OUTAGE_AT, PLACES, SERVICE

Checker = Callable[[Outcome], list[Check]]


def ends(outcome: Outcome) -> list[Check]:
    """Of every profile: each question has exactly one terminal frame, and nothing unexpected was logged."""
    wrong = sum(asked.terminals != 1 for asked in outcome.ours)
    name = outcome.profile.name
    return [
        at_most(name, f"questions without one terminal frame, of {len(outcome.ours)}", wrong, 0),
        at_most(name, "errors logged", outcome.errors.total(), 0),
    ]


def steady(outcome: Outcome) -> list[Check]:
    name = outcome.profile.name
    path = 0.4 + 0.15 + 1.2
    first = quantile(since_asked(outcome.ours, lambda asked: asked.first_token), 0.5)
    overhead = [value for asked in outcome.ours if (value := app_overhead(outcome, asked)) is not None]
    base = quantile(since_asked(outcome.baseline, lambda asked: asked.first_token), 0.5)
    return [
        at_most(name, "first token p50, of the critical path", first / path, 1.03, "x"),
        at_most(name, "app overhead p50", quantile(overhead, 0.5), 0.005, "s"),
        at_most(name, "app overhead p99", quantile(overhead, 0.99), 0.020, "s"),
        at_most(name, "CPU a question", outcome.cpu / len(outcome.ours), 0.030, "s"),
        at_most(name, "first token p50, of the sequential one", first / base, 1.0, "x"),
    ]


def app_overhead(outcome: Outcome, asked: Asked) -> float | None:
    """Question in -> first byte at the upstream, less the embedding and what a search is made to take. The embedding
    starts with the question, while that is stored, and ends with its stage."""
    calls = outcome.of(asked)
    embedded = sum(ended(stage) for stage in asked.stages if stage["stage"] == "embed")
    if not calls or not embedded:
        return None
    return calls[0][1].arrived - asked.asked - embedded - outcome.profile.search_seconds


def ended(stage: Mapping[str, object]) -> float:
    """Seconds after the question came at which a stage ended."""
    return (float(str(stage["start_ms"])) + float(str(stage["ms"]))) / 1000


def jagged(outcome: Outcome) -> list[Check]:
    name, model = outcome.profile.name, outcome.model_seconds(outcome.ours)
    usable = quantile(since_asked(outcome.ours, lambda asked: asked.usable), 0.99)
    tail = (0.95, 0.99)
    reached = zip(tail, outcome.oracle(*tail).seconds, strict=True)
    p95, p99 = (quantile(model, share) / seconds for share, seconds in reached)
    return [
        at_most(name, "usable answer p99 with BUDGET_USABLE_MS=1500", usable, 1.55, "s"),
        at_most(name, "model's first token p95, of the oracle", p95, 1.10, "x"),
        at_most(name, "model's first token p99, of the oracle", p99, 1.10, "x"),
        at_most(name, "extra calls", outcome.extra, 0.10, "%"),
        at_least(name, "questions", len(outcome.ours), 5000),
    ]


def one_down(outcome: Outcome) -> list[Check]:
    """The p99 of the first token 2 s into the outage, of what it was before."""
    name = outcome.profile.name

    def p99(asked: Sequence[Asked]) -> float:
        return quantile(since_asked(asked, lambda each: each.first_token), 0.99)

    ratio = p99(outcome.later(OUTAGE_AT + 2)) / p99(outcome.before(OUTAGE_AT))
    return [at_most(name, "first token p99 after 2 s, of normal", ratio, 1.5, "x")]


def both_down(outcome: Outcome) -> list[Check]:
    """Every question is given an extract in time, and hedges have stopped a second into the outage."""
    name, at = outcome.profile.name, outcome.profile.changes[0].at
    asked = outcome.later(at)
    extracts = sum(each.finish in {"extractive", "cached", *MODEL} for each in asked) / len(asked)
    budget = outcome.profile.budgets.get("usable", 2500) / 1000
    usable = max(since_asked(asked, lambda each: each.usable))
    late = sum(
        call.arrived > outcome.start + at + 1 for each in outcome.ours for _, call in outcome.of(each)[1:]
    )
    return [
        at_least(name, "questions given an extract", extracts, 1.0, "%"),
        at_most(name, "the slowest usable answer", usable, budget + 0.05, "s"),
        at_most(name, "second calls from 1 s into the outage on", late, 0),
    ]


def slow_down(outcome: Outcome) -> list[Check]:
    """Nothing worse than a lower level: every question is answered with sources."""
    good = sum(asked.finish in {"complete", "partial", "extractive", "cached"} for asked in outcome.ours)
    share = good / len(outcome.ours)
    return [at_least(outcome.profile.name, "questions answered with sources", share, 1.0, "%")]


def unloaded(outcome: Outcome) -> list[Check]:
    complete = sum(asked.finish == "complete" for asked in outcome.ours) / len(outcome.ours)
    shed = sum(value for name, value in outcome.counters.items() if name.startswith("qa_shed_total"))
    return [
        at_most(outcome.profile.name, "shed", shed, 0),
        at_least(outcome.profile.name, "answered by the model", complete, 1.0, "%"),
    ]


def overload(outcome: Outcome) -> list[Check]:
    name = outcome.profile.name
    asked = outcome.later(SETTLE)
    begin, end = outcome.start + SETTLE, max(each.asked for each in asked)
    # Whenever they were asked: what the first of the window are waiting behind is work done in it, too.
    good = sum(each.finish == "complete" and begin <= each.ended <= end for each in outcome.ours)
    goodput = good / (end - begin)
    interactive = [each for each in asked if each.priority == "interactive"]
    served = sum(each.finish == "complete" for each in interactive) / len(interactive)
    ceiling = strict_priority([each.asked for each in interactive])
    return [
        at_least(name, "goodput, of capacity", goodput / CAPACITY, 0.90, "%"),
        Check(
            name,
            "interactive questions answered by the model",
            shown(served, "%"),
            f">= {shown(ceiling, '%')} - 3 points",
            served >= ceiling - 0.03,
        ),
    ]


SETTLE = 10.0
"""Seconds until a limiter may be expected to know the capacity."""

PATIENCE = 3.0
"""Seconds that a question may wait for a place: the budget of the first token."""


def strict_priority(arrivals: Sequence[float]) -> float:
    """The share served if these alone had all the places, first come first served, each waiting at most
    PATIENCE: no policy can do better for the highest priority."""
    free = [0.0] * (2 * PLACES)
    served = 0
    for arrival in sorted(arrivals):
        start = max(arrival, free[0])
        if start - arrival <= PATIENCE:
            heapq.heapreplace(free, start + SERVICE)
            served += 1
    return served / max(len(arrivals), 1)


CHECKS: Mapping[str, Checker] = {
    profiles.STEADY.name: steady,
    profiles.JAGGED.name: jagged,
    profiles.REFUSED.name: one_down,
    profiles.SILENT.name: one_down,
    profiles.BOTH_FAIL.name: both_down,
    profiles.BOTH_HANG.name: both_down,
    profiles.EMBEDDER_HUNG.name: slow_down,
    profiles.POSTGRES_SLOW.name: slow_down,
    profiles.REDIS_GONE.name: slow_down,
    profiles.UNLOADED.name: unloaded,
    profiles.OVERLOAD.name: overload,
    profiles.OVERLOAD_429.name: overload,
}


def of(outcome: Outcome) -> list[Check]:
    checker = CHECKS.get(outcome.profile.name)
    return [*ends(outcome), *(checker(outcome) if checker else [])]
