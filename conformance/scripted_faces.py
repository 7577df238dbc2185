"""What a reader speaks to before the messages of a session: the applications of a scripted card, in a field and by contact.

In a field it is a phone: the tag's application and that of retrieval (ISO/IEC 18013-5). By contact it is a second-generation card
(P-CHP-05, P-CHP-10): one card application, which serves the tag's two files and takes ENVELOPE, and compares a PIN.
"""

from __future__ import annotations

from typing import Protocol

from virtual_devices import atr
from virtual_devices.apdu import SW, Command, MalformedApdu, Response
from virtual_devices.atr import Transport
from virtual_devices.card.second import ATS, MAX_RESPONSE_BYTES
from virtual_devices.mdoc.nfc_applications import BY_NAME, SELECT, Applications
from virtual_devices.mdoc.nfc_retrieval import Retrieval
from virtual_devices.mdoc.type4 import AID, READ_BINARY, Type4Tag, select
from virtual_devices.wallet.faces import NFC_ATR

CHIP_BYTES = MAX_RESPONSE_BYTES
"""Longest data field of a command or an answer by contact."""
VERIFY = 0x20
TRIES_LEFT = 0x63C3


def answer_to_reset(channel: str) -> bytes:
    """What it says when it gets power; over the air nothing."""
    return {"nfc": NFC_ATR, "nfc-ble": NFC_ATR, "contact": atr.make(ATS.historical, Transport.T1)}.get(channel, b"")


class Face(Protocol):
    """Commands and their answers, as bytes. Nothing a reader sends raises."""

    def handle(self, request: bytes) -> bytes: ...


class Phone:
    """In a field."""

    def __init__(self, tag: Type4Tag, retrieval: Retrieval) -> None:
        self._applications = Applications(tag, retrieval)

    def handle(self, request: bytes) -> bytes:
        answer = self._applications.handle(request)
        assert answer is not None  # what is behind answers at once
        return answer


class Tag:
    """In a field, the tag alone: messages go over Bluetooth."""

    def __init__(self, tag: Type4Tag) -> None:
        self._applications = Applications(tag)

    def handle(self, request: bytes) -> bytes:
        return self._applications.handle(request) or b""


class Chip:
    """In a slot. Its PIN, where a reader has it typed, is whatever is typed: the case says who has been asked."""

    def __init__(self, tag: Type4Tag, retrieval: Retrieval) -> None:
        self._tag, self._retrieval = tag, retrieval
        self._selected = False

    def handle(self, request: bytes) -> bytes:
        try:
            return self._answer(Command.parse(request)).to_bytes()
        except MalformedApdu as e:
            return Response(sw=e.sw).to_bytes()

    def _answer(self, command: Command) -> Response:
        if (command.cla, command.ins, command.p1) == (0, SELECT, BY_NAME):
            self._retrieval.reset()
            self._selected = command.data == self._retrieval.aid
            if self._selected:
                self._tag.handle(select(AID))
        if not self._selected:
            by_name = (command.ins, command.p1) == (SELECT, BY_NAME)
            return Response(sw=SW.FILE_NOT_FOUND if by_name else SW.CONDITIONS_NOT_SATISFIED)
        if command.ins == VERIFY:
            return Response(sw=SW.OK if command.data else TRIES_LEFT)
        if command.ins == READ_BINARY or (command.ins == SELECT and command.p1 != BY_NAME):
            return self._tag.handle(command)
        answer = self._retrieval.handle(command)
        assert answer is not None  # what is behind answers at once
        return answer


__all__ = ["CHIP_BYTES", "Chip", "Face", "Phone", "Tag", "answer_to_reset"]
