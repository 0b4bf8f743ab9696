"""Kafka's settings, set on purpose."""

import logging
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where Kafka is. extra goes to every client last, such as for SASL and TLS (librdkafka's names)."""

    brokers: str  # host:port, separated by commas
    client_id: str = "skald-participant"
    extra: dict[str, Any] = field(default_factory=dict)

    def client(self) -> dict[str, Any]:
        """What all clients share."""
        return {
            "bootstrap.servers": self.brokers,
            "client.id": self.client_id,
            "enable.metrics.push": False,
            "allow.auto.create.topics": False,
            "topic.metadata.refresh.interval.ms": 10_000,
            "reconnect.backoff.max.ms": 2_000,
            "logger": logging.getLogger("skald.kafka"),
        }

    def producer(self) -> dict[str, Any]:
        """acks=all, idempotent, and the partitioner that every SDK has."""
        own = {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": 1 << 20,
            "message.timeout.ms": 30_000,
            "linger.ms": 0,
        }
        return self.client() | own | self.extra

    def consumer(self, group: str) -> dict[str, Any]:
        """From the oldest record; offsets are committed by hand, once replies are delivered."""
        own = {
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_500,
            "max.poll.interval.ms": 300_000,
            "queued.max.messages.kbytes": 16_384,
            "fetch.wait.max.ms": 100,
        }
        return self.client() | own | self.extra


def ensure_topic(kafka: Kafka, topic: str, partitions: int = 12, timeout: float = 30) -> None:
    """Make the topic where it is missing, with the broker's own replication."""
    admin = AdminClient(kafka.client() | kafka.extra)
    made = admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=-1)], request_timeout=timeout)
    try:
        made[topic].result(timeout)
    except KafkaException as e:
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
