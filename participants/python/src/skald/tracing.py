"""OpenTelemetry, where it is installed (extra "otel"): continues the command's W3C trace with a span that the reply then carries."""

from collections.abc import Iterator
from contextlib import contextmanager

from skald.answers import Delivery
from skald.rules import Result
from skald.wire import Outcome

try:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    INSTALLED = True
except ImportError:  # the command's trace is echoed
    INSTALLED = False

_PARTS = 4


def ids(traceparent: str) -> dict[str, str]:
    """trace_id and span_id of a W3C traceparent, for the log; empty where there is none."""
    parts = traceparent.split("-")
    return {"trace_id": parts[1], "span_id": parts[2]} if len(parts) == _PARTS else {}


@contextmanager
def span(delivery: Delivery) -> Iterator[None]:
    """Run within a span of its own, of the global tracer provider; where that does nothing, the command's trace is echoed."""
    if not INSTALLED:
        yield
        return
    c, w3c = delivery.command, TraceContextTextMapPropagator()
    parent = w3c.extract({"traceparent": c.traceparent, "tracestate": c.tracestate})
    attributes: dict[str, str | int] = {"skald.saga_id": str(c.saga_id), "skald.step": c.step, "skald.attempt": c.attempt}
    tracer = trace.get_tracer("skald")
    with tracer.start_as_current_span(
        f"{c.verb} {c.name}",
        context=parent,
        kind=trace.SpanKind.CONSUMER,
        attributes=attributes,
        record_exception=False,  # its text may quote a payload
        set_status_on_exception=False,
    ):
        carrier: dict[str, str] = {}
        w3c.inject(carrier)
        delivery.traceparent = carrier.get("traceparent", "")
        delivery.tracestate = carrier.get("tracestate", "")
        yield


def ended(result: Result) -> None:
    """Say in the current span what was answered."""
    if not INSTALLED:
        return
    current = trace.get_current_span()
    current.set_attribute("skald.outcome", str(result.outcome))
    if result.outcome is Outcome.FAILED:
        current.set_status(trace.StatusCode.ERROR, result.code)
