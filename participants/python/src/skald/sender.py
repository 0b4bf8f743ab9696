"""Sending replies, until the broker has them."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from skald.kafka import Kafka
from skald.wire import Record

log = structlog.get_logger("skald")

_RESEND_PAUSE = 0.5
_TOPIC_TRIES = 4  # a topic may have been made just now
_POLL = 0.1

_REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.INVALID_RECORD,
}
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}


class Sender:
    """An idempotent producer with a thread of its own that takes its delivery reports.

    A record whose fate is not known is sent again, for as long as the process lives: it may be written twice, which a reply may be.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._producer = Producer(kafka.producer() | {"error_cb": self._error})
        self._lock = threading.Lock()
        self._again: list[tuple[float, int, Callable[[], None]]] = []  # guarded by _lock; when to send what
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self.fatal: str | None = None  # set once the producer can send nothing any more
        self._thread = threading.Thread(target=self._run, name="skald-sender", daemon=True)
        self._thread.start()

    def send(self, record: Record, done: Callable[[], None], tries: int = 1) -> None:
        """Hand a record to the broker. done is called once, when the record is durable or the broker will never take it."""

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                done()
                return
            code = error.code()
            if code in _REFUSED or (code in _NO_TOPIC and tries >= _TOPIC_TRIES):
                # The engine runs into its timeout and asks again; holding the partition would stop all other sagas.
                log.error("record was refused by the broker", error=error.str(), topic=record.topic)
                done()
                return
            log.warning("record is sent again", error=error.str(), topic=record.topic, tries=tries)
            self._later(lambda: self.send(record, done, tries + 1))

        try:
            self._producer.produce(record.topic, key=record.key, value=record.value, headers=list(record.headers), on_delivery=delivered)
        except BufferError:
            self._later(lambda: self.send(record, done, tries))
        except KafkaException as e:
            delivered(e.args[0], Message())

    def flush(self, timeout: float) -> int:
        """Wait until everything is delivered, and return how much is not."""
        return self._producer.flush(timeout)

    def close(self, timeout: float) -> int:
        """flush, and end the thread."""
        left = self.flush(timeout)
        self._closed.set()
        self._thread.join(timeout)
        return left

    def _later(self, send: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._again, (time.monotonic() + _RESEND_PAUSE, next(self._numbers), send))

    def _run(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_POLL)
            due = []
            with self._lock:
                while self._again and self._again[0][0] <= time.monotonic():
                    due.append(heapq.heappop(self._again)[2])
            for send in due:
                send()

    def _error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = error.str()
        log.warning("kafka producer error", error=error.str())
