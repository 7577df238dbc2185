"""TCA-03 on the wallet's side: a missing, expired, revoked, wrong-role or forged SAM or professional is refused, and which of
the two failed is told, with the field's code at the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.authentication import Party
from virtual_devices.clock import NS
from virtual_devices.cose import make_sign1
from virtual_devices.flow import Ask, Flow
from virtual_devices.holder.readers import SKEW_S, ReaderCheck, Readers, who_asks
from virtual_devices.holder.refusals import No, code, party_of
from virtual_devices.link import Work
from virtual_devices.mdoc import session
from virtual_devices.mdoc.request import V1_0, V1_1, DeviceRequest, DocRequest, items_request, signed_by_reader
from virtual_devices.mdoc.session import Transcript
from virtual_devices.pki import ChainVerifier, Identity, Role, Trouble
from virtual_devices.randomness import private_key
from virtual_devices.reader.presentation import OPEN_APP, open_at
from virtual_devices.reader.proximity import Shown, ask
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.consent import Use

from .desk import AUTHORITY, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID, STRANGER
from .wallets import WalletBench

HOUR_NS = 3600 * NS
ROOT = ChainVerifier(AUTHORITY.root_der)
ITEMS = items_request(vhc.DOCTYPE, vhc.CONSULTATION)
TRANSCRIPT = Transcript(b"engagement", session.key_bytes(private_key("reader").public_key()))
OTHER_TRANSCRIPT = Transcript(b"engagement of another session", TRANSCRIPT.reader_key_bytes)


def renewed(role: Role, subject: str, authority: Any = AUTHORITY, from_ns: int = NOW_NS, **more: Any) -> Identity:
    identity = authority.issue(role, subject)
    return Identity(identity.key, authority.renew(role, subject, identity.key.public_key(), from_ns, **more))


SAM = renewed(Role.SAM, SAM_ID, organisation=INSTITUTION)
HPC = renewed(Role.PHYSICIAN, DOCTOR_ID)


def signed(
    sam: Identity | None = SAM, hpc: Identity | None = HPC, also: Identity | None = None, version: str = V1_1,
    transcript: Transcript = TRANSCRIPT,
) -> DeviceRequest:
    """A request by these; ``also`` signs all of it in the SAM's place."""
    asked = DeviceRequest(version, (DocRequest(ITEMS),))

    def auth(identity: Identity, payload: bytes) -> Any:
        return make_sign1(identity.key, payload, {33: list(identity.chain)}, detached=True)

    if sam is not None:
        asked = asked.with_auth(0, auth(sam, signed_by_reader(ITEMS, transcript)))
    for signer in (also or sam, hpc):
        if signer is not None and version == V1_1:
            asked = asked.with_auth_all(auth(signer, asked.signed_by_all(transcript)))
    return asked


def asks(request: DeviceRequest, now_ns: int = NOW_NS, **more: Any) -> Readers:
    return who_asks(request, TRANSCRIPT, ReaderCheck(ROOT, now_ns, **more), Work())


def test_sam_and_professional_prove_themselves() -> None:
    readers = asks(signed())
    assert readers.sam is not None and readers.hpc is not None and readers.troubles == ()
    assert (readers.sam.who.organisation, readers.hpc.who.role) == (INSTITUTION, Role.PHYSICIAN)
    alone = asks(signed(hpc=None))
    assert alone.sam is not None and alone.hpc is None and alone.trouble(Party.HPC) is not None


def test_peer_of_version_1_0_counts_for_its_sam_alone() -> None:
    readers = asks(signed(version=V1_0))
    assert readers.sam is not None and readers.hpc is None
    forced = replace(signed(), version=V1_0)  # the signatures of 1.1 under another label
    assert asks(forced).hpc is None


BAD: dict[str, tuple[Callable[[Role, str], Identity | None], Trouble, int]] = {
    "missing": (lambda *_: None, Trouble.MISSING, NOW_NS),
    "of another root": (lambda role, name: renewed(role, name, STRANGER), Trouble.FORGED, NOW_NS),
    "expired": (lambda role, name: renewed(role, name), Trouble.EXPIRED, NOW_NS + 72 * HOUR_NS + (SKEW_S + 1) * NS),
    "not yet valid": (lambda role, name: renewed(role, name, from_ns=NOW_NS + HOUR_NS), Trouble.NOT_YET_VALID, NOW_NS),
    "long-lived": (lambda role, name: renewed(role, name, hours=24 * 365), Trouble.EXPIRED, NOW_NS),
    "of another role": (lambda _, name: renewed(Role.DATA_CENTRE, name), Trouble.WRONG_ROLE, NOW_NS),
    "stolen certificate": (
        lambda role, name: Identity(private_key("thief"), renewed(role, name).chain), Trouble.FORGED, NOW_NS,
    ),
    "without issuer": (lambda role, name: Identity(SAM.key, renewed(role, name).chain[:1]), Trouble.FORGED, NOW_NS),
    "no certificate": (lambda *_: Identity(SAM.key, (b"nothing",)), Trouble.MALFORMED, NOW_NS),
    "too many certificates": (lambda role, name: Identity(SAM.key, renewed(role, name).chain * 4), Trouble.MALFORMED, NOW_NS),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("party", [Party.SAM, Party.HPC])
def test_bad_party_is_told_from_the_other(party: Party, kind: str) -> None:
    make, trouble, now_ns = BAD[kind]
    bad = make(Role.SAM if party is Party.SAM else Role.PHYSICIAN, "SAM000000001" if party is Party.SAM else DOCTOR_ID)
    fresh = renewed(Role.SAM, SAM_ID, from_ns=now_ns, organisation=INSTITUTION)
    request = signed(sam=bad) if party is Party.SAM else signed(sam=fresh, hpc=bad)
    readers = asks(request, now_ns)
    found = readers.trouble(party)
    assert found is not None and found.trouble is trouble
    assert (readers.sam is None) == (party is Party.SAM) and readers.hpc is None


@pytest.mark.parametrize("off_s", [-SKEW_S, 0, SKEW_S])
def test_clock_that_is_a_little_wrong_refuses_nobody(off_s: int) -> None:
    begins = renewed(Role.SAM, SAM_ID, from_ns=NOW_NS, organisation=INSTITUTION)
    assert asks(signed(begins, None), NOW_NS + off_s * NS).sam is not None
    assert asks(signed(begins, None), NOW_NS + 72 * HOUR_NS + off_s * NS).sam is not None


def test_request_of_another_session_is_forged() -> None:
    """TCA-04: recorded and forwarded."""
    found = asks(signed(transcript=OTHER_TRANSCRIPT)).trouble(Party.SAM)
    assert found is not None and found.trouble is Trouble.FORGED
    spliced = replace(signed(), auth_all=signed(transcript=OTHER_TRANSCRIPT).auth_all)
    readers = asks(spliced)
    assert readers.sam is None and readers.hpc is None


def test_professional_beside_another_sam_is_not_counted() -> None:
    """A request put together from two readers' signatures."""
    another = renewed(Role.SAM, "SAM000000009", organisation="8801180014")
    found = asks(signed(also=another)).trouble(Party.SAM)
    assert found is not None and found.trouble is Trouble.FORGED


def test_swapped_or_added_signers_do_not_count() -> None:
    request = signed()
    swapped = replace(request, auth_all=request.auth_all[::-1])
    assert asks(swapped).hpc is None
    only = replace(request, auth_all=request.auth_all[1:])
    assert asks(only).hpc is None
    three = replace(request, auth_all=(*request.auth_all, request.auth_all[1]))
    assert asks(three).hpc is None and asks(three).sam is not None


def test_two_readers_in_one_request_are_none() -> None:
    other = items_request("org.iso.18013.5.1.mDL", {"org.iso.18013.5.1": {"family_name": False}})
    stranger = renewed(Role.SAM, "SAM000000009", organisation="8801180014")
    second = make_sign1(stranger.key, signed_by_reader(other, TRANSCRIPT), {33: list(stranger.chain)}, detached=True)
    request = signed(version=V1_0)
    both = replace(request, documents=(*request.documents, DocRequest(other, second)))
    assert asks(both).known() == []


def test_reader_outside_medical_care_is_that_and_nothing_more() -> None:
    readers = asks(signed(sam=renewed(Role.OTHER_USE, "LIBRARY"), hpc=None, version=V1_0))
    assert readers.other_use is not None and readers.sam is None and readers.hpc is None
    assert vhc.grants(sam=False, hpc=False, other_use=True) == {vhc.Need.READER}
    beside = asks(signed(sam=renewed(Role.OTHER_USE, "LIBRARY")))
    assert beside.hpc is None  # a professional's signature beside it opens nothing


def test_clockless_device_takes_what_begins_later_and_refuses_what_has_ended() -> None:
    later = signed(renewed(Role.SAM, SAM_ID, from_ns=NOW_NS + HOUR_NS, organisation=INSTITUTION), None)
    assert asks(later).sam is None and asks(later, clockless=True).sam is not None
    ended = signed(renewed(Role.SAM, SAM_ID, from_ns=NOW_NS - 80 * HOUR_NS, organisation=INSTITUTION), None)
    assert asks(ended, clockless=True).sam is None


def test_codes_tell_party_and_trouble_and_nothing_else_does() -> None:
    seen = {code(party, trouble): (party, trouble) for party in (Party.SAM, Party.HPC) for trouble in Trouble}
    assert len(seen) == 2 * len(Trouble) and not set(seen) & set(No)
    for number in range(-60, 10):
        assert party_of(number) == seen.get(number)


# -- the same through a whole presentation, at the desk


def consult(bench: WalletBench) -> Flow[Shown]:
    yield Ask("holder", OPEN_APP)
    opened = yield from open_at(bench.desk, bench.counter)
    return (yield from ask(bench.desk, opened, vhc.CONSULTATION, bench.sam_handle, hpc=bench.doctor))


def presented() -> WalletBench:
    bench = WalletBench()
    bench.sam_handle, _ = bench.ready()
    bench.people.use = Use.TREATMENT
    return bench


def test_desk_is_told_that_the_professional_failed_and_still_sees_the_basic_data() -> None:
    bench = presented()
    bench.reader_certificates(hpc=AUTHORITY.issue(Role.PHYSICIAN, "B123456780"))  # not the card in the slot
    bench.people.use = Use.REGISTRATION
    shown = bench.run(consult(bench))
    assert shown.value(vhc.BASIC, "name") == "王小明" and shown.value(vhc.MEDICAL, "allergies") is None
    assert shown.errors[vhc.MEDICAL]["allergies"] == code(Party.HPC, Trouble.FORGED)
    assert shown.why(vhc.MEDICAL, "allergies") == "HPC: forged"


@pytest.mark.parametrize(("hours", "trouble", "field_code"), [(24 * 365, Trouble.EXPIRED, "9061")])
def test_desk_is_told_that_its_sam_failed(hours: float, trouble: Trouble, field_code: str) -> None:
    bench = presented()
    bench.reader_certificates(hours=hours)
    with pytest.raises(Ended) as end:
        bench.run(consult(bench))
    assert (end.value.role, end.value.trouble, end.value.code) == ("sam", trouble, field_code)
    assert end.value.said == code(Party.SAM, trouble)


def test_phone_whose_clock_is_wrong_refuses_honest_readers() -> None:
    bench = presented()
    bench.phone.clock_error_ns = 80 * HOUR_NS
    with pytest.raises(Ended) as end:
        bench.run(consult(bench))
    assert end.value.trouble is Trouble.EXPIRED and SKEW_S == 30
