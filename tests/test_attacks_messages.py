"""A presentation's messages with a bit flipped in every byte (in heads and keys every bit), whole and in NFC APDUs; and chains
that are cut, doubled or out of order. The phone never raises, nothing leaves, nothing changes but that the session is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import pytest

from virtual_devices.holder.session import HolderSession, State
from virtual_devices.mdoc import session
from virtual_devices.mdoc.nfc_applications import Applications
from virtual_devices.mdoc.nfc_retrieval import AID, Retrieval, envelopes, unwrap
from virtual_devices.mdoc.session import SessionData
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.mdoc.type4 import select
from virtual_devices.wallet.consent import State as Consented
from virtual_devices.wallet.consent import Use

from . import fuzz_seeds as seeds
from .desk import NOW_NS
from .wallets import EVERYTHING, phone


@lru_cache
def messages() -> tuple[bytes, bytes]:
    """Two requests of one session, whose keys do not change."""
    opened = seeds.opened()
    cipher = opened.cipher()
    first = session.establishment(opened.transcript.reader_key_bytes, cipher.seal(seeds.requests()[0]))
    return first, SessionData(cipher.seal(seeds.requests()[1])).to_bytes()


class Victim:
    """A phone whose holder has armed everything, engaged in that session as often as one likes."""

    def __init__(self) -> None:
        self.phone = phone()
        self.before = self.state()

    def state(self) -> object:
        made = self.phone
        return made.records().generation, made.records().all(), made.keystore.names(), made.log.entries()

    def engaged(self) -> HolderSession:
        made = self.phone
        made.end_session()
        made.consent.power_on()
        made.holder.show_biometric(True, NOW_NS)
        assert made.arm(Use.TREATMENT, EVERYTHING, NOW_NS)
        return made.engaged(seeds.opened().shown, seeds.DEVICE_KEY)

    def over_nfc(self) -> Applications:
        running = self.engaged()
        return Applications(Retrieval(lambda message: running.handle(message, NOW_NS)))


@pytest.fixture(scope="module")
def victim() -> Victim:
    return Victim()


def shows(answer: bytes) -> bool:
    """Whether something sealed is in an answer."""
    if not answer:
        return False
    try:
        return session.read_data(answer).data is not None
    except MalformedMdoc:
        raise AssertionError(f"not a session message: {answer.hex()}") from None


def flipped(raw: bytes, positions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """By number of the bit."""
    for bit in positions:
        yield bit, raw[: bit // 8] + bytes((raw[bit // 8] ^ 1 << bit % 8,)) + raw[bit // 8 + 1 :]


def bits(raw: bytes, part: int, parts: int) -> range:
    """A share of the positions: a bit of each byte, another one from byte to byte; all of the first 110 bytes, which hold the
    key and the lengths."""
    return range(part, min(len(raw), 110) * 8, parts)


def one_a_byte(raw: bytes, part: int, parts: int) -> list[int]:
    return [byte * 8 + byte * 5 % 8 for byte in range(part, len(raw), parts)]


PARTS = 4


def test_good_messages_are_answered(victim: Victim) -> None:
    """Without it a phone that is deaf would pass."""
    running = victim.engaged()
    assert all(shows(running.handle(raw, NOW_NS)) for raw in messages())
    nfc = victim.over_nfc()
    assert shows(unwrap(answer_of(nfc, apdus())[:-2]))
    victim.before = victim.state()


@pytest.mark.parametrize("part", range(PARTS))
def test_first_message_with_any_bit_flipped_shows_nothing(victim: Victim, part: int) -> None:
    victim.before, first = victim.state(), messages()[0]
    for bit, raw in flipped(first, sorted({*bits(first, part, PARTS), *one_a_byte(first, part, PARTS)})):
        running = victim.engaged()
        assert not shows(running.handle(raw, NOW_NS)), f"bit {bit}"
        assert running.state is State.ENDED and victim.phone.consent.state is Consented.ARMED
        assert running.handle(first, NOW_NS) == session.TERMINATION  # nor does the true one any more
    assert victim.state() == victim.before


@pytest.mark.parametrize("part", range(PARTS))
def test_later_message_with_any_bit_flipped_shows_nothing_and_ends_the_session(victim: Victim, part: int) -> None:
    """The first is no request and is answered so, sealed: the session is open, and nothing has been asked yet."""
    cipher, opened = seeds.opened().cipher(), seeds.opened()
    first = session.establishment(opened.transcript.reader_key_bytes, cipher.seal(b"\xa0"))
    second = SessionData(cipher.seal(seeds.requests()[0])).to_bytes()
    victim.before = victim.state()
    for bit, raw in flipped(second, one_a_byte(second, part, PARTS)):
        running = victim.engaged()
        assert shows(running.handle(first, NOW_NS)) and running.state is State.OPEN
        assert not shows(running.handle(raw, NOW_NS)) and running.state is State.ENDED, f"bit {bit}"
    assert victim.state() == victim.before


def test_truncated_at_every_length_shows_nothing(victim: Victim) -> None:
    first = messages()[0]
    for length in range(0, len(first), 3):
        running = victim.engaged()
        assert not shows(running.handle(first[:length], NOW_NS)) and running.state is State.ENDED


# -- in APDUs

@lru_cache
def apdus() -> list[bytes]:
    return [select(AID).to_bytes(), *(command.to_bytes() for command in envelopes(messages()[0], 255, 65536))]


def answer_of(applications: Applications, commands: Iterable[bytes]) -> bytes:
    answer = b""
    for command in commands:
        found = applications.handle(command)
        assert found is not None and len(found) >= 2
        answer = found
    return answer


def nothing_shown(applications: Applications, commands: list[bytes]) -> None:
    for command in commands:
        found = applications.handle(command)
        assert found is not None and len(found) >= 2, command.hex()
        if len(found) > 2:
            assert not shows(unwrap(found[:-2]))


@pytest.mark.parametrize("part", range(PARTS))
def test_command_with_any_bit_flipped_shows_nothing(victim: Victim, part: int) -> None:
    """Every bit of the headers, one of each byte of the data. What makes no difference is named: Le, and the tag's P2."""
    victim.before, whole = victim.state(), apdus()
    harmless = 0
    for number, command in enumerate(whole):
        head = range(7 * 8)
        for _, raw in flipped(command, [b for b in sorted({*head, *one_a_byte(command, 0, 1)}) if b % PARTS == part]):
            if _differs_in_le_or_p2(command, raw):
                harmless += 1
                continue
            applications = victim.over_nfc()
            nothing_shown(applications, [*whole[:number], raw, *whole[number + 1 :]])
    assert victim.state() == victim.before and harmless < 40


def _differs_in_le_or_p2(command: bytes, raw: bytes) -> bool:
    """SELECT: P2 may ask for no answer, Le is not looked at. The last ENVELOPE: Le says how much of the answer comes at once."""
    at = next(n for n, (a, b) in enumerate(zip(command, raw, strict=True)) if a != b)
    return (command[1] == 0xA4 and at in (3, len(command) - 1)) or (command == apdus()[-1] and at >= len(command) - 2)


def test_chain_that_is_cut_doubled_or_out_of_order_shows_nothing(victim: Victim) -> None:
    whole = apdus()
    victim.before = victim.state()
    for at in range(1, len(whole) - 1):
        exchanged = [*whole[:at], whole[at + 1], whole[at], *whole[at + 2 :]]
        for changed in (whole[:at] + whole[at + 1 :], whole[: at + 1] + whole[at:], exchanged):
            nothing_shown(victim.over_nfc(), changed)
    nothing_shown(victim.over_nfc(), whole[:-1])
    assert victim.state() == victim.before


