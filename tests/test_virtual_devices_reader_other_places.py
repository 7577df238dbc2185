"""The virtual card away from the clinic: at a pharmacy (RXS-01, RXS-02), and where nobody may read medical data (NMU-01)."""

from __future__ import annotations

import hashlib

import pytest

from virtual_devices import vhc
from virtual_devices.cose import decode_sign
from virtual_devices.flow import Ask, Flow
from virtual_devices.holder.refusals import No
from virtual_devices.pki import Role, Verified
from virtual_devices.reader.presentation import OPEN_APP, open_at
from virtual_devices.reader.proximity import Shown, ask
from virtual_devices.reader.transmit import Ended, power_on
from virtual_devices.reader.wallet_visit import read_prescriptions_wallet
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.wallet.access_log import Language, describe
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import Kind, read_record, thumbprint

from .desk import AUTHORITY, NOW_NS, hpc
from .test_virtual_devices_reader_wallet_visit import bench_at, registered, write
from .wallets import WalletBench


def at_the_pharmacy(bench: WalletBench) -> WalletBench:
    """The same phone, another institution's desk with a pharmacist's card."""
    shop = WalletBench()
    shop.phone, shop.people.use = bench.phone, Use.DISPENSING
    shop.hpc = hpc(role=Role.PHARMACIST)
    shop.reader_certificates(role=Role.PHARMACIST)
    shop.sam_handle, _ = shop.ready()
    return shop


def test_prescription_goes_from_phone_to_pharmacy_as_the_physician_signed_it() -> None:
    bench = bench_at()
    visit = registered(bench)
    bench.run(write(bench, visit))
    shop = at_the_pharmacy(bench)
    person, prescriptions, shown = shop.run(read_prescriptions_wallet(shop.desk, shop.counter, shop.doctor))
    assert person.name == "王小明" and len(prescriptions) == 3
    chains = {hashlib.sha256(chain[0]).digest(): chain for chain in shown.value(vhc.RECORDS, "certificates").values()}
    root = AUTHORITY.verifier()
    for raw in prescriptions:
        record, signed = read_record(raw)
        assert record.kind is Kind.PRESCRIPTION
        for number, role in enumerate((Role.PHYSICIAN, Role.SAM)):
            who = root.check(chains[thumbprint(signed.signatures[number])], {role}, record.at_ns)
            assert isinstance(who, Verified) and signed.verify(number, who.key)
        altered = decode_sign(raw.replace(b"AC0000000", b"AC0000009"))
        assert not altered.verify(0, bench.hpc.image.identity.key.public_key())  # RXS-01
    entry = bench.phone.log.entries()[0]
    assert entry.use is Use.DISPENSING and "藥師" in describe(entry, Language.ZH)


def library() -> WalletBench:
    """A desk outside medical care, with a security module of its own kind."""
    bench = WalletBench()
    identity = AUTHORITY.issue(Role.OTHER_USE, "LIBRARY00001")
    bench.sam = Sam(SamImage("LIBRARY00001", "LIBRARY001", identity, AUTHORITY.root_der, b"library"))
    bench.desk.reader_chain = AUTHORITY.renew(Role.OTHER_USE, "LIBRARY00001", identity.key.public_key(), NOW_NS)
    bench.people.use = Use.NON_MEDICAL
    return bench


def ask_at_the_library(bench: WalletBench, wanted: dict[str, dict[str, bool]]) -> Flow[Shown]:
    sam = yield from power_on("sam", "open")
    yield Ask("holder", OPEN_APP)
    opened = yield from open_at(bench.desk, bench.counter)
    return (yield from ask(bench.desk, opened, wanted, sam))


def test_reader_outside_medical_care_reads_who_it_is_and_no_more() -> None:
    bench = library()
    shown = bench.run(ask_at_the_library(bench, {**vhc.CONSULTATION, vhc.BASIC: {e.name: False for e in vhc.ELEMENTS
                                                                                 if e.space == vhc.BASIC}}))
    assert set(shown.document.values) == {vhc.BASIC} and shown.document.device_values == {}
    assert set(shown.document.values[vhc.BASIC]) == {"name", "birth_date", "sex", "portrait", vhc.HELD_UNDER}
    assert {shown.errors[vhc.BASIC][name] for name in ("id_no", "card_no", "emergency_tel")} == {No.OTHER_READERS_NEEDED}
    assert set(shown.errors[vhc.MEDICAL].values()) == {No.OTHER_READERS_NEEDED}
    assert "非醫療用途" in describe(bench.phone.log.entries()[0], Language.ZH)


def test_reader_outside_medical_care_writes_nothing_and_gets_no_medical_data_alone() -> None:
    bench = library()
    with pytest.raises(Ended) as end:
        bench.run(ask_at_the_library(bench, {vhc.MEDICAL: {"allergies": False}}))
    assert end.value.said == No.OTHER_READERS_NEEDED and end.value.code == "4029"


def test_card_knows_no_payment() -> None:
    """NMU-01: no element, no kind of record, no use that pays."""
    words = " ".join([*(f"{e.name} {e.en}" for e in vhc.ELEMENTS), *(k.value for k in Kind), *(u.value for u in Use)]).lower()
    assert not any(word in words for word in ("pay", "wallet balance", "purse", "credit", "amount"))
