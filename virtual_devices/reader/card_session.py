"""A virtual card by way of the physical one (ENR-01): at any desk, the holder's card proves itself to the data centre.

    desk:  three cards as always (SAM and patient card prove themselves to each other, the holder's PIN where there is one)
    desk:  a challenge from the data centre; the patient card signs it            -> the number of the session, 16 bytes
    phone: applies with that number, within ten minutes, once (``wallet.app``)

How the number reaches the phone is the desk's affair: printed, or shown as a code.
"""

from __future__ import annotations

from virtual_devices.apdu import Command
from virtual_devices.authentication import CERTIFICATE, CHALLENGE_BYTES, padded_id
from virtual_devices.cloud.service import DATA_CENTRE_ID
from virtual_devices.flow import Flow
from virtual_devices.reader.authenticate import verify_pin
from virtual_devices.reader.calls import DATA_CENTRE_NOT_BELIEVED, NETWORK_DOWN, CloudAnswer, call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, get_data, need_ok, transmit
from virtual_devices.reader.visit import open_card

STEP = "prove card to the data centre"


def prove_card(desk: Desk) -> Flow[bytes]:
    """The number of a session in which this card was there. Raises Ended: any of the cards refused, no line (4061), or the data
    centre's no."""
    sam, card, public = yield from open_card(desk)
    yield from verify_pin(card, "holder")
    chain = yield from get_data(card, CERTIFICATE, "card certificate", STEP)
    asked = _need((yield from call(desk, sam, "card-challenge", desk.fresh(16), {"card_no": public.card_no}, STEP)))
    challenge = asked.body.get("challenge")
    if not isinstance(challenge, bytes) or len(challenge) != CHALLENGE_BYTES:
        raise Ended("the data centre's challenge is none", DATA_CENTRE_NOT_BELIEVED, "cloud")
    answer = yield from transmit(card, Command(0, 0x88, 0, 0, challenge + padded_id(DATA_CENTRE_ID), le=64), STEP)
    proof = need_ok(answer, "card", "proof of the card")
    arguments = {"card_no": public.card_no, "chain": chain, "proof": proof}
    told = _need((yield from call(desk, sam, "card-session", desk.fresh(16), arguments, STEP)))
    statement = told.body.get("statement")
    if not isinstance(statement, bytes):
        raise Ended("the data centre gives no number", DATA_CENTRE_NOT_BELIEVED, "cloud")
    return statement


def _need(answer: CloudAnswer | None) -> CloudAnswer:
    if answer is None:
        raise Ended("no line to the data centre", NETWORK_DOWN, "cloud")
    if answer.code != "0":
        raise Ended("the data centre does not accept the card", answer.code, "cloud")
    return answer


__all__ = ["prove_card"]
