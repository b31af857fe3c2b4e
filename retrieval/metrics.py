"""The metrics of the library; docs/metrics.md has the table."""

from prometheus_client import Counter, Gauge, Histogram

INGEST_SECONDS = Histogram(
    "qa_ingest_seconds",
    "Time of one step of a document's way in: parse, chunk, embed, publish.",
    ["step"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
DOCUMENTS = Counter("qa_documents_total", "Documents by how they ended: ready, failed, retried.", ["result"])
for _step in ("parse", "chunk", "embed", "publish"):
    INGEST_SECONDS.labels(_step)
for _result in ("ready", "failed", "retried"):
    DOCUMENTS.labels(_result)  # from zero: a rate does not see a first count that brings its series along
INDEX_LAG = Gauge(
    "qa_index_lag_seconds",
    "Age of the oldest change that the lexical index has not applied.",
    multiprocess_mode="livemax",
)
