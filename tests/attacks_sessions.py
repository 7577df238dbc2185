"""Attacks on the session between phone and desk: what went over the air is replayed, or forwarded into another session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices.flow import Flow
from virtual_devices.link import Attempt, DirectLink
from virtual_devices.mdoc import engagement, response, session
from virtual_devices.mdoc.session import Cipher, SessionData, Side, Transcript
from virtual_devices.randomness import private_key
from virtual_devices.reader.presentation import OPEN_APP, Medium
from virtual_devices.reader.proximity import ReaderSession, ask
from virtual_devices.reader.transmit import Handle
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace

from .attacks import (
    ALLERGIES,
    Kind,
    Result,
    Table,
    consult,
    desk_for,
    medical,
    nothing_moved,
    presented,
    refused_unless_medical,
    state_of,
)
from .links import Changed, Through
from .wallets import EVERYTHING, PHONE_PIN, WalletBench

ROWS = Table("Replay and forwarding")
CRYPTO = "18013-5 9.1.1"
BROKEN = "4043"
"""What control software is told when the phone ends the session: its data could not be read."""


def overheard(use: Use = Use.TREATMENT) -> tuple[WalletBench, list[bytes], list[bytes]]:
    """A good presentation over messages, and what went each way."""
    bench = desk_for(use, Medium.QR_BLE)
    link = Recorded(DirectLink(MessageFace(bench.phone), bench.clock))
    assert medical(consult(bench, wallet=link)).succeeded
    return bench, link.messages, link.replies


class Recorded(Through):
    """Keeps what was asked and what was answered."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.replies: list[bytes] = []

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        attempt = super().attempt(message, timeout_s)
        self.replies.append(attempt.reply or b"")
        return attempt


def leaves(raw: bytes) -> bool:
    """Whether an answer carries anything sealed: all that a phone shows."""
    return bool(raw) and session.read_data(raw).data is not None


def armed_again(bench: WalletBench) -> None:
    """The holder consents once more, and the phone shows another engagement."""
    bench.phone.end_session()
    bench.phone.holder.enter_pin(PHONE_PIN, bench.clock.now_ns())
    assert bench.phone.arm(Use.TREATMENT, EVERYTHING, bench.clock.now_ns())
    bench.phone.engage()


def two_messages() -> list[bytes]:
    bench = desk_for(medium=Medium.QR_BLE)
    link = Through(DirectLink(MessageFace(bench.phone), bench.clock))

    def body(opened: ReaderSession, sam: Handle) -> Flow[Any]:
        for _ in range(2):
            yield from ask(bench.desk, opened, ALLERGIES, sam, hpc=bench.doctor)

    presented(bench, body, wallet=link)
    return [message for message in link.messages if message][:2]  # without what only makes the connection


def twin() -> WalletBench:
    """A desk's phone at the same point, with the same keys: what comes from seeds comes again."""
    bench = desk_for(medium=Medium.QR_BLE)
    bench.people.ask("holder", OPEN_APP)
    return bench


# -- replay and forwarding

@ROWS.add("a recorded session sent again to the same phone, armed again", Kind.REFUSED, "", "session status 10; nothing leaves",
          CRYPTO)
def session_replayed_to_the_phone() -> Result:
    bench, messages, _ = overheard()
    armed_again(bench)
    before = state_of(bench)
    answers = [MessageFace(bench.phone).handle(message, bench.clock.now_ns()) for message in messages]
    nothing_moved(bench, before)
    return Result(any(leaves(raw) for raw in answers))


@ROWS.add("a request doubled within its session", Kind.REFUSED, "", "status 10, and the session is over", CRYPTO)
def request_sent_twice() -> Result:
    first, _ = two_messages()
    bench = twin()
    face, now_ns = MessageFace(bench.phone), bench.clock.now_ns()
    assert leaves(face.handle(first, now_ns))
    before = state_of(bench)
    answers = [face.handle(first, now_ns) for _ in range(2)]
    nothing_moved(bench, before)
    return Result(any(leaves(raw) for raw in answers))


@ROWS.add("a recorded answer played back to a desk's next session", Kind.REFUSED, BROKEN, "the desk cannot open it", CRYPTO)
def answer_replayed_to_the_desk() -> Result:
    _, _, replies = overheard()
    bench = desk_for(medium=Medium.QR_BLE)
    bench.desk.fresh(1)  # another moment: the next session's key is another
    link = Changed(DirectLink(MessageFace(bench.phone), bench.clock), lambda n, _: replies[min(n, len(replies) - 1)])
    return refused_unless_medical(bench, wallet=link)


class Between:
    """A party between a desk and a phone that has both of them talk to itself: its own keys towards each."""

    atr = b""

    def __init__(self, bench: WalletBench, forward: Callable[[response.DeviceResponse], response.DeviceResponse]) -> None:
        self.bench, self._forward = bench, forward
        self.key, self.reader_key = private_key("between"), private_key("between, as a reader")
        self.shown = engagement.make(self.key.public_key())

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        pass

    def handle(self, raw: bytes, now_ns: int) -> bytes:
        """The desk's request goes to the phone in another session, and the phone's answer back in this one."""
        asked = session.read_establishment(raw)
        to_desk = Transcript(self.shown.raw, asked.reader_key_bytes)
        desk = Cipher(self.key.exchange(ec.ECDH(), asked.reader_key), to_desk, Side.DEVICE)
        plain = self.phone_says(desk.open(asked.data), now_ns)
        return SessionData(desk.seal(self._forward(response.read(plain)).to_bytes())).to_bytes()

    def phone_says(self, request_bytes: bytes, now_ns: int) -> bytes:
        armed_again(self.bench)
        running = self.bench.phone.session
        assert running is not None
        to_phone = Transcript(running.engagement.raw, session.key_bytes(self.reader_key.public_key()))
        reader = Cipher(self.reader_key.exchange(ec.ECDH(), running.engagement.key), to_phone, Side.READER)
        raw = running.handle(session.establishment(to_phone.reader_key_bytes, reader.seal(request_bytes)), now_ns)
        found = session.read_data(raw).data
        assert found is not None
        return reader.open(found)


def _through_one_between(forward: Callable[[response.DeviceResponse], response.DeviceResponse]) -> tuple[WalletBench, Between]:
    bench = desk_for(medium=Medium.QR_BLE)
    between = Between(bench, forward)
    bench.people.willing = False  # the holder acts for the one between
    bench.screen.text = between.shown.qr_text()
    return bench, between


@ROWS.add("a desk's signed request forwarded into a session of the attacker's own with the phone", Kind.REFUSED, "9013",
          "the SAM signed another session; nothing leaves the phone", "18013-5 9.1.4.5")
def request_forwarded() -> Result:
    bench, between = _through_one_between(lambda answer: answer)
    return refused_unless_medical(bench, wallet=DirectLink(between, bench.clock))


@ROWS.add("what a phone showed to one clinic's SAM forwarded by that clinic into another desk's session", Kind.REFUSED, "4033",
          "the device signed another session", "18013-5 9.1.3")
def answer_forwarded() -> Result:
    """The clinic between has a true SAM and physician: the phone shows them everything."""
    bench, between = _through_one_between(lambda answer: answer)
    between.phone_says = partial(_asked_by_itself, between)  # type: ignore[method-assign]
    return refused_unless_medical(bench, wallet=DirectLink(between, bench.clock))


def _asked_by_itself(between: Between, _: bytes, now_ns: int) -> bytes:
    bench, heard = between.bench, []
    armed_again(bench)
    running = bench.phone.session
    assert running is not None
    bench.screen.text = running.engagement.qr_text()

    def body(opened: ReaderSession, sam: Handle) -> Flow[Any]:
        inner = opened.cipher.open

        def listen(sealed: bytes) -> bytes:
            heard.append(inner(sealed))
            return heard[-1]

        opened.cipher.open = listen  # type: ignore[method-assign]
        return (yield from ask(bench.desk, opened, ALLERGIES, sam, hpc=bench.doctor))

    assert medical(presented(bench, body, wallet=DirectLink(MessageFace(bench.phone), bench.clock))).succeeded
    return heard[-1]
