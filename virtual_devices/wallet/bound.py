"""The person's own card on this phone says who asks: its device key signs, with the holder's consent, for one operation, once."""

from __future__ import annotations

from typing import Any

from virtual_devices import vhc
from virtual_devices.cloud.phone_messages import bound_proof
from virtual_devices.flow import Flow
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.app import App, call
from virtual_devices.wallet.consent import Element, Use
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.keystore import Denied, KeyDenied

ELEMENTS: tuple[Element, ...] = ((vhc.BASIC, "card_no"),)
"""What the data centre is told by it, for the holder's consent."""
NAMES = {vhc.BASIC: [name for _, name in ELEMENTS]}


def prove_bound(app: App, operation: str, card_no: str) -> Flow[dict[str, Any]]:
    """What ``given`` takes for this operation. The holder arms the consent beforehand (:data:`NAMES`, for registration), or is
    asked now: then KeyDenied is raised, and the same again works once they have given it. Raises Ended without a card (3241),
    without an answer or a challenge (4061, 9015)."""
    held = app.phone.cards.get(OWN)
    if held is None:
        raise Ended("there is no card on this phone", "3241", "issuer")
    body = yield from call(app, "challenge", {})
    challenge = body.get("challenge")
    if not isinstance(challenge, bytes):
        raise Ended("no challenge", "9015", "issuer")
    consent, now_ns, session = app.phone.consent, app.clock.now_ns(), b"bound " + operation.encode() + challenge
    consent.ask(session, Use.REGISTRATION, ELEMENTS, now_ns)
    if consent.allows(session, Use.REGISTRATION, ELEMENTS, now_ns) != set(ELEMENTS):
        raise KeyDenied(held.key, Denied.CONSENT)
    proof = bound_proof(operation, card_no, challenge, lambda message: app.phone.keystore.sign(held.key, message))
    consent.end(session)
    return {"bound_proof": proof}


__all__ = ["ELEMENTS", "NAMES", "prove_bound"]
