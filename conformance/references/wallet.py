"""The reference wallet as a wallet under test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import cbor2

from conformance.references.radio import RadioEnd
from conformance.town import maker
from conformance.vectors.world import GUARDIAN_NO, NOW_NS, PLACE, UNTIL_NS, World
from virtual_devices import authorization, vhc
from virtual_devices.authorization import Authorization, Purpose, Relation, Scope
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.cloud.issuer import CardHolder
from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow, Session, run
from virtual_devices.handed_over import HandedOver
from virtual_devices.link import DirectLink, Link
from virtual_devices.mdoc.ble import BleLink
from virtual_devices.mdoc.ble_gatt import Mode, Side
from virtual_devices.mdoc.ble_options import BleOptions, parse
from virtual_devices.mdoc.mso import StatusReference, Validity, issue
from virtual_devices.pki import DAY_NS
from virtual_devices.qr import card as qr_card
from virtual_devices.qr.challenge import read_challenge
from virtual_devices.qr.text import MalformedCode
from virtual_devices.radio import Bluetooth, BluetoothLink, Camera, Field, FieldLink, ScreenLink
from virtual_devices.randomness import stream
from virtual_devices.reader.presentation import Medium
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace, Screen, TagFace
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.keystore import KeyDenied
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import WriteOutcome

PIN = "2580"
WARD = "ward"


@dataclass(frozen=True)
class Contents:
    """What a wallet is made up to hold. ``empty``: no card at all. ``until_ns``: the card's end. ``scope``: of a guardian's
    authorization until ``ends_ns``; the card is then a ward's, and the one that is presented. ``wards``: so many cards of other
    wards lie beside the holder's own, named :func:`ward_name`. ``former``: the cards whose
    place it took. ``negotiated``: its tag asks the reader for its carriers."""

    empty: bool = False
    until_ns: int = UNTIL_NS
    scope: frozenset[Scope] = frozenset()
    purpose: Purpose = Purpose.CARE
    ends_ns: int = UNTIL_NS
    wards: int = 0
    former: tuple[bytes, ...] = ()
    negotiated: bool = False

    def moved(self, by_ns: int) -> Contents:
        """The same as much later; what is named in it is of the vectors' moment."""
        return replace(self, until_ns=self.until_ns + by_ns, ends_ns=self.ends_ns + by_ns)


class ReferenceWallet:
    """A phone with its holder's card, issued in ``world``; all of it follows from ``name``. ``timed``: behind modelled media,
    else its answers take no time."""

    def __init__(self, world: World, medium: Medium, name: str, *, timed: bool = False) -> None:
        self.medium = medium
        self.clock = VirtualClock(NOW_NS)
        self.world = world
        self.phone = phone_of(world, name, Contents())
        self.screen = Screen()
        self.holder = _Holder(self)
        self._name = name
        self._contacts = 0
        self._timed = timed
        self._negotiated = False
        self._filled = 0

    def meet(self) -> Mapping[str, Link]:
        in_field = self.medium is Medium.NFC
        face = NfcFace(self.phone, negotiated=self._negotiated) if in_field else MessageFace(self.phone)
        if self.medium is Medium.QR_BLE:
            self.screen.text = self.phone.engage([self._method()]).engagement.qr_text()
        if self._timed:
            return self._modelled(face)
        if self.medium is Medium.NFC_BLE:
            tag = TagFace(self.phone, self._fresh(), negotiated=self._negotiated)
            return {"wallet": HandedOver(DirectLink(tag, self.clock, channel="nfc"), DirectLink(face, self.clock, channel="ble"))}
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

    def _fresh(self) -> Callable[[int], bytes]:
        self._contacts += 1
        return self.world.fresh("services", self._name, self._contacts)

    def _method(self) -> list[object]:
        fresh = self._fresh()
        return BleOptions(UUID(bytes=fresh(16), version=4), UUID(bytes=fresh(16), version=4)).method()

    def radio(self, mode: Mode) -> tuple[str, RadioEnd]:
        """Met over Bluetooth in this mode, value by value: the code on its screen, and its end."""
        method = self._method()
        shown = self.phone.engage([method]).engagement
        service = parse(method).service(mode)
        assert service is not None
        link = BleLink(mode, Side.MDOC, service, shown.key_bytes)
        return shown.qr_text(), RadioEnd(link, lambda message: self.phone.handle(message, self.clock.now_ns()))

    def part(self) -> None:
        self.phone.end_session()

    def fill(self, contents: Contents) -> None:
        """Another wallet in this one's place, which holds just this."""
        self._filled += 1
        self.phone = phone_of(self.world, self._name if self._filled == 1 else f"{self._name} {self._filled}", contents)
        self._negotiated = contents.negotiated

    def bring(self, entry: bytes) -> WriteOutcome:
        """Records that come late, as the data centre hands them over; what the wallet tells it."""
        return self.phone.take_late(cbor2.loads(entry), self.clock.now_ns())

    def choose(self, card: str) -> None:
        """The holder has the wallet show another card: their own, a ward's by its authorization's id in hex, or one by
        :func:`ward_name`."""
        self.phone.show(card)

    def restart(self) -> None:
        """Switched off and on again."""
        self.phone.start(self.clock.now_ns())

    # -- on the screen

    def code(self, challenge: str = "") -> str:
        """The text of the card's code, for the reader whose code says ``challenge``; empty while there is none to be shown."""
        try:
            asked = read_challenge(challenge) if challenge else None
            return self.phone.card_qr(self.clock.now_ns(), asked)
        except (KeyDenied, MalformedCode, UsageError):
            return ""

    def prescriptions(self) -> list[list[str]]:
        """The texts of each prescription that it holds, one or several that belong together; the oldest first."""
        return self.phone.prescription_codes()

    # -- online

    def online(self, line: Link, act: str, **given: Any) -> tuple[str, str]:
        """Something with the data centre over this line: the field's code of what became of it, ``0`` when it is done, and
        the name of the card that it was given, empty where it is not told."""
        flow: Flow[Any] = _ACTS[act](app.App(self.phone, self.clock), **given)
        try:
            found = run(flow, Session({"issuer": line}, self.clock, name=self._name, flow=act))
        except Ended as e:
            return e.code, ""
        return "0", found if isinstance(found, str) else ""


_ACTS: Mapping[str, Callable[..., Flow[Any]]] = {
    "apply": app.apply, "activate": app.activate, "rebind": app.rebind, "hold": app.hold, "sync": app.sync,
    "restore": app.restore_prescriptions,
}
"""What a wallet does online, by its name."""


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


def phone_of(world: World, name: str, contents: Contents, seed: object = "conformance") -> Phone:
    """A phone that holds just this, from the world's moment on, in whole seconds."""
    world = replace(world, now_ns=world.now_ns // NS * NS)
    contents = contents.moved(world.now_ns - NOW_NS)
    attested = maker(world).batch(1) if contents.empty else None  # who has a card need not apply for one
    phone = Phone(seed, name, world.authority.root_der, maker=attested)
    phone.start(world.now_ns)
    phone.format()
    phone.holder.set_pin(PIN, world.now_ns)
    if contents.empty:
        return phone
    key = phone.new_key()
    if contents.scope:
        _put(world, phone, key, WARD, world.holder, contents)
        phone.show(WARD)
        return phone
    _put(world, phone, key, OWN, world.holder, contents)
    for number in range(1, contents.wards + 1):
        ward = replace(world.holder, card_no=f"{number:012d}", name=f"受代理人{number}")
        _put(world, phone, key, ward_name(number), ward, replace(contents, scope=authorization.EVERYTHING))
    return phone


def ward_name(number: int) -> str:
    """What the holder calls the card of their ward of that number, from 1."""
    return f"{WARD} {number}"


def _put(world: World, phone: Phone, key: str, name: str, holder: CardHolder, contents: Contents) -> None:
    """A card on the phone, with what its codes need; under an authorization where the contents have a scope."""
    from_ns, until_ns = world.now_ns - 30 * DAY_NS, contents.until_ns
    device, code = phone.keystore.public_key(key), phone.keystore.public_key(phone.codes.key_for(key))
    grant, guardian = None, None
    if contents.scope:
        grant = _authorization(world, f"{phone.name} {name}", phone, key, holder.card_no, contents)
        guardian = qr_card.Guardian(grant.cti, GUARDIAN_NO, grant.guardian_name, grant.scope, grant.purpose)
        until_ns = min(until_ns, contents.ends_ns)
    issued = issue(
        vhc.DOCTYPE, holder.elements(b"" if grant is None else grant.cti, contents.former), device, world.signer,
        Validity(from_ns, from_ns, contents.until_ns), world.fresh("credential", phone.name, name), status=PLACE,
        authorised=vhc.AUTHORISED,
    )
    shown = qr_card.issue(
        holder.qr(device, guardian), code, world.signer, qr_card.Term(from_ns, from_ns, until_ns), PLACE,
        world.fresh("code", phone.name, name),
    )
    signed = None if grant is None else authorization.issue(grant, world.centre)
    phone.install(Held(name, issued, key, signed, shown))


def _authorization(world: World, name: str, phone: Phone, key: str, ward: str, contents: Contents) -> Authorization:
    return Authorization(
        world.fresh("authorization", name)(16), ward, GUARDIAN_NO, "陳美玲", phone.keystore.public_key(key),
        Relation.FAMILY, contents.scope, contents.purpose, world.now_ns, world.now_ns, contents.ends_ns,
        StatusReference("https://status.bench.example/authorizations/01", 7),
    )


__all__ = ["PIN", "Contents", "ReferenceWallet", "phone_of", "ward_name"]
