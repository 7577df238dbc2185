"""A scripted card: what is presented to a reader under test. It is right in everything but what a case has it do otherwise.

It is a holder's side of ISO/IEC 18013-5, of one session: an engagement (over NFC behind a tag, also where Bluetooth follows; by
contact in the files of the second-generation card; else as the text of a code), and session messages, whose plain requests it
keeps and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from conformance.references.reader import Wants
from conformance.scripted_faces import CHIP_BYTES, Chip, Face, Phone, Tag, answer_to_reset
from conformance.vectors.world import World
from virtual_devices import vhc
from virtual_devices.link import Outcome
from virtual_devices.mdoc import engagement, handover, request, session
from virtual_devices.mdoc.ble_options import BleOptions, of_carrier
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole, MalformedHandover, NfcCarrier
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.ndef import MalformedNdef
from virtual_devices.mdoc.nfc_retrieval import Retrieval
from virtual_devices.mdoc.request import DeviceRequest
from virtual_devices.mdoc.response import DeviceResponse, DeviceSigned, Document, sign_device
from virtual_devices.mdoc.session import Cipher, SessionData, Side, Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc, unembed
from virtual_devices.mdoc.type4 import Fixed, Type4Tag
from virtual_devices.pki import hashed
from virtual_devices.write_back import Batch, Receipt, WriteOutcome, read_batch

Answer = tuple[Outcome, bytes | None]
MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES = 65535, 65536
TAP = "nfc-ble"
"""The channel of a tap that Bluetooth follows."""


@dataclass(frozen=True)
class PublicHalf:
    """A reader's ephemeral key as the other side knows it."""

    key: ec.EllipticCurvePublicKey

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.key


@dataclass(frozen=True)
class InSession:
    """A session as the vectors take one: everything but the reader's private key."""

    name: str
    engagement: engagement.Engagement
    device: ec.EllipticCurvePrivateKey
    reader: Any
    transcript: Transcript


@dataclass
class Script:
    """What it does otherwise; everything is right where nothing is said.

    ``text``, ``hs``: what stands in its code or in its tag; ``negotiated``: its tag asks the reader first (TNEP). ``say``: its
    plain DeviceResponse to a request, by the request's number from 1. ``message``: the session message in place of the right one
    (number, the right one). ``fate``: of a command or message, by its step: how the medium ends it. ``carries``: the credential
    that it shows. ``version_1_0``: what it says that it knows; ``methods``: the ways of retrieval that its engagement names;
    ``carriers``: those that its handover names; ``transcribed``: what it takes for the Hs that was read; ``fields``: the longest
    data fields of command and response there.
    """

    text: bytes | None = None
    hs: bytes | None = None
    negotiated: Callable[[bytes], handover.NegotiatedHandover] | None = None
    version_1_0: bool = False
    methods: list[list[Any]] | None = None
    carriers: Sequence[Carrier] | None = None
    transcribed: Callable[[bytes], bytes] = lambda hs: hs
    fields: tuple[int, int] = (MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES)
    carries: IssuerSigned | None = None
    device: ec.EllipticCurvePrivateKey | None = None
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {vhc.RECORDS: {"generation": 0}})
    say: Callable[[ScriptedCard, DeviceRequest, int], bytes] | None = None
    message: Callable[[ScriptedCard, int, bytes], bytes] | None = None
    fate: Callable[[Wants], Answer | None] | None = None


class ScriptedCard:
    """One presentation. ``requests``: what was asked, in order; ``heard``: every session message as it came."""

    def __init__(self, world: World, channel: str, name: str, script: Script) -> None:
        self.world = world
        self.script = script
        self.name = name
        self.channel = channel
        self.key = world.private("scripted", name)
        self.requests: list[DeviceRequest] = []
        self.heard: list[bytes] = []
        self.commands: list[bytes] = []
        self.cut: list[str] = []
        self.ended = False
        self._cipher: Cipher | None = None
        self._transcript: Transcript | None = None
        self._reader: ec.EllipticCurvePublicKey | None = None
        fresh = world.fresh("scripted", name)
        self.service = UUID(bytes=fresh(16), version=4)
        both = BleOptions(self.service, UUID(bytes=fresh(16), version=4))
        methods = script.methods or [both.method()]
        by_code = channel not in ("nfc", "contact", TAP)
        self.shown = engagement.make(
            self.key.public_key(), methods if by_code else None, reader_auth_all=not script.version_1_0,
        )
        self.atr = answer_to_reset(channel)
        self.hs: bytes | None = None
        self.asked_first: handover.NegotiatedHandover | None = None
        self._tag: Type4Tag | None = None
        self._face: Face | None = None
        if not by_code:
            command, response = script.fields
            fields = (min(CHIP_BYTES, command), min(CHIP_BYTES, response)) if channel == "contact" else (command, response)
            named = script.carriers or [BleCarrier(LeRole.PERIPHERAL, self.service) if channel == TAP else NfcCarrier(*fields)]
            self.hs = script.hs or handover.make_select(self.shown.raw, named)
            self.asked_first = script.negotiated and script.negotiated(self.shown.raw)
            tag = self._tag = Type4Tag(self.asked_first or Fixed(self.hs))
            if channel == TAP:
                self._face = Tag(tag)
            else:
                self._face = (Chip if channel == "contact" else Phone)(tag, Retrieval(self.hear, *fields))

    # -- what the reader wants of it

    def answer(self, wants: Wants) -> Answer:
        """To one thing that the reader wants."""
        fate = None if self.script.fate is None else self.script.fate(wants)
        if fate is not None:
            self.cut.append("end session" if wants.message == session.TERMINATION else wants.step)
            return fate
        if wants.role == "screen":
            return Outcome.REPLIED, self.script.text or self.shown.qr_text().encode()
        if wants.connect and self._tag is None and self.shown.method(engagement.BLE) is None:
            return Outcome.GONE, None  # nobody can be met behind it
        if wants.connect:
            self._face = None
            return Outcome.REPLIED, b""
        if not wants.message:
            return Outcome.REPLIED, self.atr
        self.commands.append(wants.message)
        return Outcome.REPLIED, self.hear(wants.message) if self._face is None else self._face.handle(wants.message)

    def leads_to(self) -> bytes | None:
        """Where its tag leads a reader: an engagement that says how it is met over Bluetooth, once a reader has read it whole;
        None before, and where it leads nowhere."""
        if self.channel != TAP or self.hs is None or self._tag is None or not self._tag.read_whole:
            return None
        try:
            made = handover.read_select(self.hs) if self.asked_first is None else self.asked_first.handover
        except (MalformedHandover, MalformedNdef):
            return None
        offered = [] if made is None else [of_carrier(c, made.ble_service) for c in made.carriers if isinstance(c, BleCarrier)]
        methods = [options.method() for options in offered if options is not None]
        return engagement.with_methods(self.shown, methods) if methods else None

    @property
    def opened(self) -> InSession:
        """The session that the reader has begun."""
        assert self._transcript is not None and self._reader is not None
        return InSession("live", self.shown, self.key, PublicHalf(self._reader), self._transcript)

    @property
    def transcript(self) -> Transcript:
        return self.opened.transcript

    def hear(self, message: bytes) -> bytes:
        """One session message, and the answer."""
        self.heard.append(message)
        try:
            return self._hear(message)
        except MalformedMdoc:
            return session.TERMINATION

    def _hear(self, message: bytes) -> bytes:
        if self._cipher is None:
            first = session.read_establishment(message)
            handed: tuple[bytes, bytes | None] | None = None if self.hs is None else (self.script.transcribed(self.hs), None)
            if self.asked_first is not None:
                assert self.asked_first.handover is not None
                handed = (self.asked_first.handover.hs, self.asked_first.handover.hr)
            self._transcript = Transcript(self.shown.raw, first.reader_key_bytes, handed)
            self._reader = first.reader_key
            self._cipher = Cipher(session.agree(self.key, first.reader_key), self._transcript, Side.DEVICE)
            data: bytes | None = first.data
        else:
            said = session.read_data(message)
            if said.status is not None:
                self.ended = True
            data = said.data
        if data is None:
            return b""
        self.requests.append(request.read(self._cipher.open(data)))
        number = len(self.requests)
        plain = self.says(self.requests[-1], number)
        right = SessionData(self._cipher.seal(plain)).to_bytes()
        return right if self.script.message is None else self.script.message(self, number, right)

    def seal(self, plain: bytes) -> bytes:
        """One more message of its own under the session's keys."""
        assert self._cipher is not None
        return SessionData(self._cipher.seal(plain)).to_bytes()

    # -- what it says

    def says(self, asked: DeviceRequest, number: int) -> bytes:
        return self.right(asked) if self.script.say is None else self.script.say(self, asked, number)

    def right(self, asked: DeviceRequest) -> bytes:
        """The right answer to a request: what was asked for of the credential, and what the device says of itself."""
        wanted = asked.documents[0].items.elements()
        issued = (self.script.carries or self.world.issued).select(wanted)
        values = {space: {n: v for n, v in found.items() if n in wanted.get(space, ())}
                  for space, found in self.script.values.items()}
        device = self.signed({space: found for space, found in values.items() if found})
        had = {s: {i.identifier for i in items} | set(values.get(s, {})) for s, items in issued.items.items()}
        had |= {s: set(found) for s, found in values.items() if s not in had}
        missing = {s: {n: 0 for n in sorted(names) if n not in had.get(s, set())} for s, names in wanted.items()}
        document = Document(vhc.DOCTYPE, issued, device, {s: codes for s, codes in missing.items() if codes})
        return DeviceResponse((document,)).to_bytes()

    def signed(self, values: Mapping[str, Mapping[str, Any]]) -> DeviceSigned:
        key = self.script.device or self.world.device
        return sign_device(lambda m: self.world.es256(key, m), self.transcript, vhc.DOCTYPE, values)


def storing(outcome: WriteOutcome = WriteOutcome.STORED, **more: Any) -> Script:
    """A card that answers a batch with a receipt. ``more``: of the script."""
    def say(card: ScriptedCard, asked: DeviceRequest, _: int) -> bytes:
        batch = batch_of(asked)
        if batch is not None:
            done = receipt(batch, outcome, card.world.now_ns)
            card.script.values = {**card.script.values, vhc.WRITE: {vhc.RECEIPT: done.value()}}
        return card.right(asked)

    return Script(**{"say": say, **more})


def batch_of(asked: DeviceRequest) -> Batch | None:
    """The batch that rides in a request. Raises MalformedMdoc."""
    found = asked.documents[0].items.info.get(vhc.WRITE_INFO)
    return None if found is None else read_batch(unembed(found, "the batch"))


def receipt(batch: Batch, outcome: WriteOutcome, at_ns: int) -> Receipt:
    """What a card says of a batch."""
    generation = batch.generation + 1 if outcome.done else batch.generation
    return Receipt(batch.id, hashed(batch.to_bytes()), outcome, generation, at_ns)


__all__ = ["Answer", "InSession", "Script", "ScriptedCard", "batch_of", "receipt", "storing"]
