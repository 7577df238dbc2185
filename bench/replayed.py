"""Roles of a run that is played again: answered from the record of another run, byte for byte and in its times.

The reference device behind follows: it is asked the same, so that what stands on it in the end is what stood there then, and the
conservation laws can be judged. Faults strike it as they did; what they did to the answer is in the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bench.drivers.replay import Place, Recording, Told
from scenarios.world import World
from virtual_devices.link import Attempt, Link, Outcome, Provenance, connect
from virtual_devices.trace import SwitchRow

Tell = Callable[[str], None]
PARTED = "parted from the record"
"""So begins the reason of a switch where what is asked now is not what was asked then."""


class ReplayedRole:
    """One role in one session (:class:`virtual_devices.link.Link`). ``begin`` gives what was said then, when it is first needed;
    ``tell`` is told once, for a person, why the two part."""

    provenance = Provenance.REPLAYED

    def __init__(self, behind: Link, device: str, begin: Callable[[], Told], tell: Tell) -> None:
        self._behind = behind
        self.channel = behind.channel
        self.device = device
        self.step = ""
        self._begin = begin
        self._tell = tell
        self._told: Told | None = None
        self._parted = False

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        self._behind_at_this_step().attempt(message, timeout_s)
        return self._answer(message)

    def connect_to(self, address: bytes, timeout_s: float) -> Attempt:
        """Where a device was looked for by its engagement, its address is not in the row; that it was is."""
        connect(self._behind_at_this_step(), address, timeout_s)
        return self._answer(b"")

    def _behind_at_this_step(self) -> Link:
        if hasattr(self._behind, "step"):
            self._behind.step = self.step
        return self._behind

    def _answer(self, message: bytes) -> Attempt:
        if self._told is None:
            self._told = self._begin()
        attempt = self._told.answer(message)
        if self._told.trouble and not self._parted:
            self._parted = True
            self._tell(self._told.trouble)
        return attempt


class Replay:
    """The replayed roles of one replication. ``recordings``: role -> what it said."""

    def __init__(self, recordings: Mapping[str, Recording], world: World) -> None:
        self._recordings = recordings
        self._world = world
        self._taken: Counter[tuple[str, Place]] = Counter()

    def place(self, links: dict[str, Link]) -> dict[str, Link]:
        return links

    def links(self, links: dict[str, Link], desk: str, flow: str, visit: str) -> dict[str, Link]:
        """The session's links, with the replayed roles in their places. A session takes the next one that was recorded at the
        same place, so that a session more or less does not shift the others."""
        place = (self._world.replication, desk, flow, visit)
        return links | {role: self._role(role, links[role], place) for role in self._recordings if role in links}

    def close(self) -> None:
        return

    def _role(self, role: str, behind: Link, place: Place) -> Link:
        recording = self._recordings[role]
        device = f"replay:{recording.directory}"

        def begin() -> Told:
            number = self._taken[role, place]
            self._taken[role, place] += 1
            recorded = recording.at(place)
            name = f"{place[2]} at {place[1]}" + (f" in visit {place[3]}" if place[3] else "")
            return Told(name, recorded[number] if number < len(recorded) else ())

        def tell(trouble: str) -> None:
            at_ns, reason = self._world.clock.now_ns(), f"{PARTED}: {trouble}"
            self._world.record(SwitchRow(place[0], at_ns, role, device, Outcome.GONE.value, reason, place[3]))

        return ReplayedRole(behind, device, begin, tell)


def differing(recording: Recording, now: Mapping[str, Any]) -> list[str]:
    """The settings in which a scenario, as the manifest keeps it, is not that of the record."""
    was = recording.manifest.get("scenario", {})
    pairs = [(f"params.{key}", was.get("params", {}).get(key), value) for key, value in now["params"].items()]
    pairs += [(key, was.get(key), now[key]) for key in ("network", "fault")]
    return [name for name, before, after in pairs if before != after]


__all__ = ["PARTED", "Replay", "ReplayedRole", "differing"]
