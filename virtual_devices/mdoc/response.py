"""Device responses and mdoc authentication, ISO/IEC 18013-5 clauses 8.3.2.1.2.2 and 9.1.3.

    DeviceResponse = {"version": "1.0", ? "documents": [+ Document], ? "documentErrors": [+ {docType: code}], "status": uint}
    Document       = {"docType", "issuerSigned", "deviceSigned": {"nameSpaces": #6.24, "deviceAuth": {...}}, ? "errors"}

The device proves that it holds the key named by the issuer: a signature, or a MAC under a key that only it and this reader
can compute, over #6.24(["DeviceAuthentication", SessionTranscript, docType, DeviceNameSpacesBytes]).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor
from virtual_devices.cose import PROTECTED_ES256, Mac0, MalformedCose, Sign1, make_mac0, read_mac0, read_sign1, sig_structure
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned, Mso, read_issuer_signed, verify
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import (
    MalformedMdoc,
    a_map,
    a_number,
    a_text,
    an_array,
    brief,
    dumps,
    embedded,
    read_map,
    texts,
    unembed,
)
from virtual_devices.pki import ChainVerifier, Refused, Trouble, Verified
from virtual_devices.quick import quick

DATA_NOT_RETURNED = 0
MAX_DOCUMENTS = 8
_ERRORS, _DOC_TYPE, _DEVICE_SIGNED, _ISSUER_SIGNED = map(cbor.name, ("errors", "docType", "deviceSigned", "issuerSigned"))
_STATUS, _VERSION, _DOCUMENTS, _DOCUMENT_ERRORS = map(cbor.name, ("status", "version", "documents", "documentErrors"))
_DEVICE_AUTH, _NAME_SPACES, _SIGNATURE, _MAC = map(cbor.name, ("deviceAuth", "nameSpaces", "deviceSignature", "deviceMac"))


class ResponseStatus(Enum):
    """Table 8 of clause 8.3.2.1.2.3."""

    OK = 0
    GENERAL_ERROR = 10
    DECODING_ERROR = 11
    VALIDATION_ERROR = 12


_STATUSES = {status.value: status for status in ResponseStatus}


@quick
@dataclass(frozen=True, slots=True)
class DeviceSigned:
    """What the device itself says, and its proof. ``raw``: DeviceNameSpaces inside #6.24, as it came."""

    raw: bytes
    values: Mapping[str, Mapping[str, Any]]
    auth: Sign1 | Mac0

    def encoded(self) -> bytes:
        kind = _SIGNATURE if isinstance(self.auth, Sign1) else _MAC
        return b"".join((b"\xa2", _DEVICE_AUTH, b"\xa1", kind, self.auth.encoded(), _NAME_SPACES, embedded(self.raw)))


@quick
@dataclass(frozen=True, slots=True)
class Document:
    """One document shown. ``errors``: namespace -> element -> code, for what was asked and is not there."""

    doctype: str
    issued: IssuerSigned
    device: DeviceSigned
    errors: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def parts(self) -> list[bytes]:
        """Encoded, in parts."""
        errors = b""
        if self.errors:
            errors = _ERRORS + cbor.map_of([cbor.text(space) + _codes(codes) for space, codes in self.errors.items()])
        return [
            b"\xa4" if errors else b"\xa3", errors, _DOC_TYPE, cbor.name(self.doctype), _DEVICE_SIGNED, self.device.encoded(),
            _ISSUER_SIGNED, *self.issued.parts(),
        ]


@quick
@dataclass(frozen=True, slots=True)
class DeviceResponse:
    documents: tuple[Document, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    """Document type -> code, for documents that are not returned."""
    status: ResponseStatus = ResponseStatus.OK

    def to_bytes(self) -> bytes:
        count = 2 + bool(self.documents) + bool(self.errors)
        parts = [cbor.head(cbor.MAP, count), _STATUS, cbor.number(self.status.value), _VERSION, cbor.name("1.0")]
        if self.documents:
            parts += [_DOCUMENTS, cbor.head(cbor.ARRAY, len(self.documents))]
            for document in self.documents:
                parts += document.parts()
        if self.errors:
            parts += [_DOCUMENT_ERRORS, cbor.array([_codes({doctype: code}) for doctype, code in self.errors.items()])]
        return b"".join(parts)


def _codes(codes: Mapping[str, int]) -> bytes:
    return cbor.map_of([cbor.text(name) + cbor.number(code) for name, code in codes.items()])


def authenticated(transcript: Transcript, doctype: str, device_spaces: bytes) -> bytes:
    """DeviceAuthenticationBytes. ``device_spaces``: DeviceNameSpaces inside #6.24."""
    return authenticated_in(transcript.encoded, doctype, device_spaces)


def authenticated_in(transcript: bytes, doctype: str, device_spaces: bytes) -> bytes:
    """The same, of an encoded SessionTranscript: for who was not in the session."""
    return embedded(b"".join((b"\x84\x74DeviceAuthentication", transcript, cbor.text(doctype), embedded(device_spaces))))


def sign_device(
    sign: Callable[[bytes], bytes], transcript: Transcript, doctype: str, values: Mapping[str, Mapping[str, Any]] | None = None,
) -> DeviceSigned:
    """Device authentication by signature. ``sign``: the device key's ES256, 64 bytes, wherever the key lives."""
    spaces = values or {}
    raw = dumps(spaces) if spaces else b"\xa0"
    signature = sign(sig_structure(PROTECTED_ES256, authenticated(transcript, doctype, raw)))
    return DeviceSigned(raw, spaces, Sign1(PROTECTED_ES256, {}, None, signature))


def mac_device(
    shared: bytes, transcript: Transcript, doctype: str, values: Mapping[str, Mapping[str, Any]] | None = None,
) -> DeviceSigned:
    """Device authentication by MAC. ``shared``: ECDH of the device key with the reader's ephemeral key."""
    spaces = values or {}
    raw = dumps(spaces)
    tag = make_mac0(transcript.key(shared, "EMacKey"), authenticated(transcript, doctype, raw), detached=True)
    return DeviceSigned(raw, spaces, tag)


# -- reading

def read(raw: bytes) -> DeviceResponse:
    """Raises MalformedMdoc."""
    body = read_map(raw, "DeviceResponse")
    version = a_text(body.get("version"), "the version")
    if version.split(".")[0] != "1":
        raise MalformedMdoc(f"DeviceResponse version {version}", "8.3.2.1.2.2")
    status = _STATUSES.get(a_number(body.get("status"), "the status"))
    if status is None:
        raise MalformedMdoc(f"response status {brief(body.get('status'))}", "8.3.2.1.2.3")
    found = an_array(body.get("documents", []), "documents")
    if len(found) > MAX_DOCUMENTS:
        raise MalformedMdoc(f"{len(found)} documents, at most {MAX_DOCUMENTS}")
    errors: dict[str, int] = {}
    for entry in an_array(body.get("documentErrors", []), "documentErrors"):
        for doctype, code in a_map(entry, "a document error").items():
            errors[a_text(doctype, "a document type")] = a_number(code, "an error code")
    return DeviceResponse(tuple([_document(d, raw, number) for number, d in enumerate(found)]), errors, status)


def _document(value: object, message: bytes, number: int) -> Document:
    body = a_map(value, "a Document")
    errors: dict[str, Mapping[str, int]] = {}
    for space, codes in texts(a_map(body.get("errors", {}), "errors"), "a namespace").items():
        errors[space] = texts(a_map(codes, "errors"), "an element")
        if not set(map(type, codes.values())) <= {int}:
            raise MalformedMdoc("an error code is not a whole number")
    return Document(
        a_text(body.get("docType"), "docType"),
        read_issuer_signed(body.get("issuerSigned"), (message, "documents", number, "issuerSigned")),
        _device_signed(a_map(body.get("deviceSigned"), "deviceSigned")), errors,
    )


def _device_signed(body: Mapping[Any, Any]) -> DeviceSigned:
    raw = unembed(body.get("nameSpaces"), "DeviceNameSpacesBytes")
    values: dict[str, Mapping[str, Any]] = {}
    if raw != b"\xa0":  # as of most devices that say nothing themselves
        spaces = texts(read_map(raw, "DeviceNameSpaces"), "a namespace")
        values = {space: texts(a_map(found, "elements"), "an element") for space, found in spaces.items()}
    auth = a_map(body.get("deviceAuth"), "deviceAuth")
    if len(auth) != 1:
        raise MalformedMdoc("deviceAuth is not one of signature and MAC", "9.1.3")
    try:
        if "deviceSignature" in auth:
            return DeviceSigned(raw, values, read_sign1(auth["deviceSignature"]))
        if "deviceMac" in auth:
            return DeviceSigned(raw, values, read_mac0(auth["deviceMac"]))
    except MalformedCose as e:
        raise MalformedMdoc(f"deviceAuth: {e.what}", "9.1.3") from None
    raise MalformedMdoc("deviceAuth is neither a signature nor a MAC", "9.1.3")


# -- believing

@quick
@dataclass(frozen=True, slots=True)
class Believed:
    """A document whose issuer and device have been checked."""

    mso: Mso
    signer: Verified
    values: Mapping[str, Mapping[str, Any]]
    """From the issuer."""
    device_values: Mapping[str, Mapping[str, Any]]
    """From the device, where the issuer lets it."""
    signed: bool = True
    """The device's proof is a signature, which others can check too; False: a MAC, which only this reader can."""
    device: DeviceSigned | None = None
    """As it came: with a signature and the session's transcript, others can be shown it."""


def believe(
    document: Document, transcript: Transcript, root: ChainVerifier, now_ns: int, work: Work, *,
    agree: Callable[[ec.EllipticCurvePublicKey], bytes] | None = None, skew_s: float = 0.0,
) -> Believed | Refused:
    """Both checks of clause 9.3 that need no list: issuer data authentication, then mdoc authentication.

    ``agree``: ECDH of the reader's ephemeral key with a device key; without it a MAC is refused. Never raises for what is in
    the document.
    """
    verdict = verify(document.issued, document.doctype, root, now_ns, work, skew_s=skew_s)
    if isinstance(verdict, Refused):
        return verdict
    mso, signer = verdict
    message = authenticated(transcript, document.doctype, document.device.raw)
    auth = document.device.auth
    if isinstance(auth, Sign1):
        work.verifications += 1
        proved = auth.verify(mso.device_key, detached=message)
    else:
        work.macs += 1
        proved = agree is not None and auth.verify(transcript.key(agree(mso.device_key), "EMacKey"), detached=message)
    if not proved:
        return Refused(Trouble.FORGED, "the device does not hold the key that the credential is bound to")
    beyond = _not_authorised(document.device.values, mso.authorised)
    if beyond:
        return Refused(Trouble.WRONG_ROLE, f"the device may not sign {beyond} itself")
    return Believed(mso, signer, document.issued.values(), document.device.values, isinstance(auth, Sign1), document.device)


def _not_authorised(values: Mapping[str, Collection[str]], authorised: Mapping[str, frozenset[str] | None]) -> str:
    for space, names in values.items():
        allowed = authorised.get(space, frozenset())
        for name in names:
            if allowed is not None and name not in allowed:
                return f"{space} {name}"
    return ""
