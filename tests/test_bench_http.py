"""The driver ``https:`` against our service on loopback: a desk's own flow over a real connection, and what can go wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.datacentre.credentials import CLINIC, write
from bench.drivers import http
from virtual_devices.cloud.core import Person
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.flow import Flow
from virtual_devices.link import Outcome, Provenance
from virtual_devices.pki import Authority, ChainVerifier, Role
from virtual_devices.randomness import ByteStream, digest
from virtual_devices.reader.authenticate import open_sam
from virtual_devices.reader.calls import call, verify_sam
from virtual_devices.reader.desk import Desk, Institution
from virtual_devices.sam.sam import Sam, SamImage

from .data_centre import Served, served
from .desk import Bench

CARD = "000012345678"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("credentials")) as service:
        yield service


def env(directory: Path, who: str = "clinic") -> dict[str, str]:
    return {"VHC_BENCH_CREDENTIALS": str(directory), "VHC_BENCH_CREDENTIALS_AS": who}


def at(there: Served) -> Bench:
    """A desk whose SAM is of the service's own authority, at its time."""
    bench = Bench()
    identity = there.authority.issue(Role.SAM, "SAM000000001", organisation=CLINIC)
    bench.sam = Sam(SamImage("SAM000000001", CLINIC, identity, there.authority.root_der, digest("tests", "sam")))
    bench.clock = there.clock  # type: ignore[assignment]
    root = ChainVerifier(there.authority.root_der)
    bench.desk = Desk("desk", Institution(CLINIC), root, there.clock, ByteStream("tests", "https desk"))
    return bench


def registration(bench: Bench) -> Flow[str]:
    sam = yield from open_sam(bench.desk)
    assert (yield from verify_sam(bench.desk, sam))
    answer = yield from call(bench.desk, sam, "begin-visit", bytes(16), {"card_no": CARD, "visit_type": "01"}, "begin visit")
    assert answer is not None and answer.code == "0"
    identifier: str = answer.body["identifier"]
    return identifier


def test_desk_begins_a_visit_over_https(there: Served) -> None:
    there.centre.act(lambda: there.centre.core.enrol(Person(CARD)))
    bench = at(there)
    with http.open(there.url, env=env(there.directory)) as link:
        identifier = bench.run(registration(bench), cloud=link)
        assert (link.channel, link.provenance, link.device) == ("network", Provenance.MEASURED, there.url + http.DESK_PATH)
    visit = there.centre.core.visits.get(identifier)
    assert visit is not None and visit.institution == CLINIC


def test_nonsense_is_answered_by_the_data_centre_not_by_an_error(there: Served) -> None:
    with http.open(there.url, env=env(there.directory)) as link:
        attempt = link.attempt(b"nonsense", 20)
        assert attempt.outcome is Outcome.REPLIED and attempt.duration_ns > 0
        assert link.attempt(b"", 1).reply == b""


def test_wrong_path_is_garbled_and_says_the_status(there: Served) -> None:
    with http.open(f"{there.url}/v1/nothing", env=env(there.directory)) as link:
        assert link.attempt(b"x", 20).outcome is Outcome.GARBLED
        assert "404" in link.last_error


def test_stranger_to_the_authority_is_refused_on_both_sides(there: Served, tmp_path: Path) -> None:
    write(tmp_path, Authority("somebody else", there.clock.now_ns()), ["localhost"])
    with http.open(there.url, env=env(tmp_path)) as link:
        assert link.attempt(b"x", 20).outcome is Outcome.GONE
        assert "certificate is refused" in link.last_error
    (tmp_path / "ca.pem").write_bytes((there.directory / "ca.pem").read_bytes())
    with http.open(there.url, env=env(tmp_path)) as link:
        assert link.attempt(b"x", 20).outcome is not Outcome.REPLIED


def test_silent_service_costs_the_limit_and_the_link_goes_on(tmp_path: Path) -> None:
    write(tmp_path, Authority("nobody", 0), ["localhost"])
    with closing(socket.create_server(("127.0.0.1", 0))) as silent, http.open(
        f"https://127.0.0.1:{silent.getsockname()[1]}", env=env(tmp_path)
    ) as link:
        for _ in range(2):
            attempt = link.attempt(b"x", 0.3)
            assert attempt.outcome.silent and 0.25e9 < attempt.duration_ns < 20e9


def test_connection_cut_in_the_middle_is_gone(tmp_path: Path) -> None:
    write(tmp_path, Authority("nobody", 0), ["localhost"])
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        with http.open(f"https://127.0.0.1:{server.getsockname()[1]}", env=env(tmp_path)) as link:
            assert link.attempt(b"x", 20).outcome is Outcome.GONE


def test_nobody_there_and_unknown_name_are_told(tmp_path: Path) -> None:
    write(tmp_path, Authority("nobody", 0), ["localhost"])
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for host, words in ((f"127.0.0.1:{port}", "nobody serves"), ("no-such-host.invalid", "DNS")):
        with http.open(f"https://{host}", env=env(tmp_path)) as link:
            assert link.attempt(b"x", 20).outcome is Outcome.GONE
            assert words in link.last_error


@pytest.mark.parametrize("url", ["http://localhost", "https://", "https://u:p@localhost", "https://localhost/?x"])
def test_wrong_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no address of a service"):
        http.open(url, env=env(tmp_path))


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"clinic\.pem"):
        http.open("https://localhost", env=env(tmp_path))
    with pytest.raises(LinkError, match="present http"):
        http.open("https://localhost", env={"VHC_BENCH_CREDENTIALS": ""})
