"""A link for one visit answers for one card: a stranger's card in the slot hears no more than who it is, whenever it came."""

from __future__ import annotations

import pytest

from bench.presenting import sample_card
from bench.reader_link import OwnCardLink, silence
from virtual_devices.card.ic_card import IcCard
from virtual_devices.link import RESET, Attempt, Outcome, Provenance

from .chips import PUBLIC, SELECT_16

READS = [bytes.fromhex(SELECT_16), bytes.fromhex(PUBLIC)]
PIN = bytes.fromhex("0020008106313233343536")
WRITE = bytes.fromhex("80DA010002CAFE")


class SwappedReader:
    """A reader whose card is exchanged before its n-th call. ``noticed``: the service says so once; else nobody notices
    before the next power-on."""

    provenance = Provenance.MEASURED
    channel = "contact"
    device = "pcsc:Swap"

    def __init__(self, own: IcCard, other: IcCard | None, swap_at: int, *, noticed: bool) -> None:
        self.protocol = ""
        self.last_error = ""
        self.heard_by_other: list[bytes] = []
        self._card: IcCard | None = own
        self._other = other
        self._left = swap_at
        self._noticed = noticed
        self._new = False

    def _call(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._card, self._new = self._other, True

    def connect(self, timeout_s: float) -> Attempt:
        self._call()
        if self._card is None:
            return self._gone("no card in the reader: insert one")
        self.protocol, self._new = "T=1", False
        return Attempt(Outcome.REPLIED, 1000, self._card.power_on())

    def reset(self, timeout_s: float) -> Attempt:
        return self.connect(timeout_s)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self._call()
        if self._card is None or not self.protocol or (self._new and self._noticed):
            return self._gone("the card was removed: insert it and connect again")
        if self._card is self._other:
            self.heard_by_other.append(message)
        return Attempt(Outcome.REPLIED, 1000, self._card.handle(message, 0))

    def _gone(self, why: str) -> Attempt:
        self.protocol, self.last_error = "", why
        return Attempt(Outcome.GONE, 0)


@pytest.mark.parametrize("swap_at", range(1, 12))
def test_stranger_that_comes_inside_a_session_hears_only_who_it_is_and_ends_it(swap_at: int) -> None:
    own, other = sample_card(1), sample_card(2)
    reader = SwappedReader(own, other, swap_at, noticed=True)
    link = OwnCardLink(reader, own)
    session = [RESET, PIN, WRITE, RESET, PIN, WRITE, RESET, PIN]
    outcomes = [link.attempt(message, 1.0).outcome for message in session]
    first_gone = outcomes.index(Outcome.GONE) if Outcome.GONE in outcomes else len(outcomes)
    assert set(outcomes[first_gone:]) <= {Outcome.GONE}, "once gone, it stays gone, whatever is in the slot"
    assert all(message in READS for message in reader.heard_by_other)
    assert Outcome.GONE in outcomes


def test_stranger_that_nobody_noticed_is_found_at_the_next_power_on() -> None:
    own, other = sample_card(1), sample_card(2)
    reader = SwappedReader(own, other, 4, noticed=False)
    link = OwnCardLink(reader, own)
    assert link.attempt(RESET, 1.0).reply == own.profile.atr
    attempt = link.attempt(RESET, 1.0)
    assert (attempt.outcome, attempt.reply) == (Outcome.GONE, None)
    assert link.trouble == "pcsc:Swap holds another card than the one put in"
    assert link.attempt(PIN, 1.0).outcome is Outcome.GONE
    assert reader.heard_by_other == READS


def test_own_card_is_answered_for_through_power_ons() -> None:
    own = sample_card(1)
    link = OwnCardLink(SwappedReader(own, None, -1, noticed=True), own)
    for _ in range(2):
        assert link.attempt(RESET, 1.0).reply == own.profile.atr
        assert link.attempt(READS[1], 1.0).reply == own.store["public"] + b"\x90\x00"
    assert link.trouble == ""


def test_card_that_was_never_powered_on_is_asked_nothing() -> None:
    own = sample_card(1)
    assert OwnCardLink(SwappedReader(own, None, -1, noticed=True), own).attempt(PIN, 1.0) == Attempt(Outcome.GONE, 0)


def test_card_of_the_same_number_with_other_data_is_another_card() -> None:
    own, other = sample_card(1), sample_card(1)
    other.store.commit({"public": own.store["public"][:-1] + b"?"})
    link = OwnCardLink(SwappedReader(other, None, -1, noticed=True), own)
    assert link.attempt(RESET, 1.0).outcome is Outcome.GONE


def test_silence_says_why_nobody_answers_and_is_empty_for_any_answer() -> None:
    own = sample_card(1)
    assert silence(SwappedReader(own, None, 1, noticed=True), 1.0) == "no card in the reader: insert one"
    assert "removed" in silence(SwappedReader(own, None, 2, noticed=True), 1.0), "a card that pcscd still believes in"
    assert silence(SwappedReader(own, None, -1, noticed=True), 1.0) == ""
    own.profile = sample_card(1, "y2025").profile
    assert silence(SwappedReader(own, None, -1, noticed=True), 1.0) == "", "a refusal is an answer"
