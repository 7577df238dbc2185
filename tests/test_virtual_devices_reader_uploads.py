"""The offline queue: every record reaches the data centre once and whole, whatever the line does at whichever exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from virtual_devices import cose
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.cloud.core import VisitRecord
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.flow import Flow
from virtual_devices.link import Link, Outcome
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.reader.authenticate import open_sam
from virtual_devices.reader.calls import cloud_status, verify_sam
from virtual_devices.reader.desk import Policy
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.uploads import PART_BYTES, drain, enqueue

from .desk import AUTHORITY, CARD_NO, INSTITUTION, NOW_NS, STRANGER, Bench
from .links import Changed, Failing, Strike, Through

SIZES = (10, 3 * PART_BYTES)  # one part, and several


def send(bench: Bench, line: Link | None = None) -> int:
    def flow() -> Flow[int]:
        sam = yield from open_sam(bench.desk)
        return (yield from drain(bench.desk, sam))

    stored: int = bench.run(flow(), **({} if line is None else {"cloud": line}))
    return stored


def filled() -> Bench:
    bench = Bench()
    for number, size in enumerate(SIZES):
        when = roc_datetime13(NOW_NS + number * NS)
        key, sequence = bench.act(str(number)), f"{number + 1:04d}"
        record = VisitRecord(key, "", CARD_NO, INSTITUTION, sequence, when, NOW_NS + NS, b"c" * size)
        enqueue(bench.desk, f"visit {number}", record, NOW_NS)
    return bench


def assert_all_stored(bench: Bench) -> None:
    assert sorted(len(r.content) for r in bench.core.records) == sorted(SIZES)
    assert not bench.desk.institution.queue and [p.code for p in bench.desk.institution.done] == ["0", "0"]
    assert all(p.stored_ns >= p.first_try_ns >= 0 for p in bench.desk.institution.done)


def test_queue_is_sent_oldest_first_and_once() -> None:
    bench = filled()
    assert send(bench) == 2 and send(bench) == 0
    assert_all_stored(bench)


@pytest.mark.parametrize("outcome", [Outcome.REQUEST_LOST, Outcome.REPLY_LOST])
@pytest.mark.parametrize("dropped", [1, 2])  # one is made good by the call's second try, two end it
def test_silence_at_any_exchange_is_made_good(outcome: Outcome, dropped: int) -> None:
    plain = filled()
    whole = Through(plain.links()["cloud"])
    send(plain, whole)
    assert len(whole.messages) == 1 + 4
    for at in range(len(whole.messages)):
        bench = filled()
        stored = send(bench, Failing(bench.links()["cloud"], Strike(at, outcome, times=dropped)))
        assert (stored == 2) == (dropped == 1)
        while bench.desk.institution.queue:
            assert send(bench) == 0  # the line that has just failed is left alone
            bench.clock.advance_to(bench.clock.now_ns() + round(bench.desk.policy.hold_off_s * NS))
            send(bench)
        assert_all_stored(bench)


def forged(reply: bytes) -> bytes:
    answer = cose.decode(reply)
    stranger = STRANGER.issue(Role.DATA_CENTRE, "IDC")
    return cose.sign1(stranger.key, answer.payload, {cose.X5CHAIN: list(stranger.chain)})


def by_a_sam(reply: bytes) -> bytes:
    other = AUTHORITY.issue(Role.SAM, "SAM000000009")
    return cose.sign1(other.key, cose.decode(reply).payload, {cose.X5CHAIN: list(other.chain)})


def unsigned(reply: bytes) -> bytes:
    return replace(cose.decode(reply), signature=b"\0" * 64).to_bytes()


@pytest.mark.parametrize(
    "spoil",
    [forged, by_a_sam, unsigned, lambda _: b"", lambda reply: reply[:-1], lambda reply: reply + b"\0", lambda _: b"\x81" * 9999],
)
def test_answer_that_the_data_centre_did_not_sign_is_not_believed(spoil: Callable[[bytes], bytes]) -> None:
    bench = filled()
    assert send(bench, Changed(bench.links()["cloud"], lambda _, reply: spoil(reply))) == 0
    assert bench.desk.line_held_off() and len(bench.desk.institution.queue) == 2
    assert not bench.desk.institution.draining


def test_answer_to_another_request_is_not_believed() -> None:
    bench, kept = filled(), []

    def replay(number: int, reply: bytes) -> bytes:
        kept.append(reply)
        return kept[0]

    assert send(bench, Changed(bench.links()["cloud"], replay)) == 1  # its own answer once, then nothing new is believed
    assert len(bench.desk.institution.queue) == 1


def test_revoked_data_centre_is_not_believed() -> None:
    bench = filled()
    identity = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
    verdict = bench.desk.root.check(identity.chain, {Role.DATA_CENTRE}, NOW_NS)
    bench.desk.revoked = frozenset({verdict.serial})  # type: ignore[union-attr]
    assert send(bench) == 0


def test_refusal_ends_with_its_code_and_the_queue_stays_usable() -> None:
    bench = filled()
    first = bench.desk.institution.queue[0]
    bench.core.store(replace(first.record, content=b"something else"), NOW_NS)  # the key is taken
    with pytest.raises(Ended) as refusal:
        send(bench)
    assert (refusal.value.code, refusal.value.role, refusal.value.torn) == ("9070", "cloud", False)
    bench.desk.institution.refused.append(bench.desk.institution.queue.popleft())
    assert send(bench) == 1 and first.stored_ns == -1


def test_suspended_sam_is_told_and_nothing_leaves_the_queue() -> None:
    bench = filled()
    sam = bench.desk.root.check(bench.sam.image.identity.chain, {Role.SAM}, NOW_NS)
    identity = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
    bench.cloud = DataCentreDevice(bench.core, identity, AUTHORITY.root_der, {sam.serial})  # type: ignore[union-attr]
    with pytest.raises(Ended, match="9060"):
        send(bench)
    assert len(bench.desk.institution.queue) == 2

    def online() -> Flow[bool]:
        handle = yield from open_sam(bench.desk)
        return (yield from verify_sam(bench.desk, handle))

    with pytest.raises(Ended) as refusal:
        bench.run(online())
    assert (refusal.value.code, refusal.value.role) == ("9060", "sam")


def test_upload_interrupted_half_way_goes_on_a_day_later() -> None:
    bench = filled()
    send(bench, Changed(bench.links()["cloud"], lambda n, r: r if n < 3 else None))
    assert len(bench.core.records) == 1
    bench.clock.advance_to(NOW_NS + 2 * DAY_NS)
    assert send(bench) == 1
    assert_all_stored(bench)
    assert [late.stored_ns for late in bench.core.late(NOW_NS + 3 * DAY_NS)] == [NOW_NS + 2 * DAY_NS]


def test_two_desks_never_drain_one_queue_at_once() -> None:
    bench = filled()
    bench.desk.institution.draining = True
    assert send(bench) == 0
    bench.desk.institution.draining = False
    bench.desk.policy = Policy(cloud_tries=1)
    assert send(bench, Changed(bench.links()["cloud"], lambda *_: None)) == 0 and bench.desk.institution.queue[0].tries == 1
    assert cloud_status(b"\xff") == "" and not bench.desk.institution.draining
