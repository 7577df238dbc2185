"""One day of one pharmacy: prescriptions fresh from a clinic, refills, controlled drugs, doubts asked and answered.

Every card exchange and every signature is played. What was prescribed before was signed and stored for true, behind the scene.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Any

import pydantic
import simpy
from pydantic import BaseModel

from scenarios.arrivals import Arrivals, Band, expected, moments
from scenarios.clinic_params import Acts, Cards, UploadFormat
from scenarios.fitting import Moment
from scenarios.mirror import CONFIG, mirrored
from scenarios.offstage import Offstage
from scenarios.pharmacy_answers import Answering, Answers
from scenarios.pharmacy_shop import Shop, Stations
from scenarios.prescriptions import REFILL_DAYS, RxMix, draw_kind, draw_prescription
from scenarios.rx_laws import laws
from scenarios.site import Site
from scenarios.town import Carrier, Patient, equipped
from scenarios.trail import Trail
from scenarios.world import World
from virtual_devices.clock import seconds
from virtual_devices.faults import day_seconds
from virtual_devices.network import Contact
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.prescription.document import PrescriptionClass
from virtual_devices.radio import Field
from virtual_devices.reader.desk import Policy
from virtual_devices.reader.prescribing import Issued
from virtual_devices.trace import LedgerRow
from virtual_devices.uploads.register import Trade

Process = Generator[simpy.Event, Any, None]
SHOWS = ("RXS-01", "RXS-02", "RXS-03", "RXS-04", "RXS-05", "OFF-01", "UPL-01", "UPL-02", "UPL-03", "DLG-04", "AUD-01")
"""Requirements that this situation shows."""
DOUBTS = (
    "Service times, arrivals and the mix of prescriptions are assumed; nobody has published them for a pharmacy here.",
    "The signed prescription, the dispensing record and the doubt channel are the bench's own profile: no real ones are public.",
    "Phones and contactless readers are modelled: their times and the share of failed taps are assumed (params.field).",
    "Line and data centre times are assumed; only the line classes (1 and 2 Mbit/s) are known.",
    "How often a pharmacist doubts, and how long a physician takes to answer, is assumed.",
)
"""What a reader of the report should doubt."""
ELSEWHERE, CLINIC = "5931010027", "9901180014"


class Params(BaseModel):
    """The pharmacy and its day."""

    model_config = CONFIG

    institution: Annotated[str, pydantic.Field(pattern=r"^[0-9A-Z]{10}$")] = "5931010018"
    """Institution code, 10 characters (this one is nobody's)."""
    arrivals: Arrivals = Arrivals(
        bands=(Band(start="09:00", end="12:00", per_hour=14), Band(start="14:00", end="17:00", per_hour=10)), booked_share=0,
    )
    """Who comes when."""
    opens: Annotated[Moment, pydantic.Field(validate_default=True)] = "08:40"
    """When the staff switch on, HH:MM."""
    stations: Stations = pydantic.Field(default_factory=Stations)
    """The counters: their staff and their times."""
    cards: Cards = Cards(virtual_share=0.4, not_insured_share=0, restricted_share=0, cancelled_share=0, expired_share=0)
    """What people carry."""
    upload_format: UploadFormat = "2.0"
    """Format of the pharmacy's records (健保卡資料上傳)."""
    prescribed: RxMix = pydantic.Field(default_factory=RxMix)
    """What was prescribed."""
    first_elsewhere_days: Annotated[float, pydantic.Field(ge=0, le=REFILL_DAYS)] = 25.0
    """Refills are in their second issue: how long ago another pharmacy gave the first."""
    answers: Answers = pydantic.Field(default_factory=Answers)
    """Doubts, and how they are answered."""
    issue_offline: bool = True
    """Whether a prescription may be dispensed that the data centre cannot be asked about now."""
    acts: Acts = pydantic.Field(default_factory=Acts)
    """How long people's acts at the reader take."""
    contact: mirrored(Contact) = pydantic.Field(default_factory=Contact)  # type: ignore[valid-type]
    """What contact readers and the chips in them take."""
    field: mirrored(Field) = pydantic.Field(default_factory=Field)  # type: ignore[valid-type]
    """What contactless readers and the phones in their field take."""
    policy: mirrored(Policy) = pydantic.Field(default_factory=Policy)  # type: ignore[valid-type]
    """How long a desk waits for the data centre, and how often it tries."""
    retry_uploads_s: Annotated[float, pydantic.Field(gt=0)] = 300.0
    """How long the upload queue rests after the line failed."""


def processes(world: World, params: Params) -> list[Process]:
    """The processes of one replication."""
    day = Day(world, params)
    return [day.open(), day.arrivals()]


def expected_visits(params: Params) -> float:
    """People in one replication, on average."""
    return expected(params.arrivals.bands)


@dataclass(frozen=True, slots=True)
class _Bringing:
    """Somebody who will come, and what they were prescribed."""

    at_ns: int
    key: str
    patient: Patient
    kind: PrescriptionClass
    doubtful: bool


class Day:
    """The situation in one replication."""

    def __init__(self, world: World, params: Params) -> None:
        self.world, self.params = world, params
        self.town = equipped(world, params.acts, params.cards.wrong_pin_share, params.contact)
        self.trail = Trail(world)
        site = Site(
            self.town, params.institution, params.policy, params.contact, trade=Trade.PHARMACY,
            upload_format=params.upload_format,
        )
        self.answering = Answering(self.town, params.answers, [CLINIC])
        self.shop = Shop(
            site, params.stations, params.field, self.trail, params.retry_uploads_s, dispense_offline=params.issue_offline,
            answered=self.answering.answered,
        )
        self.physician = self.answering.physician(CLINIC)
        self.elsewhere = Offstage(self.town, ELSEWHERE, "other pharmacy", Role.PHARMACIST)
        self.coming: list[_Bringing] = []
        self.issued: list[Issued] = []

    def open(self) -> Process:
        """What was prescribed before; then the staff switch on."""
        world = self.world
        self._before()
        opens_ns = world.midnight_ns + seconds(day_seconds(self.params.opens))
        yield world.env.timeout(opens_ns - world.clock.now_ns())
        yield from self.shop.open()
        yield from self.shop.outbox.to_the_end()
        self._close()

    def arrivals(self) -> Process:
        """Everybody who comes, each at their moment."""
        world = self.world
        yield world.env.timeout(0)  # behind what came before
        for one in self.coming:
            yield world.env.timeout(one.at_ns - world.clock.now_ns())
            world.env.process(self.shop.visit(one.key, one.patient, one.doubtful))
        self.shop.all_in = True
        self.shop.outbox.wake()

    # -- before

    def _before(self) -> None:
        """Refills first, by their dates; then what was prescribed this morning, which the phones have."""
        world, params = self.world, self.params
        for number, at_ns in enumerate(moments(params.arrivals.bands, world.midnight_ns, world.stream("arrivals")), 1):
            key = f"p{number:05d}"
            rng = world.stream("patient", key, "kind")
            carrier: Carrier = "virtual-card" if rng.random() < params.cards.virtual_share else "ic-card"
            kind, doubtful = draw_kind(rng, params.prescribed), rng.random() < params.answers.doubtful_share
            self.coming.append(_Bringing(at_ns, key, self.town.patient(key, carrier, params.cards.mix()), kind, doubtful))
        refills = [one for one in self.coming if one.kind.refill]
        first_ns = world.epoch_ns - seconds(params.first_elsewhere_days * 86_400)
        given = [self._prescribe(one, first_ns - DAY_NS) for one in refills]
        for issued in given:
            self.elsewhere.dispense(issued.prescription.id, first_ns)
        for one in self.coming:
            if not one.kind.refill:
                issued = self._prescribe(one, world.epoch_ns)
                if one.patient.phone is not None:
                    batch = self.town.drawn("batch", one.key)[:16]
                    self.physician.put_on_phone(one.patient, issued.filed.signed, batch, world.epoch_ns)

    def _prescribe(self, one: _Bringing, at_ns: int) -> Issued:
        rng, town = self.world.stream("patient", one.key, "prescription"), self.town
        document = draw_prescription(
            rng, self.params.prescribed, one.kind, id=town.drawn("prescription", one.key)[:16],
            device=town.device_of(one.patient), card_no=one.patient.card_no, institution=CLINIC, at_ns=at_ns,
        )
        issued = self.physician.issue(document, at_ns)
        self.issued.append(issued)
        return issued

    # -- the end

    def _close(self) -> None:
        world, shop = self.world, self.shop
        world.record_windows()
        everything = [
            *shop.laws(),
            *laws(self.town.centre.prescriptions, self.issued, shop.given,
                  [shop.drawer, self.physician.drawer, self.elsewhere.drawer]),
        ]
        for law, left, right in everything:
            world.record(LedgerRow(world.replication, law, left, right, left == right))


__all__ = ["Params", "processes"]
