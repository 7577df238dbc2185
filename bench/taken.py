"""Whose a device is when several roles are looked for: what one role has, another's ``auto`` leaves alone.

A named device is its role's for the whole run, whether it is in use or not: every reader that the name fits. What ``auto`` has
taken up is that role's until it lets go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.drivers import pcsc
from bench.monikers import Kind, Moniker


class Taken:
    """The devices of a run. ``named``: role -> its monikers."""

    def __init__(self, named: Mapping[str, Sequence[Moniker]]) -> None:
        self._named = named
        self._held: dict[str, str] = {}

    def take(self, role: str, device: str) -> None:
        """This role uses the device from now on. ``device``: its whole moniker."""
        self._held[role] = device

    def let_go(self, role: str) -> None:
        self._held.pop(role, None)

    def free(self, role: str, device: str) -> bool:
        """Whether this role may use the device: no other one has it, or is given by a name that fits it."""
        others = (one for other, found in self._named.items() if other != role for one in found)
        held = (there for other, there in self._held.items() if other != role)
        return device not in held and not any(_means(one, device) for one in others)


def _means(moniker: Moniker, device: str) -> bool:
    medium, _, name = device.partition(":")
    if moniker.kind.value != medium:
        return False
    return pcsc.matches(moniker.where, name) if moniker.kind is Kind.PCSC else name.startswith(moniker.where.lower())


__all__ = ["Taken"]
