"""What of an exchange may be shown to others: what is not known to be nobody's is masked, byte for byte, by ``*``.

Kept are headers, lengths and status words, challenges and signatures, application identifiers, engagements, and the messages of a
session, which are encrypted. Of the public read the fields that say nothing of a person are kept. Masked is the data of every
other command and answer: records, certificates, text that is signed; QR codes of cards and prescriptions; messages to the data
centre. A PIN is masked always.
"""

from __future__ import annotations

from virtual_devices.apdu import Command, MalformedApdu
from virtual_devices.mdoc.engagement import QR_SCHEME
from virtual_devices.qr.text import CHALLENGE
from virtual_devices.records import RECORDS

FILL = b"*"
VERIFY, MSE, PSO, EXTERNAL, CHALLENGE_OF, INTERNAL = 0x20, 0x22, 0x2A, 0x82, 0x84, 0x88
SELECT, READ_BINARY, ENVELOPE, GET_DATA = 0xA4, 0xB0, 0xC3, 0xCA
VERIFY_KINDS = (VERIFY, 0x21, 0x24, 0x2C)  # VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER
PUBLIC_READ = (GET_DATA, 0x11, 0x00)
FREE_COMMANDS = frozenset({MSE, EXTERNAL, CHALLENGE_OF, INTERNAL, SELECT})
FREE_ANSWERS = frozenset({VERIFY, MSE, PSO, EXTERNAL, CHALLENGE_OF, INTERNAL, SELECT})
PHONES = frozenset({READ_BINARY, ENVELOPE})
"""Of a phone's applications: the tag with the engagement, and encrypted messages."""
PERSONAL = frozenset({"card_no", "name", "id_no", "birth_date"})
_SHOWN_TEXTS = (QR_SCHEME, CHALLENGE)


def apdus(role: str, request: bytes, reply: bytes | None, *, keep: bool) -> tuple[bytes, bytes | None]:
    """A command and its answer. ``keep``: personal data of invented people stays; a PIN never does."""
    try:
        command = Command.parse(request)
    except MalformedApdu:
        return (request, reply) if keep else (_after(request, 4), _answer(reply))
    ins, phone = command.ins, role == "wallet" and command.ins in PHONES
    if ins in VERIFY_KINDS or not (keep or phone or ins in FREE_COMMANDS):
        request = _data(request, command)
    if keep or phone or ins in FREE_ANSWERS:
        return request, reply
    public = (ins, command.p1, command.p2) == PUBLIC_READ
    return request, _public(reply) if public and reply is not None else _answer(reply)


def text(shown: str, *, keep: bool) -> str:
    """What a screen shows: of a card's or a prescription's code what kind it is."""
    if keep or shown.startswith(_SHOWN_TEXTS):
        return shown
    kind, colon, rest = shown.partition(":")
    return kind + colon + "*" * len(rest) if colon and kind.isalnum() else "*" * len(shown)


def whole(message: bytes) -> bytes:
    """A message of which nothing may be shown."""
    return FILL * len(message)


def _after(message: bytes, shown: int) -> bytes:
    return message[:shown] + FILL * (len(message) - shown)


def _data(request: bytes, command: Command) -> bytes:
    if not command.data:
        return request
    at = request.index(command.data, 7 if request[4] == 0 else 5)
    return request[:at] + FILL * len(command.data) + request[at + len(command.data) :]


def _answer(reply: bytes | None) -> bytes | None:
    return None if reply is None else FILL * max(0, len(reply) - 2) + reply[-2:]


def _public(reply: bytes) -> bytes:
    """The public read of a card: kind of person, date of issue and status word stay."""
    record = RECORDS["pcsc_basic"]
    if len(reply) != record.length + 2:
        return _answer(reply) or b""
    shown = bytearray(reply)
    for field in record.fields:
        if field.name in PERSONAL:
            shown[field.offset : field.offset + field.length] = FILL * field.length
    return bytes(shown)


__all__ = ["FILL", "apdus", "text", "whole"]
