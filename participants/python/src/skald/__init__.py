"""Take part in Skald's sagas from Python: commands from Kafka, effects behind a barrier in your own Postgres, replies.

participant   Participant: registers handlers, turns a command into a reply
answers       what handlers get and give: Request, Undo; Reject, Fail, CannotTell
walk, rules   each verb's walk through the barrier, and what a row of it means; no I/O
postgres      PostgresBarrier, migrate
run, kafka    run(participant, Kafka(...)) until SIGTERM
testing       run a handler against the barrier without Kafka
wire          the protocol
"""

from skald import logs
from skald.answers import CannotTell, Delivery, Fail, NoReply, Reject, Request, Stopped, Undo, sleep
from skald.kafka import Kafka, ensure_topic
from skald.participant import Participant
from skald.postgres import AsyncConnection, Connection, PostgresBarrier, migrate
from skald.run import Limits, run
from skald.walk import Executed, Policy
from skald.wire import Code, Command, Outcome, Reply, Topics, Verb

__all__ = [
    "AsyncConnection",
    "CannotTell",
    "Code",
    "Command",
    "Connection",
    "Delivery",
    "Executed",
    "Fail",
    "Kafka",
    "Limits",
    "NoReply",
    "Outcome",
    "Participant",
    "Policy",
    "PostgresBarrier",
    "Reject",
    "Reply",
    "Request",
    "Stopped",
    "Topics",
    "Undo",
    "Verb",
    "ensure_topic",
    "logs",
    "migrate",
    "run",
    "sleep",
]
