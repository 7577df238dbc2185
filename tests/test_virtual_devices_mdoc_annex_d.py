"""ISO/IEC 18013-5 Annex D, in both directions: what the standard's examples hold is read, believed and made again."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor
from virtual_devices.clock import from_datetime
from virtual_devices.cose import Mac0, make_sign1, read_mac0
from virtual_devices.mdoc import engagement, request, response, session
from virtual_devices.mdoc.mso import read_mso
from virtual_devices.mdoc.session import Cipher, SessionData, SessionStatus, Side, Transcript
from virtual_devices.mdoc.tagged import dumps, embedded, unembed

FILE = Path(__file__).parent / "data" / "iso18013_5_annex_d.toml"
MDL = "org.iso.18013.5.1.mDL"
SPACE = "org.iso.18013.5.1"


@cache
def vector(name: str) -> bytes:
    return bytes.fromhex(tomllib.loads(FILE.read_text(encoding="ascii"))[name])


def key(name: str) -> ec.EllipticCurvePrivateKey:
    made = ec.derive_private_key(int.from_bytes(vector(f"{name}_d"), "big"), ec.SECP256R1())
    numbers = made.public_key().public_numbers()
    assert (numbers.x, numbers.y) == tuple(int.from_bytes(vector(f"{name}_{c}"), "big") for c in "xy")
    return made


@cache
def transcript() -> Transcript:
    """Put together from its parts, as both sides do."""
    inner = cbor.decode(unembed(cbor.decode(vector("session_transcript_bytes")), "the transcript"))
    shown, reader_key, handover = inner
    made = Transcript(unembed(shown, "engagement"), embedded(unembed(reader_key, "key")), (handover[0], handover[1]))
    assert embedded(made.encoded) == vector("session_transcript_bytes")
    return made


def agreed() -> bytes:
    reader, device = key("ephemeral_reader_key"), key("ephemeral_device_key")
    secret = reader.exchange(ec.ECDH(), device.public_key())
    assert secret == device.exchange(ec.ECDH(), reader.public_key())
    return secret


def test_engagement_is_read_and_made_again_byte_for_byte() -> None:
    shown = engagement.read(vector("device_engagement"))
    assert shown.key_bytes == vector("e_device_key_bytes")
    assert shown.key.public_numbers() == key("ephemeral_device_key").public_key().public_numbers()
    assert shown.version == "1.0" and not shown.reader_auth_all
    method = shown.method(engagement.BLE)
    assert method is not None and method[2][0] is False and method[2][1] is True and len(method[2][11]) == 16
    again = engagement.make(key("ephemeral_device_key").public_key(), [list(method)], reader_auth_all=False)
    assert again.raw == shown.raw
    assert engagement.read_qr(shown.qr_text()) == shown


def test_session_is_established_and_its_messages_made_again_byte_for_byte() -> None:
    found = session.read_establishment(vector("session_establishment"))
    assert found.reader_key.public_numbers() == key("ephemeral_reader_key").public_key().public_numbers()
    assert found.reader_key_bytes == transcript().reader_key_bytes
    device, reader = Cipher(agreed(), transcript(), Side.DEVICE), Cipher(agreed(), transcript(), Side.READER)
    assert device.open(found.data) == vector("device_request")
    assert session.establishment(session.key_bytes(found.reader_key), reader.seal(vector("device_request"))) == vector(
        "session_establishment"
    )
    answer = session.read_data(vector("session_data"))
    assert answer.data is not None and reader.open(answer.data) == vector("device_response")
    assert SessionData(device.seal(vector("device_response"))).to_bytes() == vector("session_data")
    assert session.read_data(vector("session_termination")) == SessionData(status=SessionStatus.TERMINATION)
    assert vector("session_termination") == session.TERMINATION


def test_request_and_reader_authentication_are_believed_and_come_back() -> None:
    asked = request.read(vector("device_request"))
    (document,) = asked.documents
    assert document.items.raw == vector("items_request") and document.items.doctype == MDL
    assert document.items.wanted[SPACE]["portrait"] is False and document.items.wanted[SPACE]["family_name"] is True
    assert document.auth is not None and document.auth.chain == [vector("reader_cert")]
    reader = x509.load_der_x509_certificate(vector("reader_cert")).public_key()
    assert isinstance(reader, ec.EllipticCurvePublicKey)
    signed = request.signed_by_reader(document.items, transcript())
    assert document.auth.verify(reader, detached=signed) and not document.auth.verify(reader, detached=signed + b"\0")
    assert dumps(document.auth.item()) == vector("reader_auth")
    made = request.items_request(MDL, document.items.wanted)
    assert cbor.decode(made.raw) == cbor.decode(vector("items_request"))
    again = request.DeviceRequest("1.0", (request.DocRequest(document.items, document.auth),)).to_bytes()
    assert cbor.decode(again) == cbor.decode(vector("device_request")) and request.read(again) == asked


def test_response_is_believed_by_its_mac_and_comes_back() -> None:
    answered = response.read(vector("device_response"))
    (document,) = answered.documents
    assert document.doctype == MDL and answered.status is response.ResponseStatus.OK
    assert document.issued.values()[SPACE]["portrait"] == vector("device_response_portrait_data")
    signer = x509.load_der_x509_certificate(vector("ds_cert"))
    assert document.issued.auth.chain == [vector("ds_cert")]
    issuer = signer.public_key()
    assert isinstance(issuer, ec.EllipticCurvePublicKey) and document.issued.auth.verify(issuer)
    assert document.issued.auth.payload is not None
    mso = read_mso(document.issued.auth.payload)
    device = key("static_device_key")
    assert mso.device_key.public_numbers() == device.public_key().public_numbers()
    assert (mso.doctype, mso.valid_from_ns) == (MDL, from_datetime(datetime(2020, 10, 1, 13, 30, 2, tzinfo=UTC)))
    shared = device.exchange(ec.ECDH(), key("ephemeral_reader_key").public_key())
    assert isinstance(document.device.auth, Mac0)
    made = response.mac_device(shared, transcript(), MDL)
    assert made.auth == document.device.auth and made.raw == document.device.raw
    assert cbor.decode(answered.to_bytes()) == cbor.decode(vector("device_response"))
    assert response.read(answered.to_bytes()) == answered


@pytest.mark.parametrize("name", ["session_establishment", "session_data"])
def test_every_flipped_bit_of_a_session_message_is_refused(name: str) -> None:
    """Each byte, one bit of it: either it is no session message any more, or it cannot be opened."""
    raw = vector(name)
    believed = []
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1 << at % 8
        try:
            if name == "session_data":
                found = session.read_data(bytes(changed))
                Cipher(agreed_once(), transcript(), Side.READER).open(found.data or b"")
            else:
                first = session.read_establishment(bytes(changed))
                seen = Transcript(transcript().engagement, first.reader_key_bytes, transcript().handover)
                secret = key("ephemeral_device_key").exchange(ec.ECDH(), first.reader_key)
                Cipher(secret, seen, Side.DEVICE).open(first.data)
        except session.MalformedMdoc:
            continue
        believed.append(at)
    assert believed == []


@cache
def agreed_once() -> bytes:
    return agreed()


def test_digests_of_annex_d_hold_and_one_changed_bit_does_not() -> None:
    from virtual_devices.mdoc.mso import _undigested

    (document,) = response.read(vector("device_response")).documents
    assert document.issued.auth.payload is not None
    mso = read_mso(document.issued.auth.payload)
    assert _undigested(document.issued, mso) == ""
    raw = vector("device_response").replace(b"123456789", b"123456780")
    (changed,) = response.read(raw).documents
    assert _undigested(changed.issued, mso) == f"{SPACE} document_number"


def test_mac_of_another_key_is_not_the_devices() -> None:
    (document,) = response.read(vector("device_response")).documents
    message = response.authenticated(transcript(), MDL, document.device.raw)
    auth = read_mac0(document.device.auth.item())
    shared = key("static_device_key").exchange(ec.ECDH(), key("ephemeral_reader_key").public_key())
    assert auth.verify(transcript().key(shared, "EMacKey"), detached=message)
    assert not auth.verify(transcript().key(agreed_once(), "EMacKey"), detached=message)
    assert make_sign1(key("static_device_key"), message, detached=True).verify(
        key("static_device_key").public_key(), detached=message
    )
