"""Who types at the desk of somebody's control software, when it asks: led over the control channel of our own presenter, done by
the adapter of the software's maker, or a person who is asked by the bench.

Each has ``expect(answers, call)``: before that call is made, what is to be typed if it asks, by what it asks for (``enter PIN``,
``enter new PIN``, ``repeat new PIN``, ``enter PUK``, ``confirm organ donation``). An empty text: whoever is asked gives up.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from bench.hands import Hands, Step
from bench.presenters import control
from bench.presenters.control import Control
from bench.presenters.hand import MEDIUM
from bench.reach.program import Program
from conformance.tester import CannotShow
from virtual_devices.errors import LinkError, PeerError
from virtual_devices.link import Outcome


class People(Protocol):
    """``slow``: an answer takes as long as a person does."""

    slow: bool

    def expect(self, answers: Mapping[str, str], call: str) -> None:
        """Raises CannotShow where nobody types, LinkError."""
        ...


class Led:
    """Those before our own presented software."""

    slow = False

    def __init__(self, channel: Control) -> None:
        self._channel = channel
        self._told: Mapping[str, str] = {}

    def expect(self, answers: Mapping[str, str], call: str) -> None:
        del call  # they type whenever they are asked
        if answers != self._told:
            try:
                self._channel.people(answers)
            except PeerError as e:
                raise LinkError(str(e)) from None
            self._told = dict(answers)


class Typing:
    """The maker's adapter types: ``{"do": "people", "answers": {...}}``."""

    slow = False

    def __init__(self, program: Program, answer_s: float, otherwise: People) -> None:
        self._program, self._answer_s, self._otherwise = program, answer_s, otherwise

    def expect(self, answers: Mapping[str, str], call: str) -> None:
        said = self._program.ask("people", self._answer_s, answers=dict(answers))
        if said.outcome is Outcome.REPLIED and said.why:
            self.slow = self._otherwise.slow
            self._otherwise.expect(answers, call)


class Asked:
    """A person at the desk, who is told what to type before the call is made."""

    slow = True

    def __init__(self, hands: Hands, person_s: float) -> None:
        self._hands, self._person_s = hands, person_s

    def expect(self, answers: Mapping[str, str], call: str) -> None:
        if self._hands.why_none:
            raise CannotShow(f"{call} asks a person: {self._hands.why_none}")
        told = "; ".join(f"{what}: {text or 'give up (取消)'}" for what, text in sorted(answers.items()))
        if not self._hands.ask(Step.ENTER_PIN, self._person_s, about=f"once {call} asks for it (軟體要求時輸入): {told}"):
            raise CannotShow(f"nobody was ready within {self._person_s:g} s to type what {call} asks for", open=True)


def led(urls: set[str]) -> Led | None:
    """Those before the software of ours that is presented at one of these addresses; None: it is none of ours."""
    for info in control.discover():
        channel = Control(info.path)
        with suppress(LinkError, PeerError):  # it may have ended since it was found
            if info.medium == MEDIUM and urls & set(channel.status().get("urls", {}).values()):
                return Led(channel)
    return None


__all__ = ["Asked", "Led", "People", "Typing", "led"]
