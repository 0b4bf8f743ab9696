"""What plays participants/participanttest/testdata/barrier.txt: a participant on a real barrier, sync or async, and its provider."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql
from pydantic import BaseModel

from skald import AsyncConnection, CannotTell, Connection, Fail, Participant, PostgresBarrier, Reject, Request, migrate
from skald.testing import Saga
from skald.walk import Policy
from skald.wire import Command, Reply, Verb, command_id

HASTY = Policy(probe_wait=0.05, compensate_wait=0.05)
LIMIT = 20.0


class Order(BaseModel):
    answer: str


class Provider:
    """A card processor with idempotency keys."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.charges: set[str] = set()
        self.calls: list[str] = []
        self.crash = self.decline = self.mute = False
        self.during: Callable[[], None] | None = None

    def charge(self, request: Request[Order]) -> dict[str, str]:
        during, self.during = self.during, None
        if during is not None:
            during()
        with self.lock:
            self.calls.append(f"charge {request.idempotency_key}")
            if self.decline:
                raise Reject("declined", "card declined")
            self.charges.add(request.idempotency_key)
            self._crash()
        return {"charge": request.idempotency_key}

    def refund(self, request: Request[Order]) -> None:
        with self.lock:
            self.calls.append(f"refund {request.idempotency_key}")
            assert request.executed is not None
            self.charges.discard(str(request.executed.command_id))
            self._crash()

    def ask(self, request: Request[Order]) -> dict[str, str]:
        with self.lock:
            if self.mute:
                raise CannotTell
            if request.idempotency_key in self.charges:
                return {"charge": request.idempotency_key}
            raise Reject("voided", "never charged, and the key is closed")

    def _crash(self) -> None:
        if self.crash:
            self.crash = False
            raise ConnectionError("connection reset by provider")


class KilledError(Exception):
    """A process that was killed at a commit."""


class FaultyBarrier(PostgresBarrier):
    """Fails commits on demand."""

    def __init__(self, conninfo: str, schema: str) -> None:
        super().__init__(conninfo, schema, connections=70)
        self.kills: list[str] = []

    def begin(self, lock_wait: float) -> Any:
        tx = super().begin(lock_wait)
        commit = tx.commit

        def faulty() -> None:
            kill = self.kills.pop() if self.kills else ""
            if kill == "before":
                tx.rollback()
            else:
                commit()
            if kill:
                raise KilledError("connection lost at commit")

        tx.commit = faulty  # type: ignore[method-assign]
        return tx

    async def abegin(self, lock_wait: float) -> Any:
        tx = await super().abegin(lock_wait)
        commit = tx.commit

        async def faulty() -> None:
            kill = self.kills.pop() if self.kills else ""
            await (tx.rollback() if kill == "before" else commit())
            if kill:
                raise KilledError("connection lost at commit")

        tx.commit = faulty  # type: ignore[method-assign]
        return tx


class Rig:
    """A participant with commands Do.v1, Undo.v1 and those at the provider, and what asks it."""

    def __init__(self, database: str, schema: str, *, asynchronous: bool) -> None:
        self.database, self.schema, self.asynchronous = database, schema, asynchronous
        self.effects_table = sql.Identifier(schema, "effects")
        migrate(database, schema)
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE TABLE {} (id serial PRIMARY KEY, name text NOT NULL)").format(self.effects_table))
        self.barrier = FaultyBarrier(database, schema)
        self.provider = Provider()
        self.entered, self.release = threading.Event(), threading.Event()
        self.pool = ThreadPoolExecutor(64)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.saga = Saga(self.serving(Policy()))

    def close(self) -> None:
        self.release.set()
        self.pool.shutdown()
        self.barrier.close()
        asyncio.run_coroutine_threadsafe(self.barrier.aclose(), self.loop).result(LIMIT)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(LIMIT)
        self.loop.close()

    def serving(self, policy: Policy) -> Participant:
        p = Participant("tester", self.barrier, policy=policy)
        do, undo = self._handler("done"), self._handler("undone")
        p.execute("Do.v1", Order)(do)
        p.compensate("Undo.v1", Order)(undo)
        p.external_execute("Charge.v1", Order)(self._outside(self.provider.charge))
        p.external_compensate("Refund.v1", Order)(self._outside(self.provider.refund))
        p.ask("Refund.v1", Order)(self._outside(self.provider.ask))
        p.external_compensate("RefundBlind.v1", Order)(self._outside(self.provider.refund))
        p.ask("Find.v1", Order)(self._outside(self.provider.ask))
        return p

    def answer(self, saga: Saga, command: Command) -> Reply:
        if not self.asynchronous:
            return saga.answer(command)
        return asyncio.run_coroutine_threadsafe(saga.aanswer(command), self.loop).result(LIMIT)

    def start(self, saga: Saga, command: Command) -> "Future[Reply]":
        return self.pool.submit(self.answer, saga, command)

    def effects(self) -> list[str]:
        with psycopg.connect(self.database, autocommit=True) as conn:
            return [row[0] for row in conn.execute(sql.SQL("SELECT name FROM {} ORDER BY id").format(self.effects_table))]

    def _handler(self, effect: str) -> Any:
        insert = sql.SQL("INSERT INTO {} (name) VALUES (%s)").format(self.effects_table)

        def finish(request: Request[Order]) -> dict[str, str]:
            match request.payload.answer:
                case "reject":
                    raise Reject("no", "not today")
                case "fail" | "hold-fail":
                    raise Fail("flaky", "try later", retry_after=1)
                case "error":
                    raise OSError("something broke")
                case "panic":
                    raise AssertionError("handler's bug")
                case "break":
                    raise Reject("duplicate", "a statement failed")
            return {"effect": effect, "command": str(request.command.id)}

        def held() -> None:
            self.entered.set()
            assert self.release.wait(LIMIT)

        def run(conn: Connection, request: Request[Order]) -> dict[str, str]:
            conn.execute(insert, [effect])
            if request.payload.answer.startswith("hold"):
                held()
            if request.payload.answer == "break":
                try:
                    conn.execute("SELECT 1/0")
                except psycopg.errors.DivisionByZero:
                    return finish(request)
            return finish(request)

        async def arun(conn: AsyncConnection, request: Request[Order]) -> dict[str, str]:
            await conn.execute(insert, [effect])
            if request.payload.answer.startswith("hold"):
                await asyncio.to_thread(held)
            if request.payload.answer == "break":
                try:
                    await conn.execute("SELECT 1/0")
                except psycopg.errors.DivisionByZero:
                    return finish(request)
            return finish(request)

        return arun if self.asynchronous else run

    def _outside(self, call: Callable[[Request[Order]], Any]) -> Any:
        async def acall(request: Request[Order]) -> Any:
            return await asyncio.to_thread(call, request)

        return acall if self.asynchronous else call

    def key(self, verb: str, edition: str) -> str:
        return str(command_id(self.saga.id, self.saga.step, Verb(verb), int(edition)))
