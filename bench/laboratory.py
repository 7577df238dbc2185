"""A laboratory file: the devices of one bench by names of their own, so that commands and runs need not repeat their monikers.

    [devices.front-desk]
    moniker = "pcsc:ACS ACR39U*"
    make = "ACS"
    model = "ACR39U-I1"
    firmware = "1.19"

``--lab lab.toml --card front-desk`` then means that reader, and the manifest of the run says make, model and firmware. The file
is checked as scenario files are: every fault at once, with its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import AfterValidator, BaseModel

from bench.monikers import JOINED, ROLES, Kind, Moniker, for_role, parse
from scenarios import model_file
from scenarios.mirror import CONFIG
from scenarios.wording import nearest
from virtual_devices.errors import UsageError


def _moniker(text: str) -> str:
    try:
        for part in text.split(JOINED):
            parse(part)
    except UsageError as e:
        raise ValueError(str(e)) from None
    return text


class Device(BaseModel):
    """One device of the laboratory."""

    model_config = CONFIG

    moniker: Annotated[str, AfterValidator(_moniker)]
    """How it is reached, such as pcsc:ACS*; a phone over Bluetooth by its code too: qr:PATH + ble:NAME."""
    make: str = ""
    """Who made it."""
    model: str = ""
    """Its model, as its maker calls it."""
    firmware: str = ""
    """Version of its firmware or software."""
    note: str = ""
    """Whatever else a reader of the reports should know of it."""

    def says(self) -> str:
        """Make, model and firmware, for people; empty when the file has none of them."""
        firmware = f"firmware {self.firmware}" if self.firmware else ""
        return ", ".join(part for part in (f"{self.make} {self.model}".strip(), firmware, self.note) if part)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", text):
        raise ValueError(f"must be small letters, digits and hyphens, at most 40, is {text!r}")
    if any(text == kind.value for kind in Kind):
        raise ValueError(f"is {text!r}, a moniker by itself: give the device another name")
    return text


Name = Annotated[str, AfterValidator(_name)]


class Laboratory(BaseModel):
    """A bench's devices, each named once."""

    model_config = CONFIG

    title: str = ""
    """Whose bench it is."""
    devices: Annotated[dict[Name, Device], pydantic.Field(min_length=1)]
    """The devices, by names of your own: small letters, digits, hyphens."""

    def find(self, text: str) -> tuple[str, Device | None]:
        """What ``--card`` and its like were given: the moniker, and the device where the text is a name of this file. UsageError
        for a text that is neither."""
        if text in self.devices:
            return self.devices[text].moniker, self.devices[text]
        try:
            for part in text.split(JOINED):
                parse(part)
        except UsageError as e:
            guess = nearest(text, self.devices)
            hint = f"; did you mean {guess!r}?" if guess else "."
            raise UsageError(f"{text!r} is none of the laboratory's devices ({', '.join(self.devices)}){hint} And: {e}") from None
        return text, None


def load(path: Path) -> Laboratory:
    """Read and check a file. Raises ScenarioFaults (a UsageError) with everything that is wrong, each at its place."""
    return model_file.load(path, Laboratory)


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a laboratory file, for editors."""
    return model_file.schema(Laboratory, "Laboratory file")


def resolved(laboratory: Laboratory | None, given: Mapping[str, str]) -> tuple[dict[str, tuple[Moniker, ...]], dict[str, str]]:
    """Role -> its moniker, and role -> what the laboratory says of its device. Raises UsageError."""
    monikers, says = {}, {}
    for role in ROLES:
        text, device = given.get(role, "virtual"), None
        if laboratory is not None:
            text, device = laboratory.find(text)
        monikers[role] = for_role(role, text)
        if device is not None:
            says[role] = device.says()
    return monikers, says


__all__ = ["Device", "Laboratory", "load", "resolved", "schema"]
