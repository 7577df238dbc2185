"""Flows of a home visit (居家醫療) beside those at a reader: prepare at the institution, recognise at the patient's home.

Before:  package  = yield from prepare(desk, sam, hpc, bag, card_no, until_ns)
There:   package  = recognise(bag, card_no, professional, identity, now_ns)     no network is asked
         and the visit runs by the flows that a clinic has (``reader.visit``, ``reader.wallet_visit``), whose calls find no line
After:   the desk's queue and drawer are drained (``institution.uploads``, ``reader.prescription_desk``)
"""

from __future__ import annotations

from virtual_devices.apdu import Command
from virtual_devices.flow import Flow
from virtual_devices.home_package import HOME_CARE, HomePackage, MalformedPackage, proof_message
from virtual_devices.institution.home_bag import HomeBag
from virtual_devices.reader.calls import DATA_CENTRE_NOT_BELIEVED, NETWORK_DOWN, call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle, need_ok, transmit

WRONG_PERSON = "5020"
STEP = "prepare home visit"


def prepare(
    desk: Desk, sam: Handle, hpc: Handle, bag: HomeBag, card_no: str, until_ns: int, purpose: str = HOME_CARE,
) -> Flow[HomePackage]:
    """Take a patient's data along. The professional's card signs for the purpose and the time. Raises Ended with the code that
    refuses; 4061 where there is no line, 9015 for a package that is not believed."""
    request_id = desk.fresh(16)
    message = proof_message(request_id, card_no, purpose, until_ns)
    signed = yield from transmit(hpc, Command(0, 0x2A, 0x9E, 0x9A, message, le=64), STEP)
    proof = need_ok(signed, "hpc", "proof of the professional", code="9130")
    arguments = {"card_no": card_no, "purpose": purpose, "until_ns": until_ns, "hpc": desk.hpc_chain, "proof": proof}
    answer = yield from call(desk, sam, "home-package", request_id, arguments, STEP)
    if answer is None:
        raise Ended("there is no line to the data centre", NETWORK_DOWN, "cloud")
    if answer.code != "0":
        raise Ended("the data centre gives no home package", answer.code, "cloud")
    raw = answer.body.get("package")
    try:
        return bag.put(raw if isinstance(raw, bytes) else b"", desk.clock.now_ns())
    except MalformedPackage as e:
        raise Ended(str(e), e.code or DATA_CENTRE_NOT_BELIEVED, "cloud") from None


def recognise(bag: HomeBag, card_no: str, professional: str, identity: bytes, now_ns: int) -> HomePackage:
    """Whether the card that is here is that of the patient who was prepared for. ``identity``: ID number and birth date as the
    card's public data, or the phone's answer, give them (17 bytes). Raises Ended: the bag's code, or 5020."""
    found = bag.open(card_no, professional, now_ns)
    if isinstance(found, str):
        raise Ended("nothing was taken along for this card", found, "institution")
    if found.person.identity != identity:
        raise Ended("the card at the home is another person's than was prepared for", WRONG_PERSON, "card")
    return found


def check_person(desk: Desk, sam: Handle, id_no: str, birth_date: str) -> Flow[str]:
    """Registration by telephone or online (電話、網路掛號): the data centre's code for a card that nobody has seen yet.

    4061 where there is no line: the patient is taken on trust, and checked at the counter. ``birth_date``: ROC YYYMMDD."""
    arguments = {"id_no": id_no, "birth_date": birth_date}
    answer = yield from call(desk, sam, "check-person", desk.fresh(16), arguments, "register by telephone")
    return NETWORK_DOWN if answer is None else answer.code


__all__ = ["check_person", "prepare", "recognise"]
