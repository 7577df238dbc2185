"""A desk and a phone: what tests of presentations stand at. ``WalletBench`` is a ``Bench`` with a phone in reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from virtual_devices import vhc
from virtual_devices.cloud.issuer import CardHolder, CardIssuer, portrait
from virtual_devices.cloud.places import Place
from virtual_devices.flow import Flow, Session, run
from virtual_devices.link import DirectLink, Link
from virtual_devices.pki import Identity, Role
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.presentation import APPROVE, OPEN_APP, Counter, Medium
from virtual_devices.reader.transmit import Handle, chip_status
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace, Screen
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, PIN, SAM_ID, Bench

PHONE_PIN = "2580"
PLACE = Place("urn:nhi:bench:status/0", 4711)
EVERYTHING = {space: list(names) for wanted in (vhc.REGISTRATION, vhc.CONSULTATION) for space, names in wanted.items()}
ISSUER = CardIssuer(AUTHORITY, "tests")


def card_holder(card_no: str = CARD_NO, name: str = "王小明") -> CardHolder:
    return CardHolder(
        card_no, name, "A123456789", date(1980, 1, 2), "M", date(2025, 1, 1), date(2030, 12, 31), portrait("M", 46),
        emergency_tel="0912345678",
        medical={"allergies": ["PENICILLIN"], "critical_illness": [], "inoculations": [], "donation_mark": "A"},
    )


def phone(name: str = "phone", holder: CardHolder | None = None, **more: Any) -> Phone:
    """A phone with its holder's card and PIN."""
    made = Phone("tests", name, AUTHORITY.root_der, **more)
    made.start(NOW_NS)
    made.format()
    assert made.holder.set_pin(PHONE_PIN, NOW_NS)
    give_card(made, holder or card_holder())
    return made


def give_card(made: Phone, holder: CardHolder, name: str = OWN, **more: Any) -> Held:
    """A credential of that holder, bound to a new key of the phone."""
    key = made.new_key(name)
    issued = ISSUER.credential(holder, made.keystore.public_key(key), PLACE, NOW_NS)
    card = Held(name, issued, key, **more)
    made.install(card)
    return card


@dataclass
class HolderOf:
    """The holder as the phone knows them. ``willing``: False, and nothing is given."""

    bench: WalletBench
    willing: bool = True
    use: Use = Use.REGISTRATION
    asked: list[str] = field(default_factory=list)

    def ask(self, person: str, act: str) -> tuple[int, str]:
        self.asked.append(act)
        made, now_ns = self.bench.phone, self.bench.clock.now_ns()
        if act == OPEN_APP and self.willing:
            made.holder.enter_pin(PHONE_PIN, now_ns)
            made.arm(self.use, EVERYTHING, now_ns)
            if self.bench.counter.medium is Medium.QR_BLE:
                self.bench.screen.text = made.engage().engagement.qr_text()
        if act == APPROVE and self.willing:
            for use in {use for use, _ in made.consent.asked.parts}:
                made.holder.enter_pin(PHONE_PIN, now_ns)
                made.approve(use, now_ns)
        return 0, PIN


@dataclass
class WalletBench(Bench):
    """A desk whose SAM and physician have reader certificates, and a phone."""

    counter: Counter = field(default_factory=Counter)
    sam_handle: Handle = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.phone = phone()
        self.screen = Screen()
        self.people = HolderOf(self)
        self.reader_certificates()

    def reader_certificates(self, *, sam: Identity | None = None, hpc: Identity | None = None, role: Role = Role.PHYSICIAN,
                            hours: float = 72, from_ns: int = NOW_NS) -> None:
        """Certificates for the keys of the cards in the desk's slots, or other ones."""
        sam, hpc = sam or self.sam.image.identity, hpc or self.hpc.image.identity
        renew = AUTHORITY.renew
        self.desk.reader_chain = renew(
            Role.SAM, SAM_ID, sam.key.public_key(), from_ns, organisation=INSTITUTION, hours=hours,
        )
        self.desk.hpc_reader_chain = renew(role, DOCTOR_ID, hpc.key.public_key(), from_ns, hours=hours)
        self.desk.reader_until_ns = 1 << 62

    def links(self) -> dict[str, Link]:
        ble = self.counter.medium is Medium.QR_BLE
        face = MessageFace(self.phone) if ble else NfcFace(self.phone)
        return {
            **super().links(), "wallet": DirectLink(face, self.clock, channel="ble" if ble else "nfc"),
            "screen": DirectLink(self.screen, self.clock, channel="qr"),
        }

    def run(self, flow: Flow[Any], **links: Link) -> Any:
        session = Session({**self.links(), **links}, self.clock, self.people, self.rows.append, status=_status)
        return run(flow, session)

    def ready(self) -> tuple[Handle, Handle]:
        """SAM open, the physician's card in."""

        def flow() -> Flow[Handle]:
            sam = yield from open_sam(self.desk)
            yield from insert_hpc(self.desk, sam)
            return sam

        return self.run(flow()), self.doctor


def _status(role: str, request: bytes, reply: bytes) -> str:
    return chip_status(role, request, reply) if role in ("card", "sam", "hpc") else ""
