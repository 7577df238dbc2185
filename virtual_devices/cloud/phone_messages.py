"""The messages between a phone and the data centre, which both sides make and read (``phone_service.py`` has their form)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cose
from virtual_devices.cose import Sign1
from virtual_devices.mdoc.cose_key import to_cose

VERSION = 1


def phone_request(
    operation: str, request_id: bytes, key: ec.EllipticCurvePublicKey, sign: Callable[[bytes], bytes],
    arguments: Mapping[str, Any], now_ns: int,
) -> bytes:
    """A request as a phone makes it. ``sign``: the phone key's ES256."""
    body = {1: VERSION, 2: operation, 3: request_id, 4: to_cose(key), 6: now_ns, 7: dict(arguments)}
    payload: bytes = cbor2.dumps(body, canonical=True)
    return Sign1(cose.PROTECTED_ES256, {}, payload, sign(cose.sig_structure(cose.PROTECTED_ES256, payload))).to_bytes()


def proof_payload(operation: str, card_no: str, challenge: bytes) -> bytes:
    """What a citizen's certificate signs, and the card's own device key: for this operation, for this person, once."""
    payload: bytes = cbor2.dumps([operation, card_no, challenge], canonical=True)
    return payload


def bound_proof(operation: str, card_no: str, challenge: bytes, sign: Callable[[bytes], bytes]) -> list[Any]:
    """By the device key of the person's own card: an untagged, detached COSE_Sign1. ``sign``: its ES256, with consent."""
    payload = proof_payload(operation, card_no, challenge)
    return Sign1(cose.PROTECTED_ES256, {}, None, sign(cose.sig_structure(cose.PROTECTED_ES256, payload))).item()
