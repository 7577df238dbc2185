"""A reader's flows over NFC: the handover from a wallet's tag, and messages to and from the wallet (ISO/IEC 18013-5).

They speak to the role "wallet" (or another that is named) in command and response APDUs. A wallet that refuses, falls silent
or says what cannot be ends them with :class:`~virtual_devices.reader.transmit.Ended`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from virtual_devices.apdu import MAX_SHORT_LE, Command, MalformedApdu, Response
from virtual_devices.flow import Exchange, Flow, Sleep
from virtual_devices.link import Attempt, Outcome
from virtual_devices.mdoc import ndef, nfc_retrieval, tnep, type4
from virtual_devices.mdoc.carriers import Carrier, MalformedHandover
from virtual_devices.mdoc.handover import SERVICE, Handover, make_request, read_select
from virtual_devices.quick import quick
from virtual_devices.reader.transmit import (
    ABSENT,
    CARD_TIMEOUT_S,
    NO_CARD,
    READ_WRITE_FAULT,
    READER_TIMEOUT,
    Ended,
    need_ok,
)

STEP_HANDOVER, STEP_RETRIEVAL = "engage by NFC", "retrieve over NFC"
_SHORT_DATA = 255


@quick
@dataclass(frozen=True, slots=True)
class Container:
    """What a capability container says. Lengths in bytes."""

    file: int
    max_read_bytes: int
    max_write_bytes: int
    max_message_bytes: int
    writable: bool


def read_container(raw: bytes) -> Container:
    """Raises MalformedHandover."""
    if len(raw) < 15 or (raw[0] << 8 | raw[1]) < 15:
        raise MalformedHandover(f"a capability container of {len(raw)} bytes", "Type 4 Tag 2.0, 5.1")
    if raw[2] >> 4 not in (1, 2, 3) or raw[7:9] != b"\x04\x06":
        raise MalformedHandover(f"mapping version {raw[2]:02x}, file control {raw[7:9].hex()}", "Type 4 Tag 2.0, 5.1")
    read, write, size = raw[3] << 8 | raw[4], raw[5] << 8 | raw[6], raw[11] << 8 | raw[12]
    if read < 15 or not write or size < 5 or raw[13]:
        raise MalformedHandover("a tag that cannot be read", "Type 4 Tag 2.0, 5.1")
    return Container(raw[9] << 8 | raw[10], read, write, size - 2, raw[14] == 0)


def handover(
    carriers: Sequence[Carrier], draw: Callable[[int], bytes], role: str = "wallet", timeout_s: float = CARD_TIMEOUT_S,
) -> Flow[Handover]:
    """The handover that the wallet's tag offers: static ones are read, negotiated ones asked for with the reader's
    ``carriers`` in order of preference. ``draw`` gives random bytes. Raises Ended."""
    tag = _Tag(role, timeout_s)
    try:
        container = yield from tag.open()
        first = yield from tag.read(container)
        records = ndef.decode(first, max_bytes=type4.MAX_MESSAGE_BYTES)
        service = tnep.offered(records, SERVICE)
        if service is None:
            found = read_select(first, records=records)
        else:
            yield from tag.write(container, tnep.select_message(SERVICE))
            answer = yield from tag.read(container, service)
            status = tnep.read_status(ndef.decode(answer))
            if status != tnep.SUCCESS:
                raise Ended(f"the {role} does not open the handover service: status {status}", READ_WRITE_FAULT, role)
            hr = make_request(carriers, draw)
            yield from tag.write(container, hr)
            hs = yield from tag.read(container, service)
            found = read_select(hs, hr)
    except (ndef.MalformedNdef, MalformedHandover) as e:
        raise Ended(f"the {role}'s handover: {e}", READ_WRITE_FAULT, role) from None
    if not found.carriers:
        raise Ended(f"the {role} has no way of retrieval in common with this reader", READ_WRITE_FAULT, role)
    return found


def open_retrieval(role: str = "wallet", timeout_s: float = CARD_TIMEOUT_S) -> Flow[None]:
    """Select the wallet's application for retrieval. Raises Ended."""
    response = yield from _once(role, type4.select(nfc_retrieval.AID), STEP_RETRIEVAL, timeout_s)
    need_ok(response, role, f"the {role} has no retrieval over NFC")


def retrieve(
    message: bytes, max_command_bytes: int = _SHORT_DATA, max_response_bytes: int = MAX_SHORT_LE, role: str = "wallet",
    step: str = STEP_RETRIEVAL, timeout_s: float = CARD_TIMEOUT_S, max_message_bytes: int = nfc_retrieval.MAX_MESSAGE_BYTES,
) -> Flow[bytes]:
    """One session message to the wallet, and its answer; empty when the wallet has none to give. The limits of data fields
    are the smaller of what wallet and reader support. Raises Ended."""
    response = Response()
    for link in nfc_retrieval.envelopes(message, max_command_bytes, max_response_bytes):
        response = yield from _once(role, link, step, timeout_s)
        if link.chaining and (not response.ok or response.data):
            raise _refusal(response, role, "a message in parts")
    answer = bytearray(response.data)
    asked = False
    while response.sw1 == 0x61:
        if (asked and not response.data) or len(answer) > max_message_bytes + 6:
            raise Ended(f"the {role} announces an answer without end", READ_WRITE_FAULT, role)
        asked = True
        wanted = min(response.sw2 or max_response_bytes, max_response_bytes)
        get = Command(0, nfc_retrieval.GET_RESPONSE, 0, 0, le=wanted)
        response = yield from _once(role, get, step, timeout_s)
        answer += response.data
    if not response.ok:
        raise _refusal(response, role, "a message")
    try:
        return nfc_retrieval.unwrap(bytes(answer), max_message_bytes) if answer else b""
    except nfc_retrieval.MalformedEnvelope as e:
        raise Ended(f"the {role}'s answer: {e}", READ_WRITE_FAULT, role) from None


class _Tag:
    """A Type 4 tag, as its reader."""

    def __init__(self, role: str, timeout_s: float) -> None:
        self._role = role
        self._timeout_s = timeout_s

    def open(self) -> Flow[Container]:
        yield from self._do(type4.select(type4.AID), "no tag application")
        yield from self._do(type4.select_file(type4.CC_FILE), "no capability container")
        raw = yield from self._do(type4.read_binary(0, 15), "the capability container")
        container = read_container(raw)
        yield from self._do(type4.select_file(container.file), "no NDEF file")
        return container

    def read(self, container: Container, service: tnep.ServiceParameter | None = None) -> Flow[bytes]:
        """The message in the file; after a write, when it has come: looked for once, and as often again as the tag may ask."""
        for _ in range(1 if service is None else 1 + service.extensions):
            if service is not None:
                yield Sleep(service.wait_s)
            raw = yield from self._do(type4.read_binary(0, 2), "the length of the message")
            length = int.from_bytes(raw, "big")
            if len(raw) != 2 or length > container.max_message_bytes:
                raise MalformedHandover(f"a message of {length} bytes, announced in {len(raw)}", "Type 4 Tag 2.0, 5.2")
            if length:
                return (yield from self._rest(container, length))
        raise Ended(f"the {self._role}'s tag holds no message", READ_WRITE_FAULT, self._role)

    def _rest(self, container: Container, length: int) -> Flow[bytes]:
        found = b""
        while len(found) < length:
            count = min(container.max_read_bytes, MAX_SHORT_LE, length - len(found))
            piece = yield from self._do(type4.read_binary(2 + len(found), count), "the message")
            if not 0 < len(piece) <= count:
                raise MalformedHandover(f"{len(piece)} bytes read where {count} were asked for", "Type 4 Tag 2.0, 5.2")
            found += piece
        return found

    def write(self, container: Container, message: bytes) -> Flow[None]:
        """In one command where it fits, else length 0, the message in pieces, its length."""
        if not container.writable or len(message) > container.max_message_bytes:
            raise MalformedHandover(f"a tag that does not take a message of {len(message)} bytes", "TNEP 1.0")
        length = len(message).to_bytes(2, "big")
        most = min(container.max_write_bytes, _SHORT_DATA)
        if len(message) + 2 <= most:
            writes = [(0, length + message)]
        else:
            writes = [(0, bytes(2)), *((2 + at, message[at : at + most]) for at in range(0, len(message), most)), (0, length)]
        for offset, data in writes:
            yield from self._do(type4.update_binary(offset, data), "the tag does not take a message")

    def _do(self, command: Command, what: str) -> Flow[bytes]:
        attempt: Attempt = yield Exchange(self._role, command.to_bytes(), self._timeout_s, STEP_HANDOVER)
        return need_ok(_response(attempt, self._role), self._role, f"the {self._role}: {what}")


def _refusal(response: Response, role: str, what: str) -> Ended:
    return Ended(f"the {role} refuses {what}: {response}", READ_WRITE_FAULT, role, sw=response.sw)


def _once(role: str, command: Command, step: str, timeout_s: float) -> Flow[Response]:
    attempt: Attempt = yield Exchange(role, command.to_bytes(), timeout_s, step)
    return _response(attempt, role)


def _response(attempt: Attempt, role: str) -> Response:
    if attempt.reply is None:
        raise _silence(attempt.outcome, role)
    try:
        return Response.parse(attempt.reply)
    except MalformedApdu as e:
        raise Ended(str(e), READ_WRITE_FAULT, role) from None


def _silence(outcome: Outcome, role: str) -> Ended:
    match outcome:
        case Outcome.GONE:
            return Ended(f"the {role} has left the field", ABSENT.get(role, NO_CARD), role, outcome=outcome)
        case Outcome.GARBLED:
            return Ended(f"the {role}'s answer is damaged", READ_WRITE_FAULT, role, outcome=outcome)
        case _:
            return Ended(f"the {role} does not answer", READER_TIMEOUT, role, outcome=outcome)


__all__ = ["Container", "handover", "open_retrieval", "read_container", "retrieve"]
