"""The person with the wallet under test: led over our presenter's control channel, or asked by the bench.

Both are ``WalletHolder`` of :mod:`conformance.wallet_under_test`.
"""

from __future__ import annotations

from bench.hands import Hands, Step
from bench.reach.hand import Hand
from conformance.tester import CannotShow
from conformance.wallet_under_test import Names
from virtual_devices.wallet.consent import Use

USES = {
    Use.REGISTRATION: ("registration", "掛號"), Use.TREATMENT: ("treatment", "看診"), Use.DISPENSING: ("dispensing", "領藥"),
    Use.NON_MEDICAL: ("another use", "其他用途"),
}


class Led:
    """The holder behind our own presenter does as told."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    def begin(self) -> None:
        """From now on the holder does nothing by themselves, and whatever they agreed to is forgotten."""
        self._do("lead")

    def prove(self) -> None:
        self._do("prove")

    def agree(self, use: Use, names: Names, *, write: bool = True, proved: bool = True) -> None:
        if proved:
            self.prove()
        self._do("agree", use=use.value, names={space: sorted(elements) for space, elements in names.items()}, write=write)

    def approve(self, use: Use, *, proved: bool = True) -> None:
        if proved:
            self.prove()
        self._do("approve", use=use.value)

    def refuse(self) -> None:
        self._do("refuse")

    @property
    def met(self) -> bool:
        """Whether a reader has the phone now."""
        return bool(self._do("look")["met"])

    def _do(self, act: str, **more: object) -> dict[str, object]:
        return self._hand.holder(act, **more)


class Asked:
    """A person at the desk holds the phone, and is asked; without one a case that needs them does not apply."""

    def __init__(self, hands: Hands, person_s: float) -> None:
        self._hands, self._person_s = hands, person_s

    def begin(self) -> None:
        """A person has agreed to nothing yet."""

    def prove(self) -> None:
        self._ask(Step.ENTER_PIN, "and nothing else (僅輸入密碼)")

    def agree(self, use: Use, names: Names, *, write: bool = True, proved: bool = True) -> None:
        del names  # whoever agrees to a use agrees to all that belongs to it
        self._must_prove(proved)
        writing = "and to writing (並同意寫入)" if write else "and not to writing (不同意寫入)"
        self._ask(Step.AGREE, f"in advance, to show everything for {_says(use)}, {writing}")

    def approve(self, use: Use, *, proved: bool = True) -> None:
        self._must_prove(proved)
        self._ask(Step.AGREE, f"now, for {_says(use)}")

    def refuse(self) -> None:
        self._ask(Step.REFUSE, "")

    def _must_prove(self, proved: bool) -> None:
        if not proved:
            raise CannotShow("a person cannot be asked to agree without the proof that the phone itself asks for")

    def _ask(self, step: Step, about: str) -> None:
        if self._hands.why_none:
            raise CannotShow(self._hands.why_none)
        if not self._hands.ask(step, self._person_s, about=about):
            raise CannotShow(f"the person did not do it within {self._person_s:g} s: {step.value} {about}", open=True)


def _says(use: Use) -> str:
    english, chinese = USES[use]
    return f"{english} ({chinese})"


__all__ = ["USES", "Asked", "Led"]
