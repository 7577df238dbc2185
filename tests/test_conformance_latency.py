"""Latency verdicts: samples from presentations, what a silent, absent or broken device makes of them, and the limits' file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import compare
from bench.conform import command
from bench.duts import Dut
from bench.timing import limits_of, timed
from conformance import limits as files
from conformance.case import Kind
from conformance.kinds import suites
from conformance.latency import LOST_IN_A_ROW, SILENT_NS, Latency, Timing, measure
from conformance.report import Made, build, canonical, schema
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Outcome
from virtual_devices.reader.transmit import Ended
from virtual_devices.segments import Segment
from virtual_devices.trace import ExchangeRow

from .places import ROOT

CHANNELS = {"wallet": ("nfc", "ble")}
LIMIT = """
[[limit]]
kind = "wallet"
channels = ["nfc"]
segment = "response"
percentile = 95
limit_ms = 900
zone = [90, 98]
certainty = "profile"
why = "for the test"
"""
HEAD = 'format = "vhc-bench latency limits 1"\n'


def limits(text: str = LIMIT, head: str = HEAD) -> files.Limits:
    return files.read(head + text, "limits.toml", CHANNELS)


@pytest.fixture(scope="module")
def world() -> World:
    return World(1)


def row(step: str, ms: float, outcome: str = "replied", provenance: str = "modelled") -> ExchangeRow:
    reply = b"\x90" if outcome == "replied" else b""
    return ExchangeRow(0, "", "s", "conform", step, "wallet", "nfc", "virtual", provenance, 0, round(ms * 1e6), outcome, b"",
                       reply, 0, 0, "", "")


class Wallet(Tester):
    role = "wallet"


def tried(present: Callable[[Tester, int], object], text: str = LIMIT, head: str = HEAD, real: bool = False) -> Latency:
    """What becomes of the one limit when presentations are so."""
    def shown(tester: Tester, number: int, write: bool) -> None:
        present(tester, number)

    timing = Timing(("nfc",), lambda *_: None, shown)
    (found,) = measure(Kind.WALLET, "virtual", "nfc", limits(text, head), lambda _: Wallet(), timing, real=real)
    assert found.follows()
    return found


def lasting(ms: Callable[[int], float], provenance: str = "modelled") -> Callable[[Tester, int], object]:
    return lambda tester, number: tester.rows.extend([
        row("find phone", 10, provenance=provenance), row("engage by NFC", 10, provenance=provenance),
        row("consultation", ms(number), provenance=provenance),
    ])


def test_device_within_its_limit_passes_and_a_slow_one_fails() -> None:
    quick, slow = tried(lasting(lambda _: 899)), tried(lasting(lambda _: 901))
    assert (quick.verdict, len(quick.samples_ns), quick.slower, quick.more) == (Verdict.PASS, 36, 0, 0)
    assert (slow.verdict, len(slow.samples_ns), slow.slower) == (Verdict.FAIL, 2, 2)
    assert "2 of 2 slower than 900 ms" in slow.why


def test_exactly_the_limit_is_not_slower() -> None:
    assert tried(lasting(lambda _: 900)).verdict is Verdict.PASS


def test_samples_that_do_not_decide_leave_it_open_and_say_how_many_are_needed() -> None:
    found = tried(lasting(lambda n: 950 if n == 3 else 100), head=HEAD + "most = 20\n")
    assert (found.verdict, len(found.samples_ns), found.slower) == (Verdict.INCONCLUSIVE, 20, 1)
    assert found.more > 0
    assert f"about {found.more} more are needed" in found.why


def test_silent_device_is_slower_than_any_limit() -> None:
    def present(tester: Tester, number: int) -> None:
        tester.rows += [row("engage by NFC", 10), row("consultation", 20, "timed_out")]
        raise Ended("silence", "4013", "wallet", outcome=Outcome.TIMED_OUT)

    found = tried(present)
    assert (found.verdict, found.samples_ns) == (Verdict.FAIL, (SILENT_NS, SILENT_NS))


def test_device_that_leaves_says_nothing_of_its_speed() -> None:
    def present(tester: Tester, number: int) -> None:
        tester.rows.append(row("engage by NFC", 10, "gone"))
        raise Ended("taken away", "4013", "wallet", outcome=Outcome.GONE)

    found = tried(present)
    assert (found.verdict, found.samples_ns, found.lost) == (Verdict.INCONCLUSIVE, (), LOST_IN_A_ROW)
    assert "10 presentations came to nothing (taken away [4013])" in found.why


def test_device_that_refuses_says_nothing_of_its_speed_either() -> None:
    def present(tester: Tester, number: int) -> None:
        lasting(lambda _: 10)(tester, number)
        tester.expect("it shows its card", False)

    assert tried(present).verdict is Verdict.INCONCLUSIVE


def test_presentation_lost_now_and_then_is_left_out() -> None:
    def present(tester: Tester, number: int) -> None:
        if number % 3 == 0:
            raise Ended("taken away", "4013", "wallet", outcome=Outcome.GONE)
        lasting(lambda _: 10)(tester, number)

    found = tried(present)
    assert (found.verdict, len(found.samples_ns), found.lost) == (Verdict.PASS, 36, 17)


def test_broken_bench_is_no_verdict_on_the_device() -> None:
    def present(tester: Tester, number: int) -> None:
        raise LinkError("the reader was pulled out")

    found = tried(present)
    assert (found.verdict, found.why) == (Verdict.ERROR, "LinkError: the reader was pulled out")


def test_stand_in_never_makes_a_real_devices_verdict() -> None:
    assert tried(lasting(lambda _: 10), real=True).verdict is Verdict.ERROR
    assert tried(lasting(lambda _: 10, "measured"), real=True).verdict is Verdict.PASS


def test_segment_that_a_device_does_not_have_is_not_applicable() -> None:
    found = tried(lasting(lambda _: 10), LIMIT.replace('"response"', '"written"'))
    assert (found.verdict, found.more) == (Verdict.NOT_APPLICABLE, 0)


@pytest.mark.parametrize("channel", ["nfc", "ble"])
def test_reference_wallet_keeps_the_limits_of_the_example_and_twice_the_same(world: World, channel: str) -> None:
    dut = Dut(suites()[Kind.WALLET], "virtual", channel)
    found = timed(dut, limits_of("example"))
    assert {each.verdict for each in found} == {Verdict.PASS}
    assert all(each.follows() for each in found)
    short = files.Limits.model_validate({**limits_of("example").model_dump(), "most": 3})
    assert [each.samples_ns for each in timed(dut, short)] == [each.samples_ns[:3] for each in found]


@pytest.mark.parametrize("channel", ["contact", "contact-t0"])
def test_reference_card_keeps_the_limits_of_the_example_and_twice_the_same(world: World, channel: str) -> None:
    dut = Dut(suites()[Kind.CARD], "virtual", channel)
    short = files.Limits.model_validate({**limits_of("example").model_dump(), "most": 4})
    found = timed(dut, short)
    assert [each.samples_ns for each in timed(dut, short)] == [each.samples_ns for each in found]
    shares = {each.segment: each.samples_ns for each in found}
    assert set(shares) == {"found", "engaged", "response", "written"}
    assert all(0 < ns < 1_000_000_000 for samples in shares.values() for ns in samples)
    assert min(shares["engaged"]) > 2 * max(shares["response"]), "a SAM's certificates and proof take longer than public data"


@pytest.mark.parametrize("channel", ["nfc", "ble", "contact"])
def test_reference_reader_keeps_the_limits_of_the_example_and_twice_the_same(channel: str) -> None:
    dut = Dut(suites()[Kind.READER], "virtual", channel)
    short = files.Limits.model_validate({**limits_of("example").model_dump(), "most": 3})
    found = timed(dut, short)
    assert [each.samples_ns for each in timed(dut, short)] == [each.samples_ns for each in found]
    shares = {each.segment: each.samples_ns for each in found}
    assert all(0 < ns < each.limit_ms * 1e6 and not each.slower for each in found for ns in each.samples_ns)
    assert min(shares["request"]) > max(shares["verified"]), "the SAM signs, which takes longer than to say good-bye"
    assert min(shares["written"]) > 2 * max(shares["request"]), "SAM and professional's card sign each record"


def test_presentation_that_came_to_nothing_is_lost_and_one_that_nobody_can_have_is_trouble() -> None:
    def present(tester: Tester, number: int) -> None:
        raise CannotShow("the reader did not look at the card within 60 s", open=True)

    def never(tester: Tester, number: int) -> None:
        raise CannotShow("nobody gives it a card")

    found = tried(present)
    assert (found.verdict, found.lost, found.samples_ns) == (Verdict.INCONCLUSIVE, LOST_IN_A_ROW, ())
    assert "did not look at the card" in found.why
    assert tried(never).verdict is Verdict.ERROR


@pytest.mark.parametrize(("silent", "segment"), [("reset", "found"), ("challenge", "engaged"), ("another", "response")])
def test_card_that_falls_silent_is_slower_in_the_segment_of_that_step(silent: str, segment: str) -> None:
    class Card(Tester):
        role = "card"

    def present(tester: Tester, number: int, write: bool) -> None:
        told = [row("reset", 10), row(silent, 20, "timed_out")]
        tester.rows += [replace(each, role="card", channel="contact") for each in told]
        raise Ended("silence", "4043", "card", outcome=Outcome.TIMED_OUT)

    text = LIMIT.replace("wallet", "card").replace("nfc", "contact").replace('"response"', f'"{segment}"')
    limit = files.read(HEAD + text, "limits.toml", {"card": ("contact",)})
    timing = Timing(("contact",), lambda *_: None, present, {"reset": Segment.FOUND, "challenge": Segment.ENGAGED})
    (found,) = measure(Kind.CARD, "virtual", "contact", limit, lambda _: Card(), timing)
    assert (found.verdict, found.samples_ns) == (Verdict.FAIL, (SILENT_NS, SILENT_NS))


@pytest.mark.parametrize("change", [
    {"verdict": Verdict.PASS}, {"slower": 1}, {"samples_ns": (1, 1)}, {"limit_ms": 2000.0}, {"alpha": 0.01},
    {"zone": (80.0, 99.0)}, {"lines": (0.0, 1.0, 0.1)},
])
def test_verdict_that_does_not_follow_from_its_samples_is_seen(change: dict[str, object]) -> None:
    failed = tried(lasting(lambda _: 901))
    assert not failed.model_copy(update=change).follows()


@pytest.mark.parametrize(("text", "says"), [
    (LIMIT.replace("95", "99"), "limit 1: Value error, the zone must hold the percentile"),
    (LIMIT.replace('"response"', '"closed"'), "limit 1: segment"), (LIMIT + "more = 1", "limit 1: more: is unknown here"),
    (LIMIT.replace('"wallet"', '"phone"'), "limit 1: kind: no 'phone' can be timed; there are wallet"),
    (LIMIT.replace('["nfc"]', '["nfc", "usb"]'), "limit 1: channels: a wallet is timed over ble, nfc, not 'usb'"),
    (LIMIT + LIMIT, "limit 2: there is one already"), (LIMIT.replace("[[limit]]", "[[limit]"), "limits.toml: "), ("", "limit"),
    (LIMIT.replace("certainty", "# "), "limit 1: certainty: Field required"), (LIMIT.replace("900", "-1"), "limit 1: limit_ms"),
])
def test_file_that_is_wrong_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(UsageError) as told:
        limits(text)
    assert str(told.value).startswith("limits.toml")
    assert says in str(told.value)


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="or the word example"):
        limits_of(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(("name", "there"), [("conformance-report", schema), ("latency-limits", files.schema)])
def test_schema_in_the_documentation_is_the_one_printed(name: str, there: Callable[[], str]) -> None:
    kept = (ROOT / "docs" / "reference" / "schema" / f"{name}.json").read_text(encoding="utf-8")
    assert kept == there(), f"vhc-bench conform --schema {name.partition('-')[0]} > docs/reference/schema/{name}.json"
    assert json.loads(kept)["additionalProperties"] is False


def test_limits_for_nothing_that_is_tried_are_told_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(HEAD + LIMIT)
    with pytest.raises(UsageError, match="no limit for what is tried: wallet over ble"):
        command.main(["--dut", "wallet=virtual", "--channel", "ble", "--latency", str(file)], standalone_mode=False)


def test_comparison_names_the_limits_that_differ(tmp_path: Path) -> None:
    slow = lasting(lambda _: 901)
    for name, found in (("before", tried(slow, LIMIT.replace("900", "1000"))), ("after", tried(slow))):
        made = build([], [found], made=Made(at="", laboratory="", python="", machine=""), bench="", seed=1, asked={})
        (tmp_path / name).write_bytes(canonical(made))
    done = CliRunner().invoke(compare.command, [str(tmp_path / "before"), str(tmp_path / "after")])
    assert (done.exit_code, "pass (1000 ms)" in done.output, "fail (900 ms)" in done.output) == (1, True, True), done.output
