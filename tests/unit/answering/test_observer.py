"""What the metrics show before anything has happened."""

import pytest
from prometheus_client import REGISTRY

from answering.observer import count_from_zero
from retrieval import metrics as library


@pytest.mark.parametrize(
    ("sample", "labels"),
    [
        ("qa_hedges_total", {"dependency": "never", "result": "won"}),
        ("qa_degradations_total", {"stage": "rerank", "reason": "shed"}),
        ("qa_degradations_total", {"stage": "generate", "reason": "llm_fallback"}),
        ("qa_degradations_total", {"stage": "run", "reason": "deadline"}),
        ("qa_cache_requests_total", {"cache": "answer", "result": "hit"}),
        ("qa_answers_total", {"route": "none", "finish": "error"}),
        ("qa_shed_total", {"priority": "follow_up"}),
        ("qa_speculations_total", {"result": "kept"}),
        ("qa_documents_total", {"result": "failed"}),
        ("qa_ingest_seconds_count", {"step": "publish"}),
    ],
)
def test_what_has_not_happened_yet_is_counted_as_zero(sample: str, labels: dict[str, str]) -> None:
    assert library
    count_from_zero(["never"])
    assert REGISTRY.get_sample_value(sample, labels) is not None
