"""A test kit: send a participant the commands of one saga, as the engine would, and get its replies, without a broker.

    saga = Saga(participant)
    reply = saga.execute("ReserveItems.v1", {"sku": "sku-1"})
    assert reply.outcome is Outcome.SUCCEEDED

Every command passes through its Kafka form, and so does every reply.
"""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel

from skald.answers import Delivery
from skald.participant import Participant
from skald.rules import Result
from skald.wire import Command, Reply, Verb, command_id

TOKEN = "test.token"
"""The reply token of every command that a Saga sends."""


class Saga:
    """Sends commands of one step of one saga. It is safe for concurrent use."""

    def __init__(self, participant: Participant, *, saga_id: uuid.UUID | None = None, step: str = "step") -> None:
        self.participant = participant
        self.id = saga_id or uuid.uuid4()
        self.step = step
        self.heartbeats: list[Result] = []

    def at(self, step: str) -> Self:
        """The same saga at another step."""
        return type(self)(self.participant, saga_id=self.id, step=step)

    def execute(self, name: str, payload: Any, *, edition: int = 0, attempt: int = 1) -> Reply:
        """Send a command to execute."""
        return self.answer(self.command(Verb.EXECUTE, name, payload, edition=edition, attempt=attempt))

    def compensate(self, name: str, payload: Any, *, edition: int = 0, attempt: int = 1) -> Reply:
        """Send a compensation."""
        return self.answer(self.command(Verb.COMPENSATE, name, payload, edition=edition, attempt=attempt))

    def probe(self, name: str, payload: Any, *, edition: int = 0, attempt: int = 1) -> Reply:
        """Ask about the execute of the edition given."""
        return self.answer(self.command(Verb.PROBE, name, payload, edition=edition, attempt=attempt))

    def command(self, verb: Verb, name: str, payload: Any, *, edition: int = 0, attempt: int = 1) -> Command:
        """What execute, compensate and probe send. payload is a model, what json takes, or bytes as they are."""
        if isinstance(payload, BaseModel):
            value = payload.model_dump_json().encode()
        else:
            value = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        now = datetime.now(UTC)
        return Command(
            id=command_id(self.id, self.step, verb, edition),
            source="/skald/test",
            participant=self.participant.name,
            name=name,
            saga_id=self.id,
            saga_type="test",
            saga_version=1,
            step=self.step,
            verb=verb,
            tenant="default",
            attempt=attempt,
            edition=edition,
            token=TOKEN,
            reply_to="skald.replies",
            time=now,
            expiry=now + timedelta(seconds=5),
            correlation_id=str(self.id),
            value=value,
        )

    def answer(self, command: Command) -> Reply:
        """Have the participant answer. Raises NoReply."""
        return self._checked(command, self.participant.answer(self._delivery(command)))

    async def aanswer(self, command: Command) -> Reply:
        """answer, for commands with async handlers."""
        return self._checked(command, await self.participant.aanswer(self._delivery(command)))

    def _delivery(self, command: Command) -> Delivery:
        received = Command.decode(command.record(self.participant.topic))
        return Delivery(replace(received, value=command.value), beat=self.heartbeats.append)

    def _checked(self, command: Command, reply: Reply) -> Reply:
        sent = Reply.decode(reply.record(command.reply_to))
        echoed = (
            sent.causation_id,
            sent.token,
            sent.attempt,
            sent.edition,
            sent.saga_id,
            sent.step,
            sent.verb,
            sent.tenant,
        )
        wanted = (
            command.id,
            command.token,
            command.attempt,
            command.edition,
            command.saga_id,
            command.step,
            command.verb,
            command.tenant,
        )
        if echoed != wanted:
            raise AssertionError(f"the reply must echo the command: {echoed} is not {wanted}")
        return sent
