"""Link models: what they draw, what they lose, and what the asker then experiences."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import quantiles

import pytest

from scenarios.files import dump, load, restore
from virtual_devices.clock import NS, VirtualClock
from virtual_devices.link import Outcome, Work
from virtual_devices.network import (
    LINES,
    BurstyLoss,
    Contact,
    ContactMedium,
    Delay,
    IndependentLoss,
    Line,
    LossState,
    ModelledLink,
    Network,
)


class Echo:
    """A device that answers what it was asked, and counts."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def power_on(self) -> bytes:
        return b"on"

    def handle(self, request: bytes, now_ns: int) -> bytes:
        self.heard.append(request)
        return request

    def power_off(self) -> None:
        return


class Way:
    """A medium that does as it is told: the times of the ways to come, None for a loss."""

    channel = "network"

    def __init__(self, *ways: int | None, device_ns: int = 0) -> None:
        self._ways = list(ways)
        self._device_ns = device_ns

    def carry(self, at_ns: int, size_bytes: int) -> int | None:
        return self._ways.pop(0)

    def device_ns(self, work: Work, reset: bool) -> int:
        return self._device_ns


@pytest.mark.parametrize(
    ("ways", "outcome", "duration_ns", "heard"),
    [
        ((10, 20), Outcome.REPLIED, 35, 1),
        ((None,), Outcome.REQUEST_LOST, NS, 0),
        ((10, None), Outcome.REPLY_LOST, NS, 1),
        ((10, NS), Outcome.TIMED_OUT, NS, 1),
    ],
)
def test_attempt_ends_as_the_ways_say(ways: tuple[int | None, ...], outcome: Outcome, duration_ns: int, heard: int) -> None:
    device = Echo()
    attempt = ModelledLink(device, Way(*ways, device_ns=5), VirtualClock(0)).attempt(b"hi", 1.0)
    assert (attempt.outcome, attempt.duration_ns, len(device.heard)) == (outcome, duration_ns, heard)
    assert outcome.silent == (outcome is not Outcome.REPLIED)


def test_delay_has_its_median_and_its_95th_percentile() -> None:
    rng = Random(1)
    drawn = [Delay(20, 60).draw_ns(rng) / 1e6 for _ in range(20_000)]
    cuts = quantiles(drawn, n=20)
    assert cuts[9] == pytest.approx(20, rel=0.03)
    assert cuts[18] == pytest.approx(60, rel=0.04)


def test_constant_delay_draws_nothing() -> None:
    rng = Random(1)
    before = rng.getstate()
    assert Delay(7, 7).draw_ns(rng) == 7_000_000
    assert rng.getstate() == before


def test_independent_loss_is_its_share() -> None:
    state = LossState(IndependentLoss(share=0.2), Random(2))
    lost = sum(state.lost(i) for i in range(20_000))
    assert lost / 20_000 == pytest.approx(0.2, abs=0.01)


def test_bursty_loss_has_the_same_mean_and_comes_together() -> None:
    """Same share as an independent line in the long run, but losses follow each other."""
    model = BurstyLoss(good_s=90, bad_s=10, share_good=0.0, share_bad=0.5)
    state = LossState(model, Random(3))
    lost = [state.lost(i * NS) for i in range(200_000)]
    share = sum(lost) / len(lost)
    after_loss = [b for a, b in pairwise(lost) if a]
    assert share == pytest.approx(0.05, rel=0.1)
    assert sum(after_loss) / len(after_loss) > 0.4


def test_loss_state_takes_an_earlier_moment_as_now() -> None:
    """Answers on their way look ahead of other patients' questions; the line does not go back in time for them."""
    state = LossState(BurstyLoss(good_s=1, bad_s=1, share_good=0, share_bad=1), Random(4))
    moments = [state.lost(at_s * NS) for at_s in range(40)]
    assert set(moments) == {True, False}
    now = state.lost(40 * NS)
    assert state.lost(3 * NS) == now  # asked of long ago, it answers as it is


def test_line_charges_bandwidth() -> None:
    line = Line(Network(one_way=Delay(0, 0), bandwidth_kbit_s=1000), Random(5))
    assert line.carry(0, 125) == 1_000_000  # 1,000 bits at 1 Mbit/s


def test_contact_prices_the_chips_work() -> None:
    model = Contact(signature_ms=60, verification_ms=70, chain_ms=150, mac_ms=4, write_ms_per_64_bytes=3)
    assert model.work_ns(Work(signatures=1, verifications=2, chains=1, macs=1, written_bytes=65)) == 360_000_000
    assert ContactMedium(model, Random(1)).device_ns(Work(), reset=True) == 45_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Delay(10, 5), lambda: Delay(-1, 5), lambda: IndependentLoss(share=1.1), lambda: BurstyLoss(bad_s=0),
        lambda: BurstyLoss(share_bad=2), lambda: Network(bandwidth_kbit_s=0), lambda: Contact(reset_ms=-1),
    ],
)
def test_model_that_cannot_be_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"must|share"):
        wrong()


def test_class_of_lines_gives_what_a_file_leaves_out(tmp_path: Path) -> None:
    file = tmp_path / "mobile.toml"
    file.write_text(
        'situation = "clinic_morning"\ntitle = "Mobile"\n[network]\nline = "mobile"\nbandwidth_kbit_s = 800\n', encoding="utf-8"
    )
    scenario = load(file)
    assert scenario.network == replace(LINES["mobile"], bandwidth_kbit_s=800)
    assert restore(dump(scenario)) == scenario
