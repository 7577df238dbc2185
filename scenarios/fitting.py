"""Checks of one field of a scenario file beyond its type and bounds, each with the fields at which it can be mended.

A check is a field's own, never its table's: so it is made, and its fault is named at its own place, whatever else is wrong.
"""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from virtual_devices.checks import Unfit
from virtual_devices.faults import day_seconds

UNFIT = "unfit"
"""The type of these errors. Their context: ``said``, the message; ``fields``, names beside the field, the likeliest culprit
first; ``epoch``, whether the run's epoch may be to blame."""
EPOCH_S = "epoch_s"
"""Key of the validation context: the time of day at which a replication begins, in seconds, Taiwan time."""


def unfit(error: ValueError, *, epoch: bool = False) -> PydanticCustomError:
    """The error that pydantic collects for a value that does not fit."""
    fields = list(error.fields) if isinstance(error, Unfit) else []
    return PydanticCustomError(UNFIT, "{said}", {"said": str(error), "fields": fields, "epoch": epoch})


def time_of_day(text: str) -> str:
    """The text, when it is a time of day."""
    try:
        day_seconds(text)
    except ValueError as error:
        raise unfit(error) from error
    return text


def not_before_epoch(text: str, info: ValidationInfo) -> str:
    """The text, when a replication has begun by then: what lies before its epoch can never happen."""
    epoch_s = (info.context or {}).get(EPOCH_S)
    if epoch_s is not None and day_seconds(text) < epoch_s:
        raise unfit(Unfit(f"{text} lies before {clock(epoch_s)} (Taiwan time), when run.epoch begins the day"), epoch=True)
    return text


def clock(second: float) -> str:
    """Seconds since midnight as HH:MM, or HH:MM:SS."""
    hours, rest = divmod(int(second), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours:02d}:{minutes:02d}" + (f":{left:02d}" if left else "")


_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)$"


TimeOfDay = Annotated[str, pydantic.AfterValidator(time_of_day), pydantic.WithJsonSchema({"type": "string", "pattern": _PATTERN})]
"""HH:MM or HH:MM:SS, from 00:00 to 24:00."""
Moment = Annotated[TimeOfDay, pydantic.AfterValidator(not_before_epoch)]
"""A time of day at which something begins in every replication: not before its epoch."""
