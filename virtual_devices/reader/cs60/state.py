"""What the local component of software 6.0 remembers beside the desk's cards: whether it runs, and the virtual card in use."""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.reader.cshis.state import ControlSoftware


@dataclass(slots=True)
class LocalComponent:
    """``token``: of a virtual card that was verified; its number and the holder's national ID beside it. ``read``: the token that
    was read last, and what it told."""

    software: ControlSoftware
    initialised: bool = False
    token: str = ""
    card_no: str = ""
    id_no: str = ""
    read: tuple[str, bytes] = ("", b"")

    def log_out(self) -> None:
        """No patient any more, of either kind of card."""
        self.token = self.card_no = self.id_no = ""
        self.read = ("", b"")
        self.software.card = None


__all__ = ["LocalComponent"]
