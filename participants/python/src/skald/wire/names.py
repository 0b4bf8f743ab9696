"""Names, ids and words of the protocol."""

import re
import uuid
from dataclasses import dataclass
from enum import StrEnum

MAX_NAME = 63
"""The longest name of a saga, step or participant, in bytes."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_COMMAND = re.compile(r"[A-Za-z][A-Za-z0-9]*\.v[1-9][0-9]*")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


class Verb(StrEnum):
    """What a command asks for."""

    EXECUTE = "execute"  # take the step's effect
    COMPENSATE = "compensate"  # undo it
    PROBE = "probe"  # say what became of it; asks, never acts


class Outcome(StrEnum):
    """What a reply says."""

    SUCCEEDED = "succeeded"  # done; settles the command
    REJECTED = "rejected"  # a business no that asserts no effect; settles the command
    FAILED = "failed"  # a technical failure; the command is sent again
    INPROGRESS = "inprogress"  # a heartbeat; restarts the attempt's timeout
    UNKNOWN = "unknown"  # a probe that cannot tell


class Code(StrEnum):
    """Machine codes that the protocol gives a meaning to. Participants add their own beside them."""

    ALREADY_COMPENSATED = "already_compensated"
    SUPERSEDED = "superseded"
    NOTHING_TO_UNDO = "nothing_to_undo"
    NOT_FOUND = "not_found"
    EXECUTE_OPEN = "execute_open"
    EXPIRED = "expired"
    TIMEOUT = "timeout"
    ERROR = "error"
    UNKNOWN_COMMAND = "unknown_command"
    BARRIER_UNAVAILABLE = "barrier_unavailable"
    OUTPUT_TOO_LARGE = "output_too_large"
    INVALID_PAYLOAD = "invalid_payload"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one installation. prefix stands before every name as it is, such as "staging."."""

    prefix: str = ""

    def commands(self, participant: str) -> str:
        """The topic that the participant reads."""
        return f"{self.prefix}{participant}.commands"

    def group(self, participant: str) -> str:
        """The participant's consumer group."""
        return self.prefix + participant


def valid_name(text: str) -> bool:
    """Whether text names a saga, step or participant. "skald" is of that form and reserved."""
    return _NAME.fullmatch(text) is not None


def valid_command_name(text: str) -> bool:
    """Whether text names a command, such as ReserveItems.v1."""
    return _COMMAND.fullmatch(text) is not None


def valid_topic(text: str) -> bool:
    """Whether Kafka would take text as a topic's name."""
    return _TOPIC.fullmatch(text) is not None and text not in {".", ".."}


def parse_id(text: str) -> uuid.UUID:
    """Read the canonical text form of 36 characters, in either case. The nil UUID is a ValueError."""
    if _ID.fullmatch(text) is None:
        raise ValueError("not a UUID of 36 characters")
    parsed = uuid.UUID(text)
    if parsed.int == 0:
        raise ValueError("the nil UUID")
    return parsed


def command_id(saga_id: uuid.UUID, step: str, verb: Verb, edition: int) -> uuid.UUID:
    """The id of a step's command, the same for every attempt of the edition."""
    return uuid.uuid5(saga_id, f"{step}\0{verb}\0{edition}")
