"""Attacks on the session between phone and desk: replayed, forwarded, downgraded, changed on the way, relayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.flow import Flow
from virtual_devices.link import Attempt, DirectLink
from virtual_devices.mdoc import engagement, request, response, session
from virtual_devices.mdoc.engagement import READER_AUTH_ALL
from virtual_devices.mdoc.request import V1_0
from virtual_devices.mdoc.session import Cipher, SessionData, Side, Transcript
from virtual_devices.randomness import private_key
from virtual_devices.reader.proximity import ReaderSession, ask
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.wallet_visit import OPEN_APP, Medium
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace

from .attacks import ALLERGIES, Attack, Kind, Mark, Result, Table, consult, desk_for, medical, nothing_moved, presented, state_of
from .links import Changed, Through
from .wallets import EVERYTHING, PHONE_PIN, WalletBench

ROWS = Table("The session between phone and desk")
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
    first, _ = _two_messages()
    bench = _twin()
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
    return _consulted(bench, wallet=link)


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
    return _consulted(bench, wallet=DirectLink(between, bench.clock))


@ROWS.add("what a phone showed to one clinic's SAM forwarded by that clinic into another desk's session", Kind.REFUSED, "4033",
          "the device signed another session", "18013-5 9.1.3")
def answer_forwarded() -> Result:
    """The clinic between has a true SAM and physician: the phone shows them everything."""
    bench, between = _through_one_between(lambda answer: answer)
    between.phone_says = partial(_asked_by_itself, between)  # type: ignore[method-assign]
    return _consulted(bench, wallet=DirectLink(between, bench.clock))


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


# -- downgrade

def _stripped(raw: bytes) -> bytes:
    """An engagement without the capability to check several readers, as of version 1.0."""
    body = cbor2.loads(raw)
    assert body.pop(6) == {READER_AUTH_ALL: True}
    body.pop(5)
    return cbor2.dumps({**body, 0: "1.0"}, canonical=True)


@ROWS.add("the capability taken out of the engagement on its way (QR code)", Kind.REFUSED, BROKEN,
          "both hash what they saw: status 10, nothing leaves", "18013-5 9.1.5.1")
def engagement_downgraded() -> Result:
    bench = desk_for(medium=Medium.QR_BLE)
    armed_again(bench)
    running = bench.phone.session
    assert running is not None
    bench.people.willing = False
    bench.screen.text = engagement.read(_stripped(running.engagement.raw)).qr_text()
    return _consulted(bench)


@ROWS.add("the capability taken out of the NFC tag's message on its way", Kind.REFUSED, BROKEN,
          "both hash what they saw: status 10, nothing leaves", "18013-5 9.1.5.1")
def tag_downgraded() -> Result:
    """The message's length stays: the capability's key is changed to one that nobody knows."""
    bench = desk_for()
    true, other = cbor2.dumps({READER_AUTH_ALL: True}), cbor2.dumps({READER_AUTH_ALL + 1: True})
    link = Changed(DirectLink(NfcFace(bench.phone), bench.clock, channel="nfc"), lambda _, reply: reply.replace(true, other))
    return _consulted(bench, wallet=link)


@ROWS.add("a request relabelled as of version 1.0 before it is sealed", Kind.REFUSED, "4014",
          "of a 1.0 request the SAM alone counts: basic data only", "versions", Mark.PROFILE)
def request_downgraded() -> Result:
    bench = desk_for(Use.REGISTRATION)

    def body(opened: ReaderSession, sam: Handle) -> Flow[Any]:
        seal = opened.cipher.seal

        def relabelled(plain: bytes) -> bytes:
            return seal(replace(request.read(plain), version=V1_0).to_bytes())

        opened.cipher.seal = relabelled  # type: ignore[method-assign]
        return (yield from ask(bench.desk, opened, ALLERGIES, sam, hpc=bench.doctor))

    shown = presented(bench, body)
    assert shown.value(vhc.BASIC, "name") == "王小明"
    return medical(shown)


@ROWS.add("a phone that says it knows version 1.0 only", Kind.REFUSED, "4014",
          "the desk asks with its SAM alone: basic data only", "versions", Mark.PROFILE)
def phone_of_version_1_0() -> Result:
    bench = desk_for(Use.REGISTRATION, Medium.QR_BLE)
    armed_again(bench)
    bench.phone.end_session()
    bench.people.willing = False
    bench.phone.consent.power_on()
    bench.phone.holder.enter_pin(PHONE_PIN, bench.clock.now_ns())
    assert bench.phone.arm(Use.REGISTRATION, EVERYTHING, bench.clock.now_ns())
    bench.screen.text = bench.phone.engage(legacy=True).engagement.qr_text()
    return medical(consult(bench))


# -- changed on the way

def _consulted(bench: WalletBench, **links: Any) -> Result:
    before = state_of(bench)
    try:
        return medical(consult(bench, **links))
    except Ended as e:
        nothing_moved(bench, (before[0] if not bench.phone.log.entries() else state_of(bench)[0], *before[1:]))
        return Result(False, e.code)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda raw: raw[:-1],
    "over-long": lambda raw: raw + bytes(1),
    "of 70 kB": lambda raw: raw + bytes(70_000),
    "doubled": lambda raw: raw + raw,
    "with a bit flipped": lambda raw: raw[:-9] + bytes((raw[-9] ^ 1,)) + raw[-8:],
    "emptied": lambda raw: raw[:0],
}


class ChangedRequest(Through):
    """The n-th message goes changed to the phone."""

    def __init__(self, inner: Any, change: Callable[[bytes], bytes]) -> None:
        super().__init__(inner)
        self._change = change

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return super().attempt(self._change(message), timeout_s)


def _request_changed(change: Callable[[bytes], bytes]) -> Result:
    bench = desk_for(medium=Medium.QR_BLE)
    return _consulted(bench, wallet=ChangedRequest(DirectLink(MessageFace(bench.phone), bench.clock), change))


def _answer_changed(change: Callable[[bytes], bytes]) -> Result:
    bench = desk_for(medium=Medium.QR_BLE)
    return _consulted(bench, wallet=Changed(DirectLink(MessageFace(bench.phone), bench.clock), lambda _, raw: change(raw)))


def _on_both_ways() -> None:
    for kind, change in CHANGES.items():
        name = kind.replace(" ", "-")
        for way, what, seen, run in (
            ("request", "a desk's message", "status 10 or 11, and the session is over", _request_changed),
            ("answer", "a phone's answer", "the desk cannot read it and ends", _answer_changed),
        ):
            ROWS.put(Attack(f"{way}-{name}", f"{what} {kind}", Kind.REFUSED, BROKEN, seen, CRYPTO, Mark.STANDARD,
                            partial(run, change)))


_on_both_ways()


@ROWS.add("two messages of a session exchanged", Kind.REFUSED, "", "status 10 or 11, and the session is over", CRYPTO)
def messages_reordered() -> Result:
    """The twin of a phone, in the twin of a session, takes them in their order; the second before the first, neither."""
    first, second = _two_messages()
    in_order, exchanged = _twin(), _twin()
    now_ns = desk_for().clock.now_ns()
    assert all(leaves(MessageFace(in_order.phone).handle(raw, now_ns)) for raw in (first, second))
    before = state_of(exchanged)
    answers = [MessageFace(exchanged.phone).handle(raw, now_ns) for raw in (second, first)]
    nothing_moved(exchanged, before)
    return Result(any(leaves(raw) for raw in answers))


def _two_messages() -> list[bytes]:
    bench = desk_for(medium=Medium.QR_BLE)
    link = Through(DirectLink(MessageFace(bench.phone), bench.clock))

    def body(opened: ReaderSession, sam: Handle) -> Flow[Any]:
        for _ in range(2):
            yield from ask(bench.desk, opened, ALLERGIES, sam, hpc=bench.doctor)

    presented(bench, body, wallet=link)
    return link.messages[:2]


def _twin() -> WalletBench:
    """A desk's phone at the same point, with the same keys: what comes from seeds comes again."""
    bench = desk_for(medium=Medium.QR_BLE)
    bench.people.ask("holder", OPEN_APP)
    return bench


# -- relay

class Relay(Through):
    """Carries everything as it is to a phone that is somewhere else; it takes time."""

    def __init__(self, inner: Any, latency_s: float) -> None:
        super().__init__(inner)
        self._latency_ns = round(latency_s * 1e9)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        attempt = super().attempt(message, timeout_s)
        return replace(attempt, duration_ns=attempt.duration_ns + self._latency_ns)


@ROWS.add("a live relay: the phone, and its holder's true consent, are in another town", Kind.NOT_DETECTABLE, "0",
          "every byte is as it should be; each exchange takes longer, which nobody bounds", "18013-5 E.6: no distance bounding",
          Mark.INFERRED)
def live_relay() -> Result:
    """The same bytes with and without; the time of the exchanges is the one trace."""
    sizes, taken = [], []
    for latency_s in (0.0, 0.08):
        bench = desk_for()
        link = Relay(DirectLink(NfcFace(bench.phone), bench.clock, channel="nfc"), latency_s)
        found = medical(consult(bench, wallet=link))
        assert found.succeeded
        sizes.append([len(raw) for raw in link.messages])
        taken.append(bench.clock.now_ns())
    assert sizes[0] == sizes[1] and taken[1] - taken[0] >= 0.08e9 * len(sizes[1])
    return found

