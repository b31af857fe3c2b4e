"""How near a policy that always has a call to spare comes to the best for each percentile of `jagged` alone.

    python -m benchmarks.hedging [--runs 24]

A fixed delay and probability, over draws of 5,100 questions each, against the best delay and probability in hindsight
for p95 and, another one, for p99. No delay is near to both in every draw, so the benchmark's oracle is one policy
(docs/decisions/one-oracle-for-the-tail.md)."""

import argparse

import numpy as np

from answering.upstream import Behaviour
from benchmarks.oracle import Seconds, best_reissue, first_tokens, quantile_of

QUESTIONS = 5100
EXTRA = 0.1
DELAYS = (1.4, 1.45, 1.5, 1.55, 1.6)
QUANTILES = (0.95, 0.99)
WANTED = 1.10


def reached(first: Seconds, second: Seconds, delay: float, lucky: Seconds) -> tuple[Seconds, float]:
    """When the first token comes where a late call is asked again after `delay`, as often as EXTRA allows; and the
    share of extra calls. `lucky`: a random number for each question."""
    late = first > delay
    asked = late & (lucky < EXTRA / max(float(late.mean()), EXTRA))
    return np.where(asked, np.minimum(first, delay + second), first), float(asked.mean())


def ratios(delay: float, seed: int) -> list[float]:
    """p95 and p99 of that policy, of the best for each."""
    ids = [f"{seed}/{number}" for number in range(QUESTIONS)]
    behaviour = Behaviour(first_token="jagged", hang=0.02)
    first, second = (first_tokens(behaviour.changed(seed=each), ids) for each in (0, 1))
    tokens, extra = reached(first, second, delay, np.random.default_rng(seed).random(QUESTIONS))
    best = [best_reissue(first, second, extra=extra, quantile=share).seconds[0] for share in QUANTILES]
    once = np.ones(QUESTIONS)
    return [quantile_of(tokens, once, share) / least for share, least in zip(QUANTILES, best, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=24)
    options = parser.parse_args()
    print("| delay | p95, of the best | p99, of the best | both within 10 % |\n| --- | --- | --- | --- |")
    for delay in DELAYS:
        found = np.array([ratios(delay, seed) for seed in range(options.runs)])
        p95, p99 = (f"{each.mean():.3f} ± {each.std():.3f}" for each in found.T)
        both = int((found <= WANTED).all(axis=1).sum())
        print(f"| {delay} s | {p95} | {p99} | {both} of {options.runs} |", flush=True)


if __name__ == "__main__":
    main()
