"""The rules, against participants/testdata/rules.txt, which the Go SDK's own rules write."""

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conftest import PARTICIPANTS
from skald import rules
from skald.rules import Result, Row, State, Then
from skald.wire import Command, Outcome, Verb, command_id

SAGA = uuid.UUID(int=1)
LINES = [x for x in (PARTICIPANTS / "testdata" / "rules.txt").read_text().splitlines() if x and not x.startswith("#")]
LINE = re.compile(r"(?P<rule>\w+) (?P<edition>\d) \| row (?P<row>.*?)(?: settled (?P<settled>\w+))? -> .*")


def command(verb: Verb, edition: int) -> Command:
    now = datetime.now(UTC)
    return Command(
        id=command_id(SAGA, "pay", verb, edition), source="/skald/test", participant="p", name="Pay.v1", saga_id=SAGA, saga_type="t",
        saga_version=1, step="pay", verb=verb, tenant="default", attempt=1, edition=edition, token="t", reply_to="r", time=now, expiry=now,
        correlation_id="c", value=b"{}",
    )  # fmt: skip


def row_of(text: str) -> Row:
    state, edition, _, verb, *code = text.split()
    row = Row(command_id(SAGA, "pay", Verb(verb), int(edition)), int(edition), State(state), "".join(code))
    return replace(row, output=b"o1") if row.state in {State.SUCCEEDED, State.REJECTED} else row


def text_of(row: Row) -> str:
    verb = Verb.COMPENSATE if row.command_id == command_id(SAGA, "pay", Verb.COMPENSATE, row.edition) else Verb.EXECUTE
    return f"{row.state} {row.edition} of {verb} {row.code}".rstrip()


@pytest.mark.parametrize("line", LINES)
def test_rule(line: str) -> None:
    match = LINE.fullmatch(line)
    assert match is not None
    row, edition = row_of(match["row"]), int(match["edition"])
    match match["rule"]:
        case "execute":
            ruling = rules.on_execute(command(Verb.EXECUTE, edition), row)
        case "compensate":
            ruling = rules.on_compensate(command(Verb.COMPENSATE, edition), row)
        case "undo":
            ruling = rules.on_undo(command(Verb.COMPENSATE, edition), row)
        case "probe":
            ruling = rules.on_probe(command(Verb.PROBE, edition), row)
        case rule:
            assert rule == "settle"
            result = Result(Outcome(match["settled"]), "mine", output=b"o2")
            ruling = rules.on_settle(rules.claim(command(Verb.EXECUTE, edition)), result, row)
    said = ruling.then.name.lower()
    if ruling.then is Then.ANSWER:
        assert ruling.result is not None
        words = [said, str(ruling.result.outcome), ruling.result.code, (ruling.result.output or b"").decode()]
        said = " ".join(word for word in words if word)
    put = "" if ruling.put is None else f" | put {text_of(ruling.put)}"
    settled = f" settled {match['settled']}" if match["settled"] else ""
    assert f"{match['rule']} {edition} | row {match['row']}{settled} -> {said}{put}" == line


def test_all_lines_are_played() -> None:
    assert len(LINES) > 200
