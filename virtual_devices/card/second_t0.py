"""T=0 in front of the card application, which knows whole commands only (ISO/IEC 7816-3, clause 12.2).

Data go one way in a command: the answer to a command with data is announced by 61xx and fetched by GET RESPONSE, and a command
without data must ask for the very length (6Cxx says which). A last ENVELOPE comes without Le, whatever the reader expects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from virtual_devices.apdu import SW, Command, Response
from virtual_devices.chip import GET_RESPONSE
from virtual_devices.mdoc.nfc_retrieval import ENVELOPE

_MOST = 256


class T0:
    """``speak``: the application, which keeps what is over and hands it out by GET RESPONSE itself."""

    def __init__(self, speak: Callable[[Command], Response]) -> None:
        self._speak = speak
        self._held = b""

    def reset(self) -> None:
        """Power is gone, or something was selected: what was announced is gone."""
        self._held = b""

    def speak(self, command: Command) -> Response:
        if command.extended:  # T=0 carries 255 bytes one way, 256 the other
            return Response(sw=SW.WRONG_LENGTH)
        if (command.cla, command.ins) == (0, GET_RESPONSE) and self._held:
            return self._fetch(command)
        self._held = b""
        if command.ins == ENVELOPE and not command.chaining:
            command = replace(command, le=_MOST)
        response = self._speak(command)
        data = response.data
        while response.sw1 == 0x61:
            response = self._speak(Command(0, GET_RESPONSE, 0, 0, le=_MOST))
            data += response.data
        if not data:
            return response
        if command.data:
            self._held = data
            return Response(sw=_announced(len(data)))
        if len(data) != command.le:
            return Response(sw=0x6C00 | (len(data) & 0xFF))
        return Response(data, response.sw)

    def _fetch(self, command: Command) -> Response:
        if command.p1 or command.p2:
            return Response(sw=SW.WRONG_P1P2)
        if command.data:
            return Response(sw=SW.WRONG_LENGTH)
        count = command.le or _MOST
        if count > len(self._held):
            return Response(sw=0x6C00 | len(self._held))
        piece, self._held = self._held[:count], self._held[count:]
        return Response(piece, _announced(len(self._held)) if self._held else SW.OK)


def _announced(length: int) -> int:
    return 0x6100 | (length if length < _MOST else 0)


__all__ = ["T0"]
