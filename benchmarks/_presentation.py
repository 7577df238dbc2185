"""A desk and a phone with nothing between them: what the benchmark of presentations measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from virtual_devices import vhc
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.cloud.issuer import CardHolder, CardIssuer, portrait
from virtual_devices.cloud.places import Place
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.link import DirectLink, Link
from virtual_devices.mdoc.ble_options import BleOptions
from virtual_devices.pki import Authority, Role
from virtual_devices.randomness import ByteStream, digest
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.proximity import (
    MessageChannel,
    NfcChannel,
    ReaderSession,
    ask,
    end,
    engage_nfc,
    engage_qr,
    open_session,
)
from virtual_devices.reader.transmit import Handle, chip_status
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.trace import ExchangeRow, Row, discard
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.faces import MessageFace, NfcFace, Screen
from virtual_devices.wallet.held import OWN, Held
from virtual_devices.wallet.phone import Phone

NOW_NS = 1_772_409_600 * NS
INSTITUTION, CARD_PIN, PHONE_PIN = "9901180014", "246810", "2580"
MEDIA = ("nfc", "ble")
USES = {"registration": Use.REGISTRATION, "consultation": Use.TREATMENT}
WANTED = {"registration": vhc.REGISTRATION, "consultation": vhc.CONSULTATION}
ALL = {space: list(names) for asked in WANTED.values() for space, names in asked.items()}
BLE_METHOD = BleOptions(UUID(bytes=bytes(range(16))), UUID(bytes=bytes(range(16, 32)))).method()
PLACE = Place("urn:nhi:bench:status/0", 4711)


class DeskAndPhone:
    """SAM and physician's card opened at a desk; a phone with its holder's card."""

    def __init__(self, medium: str) -> None:
        self.medium = medium
        self.clock = VirtualClock(NOW_NS)
        authority = Authority("benchmark", NOW_NS)
        self.issuer = CardIssuer(authority, "benchmark")
        sam = authority.issue(Role.SAM, "SAM000000001", organisation=INSTITUTION)
        hpc = authority.issue(Role.PHYSICIAN, "A123456789")
        self.sam = Sam(SamImage("SAM000000001", INSTITUTION, sam, authority.root_der, digest("benchmark", "sam")))
        cells = fresh_cells(CARD_PIN, "13579024")
        self.hpc = Hpc(HpcImage("A123456789", "王小明", hpc, authority.root_der, digest("benchmark", "hpc"), cells))
        root = authority.verifier()
        self.desk = Desk("desk", Institution(INSTITUTION), root, self.clock, ByteStream("benchmark", "desk"))
        renew = authority.renew
        self.desk.reader_chain = renew(Role.SAM, "SAM000000001", sam.key.public_key(), NOW_NS, organisation=INSTITUTION)
        self.desk.hpc_reader_chain = renew(Role.PHYSICIAN, "A123456789", hpc.key.public_key(), NOW_NS)
        self.phone, self.screen = self._phone(authority), Screen()
        face = NfcFace(self.phone) if medium == "nfc" else MessageFace(self.phone)
        self.links: dict[str, Link] = {
            "wallet": DirectLink(face, self.clock, channel=medium), "screen": DirectLink(self.screen, self.clock, channel="qr"),
            "sam": DirectLink(self.sam, self.clock), "hpc": DirectLink(self.hpc, self.clock),
        }
        self.sam_handle: Handle = self.run(self._open())
        self.hpc_handle = Handle("hpc", True, False, self.hpc.atr)

    def _phone(self, authority: Authority) -> Phone:
        phone = Phone("benchmark", "phone", authority.root_der)
        phone.start(NOW_NS)
        phone.format()
        phone.holder.set_pin(PHONE_PIN, NOW_NS)
        key = phone.new_key()
        phone.install(Held(OWN, self.issuer.credential(holder(), phone.keystore.public_key(key), PLACE, NOW_NS), key))
        return phone

    def _open(self) -> Flow[Handle]:
        opened = yield from open_sam(self.desk)
        yield from insert_hpc(self.desk, opened)
        return opened

    def run(self, flow: Flow[Any], record: Callable[[Row], None] = discard) -> Any:
        people = PromptPeople({"enter PIN": CARD_PIN})
        return run(flow, Session(self.links, self.clock, people, record, status=_status))

    def consent(self, name: str) -> None:
        """The holder's acts before a presentation."""
        now_ns = self.clock.now_ns()
        self.phone.end_session()
        self.phone.holder.enter_pin(PHONE_PIN, now_ns)
        self.phone.arm(USES[name], ALL, now_ns)
        if self.medium == "ble":
            self.screen.text = self.phone.engage([BLE_METHOD]).engagement.qr_text()

    def approve(self, name: str) -> None:
        """The holder gives what is asked for in the middle of a session."""
        self.phone.holder.enter_pin(PHONE_PIN, self.clock.now_ns())
        self.phone.approve(USES[name], self.clock.now_ns())

    def present(
        self, name: str, then: Callable[[ReaderSession, Any], Flow[Any]] | None = None,
        wanted: Mapping[str, Mapping[str, bool]] | None = None,
    ) -> Flow[Any]:
        """One presentation, from the engagement to the good-bye. ``then``: what is done besides, before the good-bye."""
        nfc = self.medium == "nfc"
        engaged = yield from (engage_nfc(self.desk.fresh) if nfc else engage_qr())
        opened = yield from open_session(self.desk, engaged, NfcChannel(65535, 65536) if nfc else MessageChannel())
        hpc = self.hpc_handle if name == "consultation" else None
        shown = yield from ask(self.desk, opened, wanted or WANTED[name], self.sam_handle, hpc=hpc)
        result = shown if then is None else (yield from then(opened, shown))
        yield from end(opened)
        return result


def holder() -> CardHolder:
    return CardHolder(
        "000012345678", "王小明", "A123456789", date(1980, 1, 2), "M", date(2025, 1, 1), date(2030, 12, 31), portrait("M", 46),
        emergency_tel="0912345678",
        medical={"allergies": ["PENICILLIN"], "critical_illness": [], "inoculations": [], "donation_mark": "A"},
    )


def _status(role: str, request: bytes, reply: bytes) -> str:
    return chip_status(role, request, reply) if role != "screen" else ""


# -- what is counted

def operations(medium: str, name: str) -> dict[str, Any]:
    """What one presentation takes: exchanges by role and step with their bytes, and the work of each party."""
    place = DeskAndPhone(medium)
    place.consent(name)
    place.run(place.present(name))  # the first one of a phone is not like the others: its memory grows
    rows: list[ExchangeRow] = []
    parties: dict[str, Any] = {"phone": place.phone.work, "sam": place.sam.work, "hpc": place.hpc.work}
    before = {party: work.copy() for party, work in parties.items()}
    agreed = place.phone.keystore.agreements
    desk: list[ReaderSession] = []

    def keep(opened: ReaderSession, shown: Any) -> Flow[Any]:
        desk.append(opened)
        yield from ()

    place.consent(name)
    before["phone"] = place.phone.work.copy()
    place.run(place.present(name, keep), lambda row: rows.append(row) if isinstance(row, ExchangeRow) else None)
    work = {party: asdict(it.since(before[party])) for party, it in parties.items()}
    assert place.phone.keystore.agreements == agreed  # the session's key is the phone's processor's affair, not the keystore's
    wallet = [row for row in rows if row.role in ("wallet", "screen")]
    return {
        "exchanges": dict(sorted(Counter(f"{row.role}: {row.step}" for row in rows).items())),
        "request_bytes": sum(row.request_bytes for row in wallet), "reply_bytes": sum(row.reply_bytes for row in wallet),
        "work": {**work, "reader": asdict(desk[0].work)},
    }

