"""Sets Django up for a benchmark, on import and before anything reads the settings: a data folder of its own, and
a model and an embedder that are configured, at addresses that each profile overrides."""

import os
import tempfile
from pathlib import Path

import django

from qa_site import places

DATA = Path(tempfile.mkdtemp(prefix="citefirst-bench-"))
NOWHERE = "http://127.0.0.1:9/v1"
FAMILIES = ("OPENAI_", "FALLBACK_", "EMBEDDING_", "BUDGET_", "QUOTA_", "METRICS_", "PROMETHEUS_")

for _name in [name for name in os.environ if name.startswith(FAMILIES)]:
    del os.environ[_name]
os.environ |= {
    "DATA_DIR": str(DATA),
    "DATABASE_URL": places.bundled_database_url(DATA),
    "REDIS_URL": places.bundled_redis_url(DATA),
    "SECRET_KEY": "of-the-benchmarks-alone-and-long-enough-for-the-checks",
    "OPENAI_BASE_URL": NOWHERE,
    "ANSWER_MODEL": "simulated",
    "FALLBACK_BASE_URL": NOWHERE,
    "EMBEDDING_BASE_URL": NOWHERE,
    "EMBEDDING_MODEL": "simulated-embedding",
    "EMBEDDING_DIMENSIONS": "384",
    "QUOTA_PER_MINUTE": "0",
    "LEXICAL_ENGINE": "tantivy",
    "LOG_LEVEL": "ERROR",
    "DJANGO_SETTINGS_MODULE": "qa_site.settings",
}
django.setup()
