"""The reference participant that charges and refunds, as participants/payments is in Go: the same commands, answers and tables.

What ChargePayment.v1 does is chosen by its token: tok_declined is rejected; tok_flaky fails at the first attempt; tok_slow waits before
its transaction; tok_lost charges and is never answered; every other token is charged. RefundPayment.v1 undoes it.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, Field

import skald
from skald import Connection, Delivery, Fail, NoReply, Participant, PostgresBarrier, Reject, Request, Stopped, Topics, Verb

NAME = "payments"
SLOW_DELAY = 8.0

CREATE_PAYMENTS = """CREATE TABLE IF NOT EXISTS payments.payments (
	payment_id   text        PRIMARY KEY,
	tenant       text        NOT NULL,
	saga_id      uuid        NOT NULL,
	order_id     text        NOT NULL,
	amount_cents bigint      NOT NULL CHECK (amount_cents >= 0),
	token        text        NOT NULL,
	status       text        NOT NULL CHECK (status IN ('charged', 'refunded')),
	created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at   timestamptz NOT NULL DEFAULT clock_timestamp()
)"""

CREATE_REFUNDS = """CREATE TABLE IF NOT EXISTS payments.refunds (
	refund_id    text        PRIMARY KEY,
	payment_id   text        NOT NULL UNIQUE REFERENCES payments.payments,
	amount_cents bigint      NOT NULL,
	created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
)"""

INSERT_PAYMENT = """INSERT INTO payments.payments (payment_id, tenant, saga_id, order_id, amount_cents, token, status)
VALUES (%s, %s, %s, %s, %s, %s, 'charged')"""

REFUND_PAYMENT = """WITH payment AS (
	UPDATE payments.payments
	SET status = 'refunded', updated_at = clock_timestamp()
	WHERE tenant = %s AND payment_id = %s AND status = 'charged'
	RETURNING payment_id, amount_cents
)
INSERT INTO payments.refunds (refund_id, payment_id, amount_cents)
SELECT %s, payment_id, amount_cents
FROM payment
RETURNING amount_cents"""


class ChargePayment(BaseModel):
    """The payload of ChargePayment.v1."""

    order_id: str = Field(min_length=1)
    token: str = Field(min_length=1)
    amount_cents: int = Field(default=0, ge=0)


class Charged(BaseModel):
    """The output of ChargePayment.v1."""

    payment_id: str
    amount_cents: int


class AnyPayload(BaseModel):
    """RefundPayment.v1 reads nothing of its payload: what it undoes is what the barrier knows."""


class Refunded(BaseModel):
    """The output of RefundPayment.v1."""

    refund_id: str
    payment_id: str
    amount_cents: int


def setup(database: str) -> None:
    """Make the schema and its tables where they are missing."""
    skald.migrate(database, NAME, [CREATE_PAYMENTS, CREATE_REFUNDS])


def make(database: str, topics: Topics | None = None, *, slow: float = SLOW_DELAY, connections: int = 16) -> Participant:
    """The participant on a database where setup was called."""
    payments = Participant(NAME, PostgresBarrier(database, NAME, connections=connections), topics=topics)

    @payments.around("ChargePayment.v1")
    @contextmanager
    def act(delivery: Delivery) -> Iterator[None]:
        """What tokens do outside of the transaction."""
        token = _token(delivery)
        if token == "tok_slow":
            skald.sleep(delivery, slow)
        if token != "tok_lost":
            yield
            return
        try:
            yield
        except Stopped:
            raise  # stopped, not lost: delivered again
        raise NoReply

    payments.execute("ChargePayment.v1", ChargePayment)(charge)
    payments.compensate("RefundPayment.v1", AnyPayload)(refund)
    return payments


def charge(conn: Connection, request: Request[ChargePayment]) -> Charged:
    """Charge, as the token says."""
    payload, command = request.payload, request.command
    if payload.token == "tok_declined":
        raise Reject("card_declined", "the card was declined")
    if payload.token == "tok_flaky" and command.attempt == 1:
        raise Fail("gateway_unavailable", "the card gateway did not answer")
    payment_id = _label("pay", command.id)
    conn.execute(INSERT_PAYMENT, [payment_id, command.tenant, command.saga_id, payload.order_id, payload.amount_cents, payload.token])
    return Charged(payment_id=payment_id, amount_cents=payload.amount_cents)


def refund(conn: Connection, request: Request[AnyPayload]) -> Refunded:
    """Undo the execute that the barrier knows, whether or not the engine heard of it: the payment's id comes from that command's."""
    assert request.executed is not None
    payment_id, refund_id = _label("pay", request.executed.command_id), _label("ref", request.command.id)
    row = conn.execute(REFUND_PAYMENT, [request.command.tenant, payment_id, refund_id]).fetchone()
    if row is None:
        raise Reject("payment_unknown", f"no charged payment {payment_id}")
    return Refunded(refund_id=refund_id, payment_id=payment_id, amount_cents=row[0])


def _token(delivery: Delivery) -> str:
    if delivery.command.verb is not Verb.EXECUTE:
        return ""
    try:
        return ChargePayment.model_validate_json(delivery.command.value).token
    except ValueError:
        return ""  # whose handler rejects it


def _label(prefix: str, command_id: uuid.UUID) -> str:
    """A readable id: the same whenever the command is handled."""
    return f"{prefix}_{command_id.hex[:16]}"


def main() -> None:
    """Run it, with the settings that `skald participant payments` takes from the environment too."""
    env = os.environ
    skald.logs.configure(env.get("SKALD_LOG_LEVEL", "info"))
    database, kafka = env["SKALD_DATABASE_URL"], skald.Kafka(env["SKALD_KAFKA_BROKERS"])
    payments = make(database, Topics(env.get("SKALD_TOPICS_PREFIX", "")))
    setup(database)
    skald.ensure_topic(kafka, payments.topic, int(env.get("SKALD_TOPICS_PARTITIONS", "12")))
    skald.run(payments, kafka)


if __name__ == "__main__":
    main()
