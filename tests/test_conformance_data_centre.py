"""A data centre as device under test over real HTTPS: the bench's own, begun anew for each case, and one that nobody leads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.clock import WallClock
from bench.datacentre import credentials
from bench.datacentre.centre import Centre, sample_institutions
from bench.datacentre.web.app import create_app
from bench.datacentre.web.conformance import ForConformance
from bench.datacentre.web.service import Service
from bench.duts import Dut
from bench.presenters.http import Server
from bench.reach import Means
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.tester import Result, perform
from conformance.verdict import Verdict
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.pki import Authority

LIMIT_S = 60.0


def led(authority: Authority) -> Any:
    return ForConformance(authority, 1, WallClock())


def by_nobody(authority: Authority) -> Any:
    centre = Centre(authority, MemoryBooks(), os.urandom)
    centre.act(lambda: sample_institutions(centre))
    return create_app(Service(centre, WallClock()))


@contextmanager
def served(folder: Path, make: Any) -> Iterator[Dut]:
    authority = credentials.own_authority(folder, WallClock().now_ns())
    files = credentials.write(folder / "credentials", authority, ["127.0.0.1"])
    server = Server(make(authority), "127.0.0.1", 0, ca=files["ca"], certificate=files["service"], key=files["service-key"])
    started = threading.Event()
    thread = threading.Thread(target=server.run, args=(started.set,))
    thread.start()
    dut = Dut(suites()[Kind.DATA_CENTRE], server.url, "network", means=Means(answers={"authority": str(folder)}))
    try:
        assert started.wait(LIMIT_S)
        yield dut
    finally:
        dut.way.close()
        server.stop()
        thread.join()


def tried(dut: Dut, *begin: str) -> list[Result]:
    wanted = [case for case in cases() if case.kind is Kind.DATA_CENTRE and case.id.startswith(begin)]
    return [dut.done(perform(case, dut.tester, real=True)) for case in wanted]


def test_data_centre_is_tried_over_https_begun_anew_for_each_case(tmp_path: Path) -> None:
    subjects = (
        "data-centre.messages.data-centre-proves", "data-centre.messages.time-of-a-request", "data-centre.phones.time-of-a-phone",
        "data-centre.visits.update-of-a-card", "data-centre.limits.argument-at-its-bound-is-judged[visit-identifier",
        "data-centre.keeping.home-package-is-signed",
    )
    with served(tmp_path, led) as dut:
        first = tried(dut, *subjects)
        assert [(result.case, result.why) for result in first if result.verdict is not Verdict.PASS] == []
        rows = [row for result in first for row in result.rows]
        assert {row.provenance for row in rows} == {"measured"} and not dut.way.masked  # type: ignore[union-attr]
        enrolled = tried(dut, "data-centre.visits.visit-with-a-virtual-card", "data-centre.visits.visit-is-taken-back-within")
        assert [result.verdict for result in enrolled] == [Verdict.NOT_APPLICABLE, Verdict.PASS]
        assert "nobody moves this data centre's clock" in enrolled[0].why


def test_data_centre_that_nobody_leads_is_tried_as_far_as_messages_go(tmp_path: Path) -> None:
    with served(tmp_path, by_nobody) as dut:
        (proved,) = tried(dut, "data-centre.messages.data-centre-proves")
        assert (proved.verdict, proved.why) == (Verdict.PASS, "") and dut.way.masked
        (ticket,) = tried(dut, "data-centre.phones.key-that-has-had-a-card-is-refused")
        assert ticket.verdict is Verdict.NOT_APPLICABLE and "nobody stands there" in ticket.why
        (unknown,) = tried(dut, "data-centre.visits.update-of-a-card")  # the suite's people are not in its registers
        assert unknown.verdict is Verdict.INCONCLUSIVE and "begin it anew, and run this case alone" in unknown.why


def test_data_centre_whose_trust_is_not_said_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VHC_BENCH_CREDENTIALS", raising=False)
    dut = Dut(suites()[Kind.DATA_CENTRE], "https://localhost:1", "network")
    (result,) = tried(dut, "data-centre.messages.data-centre-proves")
    assert result.verdict is Verdict.ERROR
    assert 'give authority = "DIRECTORY" in the PIXIT' in result.why
