"""Doing what a walk asks for, for sync and for async handlers."""

import asyncio
from typing import Any, Protocol, TypeVar

from skald.answers import Delivery, Request, decode, encode, result_of
from skald.rules import Result, Row, RowKey
from skald.walk import Begin, Call, Commit, Insert, Op, Rollback, UndoEffects, Update, Walk
from skald.wire import Outcome

T = TypeVar("T")


class SyncTx(Protocol):
    """A barrier's transaction. conn is what handlers get."""

    conn: Any

    def insert(self, key: RowKey, row: Row) -> Row | None: ...
    def update(self, key: RowKey, row: Row) -> None: ...
    def undo_effects(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class SyncBarrier(Protocol):
    """What keeps the rows, for sync handlers."""

    def begin(self, lock_wait: float) -> SyncTx: ...


class AsyncTx(Protocol):
    """A barrier's transaction. conn is what handlers get."""

    conn: Any

    async def insert(self, key: RowKey, row: Row) -> Row | None: ...
    async def update(self, key: RowKey, row: Row) -> None: ...
    async def undo_effects(self) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...


class AsyncBarrier(Protocol):
    """What keeps the rows, for async handlers."""

    async def abegin(self, lock_wait: float) -> AsyncTx: ...


def drive(walk: Walk[T], barrier: SyncBarrier, delivery: Delivery) -> T:
    """Walk to the end, in this thread."""
    tx: SyncTx | None = None

    def perform(op: Op) -> Any:
        nonlocal tx
        match op:
            case Begin():
                tx = barrier.begin(op.lock_wait)
                return None
            case Rollback():
                ending, tx = tx, None
                return None if ending is None else ending.rollback()
            case Call():
                return _called(op, delivery, tx)
        if tx is None:
            raise RuntimeError("no transaction is open")
        match op:
            case Insert():
                return tx.insert(op.key, op.row)
            case Update():
                return tx.update(op.key, op.row)
            case UndoEffects():
                return tx.undo_effects()
            case Commit():
                ending, tx = tx, None
                return ending.commit()

    try:
        op = next(walk)
        while True:
            try:
                value = perform(op)
            except BaseException as e:
                op = walk.throw(e)
            else:
                op = walk.send(value)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def adrive(walk: Walk[T], barrier: AsyncBarrier, delivery: Delivery) -> T:
    """drive, where handlers are async."""
    tx: AsyncTx | None = None

    async def perform(op: Op) -> Any:
        nonlocal tx
        match op:
            case Begin():
                tx = await barrier.abegin(op.lock_wait)
                return None
            case Rollback():
                ending, tx = tx, None
                return None if ending is None else await asyncio.shield(ending.rollback())
            case Call():
                return await _acalled(op, delivery, tx)
        if tx is None:
            raise RuntimeError("no transaction is open")
        match op:
            case Insert():
                return await tx.insert(op.key, op.row)
            case Update():
                return await tx.update(op.key, op.row)
            case UndoEffects():
                return await tx.undo_effects()
            case Commit():
                ending, tx = tx, None
                return await asyncio.shield(ending.commit())

    try:
        op = next(walk)
        while True:
            try:
                value = await perform(op)
            except BaseException as e:
                op = walk.throw(e)
            else:
                op = walk.send(value)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _request(call: Call, delivery: Delivery) -> Request[Any]:
    command = delivery.command
    asked = call.executed if call.asking else None
    return Request(
        command=command,
        payload=decode(call.handler.model, command, call.executed),
        executed=call.executed,
        idempotency_key=str(asked.command_id if asked is not None else command.id),
        delivery=delivery,
    )


def _called(call: Call, delivery: Delivery, tx: SyncTx | None) -> Result:
    try:
        request = _request(call, delivery)
        run = call.handler.run
        output = run(tx.conn, request) if call.in_tx and tx is not None else run(request)
        return Result(Outcome.SUCCEEDED, output=encode(output))
    except BaseException as e:
        return result_of(e)


async def _acalled(call: Call, delivery: Delivery, tx: AsyncTx | None) -> Result:
    try:
        request = _request(call, delivery)
        run = call.handler.run
        output = await (run(tx.conn, request) if call.in_tx and tx is not None else run(request))
        return Result(Outcome.SUCCEEDED, output=encode(output))
    except BaseException as e:
        return result_of(e)
