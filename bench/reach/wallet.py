"""A phone as device under test, held to an NFC or PC/SC reader, or met over Bluetooth by the code on its screen or by a tap.

It is one phone for all cases: what a case writes is under ids that no case before has used. Our own presenter's is put back to
what it was before each case that changes it. It trusts the authority of
``--seed`` (that of ``vhc-bench present ... --seed``, whose ``--trust`` writes it out). Where our own presenter shows it, its
holder is led over the control channel; of somebody else's a person is asked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bench.ble_values import ValuesLink
from bench.clock import WallClock
from bench.drivers import RealLink
from bench.drivers.ble import BleLink
from bench.drivers.pcsc import PcscLink
from bench.monikers import Kind as Medium
from bench.monikers import Moniker
from bench.presenters import control
from bench.presenters.control import ControlInfo
from bench.probe import joined, open_device, serves
from bench.reach import Bounded, Means, RealWay
from bench.reach.hand import Hand
from bench.reach.holder import Asked, Led
from bench.reach.phone_app import App, AskedApp, Eyes, LedApp
from bench.reach.phone_line import PhoneLine
from bench.reach.radio import PhoneOnAir
from bench.reader_link import DeviceLink
from bench.sample_phone import phone_epoch_ns
from bench.tapped import TappedLink
from conformance.kinds import Suite
from conformance.kinds.wallet import WalletTester
from conformance.references.wallet import Contents
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import World
from virtual_devices.link import RESET, Attempt, Link, Outcome
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.mdoc.ble_options import parse
from virtual_devices.mdoc.engagement import BLE, Engagement
from virtual_devices.mdoc.session import MAX_MESSAGE_BYTES
from virtual_devices.pki import Authority
from virtual_devices.reader.presentation import Counter
from virtual_devices.reader.presentation import Medium as Presented
from virtual_devices.reader.proximity import ROLE, SCREEN
from virtual_devices.trace import Record
from virtual_devices.write_back import WriteOutcome

LEFT_S = 5.0
"""Longest wait for a phone to notice that the reader has let it go."""
LOOK_S = 0.02
PCSC_BYTES = 65_000
"""Longest data field of a command that PC/SC services carry for sure (pcscd: 65,526 bytes)."""
_MET = {
    frozenset({Medium.NFC}): Presented.NFC, frozenset({Medium.PCSC}): Presented.NFC,
    frozenset({Medium.QR, Medium.BLE}): Presented.QR_BLE, frozenset({Medium.NFC, Medium.BLE}): Presented.NFC_BLE,
}
"""By which monikers a phone is met how."""
NEW_CODE_S, SAME_CODE_S = 10.0, 1.5
"""Longest wait for a code on the screen that no session has used; and for another than one by which nothing was said."""


class WalletMet(RealWay):
    """``nfc:PATH``, ``pcsc:NAME``, ``qr:PATH + ble:NAME`` or ``nfc:PATH + ble:NAME``."""

    def __init__(self, suite: Suite, found: Sequence[Moniker], channel: str, means: Means) -> None:
        super().__init__(suite, found, channel, means)
        self._stack = ExitStack()
        self._phone: RealWallet | None = None
        self._hand: Hand | None = None
        self._line: PhoneLine | None = None
        self._world = World(means.seed)

    @classmethod
    def channels(cls, suite: Suite, found: Sequence[Moniker]) -> tuple[str, ...]:
        media = {one.kind for one in found}
        chosen = _MET.get(frozenset(media))
        return tuple(c for c in suite.channels if len(media) == len(found) and chosen is not None and c == chosen.value)

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        phone, new = self._open(), False
        if self._hand is not None and (anew or phone.app.changed):
            phone.part()
            new = self._hand.renew()
            phone.signers = [] if phone.app.changed else phone.signers
            phone.app.changed = False
        now_ns = phone.clock.now_ns()
        world = replace(self._world, now_ns=now_ns, once=f"{now_ns} {name}")
        tester = self.tested(phone, world, name)
        assert isinstance(tester, WalletTester)
        phone.begin(world, name, tester.rows.append)
        tester.used, tester.wait_s = not new, self.means.wait_s
        if phone.medium is Presented.NFC_BLE:
            tester.counter = Counter(phone.medium, serves=phone.serves)
        if self.found[0].kind is Medium.PCSC:
            tester.counter = Counter(phone.medium, max_command_bytes=PCSC_BYTES)
        return tester

    def said(self, role: str) -> str:
        return "" if self._phone is None else self._phone.said(role)

    def _open(self) -> RealWallet:
        if self._phone is None:
            try:
                self._phone = self._met()
            except BaseException:
                self._stack.close()
                raise
        return self._phone

    def _met(self) -> RealWallet:
        clock = WallClock()
        now_ns = clock.now_ns()
        epoch_ns = phone_epoch_ns(now_ns)
        self._world = World(self.means.seed, now_ns, epoch_ns, trusted=Authority(self.means.seed, epoch_ns))
        opened: dict[Medium, RealLink] = {}
        for one in self.found:
            opened[one.kind] = link = open_device(one, self.means.env)
            self._stack.callback(link.close)
        screen = opened.pop(Medium.QR, None)
        links = {ROLE: joined(opened)} | ({} if screen is None else {SCREEN: screen})
        behind = presented(links.get(SCREEN, links[ROLE]))
        self.ours = behind is not None
        medium, means = Presented(self.channel), self.means
        eyes = Eyes(links.get(SCREEN), clock)
        if behind is None:
            app = AskedApp(means.hands, means.person_s, eyes, str(means.answers.get("challenge", "")))
            return RealWallet(medium, links, Asked(means.hands, means.person_s), app, means.answer_s)
        self._hand = Hand(behind.path)
        self._stack.callback(self._hand.put_back)
        led = LedApp(self._hand, eyes, self._home, in_field=medium is not Presented.QR_BLE)
        return RealWallet(medium, links, Led(self._hand), led, means.answer_s)

    def _home(self) -> PhoneLine:
        """The phone's data centre: one address until the phone is let go."""
        if self._line is None:
            self._line = PhoneLine(self.means.seed)
            self._stack.callback(self._line.close)
        return self._line

    def close(self) -> None:
        self._phone = self._hand = self._line = None
        self._stack.close()


class RealWallet:
    """One phone (``WalletUnderTest``). ``links``: to the wallet, and to its screen; ``app``: what
    its holder does besides."""

    def __init__(
        self, medium: Presented, links: Mapping[str, RealLink], holder: Led | Asked, app: App, answer_s: float,
    ) -> None:
        self.medium, self.holder, self.app = medium, holder, app
        self.signers: list[bytes] = []
        """By whose certificate its card is signed, once that is known."""
        self.clock = WallClock()
        self._links, self._answer_s = links, answer_s
        self._code = Code(ours=isinstance(holder, Led))
        self._ways: dict[str, Link] = {}
        self._on_air: PhoneOnAir | None = None

    @property
    def serves(self) -> bool:
        """The bench's Bluetooth can be the server, too."""
        return serves(self._links[ROLE])

    def begin(self, world: World, name: str, record: Record) -> None:
        """A case begins."""
        self._on_air = None
        self.app.begin(world, name, record)
        self.holder.begin()
        self._ways = {role: Bounded(self._code.watching(role, link), self._answer_s) for role, link in self._links.items()}

    def said(self, role: str) -> str:
        """What the driver said last of the link to that role."""
        on_air = self._on_air.said if self._on_air is not None and role == ROLE else ""
        return on_air or self._links[role].last_error

    def meet(self) -> Mapping[str, Link]:
        self.app.ready()
        return self._ways

    # -- what its holder does with it

    def lacks(self, act: str) -> str:
        """Why this cannot be done with it; empty where it can be."""
        return self.app.lacks(act)

    def fill(self, contents: Contents) -> None:
        self.part()
        self.app.fill(contents)

    def bring(self, entry: bytes) -> WriteOutcome:
        return self.app.bring(entry)

    def online(self, line: Link, act: str, **given: Any) -> tuple[str, str]:
        return self.app.online(line, act, **given)

    def choose(self, card: str) -> None:
        self.app.choose(card)

    def restart(self) -> None:
        self.app.restart()

    def code(self, challenge: str = "") -> str:
        return self.app.code(challenge)

    def prescriptions(self) -> list[list[str]]:
        self.part()  # the session in which they came is over before the screen shows something else
        return self.app.prescriptions()

    # -- value by value

    def on_air(self, shown: Engagement, mode: Mode) -> PhoneOnAir:
        """The end of the phone that this code is of, over Bluetooth value by value. Raises CannotShow."""
        way, method = self._links[ROLE], shown.method(BLE)
        if isinstance(way, TappedLink):
            way.first.disconnect()
            way = way.then
        service = None if method is None else parse(list(method)).service(mode)
        if service is None or not isinstance(way, BleLink):
            raise CannotShow(f"the phone's engagement does not offer {mode.value}")
        self._on_air = PhoneOnAir(ValuesLink(way), mode, service, self._answer_s, self._code)
        return self._on_air

    def part(self) -> None:
        """The reader lets the phone go, and the phone has noticed."""
        if self._on_air is not None:
            self._on_air.over()
        self._links[ROLE].disconnect()
        if isinstance(self.holder, Led):
            limit_s = time.monotonic() + LEFT_S
            while self.holder.met and time.monotonic() < limit_s:
                time.sleep(LOOK_S)


class Code:
    """The code on the screen: one of a session is not looked at again. Where nothing was said after the connection, the phone may
    show it on; then it is taken once no other one has come for a while. ``ours``: our own phone never shows it on once a session
    has opened, and its next code may come late on a busy machine."""

    def __init__(self, *, ours: bool = False) -> None:
        self._ours = ours
        self._seen = self._used = b""
        self._spoken = False

    def watching(self, role: str, link: RealLink) -> Link:
        return _Screen(link, self) if role == SCREEN else _Phone(link, self)

    def seen(self, text: bytes, waited_s: float) -> bool:
        """Whether it can be used."""
        self._seen = text
        return text != self._used or (not self._spoken and waited_s > SAME_CODE_S)

    def begun(self) -> None:
        """It has been read already."""

    def connected(self) -> None:
        self._used, self._spoken = self._seen, False

    def opened(self) -> None:
        """A session is open, and nothing is said yet."""
        self._used, self._spoken = self._seen, self._ours

    def spoken(self) -> None:
        self._spoken = True


class _Screen(DeviceLink):
    def __init__(self, inner: RealLink, code: Code) -> None:
        super().__init__(inner)
        self._code = code

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        began_s = time.monotonic()
        while True:
            attempt = super().attempt(RESET, timeout_s)
            if message and attempt.reply is not None:
                attempt = super().attempt(message, timeout_s)
            if not message or attempt.reply is None or self._code.seen(
                    attempt.reply, time.monotonic() - began_s):
                return attempt
            if time.monotonic() - began_s > min(timeout_s, NEW_CODE_S):
                return Attempt(Outcome.TIMED_OUT, attempt.duration_ns)
            time.sleep(LOOK_S)


class _Phone(DeviceLink):
    def __init__(self, inner: RealLink, code: Code) -> None:
        super().__init__(inner)
        self._code = code

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if self.channel == "ble" and len(message) > MAX_MESSAGE_BYTES:
            raise CannotShow("the bench's own end of a Bluetooth link sends no message above 64 KiB")
        attempt = super().attempt(message, timeout_s)
        if message and attempt.reply is not None:
            self._code.spoken()
        return attempt

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        attempt = super().connect_to(address, timeout_s)
        if attempt.reply is not None:
            self._code.opened()
        return attempt


def presented(link: RealLink) -> ControlInfo | None:
    """Our presenter, where it shows what is met by this link: by the code's place, the reader's name or the address."""
    name = _place(link.reader if isinstance(link, PcscLink) else link.device)
    return next((one for one in control.discover() if _place(one.reader) == name), None)


def _place(reader: str) -> str:
    return reader.replace(":localhost:", ":127.0.0.1:")


__all__ = ["RealWallet", "WalletMet", "presented"]
