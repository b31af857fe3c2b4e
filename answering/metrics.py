"""The metrics of answering; retrieval has its own. Labels are from small closed sets: never text, names or ids."""

from prometheus_client import Counter, Gauge, Histogram

# Seconds. Fine where budgets lie, coarse elsewhere.
STAGE_BUCKETS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 8, 12, 20,
)  # fmt: skip

stage_seconds = Histogram("qa_stage_seconds", "Time in a stage.", ["stage", "outcome"], buckets=STAGE_BUCKETS)
first_citation_seconds = Histogram(
    "qa_first_citation_seconds", "Question to the first citations.", buckets=STAGE_BUCKETS
)
first_token_seconds = Histogram(
    "qa_first_token_seconds", "Question to the model's first token shown.", buckets=STAGE_BUCKETS
)
usable_answer_seconds = Histogram(
    "qa_usable_answer_seconds",
    "Question to the first useful words, of a model or an extract.",
    buckets=STAGE_BUCKETS,
)
answer_seconds = Histogram("qa_answer_seconds", "Question to the end.", ["finish"], buckets=STAGE_BUCKETS)

answers_total = Counter("qa_answers_total", "Answers by route and finish.", ["route", "finish"])
degradations_total = Counter("qa_degradations_total", "What was given up, and why.", ["stage", "reason"])
cache_requests_total = Counter("qa_cache_requests_total", "Look-ups in a cache.", ["cache", "result"])
hedges_total = Counter("qa_hedges_total", "Second calls beside a slow first.", ["dependency", "result"])
prefetch_total = Counter(
    "qa_prefetch_total", "What was fetched ahead, and whether it helped.", ["kind", "result"]
)
speculations_total = Counter(
    "qa_speculations_total", "Generations begun on lexical passages alone.", ["result"]
)
shed_total = Counter("qa_shed_total", "Work refused under load.", ["priority"])

breaker_state = Gauge(
    "qa_breaker_state", "0 closed, 1 half-open, 2 open.", ["dependency"], multiprocess_mode="livemax"
)
concurrency_limit = Gauge(
    "qa_concurrency_limit", "Calls allowed at once.", ["dependency"], multiprocess_mode="livesum"
)
in_flight = Gauge("qa_in_flight", "Calls under way.", ["dependency"], multiprocess_mode="livesum")
queue_depth = Gauge("qa_queue_depth", "Waiting in a queue.", ["queue"], multiprocess_mode="livemax")
token_rate = Histogram(
    "qa_token_rate",
    "Tokens a second of a stream; a sag is an early sign of throttling.",
    ["dependency"],
    buckets=(1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 400),
)
