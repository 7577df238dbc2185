"""Attacks on write-back: for the wrong patient, twice, against what was read, by who may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from virtual_devices import vhc
from virtual_devices.codes import Space
from virtual_devices.flow import Flow
from virtual_devices.holder.refusals import No
from virtual_devices.link import Attempt, DirectLink, Outcome
from virtual_devices.pki import Identity, Role
from virtual_devices.randomness import private_key
from virtual_devices.reader.proximity import ReaderSession, ask
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.wallet_visit import (
    BEFORE_WRITING,
    VirtualRegistered,
    read_medical_wallet,
    register_wallet,
    write_wallet,
)
from virtual_devices.reader.write_back import prepare, sign_records, target_of, write
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import NfcFace
from virtual_devices.wallet.held import OWN, Folder, Held
from virtual_devices.write_back import Batch, Receipt, Record, WriteOutcome, holder_of, read_record
from virtual_devices.write_back import Kind as Records

from .attacks import Attack, Kind, Mark, Result, Table, desk_for, presented, tried
from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID
from .links import Through
from .test_virtual_devices_holder_writing import REFUSED, signed
from .test_virtual_devices_holder_writing import write as written
from .wallets import PHONE_PIN, WalletBench, card_holder, phone

ROWS = Table("Write-back")
CLAUSE = "write-back"


def records(holder: bytes, name: int = 1) -> Sequence[Record]:
    return [Record(Records.VISIT, name.to_bytes(16, "big"), holder, NOW_NS, {1: "W001", 2: "01", 3: INSTITUTION})]


def registered(bench: WalletBench) -> VirtualRegistered:
    bench.people.use = Use.REGISTRATION
    found: VirtualRegistered = bench.run(register_wallet(bench.desk, bench.counter, bench.request()))
    bench.people.use = Use.TREATMENT
    return found


def _batches(bench: WalletBench, change: Callable[[Batch], Batch], *, again: int = 1, hpc: bool = True) -> list[Receipt]:
    """A desk whose software does as it likes: reads, signs, and sends what ``change`` makes of its batch, so often."""
    told = []

    def body(opened: ReaderSession, sam: Handle) -> Flow[None]:
        shown = yield from ask(bench.desk, opened, BEFORE_WRITING, sam, hpc=bench.doctor)
        signed = yield from sign_records(bench.desk, records(target_of(shown).holder), sam, bench.doctor)
        batch = change(prepare(target_of(shown), signed, bench.act("batch")))
        for _ in range(again):
            if bench.phone.consent.asked:
                approve(bench)
            told.append((yield from _sent(bench, opened, batch, sam, bench.doctor if hpc else None)))

    presented(bench, body)
    return told


def _sent(bench: WalletBench, opened: ReaderSession, batch: Batch, sam: Handle, hpc: Handle | None) -> Flow[Receipt]:
    try:
        return (yield from write(bench.desk, opened, batch, sam, hpc=hpc))
    except Ended as e:
        if e.said != No.CONSENT_NEEDED:
            raise
    approve(bench)
    return (yield from write(bench.desk, opened, batch, sam, hpc=hpc))


def approve(bench: WalletBench) -> None:
    bench.people.ask("holder", "approve on the phone")


def _one_batch(bench: WalletBench) -> Batch:
    """A batch that was written there."""
    kept = []

    def keep(batch: Batch) -> Batch:
        kept.append(batch)
        return batch

    _batches(bench, keep)
    return kept[0]


def _stored(bench: WalletBench) -> int:
    return len(bench.phone.records().all())


# -- the wrong patient

@ROWS.add("another patient's phone is tapped when the visit is written", Kind.REFUSED, "5020", "nothing is written", CLAUSE,
          Mark.PROFILE)
def patient_swapped_before_writing() -> Result:
    bench = desk_for()
    visit = registered(bench)
    bench.phone = phone("another", card_holder("000000000077", "陳淑芬"))
    found = tried(lambda: bench.run(
        write_wallet(bench.desk, bench.counter, visit, records, bench.act("batch"), bench.doctor)))
    assert _stored(bench) == 0
    return found


@ROWS.add("the desk's software sends one patient's batch to another patient's phone", Kind.REFUSED, "5020",
          "the receipt says: wrong holder", CLAUSE, Mark.PROFILE)
def batch_of_one_patient_sent_to_another() -> Result:
    kept = _one_batch(desk_for())
    bench = desk_for()
    bench.phone = phone("another", card_holder("000000000077", "陳淑芬"))
    found = tried(lambda: _batches(bench, lambda _: kept))
    assert _stored(bench) == 0
    return found


@ROWS.add("the same person's card on another phone is tapped: bound to another key", Kind.REFUSED, "5020",
          "the records name the first phone's key: wrong holder", CLAUSE, Mark.PROFILE)
def batch_for_the_phone_before() -> Result:
    kept = _one_batch(desk_for())
    bench = desk_for()
    bench.phone = phone("new", card_holder(CARD_NO))
    assert _stored(bench) == 0
    return tried(lambda: _batches(bench, lambda batch: replace(kept, issuer_auth=batch.issuer_auth)))


# -- twice, or out of place

@ROWS.add("a batch sent twice", Kind.REFUSED, "0",
          "the receipt says: already stored; nothing is written twice", CLAUSE,
          Mark.PROFILE)
def batch_twice() -> Result:
    """No error: a lost receipt is asked for so. The second writing is what does not succeed."""
    bench = desk_for()
    told = _batches(bench, lambda batch: batch, again=2)
    assert [r.outcome for r in told] == [WriteOutcome.STORED, WriteOutcome.ALREADY]
    return Result(_stored(bench) != 1, "0")


def _again_as(change: Callable[[Batch], Batch]) -> Result:
    """The batch of before, changed, in a later session."""
    bench = desk_for()
    kept = _one_batch(bench)
    found = tried(lambda: _batches(bench, lambda batch: change(replace(kept, generation=batch.generation))))
    assert _stored(bench) == 1
    return found


@ROWS.add("a stored batch sent again under another id", Kind.REFUSED, "5023", "its record is there already: conflict", CLAUSE,
          Mark.PROFILE)
def batch_under_another_id() -> Result:
    return _again_as(lambda batch: replace(batch, id=bytes(16)))


@ROWS.add("another batch under the id of a stored one", Kind.REFUSED, "5023", "same id, other bytes: conflict", CLAUSE,
          Mark.PROFILE)
def batch_id_used_again() -> Result:
    return _again_as(lambda batch: batch)


@ROWS.add("the answer with the receipt is lost, and the desk asks again", Kind.REFUSED, "0",
          "the same receipt, told as already stored", CLAUSE, Mark.PROFILE)
def receipt_lost() -> Result:
    bench = desk_for()
    _batches(bench, lambda batch: batch)
    told = _batches(bench, lambda batch: replace(batch, generation=0))
    assert told[0].outcome is WriteOutcome.ALREADY
    return Result(_stored(bench) != 1, "0")


# -- by who may not

def _refused(make: Any, readers: Any) -> Result:
    made = phone()
    receipt = written(made, make(made), readers)
    assert made.records().all() == []
    return Result(receipt.outcome.done, receipt.outcome.code)


def _batches_that_are_refused() -> None:
    for why, (make, readers, outcome, _) in REFUSED.items():
        ROWS.put(Attack(
            f"batch-{why.replace(' ', '-').replace(chr(39), '').lower()}", f"a batch with {why}", Kind.REFUSED, outcome.code,
            f"the receipt says: {outcome.name.lower().replace('_', ' ')}; all or nothing", CLAUSE, Mark.PROFILE,
            partial(_refused, make, readers),
        ))


_batches_that_are_refused()


@ROWS.add("a nurse's or physician's record written without the professional's card", Kind.REFUSED, "5009",
          "the receipt says: bad signature", CLAUSE, Mark.PROFILE)
def written_without_the_professional() -> Result:
    bench = desk_for()
    found = tried(lambda: _batches(bench, lambda batch: batch, hpc=False))
    assert _stored(bench) == 0
    return found


@ROWS.add("a reader outside medical care writes", Kind.REFUSED, "4029", "other readers needed", CLAUSE, Mark.PROFILE)
def written_by_a_reader_outside_medical_care() -> Result:
    bench = desk_for(Use.NON_MEDICAL)
    image = bench.sam.image
    bench.desk.reader_chain = AUTHORITY.renew(
        Role.OTHER_USE, SAM_ID, image.identity.key.public_key(), NOW_NS, organisation=INSTITUTION)

    def body(opened: ReaderSession, sam: Handle) -> Flow[Any]:
        batch = Batch(bytes(16), bytes(32), 0, (b"\x00",))
        return (yield from write(bench.desk, opened, batch, sam))

    found = tried(lambda: presented(bench, body))
    assert _stored(bench) == 0
    return found


@ROWS.add("writing without the holder's consent to it", Kind.REFUSED, "5109", "consent needed; nothing is written", "consent",
          Mark.PROFILE)
def written_without_consent() -> Result:
    bench = desk_for()
    bench.people.willing = False
    now_ns = bench.clock.now_ns()
    bench.phone.holder.enter_pin(PHONE_PIN, now_ns)
    assert bench.phone.arm(Use.TREATMENT, {vhc.BASIC: ["card_no", "name", vhc.HELD_UNDER], vhc.RECORDS: ["generation"]}, now_ns,
                           write=False)
    found = tried(lambda: _batches(bench, lambda batch: batch))
    assert _stored(bench) == 0
    return found


@ROWS.add("the phone is taken away before its receipt, with what it has stored", Kind.RECONCILED, "4013",
          "the desk knows neither; the same batch at the next contact, or the data centre, settles it", "two generals",
          Mark.PROFILE)
def phone_taken_away_with_what_it_stored() -> Result:
    """Stored on the phone, unknown at the desk: the same batch at the next tap tells it."""
    bench = desk_for()
    visit = registered(bench)
    probe = Through(DirectLink(NfcFace(bench.phone), bench.clock))

    class Leaves(Through):
        """The phone acts on the batch, and is gone before its answer is."""

        def attempt(self, message: bytes, timeout_s: float) -> Attempt:
            before = bench.phone.records().generation
            attempt = super().attempt(message, timeout_s)
            return Attempt(Outcome.GONE, 0) if bench.phone.records().generation != before else attempt

    flow = partial(write_wallet, bench.desk, bench.counter, visit, records, bench.act("batch"), bench.doctor)
    lost = tried(lambda: bench.run(flow(), wallet=Leaves(probe)))
    assert not lost.succeeded and _stored(bench) == 1
    settled = bench.run(flow())
    return Result(True, lost.code, evidence=settled.outcome is WriteOutcome.ALREADY and _stored(bench) == 1)


# -- what a phone shows of what was written

def _shown_by_a_changed_phone(change: Callable[[WalletBench, bytes], bytes]) -> Result:
    """A true prescription is written; the phone's own software then shows something else. At a physician's, who reads it."""
    bench = desk_for()
    visit = registered(bench)
    bench.run(write_wallet(bench.desk, bench.counter, visit, _prescribed, bench.act("batch"), bench.doctor))
    read = partial(read_medical_wallet, bench.desk, bench.counter, bench.doctor, visit)
    assert bench.run(read()).value(vhc.RECORDS, "prescriptions") is not None
    folder = Folder(bench.phone.vault, OWN)
    name = max(folder.names("record."))
    changed = change(bench, folder.get(name) or b"")
    folder.commit({name: changed})
    with patch.object(Held, "holder", property(lambda _: read_record(changed)[0].holder)):  # its own sees whose it is
        return tried(lambda: bench.run(read()))


def _prescribed(holder: bytes, dose: str = "21.0") -> Sequence[Record]:
    return [Record(Records.PRESCRIPTION, bytes(range(16)), holder, NOW_NS, {1: f"AC00000001 TID 07 {dose}"})]


def _resigned(*signers: Identity) -> Callable[[WalletBench, bytes], bytes]:
    return lambda _, raw: signed(read_record(raw)[0], *signers)


def _for_another(bench: WalletBench, raw: bytes, holder: bytes = bytes(32)) -> bytes:
    """The same prescription as the same physician signed it for somebody else's card."""
    other = replace(read_record(raw)[0], holder=holder)
    return signed(other, *(Identity(image.identity.key, chain) for image, chain in (
        (bench.hpc.image, bench.desk.hpc_reader_chain), (bench.sam.image, bench.desk.reader_chain))))


def _for_a_ward(bench: WalletBench, raw: bytes) -> bytes:
    """For a ward's card on this very phone, which has the same key as its holder's own."""
    held = bench.phone.cards.get(OWN)
    assert held is not None
    return _for_another(bench, raw, holder_of(held.mso.device_key, b"authorization 01"))


def _strangers(role: Role, subject: str) -> Identity:
    key = AUTHORITY.issue(role, subject).key
    return Identity(key, AUTHORITY.renew(role, subject, key.public_key(), NOW_NS))


FALSE: dict[str, tuple[Callable[[WalletBench, bytes], bytes], str, str]] = {
    "with another dose": (lambda _, raw: raw.replace(b"21.0", b"91.0"), "1420", "the physician's signature is wrong"),
    "that its holder has signed": (
        _resigned(Identity(private_key("the holder's own"), (b"no certificate",)),
                  Identity(private_key("the holder's own"), (b"none",))),
        "1420", "its signers are unknown: missing",
    ),
    "without the institution": (
        lambda _, raw: replace(read_record(raw)[1], signatures=read_record(raw)[1].signatures[:1]).to_bytes(), "1420",
        "signed by one, not two",
    ),
    "of another person": (_for_another, "5020", "for another card's key"),
    "of a ward as of the guardian": (_for_a_ward, "5020", "records name the card, not the key alone"),
}


def _false_prescriptions() -> None:
    for kind, (change, code, seen) in FALSE.items():
        ROWS.put(Attack(
            f"prescription-{kind.replace(' ', '-')}", f"a changed phone shows a prescription {kind}", Kind.REFUSED, code, seen,
            "records, by their signers", Mark.PROFILE, partial(_shown_by_a_changed_phone, change),
            Space.VHC if code == "1420" else Space.CSHIS,
        ))


_false_prescriptions()


@ROWS.add("records left with the data centre, signed by a library's reader in the professional's place", Kind.REFUSED, "5009",
          "the phone takes none: bad signature", CLAUSE, Mark.PROFILE)
def late_records_of_a_reader_outside_medical_care() -> Result:
    made = phone()
    held = made.cards.get(OWN)
    assert held is not None
    library, sam = _strangers(Role.OTHER_USE, "LIBRARY00001"), _strangers(Role.SAM, SAM_ID)
    (one,) = _prescribed(holder_of(held.mso.device_key))
    raw, chains = signed(one, library, sam), [list(library.chain), list(sam.chain)]
    outcome = made.take_late([bytes(16), [raw], chains], NOW_NS)
    assert made.records().all() == []
    physician = _strangers(Role.PHYSICIAN, DOCTOR_ID)
    true = [bytes(16), [signed(one, physician, sam)], [list(physician.chain), list(sam.chain)]]
    assert made.take_late(true, NOW_NS) is WriteOutcome.STORED
    return Result(outcome.done, outcome.code)
