"""A reader as device under test over a real channel: a process of its own reads our scripted card, in a field and in a slot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.duts import Dut, duts
from bench.reach import GIVE_UP
from bench.timing import timed
from conformance import limits
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.latency import SILENT_NS
from conformance.tester import perform
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.errors import UsageError

from .reader_desk import LIMIT_S, Desk, places, tried
from .vendor_reader import Fault

SLOT = pytest.mark.needs("pcsc")
READERS = [pytest.param(("field", "nfc"), id="nfc"), pytest.param(("slot", "nfc"), id="slot-nfc", marks=SLOT),
           pytest.param(("slot", "contact"), id="slot-contact", marks=SLOT),
           pytest.param(("air", "ble"), id="ble", marks=pytest.mark.needs("dbus")),
           pytest.param(("tap", "nfc-ble"), id="tap", marks=pytest.mark.needs("dbus"))]
ONCE = pytest.mark.parametrize("desk", [READERS[0], *READERS[2:4]], indirect=True)
"""By contact it is as it is with a phone in the slot."""
CASES = {
    "nfc": ("reader.nfc.container-of-a-tag-is-judged[mapping-4", "reader.nfc.data-fields-are-the-smaller-of-both[odd",
            "reader.nfc.negotiated-handover-is-answered"),
    "contact": ("reader.contact.second-card-is-found-and-read-by-contact", "reader.contact.second-card-is-read-over-t0",
                "reader.contact.parties-prove-themselves-in-order", "reader.contact.card-that-proves-nothing-is-named[not-a-card",
                "reader.vectors.response-is-judged[revoked"),
    "ble": ("reader.presentation.registration-asks-what-it-may", "reader.presentation.code-of-an-engagement-is-judged[padded",
            "reader.presentation.medium-that-fails-ends-it-and-the-next-is-right[gone-1",
            "reader.presentation.medium-that-fails-ends-it-and-the-next-is-right[timed-out-1",
            "reader.presentation.engagement-without-a-way-to-the-phone-ends-it", "reader.vectors.code-is-judged[used-before",
            "reader.vectors.code-is-judged[unbound", "reader.vectors.code-is-judged[revoked"),
    "nfc-ble": ("reader.tap.tap-leads-to-bluetooth[either", "reader.tap.negotiated-tap-leads-to-bluetooth[client",
                "reader.tap.tap-that-leads-nowhere-ends-it[no-service",
                "reader.tap.card-that-is-not-met-after-the-tap-ends-it[gone",
                "reader.structures.failure-of-the-medium-has-its-code[gone-request", "reader.vectors.response-is-judged[revoked"),
}
"""By channel; the last one by contact is tried over every channel."""
WRITES = "reader.writing.batch-is-made-for-the-card-that-was-shown"
TOLD = {"nfc": WRITES, "ble": WRITES, "nfc-ble": "reader.tap.record-is-written-after-a-tap",
        "contact": "reader.contact.pin-is-typed-at-the-reader"}
NOT_THERE = "reader.contact.party-that-is-not-there-is-named[card"


@pytest.fixture(params=READERS, scope="module")
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    medium, channel = request.param
    with places(medium) as place, place.reading(channel, tmp_path_factory.mktemp("vendor")) as made:
        yield made


def test_reader_reads_our_card_and_its_verdict_is_expected(desk: Desk) -> None:
    for begin in CASES[desk.channel]:
        result = tried(desk.dut(), begin)
        assert (result.verdict, result.why) == (Verdict.PASS, ""), begin
        assert {row.provenance for row in result.rows} == {"presented"}  # type: ignore[union-attr]


def test_reader_does_what_somebody_has_it_do(desk: Desk) -> None:
    for begin in [TOLD[desk.channel]] + [NOT_THERE] * (desk.channel == "contact"):
        result = tried(desk.dut(desk.teller), begin)
        assert (result.verdict, result.why) == (Verdict.PASS, ""), begin
    desk.unattended()


def test_reader_is_not_tried_in_what_nobody_can_have_it_do(desk: Desk) -> None:
    asked = [(TOLD[desk.channel], "somebody has to have it"), (NOT_THERE, "when there is no card")]
    for begin, why in asked[: 2 if desk.channel == "contact" else 1]:
        result = tried(desk.dut(), begin)
        assert result.verdict is Verdict.NOT_APPLICABLE and why in result.why


@ONCE
def test_silent_card_is_let_go_by_the_reader(desk: Desk) -> None:
    """Over every medium it keeps the reader waiting until that has had enough."""
    begin = "reader.structures.failure-of-the-medium-has-its-code[timed-out-request"
    result = tried(desk.dut(), begin)
    assert (result.verdict, result.why) == (Verdict.PASS, "")


VALUES = {
    "air": ("chunks-are-full[peripheral-185", "card-without-a-characteristic-is-left[state-notify",
            "mode-that-is-offered-has-its-uuid[without", "card-that-breaks-a-rule-is-let-go[peripheral-no-first-byte"),
    "own-air": ("connection-is-made-ready[central", "card-that-goes-on-after-its-end-is-let-go[central-data"),
}


@pytest.mark.needs("dbus")
@pytest.mark.parametrize("medium", VALUES)
def test_reader_is_met_value_by_value(medium: str, tmp_path: Path) -> None:
    with places(medium) as place, place.reading("ble", tmp_path) as desk:
        dut = desk.dut()
        for begin in VALUES[medium]:
            result = tried(dut, f"reader.ble.{begin}", close=begin is VALUES[medium][-1])
            assert (result.verdict, result.why) == (Verdict.PASS, ""), begin


BROKEN = {
    Fault.SILENT: (Verdict.INCONCLUSIVE, "did not look at the card"), Fault.ENDLESS: (Verdict.FAIL, "comes to an end"),
    Fault.LEAVES: (Verdict.FAIL, "neither a command nor a line"), Fault.NOISE: (Verdict.ERROR, "is no verdict"),
}


@ONCE
@pytest.mark.parametrize("fault", Fault)
def test_reader_that_breaks_in_one_case_is_judged_there_and_spoils_no_other(desk: Desk, fault: Fault) -> None:
    begin = "reader.presentation.reader-ends-the-session"
    hasty = {"answer_s": 2} if fault is Fault.LEAVES else {"person_s": 2} if fault is Fault.SILENT else {}
    desk.fault(fault)
    result = tried(desk.dut(**hasty), begin)
    desk.fault(None)
    verdict, why = BROKEN[fault]
    if fault is Fault.ENDLESS and desk.channel == "ble":
        why = ""  # a message that comes again is none of its session
    assert result.verdict is verdict and why in result.why, (result.verdict, result.why)
    after = tried(desk.dut(), begin)
    assert (after.verdict, after.why) == (Verdict.PASS, "")


@ONCE
def test_reader_that_never_looks_at_a_card_is_given_up(desk: Desk) -> None:
    desk.fault(Fault.SILENT)
    dut = desk.dut(person_s=1)
    for _ in range(GIVE_UP):
        assert not dut.way.given_up
        assert tried(dut, "reader.presentation.registration-asks-what-it-may").verdict is Verdict.INCONCLUSIVE
    desk.fault(None)
    assert "did not look at the card within 1 s" in dut.way.given_up


LIMITS = limits.read("""format = "vhc-bench latency limits 1"
most = 3
""" + "".join(f"""
[[limit]]
kind = "reader"
channels = ["nfc", "contact", "ble"]
segment = "{segment}"
percentile = 95
limit_ms = {limit_ms}
zone = [90, 98]
certainty = "profile"
why = "for the test"
""" for segment, limit_ms in (("found", 60_000), ("request", 0.001), ("verified", 60_000), ("written", 60_000))), "", {
    "reader": ("nfc", "contact", "ble")})


@ONCE
def test_turnaround_of_a_reader_is_measured_and_judged(desk: Desk) -> None:
    dut = desk.dut()
    found = {one.segment: one for one in timed(dut, LIMITS)}
    dut.way.close()
    assert found["request"].verdict is Verdict.FAIL and len(found["request"].samples_ns) == 2, found["request"].why
    for segment in ("found", "verified"):
        one = found[segment]
        assert one.verdict is Verdict.INCONCLUSIVE and f"about {one.more} more are needed" in one.why
        assert len(one.samples_ns) == 3 and all(0 < ns < LIMIT_S * 1e9 for ns in one.samples_ns), one.samples_ns
    assert found["written"].verdict is Verdict.NOT_APPLICABLE, "nobody has it write"


@pytest.mark.parametrize("desk", READERS[3:4], indirect=True)
def test_reader_that_falls_silent_is_slower_than_any_limit(desk: Desk) -> None:
    desk.fault(Fault.LEAVES)
    dut = desk.dut(answer_s=2)
    found = {one.segment: one for one in timed(dut, LIMITS)}
    dut.way.close()
    desk.fault(None)
    assert SILENT_NS in found["verified"].samples_ns and found["verified"].verdict is Verdict.FAIL


def test_reader_whose_verdict_nobody_sees_is_told_with_the_remedy() -> None:
    dut = Dut(suites()[Kind.READER], "nfc:udp:127.0.0.1:1", "nfc")
    result = tried(dut, "reader.nfc.negotiated-handover-is-answered")
    assert result.verdict is Verdict.ERROR and 'give log = "FILE" in the PIXIT' in result.why


def test_reader_in_whose_slot_our_card_lies_is_tried_as_phone_and_as_chip() -> None:
    found = duts(["reader=vpcd:"])[Kind.READER]
    assert sorted(dut.channel for dut in found) == ["contact", "nfc"]
    assert found[0].way.place == found[1].way.place, "one worker tries both"


@pytest.mark.parametrize("where", ["nowhere", "127.0.0.1:", ":35963", "127.0.0.1:0", "127.0.0.1:99999"])
def test_slot_that_is_none_is_told(where: str) -> None:
    with pytest.raises(UsageError, match="vpcd:HOST:PORT"):
        duts([f"reader=vpcd:{where}"])


def test_reference_reader_passes_by_contact_what_real_ones_are_tried_in() -> None:
    """A tenth of it: in this process the suite tries by contact only what names it."""
    suite, world = suites()[Kind.READER], World(1)
    there = [case for case in cases() if case.kind is Kind.READER and suite.tries(case, "contact", real=True)]
    for case in there[::10]:
        result = perform(case, lambda tried: suite.tester(suite.reference(world, "contact", tried.id), world, tried.id))
        assert result.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE), (case.id, result.why)
