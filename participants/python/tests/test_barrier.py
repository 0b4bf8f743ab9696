"""Every case of participants/participanttest/testdata/barrier.txt on real Postgres, for sync and async handlers."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from conftest import PARTICIPANTS
from rig import HASTY, LIMIT, Rig
from skald.testing import Saga
from skald.wire import Command, Reply, Verb


def cases() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (PARTICIPANTS / "participanttest" / "testdata" / "barrier.txt").read_text().splitlines():
        if line.startswith("case "):
            found[line.removeprefix("case ")] = []
        elif line and not line.startswith("#"):
            found[list(found)[-1]].append(line)
    return found


@pytest.fixture(params=["sync", "async"])
def rig(database: str, schema: str, request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(database, schema, asynchronous=request.param == "async")
    yield made
    made.close()


@pytest.mark.parametrize("name", cases())
def test_case(name: str, rig: Rig) -> None:
    player = Player(rig)
    for line in cases()[name]:
        player.line(line)


def test_all_cases_are_read() -> None:
    assert len(cases()) >= 59


class Player:
    """Does the lines of one case."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.replies: dict[str, Reply] = {}
        self.started: dict[str, Future[Reply]] = {}
        self.sagas: dict[str, Saga] = {}

    def line(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        words, provider = rest.split(), self.rig.provider
        match verb:
            case "start":
                name, _, sent = rest.partition(" = ")
                self.started[name] = self.rig.start(*self.command(sent.split()))
            case "await":
                name, _, want = rest.partition(" : ")
                self.answered(self.started[name].result(LIMIT), want, line)
            case "entered":
                assert self.rig.entered.wait(LIMIT)
            case "release":
                self.rig.release.set()
            case "at-once":
                n, _, sent = rest.partition(" ")
                sent, _, want = sent.partition(" : ")
                started = [self.rig.start(*self.command([*sent.split(), "attempt", str(i + 1)])) for i in range(int(n))]
                for future in started:
                    self.answered(future.result(LIMIT), want, line)
            case "race":
                self.race(int(rest))
            case "effects":
                assert self.rig.effects() == words, line
            case "same":
                assert self.replies[words[0]].value == self.replies[words[1]].value, line
            case "other-id":
                assert self.replies[words[0]].id != self.replies[words[1]].id, line
            case "message":
                name, _, text = rest.partition(" ")
                assert self.replies[name].message == text, line
            case "retry-after":
                assert self.replies[words[0]].retry_after_ms == int(words[1]), line
            case "kill":
                self.rig.barrier.kills.append(rest)
            case "provider":
                self.told(rest)
            case "during":
                provider.during = lambda: self.line(rest)
            case "calls":
                assert len(provider.calls) == int(rest), line
            case "call":
                assert provider.calls[int(words[0])] == f"{words[1]} {self.rig.key(words[2], words[3])}", line
            case "charged":
                assert len(provider.charges) == int(rest), line
            case _:
                self.send(line)

    def send(self, line: str) -> None:
        sent, _, want = line.partition(" : ")
        name, named, rest = sent.partition(" = ")
        saga, command = self.command((rest if named else sent).split())
        reply = self.rig.answer(saga, command)
        self.answered(reply, want, line)
        self.replies[name] = reply

    def answered(self, reply: Reply, want: str, line: str) -> None:
        want = "failed error" if want == "failed panic" else want  # Python knows no panic
        assert f"{reply.outcome} {reply.code}".rstrip() == want, f"{line}: {reply.message}"

    def command(self, words: list[str]) -> tuple[Saga, Command]:
        saga, options = self.rig.saga, {"edition": 0, "attempt": 1}
        verb, name, answer, *rest = words
        while rest:
            option = rest.pop(0)
            match option:
                case "hasty":
                    saga = Saga(self.rig.serving(HASTY), saga_id=saga.id, step=saga.step)
                case "step":
                    saga = saga.at(rest.pop(0))
                case "saga":
                    saga = self.sagas.setdefault(rest.pop(0), Saga(self.rig.saga.participant))
                case _:
                    options[option] = int(rest.pop(0))
        return saga, saga.command(Verb(verb), name, {"answer": answer}, **options)

    def told(self, how: str) -> None:
        provider = self.rig.provider
        match how:
            case "crashes":
                provider.crash = True
            case "declines" | "accepts":
                provider.decline = how == "declines"
            case "mute" | "speaks":
                provider.mute = how == "mute"
            case _:
                assert how == "forgets"
                provider.charges.clear()

    def race(self, n: int) -> None:
        started, order = [], {"answer": "succeed"}
        for _ in range(n):
            saga = Saga(self.rig.saga.participant)
            started += [
                self.rig.start(saga, saga.command(Verb.EXECUTE, "Do.v1", order)),
                self.rig.start(saga, saga.command(Verb.COMPENSATE, "Undo.v1", order)),
                self.rig.start(saga, saga.command(Verb.EXECUTE, "Do.v1", order, attempt=2)),
            ]
        replies = [future.result(LIMIT) for future in started]
        assert {str(reply.outcome) for reply in replies[1::3]} == {"succeeded"}
        effects = self.rig.effects()
        assert effects.count("done") == effects.count("undone"), "every effect was undone"
