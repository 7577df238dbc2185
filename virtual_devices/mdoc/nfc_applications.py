"""A wallet's applications behind one NFC interface: SELECT by name says which one is spoken to, until the next.

The tag's (D2760000850101) and retrieval's (A0000002480400) names are the two of ISO/IEC 18013-5. A name that nobody has leaves
none selected (6A82), as ISO/IEC 7816-4 asks of a chip without a default.
"""

from __future__ import annotations

from typing import Protocol

from virtual_devices.apdu import SW, Command, MalformedApdu, Response

SELECT, BY_NAME = 0xA4, 0x04


class Application(Protocol):
    """One application: it answers its own SELECT too."""

    @property
    def aid(self) -> bytes: ...

    def handle(self, command: Command) -> Response | None:
        """None: the answer comes later, from the application itself."""
        ...

    def reset(self) -> None:
        """Another application was selected, or the field is gone."""
        ...


class Applications:
    """All of them, as bytes. ``spoken_to``: the one selected."""

    def __init__(self, *applications: Application) -> None:
        self._by_name = {application.aid: application for application in applications}
        self.spoken_to: Application | None = None

    def handle(self, request: bytes) -> bytes | None:
        """The response APDU to a command APDU; None when the application's answer comes later."""
        try:
            command = Command.parse(request)
        except MalformedApdu as e:
            return Response(sw=e.sw).to_bytes()
        if command.cla == 0 and command.ins == SELECT and command.p1 == BY_NAME:
            wanted = self._by_name.get(command.data)
            if self.spoken_to is not None and self.spoken_to is not wanted:
                self.spoken_to.reset()
            self.spoken_to = wanted
            if wanted is None:
                return Response(sw=SW.FILE_NOT_FOUND).to_bytes()
        if self.spoken_to is None:
            return Response(sw=SW.CONDITIONS_NOT_SATISFIED).to_bytes()
        response = self.spoken_to.handle(command)
        return None if response is None else response.to_bytes()

    def reset(self) -> None:
        """The field is gone."""
        for application in self._by_name.values():
            application.reset()
        self.spoken_to = None


__all__ = ["Application", "Applications"]
