"""Three-card authentication (三卡認證): SAM and patient card prove themselves to each other, and the professional's card to
both, before medical data move. Offline, and telling which of the three failed and why.

Who proves what to whom:

    SAM  -> card     before anything but the public data is read
    card -> SAM      before the SAM states anything about a visit
    HPC  -> card     before medical areas are read
    HPC  -> SAM      before the desk calls the professional authenticated (once, when the card is inserted)
    SAM  -> HPC      as the professional's card wants to know whose reader it is in

The desk itself checks every chain against its own clock, which the chips do not have.
"""

from __future__ import annotations

from virtual_devices.apdu import Command
from virtual_devices.authentication import CERTIFICATE, CHALLENGE_BYTES, SW_TROUBLE, Party, padded_id
from virtual_devices.flow import Ask, Flow
from virtual_devices.pin import BLOCK_BYTES, pin_block
from virtual_devices.pki import Refused, Trouble, Verified
from virtual_devices.reader.desk import Desk, OpenSam
from virtual_devices.reader.transmit import Ended, Handle, get_data, need_ok, power_on, transmit

PIN_ENTRIES = 2  # of one act; a third wrong one would lock a professional's card
ROLE = {Party.CARD: "card", Party.SAM: "sam", Party.HPC: "hpc"}
SAM_STEP, CARD_STEP, HPC_STEP = "authenticate SAM", "authenticate card", "authenticate HPC"
_SAM, _HPC, _CARD = Party.SAM, Party.HPC, Party.CARD
_CODE: dict[Party, dict[Trouble, str]] = {
    Party.SAM: {
        Trouble.EXPIRED: "9061", Trouble.NOT_YET_VALID: "9062", Trouble.REVOKED: "9060", Trouble.WRONG_ROLE: "4032",
        Trouble.FORGED: "9013", Trouble.MALFORMED: "4032", Trouble.MISSING: "4012",
    },
    Party.HPC: {
        Trouble.EXPIRED: "9140", Trouble.NOT_YET_VALID: "9140", Trouble.REVOKED: "9130", Trouble.WRONG_ROLE: "4034",
        Trouble.FORGED: "4034", Trouble.MALFORMED: "4034", Trouble.MISSING: "4014",
    },
    Party.CARD: {
        Trouble.EXPIRED: "5003", Trouble.NOT_YET_VALID: "5003", Trouble.REVOKED: "5002", Trouble.WRONG_ROLE: "4033",
        Trouble.FORGED: "4033", Trouble.MALFORMED: "4033", Trouble.MISSING: "4013",
    },
    Party.DATA_CENTRE: dict.fromkeys(Trouble, "9015"),
}
"""The field's code for each party and trouble. Where the field has none for a forged card, "not such a card" (inferred)."""


def refused(party: Party, trouble: Trouble, text: str = "", sw: int = 0, said: int = 0) -> Ended:
    """The party did not prove itself: an Ended that says which and why."""
    role = ROLE.get(party, "cloud")
    what = f"{role} refused: {trouble.value}" + (f" ({text})" if text else "")
    return Ended(what, _CODE[party][trouble], role, sw=sw, trouble=trouble, said=said)


def check_chain(desk: Desk, party: Party, chain: bytes) -> Verified:
    """The desk's own look at a chain, by its clock and its list of revoked certificates. Raises Ended."""
    verdict = desk.root.check_bytes(chain, party.roles, desk.clock.now_ns(), desk.revoked)
    if isinstance(verdict, Refused):
        raise refused(party, verdict.trouble, verdict.text)
    return verdict


def sam_of(desk: Desk) -> Flow[Handle]:
    """The desk's SAM, as control software keeps it: open since the morning while it still answers by its name, else opened.

    A SAM that lost its power, was exchanged, fell silent or whose certificate has run out is opened anew.
    """
    known, now_ns = desk.sam, desk.clock.now_ns()
    if known is None or not known.who.not_before_ns <= now_ns <= known.who.not_after_ns or known.who.serial in desk.revoked:
        return (yield from open_sam(desk))
    try:
        name = yield from get_data(known.handle, 0x005A, "SAM id", SAM_STEP)
    except Ended:
        name = b""
    if name != padded_id(known.who.subject_id):
        return (yield from open_sam(desk))
    return known.handle


def open_sam(desk: Desk) -> Flow[Handle]:
    """Power the SAM on and learn who it is."""
    desk.sam = None
    handle = yield from power_on("sam", SAM_STEP)
    desk.sam_id = (yield from get_data(handle, 0x005A, "SAM id", SAM_STEP)).decode("ascii", "replace").strip()
    desk.sam_chain = yield from get_data(handle, CERTIFICATE, "SAM certificate", SAM_STEP)
    verified = check_chain(desk, _SAM, desk.sam_chain)
    if verified.subject_id != desk.sam_id:
        raise refused(_SAM, Trouble.FORGED, "its certificate names another")
    if verified.organisation != desk.institution.code:
        raise refused(_SAM, Trouble.WRONG_ROLE, f"it belongs to institution {verified.organisation}")
    desk.sam = OpenSam(handle, verified)
    return handle


def prove(
    prover: Handle, party: Party, chain: bytes, verifier: Handle, verifier_id: bytes, step: str,
) -> Flow[None]:
    """One party proves itself to one chip. Raises Ended: which party, why."""
    named = yield from transmit(verifier, Command(0, 0x22, 0x81, 0xA4, b"\x83\x01" + bytes([party.value])), step)
    need_ok(named, verifier.role, f"naming the {party.name}")
    certified = yield from transmit(verifier, Command(0, 0x2A, 0x00, 0xBE, chain), step)
    if certified.sw in SW_TROUBLE:
        raise refused(party, SW_TROUBLE[certified.sw], f"says the {verifier.role}", certified.sw)
    need_ok(certified, verifier.role, f"certificate of the {party.name}")
    challenge = yield from transmit(verifier, Command(0, 0x84, 0, 0, le=CHALLENGE_BYTES), step)
    question = need_ok(challenge, verifier.role, "challenge") + verifier_id
    proof = yield from transmit(prover, Command(0, 0x88, 0, 0, question, le=64), step)
    if proof.sw == 0x6982 and party is Party.HPC:
        raise Ended("the professional's PIN has not been verified", "4042", "hpc", sw=proof.sw)
    answer = need_ok(proof, prover.role, f"proof of the {party.name}")
    taken = yield from transmit(verifier, Command(0, 0x82, 0, 0, answer), step)
    if taken.sw >> 4 == 0x63C or taken.sw == 0x6983:
        raise refused(party, Trouble.FORGED, f"the {verifier.role} does not accept its proof", taken.sw)
    need_ok(taken, verifier.role, f"proof of the {party.name}")


def sam_and_card(desk: Desk, sam: Handle, card: Handle, card_no: str) -> Flow[Verified]:
    """SAM and patient card prove themselves to each other. Returns what the card's certificate says."""
    card_chain = yield from get_data(card, CERTIFICATE, "card certificate", CARD_STEP)
    verified = check_chain(desk, _CARD, card_chain)
    if verified.subject_id != card_no:
        raise refused(_CARD, Trouble.FORGED, "certificate and public data name different cards")
    yield from prove(sam, _SAM, desk.sam_chain, card, padded_id(card_no), SAM_STEP)
    yield from prove(card, _CARD, card_chain, sam, padded_id(desk.sam_id), CARD_STEP)
    return verified


def insert_hpc(desk: Desk, sam: Handle, person: str = "physician") -> Flow[Verified]:
    """The professional inserts their card and enters the PIN; SAM and card prove themselves to each other."""
    desk.hpc_ready = False
    hpc = yield from power_on("hpc", HPC_STEP)
    desk.hpc_id = (yield from get_data(hpc, 0x005A, "professional id", HPC_STEP)).decode("ascii", "replace").strip()
    desk.hpc_chain = yield from get_data(hpc, CERTIFICATE, "HPC certificate", HPC_STEP)
    verified = check_chain(desk, _HPC, desk.hpc_chain)
    if verified.subject_id != desk.hpc_id:
        raise refused(_HPC, Trouble.FORGED, "its certificate names another")
    yield from verify_pin(hpc, person)
    yield from prove(sam, _SAM, desk.sam_chain, hpc, padded_id(desk.hpc_id), SAM_STEP)
    yield from prove(hpc, _HPC, desk.hpc_chain, sam, padded_id(desk.sam_id), HPC_STEP)
    desk.hpc_ready = True
    return verified


def hpc_and_card(desk: Desk, hpc: Handle, card: Handle, card_no: str) -> Flow[None]:
    """The professional's card proves itself to the patient's. It must be in and its PIN verified (4014, 4042)."""
    if not desk.hpc_ready:
        raise Ended("no professional's card has been accepted at this desk", "4042", "hpc")
    check_chain(desk, _HPC, desk.hpc_chain)
    yield from prove(hpc, _HPC, desk.hpc_chain, card, padded_id(card_no), HPC_STEP)


_PIN_STATE = Command(0, 0x20, 0, 0x81)
"""VERIFY without data asks how it stands (ISO/IEC 7816-4): 9000, 63Cx, or blocked."""


def knows_pins(handle: Handle) -> Flow[bool]:
    """Whether what is spoken to compares PINs: a chip does, a phone asks its holder itself and knows no such instruction."""
    state = yield from transmit(handle, _PIN_STATE, "verify PIN")
    return state.ok or state.sw == 0x6983 or state.sw >> 4 == 0x63C


def verify_pin(handle: Handle, person: str) -> Flow[None]:
    """Ask the person for the PIN, when the card wants one, and have the card compare it; after a wrong one once more.

    The card's last try is never spent here: only its holder may decide that. Raises Ended: 5102 wrong, 5109 cancelled (an
    empty answer), 4029 when it is blocked.
    """
    step = "verify PIN"
    state = yield from transmit(handle, _PIN_STATE, step)
    if state.ok:
        return
    if state.sw in (0x6983, 0x63C0):
        raise Ended("the PIN is blocked", "4029", handle.role, sw=state.sw)
    for entry in range(1, PIN_ENTRIES + 1):
        pin = yield Ask(person, "enter PIN")
        if not pin:
            raise Ended("PIN entry was cancelled", "5109", handle.role)
        if not (pin.isascii() and pin.isdigit() and len(pin) <= BLOCK_BYTES):  # a key pad has digits; no try is spent on it
            raise Ended("not a PIN", "5102", handle.role)
        compared = yield from transmit(handle, Command(0, 0x20, 0, 0x81, pin_block(pin)), step)
        if compared.ok:
            return
        more_than_the_last = compared.sw >> 4 == 0x63C and compared.sw & 0xF > 1
        if entry == PIN_ENTRIES or not more_than_the_last:
            raise Ended(f"wrong PIN: {compared}", "5102", handle.role, sw=compared.sw)
