"""Token Status Lists: the draft's examples in both directions, random places, what a reader keeps, and what it refuses."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices import cwt, status_list
from virtual_devices.clock import NS
from virtual_devices.cose import KID, TYP, X5CHAIN, make_sign1
from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.pki import ChainVerifier, Identity, Role
from virtual_devices.status_list import (
    MAX_PACKED_BYTES,
    MEDIA_TYPE,
    MalformedStatusList,
    Status,
    StatusList,
    StatusLists,
    StatusToken,
    Taking,
    inflate,
    read,
)

from .desk import AUTHORITY, NOW_NS, STRANGER

CENTRE = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
URI = "https://status.bench.example/1"
HOUR_NS = 3600 * NS

# draft-ietf-oauth-status-list-21, clauses 4.1 and 10 (two statuses and four), and appendix C (lists of 2^20 entries)
ONE_BIT, TWO_BITS = "eNrbuRgAAhcBXQ", "eNo76fITAAPfAgc"
ONE_BIT_STATUSES = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
TWO_BIT_STATUSES = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
LONG_ONE = (
    "a2646269747301636c737458bd78daeddc010dc0200c0041a88249400ad2903e0f4bba00bd93f002beb7a2a2010000a91e0900000000000000000000"
    "000000000080729604000000000000000000000000000000000000000000000000000000000000000000000000000000005c6f4800000000000000fc"
    "2c240000000000000000000000be1b12000000000000000000ecaa4b000000000000000000000000000000009b0b0900000000000000000038de9400"
    "000000000000002a30cc010000000080642f0bd8011b"
)
LONG_TWO = (
    "a2646269747302636c737459013d78daeddb310d00211000412ea1a04004fe5520ed357c28c81d3312b6df68bc65480000000000406e210100000000"
    "00000000000000000000000000000000000000000000000000000040795b020000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080f4ba040000000000"
    "0000000000000000406d764a000000000000000000000000000000000000000000e0922101000000000000000000000000000000000000fc13120000"
    "0000000000000000000000000000000000000000000000000000000000c0912e01000000000000000000000000000000000000c07d4b020000000000"
    "00000000000000000000a8614a0000000000000000000000406a1fcd60010c"
)
LONG_STATUSES = {
    1: dict.fromkeys((0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345), 1),
    2: {0: 1, 1993: 2, 25460: 1, 159495: 3, 495669: 1, 554353: 1, 645645: 2, 723232: 1, 854545: 1, 934534: 2, 1000345: 3},
}
# clause 5.2; the key is that of the draft's examples
DRAFT_TOKEN = bytes.fromhex(
    "d2845820a2012610781a6170706c69636174696f6e2f7374617475736c6973742b637774a1044231325850a502782168747470733a2f2f6578616d70"
    "6c652e636f6d2f7374617475736c697374732f31061a648c5bea041a8898dfea19fffe19a8c019fffda2646269747301636c73744a78dadbb9180002"
    "17015d584093fa4d01032b18c35e2fe1101b77fd6cc9440022caa4694450c4e4e9feab4e99d1fa6d9772ce2bf3a12e0323ded7c982c5e101a5e67f0c"
    "bc1e2b6f57ce99c279"
)


def b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


DRAFT_KEY = ec.EllipticCurvePublicNumbers(
    int.from_bytes(b64("I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo"), "big"),
    int.from_bytes(b64("6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M"), "big"), ec.SECP256R1(),
).public_key()


def token(bits: int, packed: bytes) -> StatusToken:
    return StatusToken(URI, bits, packed, 0, None, None)


@pytest.mark.parametrize(("bits", "lst", "statuses"), [(1, ONE_BIT, ONE_BIT_STATUSES), (2, TWO_BITS, TWO_BIT_STATUSES)])
def test_examples_of_the_draft_hold_in_both_directions(bits: int, lst: str, statuses: list[int]) -> None:
    made = StatusList(URI, len(statuses), bits)
    for place, status in enumerate(statuses):
        made[place] = status
    assert [made[place] for place in range(len(statuses))] == statuses
    assert made.compressed() == b64(lst)  # our zlib packs as the draft's did
    there = token(bits, inflate(b64(lst)))
    assert [there.value(place) for place in range(len(statuses))] == statuses
    for outside in (len(statuses), -1, 1 << 40):
        with pytest.raises(MalformedStatusList):
            there.value(outside)


@pytest.mark.parametrize(("bits", "encoded"), [(1, LONG_ONE), (2, LONG_TWO)])
def test_long_examples_of_the_draft_hold_in_both_directions(bits: int, encoded: str) -> None:
    example = cbor2.loads(bytes.fromhex(encoded))
    made = StatusList(URI, 1 << 20, bits)
    for place, status in LONG_STATUSES[bits].items():
        made[place] = status
    packed = inflate(example["lst"])
    assert example["bits"] == bits and packed == inflate(made.compressed()) and len(packed) == (1 << 20) * bits // 8
    there = token(bits, packed)
    assert {place: there.value(place) for place in LONG_STATUSES[bits]} == LONG_STATUSES[bits]
    assert sum(packed) == sum(v << place % (8 // bits) * bits for place, v in LONG_STATUSES[bits].items())  # nothing else is set


def test_token_of_the_draft_is_believed_by_its_key() -> None:
    message, there = read(DRAFT_TOKEN)
    assert message.verify(DRAFT_KEY) and message.unprotected == {KID: b"12"}
    assert (there.uri, there.bits, there.ttl_s) == ("https://example.com/statuslists/1", 1, 43200)
    assert (there.issued_ns, there.expires_ns) == (1686920170 * NS, 2291720170 * NS)
    assert [there.value(place) for place in range(16)] == ONE_BIT_STATUSES


@given(st.sampled_from((1, 2, 4, 8)), st.integers(1, 40).map(lambda n: 8 * n), st.data())
def test_statuses_come_back(bits: int, entries: int, data: st.DataObject) -> None:
    wanted = data.draw(st.dictionaries(st.integers(0, entries - 1), st.integers(0, (1 << bits) - 1)))
    made = StatusList(URI, entries, bits)
    for place, status in [*wanted.items(), *wanted.items()]:
        made[place] = (1 << bits) - 1  # what was there before leaves nothing behind
        made[place] = status
    _, there = read(made.sign(CENTRE, NOW_NS, NOW_NS + HOUR_NS, 600))
    assert {place: there.value(place) for place in range(entries)} == {place: wanted.get(place, 0) for place in range(entries)}
    assert (there.uri, there.bits, there.issued_ns, there.expires_ns, there.ttl_s) == (URI, bits, NOW_NS, NOW_NS + HOUR_NS, 600)


def test_value_that_is_neither_valid_nor_known_is_never_taken_for_valid() -> None:
    there = token(8, bytes(range(256)))
    assert [there.status(n) for n in range(3)] == [Status.VALID, Status.INVALID, Status.SUSPENDED]
    assert {there.status(n) for n in range(3, 256)} == {Status.APPLICATION}


@pytest.mark.parametrize(("entries", "bits"), [(8, 3), (8, 0), (8, 16), (0, 2), (5, 2), (-8, 1)])
def test_list_that_cannot_be_is_refused(entries: int, bits: int) -> None:
    with pytest.raises(UsageError):
        StatusList(URI, entries, bits)


def test_shortest_list_has_one_byte() -> None:
    made = StatusList(URI, 1, 8)
    assert made[0] == Status.VALID.value and made.entries == 1


def test_place_or_status_that_does_not_fit_is_refused() -> None:
    made = StatusList(URI, 8)
    made[7] = Status.SUSPENDED
    assert made[7] == 2
    for place, value in ((8, 0), (-1, 0), (0, 4), (0, -1), (0, Status.UNKNOWN)):
        with pytest.raises(UsageError):
            made[place] = value
    with pytest.raises(UsageError):
        made[8]


# -- the reader

def reader(**more: Any) -> StatusLists:
    return StatusLists(ChainVerifier(AUTHORITY.root_der), Work(), **more)


def published(status: Status = Status.VALID, *, at_ns: int = NOW_NS, signer: Identity = CENTRE, uri: str = URI) -> bytes:
    made = StatusList(uri, 64)
    made[5] = status
    return made.sign(signer, at_ns, at_ns + 72 * HOUR_NS, 3600)


def test_reader_tells_status_and_age() -> None:
    work = Work()
    lists = StatusLists(ChainVerifier(AUTHORITY.root_der), work)
    assert lists.look(URI, 5, NOW_NS).status is Status.UNKNOWN and lists.look(URI, 5, NOW_NS).age_ns is None
    assert lists.take(published(Status.SUSPENDED), NOW_NS).outcome is Taking.ACCEPTED
    assert (work.chains, work.verifications) == (1, 1)
    later = lists.look(URI, 5, NOW_NS + HOUR_NS)
    assert (later.status, later.age_ns) == (Status.SUSPENDED, HOUR_NS)
    assert lists.look(URI, 6, NOW_NS).status is Status.VALID
    assert lists.look(URI, 64, NOW_NS).status is lists.look(URI, -1, NOW_NS).status is Status.UNKNOWN
    assert lists.look("another", 5, NOW_NS).status is Status.UNKNOWN
    assert lists.due(NOW_NS) == () and lists.due(NOW_NS + HOUR_NS) == (URI,)


def test_copy_is_due_at_its_end_when_that_comes_first() -> None:
    lists = reader()
    lists.take(StatusList(URI, 64).sign(CENTRE, NOW_NS, NOW_NS + HOUR_NS, 86_400), NOW_NS)
    assert lists.due(NOW_NS + HOUR_NS - 1) == () and lists.due(NOW_NS + HOUR_NS) == (URI,)


def test_list_past_its_end_tells_nothing() -> None:
    lists = reader()
    lists.take(published(), NOW_NS)
    end_ns = NOW_NS + 72 * HOUR_NS
    assert lists.look(URI, 5, end_ns - 1).status is Status.VALID
    assert lists.look(URI, 5, end_ns) == status_list.StatusVerdict(Status.UNKNOWN, 72 * HOUR_NS, "the list is past its end")
    assert lists.take(published(), end_ns).outcome is Taking.EXPIRED
    assert reader().take(published(), end_ns - 1).outcome is Taking.ACCEPTED


def test_older_list_never_replaces_a_newer_one() -> None:
    lists = reader()
    assert lists.take(published(Status.INVALID, at_ns=NOW_NS + NS), NOW_NS + NS).outcome is Taking.ACCEPTED
    assert lists.take(published(Status.VALID), NOW_NS + NS).outcome is Taking.ROLLED_BACK
    other_word = published(Status.VALID, at_ns=NOW_NS + NS)
    assert lists.take(other_word, NOW_NS + NS).outcome is Taking.ROLLED_BACK
    assert lists.take(published(Status.INVALID, at_ns=NOW_NS + NS), NOW_NS + NS).outcome is Taking.SAME
    assert lists.look(URI, 5, NOW_NS + NS).status is Status.INVALID
    assert lists.take(published(Status.SUSPENDED, at_ns=NOW_NS + 2 * NS), NOW_NS + 2 * NS).outcome is Taking.ACCEPTED
    assert lists.look(URI, 5, NOW_NS + 2 * NS).status is Status.SUSPENDED


def test_list_of_another_signer_is_forged() -> None:
    stranger, document_signer = STRANGER.issue(Role.DATA_CENTRE, "IDC"), AUTHORITY.issue(Role.DOCUMENT_SIGNER, "signer")
    liar = Identity(stranger.key, CENTRE.chain)
    for signer in (stranger, document_signer, liar, Identity(CENTRE.key, CENTRE.chain[:1]), Identity(CENTRE.key, ())):
        lists = reader()
        assert lists.take(published(signer=signer), NOW_NS).outcome is Taking.FORGED
        assert lists.look(URI, 5, NOW_NS).status is Status.UNKNOWN


def test_list_from_the_future_is_not_kept() -> None:
    lists = reader()
    assert lists.take(published(at_ns=NOW_NS + 31 * NS), NOW_NS).outcome is Taking.TOO_EARLY
    assert lists.take(published(at_ns=NOW_NS + 30 * NS), NOW_NS).outcome is Taking.ACCEPTED
    assert lists.look(URI, 5, NOW_NS).age_ns == 0


def test_lists_are_counted() -> None:
    lists = reader(max_lists=1)
    assert lists.take(published(), NOW_NS).outcome is Taking.ACCEPTED
    assert lists.take(published(uri="two"), NOW_NS).outcome is Taking.TOO_MANY
    assert lists.take(published(at_ns=NOW_NS + NS), NOW_NS + NS).outcome is Taking.ACCEPTED


@pytest.mark.filterwarnings("ignore:Parsed a serial number:cryptography.utils.CryptographyDeprecationWarning")
def test_flipped_bit_is_refused_at_every_position() -> None:
    raw = published(Status.INVALID)
    lists = reader()
    accepted = set()
    for position in range(len(raw) * 8):
        other = bytearray(raw)
        other[position // 8] ^= 1 << position % 8
        if lists.take(bytes(other), NOW_NS).outcome is Taking.ACCEPTED:
            accepted.add(position)
    assert not accepted and lists.look(URI, 5, NOW_NS).status is Status.UNKNOWN


GOOD = {cwt.SUB: URI, cwt.IAT: 1, cwt.EXP: 2, cwt.STATUS_LIST: {"bits": 2, "lst": zlib.compress(bytes(4))}}


@pytest.mark.parametrize(
    "change",
    [{cwt.SUB: None}, {cwt.IAT: None}, {cwt.STATUS_LIST: None}, {cwt.STATUS_LIST: 7}, {cwt.STATUS_LIST: {}},
     {cwt.STATUS_LIST: {"bits": 3, "lst": zlib.compress(b"")}}, {cwt.STATUS_LIST: {"bits": True, "lst": zlib.compress(b"")}},
     {cwt.STATUS_LIST: {"bits": 2, "lst": "text"}}, {cwt.STATUS_LIST: {"bits": 2, "lst": b""}}, {cwt.SUB: 7}, {cwt.TTL: -1},
     {cwt.STATUS_LIST: {"bits": 2, "lst": bytes(9)}}, {cwt.STATUS_LIST: {"bits": 2, "lst": zlib.compress(b"a")[:-1]}},
     {cwt.STATUS_LIST: {"bits": 2, "lst": zlib.compress(b"a") + b"\0"}},
     {cwt.STATUS_LIST: {"bits": 2, "lst": zlib.compress(bytes(MAX_PACKED_BYTES + 1))}}],
    ids=str,
)
def test_token_of_another_make_is_malformed(change: dict[int, Any]) -> None:
    values = {k: v for k, v in (GOOD | change).items() if v is not None}
    raw = make_sign1(CENTRE.key, cbor2.dumps(values), {X5CHAIN: list(CENTRE.chain)}, protected={TYP: MEDIA_TYPE}).to_bytes()
    with pytest.raises(MalformedStatusList):
        read(raw)
    assert reader().take(raw, NOW_NS).outcome is Taking.MALFORMED


@pytest.mark.parametrize("header", [{}, {TYP: "application/cwt"}, {TYP: 61}])
def test_token_of_another_type_is_malformed(header: dict[int, Any]) -> None:
    raw = make_sign1(CENTRE.key, cbor2.dumps(GOOD), {X5CHAIN: list(CENTRE.chain)}, protected=header).to_bytes()
    assert reader().take(raw, NOW_NS).outcome is Taking.MALFORMED


def test_list_without_an_end_is_read_and_not_taken() -> None:
    values = {k: v for k, v in GOOD.items() if k != cwt.EXP}
    raw = make_sign1(CENTRE.key, cbor2.dumps(values), {X5CHAIN: list(CENTRE.chain)}, protected={TYP: MEDIA_TYPE}).to_bytes()
    assert read(raw)[1].expires_ns is None and reader().take(raw, NOW_NS).outcome is Taking.MALFORMED


def test_unpacking_ends_at_the_cap() -> None:
    bomb = zlib.compress(bytes(1 << 28), 9)
    with pytest.raises(MalformedStatusList):
        inflate(bomb)
    assert len(inflate(zlib.compress(bytes(MAX_PACKED_BYTES)))) == MAX_PACKED_BYTES


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_any_bytes_are_a_list_or_malformed(raw: bytes) -> None:
    assert reader().take(raw, NOW_NS).outcome in (Taking.MALFORMED, Taking.FORGED)
