"""The one grammar of faults: what each kind does to an exchange, when it strikes, and what it refuses to be."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bench.presenting import sample_card
from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import NS, VirtualClock, seconds
from virtual_devices.codes import lookup
from virtual_devices.faults import KINDS, Fault, FaultKind, FaultyLink, Injector, Strike, day_seconds
from virtual_devices.link import RESET, Attempt, Outcome
from virtual_devices.network import Contact, ContactMedium, Delay, Line, ModelledLink, Network

from .chips import PUBLIC

READ = bytes.fromhex(PUBLIC)


class Desk:
    """A card behind a faulty link at a stated time of day."""

    def __init__(self, *faults: Fault, at: str = "09:00", seed: int = 1) -> None:
        self.clock = VirtualClock(seconds(day_seconds(at)))
        self.card: IcCard = sample_card(1)
        self.strikes: list[Strike] = []
        inner = ModelledLink(self.card, ContactMedium(Contact(), Random(1)), self.clock)
        self.link = FaultyLink(inner, "card", Injector(faults, 0, Random(seed)), self.clock, self.strikes, self.card)


def always(kind: str, **more: object) -> Fault:
    share = {"share": 1.0} if "share" in KINDS[kind].takes else {}
    return Fault("f", kind, "card", **{**share, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "outcome", "duration_ns"),
    [
        (always("loss_before"), Outcome.REQUEST_LOST, 2 * NS),
        (always("loss_after"), Outcome.REPLY_LOST, 2 * NS),
        (always("garble"), Outcome.GARBLED, None),
        (always("hang"), Outcome.TIMED_OUT, 2 * NS),
        (always("tear"), Outcome.GONE, None),
        (always("outage", start="08:00", end="10:00"), Outcome.REQUEST_LOST, 2 * NS),
        (always("delay", extra_ms=5000), Outcome.TIMED_OUT, 2 * NS),
    ],
)
def test_fault_ends_the_exchange_as_its_kind_says(fault: Fault, outcome: Outcome, duration_ns: int | None) -> None:
    desk = Desk(fault)
    desk.link._inner.attempt(RESET, 1.0)
    attempt = desk.link.attempt(READ, 2.0)
    assert attempt.outcome is outcome
    assert attempt.fault == "f"
    assert duration_ns is None or attempt.duration_ns == duration_ns
    assert [s.fault.id for s in desk.strikes] == ["f"]


def test_delay_within_the_limit_only_comes_later() -> None:
    desk, quiet = Desk(always("delay", extra_ms=500)), Desk()
    for each in (desk, quiet):
        each.link._inner.attempt(RESET, 1.0)
    late, usual = desk.link.attempt(READ, 2.0), quiet.link.attempt(READ, 2.0)
    assert late.reply == usual.reply
    assert late.duration_ns - usual.duration_ns == 500_000_000


@pytest.mark.parametrize("kind", ["tear", "hang"])
def test_card_stays_away_until_it_is_restarted(kind: str) -> None:
    desk = Desk(always(kind, limit=1))
    desk.link._inner.attempt(RESET, 1.0)
    first = desk.link.attempt(READ, 1.0)
    again = desk.link.attempt(READ, 1.0)
    assert first.outcome is again.outcome is not Outcome.REPLIED
    assert desk.link.attempt(RESET, 1.0).outcome is Outcome.REPLIED
    assert desk.link.attempt(READ, 1.0).outcome is Outcome.REPLIED
    assert len(desk.strikes) == 1


def test_connecting_restarts_and_can_be_struck_as_a_reset() -> None:
    desk = Desk(always("hang", limit=1))
    assert desk.link.connect_to(b"engagement", 1.0).outcome is Outcome.TIMED_OUT
    assert desk.link.attempt(READ, 1.0).outcome is Outcome.TIMED_OUT
    assert desk.link.connect_to(b"engagement", 1.0).outcome is Outcome.REPLIED
    assert desk.link.attempt(READ, 1.0).outcome is Outcome.REPLIED


def test_answer_due_inside_an_outage_is_lost() -> None:
    desk = Desk(Fault("f", "outage", "card", start="09:00:01", end="10:00"))
    desk.link._inner.attempt(RESET, 1.0)
    desk.clock.advance_to(desk.clock.now_ns() + NS - 1)  # the question still gets through
    attempt = desk.link.attempt(READ, 1.0)
    assert (attempt.outcome, attempt.fault) == (Outcome.REPLY_LOST, "f")


def test_fault_strikes_in_its_window_and_its_steps_only() -> None:
    fault = always("loss_before", start="09:00", end="09:30", steps=("read basic data",))
    early, late, there = Desk(fault, at="08:59:59"), Desk(fault, at="09:30"), Desk(fault, at="09:00")
    for desk in (early, late, there):
        desk.link.step = "read basic data"
        desk.link._inner.attempt(RESET, 1.0)
    assert early.link.attempt(READ, 1.0).outcome is Outcome.REPLIED
    assert late.link.attempt(READ, 1.0).outcome is Outcome.REPLIED
    assert there.link.attempt(READ, 1.0).outcome is Outcome.REQUEST_LOST
    there.link.step = "write fees"
    assert there.link.attempt(READ, 1.0).outcome is Outcome.REPLIED


def test_fault_strikes_as_often_as_its_limit() -> None:
    desk = Desk(always("loss_before", limit=2))
    desk.link._inner.attempt(RESET, 1.0)
    outcomes = [desk.link.attempt(READ, 1.0).outcome for _ in range(4)]
    assert [o is Outcome.REPLIED for o in outcomes] == [False, False, True, True]


def test_share_is_the_chance_of_a_stroke() -> None:
    injector = Injector([Fault("f", "loss_before", "card", share=0.1)], 0, Random(3))
    struck = sum(injector.pick("card", "", i) is not None for i in range(20_000))
    assert struck / 20_000 == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "role"), [(kind, role) for kind in sorted(KINDS) for role in ("card", "cloud") if KINDS[kind].only_on in ("", role)],
)
def test_kind_has_a_code_of_the_field(kind: str, role: str) -> None:
    more: dict[str, Any] = {"start": "09:00", "end": "10:00"} if kind == "outage" else dict.fromkeys(KINDS[kind].takes, 0.5)
    space, code = Fault("f", kind, role, **more).code().split(":")  # type: ignore[arg-type]
    assert lookup(code, space).known


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"kind": "tear", "share": 1.5}, "share must be at most 1"),
        ({"kind": "tear"}, "needs share"),
        ({"kind": "outage", "share": 0.5, "start": "09:00", "end": "10:00"}, "takes no share"),
        ({"kind": "outage"}, "needs start"),
        ({"kind": "outage", "start": "09:00"}, "needs end"),
        ({"kind": "delay", "share": 0.1}, "needs extra_ms"),
        ({"kind": "delay", "share": 0.1, "extra_ms": -4.0}, "extra_ms must be at least 0, is -4"),
        ({"kind": "tear", "share": 0.1, "extra_ms": 5.0}, "takes no extra_ms"),
        ({"kind": "tear", "share": 0.1, "start": "10:00", "end": "09:00"}, "later than start"),
        ({"kind": "tear", "share": 0.1, "start": "9"}, "HH:MM"),
        ({"kind": "tear", "share": 0.1, "end": "25:00"}, "hours 00 to 24"),
        ({"kind": "tear", "share": 0.1, "limit": -1}, "limit must be at least 0"),
    ],
)
def test_fault_that_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Fault(id="f", on="card", **wrong)  # type: ignore[arg-type]


# -- the way to the data centre


class Echo:
    """Says which time it was asked at."""

    atr = b""

    def power_on(self) -> bytes:
        return b""

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return now_ns.to_bytes(8, "big") * 16

    def power_off(self) -> None:
        return


class Way:
    """A data centre behind a faulty line that takes no time of its own."""

    def __init__(self, *faults: Fault) -> None:
        self.clock = VirtualClock(seconds(day_seconds("09:00")))
        quick = Network(one_way=Delay(0, 0), service=Delay(0, 0), bandwidth_kbit_s=1e9)
        self.strikes: list[Strike] = []
        self.injector = Injector(faults, 0, Random(1))
        self.inner = ModelledLink(Echo(), Line(quick, Random(1)), self.clock)

    def attempt(self) -> Attempt:
        """As one session's link: made anew for each."""
        return FaultyLink(self.inner, "cloud", self.injector, self.clock, self.strikes).attempt(b"?", 10.0)


@pytest.mark.parametrize("kind", ["dns", "tls_expired"])
def test_connection_that_is_refused_is_told_at_once(kind: FaultKind) -> None:
    attempt = Way(Fault("f", kind, "cloud", 1.0)).attempt()
    assert (attempt.outcome, attempt.duration_ns, attempt.fault) == (Outcome.GONE, 0, "f")


def test_clocks_that_differ_are_seen_by_the_data_centre_alone() -> None:
    way = Way(Fault("f", "clock_skew", "cloud", 1.0, extra_ms=60_000, limit=1))
    ahead, right = way.attempt(), way.attempt()
    assert ahead.reply is not None and right.reply is not None
    told = [int.from_bytes(a.reply[:8], "big") - way.clock.now_ns() for a in (ahead, right)]  # type: ignore[index]
    assert told == [60 * NS, 0]


def test_half_open_connection_loses_the_first_message_after_a_silence() -> None:
    way = Way(Fault("f", "half_open", "cloud", extra_ms=30_000))
    assert way.attempt().outcome is Outcome.REPLIED  # a new connection
    way.clock.advance_to(way.clock.now_ns() + 29 * NS)
    assert way.attempt().outcome is Outcome.REPLIED
    way.clock.advance_to(way.clock.now_ns() + 31 * NS)
    assert way.attempt().outcome is Outcome.REQUEST_LOST
    way.clock.advance_to(way.clock.now_ns() + 10 * NS)
    assert way.attempt().outcome is Outcome.REPLIED


def test_slow_answer_takes_its_bytes_time_or_is_given_up() -> None:
    assert Way(Fault("f", "slow", "cloud", 1.0, kbit_s=1.024)).attempt().duration_ns == pytest.approx(NS, rel=1e-3)
    assert Way(Fault("f", "slow", "cloud", 1.0, kbit_s=0.05)).attempt().outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "dns", "on": "card", "share": 1.0}, "strikes the way to the cloud only"),
        ({"kind": "slow", "on": "cloud", "share": 1.0}, "needs kbit_s above 0"),
        ({"kind": "dns", "on": "cloud", "share": 1.0, "kbit_s": 1.0}, "takes no kbit_s"),
        ({"kind": "dns", "on": "cloud", "share": 1.0, "extra_ms": 1.0}, "clock_skew, delay, half_open do"),
        ({"kind": "half_open", "on": "cloud"}, "needs extra_ms above 0"),
    ],
)
def test_fault_of_the_line_that_cannot_be_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Fault("f", **values)
