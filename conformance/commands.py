"""A wallet's NFC interface (or a second-generation card's contacts), command by command: what a session is carried in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.kinds.wallet import WalletTester
from virtual_devices.apdu import Command, MalformedApdu, Response
from virtual_devices.flow import Exchange, Flow
from virtual_devices.link import Attempt, Outcome
from virtual_devices.mdoc import engagement, handover, ndef, nfc_retrieval, tnep, type4
from virtual_devices.mdoc.carriers import Carrier, MalformedHandover
from virtual_devices.reader.nfc import Container, read_container
from virtual_devices.reader.presentation import open_at
from virtual_devices.reader.proximity import ROLE, Engaged, NfcChannel, ReaderSession, open_session
from virtual_devices.reader.second_card import ContactChannel, engage_contact
from virtual_devices.reader.transmit import Handle, power_on
from virtual_devices.wallet.consent import Use

TIMEOUT_S = 10.0
_SELECT_T0 = replace(type4.select(nfc_retrieval.AID), le=None)
PIECE = 255
"""Data of a command of short length."""


@dataclass(frozen=True)
class Commands:
    """Commands to a wallet in reach. That each is answered with a status word is a check."""

    wallet: WalletTester
    role: str = ROLE

    @classmethod
    def met(cls, wallet: WalletTester, use: Use | None = None) -> Commands:
        """A new contact, its power on, no application selected."""
        wallet.reach(use)
        commands = cls(wallet)
        commands.power_on()
        return commands

    def power_on(self) -> Handle:
        handle: Handle = self.wallet.run(power_on(self.role, "power on"))
        return handle

    def send(self, command: Command | str, step: str) -> Response:
        """These bytes and no others, once."""
        raw = bytes.fromhex(command) if isinstance(command, str) else command.to_bytes()
        attempt: Attempt = self.wallet.run(_once(self.role, raw, step))
        self.wallet.need(f"the wallet is there for {step}", attempt.outcome is not Outcome.GONE)
        try:
            return Response.parse(attempt.reply or b"")
        except MalformedApdu as e:
            self.wallet.expect(f"the wallet answers {step}", False, "a status word", e.what)
            raise AssertionError("unreachable") from None

    def says(self, command: Command | str, sw: int, step: str) -> bytes:
        """Send; the status word is a check, and that no data come with a refusal."""
        answer = self.send(command, step)
        self.wallet.equal(f"status word of {step}", f"{answer.sw:04X}", f"{sw:04X}")
        if sw != 0x9000 and sw >> 8 != 0x61:
            self.wallet.equal(f"no data with a refusal of {step}", answer.data, b"")
        return answer.data

    # -- the tag

    def open_tag(self) -> Container:
        """The tag's application, its container read, its message's file selected. That they are as they should be is a check."""
        self.says(type4.select(type4.AID), 0x9000, "the tag's SELECT")
        self.says(type4.select_file(type4.CC_FILE), 0x9000, "the container's SELECT")
        raw = self.says(type4.read_binary(0, 15), 0x9000, "the container")
        try:
            found = read_container(raw)
        except MalformedHandover as e:
            self.wallet.expect("the container can be read", False, "a capability container", e.what)
            raise AssertionError("unreachable") from None
        self.says(type4.select_file(found.file), 0x9000, "the SELECT of the message's file")
        return found

    def message(self) -> bytes:
        """The message in the selected file."""
        length = int.from_bytes(self.says(type4.read_binary(0, 2), 0x9000, "the message's length"), "big")
        found = b""
        while len(found) < length:
            piece = self.says(type4.read_binary(2 + len(found), min(PIECE, length - len(found))), 0x9000, "the message")
            self.wallet.expect("a piece of the message has bytes", bool(piece), "bytes", piece)
            found += piece
        return found

    def write(self, message: bytes, *, piece: int = PIECE) -> None:
        """In pieces: length 0, the message, its length; ``piece`` 0: all in one command."""
        if not piece:
            self.says(type4.update_binary(0, len(message).to_bytes(2, "big") + message), 0x9000, "a message in one")
            return
        self.says(type4.update_binary(0, bytes(2)), 0x9000, "length 0")
        for at in range(0, len(message), piece):
            self.says(type4.update_binary(2 + at, message[at : at + piece]), 0x9000, "a piece")
        self.says(type4.update_binary(0, len(message).to_bytes(2, "big")), 0x9000, "the length")

    def status(self) -> int | None:
        """The TNEP status that the tag shows now; None for another message."""
        return tnep.read_status(self.records())

    def records(self) -> tuple[ndef.Record, ...]:
        """The records of the tag's message; that it is one is a check."""
        raw = self.message()
        try:
            return ndef.decode(raw, max_bytes=type4.MAX_MESSAGE_BYTES)
        except ndef.MalformedNdef as e:
            self.wallet.expect("the tag's message can be read", False, "an NDEF message", str(e))
            raise AssertionError("unreachable") from None

    def select_of(self, hs: bytes, hr: bytes | None = None) -> handover.Handover:
        """The handover that Hs makes; that it makes one is a check."""
        try:
            return handover.read_select(hs, hr)
        except (ndef.MalformedNdef, MalformedHandover) as e:
            self.wallet.expect("the handover can be read", False, "a handover", str(e))
            raise AssertionError("unreachable") from None

    # -- a negotiated handover

    def open_static(self) -> None:
        """The tag of a static handover; one that negotiates makes the case not applicable."""
        if self.open_tag().writable:
            self.wallet.not_applicable("its handover is negotiated")

    def open_offer(self) -> None:
        """The tag of a negotiated handover, which offers its service; one that does not makes the case not applicable."""
        self.open_tag()
        if tnep.offered(self.records(), handover.SERVICE) is None:
            self.wallet.not_applicable("its handover is static")

    def open_service(self) -> None:
        """As :meth:`open_offer`, and the service is opened."""
        self.open_offer()
        self.write(tnep.select_message(handover.SERVICE))
        self.wallet.equal("TNEP status of the service", self.status(), tnep.SUCCESS)

    def request(self, *carriers: Carrier) -> bytes:
        """Hr, with these ways."""
        return handover.make_request(carriers, self.wallet.world.fresh("hr", self.wallet.name))

    def session(self, found: handover.Handover) -> ReaderSession:
        """The session after this handover, over NFC."""
        engaged = Engaged(engagement.read(found.device_engagement), (found.hs, found.hr), found.carriers)
        opened: ReaderSession = self.wallet.run(open_session(self.wallet.desk, engaged, NfcChannel()))
        return opened

    # -- a second-generation card in the slot

    def by_contact(self) -> tuple[Handle, ReaderSession]:
        """The card application by contact: its files read, a session begun in which nothing is said yet."""
        handle = self.power_on()
        self.says(type4.select(nfc_retrieval.AID) if handle.extended else _SELECT_T0, 0x9000, "the card application")
        engaged: Engaged = self.wallet.run(engage_contact(handle))
        channel = ContactChannel.of(handle, engaged)
        opened: ReaderSession = self.wallet.run(open_session(self.wallet.desk, engaged, channel))
        return handle, opened

    def in_field(self) -> ReaderSession:
        """The same in the field, where it is met as a phone is."""
        opened: ReaderSession = self.wallet.run(open_at(self.wallet.desk, self.wallet.counter))
        return opened

    # -- retrieval

    def open_retrieval(self) -> None:
        self.says(type4.select(nfc_retrieval.AID), 0x9000, "the SELECT of retrieval")

    def ended_by(self, command: Command | str, step: str) -> None:
        """A message that is complete comes to the session, which ends with an error status (it is noise)."""
        raw = self.says(command, 0x9000, step)
        try:
            message = nfc_retrieval.unwrap(raw)
        except nfc_retrieval.MalformedEnvelope as e:
            self.wallet.expect("the answer is a data object", False, "53", str(e))
            raise AssertionError("unreachable") from None
        said = self.wallet.data(message)
        self.wallet.expect("a status, and no data", said.data is None and said.status is not None, "a status", said.status)


def envelope(data: bytes, *, more: bool = False, le: int | None = 256) -> Command:
    """One link of a message."""
    return Command(0x10 if more else 0, nfc_retrieval.ENVELOPE, 0, 0, data, None if more else le)


def _once(role: str, raw: bytes, step: str) -> Flow[Attempt]:
    attempt: Attempt = yield Exchange(role, raw, TIMEOUT_S, step)
    return attempt


__all__ = ["Commands", "envelope"]
