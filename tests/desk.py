"""A desk with its three cards and a data centre, in process and timeless: what tests of devices and flows stand at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any

from virtual_devices.card.holder import make_holder
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.image import Personalisation, personalise
from virtual_devices.clock import NS, VirtualClock, roc_date7, roc_datetime13
from virtual_devices.cloud.core import DataCentre, Person
from virtual_devices.cloud.registers import Contracted
from virtual_devices.cloud.registers import Identity as Registration
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.flow import Flow, PromptPeople, Session, run
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.link import DirectLink, Link
from virtual_devices.pki import DAY_NS, Authority, Identity, Role
from virtual_devices.randomness import ByteStream, digest, stream
from virtual_devices.reader.authenticate import insert_hpc, open_sam
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.reader.transmit import Handle, chip_status
from virtual_devices.reader.visit import VisitRequest
from virtual_devices.records import RECORDS
from virtual_devices.sam.sam import Sam, SamImage
from virtual_devices.trace import Row

NOW_NS = 1_772_409_600 * NS  # 2026-03-02 08:00 in Taiwan
INSTITUTION, SAM_ID, DOCTOR_ID, CARD_NO, PIN = "9901180014", "SAM000000001", "A123456789", "000012345678", "246810"
PUK = "13579024"
HOLDER = make_holder(stream("tests", "holder"), date(2026, 3, 2))
AUTHORITY = Authority("tests", NOW_NS)
STRANGER = Authority("somebody else", NOW_NS)


@cache
def issued(role: Role, subject: str, organisation: str = "") -> Identity:
    """An identity of the tests' authority, made once: it follows from its name."""
    return AUTHORITY.issue(role, subject, organisation=organisation)


@dataclass
class Bench:
    """Everything at one desk. Replace a card to see what happens."""

    profile: str = "t1"
    personal: dict[str, Any] = field(default_factory=dict)
    """What the card's personalisation has beside the usual."""
    card: IcCard = field(init=False)
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(NOW_NS)
        self.card = patient_card(self.profile, **self.personal)
        self.sam = sam()
        self.hpc = hpc()
        self.core = DataCentre()
        self.core.enrol(Person(CARD_NO))
        self.cloud = DataCentreDevice(self.core, issued(Role.DATA_CENTRE, "IDC"), AUTHORITY.root_der)
        self.cloud.registers.contract(Contracted(INSTITUTION), [SAM_ID], [DOCTOR_ID])
        self.cloud.registers.take_in(Registration(HOLDER.id_no, CARD_NO, HOLDER.name, HOLDER.birth_roc, HOLDER.sex))
        root = AUTHORITY.verifier()
        self.desk = Desk("desk", Institution(INSTITUTION), root, self.clock, ByteStream("tests", "desk"))

    def links(self) -> dict[str, Link]:
        devices: dict[str, Any] = {"card": self.card, "sam": self.sam, "hpc": self.hpc, "cloud": self.cloud}
        channels = {"cloud": "network"}
        return {role: DirectLink(it, self.clock, channel=channels.get(role, "contact")) for role, it in devices.items()}

    def run(self, flow: Flow[Any], **links: Link) -> Any:
        session = Session(
            {**self.links(), **links}, self.clock, PromptPeople({"enter PIN": PIN}), self.rows.append, status=chip_status
        )
        return run(flow, session)

    @property
    def doctor(self) -> Handle:
        return Handle("hpc", True, False, self.hpc.atr)

    def act(self, name: str) -> bytes:
        return digest("tests", name)[:16]

    def request(self, name: str = "visit", at_ns: int = NOW_NS, visit_type: str = "01") -> VisitRequest:
        return VisitRequest(self.act(f"{name} request"), self.act(f"{name} issue"), roc_datetime13(at_ns), visit_type)


def patient_card(profile: str = "t1", *, identity: Identity | None = None, **more: Any) -> IcCard:
    """A patient's card; ``more`` goes into its personalisation."""
    data = {
        "card_no": CARD_NO, "holder": HOLDER, "issue_date": "1100101",
        "expiry_date": roc_date7(NOW_NS + 700 * DAY_NS), "profile": profile, "last_seen_ns": NOW_NS - 40 * DAY_NS,
    }
    chosen = identity or issued(Role.PATIENT_CARD, CARD_NO)
    return IcCard(personalise(Personalisation(**{**data, **more}), chosen, AUTHORITY.root_der, digest("tests", "card")))


def bench_of(profile: str = "t1", **more: Any) -> Bench:
    """A desk before a card personalised so."""
    return Bench(profile, more)


def switch_on(bench: Bench) -> Flow[Handle]:
    """SAM and professional's card opened, as before the first patient. Returns the SAM."""
    opened = yield from open_sam(bench.desk)
    yield from insert_hpc(bench.desk, opened)
    return opened


def sam(identity: Identity | None = None) -> Sam:
    chosen = identity or issued(Role.SAM, SAM_ID, INSTITUTION)
    return Sam(SamImage(SAM_ID, INSTITUTION, chosen, AUTHORITY.root_der, digest("tests", "sam")))


def hpc(identity: Identity | None = None, role: Role = Role.PHYSICIAN) -> Hpc:
    chosen = identity or issued(role, DOCTOR_ID)
    cells = fresh_cells(PIN, PUK)
    image = HpcImage(DOCTOR_ID, "王小明", chosen, AUTHORITY.root_der, digest("tests", "hpc"), cells)
    return Hpc(replace(image, english_name="WANG,HSIAO-MING"))


def codes() -> bytes:
    """Diagnoses to write."""
    names = ("main_diagnosis", *(f"sub_diagnosis_{i}" for i in range(1, 6)))
    blank = {f"{name}_{part}": b" " for name in names for part in ("lead", "trail")}
    return RECORDS["write_code_icd10"].pack({**blank, "recard_mark": "1", "main_diagnosis": "J069"})


def entry(visited_at: str, order_type: str = "1", number: int = 1) -> bytes:
    """One prescription entry."""
    return RECORDS["outpatient_rx"].pack(
        {
            "visit_datetime": visited_at, "order_type": order_type, "item_code": f"AC{number:08d}", "usage": "TID", "days": "07",
            "total_quantity": "00021.0", "delivery_mark": "01",
        }
    )


def fees(fee: int = 450, copay: int = 50) -> bytes:
    return RECORDS["write_fee"].pack({"outpatient_fee": f"{fee:08d}", "outpatient_copay": f"{copay:08d}"})
