"""The reference wallet as a wallet under test."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from conformance.vectors.world import NOW_NS, PLACE, UNTIL_NS, World
from virtual_devices import vhc
from virtual_devices.clock import VirtualClock
from virtual_devices.link import DirectLink, Link
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.mso import Validity, issue
from virtual_devices.pki import DAY_NS
from virtual_devices.radio import Bluetooth, BluetoothLink, Camera, Field, FieldLink, ScreenLink
from virtual_devices.randomness import stream
from virtual_devices.reader.presentation import Medium
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace, Screen
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone

PIN = "2580"


class ReferenceWallet:
    """A phone with its holder's card, issued in ``world``; all of it follows from ``name``. ``timed``: behind modelled media,
    else its answers take no time."""

    def __init__(self, world: World, medium: Medium, name: str, *, timed: bool = False) -> None:
        self.medium = medium
        self.clock = VirtualClock(NOW_NS)
        self.world = world
        self.phone = _phone(world, name)
        self.screen = Screen()
        self.holder = _Holder(self)
        self._name = name
        self._contacts = 0
        self._timed = timed

    def meet(self) -> Mapping[str, Link]:
        face = NfcFace(self.phone) if self.medium is Medium.NFC else MessageFace(self.phone)
        if self.medium is Medium.QR_BLE:
            self.screen.text = self.phone.engage([self._method()]).engagement.qr_text()
        if self._timed:
            return self._modelled(face)
        return {
            "wallet": DirectLink(face, self.clock, channel=self.medium.value),
            "screen": DirectLink(self.screen, self.clock, channel="qr"),
        }

    def _modelled(self, face: NfcFace | MessageFace) -> Mapping[str, Link]:
        """Links that take their time: the field, or the air and the camera."""
        rng = stream(self.world.seed, "conformance", self._name, self._contacts)
        if isinstance(face, NfcFace):
            return {"wallet": FieldLink(face, Field(), rng, self.clock)}
        return {
            "wallet": BluetoothLink(face, Bluetooth(), rng, self.clock),
            "screen": ScreenLink(self.screen, Camera(), rng, self.clock),
        }

    def _method(self) -> list[object]:
        self._contacts += 1
        fresh = self.world.fresh("services", self._name, self._contacts)
        return BleOptions(UUID(bytes=fresh(16), version=4), UUID(bytes=fresh(16), version=4)).method()

    def part(self) -> None:
        self.phone.end_session()


class _Holder:
    """A holder who does as they are told."""

    def __init__(self, wallet: ReferenceWallet) -> None:
        self._wallet = wallet

    def agree(self, use: Use, names: Mapping[str, Collection[str]], *, write: bool = True) -> None:
        phone, now_ns = self._wallet.phone, self._wallet.clock.now_ns()
        phone.holder.enter_pin(PIN, now_ns)
        phone.arm(use, names, now_ns, write=write)

    def approve(self, use: Use) -> None:
        phone, now_ns = self._wallet.phone, self._wallet.clock.now_ns()
        phone.holder.enter_pin(PIN, now_ns)
        phone.approve(use, now_ns)

    def refuse(self) -> None:
        self._wallet.phone.consent.decline()


def _phone(world: World, name: str) -> Phone:
    phone = Phone("conformance", name, world.authority.root_der)
    phone.start(NOW_NS)
    phone.format()
    phone.holder.set_pin(PIN, NOW_NS)
    key = phone.new_key()
    from_ns = NOW_NS - 30 * DAY_NS
    issued = issue(
        vhc.DOCTYPE, world.holder.elements(), phone.keystore.public_key(key), world.signer, Validity(from_ns, from_ns, UNTIL_NS),
        world.fresh("credential", name), status=PLACE, authorised=vhc.AUTHORISED,
    )
    phone.install(Held(OWN, issued, key))
    return phone


__all__ = ["PIN", "ReferenceWallet"]
