"""The bad line on loopback: one real service behind it, one real client before it, and each fault as the model has it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from bench.clock import WallClock
from bench.datacentre.credentials import write
from bench.drivers import http
from bench.proxy import RETRANSMISSION_NS, BadLine, Struck
from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.faults import Fault
from virtual_devices.link import Outcome
from virtual_devices.network import Delay, LossState, Network

from .data_centre import Served, served
from .processes import wait_until

QUICK = Network(one_way=Delay(0, 0), bandwidth_kbit_s=1e7)
LIMIT_S = 20.0


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("credentials")) as service:
        yield service


@contextmanager
def line(there: Served, network: Network = QUICK, *faults: Fault, expired: ssl.SSLContext | None = None) -> Iterator[
    tuple[http.HttpLink, list[Struck]]
]:
    """A link to the service through a bad line."""
    struck: list[Struck] = []
    port = int(there.url.rpartition(":")[2])
    bad = BadLine(
        ("127.0.0.1", port), network, faults, Random(1), WallClock(), WallClock().now_ns() - 12 * 3600 * NS, expired=expired,
        told=struck.append,
    )
    ready, loop = threading.Event(), asyncio.new_event_loop()
    task = loop.create_task(bad.serve(ready.set))

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    env = {"VHC_BENCH_CREDENTIALS": str(there.directory), "VHC_BENCH_CREDENTIALS_AS": "clinic"}
    try:
        with http.open(f"https://127.0.0.1:{bad.port}", env=env) as link:
            yield link, struck
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(60)
        assert not thread.is_alive()


def test_line_without_faults_carries_what_is_sent(there: Served) -> None:
    with line(there) as (link, struck):
        for _ in range(3):
            assert link.attempt(b"nonsense" * 5000, LIMIT_S).outcome is Outcome.REPLIED
        assert not struck


def test_latency_and_bandwidth_are_paid(there: Served) -> None:
    slow = Network(one_way=Delay(60, 60), bandwidth_kbit_s=2400)
    with line(there, slow) as (link, _):
        link.attempt(b"x", LIMIT_S)  # connection and handshake
        least_ns = 2 * 60e6 + 60_000 * 8 / 2400 * 1e6  # several reads of the proxy: their times on the wire add up
        assert link.attempt(bytes(60_000), LIMIT_S).duration_ns >= least_ns


class LostTwice(LossState):
    """A line that loses the first thing sent, and its first retransmission."""

    times = 2

    def lost(self, at_ns: int) -> bool:
        self.times -= 1
        return self.times >= 0


def test_lost_packets_cost_their_retransmission(there: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.proxy.LossState", LostTwice)
    with line(there) as (link, _):
        assert link.attempt(b"x", LIMIT_S).duration_ns >= 3 * RETRANSMISSION_NS  # once, and twice as long


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        (Fault("f", "loss_before", "cloud", 1.0), {Outcome.REQUEST_LOST, Outcome.TIMED_OUT}),
        (Fault("f", "loss_after", "cloud", 1.0), {Outcome.REQUEST_LOST, Outcome.TIMED_OUT}),
        (Fault("f", "hang", "cloud", 1.0), {Outcome.REQUEST_LOST, Outcome.TIMED_OUT}),
        (Fault("f", "outage", "cloud", start="00:00", end="24:00"), {Outcome.REQUEST_LOST, Outcome.TIMED_OUT}),
        (Fault("f", "garble", "cloud", 1.0), {Outcome.GONE}),
        (Fault("f", "delay", "cloud", 1.0, extra_ms=10_000), {Outcome.REQUEST_LOST, Outcome.TIMED_OUT}),
        (Fault("f", "slow", "cloud", 1.0, kbit_s=0.5), {Outcome.REQUEST_LOST, Outcome.TIMED_OUT}),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_fault_ends_the_try_as_in_the_model(there: Served, fault: Fault, outcomes: set[Outcome]) -> None:
    with line(there, QUICK, fault) as (link, struck):
        assert link.attempt(b"x", LIMIT_S if outcomes == {Outcome.GONE} else 1.0).outcome in outcomes
        assert wait_until(lambda: fault.kind == "outage" or bool(struck))


def test_expired_certificate_is_refused_by_the_client(there: Served, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old = write(tmp_path, there.authority, ["localhost", "127.0.0.1"], days=(-365, -1))
    context.load_cert_chain(old["service"], old["service-key"])
    with line(there, QUICK, Fault("f", "tls_expired", "cloud", 1.0, limit=1), expired=context) as (link, struck):
        assert link.attempt(b"x", LIMIT_S).outcome is Outcome.GONE
        assert "expired" in link.last_error and len(struck) == 1
        assert link.attempt(b"x", LIMIT_S).outcome is Outcome.REPLIED


def test_half_open_connection_is_silent_and_the_next_one_works(there: Served) -> None:
    with line(there, QUICK, Fault("f", "half_open", "cloud", extra_ms=1500)) as (link, struck):
        assert link.attempt(b"x", LIMIT_S).outcome is Outcome.REPLIED
        threading.Event().wait(1.7)
        assert link.attempt(b"x", 0.5).outcome.silent
        assert [one.fault.id for one in struck] == ["f"]
        assert link.attempt(b"x", LIMIT_S).outcome is Outcome.REPLIED


@pytest.mark.parametrize("kind", ["dns", "clock_skew", "tls_expired"])
def test_what_a_line_cannot_do_is_refused_by_name(kind: str) -> None:
    more = {"extra_ms": 1.0} if kind == "clock_skew" else {}
    with pytest.raises(UsageError, match="'f'"):
        BadLine(("127.0.0.1", 1), QUICK, [Fault("f", kind, "cloud", 1.0, **more)], Random(1), WallClock(), 0)  # type: ignore[arg-type]
