"""Hands: what a person is asked, through a real pseudo-terminal; a program in their place; and cases when nobody is there."""

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from rich.cells import cell_len

from bench.duts import Dut
from bench.hands import Nobody, NoHandsError, Person, Program, Script, Step, hands
from bench.hands_screen import STEPS, screen
from bench.reach import Means
from conformance.case import Kind, Nature, case, cases_of
from conformance.kinds import suites
from conformance.tester import Tester
from virtual_devices.errors import UsageError

from .pseudo_terminal import pseudo_terminal

SIZE = 80, 24


@pytest.fixture
def seat() -> Iterator[tuple[int, Path]]:
    """The person's end of a terminal, and the path of the bench's."""
    with pseudo_terminal(*SIZE) as ends:
        yield ends


def asked(seat: tuple[int, Path], answer: Callable[[int], object], limit_s: float = 30.0, **more: object) -> tuple[bool, str]:
    """What came of one question, and all that was written to the terminal until then. ``answer`` acts when it is shown."""
    near, far = seat
    done: list[bool] = []
    person = Person(chinese=bool(more.pop("chinese", False)), terminal=far)
    thread = Thread(target=lambda: done.append(person.ask(Step.TAP, limit_s, about="wallet over nfc", **more)))  # type: ignore[arg-type]
    thread.start()
    shown = b""
    while "wallet over nfc" not in shown.decode(errors="ignore"):
        shown += os.read(near, 65536)
    answer(near)
    while thread.is_alive() or select.select([near], [], [], 0)[0]:
        if select.select([near], [], [], 0.01)[0]:
            shown += os.read(near, 65536)
    thread.join()
    return done[0], shown.decode(errors="ignore")


@pytest.mark.parametrize(("key", "done"), [(b"\n", True), (b" ", True), (b"n", False), (b"\x1b", False)])
def test_key_says_whether_it_was_done_and_the_terminal_is_as_before(seat: tuple[int, Path], key: bytes, done: bool) -> None:
    before = termios.tcgetattr(seat[0])
    found, shown = asked(seat, lambda near: os.write(near, key))
    assert found is done
    assert "請將裝置靠近讀卡機" in shown
    assert shown.endswith("\x1b[?25h\x1b[?1049l")
    assert termios.tcgetattr(seat[0]) == before


def test_what_the_bench_sees_by_itself_needs_no_key(seat: tuple[int, Path]) -> None:
    looks = iter([False, True])
    assert asked(seat, lambda _: None, seen=lambda: next(looks, True))[0] is True


def test_time_that_is_over_is_not_done(seat: tuple[int, Path]) -> None:
    assert asked(seat, lambda _: None, limit_s=0.05)[0] is False


def test_other_keys_say_nothing(seat: tuple[int, Path]) -> None:
    assert asked(seat, lambda near: os.write(near, b"x"), limit_s=0.2)[0] is False


@pytest.mark.parametrize(("size", "chinese"), [(SIZE, True), ((120, 40), False), ((40, 14), False)])
@pytest.mark.parametrize("step", Step)
def test_screen_says_the_step_in_both_languages_and_fills_the_terminal(step: Step, size: tuple[int, int], chinese: bool) -> None:
    lines = screen(step, 17.2, 30.0, size, about="card over contact", chinese=chinese)
    assert (len(lines), {cell_len(line) for line in lines}) == (size[1], {size[0]})
    whole = "".join(line.strip() for line in lines).replace(" ", "")
    for words in STEPS[step]:
        assert words.says.replace(" ", "") in whole
    assert "18" in whole


def test_headline_is_large_where_there_is_room() -> None:
    small, wide = (sum(any(c in "▀▄" for c in line) for line in screen(Step.ENTER_PIN, 9, 30, size, chinese=True))
                   for size in ((40, 14), SIZE))
    assert (small, wide > 6) == (0, True)


def test_bar_becomes_shorter() -> None:
    bars = ["".join(screen(Step.TAP, left, 30, SIZE)).count("░") for left in (30, 20, 10, 0)]
    assert bars == [0, 20, 40, 60]


def test_program_does_the_step_in_place_of_a_person(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    script = f"import sys; open({str(heard)!r}, 'w').write(' '.join(sys.argv[1:])); sys.exit(sys.argv[1] != 'tap')"
    robot = Program(f'{sys.executable} -c "{script}"')
    assert robot.ask(Step.TAP, 5.0, about="wallet") is True
    assert heard.read_text() == "tap 5 wallet"
    assert robot.ask(Step.REMOVE, 5.0) is False


def test_program_that_is_too_slow_or_has_gone_is_told(tmp_path: Path) -> None:
    assert Program("sleep 5").ask(Step.TAP, 0.05) is False
    (file := tmp_path / "nothing-there").touch(mode=0o755)
    gone = Program(str(file))
    file.unlink()
    with pytest.raises(NoHandsError, match="nothing-there"):
        gone.ask(Step.TAP, 1.0)


@pytest.mark.parametrize("wrong", ["/nothing-there", "nothing-on-the-path --fast", "tap 'twice", "''", " "])
def test_program_that_cannot_be_called_is_refused_before_anything_starts(wrong: str) -> None:
    with pytest.raises(UsageError, match="--hands"):
        hands(wrong)


def test_nobody_is_asked_in_vain() -> None:
    with pytest.raises(NoHandsError, match="--no-hands"):
        hands(none=True).ask(Step.TAP, 1.0)
    with pytest.raises(UsageError, match="exclude"):
        hands("robot", none=True)
    with pytest.raises(NoHandsError, match="terminal is gone"):
        Person(terminal=Path("/nothing-there")).ask(Step.TAP, 1.0)


def test_script_gives_its_answers_in_order() -> None:
    script = Script(True, False)
    assert [script.ask(Step.TAP, 1.0), script.ask(Step.REMOVE, 2.0), script.ask(Step.AGREE, 3.0)] == [True, False, False]
    assert script.asked == [(Step.TAP, 1.0), (Step.REMOVE, 2.0), (Step.AGREE, 3.0)]


def _with_hands(wallet: Tester) -> None:
    """Something is shown."""


_with_hands.__name__ = "test_something"


@pytest.mark.parametrize(("moniker", "who", "why"), [
    ("nfc:usb", hands(none=True), "it needs a person's hands, and --no-hands was given"), ("nfc:usb", Script(), ""),
    ("virtual", Nobody("none"), ""),
])
def test_case_that_needs_hands_is_not_applicable_without_them(moniker: str, who: Script | Nobody, why: str) -> None:
    (found,) = cases_of(case("P-SES-01", nature=Nature.MEDIUM, zh="某事", hands=True)(_with_hands), "test_wallet_things")
    assert Dut(suites()[Kind.WALLET], moniker, "nfc", means=Means(hands=who)).rules_out(found) == why
