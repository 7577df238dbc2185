"""Records that came late, as the phone judges them: by reader certificates, at the time when the data centre received them."""

from __future__ import annotations

from typing import Any

from virtual_devices.clock import NS
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.wallet.app import App
from virtual_devices.wallet.held import OWN
from virtual_devices.write_back import Kind, Record, WriteOutcome, holder_of

from .card_office import ANNA
from .desk import AUTHORITY, NOW_NS
from .enrolment import Town
from .test_virtual_devices_holder_writing import HPC, HPC_READER, SAM, SAM_READER, signed

CHAINS = [list(SAM_READER.chain), list(HPC_READER.chain)]


def phone() -> tuple[App, bytes]:
    of, _ = Town().enrolled(ANNA, "anna")
    held = of.phone.cards.get(OWN)
    assert held is not None
    return of, holder_of(held.mso.device_key)


def entry(holder: bytes, at_ns: int, *received: Any, number: int = 1) -> list[Any]:
    record = Record(Kind.VISIT, bytes([number]) * 16, holder, at_ns, {1: b"visit"})
    return [bytes([number]) * 16, [signed(record, HPC, SAM)], CHAINS, *received]


def test_certificate_made_anew_after_the_visit_vouches_at_the_time_of_receipt() -> None:
    of, holder = phone()
    before = NOW_NS - 2 * DAY_NS  # of the visit; the certificates began after it
    assert of.phone.take_late(entry(holder, before), NOW_NS) is WriteOutcome.BAD_SIGNATURE
    assert of.phone.take_late(entry(holder, before, NOW_NS), NOW_NS + 9 * DAY_NS) is WriteOutcome.STORED


def test_time_of_receipt_that_cannot_be_is_refused() -> None:
    of, holder = phone()
    for received in (NOW_NS - DAY_NS, NOW_NS + DAY_NS, True, b"", None, -1):
        assert of.phone.take_late(entry(holder, NOW_NS, received), NOW_NS) is WriteOutcome.BAD_SIGNATURE
    assert of.phone.take_late(entry(holder, NOW_NS, NOW_NS, NOW_NS), NOW_NS) is WriteOutcome.BAD_SIGNATURE
    assert of.phone.take_late(entry(holder, NOW_NS, NOW_NS + 20 * NS), NOW_NS) is WriteOutcome.STORED
    assert len(of.phone.records().all()) == 1


def test_certificate_of_long_life_is_no_readers() -> None:
    """As in a session: revoked today, it would be believed for years."""
    of, holder = phone()
    long = AUTHORITY.issue(Role.SAM, "SAM000000001", organisation="9901180014")
    record = Record(Kind.FEE, b"f" * 16, holder, NOW_NS, {1: b"fee"})
    for sam, outcome in ((long, WriteOutcome.BAD_SIGNATURE), (Identity(SAM.key, SAM_READER.chain), WriteOutcome.STORED)):
        assert of.phone.take_late([b"f" * 16, [signed(record, sam)], [list(sam.chain)]], NOW_NS) is outcome
