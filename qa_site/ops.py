"""Where every millisecond went: the ops page, for staff. It shows figures and run ids, never a question's text:
an operator need not be allowed to read what it is about.

Stages, routes and runs come from Postgres, so all processes are in them; breakers, limits, hedges and caches from
the metrics that the processes share."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from prometheus_client import REGISTRY, CollectorRegistry, multiprocess

from answering.models import Run
from qa_site.just_now import just_now

SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
}

SHOWN = 10

NEWEST = 10_000
"""Runs that are looked at: a third of a second of work."""

STATES = {0: "closed", 1: "half_open", 2: "open"}

FIGURES = {
    # column of Run: (name, its budget)
    "first_citation_ms": ("First citation", None),
    "first_token_ms": ("First token", None),
    "usable_ms": ("Usable answer", "usable"),
    "total_ms": ("End", "answer"),
}

BUDGET_OF = {"passages": "vector", "conversation": "context", "generate": "answer"}
"""Stages that go by the budget of another."""

_STAGES = """
    SELECT s->>'stage', count(*), count(*) FILTER (WHERE s->>'outcome' <> 'ok'),
        percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY (s->>'ms')::float8)
    FROM answering_run r, jsonb_array_elements(r.stages) s
    WHERE r.created_at >= %s AND s->>'outcome' <> 'cancelled' GROUP BY 1 ORDER BY avg((s->>'start_ms')::float8), 1
"""

_FIGURE = """
    SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY {column}), count({column})
    FROM answering_run WHERE created_at >= %s
"""

_DEGRADED = """
    SELECT code, count(*) FROM answering_run r, jsonb_array_elements_text(r.degraded) AS code
    WHERE r.created_at >= %s GROUP BY 1 ORDER BY 2 DESC
"""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds; `budget` is None where there is none. `over` says that p95 is over the budget."""

    name: str
    count: int
    failed: int
    p50: float
    p95: float
    p99: float
    budget: int | None = None

    @property
    def over(self) -> bool:
        return self.budget is not None and self.p95 > self.budget

    @property
    def scale(self) -> float:
        """The right end of this row's bar, in milliseconds."""
        return max(self.p99, self.budget or 0, 1)


@never_cache
@login_required
def ops(request: HttpRequest) -> HttpResponse:
    # Not staff_member_required: it sends who is logged in to the login page, which sends them back here.
    if not getattr(request.user, "is_staff", False):
        raise PermissionDenied
    span = request.GET.get("span", "1h")
    begin = timezone.now() - SPANS.get(span, SPANS["1h"])
    since, is_sample = _looked_at(begin)
    runs = Run.objects.filter(created_at__gte=since)
    ended = runs.exclude(status=Run.Status.RUNNING)
    shown = ended.only("id", "total_ms", "stages", "route", "finish", "error", "degraded", "created_at")
    samples = shared_samples()
    dependencies = _dependencies(samples)
    context: dict[str, Any] = {
        "section": "ops",
        "span": span if span in SPANS else "1h",
        "spans": list(SPANS),
        "total": runs.count(),
        "running": runs.filter(status=Run.Status.RUNNING).count(),
        "figures": _figures(since),
        "stages": _stages(since),
        "since": since if is_sample else None,
        "kept_days": settings.KEEP_QUESTIONS_DAYS if _is_cut(begin) else 0,
        "shares": _shares(ended),
        "degradations": _rows(_DEGRADED, since),
        "dependencies": dependencies,
        "now": just_now(dependencies),
        "hedges": _by_label(samples, "qa_hedges_total", "dependency", "result"),
        "caches": _by_label(samples, "qa_cache_requests_total", "cache", "result"),
        "prefetches": _by_label(samples, "qa_prefetch_total", "kind", "result"),
        "queues": {labels["queue"]: value for labels, value in samples.get("qa_queue_depth", [])},
        "index_lag": next((value for _, value in samples.get("qa_index_lag_seconds", [])), None),
        "slow": [_waterfall(run) for run in shown.exclude(total_ms=None).order_by("-total_ms")[:SHOWN]],
        "troubled": [
            _waterfall(run)
            for run in shown.filter(Q(status="error") | ~Q(degraded=[])).order_by("-created_at")[:SHOWN]
        ],
    }
    return render(request, "ops/index.html", context)


def _looked_at(since: datetime) -> tuple[datetime, bool]:
    """Since when runs are looked at, and whether that is later than `since`, for there are too many."""
    times = (
        Run.objects.filter(created_at__gte=since).order_by("-created_at").values_list("created_at", flat=True)
    )
    oldest = times[NEWEST - 1 : NEWEST].first()
    return (oldest, True) if oldest else (since, False)


def _is_cut(since: datetime) -> bool:
    """Whether a span begins before the oldest questions that are kept."""
    days = settings.KEEP_QUESTIONS_DAYS
    return bool(days) and since < timezone.now() - timedelta(days=days)


def _rows(sql: str, since: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [since])
        return list(cursor.fetchall())


def _stages(since: datetime) -> list[Percentiles]:
    return [
        Percentiles(stage, count, failed, p50, p95, p99, settings.BUDGETS_MS.get(BUDGET_OF.get(stage, stage)))
        for stage, count, failed, (p50, p95, p99) in _rows(_STAGES, since)
    ]


def _figures(since: datetime) -> list[Percentiles]:
    found = []
    for column, (name, budget) in FIGURES.items():
        points, count = _rows(_FIGURE.format(column=column), since)[0]
        if count:
            p50, p95, p99 = points
            found.append(Percentiles(name, count, 0, p50, p95, p99, settings.BUDGETS_MS.get(budget or "")))
    return found


def _shares(runs: Any) -> list[dict[str, Any]]:
    counted = list(runs.values("route", "finish", "error").annotate(count=Count("id")).order_by("-count"))
    total = sum(row["count"] for row in counted)
    return [{**row, "share": round(100 * row["count"] / total, 1)} for row in counted]


def _waterfall(run: Run) -> dict[str, Any]:
    """A run's stages as bars: `x` and `width` are thousandths of its whole time."""
    whole = max([run.total_ms or 1.0, *(s["start_ms"] + s["ms"] for s in run.stages)])
    bars = [
        {**s, "x": round(1000 * s["start_ms"] / whole), "width": max(2, round(1000 * s["ms"] / whole))}
        for s in sorted(run.stages, key=lambda s: (s["start_ms"], s["ms"]))
    ]
    return {"run": run, "bars": bars, "whole": whole}


Samples = dict[str, list[tuple[dict[str, str], float]]]


def shared_samples() -> Samples:
    """The qa_ metrics of all processes of this host, by name."""
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    samples: Samples = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name.startswith("qa_"):
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def _dependencies(samples: Samples) -> list[dict[str, Any]]:
    """State, limit and calls under way of each dependency."""
    rows: dict[str, dict[str, Any]] = {}
    columns = {"qa_breaker_state": "state", "qa_concurrency_limit": "limit", "qa_in_flight": "in_flight"}
    for metric, column in columns.items():
        for labels, value in samples.get(metric, []):
            row = rows.setdefault(
                labels["dependency"], {"name": labels["dependency"], "limit": None, "in_flight": None}
            )
            row[column] = STATES[int(value)] if column == "state" else int(value)
    return [rows[name] for name in sorted(rows)]


def _by_label(samples: Samples, metric: str, row: str, column: str) -> list[dict[str, Any]]:
    """Counts of `metric` by its label `row`, then by `column`, with the total."""
    table: dict[str, dict[str, int]] = {}
    for labels, value in samples.get(metric, []):
        if not value:
            continue
        counts = table.setdefault(labels[row], {})
        counts[labels[column]] = counts.get(labels[column], 0) + int(value)
    return [
        {"name": name, "counts": counts, "total": sum(counts.values())}
        for name, counts in sorted(table.items())
    ]
