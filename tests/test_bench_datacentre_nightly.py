"""The end of retention at the served data centre: every night, at once for an officer, with its proof."""

from __future__ import annotations

import base64
import threading
from datetime import datetime
from hashlib import sha256

import pytest

from bench.datacentre.nightly import Nightly, next_night_ns
from virtual_devices.clock import from_datetime
from virtual_devices.cose import decode
from virtual_devices.pki import ChainVerifier, Role, Verified

from . import prescribed
from .data_centre import Here
from .desk import AUTHORITY, NOW_NS
from .test_virtual_devices_cloud_prescription_service import Register


@pytest.fixture
def here() -> Here:
    """With one prescription, whose time is over."""
    made = Here()
    rx = prescribed.rx(card_no=made.people[0].card_no)
    assert made.centre.act(lambda: made.centre.desks.prescriptions.take(Register().store(rx), NOW_NS).ok)
    [folder] = made.centre.desks.prescriptions.of_holder(rx.card_no)
    made.clock.advance_to(folder.keep_until_ns)
    return made


def test_night_deletes_with_a_proof_that_the_log_and_the_asker_have(here: Here) -> None:
    assert Nightly(here.centre, here.clock).once() == 1 and Nightly(here.centre, here.clock).once() == 0
    rx = prescribed.rx(card_no=here.people[0].card_no)
    proof = here.asked("POST", "/v1/retention/proof", "clinic", json={"id": rx.id.hex()}).json()
    statement = base64.b64decode(proof["statement"])
    signed = decode(statement)
    by = ChainVerifier(AUTHORITY.root_der).check(signed.chain, {Role.DATA_CENTRE}, NOW_NS)
    assert isinstance(by, Verified) and signed.verify(by.key) and proof["prescription"] == rx.id.hex()
    [told] = here.centre.desks.audit.about(rx.card_no)
    assert (told.entry.what, told.entry.under) == ("rx-delete", sha256(statement).digest())


def test_officer_has_it_done_at_once(here: Here) -> None:
    first, again = (here.asked("POST", "/v1/retention", "officer").json()["prescriptions"] for _ in range(2))
    assert len(first) == 1 and again == []
    assert here.asked("POST", "/v1/retention/proof", "clinic", json={"id": "0" * 32}).status_code == 404


def test_running_service_does_it_at_its_start_and_again_at_night(here: Here) -> None:
    done, nightly = threading.Event(), Nightly(here.centre, here.clock, look_s=0.01)
    nights: list[int] = []

    def once() -> int:
        nights.append(here.clock.now_ns())
        done.set()
        return 0

    nightly.once = once  # type: ignore[method-assign]
    nightly.start()
    assert done.wait(10)
    done.clear()
    here.clock.advance_to(next_night_ns(here.clock.now_ns()))
    assert done.wait(10)
    nightly.stop()
    assert len(nights) == 2 and nights[1] == next_night_ns(nights[0])


@pytest.mark.parametrize(("at", "night"), [("02:59:59", "03-02T03"), ("03:00:00", "03-03T03"), ("23:00:00", "03-03T03")])
def test_next_night_is_at_three_in_taiwan(at: str, night: str) -> None:
    at_ns = from_datetime(datetime.fromisoformat(f"2026-03-02T{at}+08:00"))
    assert next_night_ns(at_ns) == from_datetime(datetime.fromisoformat(f"2026-{night}:00:00+08:00"))
