"""Kafka records without a Kafka client."""

from dataclasses import dataclass, field

CONTENT_TYPE = "application/json"
SPEC_VERSION = "1.0"
REPLY_SUFFIX = ".reply"


@dataclass(slots=True)
class Record:
    """A record. partition and offset are the coordinates of one that was read."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int = -1
    offset: int = -1

    def add(self, name: str, value: str) -> None:
        """Append a header."""
        self.headers.append((name, value.encode()))

    def add_optional(self, name: str, value: str) -> None:
        """Append a header unless it is empty."""
        if value:
            self.add(name, value)
