"""A presenter of one device at a time, which the control channel exchanges: what every medium of that kind has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import getpid
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from bench.presenters.control import ANSWERS, BUSY, CARD, LEASE, RELEASE, STRIKE, Message
from bench.presenters.control_server import ControlServer, Polled, Respond
from bench.presenters.images import forget_image, image_path, save_image
from bench.presenters.serve import Persistent, Rows, Slot, Transport, serve
from virtual_devices.clock import Clock
from virtual_devices.link import Device


class Exchanging(Transport, Protocol):
    """A transport whose device can come and go. Its loop polls ``poll``, calls ``other`` with descriptors that are not its
    own, and ``tidy`` from time to time."""

    other: Callable[[int], object] | None
    tidy: Callable[[], float | None]

    @property
    def poll(self) -> Polled: ...

    @property
    def connected(self) -> bool:
        """A reader has the device now."""
        ...

    def insert(self, seen: Callable[[bool], None] | None = None) -> None:
        """Present the device. ``seen`` is told once whether a reader has noticed, soon."""
        ...

    def remove(self, left: Callable[[], None]) -> None:
        """Take it away; ``left`` is called once that is done."""
        ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Slotted:
    """:meth:`run` presents until :meth:`stop`. ``source`` gives the device that is in at the start, or None; ``load`` makes one
    from an image: without it devices can be taken out, not put in. ``takes``: the kind of device whose images ``load`` knows."""

    medium = ""
    reader = ""
    takes = CARD
    others: Mapping[str, Callable[[bytes], Persistent]] = MappingProxyType({})
    """How images of other kinds become a device, by the kind's name: a slot takes a wrong card, too."""
    unseen = True
    """A device without power can be exchanged and nobody need be told."""

    def __init__(
        self, source: Callable[[], Device | None], transport: Exchanging, control: ControlServer | None = None, *,
        load: Callable[[bytes], Persistent] | None = None, rows: Rows = Rows(), clock: Clock | None = None,
    ) -> None:
        self._source, self._load, self._rows, self._clock = source, load, rows, clock
        self._control = control
        self._way = transport
        self._slot = Slot(self._save)
        self._slot.struck = self._struck
        self._busy = False
        self._own: tuple[Device | None, str] | None = None  # set aside: the slot is lent
        self._back: Respond | None = None  # who is to be told that it is in again, once the exchange under way is over

    def prepare(self, device: Device) -> None:
        """What the transport must know of a device before it is presented."""

    def run(self) -> None:
        """Present until :meth:`stop`."""
        way, control = self._way, self._control
        try:
            if control is not None:
                control.open(way.poll, self._asked)
                way.other, way.tidy = control.ready, control.tidy
            device = self._source()
            if device is not None:
                self.prepare(device)
                self._slot.put(device, getattr(device, "card_no", ""))
                way.insert()
            serve(self._slot, way, self._rows, clock=self._clock)
        finally:
            if control is not None:
                control.close()
            way.close()

    def stop(self) -> None:
        """End :meth:`run`, from any thread."""
        self._way.stop()

    def _save(self, card_no: str, image: bytes) -> None:
        if self._control is not None:
            save_image(self._control.state_folder, card_no, image)

    def _asked(self, request: Message, respond: Respond) -> None:
        """One request of the control channel."""
        op = request.get("op")
        if op == "status":
            respond(self._status())
        elif op == "holder":
            respond(self._slot.act(request))
        elif op == RELEASE:
            self._release(respond)
        elif self._busy:
            respond({"error": BUSY})
        elif op == LEASE:
            self._own = self._slot.device, self._slot.card_no
            respond({"image": self._slot.image(), "card_no": self._slot.card_no})
        elif op == "insert":
            self._insert(request, respond)
        elif op == "eject" and self._slot.occupied:
            self._eject(respond)
        elif op in (STRIKE, ANSWERS) and self._slot.occupied:
            self._spoil(request, respond)
        else:
            respond({"error": "the slot is empty" if op in ("eject", STRIKE, ANSWERS) else f"unknown operation {op!r}"})

    def _release(self, respond: Respond) -> None:
        """What is in makes way for the presenter's own device, whose holder does as before."""
        if self._busy:
            self._back = respond
            return
        assert self._own is not None
        (device, card_no), self._own = self._own, None
        if device is self._slot.device:
            self._home(respond)
            return
        lent = self._slot.card_no
        self._slot.take()

        def back() -> None:
            if lent and lent != card_no and self._control is not None:
                forget_image(self._control.state_folder, lent)
            if device is None:
                self._home(respond)
                return
            self.prepare(device)
            self._slot.put(device, card_no)
            self._way.insert(lambda _: self._home(respond))

        self._exchange(back)

    def _home(self, respond: Respond) -> None:
        self._slot.act({"act": "leave"})
        self._done(respond, {})

    def _eject(self, respond: Respond) -> None:
        card_no = self._slot.card_no
        image = self._slot.take()

        def given() -> None:
            if self._done(respond, {"image": image}) and card_no and self._control is not None:
                forget_image(self._control.state_folder, card_no)

        self._exchange(given)

    def _insert(self, request: Message, respond: Respond) -> None:
        image, card_no = request.get("image"), request.get("card_no")
        load = self.others.get(str(request.get("kind")), self._load)
        if load is None or not isinstance(image, bytes) or not isinstance(card_no, str):
            respond({"error": "this slot takes no other card" if load is None else "image or card_no is missing"})
            return
        try:
            image_path(self._control.state_folder if self._control else Path(), card_no)
            device = load(image)
        except Exception as error:  # the image came from outside; the card that is in stays in
            respond({"error": f"this is no card: {error}"})
            return
        if self.unseen and request.get("quietly") and self._slot.occupied and not self._slot.powered:
            self.prepare(device)
            self._slot.put(device, card_no)
            respond({"seen": True})
            return
        self._slot.take()

        def put() -> None:
            self.prepare(device)
            self._slot.put(device, card_no)
            self._way.insert(lambda by_reader: self._tell(respond, by_reader))

        self._exchange(put)

    def _spoil(self, request: Message, respond: Respond) -> None:
        """The device is pulled out after so many ``commands``, or answers some ``command`` by ``answer``."""
        commands, command, answer = (request.get(name) for name in ("commands", "command", "answer"))
        if isinstance(commands, int) and commands >= 0:
            self._slot.strike(commands)
        elif isinstance(command, bytes) and isinstance(answer, bytes):
            self._slot.answers_by(command, answer)
        else:
            respond({"error": "commands, or command and answer, are missing"})
            return
        respond({})

    def _struck(self) -> None:
        self._slot.take()
        self._exchange(self._pulled_out)

    def _pulled_out(self) -> None:
        self._done(lambda _: False, {})

    def _tell(self, respond: Respond, seen: bool) -> None:
        self._done(respond, {"seen": seen})

    def _exchange(self, then: Callable[[], None]) -> None:
        self._busy = True
        self._way.remove(then)

    def _done(self, respond: Respond, answer: Message) -> bool:
        self._busy = False
        told, (back, self._back) = respond(answer), (self._back, None)
        if back is not None:
            self._release(back)
        return told

    def _status(self) -> Message:
        folder = self._control.state_folder if self._control is not None else ""
        return {
            "pid": getpid(), "medium": self.medium, "device": self._way.device, "reader": self.reader,
            "card_no": self._slot.card_no, "inserted": self._slot.occupied, "connected": self._way.connected,
            "state_folder": str(folder), "takes": self.takes,
        }


__all__ = ["Exchanging", "Slotted"]
