"""The protocol over Kafka: commands, replies, their headers, ids and names. Standard library only.

The format is CloudEvents 1.0 in binary mode. Decoding is strict about what the other side relies on and silent about headers it
does not know; all problems of a record are reported at once, in a DecodeError.
"""

from skald.wire.decode import DecodeError, Problem
from skald.wire.messages import Command, Reply
from skald.wire.names import (
    MAX_NAME,
    Code,
    Outcome,
    Topics,
    Verb,
    command_id,
    parse_id,
    valid_command_name,
    valid_name,
    valid_topic,
)
from skald.wire.record import Record

__all__ = [
    "MAX_NAME",
    "Code",
    "Command",
    "DecodeError",
    "Outcome",
    "Problem",
    "Record",
    "Reply",
    "Topics",
    "Verb",
    "command_id",
    "parse_id",
    "valid_command_name",
    "valid_name",
    "valid_topic",
]
