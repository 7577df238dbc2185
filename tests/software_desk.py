"""Our control software as a whole workstation's, for whoever tries it from outside: its three slots in a pcscd, its data centre
at an address that is not served yet, its faces on loopback, its adapter."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.counter import Counter
from bench.present_control_software import outside, reading
from bench.presenters.control_server import ControlServer
from bench.presenters.control_software import ControlSoftwareServer
from bench.presenters.hand import Hand
from bench.presenters.turns import Turns
from bench.reach.connections import write_for_software

from .desk_slots import DeskSlots, desk_slots
from .ports import free_port

PORTS = {"kit": 0, "local": 0}


@dataclass(frozen=True)
class SoftwareDesk:
    """``faces``: their addresses; ``answers``: what its maker would say in the PIXIT."""

    slots: DeskSlots
    faces: dict[str, str]
    answers: dict[str, object]

    @property
    def adapter(self) -> str:
        return f"program:{sys.executable} -m bench.calls_program {self.faces['local']}"

    @property
    def moniker(self) -> str:
        return " + ".join((self.faces["kit"], self.faces["local"], self.adapter))


@contextmanager
def software_desk(folder: Path, limit_s: float = 60.0) -> Iterator[SoftwareDesk]:
    uploads, credentials = folder / "uploads", folder / "credentials"
    uploads.mkdir()
    write_for_software(credentials, 1)
    centre = f"https://localhost:{free_port()}"
    with desk_slots(folder) as slots:
        monikers = {role: f"pcsc:{reader}" for role, reader in slots.readers.items()}
        with outside(monikers, centre, credentials, slots.env) as links:
            counter, turns = Counter(1, outside=links, files=reading(uploads)), Turns(limit_s)
            server = ControlSoftwareServer(counter, turns, ports=PORTS)
            hand = Hand(ControlServer("software", folder / "vhc-bench"), counter, turns, ours=False, urls=server.urls)
            up = threading.Event()
            thread = threading.Thread(target=server.run, args=(up.set,))
            hand.start()
            thread.start()
            try:
                assert up.wait(60)
                answers = {"data_centre": centre, "credentials": str(credentials), "uploads": str(uploads), "answer_s": 60}
                yield SoftwareDesk(slots, server.urls, answers)
            finally:
                server.stop()
                thread.join()
                hand.stop()


__all__ = ["SoftwareDesk", "software_desk"]
