"""The golden files of participants/wire, which the Go SDK reads too."""

import base64
import json
import uuid
from typing import Any

import pytest

from conftest import PARTICIPANTS
from skald.wire import Command, DecodeError, Record, Reply, Verb, command_id, valid_command_name, valid_name, valid_topic

TESTDATA = PARTICIPANTS / "wire" / "testdata"
GOLDEN = sorted(path.stem for path in TESTDATA.glob("*.golden"))


def load(name: str) -> Record:
    head, _, value = (TESTDATA / f"{name}.golden").read_bytes().partition(b"\n\n")
    record = Record("", b"", value.removesuffix(b"\n"))
    for line in head.split(b"\n"):
        header, _, text = line.partition(b": ")
        match header:
            case b"topic":
                record.topic = text.decode()
            case b"key":
                record.key = text
            case _:
                record.headers.append((header.decode(), text))
    return record


def vectors(name: str) -> Any:
    return json.loads((TESTDATA / f"{name}.json").read_text())


def decode(name: str, record: Record) -> Command | Reply:
    return Command.decode(record) if name.startswith("command-") else Reply.decode(record)


def test_the_golden_files_are_there() -> None:
    assert len(GOLDEN) >= 11


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_is_read_and_written_alike(name: str) -> None:
    record = load(name)
    assert decode(name, record).record(record.topic) == record


@pytest.mark.parametrize("case", vectors("records"), ids=lambda c: c["name"])
def test_records(case: dict[str, Any]) -> None:
    record = load(case["base"])
    changed = {name: value.encode() for name, value in case.get("set", {}).items()}
    changed |= {name: base64.b64decode(value) for name, value in case.get("set_base64", {}).items()}
    kept = [(name, changed.pop(name, value)) for name, value in record.headers if name not in case.get("remove", [])]
    record.headers = kept + list(changed.items()) + [(name, value.encode()) for name, value in case.get("add", [])]
    record.key = case["key"].encode() if "key" in case else record.key
    record.value = case["value"].encode() if "value" in case else record.value
    if "value_base64" in case:
        record.value = base64.b64decode(case["value_base64"])
    wanted = [(p["header"], p["why"].partition(":")[0]) for p in case["problems"]]
    try:
        read = decode(case["base"], record)
    except DecodeError as e:
        assert [(p.header, p.why.partition(":")[0]) for p in e.problems] == wanted
        return
    assert wanted == []
    assert read.value == record.value


def test_deeply_nested_value_is_refused_and_does_not_end_the_process() -> None:
    record = load("command-execute")
    record.value = b"[" * 200_000 + b"]" * 200_000
    with pytest.raises(DecodeError, match="value is not JSON"):
        Command.decode(record)


def test_an_error_never_holds_the_token() -> None:
    record = load("command-execute")
    record.headers = [(name, b"x" if name == "ce_id" else value) for name, value in record.headers]
    with pytest.raises(DecodeError) as e:
        Command.decode(record)
    assert dict(record.headers)["ce_sagatoken"].decode() not in str(e.value)


def test_command_ids() -> None:
    cases = vectors("command-ids")
    assert cases
    for c in cases:
        assert str(command_id(uuid.UUID(c["saga_id"]), c["step"], Verb(c["verb"]), c["edition"])) == c["id"]


@pytest.mark.parametrize(("kind", "valid"), [("names", valid_name), ("commands", valid_command_name), ("topics", valid_topic)])
def test_names(kind: str, valid: Any) -> None:
    for text, wanted in vectors("names")[kind].items():
        assert valid(text) is wanted, text
