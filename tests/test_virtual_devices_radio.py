"""Link models of the air: what takes its time, what is taken away, and that a taken-away phone has ended its session."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.checks import Unfit
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.link import RESET, Outcome, Work, connect
from virtual_devices.network import Delay
from virtual_devices.radio import (
    Bluetooth,
    BluetoothLink,
    BluetoothMedium,
    Camera,
    Field,
    FieldLink,
    FieldMedium,
    PhoneWork,
    ScreenLink,
)
from virtual_devices.wallet.faces import SCAN, Screen

STILL = Delay(0.0, 0.0)


class Echo:
    """Answers with what it was sent; ``off``: how often its power went."""

    atr = b"atr"

    def __init__(self) -> None:
        self.work = Work()
        self.off = 0

    def power_on(self) -> bytes:
        return b"atr"

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self.work.signatures += 1
        return request

    def power_off(self) -> None:
        self.off += 1


def taps(model: Field, count: int, size: int = 500) -> tuple[int, Echo]:
    """How many taps of three messages came through."""
    whole, device = 0, Echo()
    for number in range(count):
        clock = VirtualClock(0)
        link = FieldLink(device, model, Random(number), clock)
        outcomes = []
        for message in (RESET, *[b"x" * size] * 3):
            attempt = link.attempt(message, 10.0)
            clock.advance_to(clock.now_ns() + attempt.duration_ns)
            outcomes.append(attempt.outcome)
        whole += outcomes == [Outcome.REPLIED] * 4
    return whole, device


def test_share_of_phones_is_taken_away_and_loses_power() -> None:
    whole, device = taps(Field(taken_away=0.5, held_ms=400.0, found=Delay(200.0, 200.0)), 400)
    assert 150 < whole < 250 and device.off >= 400 - whole
    assert taps(Field(taken_away=0.0), 50)[0] == 50
    assert taps(Field(taken_away=1.0, held_ms=0.0), 20)[0] == 0


def test_phone_that_is_away_stays_away_until_it_is_brought_again() -> None:
    clock, device = VirtualClock(0), Echo()
    link = FieldLink(device, Field(taken_away=1.0, held_ms=0.001, found=STILL, command=STILL), Random(1), clock)
    assert link.attempt(RESET, 10.0).outcome is Outcome.GONE
    clock.advance_to(NS)
    assert [link.attempt(b"x", 10.0).outcome for _ in range(3)] == [Outcome.GONE] * 3 and device.work.signatures == 0


@given(st.integers(1, 60_000), st.integers(1, 60_000), st.sampled_from([106.0, 212.0, 424.0, 848.0]))
def test_more_bytes_never_take_less_time_and_a_faster_field_not_more(size: int, more: int, kbit_s: float) -> None:
    def carry(model: Field, count: int) -> int:
        found = FieldMedium(model, Random(0)).carry(0, count)
        assert found is not None
        return found

    model = Field(command=STILL, kbit_s=kbit_s)
    assert carry(model, size) <= carry(model, size + more)
    assert carry(model, size) <= carry(Field(command=STILL, kbit_s=106.0), size)


def test_field_takes_as_long_as_its_bits_and_blocks() -> None:
    medium = FieldMedium(Field(command=STILL, kbit_s=106.0, block_ms=1.0), Random(0))
    bits = (512 + 2 * 4) * 9
    assert medium.carry(0, 512) == pytest.approx((bits / 106.0 + 2.0) * 1e6, abs=2)
    work = Work(signatures=1, verifications=2, chains=3, written_bytes=65)
    assert PhoneWork(10, 1, 2, 0.5).ns(work) == round((10 + 2 + 6 + 1) * 1e6) == FieldMedium(
        Field(phone=PhoneWork(10, 1, 2, 0.5)), Random(0)).device_ns(work, reset=False)


def test_bluetooth_takes_intervals_and_may_break_off() -> None:
    medium = BluetoothMedium(Bluetooth(interval_ms=30.0, packets_per_interval=1), Random(0))
    short, long = medium.carry(0, 20), medium.carry(0, 20_000)
    assert short is not None and long is not None and short < 30 * 10**6 < long
    device = Echo()
    link = BluetoothLink(device, Bluetooth(lost=1.0, connected=STILL), Random(0), VirtualClock(0))
    assert link.attempt(RESET, 10.0).outcome is Outcome.REPLIED
    assert link.attempt(b"x", 10.0).outcome is Outcome.GONE and device.off == 1


def test_bluetooth_charges_the_connection_when_it_is_made() -> None:
    """Once a session, when the reader's flow reaches for the phone: from the engagement to known services."""
    model = Bluetooth(interval_ms=1e-6, connected=Delay(900.0, 901.0), lost=0.0)
    link = BluetoothLink(Echo(), model, Random(0), VirtualClock(0))
    assert connect(link, b"engagement", 10.0).duration_ns == pytest.approx(900e6, rel=0.01)
    asked = link.attempt(b"x", 10.0)
    assert asked.duration_ns < 100e6 and 0 <= asked.sent_ns < asked.duration_ns


def test_screen_is_read_or_not_within_the_time() -> None:
    screen, clock = Screen(), VirtualClock(0)
    link = ScreenLink(screen, Camera(failed=0.0), Random(0), clock)
    assert link.attempt(SCAN, 10.0).outcome is Outcome.TIMED_OUT  # nothing is shown
    screen.text = "mdoc:abc"
    assert link.attempt(SCAN, 30.0).reply == b"mdoc:abc"
    blind = ScreenLink(screen, Camera(failed=1.0), Random(0), clock)
    attempt = blind.attempt(SCAN, 10.0)
    assert (attempt.outcome, attempt.duration_ns) == (Outcome.TIMED_OUT, 10 * NS)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(Field, {"taken_away": 1.1}), (Field, {"kbit_s": 0}), (Field, {"block_ms": -1}), (Bluetooth, {"mtu": 22}),
     (Bluetooth, {"interval_ms": 0}), (Bluetooth, {"packets_per_interval": 0}), (Camera, {"failed": -0.1}),
     (PhoneWork, {"signature_ms": -1})],
)
def test_figures_that_cannot_be_are_refused_by_name(kind: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(Unfit, match=next(iter(wrong))):
        kind(**wrong)


def test_same_seed_is_the_same_tap() -> None:
    drawn = [
        [link.attempt(m, 10.0) for m in (RESET, b"a" * 300)]
        for link in (FieldLink(Echo(), Field(), Random(7), VirtualClock(0)) for _ in range(2))
    ]
    assert drawn[0] == drawn[1]
