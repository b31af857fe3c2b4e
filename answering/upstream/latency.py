"""Distributions of latency, written as text: milliseconds in, seconds out.

`fixed:200` · `uniform:100-300` · `lognormal:p50=200,p99=8000` · `jagged` (p50 0.2 s, p95 2.3 s, p99 8 s) ·
`mixture:0.9@fixed:200|0.1@uniform:2000-8000`
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Protocol

NORMAL = NormalDist()
LONGEST = 60.0
"""Seconds. The tail of a distribution without bounds ends here."""


class Latency(Protocol):
    """A distribution: `at(u)` is its quantile in seconds, for u in [0, 1)."""

    def at(self, u: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Uniform:
    """Between two bounds; `fixed` is the case where they are equal."""

    low: float
    high: float

    def at(self, u: float) -> float:
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Log-normal pieces through given quantiles: log latency is linear in the normal score between them.

    Through two points this is the log-normal distribution; `points` are (share, seconds), rising."""

    points: tuple[tuple[float, float], ...]

    def at(self, u: float) -> float:
        score = NORMAL.inv_cdf(min(max(u, 1e-9), 1 - 1e-9))
        known = [(NORMAL.inv_cdf(share), math.log(seconds)) for share, seconds in self.points]
        (left, low), (right, high) = next(
            (pair for pair in pairwise(known) if score <= pair[1][0]), (known[-2], known[-1])
        )
        return min(math.exp(low + (high - low) * (score - left) / (right - left)), LONGEST)


@dataclass(frozen=True, slots=True)
class Mixture:
    """One of several distributions, by share; shares add up to 1."""

    parts: tuple[tuple[float, Latency], ...]

    def at(self, u: float) -> float:
        for share, latency in self.parts[:-1]:
            if u < share:
                return latency.at(u / share)
            u -= share
        share, latency = self.parts[-1]
        return latency.at(min(u / share, 1 - 1e-12))


JAGGED = Quantiles(((0.5, 0.2), (0.95, 2.3), (0.99, 8.0)))


@lru_cache(maxsize=256)
def parse(text: str) -> Latency:
    """The distribution that `text` names. Raises ValueError, saying what is wrong."""
    kind, _, rest = text.strip().partition(":")
    match kind:
        case "jagged":
            return JAGGED
        case "fixed":
            value = milliseconds(rest)
            return Uniform(value, value)
        case "uniform":
            low, _, high = rest.partition("-")
            return Uniform(milliseconds(low), milliseconds(high))
        case "lognormal":
            return Quantiles(quantiles(rest.split(",")))
        case "mixture":
            return Mixture(parts(rest.split("|")))
        case _:
            raise ValueError(f"{text!r} names no distribution: fixed, uniform, lognormal, jagged or mixture")


def milliseconds(text: str) -> float:
    """Milliseconds as text -> seconds."""
    value = float(text)
    if value < 0:
        raise ValueError(f"a latency cannot be negative: {text}")
    return value / 1000


def quantiles(items: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """`p50=200` … -> ((0.5, 0.2), …), rising."""
    points = []
    for item in items:
        name, _, value = item.partition("=")
        points.append((float(name.strip().removeprefix("p")) / 100, milliseconds(value)))
    points.sort()
    if len(points) < 2 or any(second[1] <= first[1] for first, second in pairwise(points)):
        raise ValueError("lognormal needs two or more rising quantiles, such as p50=200,p99=8000")
    return tuple(points)


def parts(items: Sequence[str]) -> tuple[tuple[float, Latency], ...]:
    """`0.9@fixed:200` … -> ((0.9, Uniform), …)."""
    result = []
    for item in items:
        share, _, latency = item.partition("@")
        result.append((float(share), parse(latency)))
    if not math.isclose(sum(share for share, _ in result), 1.0, abs_tol=1e-6):
        raise ValueError("the shares of a mixture must add up to 1")
    return tuple(result)
