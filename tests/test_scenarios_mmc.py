"""The queues against theory: the plain M/M/c variant of the clinic morning agrees with Erlang's C formula.

In three steps, each of which can fail by itself: a day's waits are, to the nanosecond, what the recursion of Kiefer and Wolfowitz
makes of its arrivals and services; these are Poisson and exponential; and the recursion over such draws, in a number of customers
that a situation would take minutes for, agrees with the formula.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean, stdev

from reports.statistics import student_t_quantile
from scenarios.files import load
from scenarios.play import play
from virtual_devices.clock import NS
from virtual_devices.trace import Row, StageRow

FILE = Path(__file__).resolve().parent.parent / "scenarios" / "queue_mmc.toml"
SERVERS, PER_S, SERVICE_S = 3, 2160 / 3600, 3.0
BATCHES, BATCH = 20, 150_000
WARM_UP = 2_000  # customers left out at the start, when nobody is there yet
CONFIDENCE = 0.99


def erlang_c(servers: int, load_erlang: float) -> float:
    """The chance that a customer must wait in M/M/c."""
    below = sum(load_erlang**k / math.factorial(k) for k in range(servers))
    full = load_erlang**servers / math.factorial(servers) * servers / (servers - load_erlang)
    return full / (below + full)


def mean_wait_s(servers: int, per_s: float, service_s: float) -> float:
    """The mean wait in M/M/c."""
    return erlang_c(servers, per_s * service_s) / (servers / service_s - per_s)


def test_erlang_c_has_its_known_values() -> None:
    assert erlang_c(1, 0.5) == 0.5  # one server: the load itself
    assert math.isclose(erlang_c(2, 1.0), 1 / 3)
    assert math.isclose(mean_wait_s(1, 0.5, 1.0), 1.0)  # rho / (mu - lambda)


@cache
def day() -> tuple[StageRow, ...]:
    """Everybody's way through the one station in a day of 24 hours, in the order of joining."""
    scenario = load(FILE, {"params.arrivals.bands": '[{start = "00:00", end = "24:00", per_hour = 2160}]'})
    rows: list[StageRow] = []

    def record(row: Row) -> None:
        if isinstance(row, StageRow):
            rows.append(row)

    play(scenario, 0, record)
    return tuple(sorted(rows, key=lambda row: (row.joined_ns, row.began_ns)))


def waits(customers: Iterable[tuple[float, float]], servers: int) -> Iterator[float]:
    """Kiefer and Wolfowitz: who joins (at, service) begins when they have come and the server that is free first is free."""
    free = [0.0] * servers
    for joined, service in customers:
        begins = max(joined, free[0])
        heapq.heapreplace(free, begins + service)
        yield begins - joined


def distance_from_exponential(drawn: Sequence[float], middle: float) -> float:
    """Kolmogorov and Smirnov: the largest distance between what was drawn and the distribution with this mean, times root n."""
    n, far = len(drawn), 0.0
    for number, value in enumerate(sorted(drawn)):
        share = 1 - math.exp(-value / middle)
        far = max(far, abs(share - number / n), abs(share - (number + 1) / n))
    return far * math.sqrt(n)


def test_every_wait_of_a_day_is_what_the_recursion_says() -> None:
    rows = day()
    assert len(rows) > 50_000
    made = waits(((row.joined_ns, row.ended_ns - row.began_ns) for row in rows), SERVERS)
    assert all(row.began_ns - row.joined_ns == wait for row, wait in zip(rows, made, strict=True))


def test_arrivals_are_poisson_and_services_exponential() -> None:
    """1.95 is the bound for one in a thousand."""
    rows = day()
    between = [(b.joined_ns - a.joined_ns) / NS for a, b in pairwise(rows)]
    services = [(row.ended_ns - row.began_ns) / NS for row in rows]
    assert distance_from_exponential(between, 1 / PER_S) < 1.95
    assert distance_from_exponential(services, SERVICE_S) < 1.95
    assert distance_from_exponential(services, 1.03 * SERVICE_S) > 1.95  # a mean that is 3 % off would be seen


def mean_of_batch(rng: Random) -> float:
    """Mean wait of one batch of customers."""
    def customers() -> Iterator[tuple[float, float]]:
        at = 0.0
        for _ in range(BATCH):
            at += rng.expovariate(PER_S)
            yield at, rng.expovariate(1 / SERVICE_S)

    return mean(list(waits(customers(), SERVERS))[WARM_UP:])


def test_recursion_agrees_with_erlang_c() -> None:
    """Half-width of the 99 % interval at most 2 % of the mean, and the theory inside it."""
    means = [mean_of_batch(Random(f"batch {number}")) for number in range(BATCHES)]
    middle = mean(means)
    half = student_t_quantile(1 - (1 - CONFIDENCE) / 2, BATCHES - 1) * stdev(means) / math.sqrt(BATCHES)
    theory = mean_wait_s(SERVERS, PER_S, SERVICE_S)
    assert half <= 0.02 * middle, f"half-width {half / middle:.2%} of the mean"
    assert abs(middle - theory) <= half, f"simulated {middle:.4f} s +- {half:.4f}, theory {theory:.4f} s"
