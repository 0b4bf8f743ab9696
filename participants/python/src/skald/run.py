"""Running a participant: commands in, replies out, offsets committed once replies are delivered."""

import asyncio
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from skald.answers import Delivery, NoReply
from skald.kafka import Kafka
from skald.participant import Participant
from skald.rules import Result
from skald.sender import Sender
from skald.watermark import Watermark
from skald.wire import Command, DecodeError, Outcome, Problem, Record, Reply
from skald.workers import Workers

log = structlog.get_logger("skald")

_POLL = 0.1
_COMMIT_EVERY = 0.5
_FLUSH = 10.0
_HEARTBEATS = 3  # in an attempt's time


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once. drain is in seconds."""

    concurrency: int = 16  # handlers of each kind; the barrier should have as many connections
    in_hand: int = 1024  # deliveries taken and not finished; above it reading pauses
    drain: float = 10  # how long what has begun may go on after the partition was lost or the process was told to end


@dataclass(slots=True)
class _Partition:
    number: int
    marks: Watermark = field(default_factory=Watermark)
    lost: bool = False
    begun: int = 0  # guarded by the runner's lock; commands that run or whose replies are on their way


@dataclass(slots=True)
class _Task:
    partition: _Partition
    offset: int
    delivery: Delivery


def run(participant: Participant, kafka: Kafka, limits: Limits | None = None, *, stop: threading.Event | None = None) -> None:
    """Answer commands until SIGTERM or SIGINT, or until stop is set, and drain.

    What has begun is finished, within limits.drain, and answered; what has not is left for the next to read. Commands of one saga are
    handled one after the other. It raises where Kafka can't be used any more. Without stop it must be called from the main thread.
    """
    if stop is None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    _Runner(participant, kafka, limits or Limits()).run(stop)


class _Runner:
    def __init__(self, participant: Participant, kafka: Kafka, limits: Limits) -> None:
        self._participant = participant
        self._limits = limits
        self._sender = Sender(kafka)
        self._workers = Workers(limits.concurrency)
        self._consumer = Consumer(kafka.consumer(participant.group) | {"error_cb": _client_error, "on_commit": _committed})
        self._changed = threading.Condition()  # its lock guards what follows
        self._partitions: dict[int, _Partition] = {}
        self._chains: dict[bytes, deque[_Task]] = {}  # a key is there while one of its tasks runs
        self._in_hand = 0
        self._stopping = False
        self._paused = False  # of the consumer's thread alone
        self._given_up = threading.Event()  # the drain's time is over

    def run(self, stop: threading.Event) -> None:
        p = self._participant
        log.info("participant started", participant=p.name, topic=p.topic, group=p.group)
        try:
            self._consumer.subscribe([p.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
            committed = time.monotonic()
            while not stop.is_set():
                self._slow_down()
                message = self._consumer.poll(_POLL)
                if message is not None:
                    self._take(message)
                if self._sender.fatal is not None:
                    raise RuntimeError(f"kafka producer: {self._sender.fatal}")
                if time.monotonic() - committed > _COMMIT_EVERY:
                    committed = time.monotonic()
                    self._commit(list(self._partitions.values()), wait=False)
        finally:
            self._drain()
        log.info("participant stopped", participant=p.name)

    def _drain(self) -> None:
        with self._changed:
            self._stopping = True
            partitions = list(self._partitions.values())
            begun = sum(p.begun for p in partitions)
        log.info("participant drains", participant=self._participant.name, begun=begun)
        self._wait_for(partitions)
        self._given_up.set()
        self._workers.cancel()
        left = self._sender.close(_FLUSH)
        if left:
            log.warning("replies were not delivered, their commands will come again", count=left)
        self._commit(partitions, wait=True)
        self._consumer.close()
        barrier = self._participant.barrier
        barrier.close()
        asyncio.run_coroutine_threadsafe(barrier.aclose(), self._workers.loop).result(_FLUSH)
        self._workers.close()

    def _slow_down(self) -> None:
        """Pause reading while too much is in hand; polling goes on, as the group demands."""
        with self._changed:
            full = self._in_hand >= (self._limits.in_hand // 2 if self._paused else self._limits.in_hand)
        if full == self._paused:
            return
        (self._consumer.pause if full else self._consumer.resume)(self._consumer.assignment())
        self._paused = full

    def _take(self, message: Message) -> None:
        error, number, offset = message.error(), message.partition(), message.offset()
        if error is not None:
            log.warning("kafka consumer error", error=error.str())
            return
        partition = self._partitions.get(-1 if number is None else number)
        if partition is None or offset is None:
            return  # read before the partition was lost
        partition.marks.take(offset)
        headers = [(str(h[0]), _bytes(h[1])) for h in message.headers() or []]
        record = Record(message.topic() or "", _bytes(message.key()), _bytes(message.value()), headers, partition.number, offset)
        try:
            command = Command.decode(record)
            if command.participant != self._participant.name:
                raise DecodeError("command", [Problem("ce_type", "is for another participant")])
        except DecodeError as e:
            # Nobody can be answered: it is logged and passed by, so that the partition moves on.
            log.error("record is no command", error=str(e), topic=record.topic, partition=number, offset=offset)
            partition.marks.finish(offset)
            return
        delivery = Delivery(command, stop=self._given_up)
        delivery.beat = lambda result: self._beat(delivery, result)
        task, key = _Task(partition, offset, delivery), command.saga_id.bytes
        with self._changed:
            self._in_hand += 1
            chain = self._chains.get(key)
            if chain is not None:
                chain.append(task)
                return
            self._chains[key] = deque()
        self._begin(key, task)

    def _begin(self, key: bytes, task: _Task) -> None:
        """Run task, unless it is to be left; its end begins the next of its saga."""
        with self._changed:
            left = task.partition.lost or self._stopping
            if not left:
                task.partition.begun += 1
        if left:
            self._ended(key, task)
            return
        command = task.delivery.command
        registered = self._participant.registered(command)
        beats = self._keep_up(task.delivery) if registered.heartbeat else None

        def answered(reply: Reply | None, finished: bool) -> None:
            if beats is not None:
                beats()
            if reply is not None:
                self._sender.send(reply.record(command.reply_to), lambda: self._finished(task, True))
            else:
                self._finished(task, finished)
            self._ended(key, task)

        if registered.is_async:
            self._workers.run_async(lambda: self._aanswer(task.delivery, answered))
        else:
            self._workers.run(lambda: self._answer(task.delivery, answered))

    def _answer(self, delivery: Delivery, answered: Callable[[Reply | None, bool], None]) -> None:
        try:
            reply = self._participant.answer(delivery)
        except NoReply:
            answered(None, True)
        except BaseException as e:
            log.warning("command is left", error=repr(e), saga_id=str(delivery.command.saga_id))
            answered(None, False)
        else:
            answered(reply, True)

    async def _aanswer(self, delivery: Delivery, answered: Callable[[Reply | None, bool], None]) -> None:
        try:
            reply = await self._participant.aanswer(delivery)
        except NoReply:
            answered(None, True)
        except BaseException as e:
            log.warning("command is left", error=repr(e), saga_id=str(delivery.command.saga_id))
            answered(None, False)
        else:
            answered(reply, True)

    def _finished(self, task: _Task, handled: bool) -> None:
        """The reply is delivered, or none is wanted: only now may the offset be committed."""
        if handled:
            task.partition.marks.finish(task.offset)
        with self._changed:
            task.partition.begun -= 1
            self._changed.notify_all()

    def _ended(self, key: bytes, task: _Task) -> None:
        following: _Task | None = None
        with self._changed:
            self._in_hand -= 1
            chain = self._chains[key]
            if chain:
                following = chain.popleft()
            else:
                del self._chains[key]
            self._changed.notify_all()
        if following is not None:
            self._begin(key, following)

    def _beat(self, delivery: Delivery, result: Result) -> None:
        reply = self._participant.reply(delivery, result)
        self._sender.send(reply.record(delivery.command.reply_to), lambda: None)

    def _keep_up(self, delivery: Delivery) -> Callable[[], None]:
        """Send heartbeats until what it returns is called."""
        c, ended = delivery.command, threading.Event()
        every = max(0.2, (c.expiry - c.time).total_seconds() / _HEARTBEATS)

        def again() -> None:
            if not ended.is_set():
                self._beat(delivery, Result(Outcome.INPROGRESS))
                self._workers.loop.call_later(every, again)

        first = min(every, max(0.0, (c.expiry - datetime.now(UTC)).total_seconds() / _HEARTBEATS))
        self._workers.loop.call_soon_threadsafe(self._workers.loop.call_later, first, again)
        return ended.set

    def _assigned(self, _: Consumer, assigned: list[TopicPartition]) -> None:
        for tp in assigned:
            self._partitions[tp.partition] = _Partition(tp.partition)
        self._paused = False
        log.info("partitions assigned", partitions=sorted(tp.partition for tp in assigned))

    def _revoked(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        """Finish what was begun, so that its offsets are committed before another reads."""
        partitions = self._remove(revoked)
        self._wait_for(partitions)
        self._commit(partitions, wait=True)
        log.info("partitions revoked", partitions=sorted(p.number for p in partitions))

    def _lost(self, _: Consumer, lost: list[TopicPartition]) -> None:
        log.warning("partitions lost", partitions=sorted(p.number for p in self._remove(lost)))

    def _remove(self, gone: list[TopicPartition]) -> list[_Partition]:
        removed = []
        with self._changed:
            for tp in gone:
                partition = self._partitions.pop(tp.partition, None)
                if partition is not None:
                    partition.lost = True
                    removed.append(partition)
        return removed

    def _wait_for(self, partitions: list[_Partition]) -> None:
        until = time.monotonic() + self._limits.drain
        with self._changed:
            while any(p.begun for p in partitions) and not self._given_up.is_set():
                if not self._changed.wait(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                    log.warning("commands are still running", count=sum(p.begun for p in partitions))
                    return

    def _commit(self, partitions: list[_Partition], *, wait: bool) -> None:
        topic = self._participant.topic
        moved = [(p.number, p.marks.moved()) for p in partitions]
        offsets = [TopicPartition(topic, number, offset) for number, offset in moved if offset is not None]
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as e:  # what is not committed is delivered again, and the barrier answers alike
            log.warning("offsets were not committed", error=str(e))


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _committed(error: KafkaError | None, _: list[TopicPartition]) -> None:
    if error is not None:
        log.warning("offsets were not committed", error=error.str())


def _client_error(error: KafkaError) -> None:
    log.warning("kafka consumer error", error=error.str())
