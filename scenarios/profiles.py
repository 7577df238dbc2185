"""Latency profiles: what a device was measured to take, in the shape of the link models, so that a scenario can use it in place
of the assumed distributions.

``vhc-bench calibrate`` writes them (TOML); a scenario file names them at its top: ``profiles = ["phone.toml"]``. A profile takes
the place of every table of its kind that the file does not write itself. The file is closed: every key is checked, as a
scenario's are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel

from scenarios import model_file
from scenarios.mirror import CONFIG, mirrored
from virtual_devices.network import Contact
from virtual_devices.radio import Bluetooth, Camera, Field

FORMAT = "vhc-bench latency profile 1"
Count = Annotated[int, pydantic.Field(ge=0)]
Time = Annotated[float, pydantic.Field(ge=0)]
Model = Field | Bluetooth | Camera | Contact


class Origin(BaseModel):
    """Where the figures come from."""

    model_config = CONFIG

    role: Literal["wallet", "card"]
    """What was asked."""
    moniker: str
    """How it was reached."""
    device: str = ""
    """Which device answered, where the moniker leaves it open."""
    provenance: Literal["measured", "modelled", "replayed"]
    """Whether a device was measured, or the bench's own model."""
    make: str = ""
    """Who made it."""
    model: str = ""
    """Its model, as its maker calls it."""
    firmware: str = ""
    """Version of its firmware or software."""
    measured_on: date
    """The day, in Taiwan."""
    samples: Count
    """Sessions that came to their end."""
    broken_off: Count
    """Sessions in which the device left or fell silent."""
    refused: Count
    """Sessions in which it refused to show anything: its time until then counts."""


class Times(BaseModel):
    """One segment, as it was: docs/reference/segments.md."""

    model_config = CONFIG

    n: Annotated[int, pydantic.Field(ge=1)]
    """Sessions in which it took time."""
    mean_ms: Time
    """Mean."""
    median_ms: Time
    """Half of them were shorter."""
    p95_ms: Time
    """95 % of them were shorter, or as long."""
    least_ms: Time
    """The shortest."""
    most_ms: Time
    """The longest."""


class Profile(BaseModel):
    """One device's latency profile."""

    model_config = CONFIG

    format: Literal["vhc-bench latency profile 1"]
    """Kind and version of this file."""
    measured: tuple[str, ...]
    """Which figures of the models below rest on samples."""
    modelled: tuple[str, ...]
    """Which are assumed, or follow from an assumption; each with it."""
    origin: Origin
    """Where the figures come from."""
    segments: dict[str, Times]
    """What was seen, segment by segment."""
    field: mirrored(Field) | None = None  # type: ignore[valid-type]
    """A phone or card in an NFC field."""
    bluetooth: mirrored(Bluetooth) | None = None  # type: ignore[valid-type]
    """A phone over Bluetooth Low Energy."""
    camera: mirrored(Camera) | None = None  # type: ignore[valid-type]
    """A scanner before a screen."""
    contact: mirrored(Contact) | None = None  # type: ignore[valid-type]
    """A chip in a contact reader."""

    def models(self) -> Mapping[type, Model]:
        """Kind of model -> this device's."""
        return {type(m): m for m in (self.field, self.bluetooth, self.camera, self.contact) if m is not None}


@dataclass(frozen=True, slots=True)
class Stood:
    """A profile in a scenario, and the tables for which it stands: ``params.field``."""

    file: str
    places: tuple[str, ...]
    profile: Profile


def load(path: Path) -> Profile:
    """Read and check a profile. Raises ScenarioFaults with everything that is wrong, each at its place."""
    return model_file.load(path, Profile)


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a profile."""
    return model_file.schema(Profile, "Latency profile")


def applied(
    params: BaseModel, profile: Profile, written: Callable[[tuple[str, ...]], bool],
) -> tuple[BaseModel, tuple[str, ...]]:
    """The parameters with the profile's models in place of those that nobody wrote, and the names of the places that took one."""
    changed, places = _applied(params, profile.models(), written, ())
    return changed, tuple(".".join(("params", *place)) for place in places)


def _applied(
    params: BaseModel, models: Mapping[type, Model], written: Callable[[tuple[str, ...]], bool], at: tuple[str, ...],
) -> tuple[BaseModel, list[tuple[str, ...]]]:
    changes, places = dict[str, Any](), list[tuple[str, ...]]()
    for name in type(params).model_fields:
        value, place = getattr(params, name), (*at, name)
        if type(value) in models and not written(place):
            changes[name] = models[type(value)]
            places.append(place)
        elif isinstance(value, BaseModel):
            inner, found = _applied(value, models, written, place)
            if found:
                changes[name] = inner
                places += found
    return (params.model_copy(update=changes) if changes else params), places


def to_toml(plain: Mapping[str, Any]) -> str:
    """A profile's values (texts, numbers, dates, lists of texts, tables) as TOML. None is left out."""
    lines: list[str] = []
    _table(plain, (), lines)
    return "\n".join(lines).strip() + "\n"


def _table(table: Mapping[str, Any], name: tuple[str, ...], lines: list[str]) -> None:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping) and value is not None}
    if name and values:
        lines += ["", f"[{'.'.join(name)}]"]
    lines += [f"{key} = {_value(value)}" for key, value in values.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            _table(value, (*name, key), lines)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + "".join(f"\n    {_value(item)}," for item in value) + ("\n]" if value else "]")
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


__all__ = ["FORMAT", "Model", "Origin", "Profile", "Stood", "Times", "applied", "load", "schema", "to_toml"]
