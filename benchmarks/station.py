"""A station: patients a second through our station with its rows, against a bare SimPy resource, the same M/M/3."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import simpy

from benchmarks._table import Figure, options, show
from scenarios.files import load
from scenarios.play import play
from virtual_devices.randomness import stream
from virtual_devices.trace import discard

FILE = Path(__file__).resolve().parent.parent / "scenarios" / "queue_mmc.toml"
PER_S, SERVICE_S, SERVERS = 0.6, 3.0, 3
HOURS, SAMPLE_HOURS = 6, 1


def ours(hours: int) -> float:
    """Seconds for the scenario file's queue."""
    scenario = load(FILE, {"params.arrivals.bands": f'[{{start = "00:00", end = "{hours:02d}:00", per_hour = {PER_S * 3600}}}]'})
    began = time.perf_counter()
    play(scenario, 0, discard)
    return time.perf_counter() - began


def bare(hours: int) -> float:
    """Seconds for the same queue in plain SimPy, nothing recorded."""
    env = simpy.Environment()
    servers, rng = simpy.Resource(env, SERVERS), stream("benchmark", "queue")

    def patient():  # type: ignore[no-untyped-def]
        with servers.request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(1 / SERVICE_S))

    def arrivals():  # type: ignore[no-untyped-def]
        while env.now < hours * 3600:
            yield env.timeout(rng.expovariate(PER_S))
            env.process(patient())

    env.process(arrivals())
    began = time.perf_counter()
    env.run()
    return time.perf_counter() - began


def measure(hours: int = HOURS) -> list[Figure]:
    """Both, one after the other."""
    ours(hours), bare(hours)
    patients = hours * 3600 * PER_S
    mine, plain = patients / ours(hours), patients / bare(hours)
    return [
        Figure("patients through our station", mine, "patients/s", "a bare SimPy resource", mine / plain),
        Figure("patients through a bare SimPy resource", plain, "patients/s"),
    ]


def main() -> int:
    """``./bench.sh bench station [--json] [--sample]``."""
    asked = options(__doc__).parse_args()
    show(measure(SAMPLE_HOURS if asked.sample else HOURS), asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
