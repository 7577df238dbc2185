"""Attacks by whoever carries the bytes: downgraded, changed on the way, relayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import cbor2

from virtual_devices import vhc
from virtual_devices.flow import Flow
from virtual_devices.link import Attempt, DirectLink
from virtual_devices.mdoc import engagement, request
from virtual_devices.mdoc.engagement import READER_AUTH_ALL
from virtual_devices.mdoc.request import V1_0
from virtual_devices.reader.presentation import Medium
from virtual_devices.reader.proximity import ReaderSession, ask
from virtual_devices.reader.transmit import Handle
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace

from .attacks import (
    ALLERGIES,
    Attack,
    Kind,
    Mark,
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
from .attacks_sessions import BROKEN, CRYPTO, armed_again, leaves, twin, two_messages
from .links import Changed, Through
from .wallets import EVERYTHING, PHONE_PIN

ROWS = Table("On the way")


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
    return refused_unless_medical(bench)


@ROWS.add("the capability taken out of the NFC tag's message on its way", Kind.REFUSED, BROKEN,
          "both hash what they saw: status 10, nothing leaves", "18013-5 9.1.5.1")
def tag_downgraded() -> Result:
    """The message's length stays: the capability's key is changed to one that nobody knows."""
    bench = desk_for()
    true, other = cbor2.dumps({READER_AUTH_ALL: True}), cbor2.dumps({READER_AUTH_ALL + 1: True})
    link = Changed(DirectLink(NfcFace(bench.phone), bench.clock, channel="nfc"), lambda _, reply: reply.replace(true, other))
    return refused_unless_medical(bench, wallet=link)


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

CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda raw: raw[:-1],
    "over-long": lambda raw: raw + bytes(1),
    "of 70 kB": lambda raw: raw + bytes(70_000),
    "doubled": lambda raw: raw + raw,
    "with a bit flipped": lambda raw: raw[:-9] + bytes((raw[-9] ^ 1,)) + raw[-8:],
    "emptied": lambda raw: raw[:0],
}


class ChangedRequest(Through):
    """Every message goes changed to the phone; what only makes the connection is none."""

    def __init__(self, inner: Any, change: Callable[[bytes], bytes]) -> None:
        super().__init__(inner)
        self._change = change

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        return super().attempt(self._change(message) if message else message, timeout_s)


def _request_changed(change: Callable[[bytes], bytes]) -> Result:
    bench = desk_for(medium=Medium.QR_BLE)
    return refused_unless_medical(bench, wallet=ChangedRequest(DirectLink(MessageFace(bench.phone), bench.clock), change))


def _answer_changed(change: Callable[[bytes], bytes]) -> Result:
    bench = desk_for(medium=Medium.QR_BLE)
    link = Changed(DirectLink(MessageFace(bench.phone), bench.clock), lambda _, raw: change(raw) if raw else raw)
    return refused_unless_medical(bench, wallet=link)


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
    first, second = two_messages()
    in_order, exchanged = twin(), twin()
    now_ns = desk_for().clock.now_ns()
    assert all(leaves(MessageFace(in_order.phone).handle(raw, now_ns)) for raw in (first, second))
    before = state_of(exchanged)
    answers = [MessageFace(exchanged.phone).handle(raw, now_ns) for raw in (second, first)]
    nothing_moved(exchanged, before)
    return Result(any(leaves(raw) for raw in answers))


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

