"""Control software of others in one case: asked by its faces, with chips, people, files and a data centre of ours round it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench.clock import WallClock
from bench.reach import CASE_S, Means
from bench.reach.desk_people import People
from bench.reach.json_face import JsonFace
from bench.reach.program import Program, Said
from bench.reach.served_centre import ServedCentre
from bench.reach.slots_outside import SlotsOutside
from conformance.kinds.control_software import NoAnswer
from conformance.references.desk_chips import DeskChips
from conformance.references.hpc import PIN
from conformance.tester import CannotShow
from virtual_devices.clock import NS
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.reader.cshis import FUNCTIONS, Function, Reply
from virtual_devices.reader.cshis.interface import Need

HOW = {"2.x": "http://HOST:PORT", "6.0": "https://HOST:PORT", "3.3": "program:COMMAND"}
"""By what each face is reached."""
TYPED = frozenset({
    "hpcVerifyHPCPIN", "hpcInputHPCPIN", "hpcUnlockHPC", "csVerifyHCPIN", "csInputHCPIN", "hisWriteOrganDonate",
})
"""Calls that ask a person for something, whatever card is in."""
CLOSES = {"2.x": "/VHC/VHCcsCloseCom", "6.0": "/api/common/v1/Finalize"}


@dataclass(frozen=True)
class Round:
    """What there is of the software, and what stands round it. ``faces``: 2.x and 6.0; ``program``: for 3.3."""

    faces: Mapping[str, JsonFace]
    program: Program | None
    slots: SlotsOutside
    centre: ServedCentre
    people: People
    means: Means

    def face(self, name: str) -> JsonFace:
        return self.faces[name] if name in self.faces else _not_given(name)

    @property
    def adapter(self) -> Program:
        return self.program if self.program is not None else _not_given("3.3")

    @property
    def uploads(self) -> Path | None:
        """Whence it takes files to upload; None where nobody has said."""
        said = text(self.means, "uploads")
        return Path(said).resolve() if said else None


def text(means: Means, name: str) -> str:
    """An answer of the PIXIT; empty where it is ``none``, or nobody has said."""
    said = means.answers.get(name)
    return said if isinstance(said, str) and said != "none" else ""


def _not_given(face: str) -> NoReturn:
    raise CannotShow(f"its face {face} was not given: {HOW[face]} in --dut")


class RealSoftware:
    """The installation in one case (:class:`conformance.kinds.control_software.ControlSoftwareUnderTest`)."""

    def __init__(self, around: Round, chips: DeskChips, after_ns: int = 0) -> None:
        """``after_ns``: when the case before ended. What the software keeps of a card's visit it knows by its moment, in seconds:
        a visit of this case must not be one of that."""
        self._round, self._chips, self._after_ns = around, chips, after_ns
        self._clock = WallClock()
        self._typed = {"enter PIN": PIN}
        self._pin_set = self._begun = False
        self._files: list[Path] = []
        self._left_ns = round(CASE_S * NS)
        self.took_ns, self.said = 0, ""
        self.line_is, self.heard = around.centre.line_is, around.centre.heard

    # -- time

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def later(self, seconds: float) -> None:
        wait_s = self._round.means.wait_s
        if seconds > wait_s:
            raise CannotShow(f"it takes a wait of {seconds:g} s, and wait_s of the PIXIT is {wait_s:g}: nobody moves its clock")
        time.sleep(seconds)

    # -- cards, people, files

    @property
    def slots(self) -> SlotsOutside:
        """With the chips of this case; the software is closed then."""
        if not self._begun:
            self._begun = True
            time.sleep(max(0, (self._after_ns // NS + 1) * NS - self.now_ns()) / NS)
            self._closed()
            chips = self._chips
            self._round.slots.fill({"sam": chips.sam().to_image(), "card": chips.patient({}).to_image(),
                                    "hpc": chips.professional().to_image()})
        return self._round.slots

    def _closed(self) -> None:
        """Whatever an earlier case left open. What it answers is none of this case's."""
        faces, program, answer_s = self._round.faces, self._round.program, self._round.means.answer_s
        for name, face in faces.items():
            if face.ask("POST", CLOSES[name], {}, answer_s).outcome is not Outcome.REPLIED:
                return
        if program is not None:
            program.ask("new", answer_s)

    def put_in(self, personal: Mapping[str, Any]) -> None:
        self._pin_set = bool(personal.get("pin"))
        self.slots.put("card", self._chips.patient(personal).to_image())

    def put_in_another(self) -> None:
        self.slots.put("card", self._chips.professional().to_image(), "hpc")

    def put_in_professional(self, how: str) -> None:
        if how == "revoked":
            raise CannotShow("which certificates are revoked it learns by ways of its own")
        if how == "a patient card":
            self.slots.put("hpc", self._chips.patient({}).to_image(), "card")
        else:
            self.slots.put("hpc", self._chips.professional(how).to_image())

    def take_out(self, role: str) -> None:
        self.slots.take_out(role)

    def strike(self, role: str, commands: int) -> None:
        self.slots.strike(role, commands)

    def answers_by(self, role: str, command: bytes = b"", answer: bytes = b"") -> None:
        self.slots.answers_by(role, command, answer)

    def type(self, what: str, text: str) -> None:
        self._typed[what] = text

    def without_rights(self) -> NoReturn:
        raise CannotShow("what an institution may write is set by its maker, not from outside")

    def put_file(self, name: str, content: bytes | None) -> None:
        folder = self._round.uploads
        if content is None:
            raise CannotShow("no file is at hand that its computer's memory does not hold")
        if folder is None:
            raise CannotShow("where it takes files to upload from is not said: uploads in the PIXIT")
        path = folder / name
        try:
            path.write_bytes(content)
        except OSError as e:
            raise LinkError(f"{path}: {e.strerror}") from None
        self._files.append(path)

    def tidy(self) -> None:
        """Nothing is left of the case on the computer."""
        for path in self._files:
            path.unlink(missing_ok=True)

    def token(self, card_no: str) -> str:
        return self._round.centre.officer.token(card_no)

    # -- the faces

    def kit(self, path: str, body: object) -> dict[str, str]:
        return self._json("2.x", "POST", f"/{path}", body)

    def local(self, method: str, path: str, body: object) -> dict[str, Any]:
        return self._json("6.0", method, path, body)

    def _json(self, name: str, method: str, path: str, body: object) -> dict[str, Any]:
        face, _ = self._round.face(name), self.slots
        found = face.ask(method, path, body, self._limit_s())
        self._took(found.outcome, found.duration_ns, found.why)
        return dict(found.answer)

    def call(self, name: str, arguments: Mapping[str, Any]) -> Reply:
        program, _, function = self._round.adapter, self.slots, FUNCTIONS[name]
        asks = name in TYPED or (self._pin_set and function.hc is Need.PIN_IF_SET)
        if asks:
            self._round.people.expect(self._typed, name)
        given = {k: v.hex() if isinstance(v, bytes) else v for k, v in self._with_path(name, arguments).items()}
        person_s = self._round.means.person_s if asks and self._round.people.slow else 0.0
        said = program.ask("call", self._limit_s() + person_s, name=name, arguments=given)
        self._took(said.outcome, said.duration_ns, said.why)
        if said.why:
            raise CannotShow(f"its adapter cannot make the call {name}: {said.why}")
        return self._reply(function, said)

    def _with_path(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The file to upload by its whole path."""
        folder = self._round.uploads
        if name != "csUploadData" or folder is None:
            return arguments
        path = folder / arguments["pUploadFileName"].rstrip(b"\0").decode()
        return {**arguments, "pUploadFileName": str(path).encode() + b"\0"}

    def _reply(self, function: Function, said: Said) -> Reply:
        code, out = said.answer.get("code"), said.answer.get("out", {})
        if isinstance(code, str) and isinstance(out, dict):
            try:
                return Reply(code, {a.name: bytes.fromhex(out[a.name]) if a.is_text else int(out[a.name])
                                    for a in function.arguments if a.name in out})
            except (TypeError, ValueError):
                pass
        self.said = f"{function.name}: neither \"code\" nor \"out\" as they must be: {dict(said.answer)!r}"[:400]
        raise NoAnswer(Outcome.GARBLED, self.said)

    def _limit_s(self) -> float:
        if self._left_ns <= 0:
            raise CannotShow(f"its answers took more than {CASE_S:g} s, and the case was not over", open=True)
        return min(self._round.means.answer_s, self._left_ns / NS)

    def _took(self, outcome: Outcome, took_ns: int, why: str) -> None:
        self.took_ns, self.said = took_ns, why
        self._left_ns -= took_ns
        if outcome is not Outcome.REPLIED:
            raise NoAnswer(outcome, why)


__all__ = ["RealSoftware", "Round", "text"]
