"""Signed prescriptions and dispensings onto the holder's phone or second-generation card, in one presentation, and the receipt as
evidence that others can verify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtual_devices import vhc
from virtual_devices.authorization import Scope
from virtual_devices.flow import Flow
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.prescription.recipient import device_evidence, encoded_key
from virtual_devices.reader.calls import call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.prescription_desk import OK
from virtual_devices.reader.presentation import OPEN_APP, Counter, ask_again, consented, present, ready_for_wallets
from virtual_devices.reader.proximity import ReaderSession, Shown
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import WRONG_PERSON
from virtual_devices.reader.wallet_visit import BEFORE_WRITING, NEVER_STORED, Person, identify
from virtual_devices.reader.write_back import former_shown, prepare, target_of, write_shown
from virtual_devices.write_back import Batch, Receipt

ROLE = "wallet"


@dataclass(frozen=True, slots=True)
class Stored:
    """``evidence``: what the device signed (``recipient.py``); ``former``: the cards whose place its card took."""

    receipt: Receipt
    evidence: Mapping[int, Any]
    former: frozenset[bytes] = frozenset()


BEFORE_PUTTING = {**BEFORE_WRITING, vhc.BASIC: {**BEFORE_WRITING[vhc.BASIC], vhc.FORMER: False}}


def put_on_wallet(
    desk: Desk, counter: Counter, card_no: str, records: Sequence[bytes], batch_id: bytes, hpc: Handle,
) -> Flow[Stored]:
    """Records that are signed already, for the device that they name. Run again after a receipt that never came, it sends the
    very same batch: stored is then told as already stored. Raises Ended: 5020 for another person's card, or what the wallet has
    against the batch (its signers are those who sign in this session)."""

    def body(opened: ReaderSession, sam: Handle) -> Flow[Stored]:
        shown = yield from ask_again(desk, opened, BEFORE_PUTTING, sam, hpc)
        person: Person = identify(desk, opened, shown, frozenset({Scope.BASIC, Scope.WRITE}), counter.purpose)
        if person.card_no != card_no:
            raise Ended("the device that is presented is another person's", WRONG_PERSON, ROLE)
        target, kept = target_of(shown), desk.batches.get(batch_id)
        if kept is not None and kept.issuer_auth == target.issuer_auth:
            try:
                return (yield from send(opened, sam, kept, shown))
            except Ended as e:
                if e.code not in NEVER_STORED:
                    raise
        kept = prepare(target, records, batch_id)
        desk.batches[batch_id] = kept
        return (yield from send(opened, sam, kept, shown))

    def send(opened: ReaderSession, sam: Handle, batch: Batch, before: Shown) -> Flow[Stored]:
        receipt, shown = yield from consented(opened, lambda: write_shown(desk, opened, batch, sam, hpc=hpc))
        del desk.batches[batch_id]
        assert shown.document.device is not None
        key = encoded_key(to_cose(before.document.mso.device_key))
        under = before.value(vhc.BASIC, vhc.HELD_UNDER)
        evidence = device_evidence(opened.transcript.encoded, shown.document.device, key, batch, under)
        return Stored(receipt, evidence, former_shown(before))

    return (yield from present(desk, counter, OPEN_APP, body))


def leave_for_wallet(desk: Desk, card_no: str, records: Sequence[bytes]) -> Flow[bool]:
    """The holder has left: signed records wait at the data centre for the phone. False when the line is down. Raises Ended."""
    sam = yield from ready_for_wallets(desk)
    chains = [list(chain) for chain in (desk.reader_chain, desk.hpc_reader_chain) if chain]
    arguments = {"card_no": card_no, "records": list(records), "chains": chains}
    answer = yield from call(desk, sam, "late-records", desk.fresh(16), arguments, "leave records with the data centre")
    if answer is not None and answer.code != OK:
        raise Ended("the data centre does not take the records", answer.code, "cloud")
    return answer is not None


__all__ = ["Stored", "leave_for_wallet", "put_on_wallet"]
