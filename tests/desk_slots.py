"""The three slots of a desk in a pcscd of its own, each with a presenter of ours, as ``present vpcd --what desk`` has them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.present_vpcd import OF_A_DESK
from bench.presenters.control import discover
from bench.presenters.control_server import ControlServer
from bench.presenters.vpcd import VpcdPresenter
from bench.sample_devices import CHIPS, Samples
from bench.stacks.pcscd import PrivatePcscd

from .processes import wait_until

LIMIT_S = 60.0


@dataclass(frozen=True)
class DeskSlots:
    """``env``: what a program needs to find the readers, by PC/SC and by the control channels; ``readers``: role -> name."""

    env: dict[str, str]
    readers: dict[str, str]


@contextmanager
def desk_slots(folder: Path) -> Iterator[DeskSlots]:
    """While this lasts the control channels of this process lie in that folder."""
    private = folder / "vhc-bench"
    private.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch, PrivatePcscd(len(OF_A_DESK)) as daemon:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        shown = []
        for role, port, reader in zip(OF_A_DESK, daemon.ports, daemon.readers, strict=False):
            samples = Samples(role, 1, time.time_ns())
            device = samples.exhibit(0).device
            presenter = VpcdPresenter(lambda device=device: device, port=port, control=ControlServer(role, private),
                                      load=samples.load, reader=reader, settle_s=0)
            presenter.takes, presenter.others = role, CHIPS
            shown.append(presenter)
        threads = [threading.Thread(target=presenter.run) for presenter in shown]
        for thread in threads:
            thread.start()
        try:
            assert wait_until(lambda: len(discover()) == len(shown), LIMIT_S)
            yield DeskSlots({**daemon.env, "XDG_RUNTIME_DIR": str(folder)}, dict(zip(OF_A_DESK, daemon.readers, strict=False)))
        finally:
            for presenter, thread in zip(shown, threads, strict=True):
                presenter.stop()
                thread.join()


__all__ = ["DeskSlots", "desk_slots"]
