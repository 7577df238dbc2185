"""The one grammar of faults: what each kind does to an exchange, when it strikes, and what it refuses to be."""

from __future__ import annotations

from random import Random

import pytest

from bench.presenting import sample_card
from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import NS, VirtualClock, seconds
from virtual_devices.codes import lookup
from virtual_devices.faults import KINDS, Fault, FaultyLink, Injector, Strike, day_seconds
from virtual_devices.link import RESET, Outcome
from virtual_devices.network import Contact, ContactMedium, ModelledLink

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


@pytest.mark.parametrize("role", ["card", "cloud"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_kind_has_a_code_of_the_field(kind: str, role: str) -> None:
    more = {"start": "09:00", "end": "10:00"} if kind == "outage" else {"extra_ms": 1.0} if kind == "delay" else {}
    share = {} if kind == "outage" else {"share": 0.5}
    space, code = Fault("f", kind, role, **share, **more).code().split(":")  # type: ignore[arg-type]
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
