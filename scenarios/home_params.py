"""What can be set of a home-visit team and its day, with what is assumed where nobody has measured."""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import BaseModel, ValidationInfo

from scenarios.clinic_params import Acts, Cards, UploadFormat, fitting_format
from scenarios.fitting import Moment
from scenarios.mirror import CONFIG, mirrored
from scenarios.prescriptions import RxMix, Share
from scenarios.stations import Service
from virtual_devices.network import LINES, Contact, Network
from virtual_devices.radio import Bluetooth, Camera
from virtual_devices.reader.desk import Policy


class Round(BaseModel):
    """The team's round."""

    model_config = CONFIG

    homes: Annotated[int, pydantic.Field(ge=1, le=40)] = 8
    """How many patients are visited."""
    prepares: Annotated[Moment, pydantic.Field(validate_default=True)] = "08:20"
    """When the team prepares at the institution, HH:MM: what it needs of each patient is taken along (HOM-01)."""
    leaves: Annotated[Moment, pydantic.Field(validate_default=True)] = "08:50"
    """When it leaves, HH:MM."""
    travel: Service = Service(median_s=840, p95_s=1900)
    """From one home to the next, and back."""
    visit: Service = Service(median_s=1500, p95_s=2700)
    """The visit itself; device time comes on top."""
    no_network_share: Share = 0.5
    """Share of homes without a mobile line."""
    issue_offline: bool = True
    """Whether a prescription may be issued before the data centre has heard of it (HOM-02); false: no line, no prescription."""
    listed_share: Share = 0.8
    """Share of prescriptions that the physician chooses from the lists taken along (HOM-06); any other is looked up in the
    institution's system: at a home without a line it is written when the team is back."""
    question: Service = Service(median_s=20, p95_s=60)
    """Each of the questions that the list has for the patient, asked and answered; the visit comes on top."""
    amended_share: Share = 0.15
    """Share of prescriptions that the physician corrects when back at the institution (HOM-05)."""


class Params(BaseModel):
    """The team, its round and its devices."""

    model_config = CONFIG

    institution: Annotated[str, pydantic.Field(pattern=r"^[0-9A-Z]{10}$")] = "9901180014"
    """Institution code, 10 characters (this one is nobody's)."""
    round: Round = pydantic.Field(default_factory=Round)
    """Who is visited, when, and how the team prescribes."""
    cards: Cards = Cards(virtual_share=0.6, not_insured_share=0, restricted_share=0, cancelled_share=0, expired_share=0)
    """What patients carry."""
    upload_format: Annotated[UploadFormat, pydantic.Field(validate_default=True)] = "2.0"
    """Format of the team's visit records (健保卡資料上傳). Format 1.0 has no virtual cards."""
    prescribed: RxMix = RxMix(refill_share=0.5)
    """What is prescribed."""
    mobile: mirrored(Network) = LINES["mobile"]  # type: ignore[valid-type]
    """The team's own line on the way; [network] is the institution's."""
    camera: mirrored(Camera) = pydantic.Field(default_factory=Camera)  # type: ignore[valid-type]
    """The camera of the mobile device, before a phone's code."""
    bluetooth: mirrored(Bluetooth) = pydantic.Field(default_factory=Bluetooth)  # type: ignore[valid-type]
    """Bluetooth between the mobile device and phones: a model, until a real channel is there."""
    acts: Acts = pydantic.Field(default_factory=Acts)
    """How long people's acts at the reader take."""
    contact: mirrored(Contact) = pydantic.Field(default_factory=Contact)  # type: ignore[valid-type]
    """What contact readers and the chips in them take."""
    policy: mirrored(Policy) = pydantic.Field(default_factory=Policy)  # type: ignore[valid-type]
    """How long a desk waits for the data centre, and how often it tries."""
    retry_uploads_s: Annotated[float, pydantic.Field(gt=0)] = 300.0
    """How long the upload queue rests after the line failed."""

    @pydantic.field_validator("upload_format")
    @classmethod
    def _can_tell(cls, upload_format: str, info: ValidationInfo) -> str:
        return fitting_format(upload_format, info)


__all__ = ["Params", "Round"]
