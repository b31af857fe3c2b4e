"""The defences' reports -> metrics."""

from answering import metrics
from answering.resilience.observing import HedgeResult, State

STATES = {"closed": 0, "half_open": 1, "open": 2}


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
