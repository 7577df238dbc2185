"""A desk's control software (讀卡機控制軟體) under test: a case calls it as a clinic's program does, moves cards, people and
the line, and is its data centre."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from conformance.case import Kind
from conformance.kinds import Suite
from conformance.references.control_software import ReferenceControlSoftware
from conformance.references.desks import payload_of
from conformance.tester import Tester
from conformance.vectors.world import World
from virtual_devices.clock import NS, parse_roc, roc_date7
from virtual_devices.link import Outcome, Provenance
from virtual_devices.reader.cshis import FUNCTIONS, Function, Reply
from virtual_devices.trace import ExchangeRow

NOW_S = 30
"""So far the time of an act may be from the tester's: the software has a clock of its own, and takes its time."""


class NoAnswer(Exception):
    """Nothing came that is an answer. ``outcome``: how the try ended; the text is for a person."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class ControlSoftwareUnderTest(Protocol):
    """Control software, and what stands round it. What is asked of it raises NoAnswer, or TimeoutError for silence; what cannot
    be had CannotShow."""

    def now_ns(self) -> int: ...
    def later(self, seconds: float) -> None: ...
    def put_in(self, personal: Mapping[str, Any]) -> None: ...
    def put_in_another(self) -> None: ...
    def put_in_professional(self, how: str) -> None: ...
    def put_file(self, name: str, content: bytes | None) -> None: ...
    def take_out(self, role: str) -> None: ...
    def strike(self, role: str, commands: int) -> None: ...
    def answers_by(self, role: str, command: bytes = b"", answer: bytes = b"") -> None: ...
    def without_rights(self) -> None: ...
    def type(self, what: str, text: str) -> None: ...
    def line_is(self, fates: list[str], *, down: bool = False) -> None: ...
    def heard(self) -> list[bytes]: ...
    def call(self, name: str, arguments: Mapping[str, Any]) -> Reply: ...
    def kit(self, path: str, body: object) -> dict[str, str]: ...
    def local(self, method: str, path: str, body: object) -> dict[str, Any]: ...
    def token(self, card_no: str) -> str: ...


class Fields(dict[str, Any]):
    """An answer's fields; one that is missing is a check that does not hold."""

    def __init__(self, found: Mapping[str, Any], missing: Callable[[str], NoReturn]) -> None:
        super().__init__({name: Fields(value, missing) if isinstance(value, Mapping) else value for name, value in found.items()})
        self._missing = missing

    def __missing__(self, name: str) -> Any:
        self._missing(name)


class ControlSoftwareTester(Tester):
    """A clinic's program, the people at the desk, and the data centre. ``device``, ``provenance``: of the rows; ``took``: how
    long the last answer took, in nanoseconds."""

    role = "control-software"
    device, provenance = "virtual", Provenance.MODELLED

    def __init__(self, software: ControlSoftwareUnderTest, world: World, name: str) -> None:
        super().__init__()
        self.software = software
        self.world = world
        self.name = name
        self.patient = world.holder
        self.took: Callable[[], int] = int

    @property
    def who(self) -> dict[str, bytes]:
        """ID number and birth date of the card's holder, as calls that write want them."""
        day = self.patient.birth_date
        born = f"{day.year - 1911:03d}{day.month:02d}{day.day:02d}"
        return {"pPatientID": self.patient.id_no.encode() + b"\0", "pPatientBirthDate": born.encode() + b"\0"}

    def open(self) -> None:
        self.need("csOpenCom", self.code("csOpenCom") == "0")

    def doctor(self) -> None:
        """The professional's PIN is entered."""
        self.equal("hpcVerifyHPCPIN", self.code("hpcVerifyHPCPIN"), "0")

    def call(self, call_: str, **given: Any) -> Reply:
        """One call; arguments that are not given have their usual values. That it comes back is a check, with a code and, where
        that is 0, with all that it gives."""
        function = FUNCTIONS[call_]
        arguments = {**usual(function), **given}
        request = _text({"call": call_, "arguments": arguments})
        reply: Reply = self._asked(call_, request, lambda: self.software.call(call_, arguments), _told)
        self.expect(f"{call_}: a code", isinstance(reply.code, str), "a code", repr(reply.code))
        missing = {a.name for a in function.arguments if a.goes_out} - reply.out.keys() if reply.code == "0" else set()
        self.expect(f"{call_}: all that it gives", not missing, "nothing missing", ", ".join(sorted(missing)))
        return reply

    def code(self, call_: str, **given: Any) -> str:
        return self.call(call_, **given).code

    def filled(self, call_: str, argument: str = "pBuffer", *, code: str = "0", **given: Any) -> bytes:
        """What a call puts into an argument. That it ends by this code is a check."""
        reply = self.call(call_, **given)
        self.equal(f"{call_}: code", reply.code, code)
        self.expect(f"{call_} gives {argument}", isinstance(reply.out.get(argument), bytes), "bytes", reply.out)
        return bytes(reply.out[argument])

    def kit(self, path: str, body: object) -> dict[str, str]:
        """A request to the virtual card's kit; that it is answered, by texts, is a check."""
        found = self._answered(path, f"POST /{path} {_text(body)}", lambda: self.software.kit(path, body))
        odd = [name for name, value in found.items() if not isinstance(value, str)]
        self.expect(f"{path}: texts only", not odd, "texts", ", ".join(odd))
        return found

    def local(self, path: str, body: object = None, method: str = "POST") -> dict[str, Any]:
        """A request to the face of 6.0; that it is answered, by texts and the states of the cards, is a check."""
        asked = {} if body is None else body
        found = self._answered(path, f"{method} {path} {_text(asked)}", lambda: self.software.local(method, path, asked))
        odd = [name for name, value in found.items() if not (_states(value) if name == "status" else isinstance(value, str))]
        self.expect(f"{path}: texts, and the states of the cards", not odd, "texts, and states", ", ".join(odd))
        return found

    def _answered(self, path: str, request: str, ask: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        def missing(name: str) -> NoReturn:
            self.expect(f"{path}: {name} is there", False, name, ", ".join(sorted(found)))
            raise AssertionError("unreachable")

        found = self._asked(path, request, ask, _text)
        return Fields(found, missing)

    def _asked(self, step: str, request: str, ask: Callable[[], Any], told: Callable[[Any], str]) -> Any:
        """What came of a question, with its row. That something came is a check, where the software is there."""
        try:
            found = ask()
        except NoAnswer as e:
            self._note(step, request, e.outcome, str(e))
            self.need(f"the software is there for {step}", e.outcome is not Outcome.GONE, str(e))
            self.expect(f"{step} is answered", False, "an answer", str(e))
        except TimeoutError as e:
            self._note(step, request, Outcome.TIMED_OUT, "")
            self.expect(f"{step} is answered", False, "an answer", str(e) or "silence")
        self._note(step, request, Outcome.REPLIED, told(found))
        return found

    def moment(self, text: bytes | str, what: str) -> bytes:
        """The time of an act, 13 digits, from an answer; that it is now is a check. As calls that write want it."""
        raw = text.encode() if isinstance(text, str) else text
        try:
            now = len(raw) == 13 and abs(parse_roc(raw.decode("ascii")) - self.software.now_ns()) < NOW_S * NS
        except ValueError:
            now = False
        self.expect(f"the time of {what} is now", now, f"within {NOW_S} s", raw)
        return raw + b"\0"

    def requests(self) -> list[Mapping[Any, Any]]:
        """What it has asked of the data centre since this was asked last."""
        return [payload_of(raw) for raw in self.software.heard()]

    def _note(self, step: str, request: str, outcome: Outcome, reply: str) -> None:
        took_ns = self.took()
        self.rows.append(ExchangeRow(
            replication=0, visit="", session=self.name, flow="conform", step=step, role=self.role, channel="desk",
            device=self.device, provenance=self.provenance.value, at_ns=self.software.now_ns() - took_ns, duration_ns=took_ns,
            outcome=outcome.value, request=request.encode(), reply=reply.encode() if outcome is Outcome.REPLIED else b"",
            request_bytes=len(request), reply_bytes=len(reply) if outcome is Outcome.REPLIED else -1, status="", fault="",
            sent_ns=-1,
        ))

    @property
    def today(self) -> str:
        return roc_date7(self.software.now_ns())


def _text(value: object) -> str:
    """As a row has it: JSON, byte strings in hex."""
    return json.dumps(value, default=lambda one: one.hex() if isinstance(one, bytes) else repr(one))


def _told(reply: Reply) -> str:
    return _text({"code": reply.code, "out": dict(reply.out)})


def _states(value: object) -> bool:
    """``initialized``, and of each card its ``status``."""
    if not isinstance(value, Mapping) or not isinstance(value.get("initialized"), bool):
        return False
    cards = [card for name, card in value.items() if name != "initialized"]
    return all(isinstance(card, Mapping) and isinstance(card.get("status"), str) for card in cards)


def usual(function: Function) -> dict[str, Any]:
    """Buffers of the stated size, counters that say so, texts blank."""
    values: dict[str, Any] = {a.name: bytes(a.size or 64) if a.is_text else 0 for a in function.arguments}
    for argument in function.arguments:
        counter = function.length_of(argument)
        if counter is not None:
            values[counter.name] = len(values[argument.name])
    return values


SUITE = Suite(
    Kind.CONTROL_SOFTWARE, ("desk",), ReferenceControlSoftware, ControlSoftwareTester,
    (
        *(f"virtual_devices.reader.cshis.{name}" for name in (
            "software", "prepare", "reads", "sequence", "visits", "health", "pins", "professional", "port", "datacentre", "icd10",
        )),
        *(f"virtual_devices.reader.calls:{name}" for name in ("call", "_signed", "_believed", "_data_centre", "verify_sam")),
        "virtual_devices.reader.authenticate", "virtual_devices.reader.sdk",
        *(f"virtual_devices.reader.cs60.{name}" for name in ("local", "pins", "signing")),
    ),
)

__all__ = ["SUITE", "ControlSoftwareTester", "ControlSoftwareUnderTest", "NoAnswer", "usual"]
