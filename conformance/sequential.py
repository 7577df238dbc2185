"""A sequential test of a share: Wald's sequential probability ratio test of how many presentations are slower than a limit.

Each presentation is slower than the limit or not. Of a device whose share of slower ones is ``p0`` or less, the chance of FAIL
is at most ``alpha``; of one whose share is ``p1`` or more, the chance of PASS at most ``beta``; between the two lies the
indifference zone, where either may come out. After each presentation the logarithm of the likelihood ratio stands

    at or above  ln(1 / alpha)   FAIL
    at or below  ln(beta)        PASS
    between                      one more, up to the largest number; then INCONCLUSIVE, which takes nothing from the bounds

Wald's own boundaries, ln((1 - beta) / alpha) and ln(beta / (1 - alpha)), stop a little earlier and hold alpha + beta only; these
hold each by itself, whatever the overshoot (A. Wald, Sequential Analysis, 1947, 3.2). Presentations are taken as independent of
each other and alike. Numbers still needed are Wald's approximation of the average sample number, from where the test stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from conformance.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Plan:
    """What is settled before the first presentation. ``p0 < p1``: shares, the ends of the indifference zone; ``most``: the
    largest number of presentations."""

    p0: float
    p1: float
    alpha: float
    beta: float
    most: int

    def __post_init__(self) -> None:
        if not (0 < self.p0 < self.p1 < 1 and 0 < self.alpha < 0.5 and 0 < self.beta < 0.5 and self.most > 0):
            raise ValueError(f"no sequential plan: {self}")

    @property
    def fails_at(self) -> float:
        return -math.log(self.alpha)

    @property
    def passes_at(self) -> float:
        return math.log(self.beta)

    @property
    def up(self) -> float:
        """What a slower presentation adds."""
        return math.log(self.p1 / self.p0)

    @property
    def down(self) -> float:
        """What one that is not slower adds: below 0."""
        return math.log((1 - self.p1) / (1 - self.p0))

    def at(self, n: int, slower: int) -> float:
        """Where the test stands after ``n`` presentations, ``slower`` of them slower."""
        return slower * self.up + (n - slower) * self.down

    def verdict(self, n: int, slower: int) -> Verdict:
        """PASS, FAIL, or INCONCLUSIVE as long as it is neither."""
        stands = self.at(n, slower)
        if stands >= self.fails_at:
            return Verdict.FAIL
        return Verdict.PASS if stands <= self.passes_at else Verdict.INCONCLUSIVE

    def lines(self, n: int) -> tuple[float, float]:
        """After ``n`` presentations: PASS at that many slower ones or fewer, FAIL at that many or more."""
        steep = self.up - self.down
        return (self.passes_at - n * self.down) / steep, (self.fails_at - n * self.down) / steep


def more(plan: Plan, n: int, slower: int) -> int:
    """How many presentations further the test goes on on average, when the share is as it was so far: 1 or more; 0 when it has
    decided. Of none slower so far it is the number, without any more slower ones, to PASS."""
    if plan.verdict(n, slower) is not Verdict.INCONCLUSIVE:
        return 0
    stands = plan.at(n, slower)
    return max(1, math.ceil(average(plan, slower / n if n else 0.0, stands)))


def average(plan: Plan, p: float, stands: float = 0.0) -> float:
    """Wald's average sample number at the true share ``p``, from where the test stands (3.57 and 3.58 in the book)."""
    above, below = plan.fails_at - stands, plan.passes_at - stands
    if p <= 0:
        return below / plan.down
    if p >= 1:
        return above / plan.up
    drift = p * plan.up + (1 - p) * plan.down
    h = exponent(plan, p)
    if abs(h) < 1e-6:
        return -above * below / (p * plan.up**2 + (1 - p) * plan.down**2)
    fails = _reaches_above(h, above, below)
    return (fails * above + (1 - fails) * below) / drift


def fails(plan: Plan, p: float) -> float:
    """Wald's approximation of the chance of FAIL at the true share ``p`` (one less the operating characteristic, 3.43)."""
    if p <= 0 or p >= 1:
        return float(p >= 1)
    return _reaches_above(exponent(plan, p), plan.fails_at, plan.passes_at)


def _reaches_above(h: float, above: float, below: float) -> float:
    if abs(h) < 1e-9:
        return -below / (above - below)
    try:
        return math.expm1(h * below) / (math.expm1(h * below) - math.expm1(h * above))
    except OverflowError:
        return 0.0 if h > 0 else 1.0


def exponent(plan: Plan, p: float) -> float:
    """The h, not 0 but where the drift is, with p (p1/p0)^h + (1-p) ((1-p1)/(1-p0))^h = 1: 1 at p0, -1 at p1, falling between."""
    def over(h: float) -> float:
        return p * math.exp(h * plan.up) + (1 - p) * math.exp(h * plan.down) - 1

    drift = p * plan.up + (1 - p) * plan.down
    if abs(drift) < 1e-12:
        return 0.0
    sign = -1.0 if drift > 0 else 1.0  # over() is convex, 0 at 0: its other zero lies against the drift
    near, far = 0.0, sign
    while over(far) < 0 and abs(far) < 1e6:
        near, far = far, far * 2
    for _ in range(80):
        middle = (near + far) / 2
        near, far = (middle, far) if over(middle) < 0 or middle == 0.0 else (near, middle)
    return (near + far) / 2


__all__ = ["Plan", "average", "exponent", "fails", "more"]
