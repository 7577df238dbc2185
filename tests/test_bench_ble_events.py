"""What goes wrong on Bluetooth LE, and how it looks: every try ends within its limit, with a remedy, and nothing stays."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bench.drivers import ble
from bench.drivers.ble import BleLink
from bench.stacks.air import Weather
from bench.stacks.bluez import PrivateBluetooth
from bench.worker import START_S
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome
from virtual_devices.mdoc import engagement
from virtual_devices.mdoc.ble_gatt import Mode
from virtual_devices.mdoc.session import TERMINATION

from .ble_desk import LIMIT_S, Presented, Toy, presented_toy, toy_engagement
from .processes import children, no_more_than, open_files, there, wait_until

pytestmark = pytest.mark.needs("dbus")
SHORT_S = 0.5
LONG = bytes(40_000)
CUT = Weather(cut=0.1)
"""Of some 160 messages of the link, there and back: sooner or later."""
BOTH = pytest.mark.parametrize("spec", ["", "bumble"])


@pytest.fixture(scope="module")
def bluetooth() -> Iterator[PrivateBluetooth]:
    with PrivateBluetooth() as made:
        yield made


@pytest.fixture(scope="module")
def links(bluetooth: PrivateBluetooth) -> Iterator[Callable[[str], BleLink]]:
    """A link that every test may use, by its kind: a worker takes long to start."""
    made: dict[str, BleLink] = {}

    def link(spec: str) -> BleLink:
        if spec not in made:
            made[spec] = ble.open(f"bumble:{bluetooth.transport}" if spec else "hci0", env=bluetooth.env)
        made[spec].disconnect()
        return made[spec]

    yield link
    for each in made.values():
        each.close()


@pytest.fixture
def toy(bluetooth: PrivateBluetooth) -> Iterator[Presented]:
    shown = toy_engagement()
    with Presented(Toy(), bluetooth.transport, lambda: shown) as presented:
        yield presented
        presented.device.released.set()  # type: ignore[attr-defined]


def meet(link: BleLink, presented: Presented) -> BleLink:
    attempt = link.connect_to(presented.next().raw, LIMIT_S)
    assert (attempt.outcome, attempt.reply) == (Outcome.REPLIED, b""), link.last_error
    return link


def failed(link: BleLink, attempt: Attempt, outcome: Outcome, says: str) -> None:
    """So, for this reason, with what to do; then nothing works before the next connect."""
    assert (attempt.outcome, says in link.last_error) == (outcome, True), (attempt, link.last_error)
    assert "again" in link.last_error or ":" in link.last_error
    again = link.attempt(b"x", LIMIT_S)
    assert (again.outcome, again.duration_ns) == (Outcome.GONE, 0)


@BOTH
def test_messages_of_every_length_come_back_whole(links: Callable[[str], BleLink], toy: Presented, spec: str) -> None:
    link = meet(links(spec), toy)
    for size in (1, 511, 512, 9_000):
        message = bytes(n % 251 for n in range(size))
        attempt = link.attempt(message, LIMIT_S)
        assert attempt.reply == message and 0 < attempt.sent_ns < attempt.duration_ns and link.mtu == 515, size
    assert link.attempt(bytes(65_537), LIMIT_S).outcome is Outcome.GONE and "65536" in link.last_error


@BOTH
def test_one_way_messages_and_the_session_s_last(links: Callable[[str], BleLink], toy: Presented, spec: str) -> None:
    link = meet(links(spec), toy)
    assert link.send(b"one").reply == b"" and link.receive(LIMIT_S).reply == b"one"
    assert link.attempt(TERMINATION, LIMIT_S).reply == b""
    after = link.attempt(b"x", LIMIT_S)
    assert after.outcome is Outcome.GONE and link.last_error


@BOTH
def test_connection_that_breaks_off_is_gone_at_once_and_can_be_made_again(
    bluetooth: PrivateBluetooth, links: Callable[[str], BleLink], toy: Presented, spec: str,
) -> None:
    link = meet(links(spec), toy)
    assert link.attempt(b"x", LIMIT_S).reply == b"x"
    bluetooth.cut()
    failed(link, link.attempt(b"y", LIMIT_S), Outcome.GONE, "broke off")
    assert meet(link, toy).attempt(b"z", LIMIT_S).reply == b"z"
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED  # to the last engagement


@BOTH
def test_connection_cut_in_the_middle_of_a_message(
    bluetooth: PrivateBluetooth, links: Callable[[str], BleLink], toy: Presented, spec: str,
) -> None:
    link = meet(links(spec), toy)
    assert wait_until(lambda: "a reader has connected" in toy.said, LIMIT_S)  # else its first word may be what is cut
    bluetooth.weather(CUT)
    try:
        failed(link, link.attempt(LONG, LIMIT_S), Outcome.GONE, "broke off")
    finally:
        bluetooth.weather(Weather())
    assert meet(link, toy).attempt(b"z", LIMIT_S).reply == b"z"


@BOTH
def test_connections_that_are_cut_leave_nothing_open(
    bluetooth: PrivateBluetooth, links: Callable[[str], BleLink], toy: Presented, spec: str,
) -> None:
    link, held = links(spec), []
    for _ in range(4):
        meet(link, toy)
        bluetooth.cut()
        failed(link, link.attempt(b"x", LIMIT_S), Outcome.GONE, "broke off")
        assert link.worker_pid is not None
        held.append(open_files(link.worker_pid))
    assert len(set(held[1:])) == 1, held  # the first opens what the process keeps


@BOTH
def test_phone_that_says_nothing_is_timed_out_and_met_again(
    links: Callable[[str], BleLink], toy: Presented, spec: str,
) -> None:
    link, began = meet(links(spec), toy), time.monotonic()
    failed(link, link.attempt(b"hang", SHORT_S), Outcome.TIMED_OUT, "says nothing")
    assert SHORT_S <= time.monotonic() - began < LIMIT_S
    toy.device.released.set()  # type: ignore[attr-defined]
    assert meet(link, toy).attempt(b"z", LIMIT_S).reply == b"z"


@BOTH
def test_nobody_there_ends_at_the_limit_and_says_what_to_look_at(
    bluetooth: PrivateBluetooth, links: Callable[[str], BleLink], spec: str,
) -> None:
    link = links(spec)
    failed(link, link.connect_to(toy_engagement().raw, SHORT_S), Outcome.TIMED_OUT, "nobody advertises")


def test_killed_phone_is_gone(bluetooth: PrivateBluetooth, links: Callable[[str], BleLink]) -> None:
    link = links("")
    with presented_toy(bluetooth.transport) as (child, shown):
        assert link.connect_to(shown.raw, LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        killer = threading.Timer(0.1, child.kill)
        killer.start()
        failed(link, link.attempt(b"hang", LIMIT_S), Outcome.GONE, "broke off")
        killer.join()


def test_killed_worker_is_gone_and_the_next_one_connects(links: Callable[[str], BleLink], toy: Presented) -> None:
    link = meet(links(""), toy)
    killed = link.worker_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    failed(link, link.attempt(b"x", LIMIT_S), Outcome.GONE, "worker failed")
    nobody = link.connect_to(toy_engagement().raw, SHORT_S)  # what the start takes is added to the limit, and no more
    failed(link, nobody, Outcome.TIMED_OUT, "nobody advertises")
    assert SHORT_S * 0.9e9 < nobody.duration_ns < (SHORT_S + START_S / 2) * 1e9
    assert meet(link, toy).attempt(b"z", LIMIT_S).reply == b"z" and killed not in children()


def test_mode_that_bleak_cannot_is_refused_with_the_way_that_can(links: Callable[[str], BleLink]) -> None:
    link = links("")
    failed(link, link.connect_to(toy_engagement(Mode.CENTRAL_CLIENT).raw, LIMIT_S), Outcome.GONE, "ble:bumble:usb:0")
    failed(link, link.connect_to(b"\xa0", LIMIT_S), Outcome.GONE, "no engagement")
    other = engagement.read(toy_engagement().raw)
    failed(link, link.connect_to(engagement.with_methods(other, []), LIMIT_S), Outcome.GONE, "no Bluetooth")


def test_adapter_switched_off_or_taken_out_and_service_and_bus_that_end(toy: Presented) -> None:
    with PrivateBluetooth() as own, ble.open("", env=own.env) as link:
        assert [found.moniker for found in ble.discover(env=own.env)] == ["ble:hci0"]
        with pytest.raises(LinkError, match="there is hci0"):
            ble.open("hci1", env=own.env)
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
        own.power(False)
        failed(link, link.connect(SHORT_S), Outcome.GONE, "switched off")
        with pytest.raises(LinkError, match="bluetoothctl power on"):
            ble.open("", env=own.env)
        own.unplug()
        failed(link, link.connect(SHORT_S), Outcome.GONE, "no Bluetooth adapter")
        back = threading.Timer(0.2, own.plug)
        back.start()
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED  # it waits
        back.join()
        shown = toy_engagement()
        with Presented(Toy(), own.transport, lambda: shown) as there:
            assert meet(link, there).attempt(b"x", LIMIT_S).reply == b"x"
            own.kill()
            failed(link, link.attempt(b"x", LIMIT_S), Outcome.GONE, "")
            failed(link, link.connect(SHORT_S), Outcome.GONE, "systemctl start bluetooth")
            own.start()
            assert meet(link, there).attempt(b"x", LIMIT_S).reply == b"x"  # the phone has found its controller again, too
            own.bus.kill()
            failed(link, link.attempt(b"x", LIMIT_S), Outcome.GONE, "")
            failed(link, link.connect(SHORT_S), Outcome.GONE, "D-Bus")
            with pytest.raises(LinkError, match="D-Bus"):
                ble.discover(env=own.env)


def test_wrong_monikers_teach(bluetooth: PrivateBluetooth) -> None:
    for wrong in ("bumble:", "hci:0", "12:34"):
        with pytest.raises(UsageError, match="bumble"):
            ble.open(wrong, env=bluetooth.env)
    with ble.open("bumble:unix:/nowhere", env=bluetooth.env) as link:
        assert link.connect(LIMIT_S).outcome is Outcome.GONE and "Does the program" in link.last_error


def test_closed_link_leaves_nothing(bluetooth: PrivateBluetooth, toy: Presented) -> None:
    assert wait_until(lambda: not toy.shown.empty(), LIMIT_S)  # its controller is open
    before = there()
    link = ble.open("", env=bluetooth.env)
    meet(link, toy)
    link.close()
    link.close()
    assert link.worker_pid is None and link.attempt(b"x", 1.0).outcome is Outcome.GONE
    assert wait_until(lambda: no_more_than(before), LIMIT_S)


def test_presenter_whose_controller_has_gone_leaves_no_task_behind() -> None:
    with PrivateBluetooth() as own:
        with Presented(Toy(), own.transport, toy_engagement) as there:
            there.next()
            own.kill()
            assert wait_until(lambda: any("has gone" in said for said in there.said))
        assert asyncio.all_tasks(there.loop) == set()
