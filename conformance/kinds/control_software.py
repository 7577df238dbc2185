"""A desk's control software (讀卡機控制軟體) under test: a case calls it as a clinic's program does, moves cards, people and
the line, and is its data centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from conformance.case import Kind
from conformance.kinds import Suite
from conformance.references.control_software import ReferenceControlSoftware
from conformance.references.desks import payload_of
from conformance.tester import Tester
from conformance.vectors.world import World
from virtual_devices.clock import roc_date7
from virtual_devices.reader.cshis import FUNCTIONS, Function, Reply
from virtual_devices.trace import ExchangeRow


class ControlSoftwareUnderTest(Protocol):
    """Control software, and what stands round it."""

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


class ControlSoftwareTester(Tester):
    """A clinic's program, the people at the desk, and the data centre."""

    role = "control-software"

    def __init__(self, software: ControlSoftwareUnderTest, world: World, name: str) -> None:
        super().__init__()
        self.software = software
        self.world = world
        self.name = name
        self.patient = world.holder

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
        try:
            reply = self.software.call(call_, arguments)
        except TimeoutError as e:
            self.expect(f"{call_} comes back", False, "a code", str(e) or "silence")
            raise AssertionError("unreachable") from None
        self._note(call_, str(arguments), str(reply.code))
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
        """A request to the virtual card's kit; that it is answered is a check."""
        found: dict[str, str] = self._answered(path, lambda: self.software.kit(path, body))
        return found

    def local(self, path: str, body: object = None, method: str = "POST") -> dict[str, Any]:
        asked = {} if body is None else body
        found: dict[str, Any] = self._answered(path, lambda: self.software.local(method, path, asked))
        return found

    def _answered(self, path: str, ask: Any) -> Any:
        try:
            found = ask()
        except TimeoutError as e:
            self.expect(f"{path} is answered", False, "an answer", str(e) or "silence")
        self._note(path, path, str(found))
        return found

    def requests(self) -> list[Mapping[Any, Any]]:
        """What it has asked of the data centre since this was asked last."""
        return [payload_of(raw) for raw in self.software.heard()]

    def _note(self, step: str, request: str, reply: str) -> None:
        self.rows.append(ExchangeRow(
            replication=0, visit="", session=self.name, flow="conform", step=step, role=self.role, channel="desk",
            device="virtual", provenance="modelled", at_ns=self.software.now_ns(), duration_ns=0, outcome="replied",
            request=request.encode(), reply=reply.encode(), request_bytes=len(request), reply_bytes=len(reply), status="",
            fault="", sent_ns=-1,
        ))

    @property
    def today(self) -> str:
        return roc_date7(self.software.now_ns())


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

__all__ = ["SUITE", "ControlSoftwareTester", "ControlSoftwareUnderTest", "usual"]
