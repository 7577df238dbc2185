"""WBK-01 when the patient has already left: signed at the desk, kept by the data centre, taken in by the phone, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.core import Person as Insured
from virtual_devices.cloud.late import MAX_WAITING, MAX_WAITING_BYTES, LateRecords
from virtual_devices.pki import DAY_NS, Identity, Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import VirtualRegistered, register_wallet, send_late
from virtual_devices.wallet import app
from virtual_devices.write_back import Kind, Record

from .card_office import ANNA
from .desk import AUTHORITY, CARD_NO, INSTITUTION, NOW_NS
from .enrolment import Town
from .links import Silence
from .test_virtual_devices_cloud_service import SAM, ask, request
from .test_virtual_devices_holder_writing import HPC, signed
from .test_virtual_devices_holder_writing import SAM as READER
from .wallets import WalletBench

FOREIGN = Identity(SAM.key, AUTHORITY.renew(Role.SAM, "SAM000000009", SAM.key.public_key(), NOW_NS, organisation="8801180014"))


def clinic_and_town() -> tuple[WalletBench, Town, app.App, VirtualRegistered]:
    """Anna, with a card from the data centre on her phone, has registered at the clinic."""
    bench, town = WalletBench(), Town()
    of, _ = town.enrolled(ANNA, "anna")
    bench.phone = of.phone
    bench.core.enrol(Insured(ANNA.card_no))
    town.office.late = bench.cloud.late
    bench.sam_handle, _ = bench.ready()
    visit = bench.run(register_wallet(bench.desk, bench.counter, bench.request()))
    assert visit.person.card_no == ANNA.card_no
    return bench, town, of, visit


def records(bench: WalletBench) -> Any:
    def made(holder: bytes) -> Sequence[Record]:
        return [Record(kind, bench.act(kind.value), holder, NOW_NS, {1: b"late"}) for kind in (Kind.VISIT, Kind.PRESCRIPTION)]

    return made


def test_phone_that_had_left_gets_its_records_days_later() -> None:
    bench, town, of, visit = clinic_and_town()
    assert bench.run(send_late(bench.desk, visit, records(bench), bench.doctor)) is True
    assert bench.run(send_late(bench.desk, visit, records(bench), bench.doctor)) is True  # sent again: kept once
    assert len(bench.cloud.late[ANNA.card_no]) == 1 and of.phone.records().all() == []
    town.clock.advance_to(NOW_NS + 6 * DAY_NS)
    town.run(app.sync(of))
    assert len(of.phone.records().all()) == 2 and bench.cloud.late[ANNA.card_no] == []
    town.run(app.sync(of))
    assert len(of.phone.records().all()) == 2 and [entry[2] for entry in town.office.receipts] == [0]


def test_line_that_is_down_leaves_them_for_later() -> None:
    bench, _, _, visit = clinic_and_town()
    assert bench.run(send_late(bench.desk, visit, records(bench), bench.doctor), cloud=Silence()) is False
    bench.clock.advance_to(bench.clock.now_ns() + 120 * NS)
    assert bench.run(send_late(bench.desk, visit, records(bench), bench.doctor)) is True
    assert len(bench.cloud.late[ANNA.card_no]) == 1


def test_nobody_known_is_refused() -> None:
    bench, _, _, visit = clinic_and_town()
    bench.core.people.remove(ANNA.card_no)
    with pytest.raises(Ended) as end:
        bench.run(send_late(bench.desk, visit, records(bench), bench.doctor))
    assert end.value.code == "9012"


@pytest.mark.parametrize(
    "wrong",
    [{"records": []}, {"records": [b"r"] * 61}, {"records": ["text"]}, {"chains": []}, {"chains": [[b"x"]] * 3},
     {"chains": [b"x"]}, {"chains": [["x"]]}, {"records": None}, {"card_no": 7}, {"records": [b"r" * 70_000]}],
)
def test_request_that_is_none_keeps_nothing(wrong: dict[str, Any]) -> None:
    bench = WalletBench()
    arguments = {"card_no": CARD_NO, "records": [b"r"], "chains": [[b"c"]], **wrong}
    assert ask(bench.cloud, request("late-records", arguments)) == ("9002", {}) and not bench.cloud.late


def a_late(**wrong: Any) -> dict[str, Any]:
    """One record as a desk leaves it, or with something wrong."""
    record = Record(Kind.VISIT, b"1" * 16, b"k" * 32, wrong.get("at_ns", NOW_NS), {1: b"late"})
    raw = [signed(record, *wrong.get("signers", (HPC, READER)))]
    return {"card_no": CARD_NO, "records": raw, "chains": wrong.get("chains", [list(READER.chain), list(HPC.chain)])}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({}, "0"), ({"at_ns": NOW_NS + 31 * NS}, "9002"), ({"signers": (READER,)}, "9020"), ({"signers": (READER, HPC)}, "9020"),
        ({"signers": (Identity(SAM.key, HPC.chain), READER)}, "9020"), ({"chains": [list(READER.chain)]}, "9020"),
        ({"chains": [[b"rubbish"], [b"chain"]]}, "9020"), ({"signers": (HPC, SAM), "chains": [list(SAM.chain)]}, "9020"),
        ({"signers": (HPC, FOREIGN), "chains": [list(FOREIGN.chain), list(HPC.chain)]}, "9020"),
    ],
)
def test_records_are_verified_when_they_are_left(wrong: dict[str, Any], code: str) -> None:
    """What a phone would refuse for ever is not kept: wrong signers, certificates of long life, another institution's SAM."""
    bench = WalletBench()
    assert ask(bench.cloud, request("late-records", a_late(**wrong)))[0] == code
    assert bool(bench.cloud.late) is (code == "0")


def test_rubbish_left_first_does_not_stand_in_the_way() -> None:
    bench = WalletBench()
    right = a_late()
    assert ask(bench.cloud, request("late-records", right | {"chains": [[b"rubbish"]]}))[0] == "9020"
    first = ask(bench.cloud, request("late-records", right))
    assert first[0] == "0" and ask(bench.cloud, request("late-records", right)) == first
    [kept] = bench.cloud.late[CARD_NO]
    assert (kept.holder, kept.received_ns, kept.institution) == (b"k" * 32, NOW_NS, INSTITUTION)


def test_one_institution_leaves_so_much_for_one_person() -> None:
    bench = WalletBench()
    codes = []
    for number in range(MAX_WAITING + 1):
        raw = [signed(Record(Kind.FEE, bytes([number]) * 16, b"k" * 32, NOW_NS, {1: b"late"}), READER)]
        told = {"card_no": CARD_NO, "records": raw, "chains": [list(READER.chain)]}
        codes.append(ask(bench.cloud, request("late-records", told))[0])
    assert codes == ["0"] * MAX_WAITING + ["9004"] and len(bench.cloud.late[CARD_NO]) == MAX_WAITING


def test_all_institutions_leave_so_many_bytes_for_one_person() -> None:
    bench = WalletBench()
    room = LateRecords(b"i" * 16, (bytes(MAX_WAITING_BYTES - 1),), (), institution="8801180014")
    bench.cloud.late[CARD_NO] = [room]
    assert ask(bench.cloud, request("late-records", a_late()))[0] == "9004" and bench.cloud.late[CARD_NO] == [room]
