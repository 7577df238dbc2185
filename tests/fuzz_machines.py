"""Machines with a memory as targets of fuzzing: an input is a sequence of messages (``fuzz_spoil.framed``), each machine new.

A machine answers, refuses or is silent; it never raises, and what must stay inside stays inside.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import lru_cache
from random import Random
from typing import Any

from virtual_devices import cbor, vhc
from virtual_devices.apdu import Chainer, Command, MalformedApdu
from virtual_devices.flow import Exchange
from virtual_devices.holder.session import MAX_REQUESTS, HolderSession
from virtual_devices.iso_dep import Ats, Picc
from virtual_devices.iso_dep_reader import Lost, Pcd, rats
from virtual_devices.link import Attempt, Outcome
from virtual_devices.mdoc import response, session
from virtual_devices.mdoc.ble_events import Phase
from virtual_devices.mdoc.ble_gatt import Name
from virtual_devices.mdoc.carriers import NfcCarrier
from virtual_devices.mdoc.handover import NegotiatedHandover
from virtual_devices.mdoc.nfc_applications import Applications
from virtual_devices.mdoc.nfc_retrieval import Retrieval, envelopes, wrap
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.mdoc.response import DeviceResponse
from virtual_devices.mdoc.session import SessionData, Side
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.mdoc.type4 import Type4Tag
from virtual_devices.reader import nfc
from virtual_devices.reader.proximity import Engaged, MessageChannel, ReaderSession, ask
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.held import OWN
from virtual_devices.wallet.holder import Means
from virtual_devices.wallet.phone import Phone
from virtual_devices.write_back import holder_of

from . import fuzz_seeds as seeds
from .ble_ends import ALL_ENDS, bring, data_of, phases, spoken
from .desk import NOW_NS
from .fuzz_spoil import framed, spoil_cbor, spoil_framed, unframed
from .fuzz_targets import Target, commands
from .handover_messages import DRAW
from .wallets import EVERYTHING, WalletBench, phone

# -- the holder's session


def holder_messages() -> list[bytes]:
    """A session that goes well, and one that is closed."""
    plain, opened = seeds.requests(), seeds.opened()
    sealer = opened.cipher()
    first = session.establishment(opened.transcript.reader_key_bytes, sealer.seal(plain[1]))
    more = [SessionData(sealer.seal(one)).to_bytes() for one in plain]
    return [framed([first, *more]), framed([first, session.TERMINATION]), framed([first])]


def holder(raw: bytes) -> None:
    """Only what was sealed for this place of this session reaches the application, and nothing after the session has ended."""
    reached: list[DeviceRequest] = []
    opened = seeds.opened()

    def answer(asked: DeviceRequest, transcript: object, now_ns: int) -> DeviceResponse:
        reached.append(asked)
        return DeviceResponse()

    made = HolderSession(opened.shown, seeds.DEVICE_KEY, answer)
    good = unframed(holder_messages_once()[0])
    sent = unframed(raw)
    for message in sent:
        assert isinstance(made.handle(message, NOW_NS), bytes)
    right = next((n for n, (a, b) in enumerate(zip(sent, good, strict=False)) if a != b), min(len(sent), len(good)))
    assert len(reached) <= right or _same_inside(sent, good, len(reached)), f"{len(reached)} requests, {right} of them good"
    assert len(reached) <= MAX_REQUESTS


@lru_cache
def holder_messages_once() -> list[bytes]:
    return holder_messages()


def _same_inside(sent: list[bytes], good: list[bytes], count: int) -> bool:
    """The CBOR round the ciphertext may be written in other ways; what is inside may not."""
    def sealed(number: int, message: bytes) -> bytes | None:
        found = session.read_data(message) if number else session.read_establishment(message)
        return found.data

    return all(sealed(n, a) == sealed(n, b) for n, (a, b) in enumerate(zip(sent[:count], good[:count], strict=True)))


# -- a whole phone, asked by whoever has the session's keys

@lru_cache
def armed_phone() -> Phone:
    """Its holder always proves to be there: what is fuzzed is the request, and each try of a PIN writes to the vault."""
    made = phone("fuzz")
    made.holder.take_proof = lambda _: Means.BIOMETRIC  # type: ignore[method-assign]
    return made


def asked_of_phone(plain: bytes) -> None:
    """A request under the session's keys, as a reader with a stolen list of elements might make it: the phone answers, and what
    is shown is what SAM and physician may have by their signatures, which no change survives."""
    made = armed_phone()
    assert made.arm(Use.TREATMENT, EVERYTHING, NOW_NS)
    opened = seeds.opened()
    running = made.engaged(opened.shown, seeds.DEVICE_KEY)
    raw = running.handle(opened.establishment(plain), NOW_NS)
    made.end_session()
    made.consent.power_on()
    sealed = session.read_data(raw).data
    if sealed is None:
        return
    answer = response.read(opened.cipher().open(sealed))
    if plain not in seeds.requests():
        shown = {name for d in answer.documents for items in d.issued.items.values() for name in [i.identifier for i in items]}
        assert shown <= {e.name for e in vhc.ELEMENTS}
        assert made.records().generation == 0


def late_records() -> list[bytes]:
    """[id, records, chains of the signers], as the data centre hands them over; for this phone's card."""
    held = late_phone().cards.get(OWN)
    assert held is not None
    holder = holder_of(held.mso.device_key)
    return [dumps([bytes(16), [seeds.record(holder=holder)], [list(seeds.SAM.chain), list(seeds.HPC.chain)]]),
            dumps([bytes(16), [seeds.record()], []])]


@lru_cache
def late_phone() -> Phone:
    return phone("late")


def brought_late(raw: bytes) -> None:
    """Nothing is stored that a physician and an institution have not signed for this card."""
    try:
        entry = cbor.decode(raw)
    except cbor.MalformedCbor:
        return
    made = late_phone()
    outcome = made.take_late(entry, NOW_NS)
    assert not outcome.done or made.records().all() == [cbor.decode(late_records()[0])[1][0]]


# -- over NFC

def nfc_commands() -> list[bytes]:
    """The handover and retrieval as a reader of ours speaks them, with short and with extended lengths."""
    found = []
    for limits in ((255, 256), (65535, 65536)):
        inner = Heard(fresh_applications())
        run_flow(nfc.handover([NfcCarrier()], DRAW), inner)
        run_flow(nfc.open_retrieval(), inner)
        run_flow(nfc.retrieve(bytes(700), *limits), inner)
        found.append(framed(inner.messages))
    return [*found, framed(commands()[:8]), framed([c.to_bytes() for c in envelopes(bytes(2000), 100, 256)])]


def fresh_applications() -> Applications:
    content = NegotiatedHandover(seeds.opened().shown.raw, lambda offered: next(iter(offered), None))
    return Applications(Type4Tag(content), Retrieval(lambda message: message[:900], 1024, 65536, 4096))


def nfc_wallet(raw: bytes) -> None:
    applications = fresh_applications()
    chainer = Chainer(2000)
    for message in unframed(raw):
        answer = applications.handle(message)
        assert answer is not None and len(answer) >= 2
        try:
            chainer.feed(Command.parse(message))
        except MalformedApdu:
            pass


class Heard:
    """What answers a flow's exchanges, and what was said both ways."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications
        self.messages: list[bytes] = []
        self.answers: list[bytes] = []

    def __call__(self, message: bytes) -> bytes | None:
        answer = self._applications.handle(message)
        assert answer is not None
        self.messages.append(message)
        self.answers.append(answer)
        return answer


def run_flow(flow: Generator[Any, Any, Any], answer: Callable[[bytes], bytes | None]) -> Any:
    """A flow whose exchanges are answered so; None: the device is gone."""
    reply: Any = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration as stop:
            return stop.value
        reply = None
        if isinstance(step, Exchange):
            said = answer(step.message)
            reply = Attempt(Outcome.GONE, 0) if said is None else Attempt(Outcome.REPLIED, 0, said)


def lies(raw: bytes) -> Callable[[bytes], bytes | None]:
    """Answers one after the other, whatever is asked."""
    left: Iterator[bytes] = iter(unframed(raw))
    return lambda _: next(left, None)


def nfc_answers() -> list[bytes]:
    inner = Heard(fresh_applications())
    run_flow(nfc.handover([NfcCarrier()], DRAW), inner)
    handed = framed(inner.answers)
    inner.answers.clear()
    run_flow(nfc.open_retrieval(), inner)
    run_flow(nfc.retrieve(bytes(700)), inner)
    return [handed, framed(inner.answers[1:]), framed([wrap(bytes(200)) + b"\x61\x40", wrap(bytes(200))[:64] + b"\x90\x00"])]


def nfc_reader(raw: bytes) -> None:
    for flow in (nfc.handover([NfcCarrier()], DRAW), nfc.open_retrieval(), nfc.retrieve(bytes(70))):
        try:
            run_flow(flow, lies(raw))
        except Ended as e:
            assert e.code


# -- the desk, before a wallet that lies

class Signing:
    """A desk whose SAM answers as it does, each command once, and whose wallet says what it is told to."""

    def __init__(self) -> None:
        bench = WalletBench()
        self._sam, _ = bench.ready()
        self._desk, self._chip = bench.desk, bench.links()["sam"]
        self._known: dict[bytes, Attempt] = {}

    def ask(self, answer: bytes) -> None:
        opened = seeds.opened()
        reader = ReaderSession(Engaged(opened.shown), MessageChannel(), seeds.READER_KEY, opened.transcript, opened.cipher())
        flow = ask(self._desk, reader, vhc.OTHER_USE, self._sam)
        reply: Any = None
        try:
            while True:
                step = flow.send(reply)
                reply = Attempt(Outcome.REPLIED, 0, answer) if step.role == "wallet" else self._from_sam(step.message)
        except (StopIteration, Ended) as e:
            assert isinstance(e, StopIteration) or e.code

    def _from_sam(self, command: bytes) -> Attempt:
        if command not in self._known:
            self._known[command] = self._chip.attempt(command, 1)
        return self._known[command]


@lru_cache
def desk() -> Signing:
    return Signing()


def answered_to_desk(raw: bytes) -> None:
    """The answer sealed for the session, or, when its first byte is odd, instead of a session message."""
    opened = seeds.opened()
    odd = bool(raw) and raw[0] % 2
    desk().ask(raw if odd else SessionData(opened.cipher(Side.DEVICE).seal(raw)).to_bytes())


# -- blocks, and BLE

def blocks() -> list[bytes]:
    """A card's and a reader's side of one exchange in short frames."""
    picc, sent, got = Picc(lambda m: m), [], []
    picc.activate(rats(2))
    exchange = Pcd(Ats(fsci=2), 2).exchange(bytes(range(90)))
    frame = next(exchange)
    try:
        while True:
            sent.append(frame.block)
            answer = picc.receive(frame.block)
            got.append(answer or b"")
            frame = exchange.send(answer)
    except StopIteration:
        return [framed(sent), framed(got), framed([b"\xf2\x3b", *got]), framed([b"\xe0\x80", *sent, b"\xc2"])]


def picc(raw: bytes) -> None:
    sent = unframed(raw)
    late = Picc(lambda message: None if message[:1] == b"\x00" else message, max_message_bytes=600)
    late.activate(sent[0] if sent and sent[0][:1] == b"\xe0" else rats(2))
    for block in sent:
        answer = late.receive(block)
        assert answer is None or len(answer) + 2 <= 256
        if answer is None and late.computing:
            late.reply(bytes(80))
            if late.computing and len(block) % 2:
                late.field_off()


def pcd(raw: bytes) -> None:
    exchange = Pcd(Ats(fsci=2), 2).exchange(bytes(range(90)))
    next(exchange)
    try:
        for block in unframed(raw):
            exchange.send(block)
    except (StopIteration, Lost):
        return


PLACES = [(mode, side, phase) for mode, side in ALL_ENDS for phase in phases(mode, bring(mode, side, Phase.IDLE).role)]
NAMES = (Name.STATE, Name.CLIENT_TO_SERVER, Name.SERVER_TO_CLIENT, Name.IDENT)


def ble_values() -> list[bytes]:
    """Where it stands, and values: State 01, a message in chunks, State 02."""
    found = []
    for number, (mode, side, phase) in enumerate(PLACES):
        data = bytes((NAMES.index(data_of(bring(mode, side, phase))),))
        values = [b"\x00\x01", data + b"\x01" + bytes(20), data + b"\x00" + bytes(7), b"\x00\x02"]
        found.append(framed([bytes((number,)), *values]))
    return found


def ble(raw: bytes) -> None:
    """Values by a characteristic: in every phase, at every end."""
    place, *values = unframed(raw) or [b""]
    link = bring(*PLACES[(place[:1] or b"\x00")[0] % len(PLACES)])
    for value in values:
        link.handle(spoken(NAMES[(value[:1] or b"\x00")[0] % len(NAMES)], value[1:], link))


def spoil_inside(rng: Random, raw: bytes) -> bytes:
    """As a sequence, or the CBOR of one message of it."""
    found = unframed(raw)
    if not found or rng.random() < 0.5:
        return spoil_framed(rng, raw)
    at = rng.randrange(len(found))
    found[at] = spoil_cbor(rng, found[at])
    return framed(found)


MACHINES: dict[str, Target] = {
    "holder": Target("the wallet's session", holder_messages, holder, spoil_inside, 16_384),
    "phone": Target("a phone with armed consent, requests under its keys", seeds.requests, asked_of_phone, spoil_cbor, 8192),
    "desk": Target("a desk, answers under its keys", seeds.responses, answered_to_desk, spoil_cbor, 8192),
    "late": Target("records that the data centre brings", late_records, brought_late, spoil_cbor, 8192),
    "nfc-wallet": Target("tag and retrieval, commands", nfc_commands, nfc_wallet, spoil_framed, 8192),
    "nfc-reader": Target("handover and retrieval, answers", nfc_answers, nfc_reader, spoil_framed, 8192),
    "picc": Target("ISO-DEP, the card's side", blocks, picc, spoil_framed, 2048),
    "pcd": Target("ISO-DEP, the reader's side", blocks, pcd, spoil_framed, 2048),
    "ble": Target("BLE, values in every phase", ble_values, ble, spoil_framed, 2048),
}
"""By the name that ``./bench.sh fuzz NAME`` takes."""
