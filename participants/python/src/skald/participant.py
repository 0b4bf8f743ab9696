"""Registering handlers, and turning a command into a reply."""

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel

from skald import tracing
from skald.answers import Delivery, NoReply, Request, Stopped, clean
from skald.drive import adrive, drive
from skald.postgres import AsyncConnection, Connection, PostgresBarrier
from skald.rules import Result
from skald.walk import BarrierError, Policy, Registered, Scope, walk
from skald.wire import Code, Command, Outcome, Reply, Topics, valid_command_name, valid_name

P = TypeVar("P", bound=BaseModel)
Output = Any
"""What a handler returns: a pydantic model, None for no output, or what json takes."""

InTransaction = Callable[[Connection, Request[P]], Output] | Callable[[AsyncConnection, Request[P]], Awaitable[Output]]
"""A handler within the barrier's transaction: what it writes commits together with the answer, or not at all."""

Outside = Callable[[Request[P]], Output] | Callable[[Request[P]], Awaitable[Output]]
"""A handler of an effect outside of the barrier's database, with no transaction open."""

Around = Callable[[Delivery], AbstractContextManager[None]]
"""What is done around a command's walk, outside of its transaction."""

_NOT_AROUND = "{} has async handlers, and what is around them would block the loop"

log = structlog.get_logger("skald")


@dataclass(frozen=True, slots=True)
class Handler:
    """A function and the model of its payload."""

    run: Any
    model: type[BaseModel]


class Participant:
    """Answers the commands of one participant. Register everything before it runs; after that it is safe for concurrent use.

    commands = Participant("inventory", PostgresBarrier(dsn, "inventory"))

    @commands.execute("ReserveItems.v1", ReserveItems)
    def reserve(conn: Connection, request: Request[ReserveItems]) -> Reserved: ...
    """

    def __init__(self, name: str, barrier: PostgresBarrier, *, topics: Topics | None = None, policy: Policy | None = None) -> None:
        if not valid_name(name) or name == "skald":
            raise ValueError(f"{name!r} is not a participant's name")
        self.name = name
        self.barrier = barrier
        self.topics = topics or Topics()
        self.policy = policy or Policy()
        self._commands: dict[str, Registered] = {}
        self._around: dict[str, list[Around]] = {}

    @property
    def topic(self) -> str:
        """The command topic that the participant reads."""
        return self.topics.commands(self.name)

    @property
    def group(self) -> str:
        """Its consumer group: the participant's name, after the installation's prefix."""
        return self.topics.group(self.name)

    def execute(self, name: str, payload: type[P], *, heartbeat: bool = False) -> Callable[[InTransaction[P]], InTransaction[P]]:
        """Register what takes the effect. heartbeat: while it runs, the attempt's timeout is kept from ending."""
        return self._register(name, "execute", payload, external=False, heartbeat=heartbeat)

    def compensate(self, name: str, payload: type[P], *, heartbeat: bool = False) -> Callable[[InTransaction[P]], InTransaction[P]]:
        """Register what undoes the effect. A step's compensation is a command of its own name."""
        return self._register(name, "compensate", payload, external=False, heartbeat=heartbeat)

    def external_execute(self, name: str, payload: type[P], *, heartbeat: bool = False) -> Callable[[Outside[P]], Outside[P]]:
        """Register a call to a provider, such as a card processor, after a `claimed` row was committed.

        It may be called again with the same Request.idempotency_key. Its output and Reject are final; anything else leaves the claim.
        """
        return self._register(name, "execute", payload, external=True, heartbeat=heartbeat)

    def external_compensate(self, name: str, payload: type[P], *, heartbeat: bool = False) -> Callable[[Outside[P]], Outside[P]]:
        """Register what undoes at the provider. It may be called again with the same key."""
        return self._register(name, "compensate", payload, external=True, heartbeat=heartbeat)

    def ask(self, name: str, payload: type[P]) -> Callable[[Outside[P]], Outside[P]]:
        """Register the question to a provider what became of Request.idempotency_key, for a compensate or probe that meets a claim.

        Return the output when it took effect; Reject when the provider refused AND no later call with the key can take effect;
        CannotTell, or any Fail, otherwise. Without it a compensate answers `failed`, code execute_open, and a probe `unknown`.
        """
        return self._register(name, "ask", payload, external=True, heartbeat=False)

    def around(self, name: str) -> Callable[[Around], Around]:
        """Register a context manager (of the Delivery) around all verbs of a command with sync handlers, outside of its transaction.

        Raising NoReply after its yield leaves a command unanswered.
        """

        def add(manager: Around) -> Around:
            if self._commands.get(name, Registered()).is_async:
                raise ValueError(_NOT_AROUND.format(name))
            self._around.setdefault(name, []).append(manager)
            return manager

        return add

    def registered(self, command: Command) -> Registered:
        """What is registered under the command's name."""
        return self._commands.get(command.name, Registered())

    def answer(self, delivery: Delivery) -> Reply:
        """Handle one delivery and return its reply, in this thread.

        Raises NoReply and Stopped: then nothing is to be sent, and a stopped delivery is not handled. Everything else is a reply.
        """
        command = delivery.command
        registered = self.registered(command)
        if registered.is_async:
            raise TypeError(f"{command.name} has async handlers")
        with _named(command), tracing.span(delivery):
            try:
                with _all(self._around.get(command.name, []), delivery):
                    result = drive(walk(Scope(command, registered, self.policy)), self.barrier, delivery)
            except Exception as e:
                result = _failure(e)
            return self._reply(delivery, result)

    async def aanswer(self, delivery: Delivery) -> Reply:
        """answer, for commands with async handlers. Others block the loop."""
        command = delivery.command
        scope = Scope(command, self.registered(command), self.policy)
        with _named(command), tracing.span(delivery):
            try:
                result = await adrive(walk(scope), self.barrier, delivery)
            except asyncio.CancelledError:
                raise
            except Exception as e:
                result = _failure(e)
            return self._reply(delivery, result)

    def reply(self, delivery: Delivery, result: Result) -> Reply:
        """What result says in answer to the delivery."""
        c = delivery.command
        return Reply(
            id=uuid.uuid4(),
            source="/" + c.participant,
            participant=c.participant,
            name=c.name,
            saga_id=c.saga_id,
            step=c.step,
            verb=c.verb,
            tenant=c.tenant,
            attempt=c.attempt,
            edition=c.edition,
            token=c.token,
            time=datetime.now(UTC),
            correlation_id=c.correlation_id,
            causation_id=c.id,
            outcome=result.outcome,
            code=result.code,
            message=clean(result.message),
            retry_after_ms=int(result.retry_after * 1000) if result.outcome is Outcome.FAILED else 0,
            traceparent=delivery.traceparent or c.traceparent,
            tracestate=delivery.tracestate or c.tracestate,
            value=result.output or b"",
        )

    def _reply(self, delivery: Delivery, result: Result) -> Reply:
        if result.outcome is Outcome.FAILED:
            log.warning("command failed", code=result.code, error=result.message)
        tracing.ended(result)
        return self.reply(delivery, result)

    def _register(self, name: str, verb: str, payload: type[BaseModel], *, external: bool, heartbeat: bool) -> Callable[[Any], Any]:
        if not valid_command_name(name):
            raise ValueError(f"{name!r} is not a command's name")

        def add(run: Any) -> Any:
            known = self._commands.get(name)
            is_async = inspect.iscoroutinefunction(run)
            if is_async and name in self._around:
                raise ValueError(_NOT_AROUND.format(name))
            if known is not None:
                if getattr(known, verb) is not None:
                    raise ValueError(f"{verb} of {name} is registered twice")
                if known.external != external or known.is_async != is_async:
                    raise ValueError(f"the handlers of {name} are to be all external or none, and all async or none")
            merged = replace(known or Registered(), external=external, is_async=is_async)
            merged = replace(merged, heartbeat=merged.heartbeat or heartbeat)
            handler = Handler(run, payload)
            match verb:
                case "execute":
                    merged = replace(merged, execute=handler)
                case "compensate":
                    merged = replace(merged, compensate=handler)
                case _:
                    merged = replace(merged, ask=handler)
            self._commands[name] = merged
            return run

        return add


def _failure(error: Exception) -> Result:
    """The answer for an error of a handler or the barrier: never `rejected`."""
    if isinstance(error, NoReply | Stopped):
        raise error
    if isinstance(error, BarrierError):
        return Result(Outcome.FAILED, Code.BARRIER_UNAVAILABLE, str(error))
    log.error("handler failed", exc_info=error)
    return Result(Outcome.FAILED, Code.ERROR, f"{type(error).__name__}: {error}")


@contextmanager
def _named(command: Command) -> Iterator[None]:
    with structlog.contextvars.bound_contextvars(
        saga_id=str(command.saga_id),
        step=command.step,
        verb=str(command.verb),
        command=command.name,
        attempt=command.attempt,
        correlation_id=command.correlation_id,
        **tracing.ids(command.traceparent),
    ):
        yield


@contextmanager
def _all(managers: list[Around], delivery: Delivery) -> Iterator[None]:
    if not managers:
        yield
        return
    with managers[0](delivery), _all(managers[1:], delivery):
        yield
