"""A phone that is engaged in the field of an NFC device, and met over Bluetooth after it: two drivers' links as one."""

from __future__ import annotations

from bench.drivers import RealLink
from virtual_devices.handed_over import HandedOver
from virtual_devices.link import Attempt


class TappedLink(HandedOver):
    """As a driver's link (:class:`bench.drivers.RealLink`, AddressedLink). ``connect`` is the tap."""

    first: RealLink
    then: RealLink

    def __init__(self, field: RealLink, air: RealLink) -> None:
        super().__init__(field, air)

    @property
    def last_error(self) -> str:
        return self.first.last_error if self._now is self.first else self.then.last_error

    @property
    def worker_pid(self) -> int | None:
        return self.then.worker_pid

    def connect(self, timeout_s: float) -> Attempt:
        if self._now is not self.first:
            self.then.disconnect()
        self._now = self.first
        return self.first.connect(timeout_s)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """The field is needed no longer: the phone may be taken away."""
        self.first.disconnect()
        return super().connect_to(address, timeout_s)

    def disconnect(self) -> None:
        for link in (self.first, self.then):
            link.disconnect()

    def close(self) -> None:
        for link in (self.first, self.then):
            link.close()


__all__ = ["TappedLink"]
