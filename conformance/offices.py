"""What a clinic's and a pharmacy's software have in common under test: their requests to the data centre, and the files that they
upload."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import cbor2

from conformance.records import Pen
from conformance.references.clinic import Done, Shelves
from conformance.references.desks import payload_of
from conformance.tester import Tester
from conformance.town import Place, clinic, pharmacy
from conformance.vectors.world import CARD_NO, World
from virtual_devices import cose
from virtual_devices.clock import roc_datetime13
from virtual_devices.cose import MalformedCose, Sign
from virtual_devices.link import Outcome, Provenance
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import sign
from virtual_devices.prescription.document import MalformedPrescription, Prescription, read_prescription
from virtual_devices.trace import ExchangeRow
from virtual_devices.uploads.document import Record
from virtual_devices.uploads.xml_reader import read
from virtual_devices.write_back import Record as SignedRecord
from virtual_devices.write_back import read_record


@dataclass(frozen=True)
class Met:
    """How software outside this process is met, and what became of the act that was asked for last: ``asked`` and ``answered``
    word for word, ``took_ns``, how it ``ended``; ``evidence``: what came to the data centre since this was looked at last."""

    device: str
    channel: str
    asked: bytes
    answered: bytes
    took_ns: int
    ended: Outcome
    evidence: Sequence[ExchangeRow] = ()


class OfficeUnderTest(Protocol):
    """Software of an institution, and what stands round it."""


    def now_ns(self) -> int: ...
    def later(self, seconds: float) -> None: ...
    def take_out(self, role: str) -> None: ...
    def put_back(self, role: str) -> None: ...
    def type(self, what: str, text: str) -> None: ...
    def also_hands_out(self, record: object, chains: Sequence[Sequence[bytes]]) -> None: ...
    def line_is(self, fates: list[str], *, down: bool = False) -> None: ...
    def heard(self) -> list[bytes]: ...
    def tell_centre(self, message: bytes) -> bytes: ...
    def revoke(self, serials: Sequence[int]) -> None: ...
    def policy(self, *, offline: bool) -> None: ...
    def version(self, version: str) -> None: ...
    def shelves(self) -> Shelves: ...
    def upload(self) -> Done: ...
    def mistype(self) -> None: ...


class OfficeTester(Tester):
    """The people at the desk, the other institutions, and the data centre. ``clinic``, ``pharmacy``: who they are; ``met``: how
    the software was met just now, where it is none of this process."""

    met: Callable[[], Met] | None = None

    def __init__(self, software: OfficeUnderTest, world: World, name: str) -> None:
        super().__init__()
        self.office = software
        self.world = world
        self.name = name
        self.clinic, self.pharmacy = clinic(world), pharmacy(world)
        self.fresh = world.fresh("tester", name)
        self._heard: list[Mapping[Any, Any]] = []

    @property
    def now_ns(self) -> int:
        return self.office.now_ns()

    def pen(self, place: Place) -> Pen:
        return Pen(place, self.world)

    def act(self, what: str, do: Callable[[], Any]) -> Any:
        """One act of the people at the desk. That the software comes back is a check."""
        try:
            found = do()
        except TimeoutError as e:
            self._note(what, "")
            self.expect(f"{what}: the software comes back", False, "an answer", str(e) or "silence")
        self._note(what, str(found))
        return found

    def _note(self, what: str, found: str) -> None:
        provenance = Provenance.MODELLED if self.met is None else Provenance.MEASURED
        met = Met("virtual", "desk", what.encode(), found.encode(), 0, Outcome.REPLIED) if self.met is None else self.met()
        self.rows += [replace(row, session=self.name) for row in met.evidence]
        self.rows.append(ExchangeRow(
            replication=0, visit="", session=self.name, flow="conform", step=what, role=self.role, channel=met.channel,
            device=met.device, provenance=provenance.value, at_ns=self.now_ns, duration_ns=met.took_ns, outcome=met.ended.value,
            request=met.asked[:4096], reply=met.answered[:4096], request_bytes=len(met.asked), reply_bytes=len(met.answered),
            status="", fault="", sent_ns=-1,
        ))

    def done(self, what: str, do: Callable[[], Done]) -> Done:
        """The same; that it is done is a check."""
        found: Done = self.act(what, do)
        self.equal(f"{what}: code", found.code, "0")
        return found

    def shelves(self) -> Shelves:
        """What lies where, as the software shows it."""
        return cast(Shelves, self.act("shelves", self.office.shelves))

    def version(self, version: str) -> None:
        self.act("version", lambda: self.office.version(version))

    def policy(self, *, offline: bool) -> None:
        self.act("policy", lambda: self.office.policy(offline=offline))

    def revoke(self, serials: Sequence[int]) -> None:
        self.act("revoked", lambda: self.office.revoke(serials))

    def type(self, what: str, text: str) -> None:
        self.act("type", lambda: self.office.type(what, text))

    def mistype(self) -> None:
        self.act("mistype", self.office.mistype)

    # -- the data centre's side

    def requests(self, operation: str = "") -> list[Mapping[Any, Any]]:
        """What it has asked of the data centre so far: all, or one operation's."""
        self._heard += [self._request(raw) for raw in self.office.heard()]
        return [r for r in self._heard if operation in ("", r[2])]

    def _request(self, raw: bytes) -> Mapping[Any, Any]:
        """What it says; one that says nothing is a failure."""
        try:
            found: Any = payload_of(raw)
        except (MalformedCose, cbor2.CBORDecodeError):
            found = {}
        parts = [found.get(key) for key in (2, 3, 7)] if isinstance(found, Mapping) else []
        fits = [isinstance(part, kind) for part, kind in zip(parts, (str, bytes, Mapping), strict=False)] == [True] * 3
        if not fits:
            self.expect("a request can be read", False, "operation, id and arguments", raw)
        return cast(Mapping[Any, Any], found)

    def told(self, operation: str) -> bytes:
        """The record in the newest request of this operation; that there is one is a check."""
        found = [r[7].get("record") for r in self.requests(operation)]
        self.expect(f"{operation} with a record", bool(found) and isinstance(found[-1], bytes), "a record", found)
        return cast(bytes, found[-1])

    def signed(self, raw: bytes) -> tuple[SignedRecord, Sign]:
        """A record that the software has signed; that it is one is a check."""
        try:
            return read_record(raw)
        except MalformedMdoc as e:
            self.expect("a signed record", False, "one", str(e))
            raise AssertionError("unreachable") from None

    def prescription(self, raw: bytes) -> Prescription:
        """The same of a prescription."""
        record, _ = self.signed(raw)
        try:
            return read_prescription(record)
        except MalformedPrescription as e:
            self.expect("a prescription", False, "one", str(e))
            raise AssertionError("unreachable") from None

    def kept(self, id: bytes, by: Place | None = None) -> Mapping[str, Any]:
        """That prescription, as the data centre has it; that it has it is a check."""
        code, body = self.centre(by or self.clinic, "rx-find", {"id": id})
        found = body.get("prescriptions", [])
        self.equal("the data centre has it", (code, len(found)), ("0", 1))
        return cast(Mapping[str, Any], found[0])

    def centre(self, place: Place, operation: str, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """A request of another institution's, and the answer."""
        body = {1: 1, 2: operation, 3: self.fresh(16), 4: place.institution, 5: place.sam_id, 6: self.now_ns, 7: dict(arguments)}
        payload = cbor2.dumps(body, canonical=True)
        signature = sign(place.sam.key, cose.sig_structure(cose.PROTECTED_ES256, payload))
        message = cose.Sign1(cose.PROTECTED_ES256, {cose.X5CHAIN: list(place.sam.chain)}, payload, signature)
        answer = payload_of(self.office.tell_centre(message.to_bytes()))
        return str(answer[8]), answer[9]

    def leave(self, place: Place, operation: str, raw: bytes, *, documents: tuple[bytes, ...] = ()) -> str:
        """A signed record of another institution's, left with the data centre; the code."""
        chains = self.pen(self.clinic).chains + self.pen(self.pharmacy).chains
        return self.centre(place, operation, {"record": raw, "chains": chains, "documents": list(documents)})[0]

    def begun(self, place: Place) -> str:
        """The identifier of a visit of the holder's at another institution, begun now."""
        arguments = {"card_no": CARD_NO, "visit_type": "01", "visited_at": roc_datetime13(self.now_ns)}
        code, body = self.centre(place, "begin-visit", arguments)
        self.need("the visit is begun", code == "0")
        return str(body["identifier"])

    def recorded(self, place: Place, whole: bytes) -> None:
        """Another institution's file of visits is uploaded."""
        digest = hashlib.sha256(whole).digest()
        arguments = {"batch": self.fresh(16), "digest": digest, "index": 0, "total": 1, "part": whole}
        self.need("its record is taken", self.centre(place, "upload", arguments)[0] == "0")

    def files(self) -> list[bytes]:
        """The files that were uploaded whole, in order; that their digests fit is a check."""
        batches: dict[bytes, dict[int, bytes]] = {}
        found: list[bytes] = []
        for request in self.requests("upload"):
            a = request[7]
            fits = all(isinstance(a.get(name), kind) for name, kind in _OF_A_PART.items())
            if not fits:
                self.expect("a part of a file", False, ", ".join(_OF_A_PART), a)
            parts = batches.setdefault(a["batch"] + a["digest"], {})
            parts[a["index"]] = a["part"]
            if len(parts) == a["total"]:
                whole = b"".join(part for _, part in sorted(parts.items()))
                self.equal("digest of a file", a["digest"], hashlib.sha256(whole).digest())
                if whole not in found:
                    found.append(whole)
        return found

    def records(self) -> list[Record]:
        """The records in them; that each file can be read is a check."""
        found: list[Record] = []
        for whole in self.files():
            reading = read(whole)
            self.expect("the file can be read", bool(reading.records) and not reading.findings, "records", reading.findings)
            found += reading.records
        return found

    def the_record(self) -> Record:
        """The only record in them; that there is one, and no more, is a check."""
        found = self.records()
        self.equal("records uploaded", len(found), 1)
        return found[0]


_OF_A_PART = {"batch": bytes, "digest": bytes, "index": int, "total": int, "part": bytes}

__all__ = ["Met", "OfficeTester", "OfficeUnderTest"]
