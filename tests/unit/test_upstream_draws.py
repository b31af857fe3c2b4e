import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answering.upstream import Behaviour, draw
from answering.upstream.latency import JAGGED, parse

KEYS = [f"question-{number}" for number in range(4000)]


def test_jagged_has_the_three_quantiles_it_is_named_for():
    assert [round(JAGGED.at(share), 3) for share in (0.5, 0.95, 0.99)] == [0.2, 2.3, 8.0]


def test_a_lognormal_passes_through_its_two_quantiles():
    latency = parse("lognormal:p50=100,p99=900")

    assert math.isclose(latency.at(0.5), 0.1)
    assert math.isclose(latency.at(0.99), 0.9)


def test_a_mixture_keeps_the_shares_of_its_parts():
    latency = parse("mixture:0.9@fixed:200|0.1@uniform:2000-8000")

    assert latency.at(0.89) == 0.2
    assert math.isclose(latency.at(0.95), 5.0)


@pytest.mark.parametrize(
    "text",
    ["", "quick", "fixed:", "fixed:-1", "lognormal:p50=3", "lognormal:p50=9,p99=3", "mixture:0.5@fixed:1"],
)
def test_a_distribution_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError):
        parse(text)


@given(
    st.sampled_from(["jagged", "lognormal:p50=1,p95=30,p99=400", "mixture:0.3@jagged|0.7@fixed:5"]),
    st.floats(0, 1, exclude_max=True),
)
def test_every_quantile_is_finite_and_not_negative(text, share):
    assert 0 <= parse(text).at(share) <= 60


def test_equal_seeds_give_equal_draws_and_others_do_not():
    behaviour = Behaviour(first_token="jagged", seed=7)

    assert draw(behaviour, "chat", "q") == draw(behaviour, "chat", "q")
    assert draw(behaviour, "chat", "q") != draw(behaviour.changed(seed=8), "chat", "q")


def test_a_second_attempt_is_a_draw_of_its_own():
    behaviour = Behaviour(first_token="jagged")

    assert draw(behaviour, "chat", "q", 0).latency != draw(behaviour, "chat", "q", 1).latency


def test_draws_follow_the_distribution_and_the_shares():
    behaviour = Behaviour(first_token="jagged", hang=0.02, errors=0.1, seed=3)
    draws = [draw(behaviour, "chat", key) for key in KEYS]

    assert 0.18 < statistics.median(d.latency for d in draws) < 0.22
    assert 0.014 < sum(d.fate == "hang" for d in draws) / len(draws) < 0.026
    assert 0.085 < sum(d.fate == "error" for d in draws) / len(draws) < 0.115


def test_correlated_servers_share_that_part_of_their_draws():
    first = Behaviour(first_token="jagged", seed=1, shared_seed=5, correlation=0.3)
    second = first.changed(seed=2)
    equal = sum(draw(first, "chat", key) == draw(second, "chat", key) for key in KEYS)

    assert 0.27 < equal / len(KEYS) < 0.33


def test_an_embedding_is_not_touched_by_the_faults_of_chats():
    behaviour = Behaviour(hang=1.0)

    assert draw(behaviour, "embedding", "q").fate == "ok"
    assert draw(behaviour.changed(embedding_hang=1.0), "embedding", "q").fate == "hang"


@pytest.mark.parametrize(
    "change", [{"speed": 1}, {"tokens": "many"}, {"hang": 2.0}, {"over_capacity": "panic"}]
)
def test_a_setting_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError):
        Behaviour().changed(**change)
