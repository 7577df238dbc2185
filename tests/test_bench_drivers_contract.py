"""What every driver promises, over every medium of the table in ``media``.

Each try ends within its limit, with an outcome and, when it failed, a text for a person with the remedy; ``connect`` makes the
link usable again; nothing is left behind.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.drivers import RealLink, driver, nfc, pcsc
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import Attempt, Outcome

from .media import MEDIA, NOT_HERE, Stand, without_contract
from .processes import children, no_more_than, there, wait_until
from .toy_card import READ, SELECT, SILENCE, answer_of, hang, long
from .virtual_readers import LIMIT_S

SHORT_S = 0.3
LATE_S = 10.0
"""How late an answer may be on a machine that others use too. Nothing below waits for so long on purpose."""
CASES = {
    "lengths", "a command too long", "silence", "hung peer", "gone before", "nobody there", "another device", "garbled",
    "killed worker", "killed peer", "discover", "presented",
}
REMEDY = re.compile(r"[:;?] ?\S|again|start|insert|connect")


def over(*cases: str) -> pytest.MarkDecorator:
    """Run the test over every medium that can have the cases."""
    assert set(cases) <= CASES
    params = [
        pytest.param(name, id=name, marks=[pytest.mark.needs(*medium.tools)] if medium.tools else [])
        for name, medium in MEDIA.items() if not set(cases) & set(medium.cannot)
    ]
    return pytest.mark.parametrize("stand", params, indirect=True)


@pytest.fixture(scope="module")
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with MEDIA[request.param].stand(tmp_path_factory.mktemp("stand")) as made:
        made.insert()
        yield made


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["stand"])


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may take long to start: a busy machine is not to be taken for a hung one."""
    for each in (pcsc, nfc):
        monkeypatch.setattr(each, "CONNECT_SLACK_S", LIMIT_S)


def connected(stand: Stand) -> RealLink:
    """A link that has been heard by the card that is there now."""
    link = stand.open()
    awake(stand, link)
    return link


def awake(stand: Stand, link: RealLink) -> None:
    """Connect until the card has answered: a medium may need a moment to notice that another one has left."""
    for _ in range(3):
        ready = link.connect(LIMIT_S)
        assert ready.outcome in (Outcome.REPLIED, Outcome.GONE), link.last_error
        if ready.outcome is Outcome.REPLIED and link.attempt(stand.question, LIMIT_S).outcome is Outcome.REPLIED:
            return
    raise AssertionError(link.last_error)


def failed(link: RealLink, attempt: Attempt, *outcomes: Outcome) -> None:
    """It ended so, it says why and what to do, and nothing works before the next connect."""
    assert attempt.outcome in outcomes, (attempt, link.last_error)
    assert REMEDY.search(link.last_error), link.last_error
    again = link.attempt(READ, LIMIT_S)
    assert (again.outcome, again.duration_ns) == (Outcome.GONE, 0) and link.last_error


def test_every_driver_is_in_the_table_or_says_why_not() -> None:
    assert without_contract() == set()
    assert all(reason for reason in NOT_HERE.values())
    for name, medium in MEDIA.items():
        assert set(medium.cannot) <= CASES and all(medium.cannot.values()), name


@over()
def test_device_is_connected_and_asked(stand: Stand, name: str) -> None:
    with stand.open() as link:
        early = link.attempt(READ, LIMIT_S)
        assert (early.outcome, early.duration_ns) == (Outcome.GONE, 0) and "connect" in link.last_error
        ready = link.connect(LIMIT_S)
        assert ready.outcome is Outcome.REPLIED and ready.duration_ns > 0 and link.last_error == ""
        assert (link.device, link.provenance) == (stand.moniker, stand.provenance)
        assert link.channel in ("contact", "nfc", "ble", "qr")
        assert link.worker_pid in children() if stand.worker else link.worker_pid is None
        answer = link.attempt(stand.question, LIMIT_S)
        assert answer.reply == stand.answer and 0 < answer.duration_ns < LIMIT_S * 1e9 and link.last_error == ""
        link.disconnect()
        assert link.attempt(stand.question, LIMIT_S).outcome is Outcome.GONE
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED


@over("lengths")
def test_messages_of_every_length_arrive_whole(stand: Stand, name: str) -> None:
    with connected(stand) as link:
        for length in MEDIA[name].answers:
            assert link.attempt(answer_of(length), LIMIT_S).reply == bytes(length - 2) + b"\x90\x00", (length, link.last_error)
        for length in MEDIA[name].requests:
            digest = hashlib.sha256(long(length)).digest()
            assert link.attempt(long(length), LIMIT_S).reply == digest + b"\x90\x00", (length, link.last_error)


@over("a command too long")
def test_message_that_is_too_long_is_told_and_the_next_connect_works(stand: Stand, name: str) -> None:
    with connected(stand) as link:
        failed(link, link.attempt(bytes(MEDIA[name].too_long), LIMIT_S), Outcome.GONE, Outcome.GARBLED)
        awake(stand, link)


@over("silence")
def test_device_that_says_nothing_ends_within_the_limit(stand: Stand) -> None:
    with connected(stand) as link:
        began = time.monotonic()
        failed(link, link.attempt(SILENCE, SHORT_S), Outcome.TIMED_OUT, Outcome.GONE)
        assert time.monotonic() - began < SHORT_S + LATE_S
        awake(stand, link)


@over("hung peer")
def test_device_that_hangs_is_timed_out_and_the_next_connect_works(stand: Stand) -> None:
    with connected(stand) as link:
        card, began = stand.card, time.monotonic()
        attempt = link.attempt(hang(200), SHORT_S)
        assert SHORT_S * 0.9 <= time.monotonic() - began < SHORT_S + LATE_S
        failed(link, attempt, Outcome.TIMED_OUT)
        assert attempt.duration_ns >= SHORT_S * 0.9e9
        card.released.set()
        awake(stand, link)


@over("gone before")
def test_device_taken_away_between_two_commands_is_gone_and_comes_back(stand: Stand) -> None:
    with connected(stand) as link:
        stand.hand.eject()
        failed(link, link.attempt(stand.question, SHORT_S), Outcome.GONE, Outcome.TIMED_OUT)
        stand.insert()
        awake(stand, link)


@over("nobody there")
def test_connect_to_nothing_ends_at_its_limit_with_the_reason(stand: Stand) -> None:
    with stand.open() as link:
        stand.hand.eject()
        began = time.monotonic()
        failed(link, link.connect(SHORT_S), Outcome.GONE, Outcome.TIMED_OUT)
        assert SHORT_S * 0.9 <= time.monotonic() - began < SHORT_S + LATE_S
        coming = threading.Timer(0.1, stand.insert)
        coming.start()
        awake(stand, link)  # connect waits for it
        coming.join()


@over("another device")
def test_another_device_in_its_place_is_not_spoken_to_under_the_old_connection(stand: Stand) -> None:
    with connected(stand) as link:
        stand.insert(b"another", "2")
        assert link.attempt(READ, SHORT_S).outcome is not Outcome.REPLIED
        assert link.connect(LIMIT_S).outcome is Outcome.REPLIED, link.last_error
        assert link.attempt(READ, LIMIT_S).reply == b"another\x90\x00"
    stand.insert()


@over("garbled")
def test_answer_that_is_no_answer_is_garbled(stand: Stand) -> None:
    with connected(stand) as link:
        assert link.attempt(bytes.fromhex("80EC000000"), LIMIT_S).outcome is Outcome.GARBLED
        assert REMEDY.search(link.last_error), link.last_error
        awake(stand, link)


@over("killed worker")
def test_killed_worker_is_gone_and_connect_starts_another(stand: Stand) -> None:
    with connected(stand) as link:
        killed = link.worker_pid
        assert killed is not None
        if stand.on_show:
            assert link.attempt(SELECT, LIMIT_S).outcome is Outcome.REPLIED and stand.card.selected
        os.kill(killed, signal.SIGKILL)
        failed(link, link.attempt(stand.question, LIMIT_S), Outcome.GONE)
        awake(stand, link)
        assert not (stand.on_show and stand.card.selected)  # what the lost worker had begun is over
        assert link.worker_pid not in (None, killed) and killed not in children()


@over("killed worker", "hung peer")
def test_worker_killed_within_a_command_is_gone_and_connect_starts_another(stand: Stand) -> None:
    with connected(stand) as link:
        killed, card = link.worker_pid, stand.card
        assert killed is not None and link.attempt(SELECT, LIMIT_S).outcome is Outcome.REPLIED and card.selected

        def kill() -> None:
            card.hanging.wait(LIMIT_S)
            os.kill(killed, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        attempt = link.attempt(hang(200), LIMIT_S)
        killer.join()
        card.released.set()
        failed(link, attempt, Outcome.GONE)
        awake(stand, link)
        assert not card.selected and link.worker_pid not in (None, killed) and killed not in children()
    stand.insert()  # one that has not been released


@over("killed peer")
def test_peer_killed_within_a_command_ends_it_and_another_is_found(stand: Stand, tmp_path: Path) -> None:
    with stand.shown.peer(tmp_path) as process, stand.shown.open_to_peer() as link:
        awake(stand, link)
        killer = threading.Timer(0.2, process.kill)
        killer.start()
        failed(link, link.attempt(hang(255), 5.0), Outcome.GONE, Outcome.TIMED_OUT)
        killer.join()
        with stand.shown.peer(tmp_path):
            awake(stand, link)


@over()
def test_closed_link_leaves_nothing_and_may_be_closed_and_used_again(stand: Stand, tmp_path: Path) -> None:
    files = set(stand.hand.path.parent.iterdir())
    with connected(stand):  # the test before may have left a medium that still looks about
        pass
    before = there()
    for _ in range(2):
        link = stand.open()
        link.close()  # never connected
        link = connected(stand)
        link.close()
        link.close()
        assert link.worker_pid is None and link.attempt(stand.question, LIMIT_S).outcome is Outcome.GONE
    assert link.connect(LIMIT_S).outcome is Outcome.REPLIED
    link.disconnect()
    link.disconnect()
    link.close()
    assert wait_until(lambda: no_more_than(before), LIMIT_S)
    assert set(stand.hand.path.parent.iterdir()) == files


@over("discover")
def test_device_is_discovered_with_the_moniker_that_opens_it(stand: Stand, name: str) -> None:
    with connected(stand):
        found = {one.moniker: one for one in driver(name).discover(env=stand.env)}
    assert stand.moniker in found and found[stand.moniker].has_card and found[stand.moniker].detail
    with driver(name).open(stand.moniker.partition(":")[2], env=stand.env) as link:
        assert link.device == stand.moniker


@over()
def test_moniker_of_nothing_is_refused_with_what_is_there_or_what_to_do(stand: Stand, name: str) -> None:
    before = there()
    for spec in MEDIA[name].unknown:
        with pytest.raises((LinkError, UsageError)) as refused:
            driver(name).open(spec, env=stand.env)
        assert REMEDY.search(str(refused.value)), refused.value
    assert no_more_than(before)
