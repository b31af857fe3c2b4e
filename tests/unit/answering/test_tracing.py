import pytest

from answering import tracing
from answering.engine import Engine
from answering.runlog import RunLog
from answering.runs import LiveRun
from tests.clock import autojump
from tests.fake_parts import RUN, Script, make_parts, question


@pytest.mark.skipif(not tracing.INSTALLED, reason="the extra `otel` is not installed")
@autojump
async def test_a_finished_run_is_a_trace_with_a_span_for_each_stage_and_no_text() -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    parts, _ = make_parts(Script())
    live = LiveRun(question(), RunLog(RUN))
    await Engine(parts, tracing.Tracing(SimpleSpanProcessor(exporter)))(live)
    spans = exporter.get_finished_spans()
    whole = next(span for span in spans if span.name == "question")
    stages = [span for span in spans if span is not whole]
    assert [span.name for span in stages] == [stage["stage"] for stage in live.record["stages"]]
    assert all(span.parent.span_id == whole.context.span_id for span in stages)
    assert all(span.end_time >= span.start_time >= whole.start_time for span in stages)
    assert "annual leave" not in "".join(span.to_json() for span in spans)


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert tracing.configured("") is None
