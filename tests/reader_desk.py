"""A vendor's reader before our card, on a real medium: a process of its own (:mod:`tests.vendor_reader`).

    with places("slot") as place, place.reading("contact", folder) as desk:
        dut = desk.dut()                what conform tries
        desk.fault(Fault.ENDLESS)       from its next card on
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.duts import Dut
from bench.hands import Hands, Nobody, Step, unseen
from bench.reach import Means
from bench.stacks.bluez import PrivateBluetooth
from bench.stacks.pcscd import PrivatePcscd
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.tester import Result, perform

from .places import ROOT
from .ports import free_port
from .vendor_reader import ATTENDED, Fault

LIMIT_S = 30
GAP_MS = 600
BY_ITSELF = Nobody("the reader reads by itself")


@dataclass(frozen=True)
class Teller:
    """Somebody at the reader, who has it do what the step is about."""

    task: Path
    why_none: str = ""

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        assert step is Step.READ
        new = self.task.with_suffix(".new")
        new.write_text(about, encoding="utf-8")
        new.rename(self.task)
        return True


@dataclass(frozen=True)
class Desk:
    """A reader. ``moniker``: where our card comes before it; ``folder``: its log, and what it is to do."""

    moniker: str
    channel: str
    folder: Path

    def dut(self, hands: Hands = BY_ITSELF, **answers: int) -> Dut:
        """``answers``: of the PIXIT."""
        said = {"log": str(self.folder / "log.jsonl"), "takes_lists": True, "lists": str(self.folder / "lists"),
                "answer_s": LIMIT_S, "person_s": LIMIT_S, "gap_ms": GAP_MS, **answers}
        return Dut(suites()[Kind.READER], self.moniker, self.channel, means=Means(answers=said, hands=hands))

    @property
    def teller(self) -> Teller:
        """Somebody comes, and from now on it looks at no card unless it is told to."""
        (self.folder / ATTENDED).touch()
        return Teller(self.folder / "task")

    def unattended(self) -> None:
        """It goes on by itself."""
        for name in (ATTENDED, "task"):
            (self.folder / name).unlink(missing_ok=True)

    def fault(self, fault: Fault | None) -> None:
        if fault is None:
            (self.folder / "fault").unlink(missing_ok=True)
        else:
            (self.folder / "fault").write_text(fault.value)


@dataclass(frozen=True)
class Place:
    """``ours``: where our card lies; ``theirs``: where the reader looks for it, in this environment."""

    ours: str
    theirs: str
    env: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def reading(self, channel: str, folder: Path) -> Iterator[Desk]:
        command = [sys.executable, "-m", "tests.vendor_reader", channel, self.theirs, str(folder / "log.jsonl")]
        vendor = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **self.env})
        try:
            yield Desk(self.ours, channel, folder)
        finally:
            vendor.kill()
            vendor.wait()


@contextmanager
def places(medium: str) -> Iterator[Place]:
    """``field``: NFC at a UDP address; ``slot``: a real pcscd; ``air``: bleak upon the emulated BlueZ, a code in a picture, and
    ``own-air``: with a controller of the reader's own; ``tap``, ``own-tap``: the same after a tap in a field."""
    if medium == "field":
        path = _field()
        yield Place(path, path)
        return
    if medium in ("tap", "own-tap"):
        with PrivateBluetooth() as bluetooth:
            path, own = _field(), f"bumble:{bluetooth.transport}" if medium == "own-tap" else ""
            yield Place(f"{path} + ble:{bluetooth.transport}", f"{path} + ble:{own}", bluetooth.env)
        return
    if medium in ("air", "own-air"):
        with TemporaryDirectory() as folder, PrivateBluetooth() as bluetooth:
            code = f"qr:{folder}/code.png"
            own = f"bumble:{bluetooth.transport}" if medium == "own-air" else ""
            yield Place(f"{code} + ble:{bluetooth.transport}", f"{code} + ble:{own}", bluetooth.env)
        return
    with PrivatePcscd(2) as service:
        yield Place(f"vpcd:127.0.0.1:{service.ports[0]}", f"pcsc:{service.readers[0]}", service.env)


def _field() -> str:
    """A UDP address that nobody uses."""
    return f"nfc:udp:127.0.0.1:{free_port()}"


def tried(dut: Dut, begin: str, *, close: bool = True) -> Result:
    """The one case whose id begins so, as the suite does it. ``close``: none follows on this device."""
    (case,) = (case for case in cases() if case.kind is Kind.READER and case.id.startswith(begin))
    try:
        return dut.done(perform(case, dut.tester, real=True))
    finally:
        if close:
            dut.way.close()


__all__ = ["BY_ITSELF", "LIMIT_S", "Desk", "Place", "Teller", "places", "tried"]
