"""Runs as OpenTelemetry traces, where the extra `otel` is installed and OTEL_EXPORTER_OTLP_ENDPOINT is set: one span
for the run, one for each stage. Spans are made when a run is over, from the times it has kept anyway, so tracing
costs a question nothing while it is answered."""

import time
from typing import TYPE_CHECKING

try:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
except ImportError:  # the extra is not installed
    INSTALLED = False
else:
    INSTALLED = True

if TYPE_CHECKING:
    from answering.stages import Run

NANOSECONDS = 1_000_000


class Tracing:
    """Hands finished runs to a span processor; `processor` is the OTLP exporter unless a test gives another."""

    def __init__(self, processor: "SpanProcessor | None" = None) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "citefirst"}))
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("citefirst")

    def finished(self, run: "Run", finish: str, route: str) -> None:
        """Exports a run. Attributes are ids and outcomes: never a question, an answer or a document."""
        began = time.time_ns() - round(run.elapsed() * 1000 * NANOSECONDS)
        attributes = {
            "run": run.question.run,
            "finish": finish,
            "route": route,
            "degraded": list(run.degraded),
        }
        whole = self._tracer.start_span("question", start_time=began, attributes=attributes)
        context = trace.set_span_in_context(whole)
        for stage in run.stages:
            start = began + round(stage.start_ms * NANOSECONDS)
            span = self._tracer.start_span(
                stage.stage, context, start_time=start, attributes={"outcome": stage.outcome}
            )
            span.end(start + round(stage.ms * NANOSECONDS))
        whole.end(began + round(run.elapsed() * 1000 * NANOSECONDS))

    def close(self) -> None:
        self._provider.shutdown()


def configured(endpoint: str) -> Tracing | None:
    """Tracing to `endpoint`'s collector; None where none is set or the extra is missing."""
    return Tracing() if endpoint and INSTALLED else None
