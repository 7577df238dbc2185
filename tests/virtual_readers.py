"""Cards in the virtual readers of a real pcscd: presented by a thread or by a process, and links to them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.drivers import pcsc
from bench.presenters.control import Control, discover
from bench.presenters.control_server import ControlServer
from bench.presenters.serve import Persistent, Rows
from bench.presenters.vpcd import REMOVAL_S, VpcdPresenter
from bench.stacks.pcscd import PrivatePcscd
from virtual_devices.link import Outcome

from .places import ROOT
from .processes import wait_until
from .toy_card import READ, ToyCard

LIMIT_S = 60.0
"""How long anything may take that is expected to succeed: it guards against hanging, and a busy machine keeps to it."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's worker may take long to start: a busy machine is not to be taken for a hung one."""
    monkeypatch.setattr(pcsc, "CONNECT_SLACK_S", LIMIT_S)


@contextmanager
def presented(
    card: Persistent | None, port: int, control: ControlServer | None = None, rows: Rows = Rows(), settle_s: float = REMOVAL_S,
    load: Callable[[bytes], Persistent] = ToyCard,
) -> Iterator[VpcdPresenter]:
    """The card in the virtual reader behind ``port``, presented by a thread of this process."""
    presenter = VpcdPresenter(lambda: card, port=port, control=control, load=load, rows=rows, settle_s=settle_s)
    thread = threading.Thread(target=presenter.run)
    thread.start()
    try:
        yield presenter
    finally:
        presenter.stop()
        thread.join()


@contextmanager
def presented_by_a_process(port: int, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A toy card, presented with a control channel named ``toy`` in ``folder``. The process may be killed."""
    command = [sys.executable, "-m", "tests.toy_card", str(port), str(folder), *options]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(folder: Path, name: str = "toy") -> Control:
    """The channel of a presenter, once it answers."""
    path = folder / f"{name}.sock"
    assert wait_until(lambda: path in [info.path for info in discover(folder)], LIMIT_S), f"no presenter answers at {path}"
    return Control(path)


@dataclass
class Desk:
    """A pcscd with the toy card in its first reader; the second is free."""

    daemon: PrivatePcscd
    card: ToyCard

    def link(self, slot: int = 0) -> pcsc.PcscLink:
        return pcsc.open(self.daemon.readers[slot], env=self.daemon.env)

    def connected(self, slot: int = 0) -> pcsc.PcscLink:
        link = self.link(slot)
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        return link


@contextmanager
def _desk() -> Iterator[Desk]:
    card = ToyCard()
    with PrivatePcscd(2) as daemon, presented(card, daemon.ports[0], settle_s=0):
        yield Desk(daemon, card)


@pytest.fixture(scope="module")
def shared_desk() -> Iterator[Desk]:
    """For tests that leave everything as they found it."""
    with _desk() as desk:
        yield desk


@pytest.fixture
def own_desk() -> Iterator[Desk]:
    """For tests that stop pcscd, or hang a card in it."""
    with _desk() as desk:
        yield desk


@pytest.fixture(scope="module")
def shared_pcscd() -> Iterator[PrivatePcscd]:
    """One with two empty readers, for tests that leave it as they found it."""
    with PrivatePcscd(2) as pcscd:
        yield pcscd


@pytest.fixture
def own_pcscd() -> Iterator[PrivatePcscd]:
    """The same, for tests that stop it."""
    with PrivatePcscd(2) as pcscd:
        yield pcscd


def settled(link: pcsc.PcscLink) -> pcsc.PcscLink:
    """The link, connected to the toy card that is in now: for up to 0.4 s pcscd offers the one that has just left."""
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
    if link.attempt(READ, LIMIT_S).outcome is Outcome.GONE:
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED, link.last_error
    return link
