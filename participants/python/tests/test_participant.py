"""What the barrier's cases do not say: registering, payloads, outputs, logs, traces, and the table."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from psycopg import sql
from pydantic import BaseModel

from conftest import PARTICIPANTS
from skald import Connection, Participant, PostgresBarrier, Reject, Request, Undo, logs, migrate, tracing
from skald.answers import clean
from skald.sql import CREATE_INDEX, CREATE_TABLE, PURGE
from skald.testing import Saga
from skald.walk import Policy
from skald.watermark import Watermark
from skald.wire import Outcome, Verb


class Item(BaseModel):
    sku: str


class Reserved(BaseModel):
    reservation: str


@pytest.fixture
def barrier(database: str, schema: str) -> Iterator[PostgresBarrier]:
    migrate(database, schema)
    made = PostgresBarrier(database, schema)
    yield made
    made.close()


def inventory(barrier: PostgresBarrier, policy: Policy | None = None) -> tuple[Participant, list[Any]]:
    p, seen = Participant("inventory", barrier, policy=policy), list[Any]()

    @p.execute("Reserve.v1", Item)
    def reserve(_: Connection, request: Request[Item]) -> Reserved:
        return Reserved(reservation=request.payload.sku)

    @p.compensate("Release.v1", Undo[Item, Reserved])
    def release(_: Connection, request: Request[Undo[Item, Reserved]]) -> None:
        seen.append(request.payload.output)

    return p, seen


def test_an_output_that_only_the_barrier_knows_is_filled_in(barrier: PostgresBarrier) -> None:
    p, seen = inventory(barrier)
    saga = Saga(p)
    saga.execute("Reserve.v1", {"sku": "a"})
    assert saga.compensate("Release.v1", {"payload": {"sku": "a"}, "output": None}).outcome is Outcome.SUCCEEDED
    assert seen == [Reserved(reservation="a")]


def test_a_payload_that_is_not_the_commands_is_rejected(barrier: PostgresBarrier) -> None:
    p, _ = inventory(barrier)
    reply = Saga(p).execute("Reserve.v1", {"sku": 7})
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, "invalid_payload")
    assert "sku: Input should be a valid string" in reply.message
    saga = Saga(p)
    saga.execute("Reserve.v1", {"sku": "a"})
    assert saga.compensate("Release.v1", {}).code == "invalid_payload"
    assert saga.compensate("Release.v1", {"payload": {"sku": "a"}}, edition=1).outcome is Outcome.SUCCEEDED, "a corrected one"


def test_an_output_that_is_too_large_is_rolled_back(barrier: PostgresBarrier) -> None:
    p, _ = inventory(barrier, Policy(max_output=20))
    saga = Saga(p)
    assert saga.execute("Reserve.v1", {"sku": "a" * 20}).code == "output_too_large"
    assert saga.compensate("Release.v1", {"payload": {"sku": "a"}}).code == "nothing_to_undo"


def test_unknown_commands_and_verbs_fail(barrier: PostgresBarrier) -> None:
    p, _ = inventory(barrier)
    for reply in (Saga(p).execute("Other.v1", {}), Saga(p).execute("Release.v1", {}), Saga(p).compensate("Reserve.v1", {})):
        assert (reply.outcome, reply.code) == (Outcome.FAILED, "unknown_command")


def test_a_handler_cannot_end_the_transaction(barrier: PostgresBarrier) -> None:
    p = Participant("inventory", barrier)

    @p.execute("Commit.v1", Item)
    def commit(conn: Connection, _: Request[Item]) -> None:
        conn.commit()

    saga = Saga(p)
    assert saga.execute("Commit.v1", {"sku": "a"}).code == "error"
    assert saga.probe("Commit.v1", {}).code == "not_found", "nothing was stored"


def test_a_failed_statement_that_is_swallowed_is_no_success(barrier: PostgresBarrier) -> None:
    p = Participant("inventory", barrier)

    @p.execute("Swallow.v1", Item)
    def swallow(conn: Connection, _: Request[Item]) -> None:
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("SELECT 1/0")

    assert Saga(p).execute("Swallow.v1", {"sku": "a"}).code == "barrier_unavailable"


def test_a_database_that_is_away_fails(schema: str) -> None:
    p, _ = inventory(PostgresBarrier("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1", schema, timeout=1))
    with structlog.testing.capture_logs():
        assert Saga(p).execute("Reserve.v1", {"sku": "a"}).code == "barrier_unavailable"
    p.barrier.close()


def test_text_with_nul_is_stored_clean(barrier: PostgresBarrier) -> None:
    p = Participant("inventory", barrier)

    @p.execute("Say.v1", Item)
    def say(_: Connection, request: Request[Item]) -> None:
        raise Reject("no", "a\0b\ud800")

    saga = Saga(p)
    first = saga.execute("Say.v1", {"sku": "a"})
    assert first.message == "a b?"
    assert saga.execute("Say.v1", {"sku": "a"}).message == first.message


def test_clean_cuts_at_a_character() -> None:
    assert clean("ä" * 1000) == "ä" * 512
    assert clean("x\ny\x7f") == "x y "


def test_registering_says_what_is_wrong(barrier: PostgresBarrier) -> None:
    for name in ("", "skald", "A", "a_b"):
        with pytest.raises(ValueError, match="participant's name"):
            Participant(name, barrier)
    p, _ = inventory(barrier)

    async def handler(*_: Any) -> None: ...

    with pytest.raises(ValueError, match="command's name"):
        p.execute("Reserve", Item)(handler)
    with pytest.raises(ValueError, match="all async or none"):
        p.compensate("Reserve.v1", Item)(handler)
    with pytest.raises(ValueError, match="twice"):
        p.execute("Reserve.v1", Item)(lambda *_: None)
    with pytest.raises(ValueError, match="all external or none"):
        p.external_compensate("Reserve.v1", Item)(lambda _: None)
    p.execute("Async.v1", Item)(handler)
    with pytest.raises(TypeError, match="async"):
        Saga(p).execute("Async.v1", {"sku": "a"})


def test_what_is_around_async_handlers_is_refused(barrier: PostgresBarrier) -> None:
    async def handler(*_: Any) -> None: ...

    p = Participant("inventory", barrier)
    p.execute("Async.v1", Item)(handler)
    with pytest.raises(ValueError, match="block the loop"):
        p.around("Async.v1")(lambda _: nullcontext())
    p.around("Other.v1")(lambda _: nullcontext())
    with pytest.raises(ValueError, match="block the loop"):
        p.execute("Other.v1", Item)(handler)


def test_expired_attempts_are_refused_where_it_is_wanted(barrier: PostgresBarrier) -> None:
    for policy, code in ((Policy(), ""), (Policy(refuse_expired=True), "expired")):
        p, _ = inventory(barrier, policy)
        saga = Saga(p)
        command = saga.command(Verb.EXECUTE, "Reserve.v1", {"sku": "a"})
        reply = saga.answer(replace(command, expiry=command.time - timedelta(seconds=1)))
        assert reply.code == code
        assert saga.answer(command).outcome is Outcome.SUCCEEDED, "the next attempt is handled"


def test_logs_are_json_with_saga_correlation_and_trace(barrier: PostgresBarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    before = structlog.get_config()
    logs.configure()
    try:
        p = Participant("inventory", barrier)

        @p.execute("Log.v1", Item)
        def log(_: Connection, request: Request[Item]) -> None:
            structlog.get_logger().warning("reserving", sku=request.payload.sku)

        saga = Saga(p)
        command = saga.command(Verb.EXECUTE, "Log.v1", {"sku": "a"})
        saga.answer(replace(command, traceparent=f"00-{'a' * 32}-{'b' * 16}-01"))
    finally:
        structlog.configure(**before)
    line = json.loads(written.getvalue())
    assert (line["msg"], line["level"], line["sku"], line["saga_id"]) == ("reserving", "WARNING", "a", str(saga.id))
    assert (line["step"], line["correlation_id"], line["trace_id"]) == ("step", command.correlation_id, "a" * 32)


def test_a_span_continues_the_trace_and_the_reply_carries_it(barrier: PostgresBarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    p, _ = inventory(barrier)
    saga = Saga(p)
    command = replace(saga.command(Verb.EXECUTE, "Reserve.v1", {"sku": "a"}), traceparent=f"00-{'a' * 32}-{'b' * 16}-01", tracestate="v=1")
    assert saga.answer(command).traceparent == command.traceparent, "without a provider it is echoed"
    provider = TracerProvider()
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    reply = saga.answer(command)
    _, trace_id, span_id, _ = reply.traceparent.split("-")
    assert (trace_id, reply.tracestate) == ("a" * 32, "v=1")
    assert span_id != "b" * 16
    monkeypatch.setattr(tracing, "INSTALLED", False)
    assert saga.answer(command).traceparent == command.traceparent


def test_migrating_at_once_and_again(database: str, schema: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for made in [pool.submit(migrate, database, schema) for _ in range(8)]:
            made.result()
    migrate(database, schema)


def test_the_table_is_that_of_the_go_sdk() -> None:
    go = (PARTICIPANTS / "inbox" / "sql.go").read_text()
    for statement in (CREATE_TABLE, CREATE_INDEX, PURGE.replace("%s", "$1", 1).replace("%s", "$2")):
        assert f"`{statement}`" in go


def test_purge_forgets_old_answers_and_never_a_claim(barrier: PostgresBarrier, database: str, schema: str) -> None:
    p, _ = inventory(barrier)
    saga = Saga(p)
    for step in ("a", "b", "claimed", "fresh"):
        saga.at(step).execute("Reserve.v1", {"sku": "a"})
    table = sql.Identifier(schema, "barrier")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sql.SQL("UPDATE {} SET created_at = created_at - interval '31 days' WHERE step <> 'fresh'").format(table))
        conn.execute(sql.SQL("UPDATE {} SET state = 'claimed' WHERE step = 'claimed'").format(table))
        assert [barrier.purge(timedelta(days=30), 1) for _ in range(3)] == [1, 1, 0]
        left = conn.execute(sql.SQL("SELECT step FROM {} ORDER BY step").format(table)).fetchall()
    assert left == [("claimed",), ("fresh",)]


def test_watermark_moves_over_what_is_finished() -> None:
    marks = Watermark()
    for offset in (3, 4, 7):
        marks.take(offset)
    marks.finish(4)
    assert marks.moved() is None
    marks.finish(3)
    assert (marks.moved(), marks.moved()) == (5, None)
    marks.finish(99)
    marks.finish(7)
    assert marks.moved() == 8
