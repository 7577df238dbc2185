"""EQP-02: readers and wallets of different ages meet; they do what both can, or say clearly that they cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.authentication import Party
from virtual_devices.flow import Ask, Flow
from virtual_devices.holder.refusals import No, code
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.mdoc.engagement import QR_SCHEME, Engagement
from virtual_devices.mdoc.request import V1_0, V1_1, DeviceRequest
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps, embed, read_map
from virtual_devices.pki import Trouble
from virtual_devices.randomness import private_key
from virtual_devices.reader.presentation import OPEN_APP, Counter, Medium
from virtual_devices.reader.proximity import Engaged, MessageChannel, Shown, ask, engage_qr, open_session
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.consent import Use

from .wallets import WalletBench


def bench_of(*, legacy: bool) -> WalletBench:
    bench = WalletBench(counter=Counter(Medium.QR_BLE))
    bench.sam_handle, _ = bench.ready()
    bench.people.use = Use.TREATMENT
    make = bench.phone.engage
    bench.phone.engage = lambda *args, **more: make(*args, **{**more, "legacy": legacy})  # type: ignore[method-assign]
    return bench


def consult(bench: WalletBench, newest: str = V1_1, change: Any = None) -> Flow[Shown]:
    """``change``: what a man in the middle makes of the engagement."""
    yield Ask("holder", OPEN_APP)
    engaged = yield from engage_qr()
    if change is not None:
        engaged = Engaged(change(engaged.engagement))
    opened = yield from open_session(bench.desk, engaged, MessageChannel(), newest)
    return (yield from ask(bench.desk, opened, vhc.CONSULTATION, bench.sam_handle, hpc=bench.doctor))


@pytest.mark.parametrize("wallet", [V1_0, V1_1])
@pytest.mark.parametrize("reader", [V1_0, V1_1])
def test_each_pair_does_what_both_know(wallet: str, reader: str) -> None:
    bench = bench_of(legacy=wallet == V1_0)
    both = wallet == reader == V1_1
    if not both:
        bench.people.use = Use.REGISTRATION  # what such a wallet makes of a request that the SAM alone has signed
    shown = bench.run(consult(bench, reader))
    assert shown.value(vhc.BASIC, "name") == "王小明"
    assert shown.value(vhc.MEDICAL, "allergies") == (["PENICILLIN"] if both else None)
    if not both:
        assert shown.errors[vhc.MEDICAL]["allergies"] == code(Party.HPC, Trouble.MISSING)


def stripped(shown: Engagement) -> Engagement:
    """Without the capability: as an older wallet would say of itself."""
    body = dict(read_map(shown.raw, "engagement"))
    return engagement.read(dumps({0: "1.0", 1: body[1]}))


def test_downgrade_by_a_man_in_the_middle_is_noticed() -> None:
    """The reader hears of an older wallet, the wallet knows what it has said: their transcripts and keys differ."""
    bench = bench_of(legacy=False)
    with pytest.raises(Ended) as end:
        bench.run(consult(bench, change=stripped))
    assert "encryption error" in end.value.what
    assert bench.phone.log.entries() == []


def test_upgrade_of_an_older_wallet_is_noticed_too() -> None:
    bench = bench_of(legacy=True)

    def claimed(shown: Engagement) -> Engagement:
        body = dict(read_map(shown.raw, "engagement"))
        return engagement.read(dumps({0: "1.1", 1: body[1], 5: [], 6: {3: True}}))

    with pytest.raises(Ended) as end:
        bench.run(consult(bench, change=claimed))
    assert "encryption error" in end.value.what


def test_request_of_a_version_to_come_is_refused_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(legacy=False)
    plain = DeviceRequest.to_bytes
    monkeypatch.setattr(DeviceRequest, "to_bytes", lambda self: plain(replace(self, version="2.0")))
    with pytest.raises(Ended) as end:
        bench.run(consult(bench))
    assert "does not understand" in end.value.what and bench.phone.log.entries() == []


def test_newer_minor_version_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added in 1.2 is overlooked (18013-5 clause 8.3.2.1.2.1); the signatures cover what is known."""
    bench = bench_of(legacy=False)
    plain = DeviceRequest.to_bytes
    monkeypatch.setattr(DeviceRequest, "to_bytes", lambda self: plain(replace(self, version="1.2")))
    assert bench.run(consult(bench)).value(vhc.MEDICAL, "allergies") == ["PENICILLIN"]


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "x"])
def test_engagement_of_another_major_version_is_refused(version: str) -> None:
    key = private_key("engagement").public_key()
    raw = dumps({0: version, 1: [1, embed(dumps(to_cose(key)))]})
    with pytest.raises(MalformedMdoc, match="version"):
        engagement.read(raw)


def test_code_of_another_kind_is_no_engagement() -> None:
    bench = bench_of(legacy=False)
    bench.people.willing = False
    for text in ("", "HC1:ABC", QR_SCHEME, QR_SCHEME + "!!!!", "https://example.org"):
        bench.screen.text = text
        with pytest.raises(Ended):
            bench.run(engage_qr())


def test_batch_of_a_version_to_come_is_refused_and_changes_nothing() -> None:
    bench = bench_of(legacy=False)

    def flow() -> Flow[Shown]:
        yield Ask("holder", OPEN_APP)
        engaged = yield from engage_qr()
        opened = yield from open_session(bench.desk, engaged, MessageChannel())
        info = {vhc.WRITE_INFO: embed(dumps({1: 2}))}
        wanted = {vhc.WRITE: {vhc.RECEIPT: True}}
        return (yield from ask(bench.desk, opened, wanted, bench.sam_handle, hpc=bench.doctor, info=info))

    with pytest.raises(Ended) as end:
        bench.run(flow())
    assert end.value.said == No.VERSION and bench.phone.records().all() == []
