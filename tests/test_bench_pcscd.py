"""A PC/SC service of our own: beside the machine's, with as many readers as asked for, and gone without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.drivers import pcsc
from bench.stacks.pcscd import MAX_SLOTS, PrivatePcscd
from virtual_devices.errors import UsageError
from virtual_devices.link import Outcome

from . import virtual_readers
from .toy_card import READ, ToyCard
from .virtual_readers import LIMIT_S, Desk, presented

pytestmark = pytest.mark.needs("pcsc")
shared, own = virtual_readers.shared_desk, virtual_readers.own_desk


def test_two_private_services_side_by_side_do_not_meet(shared: Desk, own: Desk) -> None:
    assert not set(shared.daemon.ports) & set(own.daemon.ports)
    own.card.data = b"other"
    with shared.connected() as first, own.connected() as second:
        assert first.attempt(READ, LIMIT_S).reply == b"toy\x90\x00"
        assert second.attempt(READ, LIMIT_S).reply == b"other\x90\x00"


def test_largest_private_service_has_all_its_readers() -> None:
    with PrivatePcscd(MAX_SLOTS) as daemon:
        listed = {reader.moniker.removeprefix("pcsc:") for reader in pcsc.discover(env=daemon.env)}
        assert listed == set(daemon.readers) and len(listed) == MAX_SLOTS


def test_private_service_with_more_slots_names_each_reader() -> None:
    with PrivatePcscd(5) as daemon:
        listed = [reader.moniker.removeprefix("pcsc:") for reader in pcsc.discover(env=daemon.env)]
        assert set(daemon.readers) <= set(listed) and len(daemon.ports) == len(daemon.readers) == 5
        with presented(ToyCard(b"last"), daemon.ports[4], settle_s=0), pcsc.open(daemon.readers[4], env=daemon.env) as link:
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
            assert link.attempt(READ, LIMIT_S).reply == b"last\x90\x00"


def test_private_service_leaves_nothing_behind() -> None:
    with PrivatePcscd(1) as daemon:
        pid, folder = daemon.pid, daemon.folder
        assert folder.exists() and Path(f"/proc/{pid}").exists()
    assert not folder.exists() and not Path(f"/proc/{pid}").exists()


def test_private_service_lives_beside_the_machine_s_own() -> None:
    """It has another /run: what the machine keeps there is the same before, during and after."""
    before = sorted(path.name for path in Path("/run").iterdir())
    with PrivatePcscd(1):
        assert sorted(path.name for path in Path("/run").iterdir()) == before


@pytest.mark.parametrize("slots", [0, MAX_SLOTS + 1])
def test_private_service_refuses_a_number_of_readers_that_pcscd_would_drop(slots: int) -> None:
    with pytest.raises(UsageError, match="1 to 16"):
        PrivatePcscd(slots)
