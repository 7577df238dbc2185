"""One flow, every channel: a visit read from a phone and written back to it, with the same outcome and the same messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from virtual_devices import vhc
from virtual_devices.cloud.issuer import CardIssuer
from virtual_devices.link import RESET
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.wallet_visit import VirtualRegistered, read_medical_wallet, register_wallet, write_wallet
from virtual_devices.trace import ExchangeRow
from virtual_devices.write_back import Kind, Receipt, Record

from . import wallets
from .channels import CHANNELS, Way
from .desk import AUTHORITY, INSTITUTION, NOW_NS, entry
from .wallets import WalletBench

MESSAGES = {"pcsc": 20, "nfc": 20, "qr + ble": 12}
"""At least so many, or nothing was compared."""


@dataclass(frozen=True)
class Story:
    """What came of the visit at the desk and on the phone, and what went over the air."""

    visit: VirtualRegistered
    read: dict[str, dict[str, Any]]
    receipt: Receipt
    on_phone: list[bytes]
    log: list[Any]
    rows: list[ExchangeRow]

    @property
    def messages(self) -> list[tuple[str, str, bytes, bytes]]:
        """Step, status, request and answer of each exchange with the phone; how the medium begins a tap is its own affair."""
        return [(row.step, row.outcome, row.request, row.reply) for row in self.rows if row.request != RESET]


def story(counter: Counter, way: Way, folder: Path) -> Story:
    """Registration, what the physician reads, and four records written back."""
    with patch.object(wallets, "ISSUER", CardIssuer(AUTHORITY, "tests")):  # the same salts each time
        bench = WalletBench(counter=counter)

    def records(holder: bytes) -> Sequence[Record]:
        seen = Record(Kind.VISIT, bench.act("seen"), holder, NOW_NS, {1: visit.sequence, 2: "01", 3: INSTITUTION})
        medicines = [entry(visit.request.visited_at, "1", n) for n in range(3)]
        return [seen, *(Record(Kind.PRESCRIPTION, bench.act(f"rx {n}"), holder, NOW_NS, {1: medicines[n]}) for n in range(3))]

    with way(bench, folder) as links:
        bench.ready()
        visit: VirtualRegistered = bench.run(register_wallet(bench.desk, counter, bench.request()), **links)
        shown = bench.run(read_medical_wallet(bench.desk, counter, bench.doctor, visit), **links)
        written = bench.run(write_wallet(bench.desk, counter, visit, records, bench.act("write"), bench.doctor), **links)
        again = bench.run(read_medical_wallet(bench.desk, counter, bench.doctor, visit), **links)
    values = {"before": {**shown.document.values}, "after": {**again.document.values}, "own": {**again.document.device_values}}
    rows = [row for row in bench.rows if isinstance(row, ExchangeRow) and row.role in ("wallet", "screen")]
    return Story(visit, values, written, bench.phone.records().all(), bench.phone.log.entries(), rows)


@cache
def modelled(counter: Counter, model: Way) -> Story:
    return story(counter, model, Path())


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.needs(*channel.tools) if channel.tools else []) for name, channel in CHANNELS.items()
])
def test_visit_over_the_channel_is_the_one_played_in_process(name: str, tmp_path: Path) -> None:
    channel = CHANNELS[name]
    played, expected = story(channel.counter, channel.over, tmp_path), modelled(channel.counter, channel.model)
    assert played.visit == expected.visit and played.visit.sequence == "W001"
    assert played.receipt == expected.receipt and played.receipt.generation == 1
    assert played.read == expected.read and played.read["before"][vhc.MEDICAL]["allergies"] == ["PENICILLIN"]
    assert len(played.read["own"][vhc.RECORDS]["prescriptions"]) == 3
    assert played.on_phone == expected.on_phone and len(played.on_phone) == 4
    assert played.log == expected.log
    assert {row.provenance for row in played.rows} == {"measured"} and {row.provenance for row in expected.rows} == {"modelled"}
    assert played.messages == expected.messages and len(played.messages) >= MESSAGES[name]
