"""A wallet under test, and what a case does with it: a reader's side, message by message.

Cases see :class:`WalletTester` only; how a wallet is brought is in :mod:`conformance.wallet_under_test`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from conformance.air import AirChannel, Peer
from conformance.case import Kind
from conformance.kinds import Suite
from conformance.latency import Timing
from conformance.mutants.wallet_places import MODULES
from conformance.references.second import CHANNELS as CHIP
from conformance.references.second import ReferenceSecond
from conformance.references.wallet import Contents, ReferenceWallet
from conformance.tester import Tester
from conformance.vectors.engagements import InSession
from conformance.vectors.world import INSTITUTION, Reader, World, signed
from conformance.vectors.writing import Writer
from conformance.wallet_under_test import Acting, MadeUp, Names, WalletHolder, WalletMadeUp, WalletUnderTest
from virtual_devices import vhc
from virtual_devices.clock import VirtualClock
from virtual_devices.flow import Flow, Session, Sleep, run
from virtual_devices.link import Link, Outcome, Work
from virtual_devices.mdoc import engagement, response, session
from virtual_devices.mdoc.ble_chunks import WANTED_MTU
from virtual_devices.mdoc.ble_gatt import Mode, gatt_role
from virtual_devices.mdoc.ble_gatt import Side as BleSide
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.request import ItemsRequest, items_request
from virtual_devices.mdoc.response import Believed, DeviceResponse, Document
from virtual_devices.mdoc.session import SessionData, SessionStatus, Transcript
from virtual_devices.mdoc.tagged import MalformedMdoc, embed
from virtual_devices.pki import Refused
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.presentation import Counter, Medium, engage, open_at
from virtual_devices.reader.proximity import Engaged, ReaderSession, end, open_session
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import Receipt, WriteOutcome, read_receipt

T = TypeVar("T")
EVERYTHING: Names = {
    space: sorted({*vhc.REGISTRATION.get(space, ()), *vhc.CONSULTATION.get(space, ())})
    for space in (vhc.BASIC, vhc.MEDICAL, vhc.RECORDS, vhc.DELEGATION)
}
WAIT_S = 30
"""Longest wait for a limit of time of a real device, where its PIXIT does not say otherwise."""
NOT_EMPTY = "it counts from an empty wallet, and nobody has emptied this one"
CONSULTATION, REGISTRATION = items_request(vhc.DOCTYPE, vhc.CONSULTATION), items_request(vhc.DOCTYPE, vhc.REGISTRATION)


class WalletTester(Tester):
    """A desk that says to the wallet whatever a case wants. ``world``: the authority that the wallet trusts, SAM and HPC."""

    role, screen = "wallet", "screen"

    def __init__(self, wallet: WalletUnderTest, world: World, name: str) -> None:
        super().__init__()
        self.wallet = wallet
        self.world = world
        self.name = name
        self.clock = wallet.clock
        self.holder: WalletHolder = Acting(self.asked_of, wallet.holder)
        self.desk = Desk("tester", Institution(INSTITUTION), world.root, wallet.clock, world.fresh("tester", name))
        self.work = Work()
        self.counter = Counter(wallet.medium)
        self.used = False  # cases before may have written to it
        self.wait_s: float = WAIT_S
        self._links: Mapping[str, Link] = {}

    # -- meeting it

    def meet(self, use: Use | None = Use.TREATMENT, names: Names = EVERYTHING, *, write: bool = True) -> ReaderSession:
        """Engagement, and the channel open; nothing is said yet. ``use``: what the holder has agreed to, None: nothing."""
        self.reach(use, names, write=write)
        if self.wallet.medium is Medium.CONTACT:  # a desk has a patient's card in its slot; here it is the wallet itself
            from conformance.commands import Commands  # which speak with this tester

            return Commands(self).by_contact()[1]
        opened: ReaderSession = self.run(open_at(self.desk, self.counter))
        return opened

    def reach(self, use: Use | None = Use.TREATMENT, names: Names = EVERYTHING, *, write: bool = True) -> None:
        """A new contact, by which nothing is said yet; as :meth:`meet` otherwise."""
        self.part()
        if use is not None:
            self.holder.agree(use, names, write=write)
        self._links = self.wallet.meet()

    def made_up(self, *acts: str) -> WalletMadeUp:
        """The wallet, when it is one that holds what the bench wants, or one of a holder who does ``acts``; else the case is not
        applicable."""
        if not hasattr(self.wallet, "fill"):
            self.not_applicable("a wallet in somebody's hands holds what its issuer has put there")
        lacks: Callable[[str], str] = getattr(self.wallet, "lacks", lambda _: "")
        for act in acts:
            if why := lacks(act):
                self.not_applicable(why)
        acting: Any = MadeUp(self.asked_of, self.wallet, self._filled)
        made_up: WalletMadeUp = acting
        return made_up

    def _filled(self) -> None:
        """What lies there now holds what the bench wants."""
        self.used = False
        if hasattr(self.wallet, "signers"):
            self.wallet.signers = [self.world.signer.chain[0]]

    def empty(self) -> None:
        """The case counts from an empty wallet: one is there, put in where somebody can; else the case is not applicable."""
        if self.used:
            if not hasattr(self.wallet, "lacks") or self.wallet.lacks("fill"):
                self.not_applicable(NOT_EMPTY)
            self.made_up().fill(Contents())

    def radio(self, mode: Mode, use: Use | None = Use.REGISTRATION, *, mtu: int = 0) -> tuple[Peer, Engaged]:
        """Over Bluetooth value by value: the other end, which has not begun, and what the code on the screen says. ``mtu``: where
        the case is of one. The case is not applicable where the bench has no part in the values."""
        if not hasattr(self.wallet, "radio") and not hasattr(self.wallet, "on_air"):
            self.not_applicable("the way to it carries whole messages: what is said value by value is its Bluetooth stack's")
        made_up: Any = self.wallet
        self.part()
        if use is not None:
            self.holder.agree(use, EVERYTHING)
        if hasattr(made_up, "on_air"):
            self._links = self.wallet.meet()
            engaged: Engaged = self.run(engage(self.desk, self.counter))
            shown = engagement.read(engaged.address())
            end = made_up.on_air(shown, mode)
        else:
            text, end = self.asked_of("meet a radio", lambda: made_up.radio(mode))
            shown = engagement.read_qr(text)
            engaged = Engaged(shown)
        peer = Peer(self, end, mode, gatt_role(mode, BleSide.MDOC), shown.key_bytes, mtu or WANTED_MTU, mtu_matters=mtu > 0)
        return peer, engaged

    def over(self, peer: Peer, engaged: Engaged, *, size: int = 0) -> ReaderSession:
        """A session over that connection, which is ready. ``size``: bytes in each chunk of the reader's; 0: full ones."""
        peer.need_open()
        opened: ReaderSession = self.run(open_session(self.desk, engaged, AirChannel(peer, size)))
        return opened

    def asked_of(self, what: str, act: Callable[[], T]) -> T:
        """That the wallet lets its holder do this is a check."""
        try:
            return act()
        except TimeoutError:
            self.expect(f"the wallet lets its holder {what}", False, "it does", "it fell over")
            raise AssertionError("unreachable") from None

    def personalise(self, **personal: Any) -> None:
        """A second-generation card made up so in this one's place; what nobody can make up so is not applicable."""
        if not hasattr(self.wallet, "personalise"):
            self.not_applicable("it needs a card made up for the case")
        made_up: Any = self.wallet
        made_up.personalise(**personal)

    def wait(self, limit_s: float, *, over: bool) -> None:
        """Until a limit of time is over, or until just before; of a real clock, with a margin."""
        self.may_wait(limit_s)
        virtual = isinstance(self.clock, VirtualClock)
        before_s, after_s = (1.0, 0.0) if virtual else (min(15.0, limit_s / 4),) * 2
        self.run(_pause(limit_s + after_s if over else limit_s - before_s))

    def rest(self, duration_s: float) -> None:
        """So much time passes."""
        self.run(_pause(duration_s))

    def may_wait(self, limit_s: float) -> None:
        """The case waits so long, and applies where that can be."""
        if not isinstance(self.clock, VirtualClock) and limit_s > self.wait_s:
            self.not_applicable(f"it takes a wait of {limit_s:g} s, and a real device is waited for {self.wait_s:g} s at most: "
                                "wait_s of its PIXIT allows more")

    def part(self) -> None:
        if self._links:
            self._links = {}
            self.wallet.part()

    def close(self) -> None:
        self.part()

    def run(self, flow: Flow[Any]) -> Any:
        session = Session(
            self._links, self.clock, record=self.rows.append, name=self.name, flow="conform",
        )
        return run(flow, session)

    # -- speaking with it

    def send(self, opened: ReaderSession, message: bytes, step: str = "session message") -> bytes:
        """Any bytes as a session message, and the answer as it came; empty when there is none. That a wallet in reach answers
        in time is a check; one that is gone leaves the case open."""
        try:
            answer: bytes = self.run(opened.channel.exchange(message, step))
        except Ended as e:
            self.need(f"the wallet is there for {step}", e.outcome is not Outcome.GONE, str(e))
            self.expect(f"the wallet answers {step}", False, "an answer", str(e))
            raise AssertionError("unreachable") from None
        return answer

    def first(self, opened: ReaderSession, plain: bytes) -> bytes:
        """The SessionEstablishment that carries ``plain``."""
        return session.establishment(opened.transcript.reader_key_bytes, opened.cipher.seal(plain))

    def later(self, opened: ReaderSession, plain: bytes) -> bytes:
        """The SessionData that carries ``plain``."""
        return SessionData(opened.cipher.seal(plain)).to_bytes()

    def request(self, opened: ReaderSession, plain: bytes, step: str = "request") -> DeviceResponse:
        """One request and its answer, which must be one."""
        message = self.later(opened, plain) if opened.established else self.first(opened, plain)
        opened.established = True
        return self.answer(opened, self.send(opened, message, step))

    def answer(self, opened: ReaderSession, raw: bytes) -> DeviceResponse:
        """What a session message of the wallet's says; that it says something is a check."""
        said = self.data(raw)
        self.expect("the wallet answers with encrypted data", said.data is not None, "data", said.status)
        assert said.data is not None
        try:
            return response.read(opened.cipher.open(said.data))
        except MalformedMdoc as e:
            self.expect("the wallet's answer can be read", False, "a DeviceResponse", e.what)
            raise AssertionError("unreachable") from None

    def data(self, raw: bytes) -> SessionData:
        """The wallet's answer as SessionData; that it is one is a check."""
        try:
            return session.read_data(raw)
        except MalformedMdoc as e:
            self.expect("the wallet's answer is SessionData", False, "SessionData", f"{e.what}: {raw.hex()}")
            raise AssertionError("unreachable") from None

    def ended(self, raw: bytes, status: SessionStatus) -> None:
        """The answer ends the session with this status, and nothing else is in it."""
        said = self.data(raw)
        self.equal("status that ends the session", said.status, status)
        self.expect("no data beside the status", said.data is None, "no data", said.data)

    def nothing_after(self, opened: ReaderSession) -> None:
        """What comes after the end of the session is answered with status 20, and no data; or by nobody, where the medium lets go
        with the session (Bluetooth, ISO/IEC 18013-5 8.3.3.1.1)."""
        try:
            raw: bytes = self.run(opened.channel.exchange(self.later(opened, b"\xa0"), "after the end"))
        except Ended as e:
            left = e.outcome is Outcome.GONE and self.wallet.medium in (Medium.QR_BLE, Medium.NFC_BLE)
            self.expect("the wallet answers after the end, or has let go", left, "status 20, or no connection", str(e))
        else:
            self.ended(raw, SessionStatus.TERMINATION)

    def believed(self, opened: ReaderSession, document: Document) -> Believed:
        """The document, believed as a desk does it; that it is to be believed is a check."""
        verdict = response.believe(
            document, opened.transcript, self.world.root, self.clock.now_ns(), self.work,
            agree=lambda device: session.agree(opened.key, device),
        )
        if isinstance(verdict, Refused):
            self.expect("what the wallet shows is signed by its issuer and by its key", False, "believed", verdict.text)
            raise AssertionError("unreachable")
        return verdict

    def signer(self) -> bytes:
        """The certificate (DER) by which its card is signed: the bench's where the bench has filled it; else it is asked for the
        card, once, by a desk that registers a visit."""
        if not hasattr(self.wallet, "signers"):
            return self.world.signer.chain[0]
        signers: list[bytes] = self.wallet.signers
        if not signers:
            opened = self.meet(Use.REGISTRATION)
            answer = self.request(opened, self.asked(opened, REGISTRATION), "whose card it is")
            self.need("the wallet shows its card first", len(answer.documents) == 1, answer.errors)
            self.believed(opened, answer.documents[0])
            signers.append(answer.documents[0].issued.auth.chain[0])
            self.part()
        return signers[0]

    # -- saying it as a right reader does

    def asked(self, opened: ReaderSession, items: ItemsRequest = CONSULTATION, hpc: Reader | None = None) -> bytes:
        """A request as it should be: by the SAM, and by the professional where one is given."""
        return signed(items, opened.transcript, self.world.sam, (self.world.sam, hpc) if hpc is not None else ()).to_bytes()

    def consultation(self, opened: ReaderSession) -> DeviceResponse:
        """SAM and physician ask for all that they may have."""
        return self.request(opened, self.asked(opened, hpc=self.world.physician), "consultation")

    def shown(self, opened: ReaderSession, answer: DeviceResponse) -> Mapping[str, Mapping[str, Any]]:
        """Namespace -> element -> value of our document, believed; nothing where there is none."""
        document = next((d for d in answer.documents if d.doctype == vhc.DOCTYPE), None)
        if document is None:
            return {}
        found = self.believed(opened, document)
        return {space: {**found.values.get(space, {}), **found.device_values.get(space, {})}
                for space in (*found.values, *found.device_values)}

    def shown_card(self, opened: ReaderSession, items: ItemsRequest | None = None) -> IssuerSigned:
        """The card as it was shown in this session, to the SAM and the physician or, of ``items``, to the SAM alone."""
        plain = self.asked(opened, hpc=self.world.physician) if items is None else self.asked(opened, items)
        answer = self.request(opened, plain, "what card it is")
        self.need("the wallet shows its card first", len(answer.documents) == 1, answer.errors)
        return answer.documents[0].issued

    def nothing(self, answer: DeviceResponse, number: int) -> None:
        """No document, and this number in its place."""
        self.equal("documents in the answer", len(answer.documents), 0)
        self.equal("error for the document", answer.errors.get(vhc.DOCTYPE), number)

    # -- writing to it

    def write(self, opened: ReaderSession, raw: bytes, hpc: Reader | None = None) -> DeviceResponse:
        """A batch, by the SAM and a professional, the physician when none is named; and the answer."""
        items = items_request(vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: True}}, {vhc.WRITE_INFO: embed(raw)})
        return self.request(opened, self.asked(opened, items, hpc or self.world.physician), "write back")

    def receipt(self, opened: ReaderSession, answer: DeviceResponse) -> Receipt:
        """The receipt in an answer, signed by the device; that there is one is a check."""
        value = self.shown(opened, answer).get(vhc.WRITE, {}).get(vhc.RECEIPT)
        self.expect("a receipt in the answer", value is not None, "a receipt", answer.errors)
        try:
            return read_receipt(value)
        except MalformedMdoc as e:
            self.expect("the receipt can be read", False, "a receipt", e.what)
            raise AssertionError("unreachable") from None

    def settled(self, opened: ReaderSession, raw: bytes, outcome: WriteOutcome, hpc: Reader | None = None) -> Receipt:
        """Write a batch, and hear this outcome of it."""
        found = self.receipt(opened, self.write(opened, raw, hpc))
        self.equal("outcome in the receipt", found.outcome, outcome)
        return found

    def late(self, raw: bytes) -> WriteOutcome:
        """What it tells the data centre of records that come late; that it tells something is a check."""
        return self.made_up().bring(raw)

    def recorded(self, opened: ReaderSession, *names: str) -> Mapping[str, Any]:
        """What it shows of these elements of its records, to the SAM and the physician."""
        items = items_request(vhc.DOCTYPE, {vhc.RECORDS: dict.fromkeys(names, False)})
        answer = self.request(opened, self.asked(opened, items, self.world.physician), "what is written there")
        return self.shown(opened, answer).get(vhc.RECORDS, {})

    def live(self, opened: ReaderSession, name: str) -> InSession:
        """The session, as what makes vectors takes one."""
        return Live(name, opened.transcript)

    def holding(self, issued: IssuerSigned, stored: int | None = None) -> World:
        """The world in which this credential is the one that was shown, and so many batches were stored before; None: the case
        counts from an empty wallet."""
        if stored is None and self.used:
            self.not_applicable(NOT_EMPTY)
        return self.world.showing(issued, stored or 0)


def _pause(duration_s: float) -> Flow[None]:
    yield Sleep(duration_s)


class Live:
    """A session of now."""

    def __init__(self, name: str, transcript: Transcript) -> None:
        self.name = name
        self.transcript = transcript


def present(wallet: WalletTester, number: int, write: bool) -> None:
    """A visit's presentation: what SAM and physician may see, a batch written where that is allowed, the good-bye."""
    opened = wallet.meet()
    issued = wallet.shown_card(opened)
    if write:
        raw = replace(Writer(wallet.holding(issued)).visit(), id=number.to_bytes(16, "big")).to_bytes()
        items = items_request(vhc.DOCTYPE, {vhc.WRITE: {vhc.RECEIPT: True}}, {vhc.WRITE_INFO: embed(raw)})
        wallet.request(opened, wallet.asked(opened, items, wallet.world.physician), "write virtual card")
    wallet.run(end(opened))


TIMING = Timing(
    tuple(medium.value for medium in (Medium.NFC, Medium.QR_BLE)),
    lambda world, channel, name: ReferenceWallet(world, Medium(channel), name, timed=True), present,
)

def _reference(world: World, channel: str, name: str) -> WalletUnderTest:
    """A phone, or the second-generation card, by channel."""
    return ReferenceSecond(world, channel, name) if channel in CHIP else ReferenceWallet(world, Medium(channel), name)


SUITE = Suite(
    Kind.WALLET, (*(medium.value for medium in (Medium.NFC, Medium.QR_BLE, Medium.NFC_BLE)), *CHIP), _reference, WalletTester,
    MODULES, TIMING, frozenset((Medium.NFC_BLE.value, *CHIP)),
)

__all__ = ["CONSULTATION", "EVERYTHING", "REGISTRATION", "SUITE", "WAIT_S", "Contents", "WalletTester"]
