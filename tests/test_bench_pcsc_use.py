"""How a card in a PC/SC reader is used: over which protocol, alone or shared, reset cold or warm; several readers at once."""

from __future__ import annotations

import pytest

from bench.drivers import pcsc
from bench.drivers.pcsc import Use, read_spec
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Outcome

from . import virtual_readers
from .toy_card import ATR_T0, ATR_T1, READ, ToyCard
from .virtual_readers import LIMIT_S, Desk, presented, settled

shared = virtual_readers.shared_desk
BOTH = ATR_T1
"""Its interface bytes offer T=0 first and T=1 besides, as those of contactless cards do."""


class Counted(ToyCard):
    """Counts how often its power went away."""

    downs = 0

    def power_off(self) -> None:
        super().power_off()
        self.downs += 1


@pytest.mark.parametrize(("spec", "means"), [
    ("ACS*", ("ACS*", Use())), ("A;T=1", ("A", Use(2))), ("A;T=0;exclusive", ("A", Use(1, True))), ("A;T=0;T=1", ("A", Use(3))),
])
def test_moniker_says_how_the_card_is_used(spec: str, means: tuple[str, Use]) -> None:
    assert read_spec(spec) == means and pcsc.matches(spec, "acs reader" if "*" in spec else "a")


def test_use_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"'T=2'; there are T=0, T=1 and exclusive"):
        pcsc.open("A;T=2")


@pytest.mark.needs("pcsc")
@pytest.mark.parametrize(("atr", "got"), [
    (BOTH, {"": "T=1", ";T=0": "T=0", ";T=1": "T=1"}), (ATR_T0, {"": "T=0", ";T=0": "T=0", ";T=1": ""}),
])
def test_protocol_is_the_one_asked_for_or_none(shared: Desk, atr: bytes, got: dict[str, str]) -> None:
    with presented(ToyCard(atr=atr), shared.daemon.ports[1]), settled(shared.link(1)) as whose:
        whose.disconnect()
        for asked, protocol in got.items():
            with pcsc.open(shared.daemon.readers[1] + asked, env=shared.daemon.env) as link:
                ready = link.connect(LIMIT_S)
                assert link.protocol == protocol
                if protocol:
                    assert link.attempt(READ, LIMIT_S).reply == b"toy\x90\x00"
                else:
                    assert ready.outcome is Outcome.GARBLED and "does not speak the protocol" in link.last_error


@pytest.mark.needs("pcsc")
def test_warm_reset_keeps_the_power_and_a_cold_one_does_not(shared: Desk) -> None:
    card = Counted()
    with presented(card, shared.daemon.ports[1]), settled(shared.link(1)) as link:
        for warm, lost in ((True, 0), (False, 1)):
            ups, downs = card.powered, card.downs
            assert link.reset(LIMIT_S, warm=warm).reply == ATR_T1
            assert (card.powered - ups, card.downs - downs) == (1, lost)
            assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


@pytest.mark.needs("pcsc")
def test_exclusive_use_keeps_others_out_until_it_ends(shared: Desk) -> None:
    spec = f"{shared.daemon.readers[0]};exclusive"
    with pcsc.open(spec, env=shared.daemon.env) as link, shared.link() as other:
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert other.connect(0.1).outcome is Outcome.TIMED_OUT and "exclusively" in other.last_error
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED
        link.disconnect()
        assert other.connect(LIMIT_S).outcome is Outcome.REPLIED, other.last_error
        assert link.connect(0.1).outcome is Outcome.TIMED_OUT and "exclusively" in link.last_error  # the other way round


@pytest.mark.needs("pcsc")
def test_several_readers_are_used_at_once_each_with_its_own_card(shared: Desk) -> None:
    with presented(ToyCard(b"second"), shared.daemon.ports[1]), shared.connected(0) as one, settled(shared.link(1)) as two:
        for _ in range(3):
            answers = [link.attempt(READ, LIMIT_S).reply for link in (one, two)]
            assert answers == [b"toy\x90\x00", b"second\x90\x00"]
        assert one.worker_pid != two.worker_pid
        with pytest.raises((LinkError, UsageError), match="several readers"):
            pcsc.open("Virtual*", env=shared.daemon.env)
