"""The second-generation physical card: the virtual card's application on a chip with two interfaces, beside the old public read.

    card = SecondCard(image)
    card.contact        T=1, or T=0 by its profile    the old application (default), and the virtual card's
    card.contactless    ISO-DEP                       the NDEF tag, and the virtual card's

Each is a device behind the port; both are one chip with one store, and one has power at a time. Contact goes first: while
the card is in a slot, nothing answers in the field. What is selected, by interface:

    name               contact                      field
    D1580000...1100    the old application          6A82: nobody shall skim ID numbers in passing
    D2760000850101     6A82                         the tag: CC and NDEF file with the handover (Hs)
    A0000002480400     the card application         the card application
    another            6A82, the old one again      6A82, none selected

ISO/IEC 18013-5 knows no contact interface. Here (profile) the card application itself serves the two files of the tag
there, by SELECT FILE and READ BINARY: the reader reads the same Hs, both put [Hs, null] into the transcript, and messages
go in the same ENVELOPE commands. On T=0 a last ENVELOPE has no Le; its answer is announced by 61xx.

Each selection of the tag (in the field) or of the card application (by contact) is a new engagement with a key of its own, and
forgets the PIN. How this card differs from a phone stands in ``second_differences.py``, what is not said there is the same.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import atr
from virtual_devices.apdu import SW, Command, MalformedApdu, Response
from virtual_devices.atr import Transport
from virtual_devices.card.ic_card import AID, AID_SHORT, IcCard
from virtual_devices.card.second_home import ChipHome
from virtual_devices.card.second_image import SecondImage, device_key
from virtual_devices.card.second_t0 import T0
from virtual_devices.holder.application import Application
from virtual_devices.holder.session import HolderSession, State
from virtual_devices.iso_dep import Ats
from virtual_devices.link import PowerCut, Work
from virtual_devices.mdoc import engagement, nfc_retrieval, session, type4
from virtual_devices.mdoc.carriers import NfcCarrier
from virtual_devices.mdoc.handover import StaticHandover
from virtual_devices.mdoc.nfc_retrieval import Retrieval
from virtual_devices.mdoc.type4 import READ_BINARY, SELECT, Type4Tag
from virtual_devices.pki import ChainVerifier
from virtual_devices.randomness import ByteStream, private_key

MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES = 2048, 2048
"""Data fields of one command and one answer, of extended length: the chip's buffer (assumed). On T=0 255 and 256."""
MAX_MESSAGE_BYTES = 32_768
"""The longest session message that the chip takes (assumed): a batch of 60 records has about 25 kB."""
_T1_ATR = atr.make(bytes.fromhex("8073C001C05456484332"), Transport.T1)  # as profiles.py has it, "VHC2"
_T0_ATR = atr.make(bytes.fromhex("8073C001805456484332"), Transport.T0)
ATS = Ats(fsci=8, fwi=8, historical=bytes.fromhex("8073C001C05456484332"))
"""In the field: frames of 256 bytes, 77 ms before an extension is to be asked for. No number of this card stands in it."""
VERIFY = 0x20


class SecondCard:
    """One card: its chip, its two interfaces. ``legacy``: the old application, which is also the chip's operating system."""

    def __init__(self, image: SecondImage) -> None:
        self._image = image
        self.legacy = IcCard(image.card)
        self.card_no = image.card.card_no
        self.store, self.work, self.pin = self.legacy.store, self.legacy.work, self.legacy.pin
        self._seed = image.card.seed
        key, root = device_key(image), ChainVerifier(image.card.root)
        self.contact = Interface(self, self._home(key, root, in_field=False), in_field=False)
        self.contactless = Interface(self, self._home(key, root, in_field=True), in_field=True)

    @staticmethod
    def from_image(raw: bytes) -> SecondCard:
        """A card from its image's bytes. Raises UsageError."""
        return SecondCard(SecondImage.from_bytes(raw))

    def to_image(self) -> bytes:
        """The image with the store as it is now."""
        return replace(self._image, card=replace(self._image.card, cells=self.store.cells())).to_bytes()

    def fresh_key(self) -> ec.EllipticCurvePrivateKey:
        """A key for one session, never given before: its name is a counter that survives power-off. May raise PowerCut."""
        number = int.from_bytes(self.store.get("vhc.sessions"), "big") + 1
        self.store.commit({"vhc.sessions": number.to_bytes(4, "big")})
        return private_key("session", ByteStream(self._seed.hex(), "sessions", number)(32).hex())

    def _home(self, key: ec.EllipticCurvePrivateKey, root: ChainVerifier, *, in_field: bool) -> ChipHome:
        return ChipHome(self.store, self.work, root, self.legacy.authenticator, self.pin, key, in_field=in_field)


class _Handover:
    """Behind the tag: whoever opens it gets a new engagement."""

    writable = False

    def __init__(self, interface: Interface) -> None:
        self._interface = interface

    def begin(self) -> bytes:
        return self._interface.engage()

    def written(self, message: bytes) -> bytes | None:
        return None


class Interface:
    """One interface of the card, as a device behind the port."""

    def __init__(self, card: SecondCard, home: ChipHome, *, in_field: bool) -> None:
        self.card = card
        self.card_no = card.card_no
        self._in_field = in_field
        self._t0 = not in_field and card.legacy.transport is Transport.T0
        self.atr = atr.contactless(ATS.historical) if in_field else _T0_ATR if self._t0 else _T1_ATR
        self.limits = (255, 256) if self._t0 else (MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES)
        self._application = Application(home)
        self._retrieval = Retrieval(self._answer, *self.limits, MAX_MESSAGE_BYTES)
        self._tag = Type4Tag(_Handover(self))
        self._session: HolderSession | None = None
        self._selected = b""
        self._over_t0 = T0(self._speak)
        self.powered = False

    # -- the device port

    @property
    def work(self) -> Work:
        return self.card.work

    @property
    def generation(self) -> int:
        """Grows with each commit to the store."""
        return self.card.store.generation

    def to_image(self) -> bytes:
        return self.card.to_image()

    def arm_cut(self, points: int | None) -> None:
        self.card.store.arm_cut(points)

    def power_on(self) -> bytes:
        """Empty: no answer in the field, while contact has the power. Raises PowerCut when cut while it settles."""
        if self._in_field and self.card.contact.powered:
            return b""
        for interface in (self.card.contact, self.card.contactless):
            interface.power_off()
        self.card.legacy.power_on()
        self.powered = True
        self._select_default()
        return self.atr

    def power_off(self) -> None:
        if self.powered:
            self.powered = False
            self._end_session()
            self._retrieval.reset()
            self._tag.reset()
            self._over_t0.reset()
            self.card.legacy.power_off()

    def handle(self, request: bytes, now_ns: int) -> bytes:
        """``now_ns`` is not looked at: a chip has no clock."""
        if not self.powered:
            return SW.NO_PRECISE_DIAGNOSIS.to_bytes(2, "big")
        try:
            command = Command.parse(request)
        except MalformedApdu as e:
            return e.sw.to_bytes(2, "big")
        try:
            if (command.cla, command.ins, command.p1) == (0, SELECT, 0x04):
                return self._select(command, request)
            if self._selected == AID:
                return self.card.legacy.handle(request, now_ns)
            return (self._over_t0.speak(command) if self._t0 else self._speak(command)).to_bytes()
        except PowerCut:
            self.power_off()
            raise

    # -- selecting

    def _select(self, command: Command, request: bytes) -> bytes:
        name = command.data
        if self._t0 and command.extended:
            return SW.WRONG_LENGTH.to_bytes(2, "big")
        if not self._in_field and name in (AID, AID_SHORT):
            self._select_default()
            return self.card.legacy.handle(request, 0)
        if name == nfc_retrieval.AID or (self._in_field and name == type4.AID):
            return self._select_ours(command).to_bytes()
        if self._selected == AID:
            return self.card.legacy.handle(request, 0)
        self._select_default()
        return SW.FILE_NOT_FOUND.to_bytes(2, "big")

    def _select_default(self) -> None:
        """By contact the old application, in the field none. Whatever the card application was about is over."""
        self._end_session()
        self._retrieval.reset()
        self._tag.reset()
        self._over_t0.reset()
        self._selected = b"" if self._in_field else AID

    def _select_ours(self, command: Command) -> Response:
        if self._selected == AID:
            self.card.legacy.power_on()  # deselected: who proved themselves there, and what was under way, is forgotten
        self._over_t0.reset()
        self._selected = b""
        self._retrieval.reset()
        self._tag.reset()
        name = command.data
        response = self._tag.handle(command) if name == type4.AID else self._retrieval.handle(command)
        assert response is not None  # only an ENVELOPE's answer may come later, and here none does
        if not response.ok:
            self._select_default()
            return response
        self._selected = name
        if not self._in_field:
            self._tag.handle(type4.select(type4.AID))
        return response

    # -- the card application

    def engage(self) -> bytes:
        """A new engagement: Hs with it, for the tag's file. The session before it ends."""
        self._end_session()
        key = self.card.fresh_key()
        shown = engagement.make(key.public_key())
        tag = StaticHandover(shown.raw, [NfcCarrier(*self.limits)])
        self._session = HolderSession(shown, key, self._application.answer, (tag.handover.hs, None))
        return tag.handover.hs

    def _speak(self, command: Command) -> Response:
        if not self._selected:
            return Response(sw=SW.CONDITIONS_NOT_SATISFIED)
        if self._selected == type4.AID:
            return self._tag.handle(command)
        response = self._retrieval.handle(command)  # asked first, as any other command ends a chain
        assert response is not None
        if response.sw != SW.INS_NOT_SUPPORTED:
            return response
        if command.ins == VERIFY:
            return self._verify(command)
        if command.ins in (SELECT, READ_BINARY) and not self._in_field:
            return self._tag.handle(command)
        return response

    def _verify(self, command: Command) -> Response:
        """In the field the last try is not to be had: nobody in a crowd shall lock a card in a pocket."""
        if command.chaining:
            return Response(sw=SW.CHAINING_NOT_SUPPORTED)
        if self._in_field and command.data and self.card.pin.tries_left <= 1:
            return Response(sw=SW.AUTHENTICATION_BLOCKED)
        return Response.parse(self.card.legacy.handle(command.to_bytes(), 0))

    def _answer(self, message: bytes) -> bytes:
        opened = self._session
        if opened is None:
            return session.TERMINATION
        answer = opened.handle(message, 0)
        if opened.state is State.ENDED:
            self.card.pin.forget()
        return answer

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None
        self.card.pin.forget()


__all__ = ["ATS", "MAX_COMMAND_BYTES", "MAX_MESSAGE_BYTES", "MAX_RESPONSE_BYTES", "Interface", "SecondCard"]
