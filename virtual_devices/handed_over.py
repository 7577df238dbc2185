"""A device that is engaged over one medium and met over another: a tap names Bluetooth (ISO/IEC 18013-5 8.2.2)."""

from __future__ import annotations

from virtual_devices.link import Attempt, Link, Provenance, connect


class HandedOver:
    """Two links as one (:class:`virtual_devices.link.Link`, AddressedLink). ``first``: in whose field the device is engaged;
    ``then``: over which it goes on once it was connected to. The empty message begins anew at the first."""

    def __init__(self, first: Link, then: Link) -> None:
        self.first, self.then = first, then
        self._now = first

    @property
    def channel(self) -> str:
        return self._now.channel

    @property
    def device(self) -> str:
        return self._now.device

    @property
    def provenance(self) -> Provenance:
        return self._now.provenance

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if not message:
            self._now = self.first
        return self._now.attempt(message, timeout_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        self._now = self.then
        return connect(self.then, address, timeout_s)


__all__ = ["HandedOver"]
