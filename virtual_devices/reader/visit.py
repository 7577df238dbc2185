"""A visit as the desks' control software runs it on a physical card: register, read, write back, cancel.

Each flow can be run again after a tear, a lost device or silence: what was done the first time is found again, by the
visit's date-time on the card, by the act's id in the card's memory, by the request id in the data centre.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices import tlv
from virtual_devices.apdu import Command, Response
from virtual_devices.card import writes
from virtual_devices.card.areas import AVAILABLE, BY_NAME, EXPIRY
from virtual_devices.card.ic_card import AID, CARD_NUMBER, PUBLIC_DATA
from virtual_devices.flow import Flow
from virtual_devices.reader.authenticate import hpc_and_card, sam_and_card, sam_of, verify_pin
from virtual_devices.reader.calls import DATA_CENTRE_NOT_BELIEVED, NETWORK_DOWN, call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle, need_ok, power_on, read_area, transmit
from virtual_devices.records import RECORDS
from virtual_devices.sam.sam import VISIT_STATEMENT

EXPIRED, SECOND_DEPARTMENT, WRONG_PERSON = "5003", "5010", "5020"


@dataclass(frozen=True, slots=True)
class PublicData:
    """The 57 bytes that every reader may read."""

    raw: bytes

    @property
    def card_no(self) -> str:
        return self.raw[:12].decode("ascii", "replace").strip()

    @property
    def identity(self) -> bytes:
        """ID number and birth date, 17 bytes: what every write names."""
        return self.raw[32:49]


@dataclass(frozen=True, slots=True)
class VisitRequest:
    """A visit about to be registered. ``request_id`` and ``act_id``: 16 bytes each, the same however often it is tried."""

    request_id: bytes
    act_id: bytes
    visited_at: str  # ROC YYYMMDDHHMMSS: the visit's name on the card
    visit_type: str = "01"
    newborn_mark: str = " "
    recard_mark: str = "1"


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered visit. ``identifier`` is empty when it was registered offline; ``notice`` is 0 or a notice (5010)."""

    request: VisitRequest
    public: PublicData
    sequence: str
    identifier: str
    same_day: bool
    signature: bytes  # the SAM's, over the statement of the visit
    notice: str

    @property
    def online(self) -> bool:
        return bool(self.identifier)


def read_public(step: str = "read basic data") -> Flow[tuple[Handle, PublicData]]:
    """Power the card on and read what readers in the field read, by their very bytes.

    A card that answers 6D00 or 6A82 to SELECT may serve the data all the same: that is tried before giving up.
    """
    card = yield from power_on("card", "power on")
    selected = yield from transmit(card, Command(0x00, 0xA4, 0x04, 0x00, AID), step)
    command = Command(0x00, 0xCA, PUBLIC_DATA >> 8, PUBLIC_DATA & 0xFF, b"\0\0")
    response = yield from transmit(card, command, step)
    if not response.ok and not selected.ok:
        raise Ended(f"not a patient card: SELECT {selected}, read {response}", "4033", "card", sw=selected.sw)
    data = need_ok(response, "card", "public basic data", code="4033")
    if len(data) != RECORDS["pcsc_basic"].length:
        raise Ended(f"{len(data)} bytes of public basic data instead of 57", "4043", "card")
    return card, PublicData(data)


def read_card_number(card: Handle) -> Flow[str]:
    """The card number alone, as csGetCardNo."""
    command = Command(0x00, 0xCA, CARD_NUMBER >> 8, CARD_NUMBER & 0xFF, b"\0\0")
    response = yield from transmit(card, command, "read card number")
    return need_ok(response, "card", "card number").decode("ascii", "replace").strip()


def open_card(desk: Desk, hpc: Handle | None = None) -> Flow[tuple[Handle, Handle, PublicData]]:
    """Card in, public data read, SAM and card proved (and the professional's card, when one is handed in).

    Returns the SAM's handle, the card's, and the public data.
    """
    card, public = yield from read_public()
    sam = yield from sam_of(desk)
    yield from sam_and_card(desk, sam, card, public.card_no)
    if hpc is not None:
        yield from hpc_and_card(desk, hpc, card, public.card_no)
    return sam, card, public


def register(desk: Desk, request: VisitRequest) -> Flow[Registered]:
    """Registration: eligibility, card update when it is due, sequence number, statement signed by the SAM.

    Raises Ended with the code that refuses the patient (5012, 9129, 5001, 5002, 5003, ...), or with a medium's failure.
    """
    sam, card, public = yield from open_card(desk)
    yield from verify_pin(card, "holder")
    insurance = yield from _read_insurance(card)
    arguments = {"card_no": public.card_no, "visit_type": request.visit_type, "visited_at": request.visited_at}
    answer = yield from call(desk, sam, "begin-visit", request.request_id, arguments, "check eligibility")
    if answer is not None and answer.code != "0":
        raise Ended("the data centre refuses the visit", answer.code, "cloud")
    left, expiry = int(insurance[AVAILABLE]), insurance[EXPIRY].decode()
    if answer is not None and (left <= desk.policy.update_when_at_most or expiry < request.visited_at[:7]):
        yield from update_card(desk, sam, card, public, left, expiry)
    identifier = str(answer.body.get("identifier", "")) if answer is not None else ""
    try:
        issued = yield from _issue(desk, card, request)
    except Ended as refusal:
        if identifier and not refusal.torn:  # the visit that the data centre has begun will not take place
            yield from call(desk, sam, "roll-back", desk.fresh(16), {"identifier": identifier}, "get sequence number")
        raise
    sequence, same_day = issued[:4].decode("ascii"), issued[4:5] == b"Y"
    statement = VISIT_STATEMENT + public.raw[:12] + request.visited_at.encode() + issued[:4] + desk.institution.code.encode()
    try:
        signed = yield from transmit(sam, Command(0, 0x2A, 0x9E, 0x9A, statement, le=64), "sign visit")
        signature = need_ok(signed, "sam", "statement of the visit", code="5008")
    except Ended as e:
        e.issued = sequence
        raise
    return Registered(request, public, sequence, identifier, same_day, signature, SECOND_DEPARTMENT if same_day else "0")


def _read_insurance(card: Handle) -> Flow[bytes]:
    """The tail of the registration record. Raises Ended 4043 when dates and numbers in it are none."""
    data = yield from read_area(card, BY_NAME["register"].sfi, "registration data", "read registration data", 1, 78)
    insurance = data[57:]
    if len(data) != RECORDS["register_basic"].length or not (insurance[AVAILABLE] + insurance[EXPIRY]).isdigit():
        raise Ended("the card's registration data are not as they should be", "4043", "card")
    return insurance


def update_card(
    desk: Desk, sam: Handle, card: Handle, public: PublicData, visits_left: int, expiry_date: str = "",
) -> Flow[str]:
    """卡片內容更新 (csUpdateHCContents): returns the data centre's code; the card is updated when it is 0."""
    step = "update card"
    challenge = need_ok((yield from transmit(card, Command(0, 0x84, 0, 0, le=16), step)), "card", "challenge")
    arguments = {"card_no": public.card_no, "challenge": challenge, "visits_left": visits_left, "expiry_date": expiry_date}
    answer = yield from call(desk, sam, "update-card", desk.fresh(16), arguments, step)
    if answer is None:
        return NETWORK_DOWN
    if answer.code != "0":
        return answer.code
    content, signature, chain = (answer.body.get(k) for k in ("content", "signature", "chain"))
    if not (isinstance(content, bytes) and isinstance(signature, bytes) and isinstance(chain, bytes)):
        return DATA_CENTRE_NOT_BELIEVED
    act = tlv.encode(writes.UPDATE, _fields({writes.CONTENT: content, writes.SIGNATURE: signature, writes.CHAIN: chain}))
    response = yield from write(card, desk.fresh(16), act, step)
    need_ok(response, "card", "card update", code="5130")
    return "0"


def _issue(desk: Desk, card: Handle, request: VisitRequest) -> Flow[bytes]:
    act = tlv.encode(
        writes.ISSUE,
        _fields(
            {
                writes.TYPE: request.visit_type.encode(), writes.NEWBORN_MARK: request.newborn_mark.encode(),
                writes.RECARD: request.recard_mark.encode(), writes.DATETIME: request.visited_at.encode(),
                writes.HOSPITAL: desk.institution.code.encode(),
            }
        ),
    )
    response = yield from write(card, request.act_id, act, "get sequence number")
    issued = need_ok(response, "card", "sequence number", code="5007")
    if len(issued) != 7 or not issued[:4].isdigit():
        raise Ended("the card's sequence number is none", "5007", "card")
    return issued


def write(card: Handle, act_id: bytes, acts: bytes, step: str) -> Flow[Response]:
    """One act, whole or not at all."""
    return (yield from transmit(card, Command(0x80, 0xDA, 0x01, 0x00, tlv.encode(writes.ID, act_id) + acts, le=256), step))


def _fields(values: dict[int, bytes]) -> bytes:
    return tlv.encode_all(values.items())


@dataclass(frozen=True, slots=True)
class MedicalRecords:
    """What a physician reads before the consultation, as the card's own records back to back."""

    visits: bytes
    diagnoses: bytes
    prescriptions: bytes
    allergies: bytes


MEDICAL_AREAS = ("visit", "diagnosis", "outpatient_rx", "allergy")


def read_medical(desk: Desk, hpc: Handle, expected: PublicData) -> Flow[tuple[Handle, MedicalRecords]]:
    """All three cards proved, then the medical areas. Raises Ended 5020 when another person's card is in the reader."""
    _, card, public = yield from open_card(desk, hpc)
    if public.identity != expected.identity:
        raise Ended("the card in the reader is another person's", WRONG_PERSON, "card")
    yield from verify_pin(card, "holder")
    parts = []
    for name in MEDICAL_AREAS:
        area = BY_NAME[name]
        parts.append((yield from read_area(card, area.sfi, name, "read medical records", area.count, area.record_bytes)))
    return card, MedicalRecords(*parts)


def write_consultation(
    card: Handle, registered: Registered, act_id: bytes, codes: bytes, prescriptions: list[bytes],
) -> Flow[None]:
    """Diagnoses (55 bytes, ``write_code_icd10``) and prescriptions (61 bytes each) in one act: both or neither."""
    public, when = registered.public, registered.request.visited_at.encode()
    named = {writes.IDENTITY: public.identity, writes.DATETIME: when}
    acts = tlv.encode(writes.DIAGNOSIS, _fields({**named, writes.CODES: codes}))
    if prescriptions:
        entries = tlv.encode_all((writes.RX, entry) for entry in prescriptions)
        acts += tlv.encode(writes.PRESCRIPTION, _fields(named) + entries)
    need_ok((yield from write(card, act_id, acts, "write visit")), "card", "diagnoses and prescriptions", code="5023")


def sign_prescriptions(desk: Desk, sam: Handle, prescriptions: list[bytes]) -> Flow[list[str]]:
    """The 40 characters of each entry (處方簽章), by the SAM, in the order of the entries."""
    signatures = []
    for entry in prescriptions:
        response = yield from transmit(sam, Command(0, 0x2A, 0x8E, 0x80, entry, le=20), "sign prescriptions")
        signatures.append(need_ok(response, "sam", "prescription signature", code="5008").hex())
    return signatures


def write_fees(desk: Desk, registered: Registered, act_id: bytes, fees: bytes) -> Flow[None]:
    """Fees (38 bytes, ``write_fee``), at the cashier's reader. Raises Ended 5020 for another person's card."""
    _, card, public = yield from open_card(desk)
    if public.identity != registered.public.identity:
        raise Ended("the card in the reader is another person's", WRONG_PERSON, "card")
    named = {writes.IDENTITY: public.identity, writes.DATETIME: registered.request.visited_at.encode()}
    act = tlv.encode(writes.FEE, _fields({**named, writes.FEES: fees}))
    need_ok((yield from write(card, act_id, act, "write fees")), "card", "fees", code="5028")


def roll_back(desk: Desk, registered: Registered, act_id: bytes, now: str) -> Flow[bool]:
    """退掛 within 24 hours: on the card, then at the data centre. True when the data centre knows too; False when it must be
    told when there is a line again, or the number looks like a visit that nobody told of.

    Raises Ended with 5150 to 5154, or 5020 for another person's card.
    """
    sam, card, public = yield from open_card(desk)
    if public.identity != registered.public.identity:
        raise Ended("the card in the reader is another person's", WRONG_PERSON, "card")
    fields = {
        writes.DATETIME: registered.request.visited_at.encode(), writes.HOSPITAL: desk.institution.code.encode(),
        writes.NOW: now.encode(),
    }
    response = yield from write(card, act_id, tlv.encode(writes.ROLL_BACK, _fields(fields)), "cancel visit")
    need_ok(response, "card", "roll-back", code="5130")
    if not registered.identifier:
        return False
    arguments = {"identifier": registered.identifier, "sequence": registered.sequence}
    answer = yield from call(desk, sam, "roll-back", desk.fresh(16), arguments, "cancel visit")
    return answer is not None and answer.code in ("0", "5153")
