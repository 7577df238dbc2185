"""A desk's calls to the data centre: signed by the SAM, tried a stated number of times, believed only when signed.

A call that gets no believable answer returns None, and the desk leaves the line alone for a while: the patient is served
offline. A refusal is an answer, not a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from virtual_devices import cose
from virtual_devices.apdu import Command
from virtual_devices.authentication import Party
from virtual_devices.clock import NS
from virtual_devices.cloud.chain_codes import HPC_CODE, SAM_CODE
from virtual_devices.cloud.service import VERSION
from virtual_devices.cose import PROTECTED_ES256, X5CHAIN, MalformedCose, Sign1, sig_structure
from virtual_devices.flow import Exchange, Flow, Sleep
from virtual_devices.link import Attempt, Outcome, Work
from virtual_devices.pki import Refused, Verified
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle, need_ok, transmit
from virtual_devices.status_list import StatusLists, Taking

NETWORK_DOWN, DATA_CENTRE_NOT_BELIEVED = "4061", "9015"
RENEW_AFTER_H = 24
"""Reader certificates are fetched anew so long after the last ones, which live for 72 hours."""


@dataclass(frozen=True, slots=True)
class CloudAnswer:
    """What the data centre said: its code, and the rest."""

    code: str
    body: Mapping[str, Any]


def call(
    desk: Desk, sam: Handle, operation: str, request_id: bytes, arguments: Mapping[str, Any], step: str,
) -> Flow[CloudAnswer | None]:
    """One operation, at most ``policy.cloud_tries`` times with the same request id. None: no believable answer."""
    if desk.line_held_off():
        return None
    message = yield from _signed(desk, sam, operation, request_id, arguments, step)
    for number in range(desk.policy.cloud_tries):
        if number:
            yield Sleep(desk.policy.backoff_s)
        attempt: Attempt = yield Exchange("cloud", message, desk.policy.cloud_timeout_s, step)
        if attempt.outcome is Outcome.REPLIED and attempt.reply is not None:
            answer = _believed(desk, attempt.reply, request_id)
            if answer is not None:
                desk.line_works()
                return answer
    desk.line_failed()
    return None


def _signed(
    desk: Desk, sam: Handle, operation: str, request_id: bytes, arguments: Mapping[str, Any], step: str,
) -> Flow[bytes]:
    payload = cbor2.dumps(
        {
            1: VERSION, 2: operation, 3: request_id, 4: desk.institution.code, 5: desk.sam_id, 6: desk.clock.now_ns(),
            7: dict(arguments),
        },
        canonical=True,
    )
    to_sign = sig_structure(PROTECTED_ES256, payload)
    signed = yield from transmit(sam, Command(0, 0x2A, 0x9E, 0x9A, to_sign, le=64), step)
    signature = need_ok(signed, "sam", "signature", code="5008")
    return Sign1(PROTECTED_ES256, {X5CHAIN: cbor2.loads(desk.sam_chain)}, payload, signature).to_bytes()


def _believed(desk: Desk, reply: bytes, request_id: bytes) -> CloudAnswer | None:
    """The answer, when the data centre signed it and it answers this request."""
    try:
        message = cose.decode(reply)
    except MalformedCose:
        return None
    centre = _data_centre(desk, message)
    if centre is None or not message.verify(centre.key):
        return None
    payload = message.payload_map()
    if payload is None or payload.get(1) != VERSION or payload.get(3) != request_id or not isinstance(payload.get(8), str):
        return None
    body = payload.get(9)
    return CloudAnswer(payload[8], body if isinstance(body, Mapping) else {})


def _data_centre(desk: Desk, message: Sign1) -> Verified | None:
    """Who signed; a chain that was checked before is not checked again while it is valid."""
    chain = cbor2.dumps(message.chain)
    now_ns = desk.clock.now_ns()
    known = desk.institution.data_centre
    if known is not None and known[0] == chain and known[1].not_before_ns <= now_ns <= known[1].not_after_ns:
        return known[1]
    verdict = desk.root.check(message.chain, Party.DATA_CENTRE.roles, now_ns, desk.revoked)
    if isinstance(verdict, Refused):
        return None
    desk.institution.data_centre = (chain, verdict)
    return verdict


def verify_sam(desk: Desk, sam: Handle) -> Flow[bool]:
    """SAM and data centre prove themselves to each other (csVerifySAMDC), at opening.

    True when done; False when the line is down: the desk works offline until it is back. Raises Ended when either side
    refuses the other (4051 and the data centre's code behind it).
    """
    step = "verify SAM online"
    named = yield from transmit(sam, Command(0, 0x22, 0x81, 0xA4, b"\x83\x01" + bytes([Party.DATA_CENTRE.value])), step)
    need_ok(named, "sam", "naming the data centre")
    challenge = need_ok((yield from transmit(sam, Command(0, 0x84, 0, 0, le=16), step)), "sam", "challenge")
    answer = yield from call(desk, sam, "verify-sam", desk.fresh(16), {"challenge": challenge}, step)
    if answer is None:
        return False
    if answer.code != "0":
        raise Ended("the data centre refuses the SAM", answer.code, "sam")
    proof, chain = answer.body.get("proof"), answer.body.get("chain")
    if not isinstance(proof, bytes) or not isinstance(chain, bytes):
        raise Ended("the data centre's proof is missing", DATA_CENTRE_NOT_BELIEVED, "cloud")
    for command in (Command(0, 0x2A, 0x00, 0xBE, chain), Command(0, 0x82, 0, 0, proof)):
        response = yield from transmit(sam, command, step)
        need_ok(response, "sam", "proof of the data centre", code=DATA_CENTRE_NOT_BELIEVED)
    desk.sam_ready = True
    return True


def get_reader_certificates(desk: Desk, sam: Handle) -> Flow[bool]:
    """What SAM and professional show to wallets for the next 72 hours, from the data centre. False when the line is down: the
    former ones serve until they end. Raises Ended when the data centre refuses one of the two."""
    arguments = {"hpc": desk.hpc_chain} if desk.hpc_chain else {}
    answer = yield from call(desk, sam, "reader-certificates", desk.fresh(16), arguments, "get reader certificates")
    if answer is None:
        return False
    if answer.code != "0":
        failed = next((r for r, codes in (("hpc", HPC_CODE), ("sam", SAM_CODE)) if answer.code in codes.values()), "cloud")
        raise Ended("the data centre gives no reader certificate", answer.code, failed)
    for role in ("sam", "hpc"):
        chain = answer.body.get(role)
        if chain is not None and not (isinstance(chain, (list, tuple)) and all(isinstance(c, bytes) for c in chain)):
            raise Ended("the data centre's certificates are none", DATA_CENTRE_NOT_BELIEVED, "cloud")
    desk.reader_chain, desk.hpc_reader_chain = tuple(answer.body.get("sam") or ()), tuple(answer.body.get("hpc") or ())
    desk.reader_until_ns = desk.clock.now_ns() + RENEW_AFTER_H * 3600 * NS
    return True


def get_status_lists(desk: Desk, sam: Handle) -> Flow[int]:
    """How virtual cards and authorizations stand, for all desks of the institution. How many lists were taken; 0 when the line is
    down, and the former ones serve until they end."""
    answer = yield from call(desk, sam, "status-lists", desk.fresh(16), {}, "get status lists")
    if answer is None or answer.code != "0":
        return 0
    lists = desk.institution.lists = desk.institution.lists or StatusLists(desk.root, Work())
    found = answer.body.get("lists")
    raws = found if isinstance(found, (list, tuple)) else ()
    taken = [lists.take(raw, desk.clock.now_ns()) for raw in raws if isinstance(raw, bytes)]
    return sum(t.outcome in (Taking.ACCEPTED, Taking.SAME) for t in taken)


def cloud_status(reply: bytes) -> str:
    """The code of an answer, for the row: read without believing it."""
    try:
        payload = cose.decode(reply).payload_map()
    except MalformedCose:
        return ""
    code = payload.get(8) if payload is not None else None
    return code if isinstance(code, str) else ""



