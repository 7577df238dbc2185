"""What stands before the work of a call: the three cards there, powered, proved to each other, PINs verified, by the table.

Each step is done once and remembered until the card loses its power; before each call the cards are asked for their numbers, so
that one exchanged in between is noticed. The manual fixes no order of the refusals: here SAM, patient's card, professional's card
(inferred).
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.apdu import Command, Response
from virtual_devices.authentication import CERTIFICATE, CHALLENGE_BYTES, Party, padded_id
from virtual_devices.cloud.service import DATA_CENTRE_ID
from virtual_devices.flow import Flow
from virtual_devices.reader.authenticate import HPC_STEP, check_chain, hpc_and_card, prove, sam_and_card, sam_of, verify_pin
from virtual_devices.reader.calls import NETWORK_DOWN, call, verify_sam
from virtual_devices.reader.cshis.interface import Function, Need
from virtual_devices.reader.cshis.state import CardInside, ControlSoftware, ProfessionalInside
from virtual_devices.reader.transmit import LACKS_RIGHT, Ended, Handle, get_data, need_ok, power_on, transmit
from virtual_devices.reader.visit import read_card_number, read_public

SAM_NOT_READY, CARD_NOT_ONLINE, TAKE_HPC_OUT, PIN_NOT_VERIFIED, OLD_PIN_NOT_VERIFIED = "4050", "4071", "5110", "4042", "5105"
HPC_ID_UNREADABLE, ID_CHARACTERS = "5056", 10


@dataclass(slots=True)
class Ready:
    """What a call works with: as far as the table asks for it, else None."""

    opened: Handle | None = None
    inside: CardInside | None = None
    hpc: ProfessionalInside | None = None

    @property
    def sam(self) -> Handle:
        """The SAM, of a call that asks for it."""
        assert self.opened is not None
        return self.opened

    @property
    def card(self) -> CardInside:
        """The patient card, of a call that asks for it."""
        assert self.inside is not None
        return self.inside


def need(response: Response, role: str, what: str, code: str) -> bytes:
    """The data of a good answer; a refusal for want of a right keeps its own code, any other is ``code``. Raises Ended."""
    if response.sw == 0x6982:
        raise Ended(f"{what}: {response}", LACKS_RIGHT, role, sw=response.sw)
    return need_ok(response, role, what, code)


# -- the SAM

def the_sam(software: ControlSoftware) -> Flow[Handle]:
    """The desk's SAM, powered. One that was opened anew has forgotten everybody, and everybody it."""
    before = software.desk.sam
    handle = yield from sam_of(software.desk)
    if software.desk.sam is not before:
        software.desk.sam_ready = False
        software.card = None
        software.hpc = None
        software.desk.hpc_ready = False
    return handle


def ready_sam(software: ControlSoftware) -> Flow[Handle]:
    """The SAM, authenticated with the data centre since its power-up: done here when it was not (4050 when it cannot be)."""
    sam = yield from the_sam(software)
    if not software.desk.sam_ready:
        software.desk.line_works()  # a person waits at the desk: the line is tried, however lately it failed
        try:
            done = yield from verify_sam(software.desk, sam)
        except Ended as e:
            raise Ended(f"the SAM is not authenticated: {e.what}", SAM_NOT_READY, "sam", sw=e.sw) from e
        if not done:
            raise Ended("the SAM is not authenticated: no line to the data centre", SAM_NOT_READY, "sam")
    return sam


# -- the patient's card

def the_card(software: ControlSoftware) -> Flow[CardInside]:
    """The patient card in the slot, powered. Raises Ended 4013, 4033, 4000."""
    known = software.card
    if known is not None:
        software.card = None
        try:
            number = yield from read_card_number(known.handle)
        except Ended as e:
            if e.torn and e.code != "4013":
                raise
            number = ""
        if number == known.public.card_no:
            software.card = known
            return known
    handle, public = yield from read_public()
    software.card = CardInside(handle, public)
    return software.card


def proved_card(software: ControlSoftware, sam: Handle) -> Flow[CardInside]:
    """The patient card, proved to the SAM and the SAM to it."""
    card = yield from the_card(software)
    if not card.sam:
        yield from sam_and_card(software.desk, sam, card.handle, card.public.card_no)
        card.sam = True
    return card


def holder_pin(card: CardInside) -> Flow[None]:
    """The holder's PIN, on the key pad, where its holder has switched it on. Raises Ended 5102, 5109, 4029."""
    if not card.pin and (yield from pin_is_on(card.handle)):
        yield from verify_pin(card.handle, "holder")
        card.pin = True


def pin_is_on(handle: Handle) -> Flow[bool]:
    """Whether the card asks for its PIN now."""
    state = yield from transmit(handle, Command(0, 0x20, 0, 0x81), "verify PIN")
    if state.ok:
        return False
    if state.sw >> 4 != 0x63C and state.sw != 0x6983:
        need(state, handle.role, "state of the PIN", "")
    return True


def card_online(software: ControlSoftware, sam: Handle, card: CardInside) -> Flow[None]:
    """Card and data centre prove themselves to each other. Raises Ended 4061 (no line), 4071 (one side said no)."""
    if card.online:
        return
    step = "authenticate card online"
    arguments: dict[str, object] = {"card_no": card.public.card_no}
    asked = yield from online(software, sam, "card-challenge", software.desk.fresh(16), arguments, step)
    challenge = asked.get("challenge")
    if not isinstance(challenge, bytes) or len(challenge) != CHALLENGE_BYTES:
        raise Ended("the data centre's challenge is none", CARD_NOT_ONLINE, "cloud")
    chain = yield from get_data(card.handle, CERTIFICATE, "card certificate", step)
    message = Command(0, 0x88, 0, 0, challenge + padded_id(DATA_CENTRE_ID), le=64)
    proof = need((yield from transmit(card.handle, message, step)), "card", "proof of the card", CARD_NOT_ONLINE)
    answer = yield from answered(software, sam, "card-session", {**arguments, "chain": chain, "proof": proof}, step)
    if answer[0] != "0":
        raise Ended(f"the data centre refuses the card ({answer[0]})", CARD_NOT_ONLINE, "card")
    card.online = True


def answered(
    software: ControlSoftware, sam: Handle, operation: str, arguments: dict[str, object], step: str, request_id: bytes = b"",
) -> Flow[tuple[str, dict[str, object]]]:
    """Code and body of an operation of the data centre. Raises Ended 4061 when the line is down."""
    software.desk.line_works()
    answer = yield from call(software.desk, sam, operation, request_id or software.desk.fresh(16), arguments, step)
    if answer is None:
        raise Ended("no line to the data centre", NETWORK_DOWN, "cloud")
    return answer.code, dict(answer.body)


def online(
    software: ControlSoftware, sam: Handle, operation: str, request_id: bytes, arguments: dict[str, object], step: str,
) -> Flow[dict[str, object]]:
    """The body of an operation that succeeded. Raises Ended with the data centre's code, or 4061."""
    code, body = yield from answered(software, sam, operation, arguments, step, request_id)
    if code != "0":
        raise Ended(f"the data centre refuses: {operation}", code, "cloud")
    return body


# -- the professional's card

def the_hpc(software: ControlSoftware) -> Flow[ProfessionalInside]:
    """The professional's card in the slot, powered. Raises Ended 4014, 4034, 4000, or 5056 for one that does not say whose."""
    known = software.hpc
    if known is not None:
        software.hpc = None
        try:
            name = yield from get_data(known.handle, 0x005A, "professional id", HPC_STEP)
        except Ended as e:
            if e.torn and e.code != "4014":
                raise
            name = b""
        if name and name.decode("ascii", "replace").strip() == software.desk.hpc_id:
            software.hpc = known
            return known
    software.desk.hpc_ready = False
    handle = yield from power_on("hpc", HPC_STEP)
    name = yield from get_data(handle, 0x005A, "professional id", HPC_STEP)
    software.desk.hpc_id = name.decode("ascii", "replace").strip()
    if len(software.desk.hpc_id) != ID_CHARACTERS:
        raise Ended("the professional's ID number cannot be read", HPC_ID_UNREADABLE, "hpc")
    software.hpc = ProfessionalInside(handle)
    if software.card is not None:
        software.card.hpc = False
    return software.hpc


def known_hpc(software: ControlSoftware, sam: Handle) -> Flow[ProfessionalInside]:
    """The professional's card, to which the SAM has proved itself, and whose certificate is good (9130, 9140, 4034)."""
    hpc = yield from the_hpc(software)
    desk = software.desk
    if not hpc.sam:
        desk.hpc_chain = yield from get_data(hpc.handle, CERTIFICATE, "HPC certificate", HPC_STEP)
        who = check_chain(desk, Party.HPC, desk.hpc_chain)
        if who.subject_id != desk.hpc_id:
            raise Ended("the professional's certificate names another", "4034", "hpc")
        yield from prove(sam, Party.SAM, desk.sam_chain, hpc.handle, padded_id(desk.hpc_id), HPC_STEP)
        hpc.sam = True
    return hpc


def proved_hpc(software: ControlSoftware, sam: Handle, card: CardInside | None) -> Flow[ProfessionalInside]:
    """The professional's card with its PIN verified (4042), proved to the patient's card when there is one."""
    hpc = yield from known_hpc(software, sam)
    if not hpc.pin:
        raise Ended("the professional's PIN was not verified", PIN_NOT_VERIFIED, "hpc")
    if card is not None and not card.hpc:
        yield from hpc_and_card(software.desk, hpc.handle, card.handle, card.public.card_no)
        card.hpc = True
    return hpc


def _optional_hpc(software: ControlSoftware, ready: Ready, *, pin: bool) -> Flow[ProfessionalInside | None]:
    """The professional's card when one is in, its PIN verified where ``pin`` asks for it (else 4042); None: the slot is empty."""
    try:
        if pin:
            return (yield from proved_hpc(software, ready.sam, ready.card))
        return (yield from the_hpc(software))
    except Ended as e:
        if e.code == "4014":
            return None
        raise


# -- all of it

def prepare(software: ControlSoftware, function: Function) -> Flow[Ready]:
    """All that the function's row asks for. Raises Ended with the field's code."""
    ready = Ready()
    match function.sam:
        case Need.AUTH:
            ready.opened = yield from ready_sam(software)
        case Need.PRESENT:
            ready.opened = yield from the_sam(software)
        case _:
            pass
    if function.hpc is Need.ABSENT:
        yield from _need_no_hpc(software)
    if function.hc in (Need.PRESENT, Need.PIN, Need.PIN_IF_SET):
        if ready.opened is None:
            ready.inside = yield from the_card(software)
        else:
            ready.inside = yield from proved_card(software, ready.sam)
    if function.hc is Need.PIN_IF_SET:
        yield from holder_pin(ready.card)
    if function.hc is Need.PIN and not ready.card.pin and (yield from pin_is_on(ready.card.handle)):
        raise Ended("the holder's PIN was not verified before", OLD_PIN_NOT_VERIFIED, "card")
    yield from _prepare_hpc(software, function, ready)
    return ready


def _prepare_hpc(software: ControlSoftware, function: Function, ready: Ready) -> Flow[None]:
    match function.hpc:
        case Need.PIN if ready.inside is not None:
            ready.hpc = yield from proved_hpc(software, ready.sam, ready.card)
        case Need.PIN:  # work on the professional's card itself: the call says what it needs
            ready.hpc = yield from known_hpc(software, ready.sam)
        case Need.PRESENT if ready.opened is not None:
            ready.hpc = yield from known_hpc(software, ready.sam)
        case Need.PRESENT:
            ready.hpc = yield from the_hpc(software)
        case Need.OPTIONAL_PIN | Need.OPTIONAL:
            ready.hpc = yield from _optional_hpc(software, ready, pin=function.hpc is Need.OPTIONAL_PIN)
        case _:
            pass


def _need_no_hpc(software: ControlSoftware) -> Flow[None]:
    try:
        yield from the_hpc(software)
    except Ended as e:
        if e.code != "4014":
            raise Ended("something is in the professional's slot", TAKE_HPC_OUT, "hpc") from e
        return
    raise Ended("the professional's card is in the reader", TAKE_HPC_OUT, "hpc")


__all__ = [
    "Ready", "answered", "card_online", "known_hpc", "need", "online", "pin_is_on", "prepare", "proved_card", "proved_hpc",
    "ready_sam", "the_card", "the_hpc",
    "the_sam",
]
