"""What can be set of a district: a clinic, a pharmacy and a home-visit team, and what passes between them."""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import BaseModel

from scenarios import clinic_params, home_params
from scenarios.arrivals import Arrivals, Band
from scenarios.fitting import Moment
from scenarios.mirror import CONFIG, mirrored
from scenarios.pharmacy_answers import Answers
from scenarios.pharmacy_shop import Stations
from scenarios.prescriptions import RxMix, Share
from scenarios.stations import Service
from virtual_devices.network import LINES, Network
from virtual_devices.radio import Field
from virtual_devices.reader.desk import Policy


class PharmacyParams(BaseModel):
    """The pharmacy. Who comes has been prescribed something in this district, and comes by themselves or through their family."""

    model_config = CONFIG

    institution: Annotated[str, pydantic.Field(pattern=r"^[0-9A-Z]{10}$")] = "5931010018"
    """Institution code, 10 characters (this one is nobody's)."""
    opens: Annotated[Moment, pydantic.Field(validate_default=True)] = "08:40"
    """When the staff switch on, HH:MM."""
    stations: Stations = pydantic.Field(default_factory=Stations)
    """The counters: their staff and their times."""
    upload_format: clinic_params.UploadFormat = "2.0"
    """Format of the pharmacy's records (健保卡資料上傳)."""
    line: mirrored(Network) = LINES["1M"]  # type: ignore[valid-type]
    """The pharmacy's own line; [network] is the clinic's."""
    dispense_offline: bool = True
    """Whether a prescription may be dispensed that the data centre cannot be asked about now."""
    field: mirrored(Field) = pydantic.Field(default_factory=Field)  # type: ignore[valid-type]
    """What contactless readers and the phones in their field take."""
    policy: mirrored(Policy) = pydantic.Field(default_factory=Policy)  # type: ignore[valid-type]
    """How long a desk waits for the data centre, and how often it tries."""
    retry_uploads_s: Annotated[float, pydantic.Field(gt=0)] = 300.0
    """How long the upload queue rests after the line failed."""


class Params(BaseModel):
    """The district."""

    model_config = CONFIG

    clinic: clinic_params.Params = pydantic.Field(default_factory=lambda: clinic_params.Params(
        arrivals=Arrivals(bands=(Band(start="08:30", end="11:30", per_hour=14),)),
        cards=clinic_params.Cards(virtual_share=0.4),
    ))
    """The clinic, as in the situation clinic_morning."""
    pharmacy: PharmacyParams = pydantic.Field(default_factory=PharmacyParams)
    """The pharmacy."""
    home: home_params.Params = pydantic.Field(
        default_factory=lambda: home_params.Params(institution="9901180023", round=home_params.Round(homes=5))
    )
    """The home-visit team. Its camera, Bluetooth and line are its own; contact readers and acts are as the clinic's."""
    released_share: Share = 0.5
    """Share of the clinic's consultations that end with a prescription for a pharmacy."""
    prescribed: RxMix = pydantic.Field(default_factory=RxMix)
    """What the clinic prescribes."""
    way: Service = Service(median_s=900, p95_s=5400)
    """From leaving the clinic to entering the pharmacy."""
    collected_after: Service = Service(median_s=5400, p95_s=14400)
    """From a home visit to somebody's coming to the pharmacy with the patient's phone or card."""
    answers: Answers = pydantic.Field(default_factory=Answers)
    """The pharmacist's doubts, and how they are answered."""


__all__ = ["Params", "PharmacyParams"]
