"""How long the messages of the virtual card are, in bytes (texts: in characters), from one seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

from benchmarks._presentation import BLE_METHOD, INSTITUTION, NOW_NS, PLACE, DeskAndPhone, holder
from virtual_devices import vhc
from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import sign as es256
from virtual_devices.qr import card as qr_card
from virtual_devices.qr import parts, prescription
from virtual_devices.qr.challenge import new_challenge
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import ByteStream, private_key, stream
from virtual_devices.reader.proximity import ReaderSession, engage_nfc
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.write_back import prepare, sign_records, target_of, write
from virtual_devices.records import RECORDS
from virtual_devices.status_list import ENTRIES, Status, StatusList
from virtual_devices.trace import ExchangeRow, Row
from virtual_devices.write_back import Kind, Record, holder_of

BATCHES = (1, 10, 60)
NO_PHOTOGRAPH = {space: {n: keep for n, keep in names.items() if n != "portrait"} for space, names in vhc.REGISTRATION.items()}


def sizes() -> dict[str, Any]:
    """Everything, by what it is."""
    return {"engagement": _engagement(), "session messages": _presentations(), "write-back": _batches(),
            "QR text, characters": _codes(), "status list of 2^20 entries": _lists()}


def _engagement() -> dict[str, int]:
    nfc, ble = DeskAndPhone("nfc"), DeskAndPhone("ble")
    engaged = nfc.run(engage_nfc(nfc.desk.fresh))
    shown = ble.phone.engage([BLE_METHOD]).engagement
    return {
        "by NFC": len(engaged.engagement.raw), "handover select (Hs)": len(engaged.handover[0]), "by QR code": len(shown.raw),
        "QR text, characters": len(shown.qr_text()),
    }


def _presentations() -> dict[str, dict[str, int]]:
    """Of each presentation: the first message (with the reader's key), and its answer."""
    return {
        "registration": _messages("registration")[0],
        "registration without photograph": _messages("registration", NO_PHOTOGRAPH)[0],
        "consultation": _messages("consultation")[0],
    }


def _messages(name: str, wanted: Mapping[str, Mapping[str, bool]] | None = None) -> list[dict[str, int]]:
    """The session messages of one presentation over BLE: each request with its answer."""
    place = DeskAndPhone("ble")
    place.consent(name)
    rows: list[Row] = []
    place.run(place.present(name, wanted=wanted), rows.append)
    return _of(rows)


def _of(rows: Sequence[Row]) -> list[dict[str, int]]:
    aside = ("connect", "end session")
    asked = [row for row in rows if isinstance(row, ExchangeRow) and row.role == "wallet" and row.step not in aside]
    return [{"request": row.request_bytes, "response": row.reply_bytes} for row in asked]


def _batches() -> dict[str, dict[str, int]]:
    """Of a batch of so many records: the batch, its last record, the receipt, and the session messages that carry them."""
    return {f"{count} records": _batch(count) for count in BATCHES}


def _batch(count: int) -> dict[str, int]:
    place, found = DeskAndPhone("ble"), dict[str, int]()
    place.consent("consultation")

    def written(opened: ReaderSession, shown: Any) -> Flow[None]:
        target = target_of(shown)
        signed = yield from sign_records(place.desk, _records(count, target.holder), place.sam_handle, hpc=place.hpc_handle)
        batch = prepare(target, signed, bytes(16))
        with suppress(Ended):  # the holder is asked for it first
            yield from write(place.desk, opened, batch, place.sam_handle, hpc=place.hpc_handle)
        place.approve("consultation")
        receipt = yield from write(place.desk, opened, batch, place.sam_handle, hpc=place.hpc_handle)
        found.update({"batch": len(batch.to_bytes()), "record": len(signed[-1]), "receipt": len(dumps(receipt.value()))})

    rows: list[Row] = []
    place.run(place.present("consultation", written), rows.append)
    return found | _of(rows)[-1]


def _records(count: int, device: bytes) -> Sequence[Record]:
    """A visit and its prescription entries, each as long as the physical card's (``card_layout``, 醫1)."""
    visit = Record(Kind.VISIT, bytes(16), device, NOW_NS, {1: "W001", 2: "01", 3: "9901180014"})
    length = RECORDS["outpatient_rx"].length
    entries = [
        Record(Kind.PRESCRIPTION, number.to_bytes(16, "big"), device, NOW_NS, {1: b"AC".ljust(length, b"0")})
        for number in range(1, count)
    ]
    return [visit, *entries]


def _codes() -> dict[str, int]:
    place, fresh = DeskAndPhone("nfc"), ByteStream("benchmark", "codes")
    key, device = private_key("benchmark", "code"), private_key("benchmark", "device").public_key()
    inner = place.issuer.qr(holder(), device, key.public_key(), PLACE, NOW_NS)
    challenge = new_challenge(f"{INSTITUTION}/counter 1", fresh)

    def shown(*more: Any) -> str:
        return qr_card.show(inner, lambda message: es256(key, message), NOW_NS, fresh, *more)

    found = {
        "card": len(shown()), "card for one reader": len(shown(challenge)), "challenge": len(challenge.to_text()),
        "token": len(TokenOffice(fresh).issue(holder().card_no, NOW_NS)),
    }
    for entries in (1, 5, 20):
        text = prescription.to_text(_prescription(place, entries, holder_of(device)))
        found |= {f"prescription of {entries}": len(text), f"codes for it ({entries})": len(parts.split(text, fresh))}
    return found


def _prescription(place: DeskAndPhone, entries: int, device: bytes) -> bytes:
    lines = tuple(prescription.Entry("1", f"AC{n:08d}", "", "1T TID PC PO", 28, 840, "01") for n in range(entries))
    made = prescription.Prescription(bytes(16), device, NOW_NS, INSTITUTION, lines, date(2026, 5, 24))
    hpc, sam = place.hpc.image.identity, place.sam.image.identity
    physician = prescription.SigningParty(place.desk.hpc_reader_chain[0], lambda message: es256(hpc.key, message))
    return prescription.sign(made, physician, prescription.SigningParty(place.desk.reader_chain[0], lambda m: es256(sam.key, m)))


def _lists() -> dict[str, int]:
    """One signed list, with so many of its cards lost or recalled."""
    issuer, found = DeskAndPhone("nfc").issuer.data_centre, {}
    for share in (0.0, 0.001, 0.01):
        listed, rng = StatusList("urn:nhi:bench:status/0"), stream("benchmark", "lists", share)
        for place in rng.sample(range(ENTRIES), round(share * ENTRIES)):
            listed[place] = rng.choice((Status.INVALID, Status.SUSPENDED))
        found[f"{share:.1%} set"] = len(listed.sign(issuer, NOW_NS, NOW_NS + 86_400 * NS, 3600))
    return found
