"""COSE_Sign1 and the CBOR under it: what was received is verified as received, and hostile bytes are refused, never raised on."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import cbor, cose
from virtual_devices.cose import ES256, PROTECTED_ES256, SIGN1_TAG, X5CHAIN, MalformedCose, Sign1, decode, decode_map, sign1
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
