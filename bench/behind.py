"""Which of our presenters stands behind a reader of the PC/SC service."""

from __future__ import annotations

from bench.presenters import control
from bench.presenters.control import ControlInfo
from bench.presenters.vpcd import VpcdPresenter


def at_readers(takes: str = "") -> list[ControlInfo]:
    """Our presenters whose device a PC/SC service sees: those over NFC, over Bluetooth and in software stand before others.
    ``takes``: only those of that kind of device."""
    return [p for p in control.discover() if p.medium == VpcdPresenter.medium and takes in ("", p.takes)]


def behind_reader(reader: str, presenters: list[ControlInfo]) -> ControlInfo | None:
    """Our presenter behind this reader; one that does not know its reader is believed when it is the only one."""
    named = next((p for p in presenters if p.reader == reader), None)
    return named or (presenters[0] if len(presenters) == 1 and not presenters[0].reader else None)


__all__ = ["at_readers", "behind_reader"]
