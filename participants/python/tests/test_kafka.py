"""A participant on real Kafka and Postgres: what is sent to it, and what it answers."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg import sql
from pydantic import BaseModel
from structlog.testing import capture_logs

from skald import AsyncConnection, Connection, Kafka, Limits, Participant, PostgresBarrier, Request, Topics, ensure_topic, migrate, run
from skald.testing import Saga
from skald.wire import Command, Outcome, Record, Reply, Verb

LIMIT = 30.0
PARTITIONS = 6


class Order(BaseModel):
    name: str = ""
    hold: bool = False


class Bench:
    """A participant's schema and topics, what sends to it and reads its replies, and runs of it."""

    def __init__(self, database: str, schema: str, brokers: str) -> None:
        self.database, self.schema, self.kafka = database, schema, Kafka(brokers)
        self.topics = Topics(f"py-{uuid.uuid4().hex[:10]}.")
        self.replies_topic = f"{self.topics.prefix}skald.replies"
        self.entered, self.release = threading.Event(), threading.Event()
        self.participant = self.make()
        migrate(database, schema)
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE TABLE {} (name text)").format(sql.Identifier(schema, "effects")))
        for topic in (self.participant.topic, self.replies_topic):
            ensure_topic(self.kafka, topic, PARTITIONS)
            ensure_topic(self.kafka, topic, PARTITIONS)  # again is harmless
        self.producer = Producer(self.kafka.producer())
        self.reader = Consumer(self.kafka.consumer(f"{self.topics.prefix}reader"))
        self.reader.assign([TopicPartition(self.replies_topic, i, 0) for i in range(PARTITIONS)])
        self.running: list[tuple[threading.Thread, threading.Event]] = []

    def make(self) -> Participant:
        p = Participant("tester", PostgresBarrier(self.database, self.schema), topics=self.topics)
        insert = sql.SQL("INSERT INTO {} VALUES (%s)").format(sql.Identifier(self.schema, "effects"))

        @p.execute("Do.v1", Order)
        def do(conn: Connection, request: Request[Order]) -> dict[str, str]:
            conn.execute(insert, [request.payload.name])
            if request.payload.hold:
                self.entered.set()
                assert self.release.wait(LIMIT)
            return {"did": request.payload.name}

        @p.execute("Async.v1", Order)
        async def ado(conn: AsyncConnection, request: Request[Order]) -> dict[str, str]:
            await conn.execute(insert, [request.payload.name])
            return {"did": request.payload.name}

        @p.execute("Long.v1", Order, heartbeat=True)
        def long(conn: Connection, request: Request[Order]) -> None:
            self.entered.set()
            assert self.release.wait(LIMIT)

        return p

    def start(self, limits: Limits | None = None) -> None:
        stop = threading.Event()
        self.participant = self.make()
        thread = threading.Thread(target=run, args=(self.participant, self.kafka, limits), kwargs={"stop": stop})
        thread.start()
        self.running.append((thread, stop))

    def stop(self) -> None:
        thread, stop = self.running.pop()
        stop.set()
        thread.join(LIMIT)
        assert not thread.is_alive(), "it does not drain"

    def send(self, *commands: Command | Record) -> None:
        for c in commands:
            r = c if isinstance(c, Record) else replace(c, reply_to=self.replies_topic).record(self.participant.topic)
            self.producer.produce(self.participant.topic, key=r.key, value=r.value, headers=list(r.headers))
        assert self.producer.flush(LIMIT) == 0

    def command(self, name: str, effect: str = "", *, saga: Saga | None = None, attempt: int = 1, **payload: Any) -> Command:
        saga = saga or Saga(self.participant)
        return saga.command(Verb.EXECUTE, name, {"name": effect, **payload}, attempt=attempt)

    def replies(self, n: int) -> list[Reply]:
        """The next n, in the order they came; they are where Java's partitioner puts them, and readable."""
        found: list[Reply] = []
        until = time.monotonic() + LIMIT
        while len(found) < n:
            assert time.monotonic() < until, f"{len(found)} of {n} replies"
            message = self.reader.poll(0.2)
            if message is None or message.error():
                continue
            headers = [(str(h[0]), bytes(h[1])) for h in message.headers() or []]  # type: ignore[arg-type]
            key, value = message.key() or b"", message.value() or b""
            assert isinstance(key, bytes)
            assert isinstance(value, bytes)
            assert message.partition() == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
            found.append(Reply.decode(Record(self.replies_topic, key, value, headers)))
        return found

    def effects(self) -> list[str]:
        with psycopg.connect(self.database) as conn:
            return sorted(row[0] for row in conn.execute(sql.SQL("SELECT name FROM {}").format(sql.Identifier(self.schema, "effects"))))

    def committed(self) -> int:
        """How many records the group has behind it."""
        consumer = Consumer(self.kafka.consumer(self.participant.group))
        try:
            found = consumer.committed([TopicPartition(self.participant.topic, i) for i in range(PARTITIONS)], timeout=LIMIT)
            return sum(max(0, tp.offset) for tp in found)
        finally:
            consumer.close()

    def close(self) -> None:
        self.release.set()
        while self.running:
            self.stop()
        self.reader.close()
        admin = AdminClient(self.kafka.client())
        for future in admin.delete_topics([self.participant.topic, self.replies_topic]).values():
            future.result(LIMIT)


def murmur2(data: bytes) -> int:
    """Kafka's, as participants/wire/testdata/partitions.json has it."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def eventually(what: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def bench(database: str, schema: str, brokers: str) -> Iterator[Bench]:
    made = Bench(database, schema, brokers)
    yield made
    made.close()


def test_answers_sync_and_async_and_duplicates_alike(bench: Bench) -> None:
    first, second = bench.command("Do.v1", "a"), bench.command("Async.v1", "b")
    bench.send(first, second, replace(first, attempt=2), replace(second, attempt=2))  # from before it runs: the oldest is read
    bench.start()
    replies = bench.replies(4)
    assert {(r.outcome, r.causation_id, r.attempt, r.value) for r in replies} == {
        (Outcome.SUCCEEDED, c.id, attempt, json.dumps({"did": name}, separators=(",", ":")).encode())
        for c, name in ((first, "a"), (second, "b"))
        for attempt in (1, 2)
    }
    assert len({r.id for r in replies}) == 4
    assert bench.effects() == ["a", "b"]


def test_rubbish_is_passed_by_and_an_unknown_command_fails(bench: Bench) -> None:
    good = bench.command("Do.v1", "a")
    torn = good.record(bench.participant.topic)
    torn.headers = torn.headers[3:]
    other = replace(good, participant="other").record(bench.participant.topic)
    unknown = bench.command("Unknown.v1")
    bench.send(Record("", b"", b"\xff"), torn, other, unknown, good)
    bench.start()
    answers = {r.causation_id: (r.outcome, r.code) for r in bench.replies(2)}
    assert answers == {unknown.id: (Outcome.FAILED, "unknown_command"), good.id: (Outcome.SUCCEEDED, "")}
    bench.stop()
    assert bench.committed() == 5, "a record that is no command does not hold the partition"


def test_drain_finishes_what_has_begun_and_leaves_the_rest(bench: Bench) -> None:
    saga = Saga(bench.participant)
    with capture_logs() as logs:
        bench.start(Limits(drain=LIMIT))
        held = bench.command("Do.v1", "held", saga=saga, hold=True)
        bench.send(held, bench.command("Do.v1", "left", saga=saga.at("next")))  # of the same saga: it waits its turn
        assert bench.entered.wait(LIMIT)
        stopper = threading.Thread(target=bench.stop)
        stopper.start()
        eventually(lambda: any(entry["event"] == "participant drains" for entry in logs))
        bench.release.set()
        stopper.join(LIMIT)
    assert [r.causation_id for r in bench.replies(1)] == [held.id]
    assert bench.effects() == ["held"]
    assert bench.committed() == 1, "the command that did not begin is for the next"
    bench.start()
    assert [r.outcome for r in bench.replies(1)] == [Outcome.SUCCEEDED]
    assert bench.effects() == ["held", "left"]


def test_commands_of_one_saga_are_answered_in_order(bench: Bench) -> None:
    saga = Saga(bench.participant)
    sent = [bench.command("Do.v1" if i % 2 else "Async.v1", str(i), saga=saga.at(f"s{i}")) for i in range(30)]
    bench.send(*sent)
    bench.start()
    assert [r.causation_id for r in bench.replies(30)] == [c.id for c in sent]


def test_heartbeats_until_the_handler_ends(bench: Bench) -> None:
    bench.start()
    command = bench.command("Long.v1")
    bench.send(replace(command, expiry=command.time + (command.expiry - command.time) / 5))  # 1 s
    beats = bench.replies(3)
    assert [r.outcome for r in beats] == [Outcome.INPROGRESS] * 3
    bench.release.set()
    while (reply := bench.replies(1)[0]).outcome is Outcome.INPROGRESS:
        pass
    assert reply.outcome is Outcome.SUCCEEDED


def test_many_more_than_it_takes_in_hand(bench: Bench) -> None:
    sent = [bench.command("Do.v1", f"{i:03}") for i in range(300)]
    bench.send(*sent)
    bench.start(Limits(concurrency=8, in_hand=20))
    assert {r.causation_id for r in bench.replies(300)} == {c.id for c in sent}
    assert bench.effects() == [f"{i:03}" for i in range(300)]
    bench.stop()
    assert bench.committed() == 300


def test_two_members_share_and_hand_over(bench: Bench) -> None:
    bench.start()
    bench.send(*[bench.command("Do.v1", f"a{i}") for i in range(50)])
    bench.start()
    bench.send(*[bench.command("Do.v1", f"b{i}") for i in range(50)])
    bench.stop()
    bench.send(*[bench.command("Do.v1", f"c{i}") for i in range(50)])
    seen: set[uuid.UUID] = set()
    while len(seen) < 150:
        seen |= {r.causation_id for r in bench.replies(1)}
    assert len(bench.effects()) == 150, "nothing lost, nothing done twice"
