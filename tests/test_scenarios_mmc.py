"""The queues against theory: the plain M/M/c variant of the clinic morning agrees with Erlang's C formula."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean, stdev

from reports.statistics import student_t_quantile
from scenarios.files import load
from scenarios.play import play
from virtual_devices.clock import NS
from virtual_devices.trace import Row, StageRow

FILE = Path(__file__).resolve().parent.parent / "scenarios" / "queue_mmc.toml"
REPLICATIONS = 8  # with the file's seed: fixed beforehand, and enough for the half-width below
WARM_UP = 2_000  # patients left out at the start, when the clinic is empty
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


def simulated_wait_s(replication: int) -> float:
    """Mean wait of one day."""
    scenario = load(FILE, {"params.arrivals.bands": '[{start = "00:00", end = "24:00", per_hour = 2160}]'})
    waits: list[tuple[int, int]] = []

    def record(row: Row) -> None:
        if isinstance(row, StageRow):
            waits.append((row.joined_ns, row.began_ns - row.joined_ns))

    play(scenario, replication, record)
    waits.sort()
    return mean(wait for _, wait in waits[WARM_UP:]) / NS


def test_queue_agrees_with_erlang_c() -> None:
    """Half-width of the 99 % interval at most 2 % of the mean, and the theory inside it."""
    means = [simulated_wait_s(replication) for replication in range(REPLICATIONS)]
    middle = mean(means)
    half = student_t_quantile(1 - (1 - CONFIDENCE) / 2, REPLICATIONS - 1) * stdev(means) / math.sqrt(REPLICATIONS)
    theory = mean_wait_s(3, 2160 / 3600, 3.0)
    assert half <= 0.02 * middle, f"half-width {half / middle:.2%} of the mean"
    assert abs(middle - theory) <= half, f"simulated {middle:.4f} s +- {half:.4f}, theory {theory:.4f} s"
