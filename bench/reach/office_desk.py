"""Where the chips of an office under test are: in slots that we lend it, or in PC/SC readers, each before a presenter of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bench.reach import Means
from bench.reach.lent_desk import LentDesk
from bench.reach.served_centre import ServedCentre
from bench.reach.slots_outside import ROLES, SlotsOutside
from conformance.references.desk_chips import DeskChips
from conformance.town import HOLDER, Place
from conformance.vectors.world import World
from virtual_devices.uploads.register import Trade

OF_HOLDER = {"holder": HOLDER.holder}


class Slots(Protocol):
    """The slots of a security module (sam), a professional's card (hpc) and a patient's (card). All raise LinkError."""

    def begin(self, world: World, place: Place, name: str, centre: ServedCentre) -> None:
        """Other chips: those of that place, and in a clinic the holder's card."""
        ...

    def told(self) -> Mapping[str, Any]:
        """What the program is told of them."""
        ...

    def patient(self, personal: Mapping[str, Any]) -> None:
        """A patient's card of today is put in, personalised so."""
        ...

    def take_out(self, role: str) -> None: ...
    def put_back(self, role: str) -> None: ...
    def close(self) -> None: ...


class Lent:
    """Those of a desk of ours, which has control software too."""

    def __init__(self, desk: LentDesk) -> None:
        self._desk = desk

    def begin(self, world: World, place: Place, name: str, centre: ServedCentre) -> None:
        del world, place, name, centre  # the desk has begun with them
        if self._desk.desk.place.trade is Trade.CLINIC:
            self.patient(OF_HOLDER)

    def told(self) -> Mapping[str, Any]:
        desk = self._desk
        return {"control_software": {**desk.urls, "ca": str(desk.certificate)}, "slots": dict(desk.slots), "readers": {}}

    def patient(self, personal: Mapping[str, Any]) -> None:
        self._desk.desk.put_in(personal)

    def take_out(self, role: str) -> None:
        self._desk.desk.take_out(role)

    def put_back(self, role: str) -> None:
        self._desk.desk.put_back(role)

    def close(self) -> None:
        """It is somebody else's."""


class InReaders:
    """In readers: for software whose control software is its own. A virtual card is still held to the reader that we lend."""

    def __init__(self, desk: LentDesk, means: Means) -> None:
        said = {role: means.answers.get(f"{role}_reader") for role in ROLES}
        self._desk = desk
        self._slots, self._readers = SlotsOutside.find(ROLES, {role: str(name) for role, name in said.items() if name})
        self._chips: DeskChips | None = None

    def begin(self, world: World, place: Place, name: str, centre: ServedCentre) -> None:
        del centre
        chips = self._chips = DeskChips(world, place, name)
        self._slots.fill({"sam": chips.sam().to_image(), "hpc": chips.professional().to_image(),
                          "card": chips.patient(OF_HOLDER).to_image()})
        if place.trade is not Trade.CLINIC:
            self._slots.take_out("card")

    def told(self) -> Mapping[str, Any]:
        return {"control_software": {}, "slots": {"wallet": self._desk.slots["wallet"]}, "readers": dict(self._readers)}

    def patient(self, personal: Mapping[str, Any]) -> None:
        assert self._chips is not None
        self._slots.put("card", self._chips.patient(personal).to_image())

    def take_out(self, role: str) -> None:
        self._slots.take_out(role)

    def put_back(self, role: str) -> None:
        self._slots.put_back(role)

    def close(self) -> None:
        self._slots.close()


__all__ = ["InReaders", "Lent", "Slots"]
