"""Hands: steps that only a person can do with a device under test, asked for with a time limit.

    hands.ask(Step.TAP, 30.0, seen=reader.has_card, about="wallet over nfc")

True when it was done: the person said so, or ``seen`` did. False when the time was over, or the person says that it cannot be
done; then a case cannot come to its point. There is a person before the terminal, a program of the laboratory's (a robot's
finger, a relay), or nobody: then the cases that need one are not applicable, and the report says why.
"""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import shutil
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.hands_screen import STEPS, Step, Words, screen, typing_screen
from virtual_devices.errors import LinkError, UsageError

TERMINAL = Path("/dev/tty")
TICK_S = 0.1
_ENTER_SCREEN, _LEAVE_SCREEN, _HOME = "\x1b[?1049h\x1b[?25l\a", "\x1b[?25h\x1b[?1049l", "\x1b[H"
_DONE, _CANNOT = b"\r\n ", b"nN\x1b"
_ENTER, _BACK, _ESCAPE = b"\r\n", b"\x7f\x08", b"\x1b"
MOST_TYPED_BYTES = 400


class NoHandsError(LinkError):
    """A step was asked for, and there is nobody to do it."""


def unseen() -> bool:
    """The bench cannot see by itself whether the step was done."""
    return False


class Hands(Protocol):
    """Who does the steps. ``why_none``: why nobody does, empty when somebody does."""

    @property
    def why_none(self) -> str: ...

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        """Whether the step was done within the limit. Raises NoHandsError where there is nobody."""
        ...


@runtime_checkable
class Typist(Hands, Protocol):
    """Who also types what comes of an act."""

    def typed(self, act: tuple[Words, Words], prompt: tuple[str, str], limit_s: float) -> str | None:
        """What was typed once the act was done, in English and Chinese; None: it cannot be done. Raises TimeoutError, and
        NoHandsError where there is nobody."""
        ...


class Nobody:
    """No person: a pipeline, or ``--no-hands``."""

    def __init__(self, why: str) -> None:
        self.why_none = why

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        raise NoHandsError(f"{STEPS[step][0].says} {self.why_none}")

    def typed(self, act: tuple[Words, Words], prompt: tuple[str, str], limit_s: float) -> str | None:
        raise NoHandsError(f"{act[0].says} {self.why_none}")


class Person:
    """A person before the terminal of this process, also when the process is one of several that run cases: they wait for
    each other. ``terminal``: another one."""

    why_none = ""

    def __init__(self, *, chinese: bool = False, terminal: Path = TERMINAL) -> None:
        self._chinese = chinese
        self._terminal = terminal

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        try:
            with _terminal(self._terminal) as there:
                return self._asked(there, step, limit_s, seen, about)
        except OSError as e:
            raise NoHandsError(f"{STEPS[step][0].says} The terminal is gone: {e.strerror or e}") from e

    def _asked(self, there: int, step: Step, limit_s: float, seen: Callable[[], bool], about: str) -> bool:
        begin_s = time.monotonic()
        while (left_s := begin_s + limit_s - time.monotonic()) > 0:
            size = os.get_terminal_size(there)
            lines = screen(step, left_s, limit_s, (size.columns, size.lines), about=about, chinese=self._chinese)
            _write(there, _HOME + "\r\n".join(lines))
            if seen():
                return True
            if select.select([there], [], [], TICK_S)[0]:
                key = os.read(there, 16)
                if not key or key[0] in _CANNOT:
                    return False
                if key[0] in _DONE:
                    return True
        return False

    def typed(self, act: tuple[Words, Words], prompt: tuple[str, str], limit_s: float) -> str | None:
        try:
            with _terminal(self._terminal) as there:
                return self._typing(there, act, prompt, limit_s)
        except TimeoutError:  # an OSError, too
            raise
        except OSError as e:
            raise NoHandsError(f"{act[0].says} The terminal is gone: {e.strerror or e}") from e

    def _typing(self, there: int, act: tuple[Words, Words], prompt: tuple[str, str], limit_s: float) -> str | None:
        begin_s, line = time.monotonic(), bytearray()
        while (left_s := begin_s + limit_s - time.monotonic()) > 0:
            size = os.get_terminal_size(there)
            shown = line.decode("utf-8", "ignore")
            lines = typing_screen(act, prompt, shown, left_s, limit_s, (size.columns, size.lines), chinese=self._chinese)
            _write(there, _HOME + "\r\n".join(lines))
            if select.select([there], [], [], TICK_S)[0]:
                keys = os.read(there, 256)
                if not keys or keys == _ESCAPE:
                    return None
                if keys[:1] == _ESCAPE:
                    continue  # an arrow, say
                for key in keys:
                    if key in _ENTER:
                        return line.decode("utf-8", "ignore").strip()
                    if key in _BACK:
                        line = bytearray(line.decode("utf-8", "ignore")[:-1].encode())
                    elif key >= 0x20 and len(line) < MOST_TYPED_BYTES:
                        line.append(key)
        raise TimeoutError(f"nothing was typed within {limit_s:g} s")


class Program:
    """A program of the laboratory's: called with the step, the limit in seconds and what it is about; 0 means done."""

    why_none = ""

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as e:
            raise UsageError(f"--hands {command!r}: {e}; quote it as for a shell") from None
        if not self._words:
            raise UsageError("--hands: name the program that does the steps")
        if shutil.which(self._words[0]) is None:
            raise UsageError(f"--hands {command!r}: {self._words[0]} is no program: give one on the PATH, or the path of a file "
                             "that may be executed")

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        try:
            done = subprocess.run([*self._words, step.value, f"{limit_s:g}", about], timeout=limit_s, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return False
        except OSError as e:
            raise NoHandsError(f"{self._words[0]}: {e.strerror or e}") from e
        return done.returncode == 0 or seen()

    def typed(self, act: tuple[Words, Words], prompt: tuple[str, str], limit_s: float) -> str | None:
        """Its first line on standard output; it is called with ``type``, the limit, the act, and what is to be typed."""
        command = [*self._words, "type", f"{limit_s:g}", act[0].says, prompt[0]]
        try:
            done = subprocess.run(command, timeout=limit_s, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"nothing was typed within {limit_s:g} s") from None
        except OSError as e:
            raise NoHandsError(f"{self._words[0]}: {e.strerror or e}") from e
        said = done.stdout[:MOST_TYPED_BYTES].decode("utf-8", "ignore").partition("\n")[0].strip()
        return said if done.returncode == 0 else None


class Script:
    """Answers that were settled before, in order; ``asked``: what was asked for. For tests."""

    why_none = ""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[Step, float]] = []

    def ask(self, step: Step, limit_s: float, seen: Callable[[], bool] = unseen, *, about: str = "") -> bool:
        self.asked.append((step, limit_s))
        return seen() or bool(self._answers and self._answers.pop(0))


def hands(command: str = "", *, none: bool = False, chinese: bool = False) -> Typist:
    """By what the command line says: nobody, a program, or the person before the terminal where there is one."""
    if none and command:
        raise UsageError("--hands and --no-hands exclude each other")
    if none:
        return Nobody("it needs a person's hands, and --no-hands was given")
    if command:
        return Program(command)
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return Nobody("it needs a person's hands, and there is no terminal; --hands PROGRAM names what does the steps")
    return Person(chinese=chinese)


@contextmanager
def _terminal(path: Path) -> Iterator[int]:
    """The terminal, for one question at a time of all processes: keys come at once and are not shown; as it was afterwards."""
    there = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(there, fcntl.LOCK_EX)
        before = termios.tcgetattr(there)
        try:
            tty.setcbreak(there, termios.TCSAFLUSH)
            _write(there, _ENTER_SCREEN)
            yield there
        finally:
            _write(there, _LEAVE_SCREEN)
            termios.tcsetattr(there, termios.TCSAFLUSH, before)
    except termios.error as e:
        raise OSError(*e.args) from e
    finally:
        os.close(there)


def _write(there: int, text: str) -> None:
    rest = text.encode()
    while rest:
        rest = rest[os.write(there, rest):]


__all__ = ["Hands", "NoHandsError", "Nobody", "Person", "Program", "Script", "Step", "Typist", "hands", "unseen"]
