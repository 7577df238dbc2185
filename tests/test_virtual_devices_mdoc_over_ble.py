"""A whole visit over BLE data retrieval: engagement by QR code with both modes' UUIDs, chunks of any size, in both modes."""

from __future__ import annotations

from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.clock import Clock
from virtual_devices.link import Attempt, DirectLink, Outcome
from virtual_devices.mdoc import ble_options, engagement, session
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_events import Received
from virtual_devices.mdoc.ble_gatt import Mode, Side, service_uuid
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.presentation import Counter, Medium
from virtual_devices.reader.wallet_visit import read_medical_wallet
from virtual_devices.wallet.faces import MessageFace

from .ble_medium import Medium as Air
from .test_virtual_devices_reader_wallet_visit import registered, write
from .wallets import WalletBench


class OverBle:
    """The phone behind both ends of BLE retrieval, reached by the address that the reader's flow gives."""

    channel, device, provenance = "ble", "virtual", DirectLink.provenance

    def __init__(self, bench: WalletBench, mode: Mode, mtu: int) -> None:
        self.bench, self.mode, self.mtu = bench, mode, mtu
        self.face = MessageFace(bench.phone)
        self.air: Air | None = None
        self.packets = 0

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        self.air = self._connect(engagement.read(address))
        return Attempt(Outcome.REPLIED, 0, b"")

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        air = self.air
        assert air is not None
        before = len(air.received(Side.READER))
        air.carry_out(Side.READER, air.links[Side.READER].send(message))
        air.deliver()
        if message == session.TERMINATION:
            for side in Side:
                air.carry_out(side, air.links[side].session_ended(by_peer=side is Side.MDOC))
            return Attempt(Outcome.REPLIED, 0, b"")
        answers = air.received(Side.READER)[before:]
        self.packets += len(air.values(Side.READER)) + len(air.values(Side.MDOC))
        return Attempt(Outcome.REPLIED, 0, answers[0]) if answers else Attempt(Outcome.TIMED_OUT, 0)

    def _connect(self, shown: engagement.Engagement) -> Air:
        """Both ends take the service's UUID for this mode from the engagement."""
        method = shown.method(engagement.BLE)
        assert method is not None
        service = ble_options.parse(list(method)).service(self.mode)
        assert service is not None
        links = {side: BleLink(self.mode, side, service, shown.key_bytes) for side in Side}

        def answer(link: BleLink, notice: object) -> Any:
            if isinstance(notice, Received) and link.side is Side.MDOC:
                reply = self.face.handle(notice.message, clock.now_ns())
                return link.send(reply) if reply else ()
            return ()

        clock: Clock = self.bench.clock
        air = Air(links, self.mtu, answer=answer)
        air.run()
        return air


def bench_over_ble() -> WalletBench:
    bench = WalletBench(counter=Counter(Medium.QR_BLE))
    fresh = ByteStream("over BLE")
    make = bench.phone.engage
    bench.phone.engage = lambda *_, **more: make(  # type: ignore[method-assign]
        [BleOptions(peripheral_server=service_uuid(fresh), central_client=service_uuid(fresh)).method()], **more
    )
    bench.ready()
    return bench


@pytest.mark.parametrize("mtu", [23, 185, 515])
@pytest.mark.parametrize("mode", Mode)
def test_visit_goes_through_chunks_and_ends_as_over_any_medium(mode: Mode, mtu: int) -> None:
    bench = bench_over_ble()
    link = OverBle(bench, mode, mtu)
    run, links = bench.run, {"wallet": link}
    bench.run = lambda flow, **more: run(flow, **{**links, **more})  # type: ignore[method-assign, assignment]
    visit = registered(bench)
    assert visit.person.name == "王小明" and visit.sequence == "W001"
    shown = bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    assert shown.value(vhc.MEDICAL, "allergies") == ["PENICILLIN"]
    assert bench.run(write(bench, visit)).outcome.done and len(bench.phone.records().all()) == 4
    assert link.packets > 20_000 // min(512, mtu - 3)


def test_each_engagement_has_uuids_of_its_own() -> None:
    bench = bench_over_ble()
    seen = set()
    for _ in range(5):
        method = bench.phone.engage().engagement.method(engagement.BLE)
        assert method is not None
        options = ble_options.parse(list(method))
        seen |= {options.service(mode) for mode in Mode}
    assert len(seen) == 10
