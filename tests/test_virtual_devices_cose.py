"""COSE_Sign1 and the CBOR under it: what was received is verified as received, and hostile bytes are refused, never raised on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import cbor, cose, pki
from virtual_devices.cose import (
    ES256,
    PROTECTED_ES256,
    SIGN1_TAG,
    X5CHAIN,
    MalformedCose,
    Sign,
    Sign1,
    Signature,
    decode,
    decode_map,
    decode_sign,
    make_mac0,
    make_sign1,
    read_mac0,
    read_sign1,
    sign1,
    signer_structure,
)
from virtual_devices.randomness import private_key

KEY, OTHER = private_key("cose"), private_key("other")
MESSAGE = sign1(KEY, b"payload", {X5CHAIN: [b"leaf", b"issuer"]})
BOMBS = [
    b"", b"\xff", b"\x81" * 100_000, b"\xa1" * 100_000, bytes.fromhex("9bffffffffffffffff"), bytes.fromhex("bbffffffffffffffff"),
    bytes.fromhex("5b7fffffffffffffff"), bytes.fromhex("7b7fffffffffffffff"), bytes.fromhex("d81900"), bytes.fromhex("61ff"),
    cbor2.dumps(cbor2.CBORTag(0, "no date")), cbor2.dumps(cbor2.CBORTag(1, 10**30)), cbor2.dumps(cbor2.CBORTag(35, "(")),
    cbor2.dumps(cbor2.CBORTag(30, [1, 0])), cbor2.dumps(cbor2.CBORTag(37, b"x")), cbor2.dumps(cbor2.CBORTag(5, [2**40, 3])),
    bytes.fromhex("9f"), bytes.fromhex("bf01"), cbor2.dumps(1) + b"\0",
]


@given(st.binary(max_size=200), st.dictionaries(st.integers(34, 60), st.binary(max_size=9)))
def test_signed_message_comes_back_as_it_was(payload: bytes, unprotected: dict[int, bytes]) -> None:
    raw = sign1(KEY, payload, unprotected)
    message = decode(raw)
    assert (message.payload, message.unprotected) == (payload, unprotected) and message.to_bytes() == raw
    assert message.verify(KEY.public_key()) and not message.verify(OTHER.public_key())
    assert not message.verify(KEY.public_key(), b"other external data")


@given(st.data())
def test_flipped_bit_is_refused_wherever_the_signature_reaches(data: st.DataObject) -> None:
    raw = bytearray(sign1(KEY, b"payload"))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        message = decode(bytes(raw))
    except MalformedCose:
        return
    first = decode(sign1(KEY, b"payload"))
    untouched = (message.protected, message.payload, message.signature) == (first.protected, first.payload, first.signature)
    assert message.verify(KEY.public_key()) == untouched  # only the unprotected header may change unseen


@pytest.mark.parametrize(
    "raw",
    [b"\xd8\x1c\x82" * 40 + b"\x01", bytes.fromhex("d81c81d81d00"), cbor2.dumps(2**70), cbor2.dumps(-(2**70)),
     cbor2.dumps(cbor2.CBORTag(36, "x")), b"\xa2\x01\x01\x01\x02", b"\x81" * 65 + b"\x01", bytes.fromhex("d8641a0001"),
     cbor2.dumps(cbor2.CBORTag(258, [1, 2])), cbor2.dumps({"status": cbor2.CBORTag(28, [1])})],
)
def test_what_could_be_endless_slow_or_read_in_two_ways_is_refused(raw: bytes) -> None:
    """Shared references, numbers without bound, sets, a key twice: RFC 8949 clauses 5.3 and 10."""
    with pytest.raises(cbor.MalformedCbor):
        cbor.decode(raw)


# RFC 9052 appendix C: the same payload by the key "11" of appendix C.7.2
RFC_PAYLOAD = b"This is the content."
RFC_KEY = ec.EllipticCurvePublicNumbers(
    0xBAC5B11CAD8F99F9C72B05CF4B9E26D244DC189F745228255A219A86D6A09EFF,
    0x20138BF82DC1B6D562BE0FA54AB7804A3A64B6D72CCFED6B6FB6ED28BBFC117E, ec.SECP256R1(),
).public_key()
RFC_SIGN1 = bytes.fromhex(
    "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a"
    "91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36"
)
RFC_SIGN = bytes.fromhex(
    "d8628440a054546869732069732074686520636f6e74656e742e818343a10126a1044231315840e2aeafd40d69d19dfe6e52077c5d7ff4e408282cbe"
    "fb5d06cbf414af2e19d982ac45ac98b8544c908b4507de1e90b717c3d34816fe926a2b98f53afd2fa0f30a"
)


def test_examples_of_rfc_9052_are_believed_and_come_back() -> None:
    single, several = decode(RFC_SIGN1), decode_sign(RFC_SIGN)
    assert single.payload == several.payload == RFC_PAYLOAD
    assert single.verify(RFC_KEY) and several.verify(0, RFC_KEY)
    assert single.to_bytes() == RFC_SIGN1 and several.to_bytes() == RFC_SIGN
    assert not replace(single, payload=b"This is the content!").verify(RFC_KEY)
    assert not replace(several, payload=b"This is the content!").verify(0, RFC_KEY)


@given(st.binary(max_size=300))
def test_detached_payload_is_handed_in_or_nothing_is_believed(payload: bytes) -> None:
    message = read_sign1(cbor.decode(cbor2.dumps(make_sign1(KEY, payload, detached=True).item())))
    assert message.verify(KEY.public_key(), detached=payload) and not message.verify(KEY.public_key())
    assert not message.verify(KEY.public_key(), detached=payload + b"x") and message.payload_map() is None
    attached = make_sign1(KEY, payload)
    assert attached.verify(KEY.public_key()) and not attached.verify(KEY.public_key(), detached=payload)
    tag = read_mac0(cbor.decode(cbor2.dumps(make_mac0(b"k" * 32, payload, detached=True).item())))
    assert tag.verify(b"k" * 32, detached=payload) and not tag.verify(b"k" * 32)
    assert not tag.verify(b"j" * 32, detached=payload) and not tag.verify(b"k" * 32, detached=payload + b"x")


def test_several_signers_are_told_apart() -> None:
    message = Sign(b"", {}, b"payload", ())
    for key in (KEY, OTHER):
        signature = pki.sign(key, signer_structure(b"", PROTECTED_ES256, b"payload"))
        message = message.with_signature(Signature(PROTECTED_ES256, {X5CHAIN: b"leaf"}, signature))
    back = decode_sign(message.to_bytes())
    assert back == message and back.signatures[0].chain == [b"leaf"]
    assert back.verify(0, KEY.public_key()) and back.verify(1, OTHER.public_key()) and not back.verify(1, KEY.public_key())


@pytest.mark.parametrize(
    "whole",
    [[b"", {}, b"p", []], [b"", {}, None, [[PROTECTED_ES256, {}, b"s"]]], [b"", {}, b"p", [[PROTECTED_ES256, {}]]],
     [b"", {}, b"p", [[b"", {}, b"s"]]], [b"", {}, b"p", [[PROTECTED_ES256, {}, "s"]]], [b"", {}, b"p"], [b"", [], b"p", [1]], 7],
)
def test_several_signatures_that_are_none_are_malformed(whole: object) -> None:
    with pytest.raises(MalformedCose):
        decode_sign(cbor2.dumps(cbor2.CBORTag(98, whole)))
    with pytest.raises(MalformedCose):
        read_mac0(whole)
    with pytest.raises(MalformedCose):
        read_sign1(whole)


@pytest.mark.parametrize("raw", [*BOMBS, MESSAGE + b"\0", MESSAGE[:-1], MESSAGE[1:], b"\0" + MESSAGE])
def test_bytes_that_are_no_message_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedCose):
        decode(raw)


def body(**more: Any) -> list[Any]:
    parts = {"protected": PROTECTED_ES256, "unprotected": {}, "payload": b"p", "signature": b"s" * 64, **more}
    return list(parts.values())


@pytest.mark.parametrize(
    "value",
    [
        body(), cbor2.CBORTag(SIGN1_TAG, 7), cbor2.CBORTag(98, body()), cbor2.CBORTag(SIGN1_TAG, body()[:3]),
        cbor2.CBORTag(SIGN1_TAG, body(protected=b"")), cbor2.CBORTag(SIGN1_TAG, body(protected=b"\xa0")),
        cbor2.CBORTag(SIGN1_TAG, body(protected=cbor2.dumps({1: ES256}) + b"\0")),
        cbor2.CBORTag(SIGN1_TAG, body(protected=cbor2.dumps({1: -8}))), cbor2.CBORTag(SIGN1_TAG, body(protected=b"\x80")),
        cbor2.CBORTag(SIGN1_TAG, body(payload=None)), cbor2.CBORTag(SIGN1_TAG, body(payload="p")),
        cbor2.CBORTag(SIGN1_TAG, body(signature=7)), cbor2.CBORTag(SIGN1_TAG, body(unprotected=[])),
    ],
)
def test_message_of_another_make_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedCose):
        decode(cbor2.dumps(value))


@pytest.mark.parametrize(
    ("header", "chain"),
    [({}, []), ({X5CHAIN: b"one"}, [b"one"]), ({X5CHAIN: [b"a", b"b"]}, [b"a", b"b"]), ({X5CHAIN: 7}, []), ({X5CHAIN: ["a"]}, []),
     ({X5CHAIN: {1: b"a"}}, [])],
)
def test_chain_header_is_read_or_ignored(header: dict[int, Any], chain: list[bytes]) -> None:
    assert Sign1(PROTECTED_ES256, header, b"", b"").chain == chain


@pytest.mark.parametrize("raw", BOMBS)
def test_cbor_that_is_none_is_told(raw: bytes) -> None:
    with pytest.raises(cbor.MalformedCbor):
        cbor.decode(raw)
    assert decode_map(raw) is None


@given(st.binary(max_size=120))
def test_any_bytes_are_one_item_or_malformed(raw: bytes) -> None:
    for read in (cbor.decode, cose.decode):
        try:
            read(raw)
        except (cbor.MalformedCbor, MalformedCose):
            pass
    value = decode_map(raw)
    assert value is None or hasattr(value, "keys")


@pytest.mark.parametrize("crit", [[16], [], None, [99]])
def test_message_with_a_critical_header_is_not_read(crit: Any) -> None:
    header = cose.encode_protected({cose.ALG: ES256, cose.CRIT: crit})
    signature = pki.sign(KEY, cose.sig_structure(header, b"payload"))
    with pytest.raises(MalformedCose):
        read_sign1([header, {}, b"payload", signature])
    with pytest.raises(MalformedCose):
        decode_sign(Sign(b"", {}, b"payload", (Signature(header, {}, signature),)).to_bytes())
