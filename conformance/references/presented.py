"""A scripted card as a link: presented over NFC to software whose reader is a part of it."""

from __future__ import annotations

from conformance.references.reader import Wants
from conformance.scripted import Script, ScriptedCard
from conformance.vectors.world import World
from virtual_devices.link import Attempt, DirectLink


class Presented:
    """A new presentation with each return of the field."""

    channel, device, provenance = "nfc", "scripted", DirectLink.provenance

    def __init__(self, world: World, name: str, script: Script) -> None:
        self._world, self._name, self._script = world, name, script
        self._count = 0
        self._card = self._new()

    def _new(self) -> ScriptedCard:
        self._count += 1
        return ScriptedCard(self._world, "nfc", f"{self._name} {self._count}", self._script)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        if not message:
            self._card = self._new()
        outcome, reply = self._card.answer(Wants("wallet", message, "", timeout_s))
        return Attempt(outcome, 0, reply)


__all__ = ["Presented"]
