"""How the second-generation card differs from a phone with the virtual card, for people and for the documentation."""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.card.second import MAX_COMMAND_BYTES, MAX_MESSAGE_BYTES, MAX_RESPONSE_BYTES
from virtual_devices.card.second_records import HELD_BYTES, MAX_RECORD_BYTES, ROOM
from virtual_devices.holder.writing import RECEIPTS
from virtual_devices.records import Certainty
from virtual_devices.write_back import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them. ``limit``: what follows from it and cannot be helped; empty when nothing does."""

    subject: str
    phone: str
    card: str
    limit: str
    mark: str


_PROFILE = "profile"
_VISITS, _PRESCRIPTIONS = ROOM[Kind.VISIT], ROOM[Kind.PRESCRIPTION]

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "time", "its own clock, at most 30 s wrong",
        "none: the latest date at which a certificate that it has verified begins",
        "a reader whose certificate has ended, or that was revoked, is taken until the card has met a newer one", _PROFILE,
    ),
    Difference(
        "dates that it states", "of a receipt: now",
        "of a receipt: the latest date seen, at most 72 h old at an honest reader",
        "the reader's own time, and the data centre's, decide when a record was written", _PROFILE,
    ),
    Difference(
        "consent", "asked on the screen, or armed for one session within a minute",
        "handing the card over; for medical data VERIFY, where the holder has switched the PIN on",
        "the PIN is typed at the reader, and in the field it goes through the air in the clear", _PROFILE,
    ),
    Difference(
        "without a PIN", "nothing leaves",
        "basic data to a proved SAM and writing, as today's card; with the PIN off medical data to SAM and professional too",
        "with the PIN off, a reader that has both proofs reads a card in a pocket within some centimetres", _PROFILE,
    ),
    Difference(
        "outside medical care", "what the holder allows", "by contact as handed over; in the field after VERIFY only", "",
        _PROFILE,
    ),
    Difference(
        "wrong PINs", "delays that grow, then a lock", "three tries, the last one by contact only",
        "two wrong PINs in the field close VERIFY there until the right one is entered by contact", _PROFILE,
    ),
    Difference("log", "who read what, readable on the phone", "none: there is no screen to read it on",
               "the holder learns it nowhere: the data centre hears of visits, not of reads", _PROFILE),
    Difference("guardians", "authorizations of wards", "none: a card is its holder's own", "", _PROFILE),
    Difference(
        "media", "QR code, NFC, BLE", "contact (T=1, T=0) and NFC with static handover", "no BLE, no code on a screen",
        _PROFILE,
    ),
    Difference(
        "handover by contact", "-", "Hs read from the tag's file through the card application, [Hs, null] in the transcript",
        "ISO/IEC 18013-5 has no contact interface: a reader of another maker will not know it", _PROFILE,
    ),
    Difference(
        "changing the PIN", "on the phone", "by the old application's commands: by contact, to a proved SAM", "", _PROFILE,
    ),
    Difference(
        "two sets of records", "-",
        "an old desk writes the old areas, a new one signed records; the date seen, the PIN and the cancel mark are common",
        "neither desk sees on the card what the other wrote; the data centre has both", _PROFILE,
    ),
    Difference(
        "old public read", "-", f"by contact, byte for byte; {Certainty.PUBLIC.value}; refused in the field (6A82, 6985)",
        "an old contactless reader reads nothing", _PROFILE,
    ),
    Difference(
        "records held", "600 of any kind, then FULL",
        f"{_VISITS} visits with as many fees and cancellations, {2 * _VISITS} amendments, {_PRESCRIPTIONS} prescriptions: the "
        f"oldest gives place, also above {HELD_BYTES // 1000} kB of records and certificates; FULL for more in one batch, or "
        f"a record above {MAX_RECORD_BYTES} bytes",
        "what gave place is in the data centre only; long-term prescriptions have no room of their own", _PROFILE,
    ),
    Difference("receipts held", f"{RECEIPTS}", f"{RECEIPTS}", "", _PROFILE),
    Difference(
        "messages", "65535 and 65536 bytes a command and answer, 64 kB a message",
        f"{MAX_COMMAND_BYTES} and {MAX_RESPONSE_BYTES} bytes (T=0: 255 and 256), {MAX_MESSAGE_BYTES // 1024} kB a message",
        "", "assumed",
    ),
    Difference(
        "key", "in the phone's secure element, attested", "in the chip, made when it is personalised",
        "a bench's image holds it; a real chip has no such image", _PROFILE,
    ),
    Difference(
        "cost of signatures", "milliseconds", "more than half a second a request by SAM and professional (chip_costs.py)",
        "two chains a tap are slow, and a long batch is waited for longer than any other answer (P-WBK-11): modelled, measured "
        "on no such card",
        "assumed",
    ),
)

__all__ = ["DIFFERENCES", "Difference"]
