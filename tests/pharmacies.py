"""A clinic and two pharmacies with desks, cards and lines of their own, one holder's phone, one data centre."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from virtual_devices.flow import Flow, Session, run
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.link import Attempt, DirectLink, Link, Outcome
from virtual_devices.pki import Role
from virtual_devices.prescription.document import Prescription
from virtual_devices.randomness import ByteStream, digest
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.desk import Desk, Institution, Policy
from virtual_devices.reader.prescription_desk import Drawer, RxPolicy
from virtual_devices.reader.transmit import Handle
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.write_back import holder_of

from .desk import AUTHORITY, NOW_NS, PIN, PUK
from .prescribed import OTHER_PHARMACY, PHARMACIST_ID, PHARMACY
from .wallets import WalletBench, phone


@dataclass
class Line:
    """To the data centre. ``lose``: how the next tries end, request or reply; ``down``: all of them."""

    link: Link
    down: bool = False
    lose: list[Outcome] = field(default_factory=list)
    channel = "network"

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        outcome = Outcome.REQUEST_LOST if self.down else self.lose.pop(0) if self.lose else None
        if outcome is Outcome.REQUEST_LOST:
            return Attempt(outcome, 0)
        attempt = self.link.attempt(message, timeout_s)
        return attempt if outcome is None else replace(attempt, outcome=outcome, reply=None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)


@dataclass
class Place:
    """One institution's desk with its cards."""

    town: Town
    code: str
    sam: Sam
    hpc: Hpc
    drawer: Drawer = field(default_factory=Drawer)

    def __post_init__(self) -> None:
        bench = self.town.bench
        root = AUTHORITY.verifier()
        self.desk = Desk(f"desk {self.code}", Institution(self.code), root, bench.clock, ByteStream("tests", self.code),
                         Policy(cloud_tries=1, hold_off_s=0))
        self.line = Line(DirectLink(bench.cloud, bench.clock, channel="network"))
        self.run(self._open())
        hours, keys = 72, (self.sam.image.identity, self.hpc.image.identity)
        role = Role.PHYSICIAN if self.code == self.town.bench.desk.institution.code else Role.PHARMACIST
        renew = AUTHORITY.renew
        self.desk.reader_chain = renew(Role.SAM, self.sam.image.sam_id, keys[0].key.public_key(), NOW_NS, organisation=self.code,
                                       hours=hours)
        self.desk.hpc_reader_chain = renew(role, self.desk.hpc_id, keys[1].key.public_key(), NOW_NS, hours=hours)
        self.desk.reader_until_ns = 1 << 62

    def _open(self) -> Flow[None]:
        sam = yield from open_sam(self.desk)
        yield from insert_hpc(self.desk, sam)

    @property
    def professional(self) -> Handle:
        return Handle("hpc", True, False, self.hpc.atr)

    def run(self, flow: Flow[Any]) -> Any:
        bench = self.town.bench
        links: dict[str, Link] = bench.links() | {
            "sam": DirectLink(self.sam, bench.clock, channel="contact"), "cloud": self.line,
            "hpc": DirectLink(self.hpc, bench.clock, channel="contact"),
        }
        return run(flow, Session(links, bench.clock, bench.people, lambda _: None, status=lambda *_: ""))


class Town:
    """Everybody."""

    def __init__(self) -> None:
        self.bench = WalletBench()
        self.bench.phone = phone()
        code = self.bench.desk.institution.code
        self.clinic = Place(self, code, self.bench.sam, self.bench.hpc)
        self.pharmacy, self.other = self._pharmacy(PHARMACY, 2), self._pharmacy(OTHER_PHARMACY, 3)
        self.domain = self.bench.cloud.prescriptions

    def _pharmacy(self, code: str, n: int) -> Place:
        name = f"SAM00000000{n}"
        sam = Sam(SamImage(name, code, AUTHORITY.issue(Role.SAM, name, organisation=code), AUTHORITY.root_der, digest("t", name)))
        who = PHARMACIST_ID if n == 2 else "B223456798"
        hpc = Hpc(HpcImage(who, "陳藥師", AUTHORITY.issue(Role.PHARMACIST, who), AUTHORITY.root_der, digest("t", who),
                           fresh_cells(PIN, PUK)))
        return Place(self, code, sam, hpc)

    @property
    def device(self) -> bytes:
        """SHA-256 of the phone's device key."""
        held = self.bench.phone.cards.get("own")
        assert held is not None
        return holder_of(held.mso.device_key)

    def document(self, made: Prescription) -> Prescription:
        return replace(made, device=self.device)

    def policy(self, **more: Any) -> None:
        for place in (self.clinic, self.pharmacy, self.other):
            place.drawer.policy = RxPolicy(**more)
