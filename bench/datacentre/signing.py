"""Requests signed by a SAM, for trying the data centre by hand: the upload over HTTP, the envelope of control software 6.0."""

from __future__ import annotations

import os

from virtual_devices import pki
from virtual_devices.cloud.envelope import signature_text, statement
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.pki import Authority, Role
from virtual_devices.uploads.envelope import Operation, make_request

UPLOAD = "30"


def envelope(
    authority: Authority, institution: str, sam_id: str, service_type: str, now_ns: int, random: bytes | None = None,
) -> dict[str, str]:
    """The fields that every request of the SAM alone carries. ``random``: 16 bytes, of the machine's when left out."""
    sam = authority.issue(Role.SAM, sam_id, organisation=institution)
    fields = {"clientRandom": (random or os.urandom(16)).hex(), "hospitalId": institution, "samId": sam_id}
    signed = statement(fields, service_type, now_ns)
    by_sam = pki.sign(sam.key, sig_structure(PROTECTED_ES256, signed))
    return fields | {"signature": signature_text(signed, (sam.chain_bytes(), by_sam), None, None)}


def upload_request(
    authority: Authority, institution: str, sam_id: str, file: bytes, now_ns: int, operation: Operation = Operation.FORMAL,
    random: bytes | None = None,
) -> dict[str, str]:
    """A file as the field's clients send it."""
    made = envelope(authority, institution, sam_id, UPLOAD, now_ns, random)
    return make_request(operation, sam_id, institution, made["clientRandom"], made["signature"], now_ns, file)


__all__ = ["envelope", "upload_request"]
