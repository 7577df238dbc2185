"""The reference wallet as a wallet under test."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import cbor2

from conformance.vectors.world import CARD_NO, GUARDIAN_NO, NOW_NS, PLACE, UNTIL_NS, World
from virtual_devices import authorization, vhc
from virtual_devices.authorization import Authorization, Purpose, Relation, Scope
from virtual_devices.clock import VirtualClock
from virtual_devices.link import DirectLink, Link
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.mdoc.mso import StatusReference, Validity, issue
from virtual_devices.pki import DAY_NS
from virtual_devices.radio import Bluetooth, BluetoothLink, Camera, Field, FieldLink, ScreenLink
from virtual_devices.randomness import stream
from virtual_devices.reader.presentation import Medium
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace, Screen
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import WriteOutcome

PIN = "2580"
WARD = "ward"


@dataclass(frozen=True)
class Contents:
    """What a wallet is made up to hold. ``empty``: no card at all. ``until_ns``: the card's end. ``scope``: of a guardian's
    authorization until ``ends_ns``; the card is then a ward's, and the one that is presented. ``former``: the cards whose place
    it took. ``negotiated``: its tag asks the reader for its carriers."""

    empty: bool = False
    until_ns: int = UNTIL_NS
    scope: frozenset[Scope] = frozenset()
    purpose: Purpose = Purpose.CARE
    ends_ns: int = UNTIL_NS
    former: tuple[bytes, ...] = ()
    negotiated: bool = False


class ReferenceWallet:
    """A phone with its holder's card, issued in ``world``; all of it follows from ``name``. ``timed``: behind modelled media,
    else its answers take no time."""

    def __init__(self, world: World, medium: Medium, name: str, *, timed: bool = False) -> None:
        self.medium = medium
        self.clock = VirtualClock(NOW_NS)
        self.world = world
        self.phone = _phone(world, name, Contents())
        self.screen = Screen()
        self.holder = _Holder(self)
        self._name = name
        self._contacts = 0
        self._timed = timed
        self._negotiated = False

    def meet(self) -> Mapping[str, Link]:
        in_field = self.medium is Medium.NFC
        face = NfcFace(self.phone, negotiated=self._negotiated) if in_field else MessageFace(self.phone)
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

    def fill(self, contents: Contents) -> None:
        """Another wallet in this one's place, which holds just this."""
        self.phone = _phone(self.world, self._name, contents)
        self._negotiated = contents.negotiated

    def bring(self, entry: bytes) -> WriteOutcome:
        """Records that come late, as the data centre hands them over; what the wallet tells it."""
        return self.phone.take_late(cbor2.loads(entry), self.clock.now_ns())


class _Holder:
    """A holder who does as they are told."""

    def __init__(self, wallet: ReferenceWallet) -> None:
        self._wallet = wallet

    def agree(self, use: Use, names: Mapping[str, Collection[str]], *, write: bool = True, proved: bool = True) -> None:
        if proved:
            self.prove()
        self._wallet.phone.arm(use, names, self._wallet.clock.now_ns(), write=write)

    def prove(self) -> None:
        self._wallet.phone.holder.enter_pin(PIN, self._wallet.clock.now_ns())

    def approve(self, use: Use, *, proved: bool = True) -> None:
        if proved:
            self.prove()
        self._wallet.phone.approve(use, self._wallet.clock.now_ns())

    def refuse(self) -> None:
        self._wallet.phone.consent.decline()


def _phone(world: World, name: str, contents: Contents) -> Phone:
    phone = Phone("conformance", name, world.authority.root_der)
    phone.start(NOW_NS)
    phone.format()
    phone.holder.set_pin(PIN, NOW_NS)
    if contents.empty:
        return phone
    key = phone.new_key()
    from_ns = NOW_NS - 30 * DAY_NS
    granted = _authorization(world, phone, key, contents) if contents.scope else None
    held_under = b"" if granted is None else granted.cti
    issued = issue(
        vhc.DOCTYPE, world.holder.elements(held_under, contents.former), phone.keystore.public_key(key), world.signer,
        Validity(from_ns, from_ns, contents.until_ns), world.fresh("credential", name), status=PLACE, authorised=vhc.AUTHORISED,
    )
    if granted is None:
        phone.install(Held(OWN, issued, key))
    else:
        phone.install(Held(WARD, issued, key, authorization.issue(granted, world.centre)))
        phone.show(WARD)
    return phone


def _authorization(world: World, phone: Phone, key: str, contents: Contents) -> Authorization:
    return Authorization(
        world.fresh("authorization", phone.name)(16), CARD_NO, GUARDIAN_NO, "陳美玲", phone.keystore.public_key(key),
        Relation.FAMILY, contents.scope, contents.purpose, NOW_NS, NOW_NS, contents.ends_ns,
        StatusReference("https://status.bench.example/authorizations/01", 7),
    )


__all__ = ["PIN", "Contents", "ReferenceWallet"]
