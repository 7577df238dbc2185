"""Segments of a presentation: each row's time goes into one, and the definition is the same for every channel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._presentation import DeskAndPhone
from virtual_devices.segments import Seen, Segment, parts, presentations, seen
from virtual_devices.trace import ActRow, Row

from .run_directories import ACT, EXCHANGE

WALLET = Seen(0, "s", "wallet", "nfc", "virtual", "measured", "present virtual card", 0, 10, -1, True, b"\x00\xc3")


def segments_of(row: Seen) -> dict[Segment, int]:
    return {segment: ns for segment, ns in parts(row) if ns}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (replace(WALLET, step="find phone"), {Segment.FOUND: 10}),
        (replace(WALLET, step="connect", channel="ble"), {Segment.FOUND: 10}),
        (replace(WALLET, step="engage by NFC"), {Segment.ENGAGED: 10}),
        (replace(WALLET, step="scan QR code", role="screen", channel="qr"), {Segment.ENGAGED: 10}),
        (replace(WALLET, head=b"\x10\xc3"), {Segment.REQUEST: 10}),
        (WALLET, {Segment.RESPONSE: 10}),
        (replace(WALLET, head=b"\x00\xc0"), {Segment.RESPONSE: 10}),
        (replace(WALLET, channel="ble", head=b"\xa1\x64", sent_ns=4), {Segment.REQUEST: 4, Segment.RESPONSE: 6}),
        (replace(WALLET, channel="ble", head=b""), {Segment.RESPONSE: 10}),
        (replace(WALLET, sent_ns=40), {Segment.REQUEST: 10}),
        (replace(WALLET, step="write virtual card", head=b"\x10\xc3"), {Segment.WRITTEN: 10}),
        (replace(WALLET, step="end session"), {Segment.CLOSED: 10}),
        (replace(WALLET, role="sam", step="sign request"), {Segment.SIGNED: 10}),
        (replace(WALLET, role="cloud", step="get sequence number online"), {}),
        (seen(replace(ACT, duration_ns=10)), {Segment.HUMAN: 10}),
    ],
)
def test_row_goes_into_its_segment(row: Seen, expected: dict[Segment, int]) -> None:
    assert segments_of(row) == expected


@given(st.integers(0, 2**40), st.integers(-1, 2**41), st.binary(max_size=2), st.sampled_from(["a", "connect", "end session"]))
def test_no_time_of_a_row_is_lost_or_counted_twice(duration_ns: int, sent_ns: int, head: bytes, step: str) -> None:
    row = replace(WALLET, duration_ns=duration_ns, sent_ns=sent_ns, head=head, step=step)
    assert sum(ns for _, ns in parts(row)) == duration_ns


def session(*rows: Seen) -> list[Seen]:
    """One after the other, 5 ns apart."""
    at_ns, placed = 0, []
    for row in rows:
        placed.append(replace(row, at_ns=at_ns))
        at_ns += row.duration_ns + 5
    return placed


ENGAGE = replace(WALLET, step="engage by NFC")
FETCH = replace(WALLET, head=b"\x00\xc0")


def test_time_between_the_whole_answer_and_the_next_act_is_verification() -> None:
    (one,) = presentations(session(ENGAGE, WALLET, FETCH, FETCH, replace(WALLET, step="end session")))
    assert (one.ns[Segment.RESPONSE], one.ns[Segment.VERIFIED], one.ns[Segment.CLOSED]) == (30, 5, 10)
    assert one.whole and (one.channel, one.provenance) == ("nfc", "measured")


def test_session_without_engagement_is_no_presentation() -> None:
    assert list(presentations(session(WALLET, FETCH))) == []
    card = replace(WALLET, role="card", step="read basic data")
    assert list(presentations(session(card, card))) == []


def test_presentation_that_broke_off_is_told() -> None:
    (one,) = presentations(session(ENGAGE, replace(WALLET, replied=False)))
    assert not one.whole


def test_sessions_are_kept_apart() -> None:
    two = [*session(ENGAGE, WALLET), *(replace(row, session="t") for row in session(ENGAGE, FETCH))]
    assert [one.session for one in presentations(two)] == ["s", "t"]


@pytest.mark.parametrize("medium", ["nfc", "ble"])
def test_real_presentation_has_its_segments_on_every_channel(medium: str) -> None:
    place, rows = DeskAndPhone(medium), list[Row]()
    place.consent("registration")
    place.run(place.present("registration"), rows.append)
    timed = [
        replace(seen(row), at_ns=5 * n, duration_ns=1, session="s")
        for n, row in enumerate(rows) if not isinstance(row, ActRow) and hasattr(row, "request")
    ]
    (one,) = presentations(timed)
    there = {segment for segment, ns in one.ns.items() if ns}
    assert {Segment.ENGAGED, Segment.FOUND, Segment.SIGNED, Segment.RESPONSE, Segment.CLOSED, Segment.VERIFIED} <= there
    assert one.channel == medium
    assert sum(ns for s, ns in one.ns.items() if s is not Segment.VERIFIED) == len(timed)


def test_row_is_seen_as_it_is() -> None:
    assert seen(replace(EXCHANGE, sent_ns=3)).head == b"\x00\xa4" and seen(EXCHANGE).replied
