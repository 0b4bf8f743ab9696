"""What handlers get and give."""

import json
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from skald.rules import Result
from skald.walk import Executed
from skald.wire import Code, Command, Outcome

P = TypeVar("P", bound=BaseModel)
F = TypeVar("F", bound=BaseModel)
O = TypeVar("O", bound=BaseModel)  # noqa: E741

MAX_MESSAGE = 1024
"""Bytes of a reply's human text."""


class Reject(Exception):
    """A business no: it asserts that there is no effect. What the handler wrote is rolled back; the command is not sent again."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Fail(Exception):
    """Something technical went wrong. All is rolled back; the engine backs off, at least retry_after seconds, and sends again.

    Any other exception of a handler is the same with code "error".
    """

    def __init__(self, code: str, message: str = "", *, retry_after: float = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retry_after = code, message, retry_after


class CannotTell(Exception):
    """What a question to a provider ends in when it does not know."""


class NoReply(Exception):
    """Ends a command without an answer: the engine runs into its timeout. For demonstrations and tests of lost replies."""


class Stopped(Exception):
    """The process drains for too long: what the command did is rolled back, and it is delivered again."""


class Undo(BaseModel, Generic[F, O]):
    """The payload of a compensation that declares none: what the execute was sent and what it answered.

    output is None where neither the engine nor the barrier knows one; an unknown step is undone too.
    """

    payload: F
    output: O | None = None


@dataclass(slots=True)
class Delivery:
    """A delivery of a command on its way through the participant."""

    command: Command
    beat: Callable[[Result], None] | None = None  # sends a heartbeat
    stop: threading.Event = field(default_factory=threading.Event)  # set when the drain's time is over
    traceparent: str = ""  # of the reply
    tracestate: str = ""


@dataclass(frozen=True, slots=True)
class Request(Generic[P]):
    """A delivery of a command, as a handler sees it."""

    command: Command
    payload: P
    executed: Executed | None  # the execute that a compensation or a question is about
    idempotency_key: str  # what to call an outside provider with
    delivery: Delivery

    def in_progress(self, message: str = "") -> None:
        """Send a heartbeat at once: the attempt's timeout starts again. It says nothing about the outcome."""
        if self.delivery.beat is not None:
            self.delivery.beat(Result(Outcome.INPROGRESS, message=clean(message)))

    def sleep(self, seconds: float) -> None:
        """Wait, in a sync handler. Raises Stopped when the process is told to end meanwhile and drains for too long."""
        sleep(self.delivery, seconds)


def sleep(delivery: Delivery, seconds: float) -> None:
    """Wait, or raise Stopped."""
    if delivery.stop.wait(seconds):
        raise Stopped("stopped while it waited")


def decode(model: type[P], command: Command, executed: Executed | None) -> P:
    """Read the payload. Where the engine knows no output of what is to be undone but the barrier does, it is filled in."""
    try:
        payload = model.model_validate_json(command.value)
        if isinstance(payload, Undo) and payload.output is None and executed is not None and executed.output:
            whole = json.loads(command.value)
            whole["output"] = json.loads(executed.output)
            payload = model.model_validate(whole)
    except ValidationError as e:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'payload'}: {p['msg']}" for p in e.errors())
        raise Reject(Code.INVALID_PAYLOAD, problems) from e
    return payload


def encode(output: Any) -> bytes | None:
    """An output as JSON: a model, None for none, or whatever json takes."""
    if output is None:
        return None
    if isinstance(output, BaseModel):
        return output.model_dump_json().encode()
    return json.dumps(output, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def result_of(error: BaseException) -> Result:
    """The answer that a handler's exception stands for; others are raised again."""
    match error:
        case Reject():
            return Result(Outcome.REJECTED, clean(error.code), clean(error.message))
        case Fail():
            return Result(Outcome.FAILED, clean(error.code), clean(error.message), retry_after=error.retry_after)
        case CannotTell():
            return Result(Outcome.UNKNOWN, Code.EXECUTE_OPEN, clean(str(error)))
    raise error


def clean(text: str) -> str:
    """Make text fit for a header and a text column: no control characters, no halves of surrogates, at most MAX_MESSAGE bytes."""
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return text.encode(errors="replace")[:MAX_MESSAGE].decode(errors="ignore")
