"""What kind of answer a question wants is guessed well, fast and with honest probabilities."""

import time
from collections import Counter

import numpy as np
import pytest

from answering.intent import INTENTS, IntentClassifier, examples

FOLDS = 5


@pytest.fixture(scope="module")
def classifier():
    return IntentClassifier()


@pytest.fixture(scope="module")
def judged():
    """(probabilities, true intent) of every example, judged by a classifier that was not trained on it."""
    told = examples()
    order = np.random.default_rng(7).permutation(len(told))
    pairs = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        trained = IntentClassifier([example for i, example in enumerate(told) if i not in held])
        pairs += [(trained.probabilities(told[i].text), told[i].intent) for i in sorted(held)]
    return pairs


def test_every_intent_has_forty_examples_or_more_and_none_is_given_twice():
    told = examples()
    counts = Counter(example.intent for example in told)
    assert set(counts) == set(INTENTS)
    assert min(counts.values()) >= 40
    assert len({example.text.lower() for example in told}) == len(told)


def test_unseen_questions_are_told_apart_far_better_than_by_the_commonest_intent(judged):
    right = np.mean([max(shares, key=shares.get) == intent for shares, intent in judged])
    commonest = max(Counter(intent for _, intent in judged).values()) / len(judged)
    assert right >= 5 * commonest
    assert right >= 0.65


def test_the_true_intent_is_mostly_among_those_worth_preparing_for(judged):
    assert np.mean([shares[intent] >= 0.15 for shares, intent in judged]) >= 0.75


def test_probabilities_are_honest(judged):
    """Expected calibration error over ten bins of confidence."""
    confidence = np.array([max(shares.values()) for shares, _ in judged])
    right = np.array([max(shares, key=shares.get) == intent for shares, intent in judged])
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins)
    ]
    assert sum(gaps) < 0.1


def test_probabilities_add_up_to_one(classifier):
    for question in ("", "?", "How many days?", "漢字", "x " * 5_000):
        shares = classifier.probabilities(question)
        assert set(shares) == set(INTENTS)
        assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("Who is responsible for the canteen?", "people"),
        ("How many days of study leave are there?", "figures"),
        ("How do I apply for study leave?", "procedure"),
        ("Am I allowed to take study leave twice?", "policy"),
        ("What does study leave mean?", "definition"),
        ("What is the difference between study leave and a sabbatical?", "comparison"),
        ("What changed in the study leave policy recently?", "recent"),
        ("And what about interns?", "follow_up"),
        ("Where can I find the study leave form?", "lookup"),
        ("Hello, how are you?", "smalltalk"),
    ],
)
def test_plain_cases_are_recognised(classifier, question, intent):
    assert next(iter(classifier.likely(question))) == intent


def test_a_question_takes_a_fraction_of_the_training():
    begun = time.process_time()
    classifier = IntentClassifier()
    training = time.process_time() - begun
    begun = time.process_time()
    for _ in range(200):
        classifier.probabilities("How many days of annual leave do I get in my first year?")
    assert (time.process_time() - begun) / 200 < training / 50
