"""Patients' own phones over a real NFC stack, in a run: moniker ``nfc:own``.

Whichever phone a patient holds to the reader is presented by our presenter at a UDP port of this computer, and met there by the
NFC driver: nfcpy on both sides, in the driver's worker process and in a thread of this one. The phone is the scenario's own, in
its time, with its holder; the medium is measured. A tap that the model would take away too early is not taken away.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress

from bench.drivers import nfc
from bench.monikers import OWN
from bench.presenters.nfc import NfcPresenter
from bench.presenters.nfc_radio import UdpRadio
from bench.reader_link import DeviceLink
from scenarios.world import World
from virtual_devices.link import Device, Link
from virtual_devices.radio import FieldLink
from virtual_devices.randomness import ByteStream
from virtual_devices.trace import SwitchRow
from virtual_devices.wallet.faces import NFC_ATR

HOST = "127.0.0.1"
LEFT_S = 1.0
"""Longest wait for the presenter to notice that the field of the last tap has gone."""


class Reader:
    """What lies on the reader: the phone that is held to it now. A tap stays with the phone that it began with."""

    atr = NFC_ATR

    def __init__(self) -> None:
        self.held: Device | None = None
        self._tapped: Device | None = None
        self._left = threading.Event()
        self._left.set()

    def power_on(self) -> bytes:
        self._tapped = self.held
        self._left.clear()
        return b"" if self._tapped is None else self._tapped.power_on()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return b"\x6a\x82" if self._tapped is None else self._tapped.handle(request, now_ns)

    def power_off(self) -> None:
        if self._tapped is not None:
            self._tapped.power_off()
        self._tapped = None
        self._left.set()

    def take_away(self) -> None:
        """End the last tap: when the presenter has noticed, or (a reader that died says nothing) after a while all the same."""
        if not self._left.wait(LEFT_S):
            self.power_off()


class OwnPhones:
    """The presenter, the driver, and the phones of one replication (:class:`scenarios.world.Around`). Raises LinkError when one
    of the two cannot be had."""

    def __init__(self, world: World, env: Mapping[str, str] | None = None) -> None:
        self._reader = Reader()
        radio = UdpRadio(HOST, 0)
        uids = ByteStream("nfc:own", world.replication)
        self._presenter = NfcPresenter(lambda: self._reader, radio, uids, clock=world.clock)
        self._thread = threading.Thread(target=self._presenter.run, name="presenter of patients' phones", daemon=True)
        self._thread.start()
        try:
            self._link = nfc.open(f"udp:{HOST}:{radio.port}", env=env)
        except BaseException:
            self._end_presenter()
            raise
        world.record(SwitchRow(world.replication, world.clock.now_ns(), "wallet", "virtual", f"nfc:{OWN}",
                               "patients' own phones, by our presenter over UDP", ""))

    def place(self, links: dict[str, Link]) -> dict[str, Link]:
        """A phone that is held to a reader is held to the real one."""
        modelled = links.get("wallet")
        if not isinstance(modelled, FieldLink):
            return links
        self._link.disconnect()
        self._reader.take_away()
        self._reader.held = modelled.device_behind
        return links | {"wallet": _OwnPhoneLink(self._link)}

    def links(self, links: dict[str, Link], desk: str, flow: str, visit: str) -> dict[str, Link]:
        return links

    def close(self) -> None:
        with suppress(OSError):
            self._link.close()
        self._end_presenter()

    def _end_presenter(self) -> None:
        self._presenter.stop()
        self._thread.join(LEFT_S)


class _OwnPhoneLink(DeviceLink):
    """Told by its moniker, whatever port it was."""

    @property
    def device(self) -> str:
        return f"nfc:{OWN}"


__all__ = ["OwnPhones", "Reader"]
