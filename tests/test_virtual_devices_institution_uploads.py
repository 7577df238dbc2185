"""The offline queue: every record reaches the data centre once and whole, whatever the line does at whichever exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from virtual_devices import cose
from virtual_devices.clock import NS
from virtual_devices.cloud.service import DataCentreDevice
from virtual_devices.flow import Flow
from virtual_devices.institution.uploads import PART_BYTES, correct, drain, enqueue, read_report
from virtual_devices.link import Link, Outcome
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.reader.authenticate import open_sam
from virtual_devices.reader.calls import cloud_status, verify_sam
from virtual_devices.reader.desk import Pending, Policy
from virtual_devices.reader.transmit import Ended
from virtual_devices.uploads.facts import Original, VisitFacts
from virtual_devices.uploads.fields import Version
from virtual_devices.uploads.rows import KEPT, Kept, Standing

from .desk import AUTHORITY, CARD_NO, HOLDER, INSTITUTION, NOW_NS, STRANGER, Bench
from .links import Changed, Failing, Strike, Through
from .told import a_visit

SIZES = (1, 70)  # orders: a file of one part, and one of several


def send(bench: Bench, line: Link | None = None, again: bool = True) -> int:
    def flow() -> Flow[int]:
        sam = yield from open_sam(bench.desk)
        return (yield from drain(bench.desk, sam, again=again))

    stored: int = bench.run(flow(), **({} if line is None else {"cloud": line}))
    return stored


def filled() -> Bench:
    bench = Bench()
    bench.desk.institution.version = Version.V10  # which wants nothing that only a line gives
    for number, orders in enumerate(SIZES):
        enqueue(bench.desk, f"visit {number}", a_visit(number, orders), bench.act(str(number)), NOW_NS, NOW_NS)
    return bench


def assert_all_stored(bench: Bench) -> None:
    kept = [(r.standing, r.content.count(b"<MB2>")) for r in bench.core.books.shelf(KEPT)]
    assert sorted(kept, key=lambda one: one[1]) == [(Standing.COUNTED, orders) for orders in SIZES]
    assert len(bench.core.records) == 2
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
    assert len(whole.messages) == sum(-(-len(p.file) // PART_BYTES) for p in plain.desk.institution.done) > 3
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
    bench.core.gathering.finish(INSTITUTION, first.batch, b"d" * 32, [])  # the batch's name is taken
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


# --- what only a line gives, and what the check report says

def told(bench: Bench, visit: VisitFacts, name: str = "visit") -> Pending:
    return enqueue(bench.desk, name, visit, bench.act(f"{name} request"), NOW_NS, NOW_NS)


def kept(bench: Bench) -> list[Kept]:
    return list(bench.core.books.shelf(KEPT))


def test_visit_without_a_line_gets_identifier_and_signatures_when_it_is_sent() -> None:
    bench = Bench()
    signed = a_visit(sam_id="", signature="")
    waiting = told(bench, replace(signed, orders=(replace(signed.orders[0], signature=""),)))
    assert send(bench) == 1 and waiting.told.identifier and len(waiting.told.signature) == 128
    [record] = kept(bench)
    assert (record.version, record.format, record.identifier) == ("2.0", "A", waiting.told.identifier)
    assert bench.core.late(NOW_NS + 3 * DAY_NS) == []


def test_abnormal_visit_gets_an_identifier_without_card_and_no_signature() -> None:
    bench = Bench()
    told(bench, a_visit(sequence="", situation="network", sam_id="", card_no="", signature=""))
    assert send(bench) == 1
    assert [(r.format, r.sequence, r.card_no) for r in kept(bench)] == [("B", "A020", "")]


def test_number_whose_answer_was_lost_is_told_after_all() -> None:
    bench = Bench()
    waiting = told(bench, a_visit(sequence="", situation="network", sam_id="", signature=""))
    _, visit = bench.core.begin_visit(waiting.request_id, CARD_NO, INSTITUTION, "01", waiting.told.visited_ns, virtual=True)
    assert send(bench) == 1 and visit is not None
    assert [(r.format, r.sequence, r.identifier) for r in kept(bench)] == [("A", "W001", visit.identifier)]


@pytest.mark.parametrize("version", list(Version))
def test_what_a_check_refused_is_set_aside_and_corrected(version: Version) -> None:
    bench = Bench()
    bench.desk.institution.version = version
    waiting = told(bench, a_visit(birth_date=date(1930, 1, 1)))
    assert send(bench) == 0 and bench.desk.institution.refused == [waiting] and ":05" in waiting.findings
    assert [r.standing for r in kept(bench)] == [Standing.FAILED]
    correct(bench.desk, waiting, replace(waiting.told, birth_date=HOLDER.birth_date), bench.clock.now_ns())
    assert send(bench) == 1 and waiting.findings == "" and bench.desk.institution.done == [waiting]
    [record] = kept(bench)
    assert (record.standing, record.corrected) == (Standing.COUNTED, version is Version.V10)


def test_record_that_cannot_be_made_is_set_aside_by_name() -> None:
    bench = filled()
    first = bench.desk.institution.queue[0]
    first.told = replace(first.told, visit_type="09")  # of format 2.0 only
    assert send(bench) == 1 and bench.desk.institution.refused == [first]
    assert "A23" in first.findings and first.opcode == ""


def test_dispensing_waits_for_the_record_of_the_visit_that_prescribed() -> None:
    bench = Bench()
    visit = told(bench, a_visit(5, orders=0))
    bench.desk.institution.queue.clear()
    _, begun = bench.core.begin_visit(visit.request_id, CARD_NO, INSTITUTION, "01", visit.told.visited_ns)
    assert begun is not None
    collected = a_visit(
        visit_type="AE", sequence="",
        original=Original(begun.identifier, INSTITUTION, "", visit.told.visited_ns),
    )
    waiting = told(bench, collected, "collected")
    assert send(bench) == 0 and bench.desk.institution.waiting == [waiting] and "D051" in waiting.findings
    assert send(bench, again=False) == 0 and bench.desk.institution.waiting == [waiting] and waiting.tries == 1
    bench.desk.institution.queue.append(visit)
    send(bench)
    assert send(bench) + len(bench.desk.institution.done) >= 2 and not bench.desk.institution.waiting
    assert {r.standing for r in kept(bench)} == {Standing.COUNTED}


@pytest.mark.parametrize(
    "body",
    [{}, {"opcode": 1, "report": "{}"}, {"opcode": "o", "report": "["}, {"opcode": "o", "report": "[]"},
     {"opcode": "o", "report": '{"version":"3.0"}'}],
)
def test_report_that_is_none_is_not_believed(body: dict[str, Any]) -> None:
    assert read_report(body) is None
