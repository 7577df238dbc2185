"""Fitted link models give back the distributions that the samples were drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import fmean, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import fitting
from virtual_devices.link import Work
from virtual_devices.network import Contact, ContactMedium, Delay
from virtual_devices.radio import Bluetooth, BluetoothMedium, Camera, Field, FieldMedium
from virtual_devices.trace import ExchangeRow

from .run_directories import EXCHANGE

WORK = Work(signatures=1, verifications=1, chains=1)
COMMANDS = (("engage by NFC", 13, 2), ("engage by NFC", 7, 2), ("engage by NFC", 5, 17), ("engage by NFC", 5, 230),
            ("retrieve over NFC", 13, 2))
ASKED = ("present virtual card", 900, 1800)


def rows(medium: FieldMedium | BluetoothMedium | ContactMedium, steps: Sequence[tuple[str, int, int]], sessions: int,
         role: str = "wallet") -> list[ExchangeRow]:
    """Exchanges whose times the medium draws."""
    made = []
    for number in range(sessions):
        for step, request, reply in steps:
            worked = WORK if step == ASKED[0] else Work()
            there, back = medium.carry(0, request), medium.carry(0, reply)
            assert there is not None and back is not None
            made.append(replace(
                EXCHANGE, role=role, session=f"s{number}", step=step, request=bytes.fromhex("00c3"), request_bytes=request,
                reply_bytes=reply, duration_ns=there + back + medium.device_ns(worked, not request),
            ))
    return made


def alike(mine: Delay, truth: Delay, error: float = 0.10) -> None:
    assert mine.median_ms == pytest.approx(truth.median_ms, rel=error)
    assert mine.p95_ms == pytest.approx(truth.p95_ms, rel=error)


def test_field_is_given_back() -> None:
    truth = Field(block_ms=0.0)
    steps = [("find phone", 0, 13), *COMMANDS, ASKED]
    fitted = fitting.field(rows(FieldMedium(truth, Random(1)), steps, 400), WORK, 0.06)
    alike(fitted.found, truth.found)
    alike(fitted.command, truth.command)
    assert fitted.kbit_s == pytest.approx(106, rel=0.05)
    assert fitted.taken_away == 0.06
    assert fitted.phone.signature_ms == pytest.approx(12, abs=0.05 * 2700 * 9 / 106)  # the bit rate's error, over the long answer


def test_durations_of_the_fitted_field_are_those_of_the_model() -> None:
    """With the block times of the model, which the fit has in the command and the bit rate."""
    truth = Field()
    steps = [("find phone", 0, 13), *COMMANDS, ASKED]
    seen = rows(FieldMedium(truth, Random(1)), steps, 1500)
    again = rows(FieldMedium(fitting.field(seen, WORK, 0.0), Random(2)), steps, 1500)
    for step in ("find phone", "engage by NFC", ASKED[0]):
        was, now = ([row.duration_ns for row in some if row.step == step] for some in (seen, again))
        for cut in (9, 18):  # median and 95th percentile
            assert quantiles(now, n=20)[cut] == pytest.approx(quantiles(was, n=20)[cut], rel=0.08), (step, cut)


def test_bluetooth_is_given_back() -> None:
    truth = Bluetooth()
    fitted = fitting.bluetooth(rows(BluetoothMedium(truth, Random(1)), [("connect", 0, 0), ASKED], 400), WORK, 0.01)
    alike(fitted.connected, truth.connected)
    assert fitted.phone.signature_ms == pytest.approx(12, abs=2)


@pytest.mark.parametrize("interval_ms", [3.0, 7.5, 15.0, 30.0, 60.0])
def test_answers_over_the_fitted_bluetooth_take_as_long_as_they_did(interval_ms: float) -> None:
    steps = [("connect", 0, 0), ASKED]
    seen = rows(BluetoothMedium(Bluetooth(interval_ms=interval_ms), Random(1)), steps, 400)
    fitted = fitting.bluetooth(seen, WORK, 0.01)
    again = rows(BluetoothMedium(fitted, Random(2)), steps, 400)
    took, takes = ([fmean(row.duration_ns for row in each if row.step == step) for step, *_ in steps] for each in (seen, again))
    assert takes == pytest.approx(took, rel=0.1) and fitted.interval_ms <= 30


def test_camera_is_given_back_with_its_failures() -> None:
    truth, rng = Camera(), Random(1)
    scan = replace(EXCHANGE, role="screen", step="scan QR code")
    seen = [
        replace(scan, duration_ns=(truth.read.draw_ns(rng) + truth.read.draw_ns(rng)) // 2,
                outcome="timed_out" if rng.random() < 0.03 else "replied")
        for _ in range(800)
    ]
    fitted = fitting.camera(seen)
    alike(fitted.read, truth.read)
    assert fitted.failed == pytest.approx(0.03, abs=0.02)


def test_contact_is_given_back() -> None:
    truth = Contact()
    steps = [("power on", 0, 20), ("read basic data", 21, 2), ("read basic data", 7, 59)]
    seen = rows(ContactMedium(truth, Random(1)), steps, 400, "card")
    fitted = fitting.contact(seen)
    alike(fitted.command, truth.command)
    assert fitted.byte_us == pytest.approx(truth.byte_us, rel=0.1)
    assert fitted.reset_ms == pytest.approx(truth.reset_ms, rel=0.05)


@given(st.floats(0, 1e5), st.floats(0, 1e9))
def test_delay_has_the_mean_that_it_was_made_of(mean: float, variance: float) -> None:
    made = fitting.delay(mean, variance)
    assert 0 <= made.median_ms <= made.p95_ms or made.p95_ms == pytest.approx(made.median_ms)
    assert made.median_ms <= mean * (1 + 1e-9)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**10)), min_size=2, max_size=40))
def test_turnaround_never_says_that_bytes_take_less_than_no_time(samples: list[tuple[int, int]]) -> None:
    found = fitting.turnaround([u for u, _ in samples], [ns for _, ns in samples])
    assert found.per_unit_ms >= 0 and found.mean_ms >= -1e-6 and found.variance_ms2 >= 0


def test_too_few_samples_are_refused() -> None:
    for fit in (lambda: fitting.field([], WORK, 0), lambda: fitting.bluetooth([], WORK, 0), lambda: fitting.camera([]),
                lambda: fitting.contact([])):
        with pytest.raises(fitting.TooFew):
            fit()
