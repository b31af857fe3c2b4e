"""The defences' reports -> metrics."""

from collections.abc import Iterable
from itertools import product
from typing import get_args

from answering import metrics
from answering.resilience.observing import HedgeResult, State
from answering.resilience.shedding import Priority
from answering.stages import NOTICES, RUNGS

STATES = {"closed": 0, "half_open": 1, "open": 2}

CACHES = ("embedding", "retrieval", "answer", "similar")


class MetricsObserver:
    """An `Observer` on Prometheus."""

    def hedge(self, dependency: str, result: HedgeResult) -> None:
        metrics.hedges_total.labels(dependency, result).inc()

    def breaker(self, dependency: str, state: State) -> None:
        metrics.breaker_state.labels(dependency).set(STATES[state])

    def limit(self, dependency: str, limit: int, in_flight: int) -> None:
        metrics.concurrency_limit.labels(dependency).set(limit)
        metrics.in_flight.labels(dependency).set(in_flight)

    def shed(self, priority: str) -> None:
        metrics.shed_total.labels(priority).inc()

    def token_rate(self, dependency: str, rate: float, usual: float) -> None:
        metrics.token_rate.labels(dependency).observe(rate)


def count_from_zero(dependencies: Iterable[str]) -> None:
    """Shows the counts of what has not happened yet: a rate does not see a first count that brings its series along.
    `dependencies` are those that may be hedged."""
    for dependency, result in product(dependencies, get_args(HedgeResult)):
        metrics.hedges_total.labels(dependency, result)
    for stage, reason in product(NOTICES, ("timeout", "open", "error", "shed")):
        metrics.degradations_total.labels(stage, reason)
    for code, stage in RUNGS.items():
        metrics.degradations_total.labels(stage, code)
    for priority in Priority:
        metrics.shed_total.labels(priority.label)
    for cache, result in product(CACHES, ("hit", "miss", "stale", "error")):
        metrics.cache_requests_total.labels(cache, result)
    metrics.answers_total.labels("none", "error")
    for result in ("kept", "cancelled"):
        metrics.speculations_total.labels(result)
