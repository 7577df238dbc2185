"""WBK-01 when the patient has already left: signed at the desk, kept by the data centre, taken in by the phone, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.core import Person as Insured
from virtual_devices.pki import DAY_NS
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import VirtualRegistered, register_wallet, send_late
from virtual_devices.wallet import app
from virtual_devices.write_back import Kind, Record

from .card_office import ANNA
from .desk import CARD_NO, NOW_NS
from .enrolment import Town
from .links import Silence
from .test_virtual_devices_cloud_service import ask, request
from .wallets import WalletBench


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
    del bench.core.people[ANNA.card_no]
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
