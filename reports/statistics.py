"""Estimates with intervals, from the standard library alone.

Two situations, never mixed:

* several replications: each replication gives one number, and Student's t over those numbers gives the interval;
* one replication: the interval of a percentile comes from order statistics (the number of samples below a percentile is
  binomial), and a mean has no interval at all, because samples of one replication depend on each other.

Where the samples do not carry an interval there is none: :class:`Basis` says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

CONFIDENCE = 0.95


class Basis(Enum):
    """What an estimate's interval rests on, or why there is none."""

    OVER_REPLICATIONS = "t"  # Student's t over the replications' numbers
    ORDER_STATISTICS = "order"  # binomial order statistics inside one replication
    SCORE = "score"  # Wilson's score interval for a share inside one replication
    NO_SPREAD = "no spread"  # every replication gave the same number: no interval can be read from that
    ONE_REPLICATION = "one replication"  # a mean inside one replication: the samples depend on each other
    CUT_SHORT = "cut short"  # the replication did not come to its end: what it would have given is not known
    TOO_FEW = "too few"  # too few samples for this percentile
    NOTHING = "nothing"  # no sample at all


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval. ``value`` is None when there was no sample; ``n`` counts all samples behind it."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    basis: Basis


NOTHING = Estimate(None, None, None, 0, Basis.NOTHING)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1), tiny)
    result = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d, tiny)
            c = _away_from_zero(1.0 + term / c, tiny)
            result *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return result


def _away_from_zero(x: float, tiny: float) -> float:
    return tiny if abs(x) < tiny else x


def student_t_cdf(t: float, freedom: float) -> float:
    """P(T <= t) for Student's t with ``freedom`` degrees of freedom."""
    tail = 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))
    return 1.0 - tail if t > 0 else tail


def student_t_quantile(p: float, freedom: float) -> float:
    """The t with P(T <= t) = p, by bisection. ValueError when p is not inside (0, 1)."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile needs a probability inside (0, 1), not {p}")
    if p < 0.5:
        return -student_t_quantile(1.0 - p, freedom)
    low, high = 0.0, 1.0
    while student_t_cdf(high, freedom) < p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_t_cdf(middle, freedom) < p else (low, middle)
    return (low + high) / 2


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(B <= k) for B binomial(n, p)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else incomplete_beta(n - k, k + 1, 1.0 - p)


def percentile_ranks(n: int, p: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks (from 1) of the two ordered samples between which the p-percentile lies, or None when n is too small.

    The lower is the largest l with P(B < l) <= a/2, the upper the smallest u with P(B >= u) <= a/2, B binomial(n, p).
    """
    half = (1.0 - confidence) / 2
    lower = _first(n, lambda k: binomial_cdf(k, n, p) > half)
    upper = _first(n, lambda k: binomial_cdf(k, n, p) >= 1.0 - half) + 1
    return (lower, upper) if lower >= 1 and upper <= n else None


def _first(n: int, holds: Callable[[int], bool]) -> int:
    """The smallest k in 0..n for which a monotone condition holds (n when none does)."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def rank_of(n: int, p: float) -> int:
    """Rank (from 1) of the p-percentile among n ordered samples: the smallest with at least a share p at or below it."""
    return max(1, math.ceil(round(n * p, 9)))


def enough_for(p: float) -> int:
    """Fewest samples in a replication for its p-percentile to be more than its largest sample: 1 / (1 - p)."""
    return math.ceil(round(1.0 / (1.0 - p), 9))


def over_replications(numbers: Sequence[float], n: int, *, floor: float = 0.0, ceiling: float = math.inf,
                      confidence: float = CONFIDENCE) -> Estimate:
    """The mean of the replications' numbers with its t interval, kept inside what the quantity can be."""
    count = len(numbers)
    if count == 0:
        return NOTHING
    mean = math.fsum(numbers) / count
    if count == 1:
        return Estimate(mean, None, None, n, Basis.ONE_REPLICATION)
    variance = math.fsum((x - mean) ** 2 for x in numbers) / (count - 1)
    if min(numbers) == max(numbers):
        return Estimate(numbers[0], None, None, n, Basis.NO_SPREAD)
    half = student_t_quantile(0.5 + confidence / 2, count - 1) * math.sqrt(variance / count)
    return Estimate(mean, max(floor, mean - half), min(ceiling, mean + half), n, Basis.OVER_REPLICATIONS)


def wilson(hits: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share with Wilson's score interval (E. B. Wilson, 1927)."""
    if n == 0:
        return NOTHING
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, z2 = hits / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n, Basis.SCORE)


def share(hits_and_counts: Sequence[tuple[int, int]]) -> Estimate:
    """A share over replications, each given as (hits, count): t over several, Wilson within one."""
    used = [(h, c) for h, c in hits_and_counts if c]
    if len(used) == 1:
        return wilson(*used[0])
    return over_replications([h / c for h, c in used], sum(c for _, c in used), ceiling=1.0)
