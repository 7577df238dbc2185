"""Answers with a ward's card: the issuer says under which authorization a guardian holds it, and a reader wants that one.

The reader asks for scope *basic* and purpose *outpatient*, as at a registration.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.vectors.authorizations import parents
from conformance.vectors.engagements import Opened
from conformance.vectors.model import Code, Input, Kind, Reason, Space, Value
from conformance.vectors.responses import SHOWN, VALUES
from conformance.vectors.suite import Suite, number
from conformance.vectors.world import World
from virtual_devices import vhc
from virtual_devices.authorization import Authorization, Purpose, issue, make_proof
from virtual_devices.mdoc.response import DeviceResponse, Document, sign_device

MODEL = "response/ward"


def add(suite: Suite, world: World, opened: Opened, other: Opened) -> None:
    """A ward's card on a guardian's phone; then what is not there, or is another's."""
    parent = parents(world)
    card = world.credential(device=world.guardian, held_under=parent.cti).select(SHOWN)

    def answer(shown: Authorization | None, proved: Authorization | None, at: Opened = opened) -> bytes:
        values: dict[str, Any] = {}
        if shown is not None:
            values["authorization"] = issue(shown, world.centre)
        if proved is not None:
            made = make_proof(lambda m: world.es256(world.guardian, m), at.transcript.encoded, proved.cti)
            values["proof"] = made.item()
        said = {**VALUES, **({vhc.DELEGATION: values} if values else {})}
        device = sign_device(lambda m: world.es256(world.guardian, m), opened.transcript, vhc.DOCTYPE, said)
        return DeviceResponse((Document(vhc.DOCTYPE, card, device),)).to_bytes()

    inputs: dict[Input | Value, bytes | str] = {Input.RESPONSE: answer(parent, parent), Value.SESSION: opened.name}
    suite.good(Kind.RESPONSE, "ward", inputs, "代理人手機上的受代理人卡片，附授權與證明",
               "a ward's card on a guardian's phone, with authorization and proof")
    another = replace(parent, cti=bytes(16))
    narrow = replace(parent, purpose=Purpose.PHARMACY)
    no_proof: Code = number(Space.VHC, "3100")
    for name, raw, reason, code, zh, en in (
        ("ward-no-authorization", answer(None, None), Reason.MISSING, number(Space.VHC, "3237"), "扣住授權不出示",
         "the authorization is held back"),
        ("ward-no-proof", answer(parent, None), Reason.NO_PROOF, no_proof, "沒有證明", "without the proof"),
        ("ward-proof-of-other-session", answer(parent, parent, other), Reason.NO_PROOF, no_proof, "證明屬於另一會話",
         "the proof is of another session"),
        ("ward-under-another", answer(another, another), Reason.OUT_OF_SCOPE, number(Space.CSHIS, "4029"),
         "出示的是另一個授權，不是卡片所屬的", "another authorization than the one under which the card is held"),
        ("ward-other-purpose", answer(narrow, narrow), Reason.OUT_OF_SCOPE, number(Space.CSHIS, "4029"), "授權只限領藥",
         "the authorization is for a pharmacy only"),
    ):
        suite.bad(MODEL, name, {Input.RESPONSE: raw}, reason, code, zh, en)
