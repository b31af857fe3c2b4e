"""The best that any policy could do on the same draws.

`clairvoyant` knows each draw before it calls: it picks the faster upstream and makes no extra call.
Nobody can. `best_reissue` knows the draws as a whole but not the one at hand, as every policy must: it
calls the first upstream, and the second after a delay with some probability, with no more extra calls
than it is given. Of all policies that reissue within a budget this family has the best one for a quantile
(Kaler, He, Elnikety: Optimal Reissue Policies for Reducing Tail Latency, SPAA 2017); delay and probability
are chosen in hindsight. What serves one quantile best is far from it at another, so the oracle is
`best_of_all`: the one policy that serves all of them best.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from answering.upstream import Behaviour, Draw, draw

Seconds = npt.NDArray[np.float64]
"""Shape (questions,); infinite where no first token ever comes."""

DELAYS = 400


def seconds_of(drawn: Draw) -> float:
    """When this call's first token comes."""
    return drawn.latency if drawn.fate in {"ok", "stall", "cut", "drip"} else math.inf


def first_tokens(behaviour: Behaviour, ids: Sequence[str]) -> Seconds:
    """When the first token of each question's first call at such a server comes."""
    return np.array([seconds_of(draw(behaviour, "chat", each)) for each in ids])


def clairvoyant(first: Seconds, second: Seconds) -> Seconds:
    return np.minimum(first, second)


@dataclass(frozen=True, slots=True)
class Policy:
    """Reissue after `delay` seconds with this probability; `seconds` are the quantiles that it reaches."""

    delay: float
    probability: float
    seconds: tuple[float, ...]


def policies(
    first: Seconds, second: Seconds, *, extra: float, quantiles: Sequence[float]
) -> Iterator[Policy]:
    """The policies whose expected share of extra calls is at most `extra`; the first of them never reissues."""
    once = np.ones(len(first))
    yield Policy(math.inf, 0.0, tuple(quantile_of(first, once, share) for share in quantiles))
    for delay in np.quantile(first[np.isfinite(first)], np.linspace(0, 1, DELAYS, endpoint=False)):
        late = first > delay
        probability = min(1.0, extra / max(float(late.mean()), 1e-12))
        reissued = np.where(late, np.minimum(first, delay + second), first)
        values = np.concatenate([reissued, first[late]])
        weights = np.concatenate([np.where(late, probability, 1.0), np.full(late.sum(), 1 - probability)])
        reached = tuple(quantile_of(values, weights, share) for share in quantiles)
        yield Policy(float(delay), probability, reached)


def best_reissue(first: Seconds, second: Seconds, *, extra: float, quantile: float) -> Policy:
    """The best policy for this quantile."""
    return min(policies(first, second, extra=extra, quantiles=[quantile]), key=lambda policy: policy.seconds)


def best_of_all(first: Seconds, second: Seconds, *, extra: float, quantiles: Sequence[float]) -> Policy:
    """The one policy that has to serve all `quantiles`: that which is least above the best of each at its worst."""
    best = [best_reissue(first, second, extra=extra, quantile=share).seconds[0] for share in quantiles]

    def worst(policy: Policy) -> float:
        return max(seconds / least for seconds, least in zip(policy.seconds, best, strict=True))

    return min(policies(first, second, extra=extra, quantiles=quantiles), key=worst)


def quantile_of(values: Seconds, weights: Seconds, quantile: float) -> float:
    """The least value with at least that share of the weight at or below it; infinite of nothing."""
    if not len(values):
        return math.inf
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    place = int(np.searchsorted(reached, quantile - 1e-12))
    return float(values[order][min(place, len(values) - 1)])
