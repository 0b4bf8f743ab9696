"""What a row of the barrier means for a command. Pure functions: no clock, no store.

They are those of the Go SDK's rules.go; participants/testdata/rules.txt holds both to the same answers.
"""

import uuid
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from skald.wire import Code, Command, Outcome, Verb, command_id


class State(StrEnum):
    """What a row holds."""

    CLAIMED = "claimed"  # the command has begun and is not answered
    SUCCEEDED = "succeeded"  # answered; final for an execute
    REJECTED = "rejected"  # answered without effect; taken over by a higher edition, a compensate or a probe
    COMPENSATE_TOMBSTONE = "compensate_tombstone"  # of an execute: none will ever have an effect again
    PROBE_TOMBSTONE = "probe_tombstone"  # of an execute: this edition will never have an effect


@dataclass(frozen=True, slots=True)
class Result:
    """An answer. retry_after is in seconds, with failed."""

    outcome: Outcome
    code: str = ""
    message: str = ""
    output: bytes | None = None
    retry_after: float = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the barrier."""

    command_id: uuid.UUID
    edition: int
    state: State
    code: str = ""
    message: str = ""
    output: bytes | None = None

    def settled(self, result: Result) -> "Row":
        """The row after its command was answered for good."""
        state = State.SUCCEEDED if result.outcome is Outcome.SUCCEEDED else State.REJECTED
        return replace(self, state=state, code=result.code, message=result.message, output=result.output)

    def result(self) -> Result:
        """The answer that the row stores."""
        outcome = Outcome.SUCCEEDED if self.state is State.SUCCEEDED else Outcome.REJECTED
        return Result(outcome, self.code, self.message, self.output)


@dataclass(frozen=True, slots=True)
class RowKey:
    """Names a row: one for a step's execute, one for its compensate. Probes have none."""

    saga_id: uuid.UUID
    step: str
    verb: Verb

    @classmethod
    def of(cls, command: Command, verb: Verb) -> "RowKey":
        return cls(command.saga_id, command.step, verb)


class Then(Enum):
    """What a rule asks for, after its row was put where there is one."""

    ANSWER = auto()
    RUN = auto()  # run the handler
    ASK = auto()  # the row is claimed: ask the provider, or say that it is open


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a row that is there means for a command."""

    then: Then
    result: Result | None = None  # for ANSWER
    put: Row | None = None  # None: the row stays


ALREADY_COMPENSATED = Result(Outcome.REJECTED, Code.ALREADY_COMPENSATED, "the step was compensated before")
SUPERSEDED = Result(Outcome.REJECTED, Code.SUPERSEDED, "a higher edition of the command is known")
NOTHING_TO_UNDO = Result(Outcome.SUCCEEDED, Code.NOTHING_TO_UNDO)
OPEN = Result(Outcome.FAILED, Code.EXECUTE_OPEN, "an earlier command of the step is not answered yet")
UNKNOWN = Result(Outcome.UNKNOWN, Code.EXECUTE_OPEN, "the command has begun and is not answered yet")


def claim(command: Command) -> Row:
    """The row that a command inserts before it runs."""
    return Row(command.id, command.edition, State.CLAIMED)


def bury_execute(compensate: Command) -> Row:
    """The row that a compensate inserts for the execute: from then on no execute has an effect."""
    return Row(compensate.id, compensate.edition, State.COMPENSATE_TOMBSTONE)


def bury_edition(probe: Command) -> Row:
    """The row that a probe inserts under the id and edition of the execute that it asks about."""
    execute = command_id(probe.saga_id, probe.step, Verb.EXECUTE, probe.edition)
    return Row(execute, probe.edition, State.PROBE_TOMBSTONE, Code.NOT_FOUND, "a probe came before the command")


def on_execute(command: Command, row: Row) -> Ruling:
    """For an execute whose row is there."""
    if row.state is State.COMPENSATE_TOMBSTONE:
        return _answer(ALREADY_COMPENSATED)
    if row.command_id == command.id:
        return Ruling(Then.RUN) if row.state is State.CLAIMED else _answer(row.result())
    if command.edition <= row.edition:
        return _answer(SUPERSEDED)
    if row.state in {State.REJECTED, State.PROBE_TOMBSTONE}:
        return Ruling(Then.RUN, put=claim(command))
    return _answer(row.result() if row.state is State.SUCCEEDED else OPEN)


def on_compensate(command: Command, row: Row) -> Ruling:
    """For a compensate whose own row is there. RUN means that the execute's row decides next."""
    if row.command_id == command.id:
        return Ruling(Then.RUN) if row.state is State.CLAIMED else _answer(row.result())
    if command.edition <= row.edition:
        return _answer(SUPERSEDED)
    if row.state is State.CLAIMED:
        return _answer(OPEN)
    if row.state is State.REJECTED or row.code == Code.NOTHING_TO_UNDO:
        return Ruling(Then.RUN, put=claim(command))
    return _answer(row.result())


def on_undo(command: Command, execute: Row) -> Ruling:
    """For a compensate that may run and finds the execute's row: RUN is to undo."""
    if execute.state is State.SUCCEEDED:
        return Ruling(Then.RUN)
    if execute.state is State.CLAIMED:
        return Ruling(Then.ASK)
    return Ruling(Then.ANSWER, NOTHING_TO_UNDO, bury_execute(command))


def on_probe(command: Command, execute: Row) -> Ruling:
    """For a probe that finds the execute's row."""
    if execute.state is State.COMPENSATE_TOMBSTONE:
        return _answer(ALREADY_COMPENSATED)
    if execute.edition > command.edition:
        return _answer(SUPERSEDED)
    if execute.state is State.CLAIMED:
        return Ruling(Then.ASK) if execute.edition == command.edition else _answer(UNKNOWN)
    if execute.edition == command.edition or execute.state is State.SUCCEEDED:
        return _answer(execute.result())
    buried = bury_edition(command)
    return Ruling(Then.ANSWER, buried.result(), buried)


def on_settle(claimed: Row, result: Result, row: Row) -> Ruling:
    """For an external effect that is known, and the row of its claim.

    Where the row was settled by somebody else meanwhile, their word stands but against a success: an effect that is there must not
    be hidden, so that the engine compensates it.
    """
    settled = claimed.settled(result)
    if row.state is State.CLAIMED and row.command_id == claimed.command_id:
        return Ruling(Then.ANSWER, result, settled)
    if row.state is State.SUCCEEDED:
        if row.edition > claimed.edition and result.outcome is Outcome.REJECTED:
            return _answer(SUPERSEDED)  # what a higher edition did is no answer to this one
        return _answer(row.result())
    if result.outcome is Outcome.SUCCEEDED:
        return Ruling(Then.ANSWER, result, settled)
    return _answer(ALREADY_COMPENSATED if row.state is State.COMPENSATE_TOMBSTONE else result)


def _answer(result: Result) -> Ruling:
    return Ruling(Then.ANSWER, result)
