"""Estimates against published values and against their own definition."""

from __future__ import annotations

import math
from random import Random

import pytest

from reports.statistics import (
    Basis,
    binomial_cdf,
    enough_for,
    incomplete_beta,
    over_replications,
    percentile_ranks,
    rank_of,
    share,
    student_t_cdf,
    student_t_quantile,
    wilson,
)


@pytest.mark.parametrize(
    ("p", "freedom", "expected"),
    [  # the usual printed table of Student's t, two-sided 95 % and 99 %
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 4, 2.7764),
        (0.975, 9, 2.2622),
        (0.975, 29, 2.0452),
        (0.975, 1000, 1.9623),
        (0.995, 2, 9.9248),
        (0.995, 10, 3.1693),
        (0.95, 5, 2.0150),
    ],
)
def test_student_t_quantile_is_the_tables(p: float, freedom: int, expected: float) -> None:
    assert student_t_quantile(p, freedom) == pytest.approx(expected, abs=6e-5)
    assert student_t_quantile(1 - p, freedom) == pytest.approx(-expected, abs=6e-5)


def test_student_t_cdf_with_one_degree_is_cauchy() -> None:
    for t in (-8.0, -1.0, 0.0, 0.5, 3.0, 40.0):
        assert student_t_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-12)


def test_student_t_quantile_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="inside"):
        student_t_quantile(1.0, 3)


def test_incomplete_beta_is_the_polynomial_for_whole_numbers() -> None:
    for x in (0.0, 0.1, 0.5, 0.93, 1.0):
        assert incomplete_beta(2, 3, x) == pytest.approx(x * x * (6 - 8 * x + 3 * x * x), abs=1e-12)


def test_binomial_cdf_is_the_sum_of_its_terms() -> None:
    for n, p in ((1, 0.5), (20, 0.95), (73, 0.5), (400, 0.99)):
        total = 0.0
        for k in range(n):
            total += math.comb(n, k) * p**k * (1 - p) ** (n - k)
            assert binomial_cdf(k, n, p) == pytest.approx(total, abs=1e-9)
    assert binomial_cdf(-1, 5, 0.5) == 0.0
    assert binomial_cdf(5, 5, 0.5) == 1.0


@pytest.mark.parametrize(
    ("n", "p", "expected"),
    [  # median: the printed tables of distribution-free intervals; p95, p99: 0.95**72 and 0.99**368 are the first below 0.025
        (5, 0.5, None),
        (6, 0.5, (1, 6)),
        (10, 0.5, (2, 9)),
        (20, 0.5, (6, 15)),
        (100, 0.5, (40, 61)),
        (71, 0.95, None),
        (72, 0.95, (64, 72)),
        (367, 0.99, None),
        (368, 0.99, (360, 368)),
    ],
)
def test_percentile_ranks_are_the_tables(n: int, p: float, expected: tuple[int, int] | None) -> None:
    assert percentile_ranks(n, p) == expected


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
def test_percentile_ranks_cover_and_are_the_tightest(p: float) -> None:
    for n in (100, 473, 1000, 20_000):
        ranks = percentile_ranks(n, p)
        if ranks is None:
            assert p**n > 0.025  # too likely that all samples lie below it
            continue
        low, high = ranks
        assert binomial_cdf(low - 1, n, p) <= 0.025 < binomial_cdf(low, n, p)
        assert binomial_cdf(high - 2, n, p) < 0.975 <= binomial_cdf(high - 1, n, p)


def test_percentile_ranks_reach_large_samples() -> None:
    ranks = percentile_ranks(1_000_000, 0.99)
    assert ranks is not None
    half = 1.959964 * math.sqrt(1_000_000 * 0.99 * 0.01)
    assert ranks[0] == pytest.approx(990_000 - half, abs=3)
    assert ranks[1] == pytest.approx(990_000 + half, abs=3)


def test_t_interval_covers_as_often_as_it_says() -> None:
    rng, inside = Random(7), 0
    for _ in range(2000):
        e = over_replications([rng.gauss(50, 8) for _ in range(5)], 5)
        assert e.low is not None and e.high is not None
        inside += e.low <= 50 <= e.high
    assert 0.935 <= inside / 2000 <= 0.965


def test_over_replications_keeps_the_quantity_possible() -> None:
    e = over_replications([1.0, 30.0], 2)
    assert e.low == 0.0 and e.value == 15.5 and e.basis is Basis.OVER_REPLICATIONS


def test_an_interval_that_samples_do_not_carry_is_not_given() -> None:
    assert over_replications([], 0).basis is Basis.NOTHING
    assert over_replications([3.0], 9).basis is Basis.ONE_REPLICATION
    same = over_replications([3.0, 3.0, 3.0], 9)
    assert (same.value, same.low, same.high, same.basis) == (3.0, None, None, Basis.NO_SPREAD)


def test_wilson_is_the_published_example() -> None:
    e = wilson(81, 263)  # Newcombe, Statistics in Medicine 17 (1998), table I
    assert (e.low, e.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    none = wilson(0, 20)
    assert (none.low, none.high) == (pytest.approx(0.0), pytest.approx(0.1611, abs=5e-5))


def test_share_of_one_replication_is_wilsons_and_of_several_students() -> None:
    assert share([(9, 10)]).basis is Basis.SCORE
    assert share([(9, 10), (0, 0)]).basis is Basis.SCORE
    several = share([(9, 10), (10, 10), (8, 10)])
    assert several.basis is Basis.OVER_REPLICATIONS and several.high == 1.0 and several.n == 30


def test_rank_of_survives_binary_fractions() -> None:
    assert [rank_of(10, p) for p in (0.1, 0.5, 0.7, 0.9, 1.0)] == [1, 5, 7, 9, 10]
    assert (enough_for(0.5), enough_for(0.9), enough_for(0.95), enough_for(0.99)) == (2, 10, 20, 100)
