import math
from pathlib import Path

import numpy as np
import pytest

from answering.upstream import Behaviour
from benchmarks import profiles
from benchmarks.arrivals import poisson
from benchmarks.figures import quantile, shown
from benchmarks.library import pages, questions
from benchmarks.oracle import best_of_all, best_reissue, clairvoyant, first_tokens, quantile_of

IDS = [f"question-{number}" for number in range(4000)]


@pytest.fixture
def jagged():
    """First tokens at two upstreams that draw independently."""
    behaviour = Behaviour(first_token="jagged", hang=0.02)
    return first_tokens(behaviour.changed(seed=1), IDS), first_tokens(behaviour.changed(seed=2), IDS)


def test_a_hanging_call_never_gives_a_token():
    assert math.isinf(first_tokens(Behaviour(hang=1.0), ["q"])[0])


def test_without_extra_calls_the_best_policy_is_the_first_upstream(jagged):
    first, second = jagged

    assert best_reissue(first, second, extra=0.0, quantile=0.9).seconds == (np.sort(first)[3599],)


def test_the_best_policy_improves_with_its_budget_and_never_beats_foresight(jagged):
    first, second = jagged
    reached = [
        best_reissue(first, second, extra=extra, quantile=0.95).seconds[0] for extra in (0.0, 0.05, 0.1, 1.0)
    ]

    assert reached == sorted(reached, reverse=True)
    assert reached[-1] >= np.quantile(clairvoyant(first, second), 0.95, method="lower")


def test_the_best_policy_keeps_its_budget(jagged):
    first, second = jagged
    policy = best_reissue(first, second, extra=0.1, quantile=0.99)

    assert policy.probability * (first > policy.delay).mean() <= 0.1 + 1e-9


def test_no_fixed_delay_within_the_budget_does_better(jagged):
    first, second = jagged
    best = best_reissue(first, second, extra=0.1, quantile=0.95).seconds[0]

    for delay in (1.8, 2.5, 3.5):
        assert (first > delay).mean() <= 0.1
        assert best <= np.quantile(np.minimum(first, delay + second), 0.95) + 1e-3


def test_one_policy_for_two_quantiles_is_worse_at_one_of_them(jagged):
    first, second = jagged
    p95, p99 = (best_reissue(first, second, extra=0.1, quantile=share).seconds[0] for share in (0.95, 0.99))
    one = best_of_all(first, second, extra=0.1, quantiles=(0.95, 0.99))

    assert one.seconds[0] >= p95
    assert one.seconds[1] >= p99
    assert one.seconds != (p95, p99)
    assert max(one.seconds[0] / p95, one.seconds[1] / p99) < 1.2


def test_a_weighted_quantile_counts_weights():
    assert quantile_of(np.array([1.0, 2.0, 3.0]), np.array([1.0, 8.0, 1.0]), 0.5) == 2.0


def test_arrivals_repeat_with_their_seed_and_keep_their_rate():
    times = list(poisson(50, 5000, seed=1))

    assert times == list(poisson(50, 5000, seed=1))
    assert 95 < times[-1] < 105


def test_the_library_has_a_page_for_each_of_thousands_of_questions():
    asked = list(questions())

    assert len(set(asked)) == len(asked) > 6000
    assert len({page.text for page in pages()}) == len(list(pages()))


def test_the_quantile_is_one_of_the_values():
    assert quantile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert math.isnan(quantile([], 0.5))


def test_a_figure_is_shown_in_its_unit():
    assert [shown(0.0123, "s"), shown(2.0, "s"), shown(0.1, "%"), shown(math.inf, "s")] == [
        "12.3 ms",
        "2.00 s",
        "10.0 %",
        "never",
    ]


def test_every_profile_is_documented():
    documented = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()

    assert [profile.name for profile in profiles.ALL if f"`{profile.name}`" not in documented] == []
