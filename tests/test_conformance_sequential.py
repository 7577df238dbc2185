"""The sequential test: its risks reckoned exactly and simulated, against its bounds and Wald's formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.sequential import Plan, average, exponent, fails, more
from conformance.verdict import Verdict

PLAN = Plan(0.02, 0.10, 0.05, 0.05, 600)


def exactly(plan: Plan, p: float) -> tuple[float, float, float]:
    """Chance of FAIL, chance of PASS, mean number of presentations at the true share ``p``: over all paths, by dynamic
    programming on (presentations, slower ones)."""
    live = np.zeros(plan.most + 2)
    live[0] = 1.0
    failed = passed = mean = 0.0
    slower = np.arange(plan.most + 2)
    for n in range(1, plan.most + 1):
        mean += live.sum()
        live = live * (1 - p) + np.concatenate(([0.0], live[:-1])) * p
        stands = slower * plan.up + (n - slower) * plan.down
        up, down = stands >= plan.fails_at, stands <= plan.passes_at
        failed, passed = failed + live[up].sum(), passed + live[down].sum()
        live[up | down] = 0.0
    return failed, passed, mean


plans = st.builds(
    lambda p0, factor, alpha, beta, most: Plan(p0, min(0.95, p0 * factor), alpha, beta, most),
    st.floats(0.005, 0.3), st.floats(1.3, 6.0), st.floats(0.005, 0.2), st.floats(0.005, 0.2), st.integers(1, 400),
)


@settings(max_examples=40)
@given(plans)
def test_risks_stay_within_their_bounds(plan: Plan) -> None:
    assert exactly(plan, plan.p0)[0] <= plan.alpha
    assert exactly(plan, plan.p0 / 2)[0] <= plan.alpha
    assert exactly(plan, plan.p1)[1] <= plan.beta
    assert exactly(plan, (1 + plan.p1) / 2)[1] <= plan.beta


@settings(max_examples=20)
@given(plans)
def test_largest_number_takes_nothing_from_the_bounds(plan: Plan) -> None:
    cut = replace(plan, most=max(1, plan.most // 3))
    for p in (plan.p0, plan.p1):
        whole, short = exactly(plan, p), exactly(cut, p)
        assert short[0] <= whole[0] + 1e-12
        assert short[1] <= whole[1] + 1e-12


def test_simulation_says_what_is_reckoned() -> None:
    rng, runs = np.random.default_rng(1), 4000
    for p in (PLAN.p0, 0.05, PLAN.p1):
        slow = np.cumsum(rng.random((runs, PLAN.most)) < p, axis=1)
        n = np.arange(1, PLAN.most + 1)
        stands = slow * PLAN.up + (n - slow) * PLAN.down
        over = (stands >= PLAN.fails_at) | (stands <= PLAN.passes_at)
        end = np.where(over.any(axis=1), over.argmax(axis=1), PLAN.most - 1)
        failed = (stands[np.arange(runs), end] >= PLAN.fails_at).mean()
        reckoned = exactly(PLAN, p)
        assert failed == pytest.approx(reckoned[0], abs=4 * math.sqrt(0.25 / runs))
        assert (end + 1).mean() == pytest.approx(reckoned[2], rel=0.05)


@pytest.mark.parametrize("p", [0.001, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.2])
def test_walds_formulas_are_near_what_is_reckoned(p: float) -> None:
    """They leave out by how much the last step overshoots: a presentation more is worth up to ln(p1/p0)."""
    plan = replace(PLAN, most=4000)
    failed, _, mean = exactly(plan, p)
    assert fails(plan, p) == pytest.approx(failed, abs=0.10)
    assert average(plan, p) == pytest.approx(mean, rel=0.25, abs=2)


def test_walds_exponent_is_one_at_either_end_of_the_zone_and_falls() -> None:
    assert exponent(PLAN, PLAN.p0) == pytest.approx(1.0)
    assert exponent(PLAN, PLAN.p1) == pytest.approx(-1.0)
    assert fails(PLAN, PLAN.p0) <= PLAN.alpha
    assert 1 - fails(PLAN, PLAN.p1) <= PLAN.beta
    shares = np.linspace(0.002, 0.9, 60)
    found = [exponent(PLAN, p) for p in shares]
    assert found == sorted(found, reverse=True)
    for p, h in zip(shares, found, strict=True):
        one = p * (PLAN.p1 / PLAN.p0) ** h + (1 - p) * ((1 - PLAN.p1) / (1 - PLAN.p0)) ** h
        assert one == pytest.approx(1.0, abs=1e-9)


@given(plans, st.integers(0, 30))
def test_number_still_needed_without_slower_ones_is_the_number_to_pass(plan: Plan, n: int) -> None:
    further = more(plan, n, 0)
    if plan.verdict(n, 0) is Verdict.PASS:
        assert further == 0
    else:
        assert plan.verdict(n + further, 0) is Verdict.PASS
        assert plan.verdict(n + further - 1, 0) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("n", "slower"), [(20, 1), (60, 3), (100, 6)])
def test_number_still_needed_is_near_what_is_reckoned_from_there(n: int, slower: int) -> None:
    """From where the test stands: its boundaries are moved there, which is a test of other risks."""
    stands = PLAN.at(n, slower)
    moved = replace(PLAN, alpha=math.exp(stands - PLAN.fails_at), beta=math.exp(PLAN.passes_at - stands), most=4000)
    assert more(PLAN, n, slower) == pytest.approx(exactly(moved, slower / n)[2], rel=0.3)


@given(plans, st.integers(0, 400), st.integers(0, 400))
def test_lines_part_the_plane_as_the_verdict_does(plan: Plan, n: int, slower: int) -> None:
    if slower > n:
        return
    keeps, breaks = plan.lines(n)
    if abs(slower - keeps) < 1e-9 or abs(slower - breaks) < 1e-9:
        return
    expected = Verdict.PASS if slower < keeps else Verdict.FAIL if slower > breaks else Verdict.INCONCLUSIVE
    assert plan.verdict(n, slower) is expected


@pytest.mark.parametrize("wrong", [{"p0": 0.2}, {"p0": 0.0}, {"p1": 1.0}, {"alpha": 0.0}, {"beta": 0.6}, {"most": 0}])
def test_plan_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no sequential plan"):
        replace(PLAN, **wrong)  # type: ignore[arg-type]
