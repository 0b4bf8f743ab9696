"""Commands and replies."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from skald.wire.decode import Decoder, format_time
from skald.wire.names import Outcome, Verb
from skald.wire.record import CONTENT_TYPE, REPLY_SUFFIX, SPEC_VERSION, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One delivery of a command. Between deliveries only attempt, time, expiry, token and the trace fields change."""

    id: uuid.UUID
    source: str
    participant: str
    name: str
    saga_id: uuid.UUID
    saga_type: str
    saga_version: int
    step: str
    verb: Verb
    tenant: str
    attempt: int
    edition: int
    token: str  # opaque; echoed
    reply_to: str
    time: datetime
    expiry: datetime  # when this attempt times out, by the engine's clock
    correlation_id: str
    traceparent: str = ""
    tracestate: str = ""
    value: bytes  # the payload, JSON, exactly as it was stored

    @property
    def type(self) -> str:
        """ce_type: <participant>.<Command>."""
        return f"{self.participant}.{self.name}"

    def record(self, topic: str) -> Record:
        """Encode the command, with headers in a fixed order."""
        r = Record(topic, str(self.saga_id).encode(), self.value)
        r.add("content-type", CONTENT_TYPE)
        r.add("ce_specversion", SPEC_VERSION)
        r.add("ce_id", str(self.id))
        r.add("ce_source", self.source)
        r.add("ce_type", self.type)
        r.add("ce_subject", str(self.saga_id))
        r.add("ce_time", format_time(self.time))
        r.add("ce_sagatype", self.saga_type)
        r.add("ce_sagaversion", str(self.saga_version))
        r.add("ce_sagastep", self.step)
        r.add("ce_sagaverb", self.verb)
        r.add("ce_sagatenant", self.tenant)
        r.add("ce_sagaattempt", str(self.attempt))
        r.add("ce_sagaedition", str(self.edition))
        r.add("ce_sagatoken", self.token)
        r.add("ce_replyto", self.reply_to)
        r.add("ce_expirytime", format_time(self.expiry))
        r.add("ce_correlationid", self.correlation_id)
        r.add_optional("traceparent", self.traceparent)
        r.add_optional("tracestate", self.tracestate)
        return r

    @classmethod
    def decode(cls, record: Record) -> Self:
        """Read a command, or raise a DecodeError with every problem."""
        d = Decoder(record)
        saga_id = d.id("ce_subject")
        participant, name = d.event_type("")
        command = cls(
            id=d.id("ce_id"),
            source=d.text("ce_source"),
            participant=participant,
            name=name,
            saga_id=saga_id,
            saga_type=d.name("ce_sagatype"),
            saga_version=d.number("ce_sagaversion", 1),
            step=d.name("ce_sagastep"),
            verb=d.verb(),
            tenant=d.text("ce_sagatenant"),
            attempt=d.number("ce_sagaattempt", 1),
            edition=d.number("ce_sagaedition", 0),
            token=d.text("ce_sagatoken"),
            reply_to=d.topic("ce_replyto"),
            time=d.time("ce_time"),
            expiry=d.time("ce_expirytime"),
            correlation_id=d.text("ce_correlationid"),
            traceparent=d.optional("traceparent"),
            tracestate=d.optional("tracestate"),
            value=record.value,
        )
        d.envelope(saga_id)
        d.value(required=True)
        d.check("command")
        return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one delivery of a command."""

    id: uuid.UUID
    source: str
    participant: str
    name: str
    saga_id: uuid.UUID
    step: str
    verb: Verb
    tenant: str
    attempt: int
    edition: int
    token: str
    causation_id: uuid.UUID  # the command's id
    outcome: Outcome
    time: datetime | None = None
    correlation_id: str = ""
    code: str = ""
    message: str = ""
    retry_after_ms: int = 0  # with failed; 0: not said
    traceparent: str = ""
    tracestate: str = ""
    value: bytes = b""  # the output, JSON; empty: none

    @property
    def type(self) -> str:
        """ce_type: <participant>.<Command>.reply."""
        return f"{self.participant}.{self.name}{REPLY_SUFFIX}"

    def record(self, topic: str) -> Record:
        """Encode the reply, with headers in a fixed order."""
        r = Record(topic, str(self.saga_id).encode(), self.value)
        r.add("content-type", CONTENT_TYPE)
        r.add("ce_specversion", SPEC_VERSION)
        r.add("ce_id", str(self.id))
        r.add("ce_source", self.source)
        r.add("ce_type", self.type)
        r.add("ce_subject", str(self.saga_id))
        if self.time is not None:
            r.add("ce_time", format_time(self.time))
        r.add("ce_sagastep", self.step)
        r.add("ce_sagaverb", self.verb)
        r.add("ce_sagatenant", self.tenant)
        r.add("ce_sagaattempt", str(self.attempt))
        r.add("ce_sagaedition", str(self.edition))
        r.add("ce_sagatoken", self.token)
        r.add_optional("ce_correlationid", self.correlation_id)
        r.add("ce_causationid", str(self.causation_id))
        r.add("ce_sagaoutcome", self.outcome)
        r.add_optional("ce_sagacode", self.code)
        r.add_optional("ce_sagamessage", self.message)
        if self.retry_after_ms > 0:
            r.add("ce_retryafter", str(self.retry_after_ms))
        r.add_optional("traceparent", self.traceparent)
        r.add_optional("tracestate", self.tracestate)
        return r

    @classmethod
    def decode(cls, record: Record) -> Self:
        """Read a reply, or raise a DecodeError with every problem. The token is not verified."""
        d = Decoder(record)
        saga_id = d.id("ce_subject")
        participant, name = d.event_type(REPLY_SUFFIX)
        reply = cls(
            id=d.id("ce_id"),
            source=d.text("ce_source"),
            participant=participant,
            name=name,
            saga_id=saga_id,
            step=d.name("ce_sagastep"),
            verb=d.verb(),
            tenant=d.text("ce_sagatenant"),
            attempt=d.number("ce_sagaattempt", 1),
            edition=d.number("ce_sagaedition", 0),
            token=d.text("ce_sagatoken"),
            time=d.optional_time("ce_time"),
            correlation_id=d.optional("ce_correlationid"),
            causation_id=d.id("ce_causationid"),
            outcome=d.outcome(),
            code=d.optional("ce_sagacode"),
            message=d.optional("ce_sagamessage"),
            retry_after_ms=d.milliseconds("ce_retryafter"),
            traceparent=d.optional("traceparent"),
            tracestate=d.optional("tracestate"),
            value=record.value or b"",
        )
        d.envelope(saga_id)
        d.value(required=False)
        d.check("reply")
        return reply
