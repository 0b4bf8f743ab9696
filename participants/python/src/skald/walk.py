"""Each verb's walk through the barrier, without I/O.

A walk is a generator that yields what is to be done and is sent what came of it. So that the same walk serves sync and async
handlers, nothing here knows a connection: skald.drive does what is asked.
"""

import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from skald import rules
from skald.rules import Result, Row, RowKey, Ruling, Then
from skald.wire import Code, Command, Outcome, Verb

SETTLE_WAIT = 10.0
"""Seconds that the settling of a claim waits for the row; whoever holds it is not calling a provider."""


class RowOpenError(Exception):
    """The row belongs to a transaction that did not end within the lock wait."""


class BarrierError(Exception):
    """Something went wrong in the barrier itself and not in a handler."""


class UnstoredError(Exception):
    """Carries an answer out of a transaction that is to be rolled back."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"answer is not stored: {result.outcome}")
        self.result = result


@dataclass(frozen=True, slots=True)
class Begin:
    """Open a transaction. Inserts wait for others' open transactions for lock_wait seconds; 0: as long as it takes."""

    lock_wait: float


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert row unless the key is there; comes to None, or to the row that is there, locked. RowOpenError after the lock wait."""

    key: RowKey
    row: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Replace a row that this transaction inserted or locked."""

    key: RowKey
    row: Row


@dataclass(frozen=True, slots=True)
class UndoEffects:
    """Take back what was written since the last insert or update, also after a failed statement."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Make rows and effects durable."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Take everything back. It never fails."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What the barrier knows of a step's execute. output is None where it was not answered, or had none."""

    command_id: uuid.UUID
    output: bytes | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Run the handler; comes to its Result. in_tx: with the open transaction."""

    handler: Any
    executed: Executed | None
    in_tx: bool
    asking: bool = False


Op = Begin | Insert | Update | UndoEffects | Commit | Rollback | Call
T = TypeVar("T")
Walk = Generator[Op, Any, T]
Body = Callable[[], Walk[T]]


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered under one command name; None where a verb is not handled."""

    execute: Any = None
    compensate: Any = None
    ask: Any = None  # None: nobody to ask about a claimed row
    external: bool = False
    heartbeat: bool = False
    is_async: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """How long walks wait, in seconds, and how large an output may be, in bytes.

    refuse_expired answers an attempt that is read after its expiry with `failed`, code expired, without looking at the barrier. It
    compares this machine's clock with the engine's: for where they are kept in step.
    """

    probe_wait: float = 1.0
    compensate_wait: float = 0.0  # 0: as long as it takes
    max_output: int = 256 << 10
    refuse_expired: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What a walk is about."""

    command: Command
    registered: Registered
    policy: Policy

    def key(self, verb: Verb) -> RowKey:
        return RowKey.of(self.command, verb)


def walk(s: Scope) -> Walk[Result]:
    """The walk of the command's verb."""
    c, r = s.command, s.registered
    late = datetime.now(UTC) - c.expiry
    if s.policy.refuse_expired and late > timedelta(0):
        return Result(Outcome.FAILED, Code.EXPIRED, f"the attempt expired {late.total_seconds():.3f} s ago")
    try:
        if c.verb is Verb.PROBE:
            return (yield from probe(s))  # no command of the name is needed: the barrier knows
        if c.verb is Verb.COMPENSATE and r.compensate is not None:
            return (yield from compensate(s))
        if c.verb is Verb.EXECUTE and r.execute is not None:
            return (yield from (execute_external(s) if r.external else execute(s)))
    except UnstoredError as e:
        return e.result
    # failed and not rejected: the next version of the participant may know it.
    return Result(Outcome.FAILED, Code.UNKNOWN_COMMAND, f"no handler to {c.verb} {c.name}")


def execute(s: Scope) -> Walk[Result]:
    """Take the effect once: row, effect and answer commit together."""
    key = s.key(Verb.EXECUTE)

    def body() -> Walk[Result]:
        done = yield from _claim(s, key, rules.on_execute)
        return done or (yield from _effect(s, key, s.registered.execute, None))

    return (yield from _within(0, body))


def execute_external(s: Scope) -> Walk[Result]:
    """Claim, call the provider with no transaction open, and settle.

    A crash between leaves the claim, which a duplicate, a question to the provider or nobody resolves; it is never taken for "no
    effect".
    """
    key = s.key(Verb.EXECUTE)
    done = yield from _within(0, lambda: _claim(s, key, rules.on_execute))
    if done is not None:
        return done
    result = yield from _call(s, Call(s.registered.execute, None, in_tx=False))
    return (yield from _settle(key, rules.claim(s.command), result))


def compensate(s: Scope) -> Walk[Result]:
    """Undo the step's execute once, and bury it where there is nothing to undo. Waits for an execute that is still open."""
    for _ in range(2):
        result, claimed = yield from _compensate_once(s)
        if claimed is None:
            return result
        asked = yield from _ask(s, claimed)
        if asked.outcome is Outcome.UNKNOWN:
            break
    return rules.OPEN


def _compensate_once(s: Scope) -> Walk[tuple[Result, Row | None]]:
    """The answer, or the execute's row where it is claimed; then nothing was stored."""
    own, undo = s.key(Verb.COMPENSATE), s.registered.compensate
    claimed: Row | None = None
    to_undo: Executed | None = None

    def body() -> Walk[Result]:
        nonlocal claimed, to_undo
        done = yield from _claim(s, own, rules.on_compensate)
        if done is not None:
            return done
        ruling, row = yield from _bury(s)
        if ruling.then is Then.ASK:
            claimed = row
            raise UnstoredError(rules.OPEN)
        if ruling.result is not None:
            yield from _update(own, rules.claim(s.command).settled(ruling.result))
            return ruling.result
        assert row is not None
        to_undo = Executed(row.command_id, row.output)
        if s.registered.external:
            return rules.OPEN
        return (yield from _effect(s, own, undo, to_undo))

    try:
        result = yield from _within(s.policy.compensate_wait, body)
    except UnstoredError:
        if claimed is None:
            raise
        return rules.OPEN, claimed
    if to_undo is not None and s.registered.external:
        result = yield from _call(s, Call(undo, to_undo, in_tx=False))
        result = yield from _settle(own, rules.claim(s.command), result)
    return result, None


def probe(s: Scope) -> Walk[Result]:
    """Say what became of an execute. Where there was none, see to it that this edition never has an effect."""
    key, buried = s.key(Verb.EXECUTE), rules.bury_edition(s.command)

    def body() -> Walk[Result | Row]:
        row = yield from _insert(key, buried)
        if row is None:
            return buried.result()
        ruling = rules.on_probe(s.command, row)
        if ruling.put is not None:
            yield from _update(key, ruling.put)
        return row if ruling.result is None else ruling.result

    try:
        found = yield from _within(s.policy.probe_wait, body)
    except UnstoredError:
        return rules.UNKNOWN  # the execute's transaction is open
    return (yield from _ask(s, found)) if isinstance(found, Row) else found


def _bury(s: Scope) -> Walk[tuple[Ruling, Row | None]]:
    """Put a compensate's tombstone in the execute's place unless that has, or may have, an effect."""
    key = s.key(Verb.EXECUTE)
    row = yield from _insert(key, rules.bury_execute(s.command))
    if row is None:
        return Ruling(Then.ANSWER, rules.NOTHING_TO_UNDO), None
    ruling = rules.on_undo(s.command, row)
    if ruling.put is not None:
        yield from _update(key, ruling.put)
    return ruling, row


def _ask(s: Scope, row: Row) -> Walk[Result]:
    """Let the provider say what became of the execute in row, and settle it. unknown when nobody can tell."""
    if s.registered.ask is None:
        return rules.UNKNOWN
    try:
        result = yield from _call(s, Call(s.registered.ask, Executed(row.command_id), in_tx=False, asking=True))
    except UnstoredError:
        return rules.UNKNOWN
    return (yield from _settle(s.key(Verb.EXECUTE), row, result))


def _settle(key: RowKey, claimed: Row, result: Result) -> Walk[Result]:
    """Store the answer of a claim, unless somebody else did, and return the one that stands."""

    def body() -> Walk[Result]:
        row = yield from _insert(key, claimed.settled(result))
        if row is None:
            return result
        ruling = rules.on_settle(claimed, result, row)
        if ruling.put is not None:
            yield from _update(key, ruling.put)
        assert ruling.result is not None
        return ruling.result

    return (yield from _within(SETTLE_WAIT, body))


def _claim(s: Scope, key: RowKey, rule: Callable[[Command, Row], Ruling]) -> Walk[Result | None]:
    """Insert the claim. None: the handler is to run; else the answer."""
    row = yield from _insert(key, rules.claim(s.command))
    if row is None:
        return None
    ruling = rule(s.command, row)
    if ruling.put is not None:
        yield from _update(key, ruling.put)
    return None if ruling.then is Then.RUN else ruling.result


def _effect(s: Scope, key: RowKey, handler: Any, executed: Executed | None) -> Walk[Result]:
    """Run a handler in the transaction and store its answer under key, whose row holds the command's claim."""
    result = yield from _call(s, Call(handler, executed, in_tx=True))
    if result.outcome is Outcome.REJECTED:
        try:
            yield UndoEffects()
        except Exception as e:
            raise BarrierError(f"undo effects of a rejected command: {e}") from e
    yield from _update(key, rules.claim(s.command).settled(result))
    return result


def _call(s: Scope, call: Call) -> Walk[Result]:
    """Run a handler; what it answers is succeeded or rejected, or comes as an UnstoredError."""
    result: Result = yield call
    if result.outcome not in {Outcome.SUCCEEDED, Outcome.REJECTED}:
        raise UnstoredError(result)
    size = len(result.output or b"")
    if size > s.policy.max_output:
        message = f"output has {size} bytes, more than {s.policy.max_output}"
        raise UnstoredError(Result(Outcome.FAILED, Code.OUTPUT_TOO_LARGE, message))
    return result


def _within(lock_wait: float, body: Body[T]) -> Walk[T]:
    """Do body in a transaction, which commits unless it raises."""
    try:
        yield Begin(lock_wait)
    except Exception as e:
        raise BarrierError(f"begin barrier: {e}") from e
    try:
        value = yield from body()
    except BaseException:
        yield Rollback()
        raise
    try:
        yield Commit()
    except Exception as e:
        raise BarrierError(f"commit barrier: {e}") from e
    return value


def _insert(key: RowKey, row: Row) -> Walk[Row | None]:
    try:
        existing: Row | None = yield Insert(key, row)
    except RowOpenError as e:
        raise UnstoredError(rules.OPEN) from e
    except Exception as e:
        raise BarrierError(f"insert {key.verb} row of step {key.step}: {e}") from e
    return existing


def _update(key: RowKey, row: Row) -> Walk[None]:
    try:
        yield Update(key, row)
    except Exception as e:
        raise BarrierError(f"update {key.verb} row of step {key.step}: {e}") from e
