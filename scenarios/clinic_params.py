"""What can be set of a clinic and its morning, with what is assumed where nobody has measured."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import BaseModel, ValidationInfo

from scenarios.arrivals import Arrivals
from scenarios.fitting import Moment, unfit
from scenarios.mirror import CONFIG, mirrored
from scenarios.stations import Service, Staffed
from scenarios.town import CardMix
from virtual_devices.checks import Unfit
from virtual_devices.faults import day_seconds
from virtual_devices.network import Contact
from virtual_devices.radio import Field
from virtual_devices.reader.desk import Policy

StationName = Literal["registration", "preparation", "consultation", "pricing", "collection"]
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
UploadFormat = Literal["1.0", "2.0"]
ProfileName = Literal["t1", "t1-nul", "t0", "y2025"]


class Stations(BaseModel):
    """The clinic's counters. Times are people's times, device time comes on top. Assumed, not measured anywhere."""

    model_config = CONFIG

    registration: Staffed = Staffed(staff=2, service=Service(median_s=50, p95_s=130))
    """The card is read, the right to treatment checked, the sequence number drawn."""
    preparation: Staffed = Staffed(staff=2, service=Service(median_s=60, p95_s=150))
    """What comes before the physician, such as blood pressure; the card is not used."""
    consultation: Staffed = Staffed(staff=4, service=Service(median_s=270, p95_s=640))
    """The physician, who reads the record, and writes diagnosis and prescription to the card."""
    pricing: Staffed = Staffed(staff=1, service=Service(median_s=32, p95_s=80))
    """Fees are counted and written to the card, the record goes to the upload queue."""
    collection: Staffed = Staffed(staff=2, service=Service(median_s=75, p95_s=200))
    """Medicines are handed over; the card is not used."""


class Cards(BaseModel):
    """What patients carry. Shares of 1; the mix is assumed."""

    model_config = CONFIG

    exchanged: bool = True
    """False: patients only queue, no card and no line is used. For checking the queues against theory."""
    virtual_share: Share = 0.12
    """Share who come with a virtual card on a phone."""
    profiles: dict[ProfileName, Annotated[float, pydantic.Field(ge=0)]] = {
        "t1": 0.6, "t1-nul": 0.25, "t0": 0.1, "y2025": 0.05
    }
    """Kinds of physical card, with their weights."""
    pin_share: Share = 0.06
    """Share of physical cards whose holder has set a PIN."""
    wrong_pin_share: Share = 0.1
    """Chance that a holder asked for the PIN enters a wrong one."""
    not_insured_share: Share = 0.01
    """Share of patients who are not insured, as the data centre knows."""
    restricted_share: Share = 0.005
    """Share of patients who may be treated at one other institution only."""
    cancelled_share: Share = 0.005
    """Share of patients whose card has been cancelled."""
    expired_share: Share = 0.02
    """Share of physical cards whose validity has run out, and which need an update."""

    @pydantic.field_validator("profiles")
    @classmethod
    def _some_profile(cls, profiles: dict[ProfileName, float]) -> dict[ProfileName, float]:
        if not sum(profiles.values()) > 0:
            raise unfit(Unfit("needs at least one kind of card with a weight above 0", "profiles"))
        return profiles

    def mix(self) -> CardMix:
        return CardMix(
            tuple(sorted(self.profiles.items())), self.pin_share, self.not_insured_share, self.restricted_share,
            self.cancelled_share, self.expired_share,
        )


class Acts(BaseModel):
    """How long people's acts at the reader take, beside the service itself."""

    model_config = CONFIG

    enter_pin: Service = Service(median_s=6, p95_s=14)
    """The holder, or a professional, enters a PIN."""
    insert_again: Service = Service(median_s=5, p95_s=12)
    """A clerk puts a card into the reader again."""
    tap_again: Service = Service(median_s=3, p95_s=7)
    """The holder puts the phone to the reader again."""
    open_wallet: Service = Service(median_s=7, p95_s=18)
    """The holder opens the wallet and proves to be its holder."""
    approve: Service = Service(median_s=4, p95_s=10)
    """The holder allows on the phone what was asked for beside."""

    def by_name(self) -> dict[str, Service]:
        """Act, as flows name it -> its time."""
        return {"enter PIN": self.enter_pin, "insert card again": self.insert_again, "tap again": self.tap_again,
                "open the wallet": self.open_wallet, "approve on the phone": self.approve}


def fitting_format(upload_format: str, info: ValidationInfo) -> str:
    """Format 1.0 cannot tell of a virtual card's sequence number (W001 to W999)."""
    if upload_format == "1.0" and "cards" in info.data and info.data["cards"].virtual_share:
        raise unfit(Unfit("format 1.0 knows no virtual cards: set cards.virtual_share to 0", "upload_format", "cards"))
    return upload_format


class Params(BaseModel):
    """The clinic and its morning."""

    model_config = CONFIG

    institution: Annotated[str, pydantic.Field(pattern=r"^[0-9A-Z]{10}$")] = "9901180014"
    """Institution code, 10 characters (this one is nobody's)."""
    arrivals: Arrivals = pydantic.Field(default_factory=Arrivals)
    """Who comes when."""
    opens: Annotated[Moment, pydantic.Field(validate_default=True)] = "08:20"
    """When the staff switch on, HH:MM: SAMs are verified online, professionals insert their cards."""
    stations: Stations = pydantic.Field(default_factory=Stations)
    """The counters: their staff and their times."""
    booked_registration_factor: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.6
    """How much of the registration time a booked patient needs."""
    cards: Cards = pydantic.Field(default_factory=Cards)
    """What patients carry."""
    upload_format: Annotated[UploadFormat, pydantic.Field(validate_default=True)] = "2.0"
    """Format of the clinic's visit records (健保卡資料上傳). Format 1.0 has no virtual cards."""
    mistyped_share: Share = 0.0
    """Share of visits for which somebody has typed a wrong birth date: a check refuses the record."""
    corrected_after: Service = Service(median_s=1800, p95_s=7200)
    """From the check report that refuses a record to its being corrected and sent again (補正)."""
    without_card: Literal["treated", "sent away"] = "treated"
    """What becomes of a patient whose card or phone cannot be read, also when it is tried again: treated all the same, with an
    abnormal sequence code (異常就醫序號) in the record, or sent away."""
    journey: Annotated[tuple[StationName, ...], pydantic.Field(min_length=1, validate_default=True)] = (
        "registration", "preparation", "consultation", "pricing", "collection"
    )
    """The stations in their order."""
    acts: Acts = pydantic.Field(default_factory=Acts)
    """How long people's acts at the reader take."""
    prescriptions_max: Annotated[int, pydantic.Field(ge=0, le=20)] = 4
    """Entries of a prescription are drawn from 0 to this many."""
    contact: mirrored(Contact) = pydantic.Field(default_factory=Contact)  # type: ignore[valid-type]
    """What contact readers and the chips in them take."""
    field: mirrored(Field) = pydantic.Field(default_factory=Field)  # type: ignore[valid-type]
    """What contactless readers and the phones in their field take."""
    policy: mirrored(Policy) = pydantic.Field(default_factory=Policy)  # type: ignore[valid-type]
    """How long a desk waits for the data centre, and how often it tries."""
    retry_uploads_s: Annotated[float, pydantic.Field(gt=0)] = 300.0
    """How long the upload queue rests after the line failed."""

    @pydantic.field_validator("opens")
    @classmethod
    def _while_patients_come(cls, opens: str, info: ValidationInfo) -> str:
        bands = info.data["arrivals"].bands if "arrivals" in info.data else ()
        last = max((band.end for band in bands if band.per_hour), key=day_seconds, default="")
        if last and day_seconds(opens) >= day_seconds(last):
            raise unfit(Unfit(f"{opens} is too late: the last patient comes before {last}", "opens", "arrivals"))
        return opens

    @pydantic.field_validator("upload_format")
    @classmethod
    def _can_tell(cls, upload_format: str, info: ValidationInfo) -> str:
        return fitting_format(upload_format, info)

    @pydantic.field_validator("journey")
    @classmethod
    def _leads_through(cls, journey: tuple[StationName, ...], info: ValidationInfo) -> tuple[StationName, ...]:
        if len(set(journey)) != len(journey):
            raise unfit(Unfit("names a station twice", "journey"))
        needed = [name for name in _CARD_STATIONS if name not in journey]
        if needed and "cards" in info.data and info.data["cards"].exchanged:
            wants = f"needs {' and '.join(needed)} as well, unless cards.exchanged is false"
            raise unfit(Unfit(wants, "journey", "cards"))
        return journey


_CARD_STATIONS: tuple[StationName, ...] = ("registration", "consultation", "pricing")
