"""A visit with a virtual card over each medium: registered, read, written back, priced; and what is refused on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from virtual_devices import vhc
from virtual_devices.flow import Flow
from virtual_devices.link import DirectLink, Outcome
from virtual_devices.mdoc import response
from virtual_devices.reader.presentation import APPROVE, Counter, Medium
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import VirtualRegistered, read_medical_wallet, register_wallet, write_wallet
from virtual_devices.reader.write_back import target_of
from virtual_devices.status_list import Status
from virtual_devices.wallet.access_log import Deed, Language, describe
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import NfcFace
from virtual_devices.wallet.holder import Means
from virtual_devices.write_back import Kind, Record, WriteOutcome, read_record, records_of, thumbprint

from .desk import CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, entry, fees
from .links import Failing, Silence, Strike
from .wallets import WalletBench, card_holder, phone

MEDIA = [Counter(), Counter(Medium.NFC, 255, 256), Counter(Medium.QR_BLE)]


def bench_at(counter: Counter = MEDIA[0]) -> WalletBench:
    bench = WalletBench(counter=counter)
    bench.ready()
    return bench


def registered(bench: WalletBench, name: str = "visit") -> VirtualRegistered:
    found: VirtualRegistered = bench.run(register_wallet(bench.desk, bench.counter, bench.request(name)))
    return found


def consultation(bench: WalletBench, visit: VirtualRegistered, name: str = "v") -> Any:
    def records(holder: bytes) -> Sequence[Record]:
        seen = Record(Kind.VISIT, bench.act(f"{name} visit"), holder, NOW_NS, {1: visit.sequence, 2: "01", 3: INSTITUTION})
        given = [
            Record(Kind.PRESCRIPTION, bench.act(f"{name} rx {n}"), holder, NOW_NS, {1: entry(visit.request.visited_at, "1", n)})
            for n in range(3)
        ]
        return [seen, *given]

    return records


def write(bench: WalletBench, visit: VirtualRegistered, name: str = "v") -> Flow[Any]:
    return write_wallet(bench.desk, bench.counter, visit, consultation(bench, visit, name), bench.act(name), bench.doctor)


@pytest.mark.parametrize("counter", MEDIA, ids=lambda c: f"{c.medium.value}-{c.max_command_bytes}")
def test_whole_visit_ends_with_the_records_on_the_phone(counter: Counter) -> None:
    bench = bench_at(counter)
    visit = registered(bench)
    assert (visit.person.card_no, visit.person.name, visit.sequence, visit.notice) == (CARD_NO, "王小明", "W001", "0")
    assert visit.online and visit.person.on_behalf == "" and visit.person.status is Status.UNKNOWN
    shown = bench.run(read_medical_wallet(bench.desk, counter, bench.doctor, visit))
    assert shown.value(vhc.MEDICAL, "allergies") == ["PENICILLIN"] and shown.value(vhc.RECORDS, "visits") is None
    assert shown.value(vhc.BASIC, "portrait") == card_holder().portrait
    receipt = bench.run(write(bench, visit))
    assert (receipt.outcome, receipt.generation) == (WriteOutcome.STORED, 1)
    fee = Record(Kind.FEE, bench.act("fee"), b"", NOW_NS, {1: fees()})

    def priced(holder: bytes) -> Sequence[Record]:
        return [Record(Kind.FEE, fee.id, holder, fee.at_ns, fee.fields)]

    assert bench.run(write_wallet(bench.desk, counter, visit, priced, bench.act("fees"))).generation == 2
    shown = bench.run(read_medical_wallet(bench.desk, counter, bench.doctor, visit))
    visits = records_of(shown.value(vhc.RECORDS, "visits"))
    assert [record.kind for record in visits] == [Kind.VISIT, Kind.FEE] and visits[0].fields[1] == "W001"
    prescriptions = shown.value(vhc.RECORDS, "prescriptions")
    expected = [entry(visit.request.visited_at, "1", n) for n in range(3)]
    assert [record.fields[1] for record in records_of(prescriptions)] == expected
    chains = shown.value(vhc.RECORDS, "certificates")
    assert {chain[0] for chain in chains.values()} == {bench.desk.reader_chain[0], bench.desk.hpc_reader_chain[0]}
    _, signed = read_record(prescriptions[0])
    for number, who in enumerate((bench.hpc, bench.sam)):
        assert signed.verify(number, who.image.identity.key.public_key())


@pytest.mark.parametrize("counter", MEDIA[::2], ids=lambda c: c.medium.value)
def test_holder_can_read_who_read_what(counter: Counter) -> None:
    """IDN-03: the log on the phone, newest first, in two languages."""
    bench = bench_at(counter)
    visit = registered(bench)
    bench.run(read_medical_wallet(bench.desk, counter, bench.doctor, visit))
    bench.run(write(bench, visit))
    bench.people.willing = False
    with pytest.raises(Ended):
        if counter.medium is Medium.QR_BLE:
            bench.screen.text = bench.phone.engage().engagement.qr_text()
        registered(bench, "not wanted")
    entries = bench.phone.log.entries()
    deeds = [entry.deed for entry in reversed(entries)]
    assert deeds[0] is Deed.SHOWN and Deed.WRITTEN in deeds
    written = next(entry for entry in entries if entry.deed is Deed.WRITTEN)
    assert (written.institution, written.professional, written.channel) == (INSTITUTION, DOCTOR_ID, counter.medium.value)
    assert (vhc.WRITE, vhc.RECEIPT) in written.elements and written.means is Means.PIN
    text = describe(written, Language.EN)
    assert "physician A123456789, institution 9901180014, wrote" in text and "consent by PIN" in text
    assert "寫入回條" in describe(written, Language.ZH)
    read = next(entry for entry in entries if (vhc.MEDICAL, "allergies") in entry.elements)
    assert "過敏藥物" in describe(read, Language.ZH) and read.use is Use.TREATMENT


def test_holder_is_asked_on_the_phone_when_more_is_wanted_than_was_armed() -> None:
    bench = bench_at()
    visit = registered(bench)
    bench.people.asked.clear()
    bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    assert APPROVE in bench.people.asked


@pytest.mark.parametrize("counter", MEDIA[::2], ids=lambda c: c.medium.value)
def test_nothing_leaves_a_phone_whose_holder_does_not_want_it(counter: Counter) -> None:
    bench = bench_at(counter)
    if counter.medium is Medium.QR_BLE:
        bench.screen.text = bench.phone.engage().engagement.qr_text()
    bench.people.willing = False
    with pytest.raises(Ended) as end:
        registered(bench)
    assert end.value.code == "5109" and not bench.core.visits
    sent = [row for row in bench.rows if getattr(row, "role", "") == "wallet" and row.step == "present virtual card"]
    assert sent and all(row.reply_bytes < 200 for row in sent)  # type: ignore[union-attr]


def test_another_persons_phone_is_5020_at_every_later_step() -> None:
    bench = bench_at()
    visit = registered(bench)
    bench.phone = phone("another", card_holder("000000000077", "陳淑芬"))
    for flow in (read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit), write(bench, visit)):
        with pytest.raises(Ended) as end:
            bench.run(flow)
        assert end.value.code == "5020"
    assert bench.phone.records().all() == []


def test_line_that_is_down_leaves_a_visit_without_number_and_the_phone_believed() -> None:
    bench = bench_at()
    visit = bench.run(register_wallet(bench.desk, bench.counter, bench.request()), cloud=Silence())
    assert (visit.sequence, visit.identifier, visit.online) == ("", "", False) and visit.person.card_no == CARD_NO


def test_lost_receipt_is_asked_for_again_and_nothing_is_written_twice() -> None:
    bench = bench_at()
    visit = registered(bench)

    class LosesReceipt(DirectLink):
        """The answer to a batch never comes: the phone has gone out of the field."""

        def attempt(self, message: bytes, timeout_s: float) -> Any:
            attempt = super().attempt(message, timeout_s)
            return attempt if bench.phone.records().generation == 0 else type(attempt)(Outcome.GONE, 0)

    with pytest.raises(Ended) as end:
        bench.run(write(bench, visit), wallet=LosesReceipt(NfcFace(bench.phone), bench.clock))
    assert end.value.torn and bench.phone.records().generation == 1
    receipt = bench.run(write(bench, visit))
    assert receipt.outcome is WriteOutcome.ALREADY and len(bench.phone.records().all()) == 4
    assert not bench.desk.batches


@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.REPLY_LOST])
def test_phone_taken_away_at_any_exchange_can_be_tapped_again(outcome: Outcome) -> None:
    counting = bench_at()
    none = Strike(-1, outcome)
    visit = registered(counting)
    counting.run(write(counting, visit), wallet=Failing(DirectLink(NfcFace(counting.phone), counting.clock), none))
    assert none.count > 8
    for at in range(none.count):
        bench = bench_at()
        visit = registered(bench)
        try:
            bench.run(write(bench, visit), wallet=Failing(DirectLink(NfcFace(bench.phone), bench.clock), Strike(at, outcome)))
        except Ended as e:  # not when only the good-bye was lost
            assert e.torn and bench.run(write(bench, visit)).outcome.done
        assert len(bench.phone.records().all()) == 4, f"exchange {at}"


def test_wallet_that_does_not_say_what_it_holds_is_not_written_to() -> None:
    bench = bench_at()
    visit = registered(bench)
    shown = bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    assert target_of(shown).generation == 0
    for wrong in (None, -1, True, "1"):
        shown.document.device_values[vhc.RECORDS]["generation"] = wrong
        with pytest.raises(Ended):
            target_of(shown)


@pytest.mark.parametrize("since", ["certificates renewed", "something else written"])
def test_batch_that_was_never_stored_is_made_anew_when_the_world_has_changed(since: str) -> None:
    bench = bench_at()
    visit = registered(bench)
    bench.people.use = Use.TREATMENT
    lost = Strike(9, Outcome.GONE)  # before the phone hears of the batch
    with pytest.raises(Ended) as end:
        bench.run(write(bench, visit), wallet=Failing(DirectLink(NfcFace(bench.phone), bench.clock), lost))
    assert end.value.torn and len(bench.desk.batches) == 1 and bench.phone.records().generation == 0
    if since == "certificates renewed":
        bench.reader_certificates(from_ns=NOW_NS - 10**9)
    else:
        assert bench.run(write(bench, visit, "w")).outcome is WriteOutcome.STORED
    receipt = bench.run(write(bench, visit))
    assert receipt.outcome is WriteOutcome.STORED and not bench.desk.batches


def test_years_of_visits_are_still_read_the_newest_first() -> None:
    """Each with certificates of its own: a response has its limit, and the phone keeps the rest."""
    bench = bench_at()
    for number in range(45):
        bench.reader_certificates(from_ns=NOW_NS - number * 10**9)
        visit = registered(bench, f"visit {number}")
        bench.run(write(bench, visit, f"v{number}"))
    shown = bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    visits, chains = shown.value(vhc.RECORDS, "visits"), shown.value(vhc.RECORDS, "certificates")
    assert 10 < len(visits) < 45 and records_of(visits)[-1].fields[1] == "W045"
    everything = [*visits, *shown.value(vhc.RECORDS, "prescriptions")]
    named = {thumbprint(s) for raw in everything for s in read_record(raw)[1].signatures}
    assert named == set(chains) and len(bench.phone.records().all()) == 45 * 4


def test_refused_batch_is_no_writing_in_the_log() -> None:
    bench = bench_at()
    visit = registered(bench)
    bench.people.use = Use.TREATMENT
    bench.run(write(bench, visit))
    bench.desk.batches.clear()
    before = [entry.deed for entry in bench.phone.log.entries()].count(Deed.WRITTEN)
    with pytest.raises(Ended) as end:
        bench.run(write(bench, visit))  # the same id for other bytes
    assert end.value.code == "5023"
    assert [entry.deed for entry in bench.phone.log.entries()].count(Deed.WRITTEN) == before == 1


def test_receipt_under_a_mac_proves_nothing_to_others_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_at()
    visit = registered(bench)
    real = response.believe
    monkeypatch.setattr(response, "believe", lambda *a, **k: replace(real(*a, **k), signed=False))
    with pytest.raises(Ended, match="signature"):
        bench.run(write(bench, visit))


def test_more_than_one_batch_carries_is_told_before_anything_is_kept() -> None:
    bench = bench_at()
    visit = registered(bench)

    def many(holder: bytes) -> Sequence[Record]:
        return [Record(Kind.VISIT, n.to_bytes(16, "big"), holder, NOW_NS, {1: bytes(1000)}) for n in range(60)]

    with pytest.raises(Ended) as end:
        bench.run(write_wallet(bench.desk, bench.counter, visit, many, bench.act("many"), bench.doctor))
    assert end.value.code == "5033" and "in parts" in end.value.what and not bench.desk.batches


@pytest.mark.parametrize("counter", MEDIA[::2], ids=lambda c: c.medium.value)
def test_session_is_ended_with_a_phone_that_is_refused(counter: Counter) -> None:
    bench = bench_at(counter)
    visit = registered(bench)
    bench.phone = phone("another", card_holder("000000000077", "陳淑芬"))
    with pytest.raises(Ended):
        bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    assert bench.phone.session is None and bench.phone.consent.given is None


def test_part_that_was_not_armed_is_asked_for_on_the_phone() -> None:
    bench = bench_at()
    visit = registered(bench)
    arm = bench.phone.arm
    some = {vhc.BASIC: ["name", "card_no", "held_under"]}
    bench.phone.arm = lambda *_, **__: arm(  # type: ignore[method-assign]
        Use.TREATMENT, some, bench.clock.now_ns(), write=False
    )
    bench.people.asked.clear()
    shown = bench.run(read_medical_wallet(bench.desk, bench.counter, bench.doctor, visit))
    assert APPROVE in bench.people.asked and shown.value(vhc.MEDICAL, "allergies") == ["PENICILLIN"]
