"""The barrier in the service's own Postgres: its rows commit in the transaction of the effect.

The one table, barrier, lives in a schema of the team's choice. Transactions are READ COMMITTED: the barrier waits for an open
transaction by inserting the row that it has inserted, and then has to see it.
"""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
from psycopg import IsolationLevel, sql
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from skald.rules import Row, RowKey, State
from skald.sql import LOCK_TIMEOUT, LOCK_TIMEOUT_DEFAULT, MIGRATE_LOCK, ROLLBACK_TO, SAVEPOINT, Statements
from skald.sql import SCHEMA_EXISTS as _SCHEMA_EXISTS
from skald.sql import TABLE_EXISTS as _TABLE_EXISTS
from skald.walk import RowOpenError

Connection = psycopg.Connection[Any]
AsyncConnection = psycopg.AsyncConnection[Any]

_TRIES = 3  # more than one only where a row is purged between insert and lock
_VANISHES = "row keeps vanishing between insert and lock"


def migrate(conninfo: str, schema: str, also: Sequence[LiteralString] = ()) -> None:
    """Make schema and table where they are missing, and then run the team's own statements.

    Each of those must be harmless when run again (IF NOT EXISTS). It is safe to call from many processes at once, Go's included: one
    lock, in one transaction, serves for all of it. Without them it needs no right to CREATE where the table is there.
    """
    s = Statements(schema)
    quoted = sql.Identifier(schema).as_string(None)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        if not also and _yes(conn, _TABLE_EXISTS, f"{quoted}.barrier"):
            return
        with conn.transaction():
            conn.execute(MIGRATE_LOCK, [schema])
            if not _yes(conn, _SCHEMA_EXISTS, quoted):
                conn.execute(s.create_schema)
            conn.execute(s.create_table)
            conn.execute(s.create_index)
            for statement in also:
                conn.execute(statement)


def _yes(conn: Connection, query: LiteralString, name: str) -> bool:
    row = conn.execute(query, [name]).fetchone()
    return row is not None and bool(row[0])


class PostgresBarrier:
    """A barrier in one schema of one database, which migrate has made. It is safe for concurrent use.

    A transaction takes a connection for as long as its handler runs: connections should be as many as the runner's concurrency, else
    commands wait for one. timeout is how long in seconds.
    Async handlers have a pool of their own, in the loop that first uses it.
    """

    def __init__(self, conninfo: str, schema: str, *, connections: int = 16, timeout: float = 30) -> None:
        self._conninfo = conninfo
        self._statements = Statements(schema)
        self._size = connections
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None
        self._async_pool: AsyncConnectionPool[AsyncConnection] | None = None
        self._opening: asyncio.Lock | None = None

    def begin(self, lock_wait: float) -> "Tx":
        """Take a connection and open a transaction on it."""
        with self._lock:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._conninfo,
                    min_size=0,
                    max_size=self._size,
                    timeout=self._timeout,
                    open=True,
                    configure=_configure,
                    kwargs={"autocommit": True},
                )
            pool = self._pool
        return Tx(pool, self._statements, lock_wait)

    async def abegin(self, lock_wait: float) -> "AsyncTx":
        """begin, for async handlers."""
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._async_pool is None:
                self._async_pool = AsyncConnectionPool(
                    self._conninfo,
                    min_size=0,
                    max_size=self._size,
                    timeout=self._timeout,
                    open=False,
                    configure=_aconfigure,
                    kwargs={"autocommit": True},
                )
                await self._async_pool.open()
        tx = AsyncTx(self._async_pool, self._statements, lock_wait)
        await tx.open()
        return tx

    def purge(self, age: timedelta, limit: int) -> int:
        """Delete up to limit answered rows that are older than age, and return how many.

        A command that is delivered again after its row was purged looks new: age must be well above the longest time that a saga may
        live.
        """
        with psycopg.connect(self._conninfo, autocommit=True) as conn:
            return conn.execute(self._statements.purge, [age, limit]).rowcount

    def close(self) -> None:
        """Close the connections of sync handlers."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    async def aclose(self) -> None:
        """Close the connections of async handlers; in their loop."""
        pool, self._async_pool = self._async_pool, None
        if pool is not None:
            await pool.close()


class Tx:
    """One transaction, for one thread. Its connection refuses commit and rollback to handlers; savepoints are fine."""

    def __init__(self, pool: "ConnectionPool[Connection]", statements: Statements, lock_wait: float) -> None:
        self._pool = pool
        self._statements = statements
        self._lock_wait = lock_wait
        self._ended = False
        self.conn = pool.getconn()
        self._transaction = self.conn.transaction()
        try:
            self._transaction.__enter__()
        except BaseException:
            pool.putconn(self.conn)
            raise

    def insert(self, key: RowKey, row: Row) -> Row | None:
        """Insert row unless the key is there; then return the row that is, locked."""
        for _ in range(_TRIES):
            if self._waiting(self._statements.insert, _values(key, row)).rowcount == 1:
                return None
            found = self._waiting(self._statements.lock, _where(key)).fetchone()
            if found is not None:
                return _row(found)
        raise RuntimeError(_VANISHES)

    def update(self, key: RowKey, row: Row) -> None:
        """Replace a row that this transaction inserted or locked."""
        if self.conn.execute(self._statements.update, _values(key, row)).rowcount != 1:
            raise RuntimeError("row is not there")
        self.conn.execute(SAVEPOINT)

    def undo_effects(self) -> None:
        """Take back what was written since the last insert or update, also after a failed statement."""
        self.conn.execute(ROLLBACK_TO)

    def commit(self) -> None:
        """Make rows and effects durable, or raise; then neither may be, or both."""
        self._ended = True
        try:
            self._transaction.__exit__(None, None, None)
        finally:
            self._pool.putconn(self.conn)

    def rollback(self) -> None:
        """Take everything back; after the end it does nothing. It never fails: a closed connection rolls back too."""
        if self._ended:
            return
        self._ended = True
        try:
            self._transaction.__exit__(psycopg.Rollback, psycopg.Rollback(), None)
        except psycopg.Error:
            self.conn.close()
        finally:
            self._pool.putconn(self.conn)

    def _waiting(self, query: sql.Composed, args: Sequence[Any]) -> "psycopg.Cursor[Any]":
        """Execute within the lock wait, with a savepoint after it: going back to it must not give the row away."""
        try:
            if self._lock_wait > 0:
                self.conn.execute(LOCK_TIMEOUT, [_milliseconds(self._lock_wait)])
            cursor = self.conn.execute(query, args)
            if self._lock_wait > 0:
                self.conn.execute(LOCK_TIMEOUT_DEFAULT)  # the handler's own statements wait as long as the team wants
            self.conn.execute(SAVEPOINT)
        except psycopg.errors.LockNotAvailable as e:
            raise RowOpenError from e
        return cursor


class AsyncTx:
    """Tx, for async handlers."""

    def __init__(self, pool: "AsyncConnectionPool[AsyncConnection]", statements: Statements, lock_wait: float) -> None:
        self._pool = pool
        self._statements = statements
        self._lock_wait = lock_wait
        self._ended = False

    async def open(self) -> None:
        self.conn = await self._pool.getconn()
        self._transaction = self.conn.transaction()
        try:
            await self._transaction.__aenter__()
        except BaseException:
            await self._pool.putconn(self.conn)
            raise

    async def insert(self, key: RowKey, row: Row) -> Row | None:
        for _ in range(_TRIES):
            if (await self._waiting(self._statements.insert, _values(key, row))).rowcount == 1:
                return None
            found = await (await self._waiting(self._statements.lock, _where(key))).fetchone()
            if found is not None:
                return _row(found)
        raise RuntimeError(_VANISHES)

    async def update(self, key: RowKey, row: Row) -> None:
        if (await self.conn.execute(self._statements.update, _values(key, row))).rowcount != 1:
            raise RuntimeError("row is not there")
        await self.conn.execute(SAVEPOINT)

    async def undo_effects(self) -> None:
        await self.conn.execute(ROLLBACK_TO)

    async def commit(self) -> None:
        self._ended = True
        try:
            await self._transaction.__aexit__(None, None, None)
        finally:
            await self._pool.putconn(self.conn)

    async def rollback(self) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            await self._transaction.__aexit__(psycopg.Rollback, psycopg.Rollback(), None)
        except psycopg.Error:
            await self.conn.close()
        finally:
            await self._pool.putconn(self.conn)

    async def _waiting(self, query: sql.Composed, args: Sequence[Any]) -> "psycopg.AsyncCursor[Any]":
        try:
            if self._lock_wait > 0:
                await self.conn.execute(LOCK_TIMEOUT, [_milliseconds(self._lock_wait)])
            cursor = await self.conn.execute(query, args)
            if self._lock_wait > 0:
                await self.conn.execute(LOCK_TIMEOUT_DEFAULT)
            await self.conn.execute(SAVEPOINT)
        except psycopg.errors.LockNotAvailable as e:
            raise RowOpenError from e
        return cursor


def _configure(conn: Connection) -> None:
    conn.isolation_level = IsolationLevel.READ_COMMITTED


async def _aconfigure(conn: AsyncConnection) -> None:
    await conn.set_isolation_level(IsolationLevel.READ_COMMITTED)


def _milliseconds(seconds: float) -> str:
    return f"{max(1, int(seconds * 1000))}ms"


def _where(key: RowKey) -> list[Any]:
    return [key.saga_id, key.step, str(key.verb)]


def _values(key: RowKey, row: Row) -> list[Any]:
    return [row.command_id, row.edition, str(row.state), row.code, row.message, row.output, *_where(key)]


def _row(found: Sequence[Any]) -> Row:
    command_id, edition, state, code, message, output = found
    return Row(command_id, edition, State(state), code, message, None if output is None else bytes(output))
