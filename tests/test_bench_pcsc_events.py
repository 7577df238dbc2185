"""What the PC/SC driver says when cards, readers, other programs and pcscd itself come, go and hang."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from bench.drivers import pcsc
from bench.stacks.pcscd import PrivatePcscd
from bench.worker import Worker
from virtual_devices.link import Outcome

from . import virtual_readers
from .toy_card import ATR_T1, READ, SELECT, ToyCard, hang
from .virtual_readers import LIMIT_S, Desk, presented

pytestmark = [pytest.mark.needs("pcsc"), pytest.mark.usefixtures("patient")]
shared, own, patient = virtual_readers.shared_desk, virtual_readers.own_desk, virtual_readers.patient
HANG, AT_ONCE_S = hang(255), 20.0
"""A card that hangs for 25 s unless it is released, and what is clearly less, on a busy machine too."""


def test_connect_to_a_reader_that_is_not_attached_waits_for_it_and_says_so(shared: Desk) -> None:
    with pcsc.PcscLink("Unplugged 00 00", Worker(pcsc.WORKER, env=shared.daemon.env)) as link:
        began = time.monotonic()
        assert link.connect(0.4).outcome is Outcome.GONE
        assert time.monotonic() - began >= 0.4
        assert "not attached" in link.last_error and "0x80100009" in link.last_error


def test_connect_waits_for_a_reader_that_appears_later() -> None:
    daemon = PrivatePcscd(1, name="Late")
    with daemon, presented(ToyCard(), daemon.ports[0], settle_s=0):
        daemon.stop()
        with pcsc.PcscLink(daemon.readers[0], Worker(pcsc.WORKER, env=daemon.env)) as link:
            starter = threading.Timer(0.3, daemon.start)
            starter.start()
            assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
            starter.join()


def test_connect_waits_for_a_card_that_comes_later(shared: Desk) -> None:
    with shared.link(1) as link:
        outcome: list[Outcome] = []
        thread = threading.Thread(target=lambda: outcome.append(link.connect(LIMIT_S).outcome))
        thread.start()
        with presented(ToyCard(), shared.daemon.ports[1]):
            thread.join()
        assert outcome == [Outcome.REPLIED]


def test_reset_and_reconnect_power_the_card_again(shared: Desk) -> None:
    card = shared.card
    with shared.connected() as link:
        link.attempt(SELECT, LIMIT_S)
        before = card.powered
        assert link.reset(LIMIT_S).reply == ATR_T1
        assert card.powered > before and not card.selected
        link.disconnect()
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
        assert link.reset(LIMIT_S).reply == ATR_T1  # without a connection it makes one


def test_reset_by_another_program_is_gone_with_that_reason(shared: Desk) -> None:
    with shared.connected() as link, shared.connected() as other:
        assert other.reset(LIMIT_S).outcome is Outcome.REPLIED
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
        assert "another program reset the card" in link.last_error and "0x80100068" in link.last_error
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


EXCLUSIVE = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
code, card, _ = scard.SCardConnect(context, sys.argv[1], scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_T1)
print(code, flush=True)
sys.stdin.read()
"""


def test_exclusive_use_by_another_program_is_timed_out_with_that_reason(shared: Desk) -> None:
    with shared.connected():
        pass  # the card is in the reader now
    command = [sys.executable, "-c", EXCLUSIVE, shared.daemon.readers[0]]
    with (
        subprocess.Popen(command, env=shared.daemon.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
        shared.link() as link,
    ):
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"0\n"
        assert link.connect(0.2).outcome is Outcome.TIMED_OUT
        assert "exclusively" in link.last_error
        other.stdin.close()
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED


TRANSACTION = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
_, card, _ = scard.SCardConnect(context, sys.argv[1], scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
print(scard.SCardBeginTransaction(card), flush=True)
sys.stdin.read()
scard.SCardEndTransaction(card, scard.SCARD_LEAVE_CARD)
"""


def test_transaction_of_another_program_is_timed_out_and_the_next_connect_works(own: Desk) -> None:
    command = [sys.executable, "-c", TRANSACTION, own.daemon.readers[0]]
    with own.connected() as link, subprocess.Popen(
        command, env=own.daemon.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"0\n"
        assert link.attempt(READ, 0.3).outcome is Outcome.TIMED_OUT
        other.stdin.close()
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED, link.last_error


def test_service_that_stops_is_gone_and_a_new_one_is_found_again(own: Desk) -> None:
    with own.connected() as link:
        own.daemon.stop()
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.GONE
        assert "start it" in link.last_error
        assert link.connect(0.1).outcome is Outcome.GONE
        assert "pcscd --foreground" in link.last_error
        own.daemon.start()
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).outcome is Outcome.REPLIED


def test_service_killed_under_a_command_is_gone_at_once(own: Desk) -> None:
    with own.connected() as link:
        killer = threading.Thread(target=lambda: (own.card.hanging.wait(), own.daemon.kill()))
        killer.start()
        began = time.monotonic()
        assert link.attempt(HANG, LIMIT_S).outcome is Outcome.GONE
        assert time.monotonic() - began < AT_ONCE_S
        own.card.released.set()
        killer.join()
