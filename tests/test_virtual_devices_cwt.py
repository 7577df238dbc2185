"""CWT: the RFC's own example in both directions, types that are held, times with a stated skew, hostile bytes."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import cwt
from virtual_devices.clock import NS
from virtual_devices.cose import KID, make_sign1
from virtual_devices.cwt import AUD, CNF, CTI, EXP, IAT, ISS, NBF, NONCE, STATUS, SUB, TTL, Claims, MalformedCwt, Timing
from virtual_devices.mdoc.mso import StatusReference
from virtual_devices.randomness import private_key

KEY, OTHER = private_key("cwt"), private_key("other")

# RFC 8392 appendix A.3, signed with the key of appendix A.2.3
RFC_KEY = ec.EllipticCurvePublicNumbers(
    0x143329CCE7868E416927599CF65A34F3CE2FFDA55A7ECA69ED8919A394D42F0F,
    0x60F7F1A780D8A783BFB7A2DD6B2796E8128DBBCEF9D3D168DB9529971A36E7B9, ec.SECP256R1(),
).public_key()
RFC_CWT = bytes.fromhex(
    "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77"
    "037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b7158405427c1ff28d23fbad1"
    "f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f85951ecee743a52b9b63632c57209120e1c9e30"
)
RFC_CLAIMS: dict[int | str, Any] = {
    ISS: "coap://as.example.com", SUB: "erikw", AUD: "coap://light.example.com", EXP: 1444064944, NBF: 1443944944,
    IAT: 1443944944, CTI: b"\x0b\x71",
}


def test_example_of_rfc_8392_is_believed_and_comes_back() -> None:
    token = cwt.decode(RFC_CWT)
    assert token.message.verify(RFC_KEY) and not token.message.verify(KEY.public_key())
    assert dict(token.claims.values) == RFC_CLAIMS and token.message.unprotected == {KID: b"AsymmetricECDSA256"}
    assert Claims(RFC_CLAIMS).to_bytes() == token.message.payload and token.message.to_bytes() == RFC_CWT
    said = token.claims
    assert (said.issuer, said.subject, said.audience) == (RFC_CLAIMS[ISS], "erikw", ("coap://light.example.com",))
    assert said.token_id == b"\x0b\x71" and said.expires_ns == 1444064944 * NS
    assert said.issued_ns == said.not_before_ns == 1443944944 * NS


def test_cwt_tag_is_read_and_never_written() -> None:
    tagged = cbor2.dumps(cbor2.CBORTag(61, cbor2.loads(RFC_CWT)))
    assert tagged == b"\xd8\x3d" + RFC_CWT and cwt.decode(tagged) == cwt.decode(RFC_CWT)
    with pytest.raises(MalformedCwt):
        cwt.decode(b"\xd8\x3d" + tagged)
    assert cwt.make(KEY, {}).to_bytes()[0] == 0xD2


CLAIMS = st.fixed_dictionaries({}, optional={
    ISS: st.text(), SUB: st.text(min_size=200, max_size=400), AUD: st.text() | st.lists(st.text(), min_size=1),
    EXP: st.integers(0, 1 << 40) | st.floats(0, 1e9), NBF: st.integers(0, 1 << 40), IAT: st.integers(0, 1 << 40),
    CTI: st.binary(max_size=300), NONCE: st.binary(min_size=128), TTL: st.integers(1, 1 << 40), -70001: st.text(),
    "more": st.binary(),
})


@given(CLAIMS)
def test_claims_come_back_as_they_were(values: dict[Any, Any]) -> None:
    message = cwt.make(KEY, values)
    token = cwt.decode(message.to_bytes())
    assert dict(token.claims.values) == values and token.claims.to_bytes() == message.payload
    assert token.message.verify(KEY.public_key()) and not token.message.verify(OTHER.public_key())


def test_key_and_place_in_a_status_list_come_back() -> None:
    place = StatusReference("https://status.example/1", 77)
    said = cwt.read(cwt.make(KEY, {CNF: cwt.confirmation(OTHER.public_key()), STATUS: cwt.status_at(place)})).claims
    assert said.key is not None and said.key.public_numbers() == OTHER.public_key().public_numbers() and said.status == place
    bare = cwt.read_claims(b"\xa0")
    assert (bare.key, bare.status, bare.ttl_s, bare.audience, bare.nonce, bare.expires_ns) == (None, None, None, (), None, None)


@pytest.mark.parametrize(
    ("now_s", "skew_s", "timing"),
    [(999.999999999, 0, Timing.TOO_EARLY), (1000, 0, Timing.IN_TIME), (1999.999999, 0, Timing.IN_TIME),
     (2000, 0, Timing.TOO_LATE), (970, 30, Timing.IN_TIME), (969.999, 30, Timing.TOO_EARLY),
     (2029.999, 30, Timing.IN_TIME), (2030, 30, Timing.TOO_LATE)],
)
def test_times_are_held_with_the_stated_skew(now_s: float, skew_s: float, timing: Timing) -> None:
    for begins in (NBF, IAT):
        assert cwt.read_claims(cbor2.dumps({begins: 1000, EXP: 2000.0})).timing(round(now_s * NS), skew_s) is timing
    assert Claims({}).timing(round(now_s * NS), skew_s) is Timing.IN_TIME


NO_KEY = {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}
GOOD_KEY = cwt.confirmation(OTHER.public_key())[1]
WRONG = [
    {CNF: {1: GOOD_KEY | {1: 1}}}, {CNF: {1: GOOD_KEY | {-1: 2}}}, {CNF: {1: GOOD_KEY | {-3: "y"}}}, {TTL: (1 << 40) + 1},
    {ISS: b"x"}, {ISS: None}, {SUB: 1}, {AUD: 1}, {AUD: []}, {AUD: ["a", 1]}, {AUD: None}, {EXP: "1"}, {EXP: True}, {EXP: -1},
    {EXP: float("nan")}, {EXP: float("inf")}, {EXP: None}, {EXP: 1 << 41}, {NBF: b"1"}, {IAT: [1]}, {IAT: cbor2.CBORTag(1, 5)},
    {CTI: "text"}, {CTI: None}, {NONCE: 7}, {CNF: 1}, {CNF: {}}, {CNF: {1: 7}}, {CNF: {1: NO_KEY | {-2: [1]}}},
    {CNF: {1: NO_KEY | {-3: b"short"}}},
    {CNF: {1: NO_KEY | {1: [2]}}}, {CNF: {1: NO_KEY}}, {CNF: {1: {1: 2, -1: 2}}},
    {STATUS: 1}, {STATUS: {}}, {STATUS: {"status_list": {"idx": -1, "uri": "u"}}},
    {STATUS: {"status_list": {"idx": True, "uri": "u"}}},
    {STATUS: {"status_list": {"idx": 1, "uri": b"u"}}}, {TTL: 0}, {TTL: 1.5}, {TTL: "1"}, {True: "x"}, {1.0: "x"}, {b"1": 1}, [],
    7, {None: 1},
]


@pytest.mark.parametrize("values", WRONG, ids=repr)
def test_claims_of_another_type_are_malformed(values: Any) -> None:
    raw = cbor2.dumps(values)
    with pytest.raises(MalformedCwt):
        cwt.read_claims(raw)
    with pytest.raises(MalformedCwt):
        cwt.decode(make_sign1(KEY, raw).to_bytes())
    if isinstance(values, dict):
        with pytest.raises(MalformedCwt):
            cwt.make(KEY, values)


@pytest.mark.parametrize(
    "raw", ["a201616101 6162", "a2016161f5 6162", "bf01616101 6162ff", "a10161", "a1016161 00", "", "b8ff016161", "d81ca0"],
)
def test_claims_that_two_readers_could_take_differently_are_malformed(raw: str) -> None:
    with pytest.raises(MalformedCwt):
        cwt.read_claims(bytes.fromhex(raw))


def test_claims_are_read_in_any_valid_encoding() -> None:
    assert dict(cwt.read_claims(bytes.fromhex("bf18017f6161ffff")).values) == {1: "a"}


@pytest.mark.parametrize("entries", [0, 23, 24, 255, 256])
def test_map_with_a_longer_head_is_counted(entries: int) -> None:
    values = {-100 - n: n for n in range(entries)}
    assert dict(cwt.read_claims(cbor2.dumps(values)).values) == values


def test_ends_of_the_ranges_are_inside() -> None:
    values: dict[int | str, Any] = {TTL: 1 << 40, EXP: 1 << 40, NBF: 0, STATUS: cwt.status_at(StatusReference("u", 0))}
    assert cwt.read(cwt.make(KEY, values)).claims.status == StatusReference("u", 0)


def test_flipped_bit_is_refused_at_every_position() -> None:
    whole = cwt.decode(RFC_CWT)
    for position in range(len(RFC_CWT) * 8):
        raw = bytearray(RFC_CWT)
        raw[position // 8] ^= 1 << position % 8
        try:
            token = cwt.decode(bytes(raw))
        except MalformedCwt:
            continue
        signed = (token.message.protected, token.message.payload, token.message.signature)
        untouched = signed == (whole.message.protected, whole.message.payload, whole.message.signature)
        assert token.message.verify(RFC_KEY) == untouched  # the unprotected key id is covered by nothing


@given(st.binary(max_size=300))
def test_any_bytes_are_a_token_or_malformed(raw: bytes) -> None:
    for read in (cwt.decode, cwt.read_claims):
        try:
            read(raw)
        except MalformedCwt as e:
            assert e.clause.startswith("RFC 8392")


def test_detached_claims_are_malformed() -> None:
    with pytest.raises(MalformedCwt):
        cwt.read(make_sign1(KEY, b"\xa0", detached=True))
