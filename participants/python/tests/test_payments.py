"""The reference participant, as participants/payments/payments_test.go has it."""

import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

import payments
import skald
from skald import Delivery, NoReply, Outcome, Participant
from skald.testing import Saga
from skald.wire import Verb

Payload = dict[str, object]


@pytest.fixture
def dsn(database: str) -> Iterator[str]:
    """A database of its own: the participant's schema has a fixed name."""
    name = "py_" + uuid.uuid4().hex[:12]
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield psycopg.conninfo.make_conninfo(database, dbname=name)
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def participant(dsn: str) -> Iterator[Participant]:
    payments.setup(dsn)
    payments.setup(dsn)  # again is harmless
    made = payments.make(dsn, slow=0)
    yield made
    made.barrier.close()


def with_token(token: str) -> Payload:
    return {"order_id": "A-1", "amount_cents": 4200, "token": token}


def undo(token: str) -> Payload:
    """What the engine sends where it knows no output."""
    return {"payload": with_token(token), "output": None}


def column(dsn: str, query: str) -> list[str]:
    with psycopg.connect(dsn) as conn:
        return [row[0] for row in conn.execute(query.encode())]


PAYMENTS = "SELECT status || ' ' || amount_cents FROM payments.payments"


def test_charge_and_refund(participant: Participant, dsn: str) -> None:
    saga = Saga(participant)
    reply = saga.execute("ChargePayment.v1", with_token("tok_ok"))
    assert reply.outcome is Outcome.SUCCEEDED
    charged = payments.Charged.model_validate_json(reply.value)
    command = saga.command(Verb.EXECUTE, "ChargePayment.v1", {})
    assert charged == payments.Charged(payment_id=f"pay_{command.id.hex[:16]}", amount_cents=4200)
    assert column(dsn, PAYMENTS) == ["charged 4200"]
    reply = saga.compensate("RefundPayment.v1", {"payload": with_token("tok_ok"), "output": charged.model_dump()})
    assert reply.outcome is Outcome.SUCCEEDED
    assert payments.Refunded.model_validate_json(reply.value).payment_id == charged.payment_id
    assert column(dsn, PAYMENTS) == ["refunded 4200"]
    assert column(dsn, "SELECT payment_id FROM payments.refunds") == [charged.payment_id]


def test_declined(participant: Participant, dsn: str) -> None:
    saga = Saga(participant)
    reply = saga.execute("ChargePayment.v1", with_token("tok_declined"))
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, "card_declined")
    assert column(dsn, PAYMENTS) == []
    assert saga.compensate("RefundPayment.v1", undo("tok_declined")).code == "nothing_to_undo"


def test_flaky_fails_at_the_first_attempt(participant: Participant, dsn: str) -> None:
    saga = Saga(participant)
    reply = saga.execute("ChargePayment.v1", with_token("tok_flaky"))
    assert (reply.outcome, reply.code) == (Outcome.FAILED, "gateway_unavailable")
    assert column(dsn, PAYMENTS) == []
    assert saga.execute("ChargePayment.v1", with_token("tok_flaky"), attempt=2).outcome is Outcome.SUCCEEDED


def test_lost_is_charged_never_answered_and_refunded(participant: Participant, dsn: str) -> None:
    saga = Saga(participant)
    for attempt in range(1, 4):
        with pytest.raises(NoReply):
            saga.execute("ChargePayment.v1", with_token("tok_lost"), attempt=attempt)
    assert column(dsn, PAYMENTS) == ["charged 4200"], "charged, and once"
    assert saga.compensate("RefundPayment.v1", undo("tok_lost")).outcome is Outcome.SUCCEEDED
    assert column(dsn, PAYMENTS) == ["refunded 4200"]


def test_slow_ends_with_the_drain(dsn: str) -> None:
    payments.setup(dsn)
    slow = payments.make(dsn)
    stop = threading.Event()
    stop.set()
    command = Saga(slow).command(Verb.EXECUTE, "ChargePayment.v1", with_token("tok_slow"))
    with pytest.raises(skald.Stopped):
        slow.answer(Delivery(command, stop=stop))
    assert column(dsn, PAYMENTS) == []


@pytest.mark.parametrize("bad", [7, {"order_id": "A-1"}, {"token": "tok_ok"}, {"order_id": "A", "token": "t", "amount_cents": -1}])
def test_invalid_payload(participant: Participant, bad: object) -> None:
    reply = Saga(participant).execute("ChargePayment.v1", bad)
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, "invalid_payload")


def test_payment_that_is_gone(participant: Participant, dsn: str) -> None:
    saga = Saga(participant)
    saga.execute("ChargePayment.v1", with_token("tok_ok"))
    with psycopg.connect(dsn) as conn:
        conn.execute("DELETE FROM payments.payments")
    assert saga.compensate("RefundPayment.v1", undo("tok_ok")).code == "payment_unknown"
