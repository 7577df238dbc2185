"""A desk of ours that software of others is given for a case: our control software, and the slots of its reader.

    kit, local    the control software's faces, as ``present control-software`` serves them: over our chips and our line
    phone         kit + /bench/v1/phone/token, /bench/v1/phone/consent: what the patient's phone does
    slots         kit + /bench/v1/slots/ROLE: {"message": HEX}, empty for a reset -> {"outcome", "reply"}

For software with control software of its own the slots are enough. ``wallet``: what is held to an NFC reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.presenters.control_software import KIT_PORT, LOCAL_PORT, MALFORMED, ControlSoftwareServer, Work
from bench.presenters.turns import Turns
from bench.reach.served import Served
from bench.reach.served_centre import ServedCentre
from conformance.references.desks import Around, DeskWithChips, Line, Slot
from conformance.references.presented import Presented
from conformance.scripted import Script
from conformance.town import Place
from conformance.vectors.world import CARD_NO, World
from virtual_devices.clock import Clock
from virtual_devices.cloud.cs60 import Cloud60
from virtual_devices.flow import Flow
from virtual_devices.link import Link, Outcome
from virtual_devices.reader.cs60.state import LocalComponent
from virtual_devices.reader.cshis import ControlSoftware, ReaderUnit
from virtual_devices.reader.sdk import VirtualCardSdk

ROLES = ("sam", "hpc", "card", "wallet")
LIMIT_S, EXCHANGE_S = 10.0, 10.0
CERTIFICATE = "control-software.pem"
FREE: Mapping[str, int] = {"kit": 0, "local": 0}
FIELD: Mapping[str, int] = {"kit": KIT_PORT, "local": LOCAL_PORT}


class LentDesk:
    """One desk at a time, at the same addresses. ``directory``: where the certificate of its HTTPS faces is written. Raises
    LinkError when it cannot be served."""

    def __init__(self, directory: Path, ports: Mapping[str, int] = FREE) -> None:
        self._desk: _Desk | None = None
        self._centre: ServedCentre | None = None
        self._turns = Turns(LIMIT_S)
        counter = _Counter(self)
        more: Mapping[str, Work] = {
            **{f"/bench/v1/slots/{role}": self._exchange(role) for role in ROLES},
            "/bench/v1/phone/token": lambda _: {"statusCode": "0", "token": counter.token()},
            "/bench/v1/phone/consent": self._consent,
        }
        self._server = ControlSoftwareServer(counter, self._turns, ports=ports, more=more)
        self.certificate = directory / CERTIFICATE
        self.certificate.write_bytes(self._server.certificate)
        self._served = Served(self._server, "the lent desk")

    def begin(self, world: World, place: Place, name: str, centre: ServedCentre) -> None:
        """Another desk, before this data centre, without a patient's card. What was asked of the former desk and is not answered
        yet, is answered by that one."""
        self._centre, self._desk = centre, _Desk(world, place, name, centre.clock, centre.line)

    @property
    def urls(self) -> Mapping[str, str]:
        found = self._server.urls
        return {"kit": found["kit"], "local": found["local"], "phone": f"{found['kit']}/bench/v1/phone"}

    @property
    def slots(self) -> Mapping[str, str]:
        return {role: f"{self._server.urls['kit']}/bench/v1/slots/{role}" for role in ROLES}

    @property
    def desk(self) -> _Desk:
        assert self._desk is not None, "no case has begun"
        return self._desk

    @property
    def centre(self) -> ServedCentre:
        assert self._centre is not None, "no case has begun"
        return self._centre

    def _exchange(self, role: str) -> Work:
        def exchange(body: Any) -> Mapping[str, Any]:
            try:
                message = bytes.fromhex(body["message"])
            except (KeyError, TypeError, ValueError):
                return MALFORMED["kit"]
            link = self.desk.slots.get(role)
            if link is None:
                return {"outcome": Outcome.GONE.value, "reply": None}
            attempt = link.attempt(message, EXCHANGE_S)
            return {"outcome": attempt.outcome.value, "reply": None if attempt.reply is None else attempt.reply.hex()}

        return exchange

    def _consent(self, body: Any) -> Mapping[str, Any]:
        if not isinstance(body, Mapping) or not isinstance(body.get("agreed"), bool):
            return MALFORMED["kit"]
        known = self.centre.consent(str(body.get("accessToken", "")), body["agreed"])
        return {"statusCode": "0" if known else "3237"}

    def close(self) -> None:
        self._served.stop()


class _Desk(DeskWithChips):
    """The desk of one case, and our control software on it."""

    def __init__(self, world: World, place: Place, name: str, clock: Clock, line: Line) -> None:
        super().__init__(world, place, name, around=Around(clock, {}, line))
        self.slots = {"sam": Slot(clock, self.chips.sam()), "hpc": Slot(clock, self.chips.professional()),
                      "card": Slot(clock, None)}
        self.software = ControlSoftware(self.desk, ReaderUnit(clock))
        self.kit, self.component = VirtualCardSdk(self.software), LocalComponent(self.software)

    def put_in(self, personal: Mapping[str, Any]) -> None:
        """A patient's card of today."""
        self.slots["card"].chip = self.chips.patient(personal)

    def show(self, script: Script) -> None:
        """A virtual card is held to the reader."""
        shown: Link = Presented(self.world, self.name, script)
        self.slots["wallet"] = shown


class _Counter:
    """What the faces are over: the desk of now. The calls of 6.0 that go to the data centre are that one's own."""

    cloud: Cloud60 | None = None

    def __init__(self, lent: LentDesk) -> None:
        self._lent = lent

    @property
    def clock(self) -> Clock:
        return self._lent.centre.clock

    @property
    def software(self) -> ControlSoftware:
        return self._lent.desk.software

    @property
    def kit(self) -> VirtualCardSdk:
        return self._lent.desk.kit

    @property
    def component(self) -> LocalComponent:
        return self._lent.desk.component

    def run(self, flow: Flow[Any]) -> Any:
        return self._lent.desk.run(flow)

    def token(self) -> str:
        return self._lent.centre.officer.token(CARD_NO)


__all__ = ["FIELD", "FREE", "ROLES", "LentDesk"]
