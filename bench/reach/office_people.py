"""What the people at a clinic or a pharmacy do, asked of a program line by line; the bench does the rest."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bench.reach import CASE_S, Means
from bench.reach.lent_desk import LentDesk
from bench.reach.office_desk import Slots
from bench.reach.program import CHANNEL, Said, bytes_of
from bench.reach.served_centre import ServedCentre
from conformance.offices import Met
from conformance.references.clinic import Done, Shelves
from conformance.references.hpc import PIN
from conformance.references.pharmacy import Found
from conformance.references.shown import phone_with, status_lists, wards_card
from conformance.tester import CannotShow
from conformance.town import HOLDER, Place
from conformance.vectors.world import CARD_NO, World
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.write_back import holder_of

MS_NS, MACHINE = 10**6, "machine"
PATIENT = {"id_no": HOLDER.holder.id_no, "birth_date": HOLDER.holder.birth_roc, "name": HOLDER.holder.name}
"""What a patient says at the desk who has no card that can be read."""
_COUNTS = ("queue", "done", "waiting", "refused", "rx_waiting", "rx_done", "rx_refused")


@dataclass(frozen=True)
class Around:
    """What stands round the software in one case."""

    world: World
    place: Place
    centre: ServedCentre
    desk: LentDesk
    slots: Slots


class People(Protocol):
    """Who does what is asked: a program, or persons."""

    def ask(self, do: str, timeout_s: float, **more: Any) -> Said: ...


class ProgramOffice:
    """One desk of the software (:class:`conformance.offices.OfficeUnderTest`). Raises LinkError when it does not begin."""

    credentials = ""

    def __init__(self, program: People, device: str, around: Around, means: Means) -> None:
        self.said, self._device, self._last = "", device, Met(device, CHANNEL, b"", b"", 0, Outcome.REPLIED)
        self.world, self._place, self._centre, self._means = around.world, around.place, around.centre, means
        self._lent, self._slots = around.desk, around.slots
        self._program, self._left_ns = program, round(CASE_S * NS)
        centre = around.centre
        self.take_out, self.put_back = around.slots.take_out, around.slots.put_back
        self.line_is, self.heard, self.tell_centre = centre.line_is, centre.heard, centre.tell_centre
        self.also_hands_out = centre.also_hands_out
        made = self._ask("new", **self._told())
        if not made.done:
            raise LinkError(f"{device}: new: {made.why}")

    def _told(self) -> dict[str, Any]:
        files, who, place, world = self._centre.credentials, self.credentials, self._place, self.world
        return {
            "clock": "bench" if isinstance(self._centre.clock, VirtualClock) else MACHINE,
            "certificates": {"sam": _hex(place.sam.chain), "hpc": _hex(place.professional.chain)},
            "trust": world.authority.root_der.hex(), "lists": [raw.hex() for raw in status_lists(world)],
            "institution": {"code": place.institution, "sam_id": place.sam_id, "professional_id": place.professional_id,
                            "pin": PIN},
            "centre": {"url": self._centre.url, "ca": str(files / "ca.pem"), "certificate": str(files / f"{who}.pem"),
                       "key": str(files / f"{who}.key")},
            **self._slots.told(),
        }

    def met(self) -> Met:
        """How it was met just now."""
        return replace(self._last, evidence=self._centre.evidence())

    # -- asked

    def _ask(self, do: str, **more: Any) -> Said:
        if self._left_ns <= 0:
            raise CannotShow(f"its answers took more than {CASE_S:g} s, and the case was not over", open=True)
        found = self._program.ask(do, self._means.answer_s, now_ms=self.now_ns() // MS_NS, **more)
        self.said, answered = found.why, _line(found.answer) if found.answer else b""
        self._last = Met(self._device, CHANNEL, _line({"do": do, **more}), answered, found.duration_ns, found.outcome)
        self._left_ns -= found.duration_ns
        return found

    def _do(self, do: str, **more: Any) -> Mapping[str, Any]:
        """An act; raises TimeoutError without an answer, CannotShow for what the software says it cannot do."""
        found = self._ask(do, **more)
        if found.outcome is not Outcome.REPLIED:
            raise TimeoutError(found.why)
        if found.why:
            raise CannotShow(f"its people cannot {do.replace('_', ' ')}: {found.why}")
        return found.answer

    def done(self, do: str, **more: Any) -> Done:
        answer = self._do(do, **more)
        texts = {name: answer.get(name, "") for name in ("code", "text", "identifier", "sequence", "abnormal", "for_whom", "raw")}
        raw = bytes_of(texts, "raw")
        if "code" not in answer or raw is None or not all(isinstance(text, str) for text in texts.values()):
            raise self._not_as_described(do, "code and the other texts of what was done", answer)
        return Done(**{**texts, "raw": raw})

    def found(self, do: str, **more: Any) -> Found:
        answer = self._do(do, **more)
        try:
            states = tuple((bytes.fromhex(root), str(state)) for root, state in answer.get("states", []))
            return Found(_text(answer["code"]), states, _text(answer.get("text", "")))
        except (KeyError, TypeError, ValueError):
            raise self._not_as_described(do, "code, and states as pairs of id and state", answer) from None

    def _not_as_described(self, do: str, wanted: str, answer: Mapping[str, Any]) -> TimeoutError:
        self._last = replace(self._last, ended=Outcome.GARBLED)
        return TimeoutError(f"{do}: no {wanted}: {dict(answer)!r:.200}")

    # -- what stands round it

    def now_ns(self) -> int:
        return self._centre.clock.now_ns()

    def later(self, seconds: float) -> None:
        clock = self._centre.clock
        if isinstance(clock, VirtualClock):
            clock.advance_to(clock.now_ns() + round(seconds * NS))
            return
        if seconds > self._waits_s:
            raise CannotShow(f"it takes a wait of {seconds:g} s by the machine's clock: more than wait_s of the PIXIT")
        time.sleep(seconds)

    @property
    def _waits_s(self) -> int:
        said = self._means.answers.get("wait_s", 0)
        return said if isinstance(said, int) else 0

    def type(self, what: str, text: str) -> None:
        """At a desk of ours, and to the software, whichever asks."""
        self._lent.desk.type(what, text)
        self._do("type", what=what, text=text)

    # -- what its people do

    def revoke(self, serials: Sequence[int]) -> None:
        self._do("revoked", serials=[f"{serial:x}" for serial in serials])

    def policy(self, *, offline: bool) -> None:
        self._do("policy", offline=offline)

    def version(self, version: str) -> None:
        self._do("version", version=version)

    def shelves(self) -> Shelves:
        answer = self._do("shelves")
        counts = {name: answer.get(name) for name in _COUNTS}
        findings = answer.get("findings", [])
        if not all(type(count) is int for count in counts.values()) or not isinstance(findings, list):
            raise self._not_as_described("shelves", f"whole numbers {', '.join(_COUNTS)}, and a list of findings", answer)
        return Shelves(**counts, findings=tuple(map(str, findings)))  # type: ignore[arg-type]  # they are whole numbers

    def upload(self) -> Done:
        return self.done("upload")

    def mistype(self) -> None:
        self._do("mistype")


class ProgramClinic(ProgramOffice):
    """A clinic's (:class:`conformance.kinds.clinic.ClinicUnderTest`)."""

    credentials = "clinic"

    def visit(
        self, how: str, visit_type: str = "01", *, upload: bool = True, fees: Mapping[str, int] | None = None,
        allergy: str = "",
    ) -> Done:
        if how == "ward":
            self._lent.desk.show(wards_card(self.world))
        return self.done("visit", how=how, visit_type=visit_type, upload=upload, fees=None if fees is None else dict(fees),
                         allergy=allergy, patient=PATIENT)

    def certificates_over(self) -> None:
        self._do("certificates_over")

    def by_telephone(self, id_no: str, birth_date: str) -> Done:
        return self.done("by_telephone", id_no=id_no, birth_date=birth_date)

    def correct(self, *, identity: bool = False) -> Done:
        return self.done("correct", identity=identity, patient=PATIENT)

    def prescribe(self, letter: str = "A", *, days: int = 0) -> Done:
        return self.done("prescribe", letter=letter, days=days, card_no=CARD_NO)

    def change(self, what: str) -> Done:
        return self.done("change", what=what)

    def answer_doubts(self) -> Done:
        return self.done("answer_doubts")

    def take_along(self, hours: float) -> Done:
        return self.done("take_along", hours=hours, card_no=CARD_NO)

    def put_in_bag(self, raw: bytes) -> Done:
        return self.done("put_in_bag", raw=raw.hex())

    def at_home(self, identity: bytes, professional: str = "") -> Done:
        return self.done("at_home", identity=identity.hex(), professional=professional, card_no=CARD_NO)


class ProgramPharmacy(ProgramOffice):
    """A pharmacy's (:class:`conformance.kinds.pharmacy.PharmacyUnderTest`)."""

    credentials = "pharmacy"

    def find(self, **what: str | bytes) -> Found:
        return self.found("find", **{name: one.hex() if isinstance(one, bytes) else one for name, one in what.items()})

    def scan(self, texts: Sequence[str], device: bytes = b"") -> Found:
        return self.found("scan", texts=list(texts), device=(device or holder_of(self.world.device_key)).hex())

    def card(self, personal: Mapping[str, Any]) -> Found:
        self._slots.patient(personal)
        return self.found("card")

    def phone(self, records: Sequence[bytes], chains: Sequence[Sequence[bytes]]) -> Found:
        self._lent.desk.show(phone_with(records, chains))
        return self.found("phone")

    def dispense(self, root: bytes) -> Done:
        return self.done("dispense", id=root.hex())

    def signed_on_paper(self) -> Done:
        return self.done("signed_on_paper", name=HOLDER.holder.name)

    def no_paper(self) -> Done:
        return self.done("no_paper")

    def give_back(self) -> Done:
        return self.done("give_back")

    def doubt(self, root: bytes) -> Done:
        return self.done("doubt", id=root.hex())

    def settle(self) -> Done:
        return self.done("settle")

    def record(self, *, upload: bool = True) -> Done:
        return self.done("record", upload=upload, patient=PATIENT)

    def correct(self) -> Done:
        return self.done("correct", patient=PATIENT)


def _line(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")


def _hex(chain: Sequence[bytes]) -> list[str]:
    return [der.hex() for der in chain]


def _text(value: object) -> str:
    """Raises TypeError for what is none."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


__all__ = ["Around", "MACHINE", "MS_NS", "ProgramClinic", "ProgramOffice", "ProgramPharmacy"]
