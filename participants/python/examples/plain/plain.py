"""A participant from docs/protocol.md alone: no SDK, but confluent-kafka and psycopg. It charges and refunds, in payments' own tables."""

import json
import os
import signal
import uuid
from datetime import UTC, datetime

import psycopg
from confluent_kafka import Consumer, Producer

PREFIX, NAME = os.environ.get("SKALD_TOPICS_PREFIX", ""), "payments"
COMMANDS = {("execute", "payments.ChargePayment.v1"), ("compensate", "payments.RefundPayment.v1")}
ECHOED = ["ce_sagastep", "ce_sagaverb", "ce_sagatenant", "ce_sagaattempt", "ce_sagaedition", "ce_sagatoken", "ce_correlationid"]
READ = [*ECHOED, "ce_id", "ce_type", "ce_subject", "ce_replyto", "ce_expirytime", "ce_sagatype", "ce_sagaversion"]
SELECT = "SELECT command_id, edition, state, code, output FROM payments.barrier WHERE saga_id = %s AND step = %s AND verb = %s FOR UPDATE"
INSERT = "INSERT INTO payments.barrier VALUES (%s, %s, %s, %s, %s, %s, '') ON CONFLICT DO NOTHING"
UPDATE = """UPDATE payments.barrier SET command_id = %s, edition = %s, state = %s, code = %s, output = %s
  WHERE saga_id = %s AND step = %s AND verb = %s"""
TABLES = """CREATE SCHEMA IF NOT EXISTS payments;
CREATE TABLE IF NOT EXISTS payments.barrier (saga_id uuid, step text, verb text, command_id uuid NOT NULL, edition int NOT NULL,
  state text NOT NULL, code text NOT NULL, output bytea, created_at timestamptz DEFAULT now(), PRIMARY KEY (saga_id, step, verb));
CREATE TABLE IF NOT EXISTS payments.payments (payment_id text PRIMARY KEY, saga_id uuid, amount_cents bigint, status text);
CREATE TABLE IF NOT EXISTS payments.refunds (refund_id text PRIMARY KEY, payment_id text NOT NULL UNIQUE, amount_cents bigint)"""


class Payments:
    """Handles one command in one transaction: conn is in it, h are the command's headers."""
    def __init__(self, conn, h):
        self.db, self.h, self.id, self.edition = conn, h, uuid.UUID(h["ce_id"]), int(h["ce_sagaedition"])

    def charge(self, payload):
        if not isinstance(payload, dict) or not payload.get("order_id") or not payload.get("token"):
            return "rejected", "invalid_payload", None
        if payload["token"] == "tok_declined":
            return "rejected", "card_declined", None
        row = ["pay_" + self.id.hex[:16], self.h["ce_subject"], payload.get("amount_cents", 0)]
        self.db.execute("INSERT INTO payments.payments VALUES (%s, %s, %s, 'charged')", row)
        return "succeeded", "", {"payment_id": row[0]}

    def refund(self, executed):
        payment, update = "pay_" + executed.hex[:16], "UPDATE payments.payments SET status = 'refunded' WHERE payment_id = %s"
        cents = self.db.execute(update + " RETURNING amount_cents", [payment]).fetchone()[0]
        self.db.execute("INSERT INTO payments.refunds VALUES (%s, %s, %s)", ["ref_" + self.id.hex[:16], payment, cents])
        return "succeeded", "", {"payment_id": payment}

    def insert(self, key, state):
        """The row that is there, locked; None where it was inserted. It waits for a transaction that has inserted it and is open."""
        return None if self.db.execute(INSERT, [*key, self.id, self.edition, state]).rowcount else self.db.execute(SELECT, key).fetchone()

    def put(self, key, state, code="", output=None):
        self.db.execute(UPDATE, [self.id, self.edition, state, code, output, *key])

    def begin(self, key):
        """The tables "execute" and, for its own row, "compensate": None where the command is to run, else its answer."""
        known, edition, state, code, output = self.insert(key, "claimed") or (None,) * 5
        if state == "compensate_tombstone":
            return "rejected", "already_compensated", None
        if state and (known == self.id or self.edition > edition and state == "succeeded" and code != "nothing_to_undo"):
            return state, code, output and json.loads(output)
        if state and self.edition <= edition:
            return "rejected", "superseded", None
        return self.put(key, "claimed")  # nothing here commits a claim: the row was answered, or is this transaction's own

    def handle(self, payload):
        saga, step, verb = self.h["ce_subject"], self.h["ce_sagastep"], self.h["ce_sagaverb"]
        if (verb, self.h["ce_type"]) not in COMMANDS:
            return "failed", "unknown_command", None  # probes too: no step of this participant's has one
        if done := self.begin((saga, step, verb)):
            return done
        executed = self.insert((saga, step, "execute"), "compensate_tombstone") if verb == "compensate" else None
        if verb == "execute":
            outcome, code, output = self.charge(payload)  # a rejected charge has written nothing
        elif executed and executed[2] == "succeeded":
            outcome, code, output = self.refund(executed[0])
        else:
            self.put((saga, step, "execute"), "compensate_tombstone")
            outcome, code, output = "succeeded", "nothing_to_undo", None
        self.put((saga, step, verb), outcome, code, output and json.dumps(output).encode())
        return outcome, code, output


def answer(conn, message):
    """The reply's topic, headers and value. A ValueError, KeyError or AttributeError where the record is no command."""
    h, payload = {k: v.decode() for k, v in message.headers() or []}, json.loads(message.value() or b"")
    known = all(h[name] for name in READ) and len(h) == len(message.headers()) and h["ce_type"].startswith(NAME + ".")
    typed = h["ce_sagaverb"] in ("execute", "compensate", "probe") and (h["ce_sagaattempt"] + h["ce_sagaedition"]).isdecimal()
    if not known or not typed or uuid.UUID(h["ce_subject"]) != uuid.UUID(message.key().decode()):
        raise ValueError("a header is empty, comes twice or is not of its type, or the record is another saga's or participant's")
    try:
        with conn.transaction():
            outcome, code, output = Payments(conn, h).handle(payload)
    except psycopg.Error:
        outcome, code, output = "failed", "barrier_unavailable", None  # nothing is stored: the engine sends it again
    own = {"content-type": "application/json", "ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "/" + NAME}
    own |= {"ce_type": h["ce_type"] + ".reply", "ce_subject": h["ce_subject"], "ce_causationid": h["ce_id"], "ce_sagaoutcome": outcome}
    own |= {"ce_time": datetime.now(UTC).isoformat(), "ce_sagacode": code} | {name: h[name] for name in ECHOED}
    return h["ce_replyto"], own, json.dumps(output) if output else None


running, lost, common = [True], [], {"bootstrap.servers": os.environ["SKALD_KAFKA_BROKERS"], "enable.metrics.push": False}
signal.signal(signal.SIGTERM, lambda *_: running.clear())
producer = Producer({**common, "acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random"})
consumer = Consumer({**common, "group.id": PREFIX + NAME, "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([f"{PREFIX}{NAME}.commands"])
with psycopg.connect(os.environ["SKALD_DATABASE_URL"], autocommit=True) as conn:
    conn.execute(TABLES)
    while running:
        if (message := consumer.poll(0.5)) is None or message.error():
            continue
        try:
            topic, own, value = answer(conn, message)
            producer.produce(topic, key=message.key(), value=value, headers=[*own.items()], on_delivery=lambda e, _: e and lost.append(e))
        except (KeyError, ValueError, AttributeError) as e:
            print("no command:", repr(e), message.topic(), message.partition(), message.offset(), flush=True)
        if producer.flush(30) or lost:
            raise SystemExit("the reply was not delivered")  # nor is the offset committed: the command comes again
        consumer.commit(message, asynchronous=False)
consumer.close()
