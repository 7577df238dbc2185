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
