"""Reading headers, and saying everything that is wrong with a record."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from skald.wire.names import Outcome, Verb, parse_id, valid_command_name, valid_name, valid_topic
from skald.wire.record import CONTENT_TYPE, SPEC_VERSION, Record

EPOCH = datetime.fromtimestamp(0, UTC)
NIL = uuid.UUID(int=0)

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_MAX_INT32 = 2**31 - 1
_MAX_MILLISECONDS = (2**63 - 1) // 1_000_000
_CLIP = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. header is the header's name, or "key" or "value"; why never holds a token."""

    header: str
    why: str


class DecodeError(ValueError):
    """Everything that is wrong with a record."""

    def __init__(self, kind: str, problems: list[Problem]) -> None:
        super().__init__(f"decode {kind}: " + "; ".join(f"{p.header} {p.why}" for p in problems))
        self.problems = problems


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def is_json(value: bytes) -> bool:
    """Whether value is one JSON value. Numbers may be of any size: they are not converted."""
    try:
        json.loads(value.decode(), parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def format_time(at: datetime) -> str:
    """RFC 3339 in UTC, without needless zeros."""
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return text + "Z"


class Decoder:
    """Reads headers and gathers problems; a field with a problem is left empty."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.problems: list[Problem] = []
        self._headers: dict[str, list[bytes]] = {}
        for name, value in record.headers:
            self._headers.setdefault(name, []).append(value or b"")

    def problem(self, header: str, why: str) -> None:
        self.problems.append(Problem(header, why))

    def optional(self, name: str) -> str:
        values = self._headers.get(name, [])
        if len(values) > 1:  # readers would disagree on which counts
            self.problem(name, f"appears {len(values)} times")
            return ""
        try:
            return values[0].decode() if values else ""
        except UnicodeDecodeError:
            self.problem(name, "is not UTF-8")
            return ""

    def text(self, name: str) -> str:
        before = len(self.problems)
        text = self.optional(name)
        if not text and len(self.problems) == before:
            self.problem(name, "is empty" if name in self._headers else "is missing")
        return text

    def checked(self, name: str, valid: Callable[[str], bool], what: str) -> str:
        text = self.text(name)
        if text and not valid(text):
            self.problem(name, f"is not {what}: {_clip(text)}")
            return ""
        return text

    def name(self, name: str) -> str:
        return self.checked(name, valid_name, "a name")

    def topic(self, name: str) -> str:
        return self.checked(name, valid_topic, "a topic")

    def id(self, name: str) -> uuid.UUID:
        text = self.text(name)
        if not text:
            return NIL
        try:
            return parse_id(text)
        except ValueError:
            self.problem(name, f"is not a UUID: {_clip(text)}")
            return NIL

    def number(self, name: str, least: int) -> int:
        text = self.text(name)
        if not text:
            return 0
        if _NUMBER.fullmatch(text) is None or not least <= int(text) <= _MAX_INT32:
            self.problem(name, f"is not a whole number of {least} or more: {_clip(text)}")
            return 0
        return int(text)

    def milliseconds(self, name: str) -> int:
        text = self.optional(name)
        if not text:
            return 0
        if _NUMBER.fullmatch(text) is None or int(text) > _MAX_MILLISECONDS:
            self.problem(name, f"is not a number of milliseconds: {_clip(text)}")
            return 0
        return int(text)

    def time(self, name: str) -> datetime:
        return self._time(name, self.text(name)) or EPOCH

    def optional_time(self, name: str) -> datetime | None:
        return self._time(name, self.optional(name))

    def _time(self, name: str, text: str) -> datetime | None:
        if not text:
            return None
        try:
            match = _TIME.fullmatch(text)
            if match is None:
                raise ValueError("not RFC 3339")
            seconds, fraction, offset = match.groups()
            return datetime.fromisoformat(f"{seconds}.{(fraction or '0')[:6]:0<6}{offset}").astimezone(UTC)
        except (ValueError, OverflowError):
            self.problem(name, f"is not an RFC 3339 time: {_clip(text)}")
            return None

    def verb(self) -> Verb:
        words = {str(v) for v in Verb}
        return Verb(self.checked("ce_sagaverb", words.__contains__, "execute, compensate or probe") or Verb.EXECUTE)

    def outcome(self) -> Outcome:
        words = {str(o) for o in Outcome}
        return Outcome(self.checked("ce_sagaoutcome", words.__contains__, "an outcome") or Outcome.UNKNOWN)

    def event_type(self, suffix: str) -> tuple[str, str]:
        """Split ce_type into participant and command."""
        text = self.text("ce_type")
        if not text:
            return "", ""
        participant, _, command = text.removesuffix(suffix).partition(".")
        if not text.endswith(suffix) or not valid_name(participant) or not valid_command_name(command):
            self.problem("ce_type", f"is not <participant>.<Command>.v<n>{suffix}: {_clip(text)}")
            return "", ""
        return participant, command

    def envelope(self, saga_id: uuid.UUID) -> None:
        """Check what carries no data: the CloudEvents version and the record's key."""
        self.checked("ce_specversion", SPEC_VERSION.__eq__, SPEC_VERSION)
        try:
            key = parse_id((self.record.key or b"").decode())
        except ValueError:
            self.problem("key", f"is not a UUID: {_clip(repr(self.record.key))}")
            return
        if saga_id not in (NIL, key):
            self.problem("key", "is not the saga id in ce_subject")

    def value(self, *, required: bool) -> None:
        """Check that the value is JSON and said to be. An empty value needs no content type."""
        value = self.record.value
        if not value:
            if required:
                self.problem("value", "is empty")
            return
        self.checked("content-type", _is_json_type, CONTENT_TYPE)
        try:
            value.decode()
        except UnicodeDecodeError:
            self.problem("value", "is not UTF-8")
            return
        if not is_json(value):
            self.problem("value", "is not JSON")

    def check(self, kind: str) -> None:
        """Raise what was found."""
        if self.problems:
            raise DecodeError(kind, self.problems)


def _is_json_type(text: str) -> bool:
    return text.partition(";")[0].strip().lower() == CONTENT_TYPE


def _clip(text: str) -> str:
    return f'"{text if len(text) <= _CLIP else text[:_CLIP] + "..."}"'
