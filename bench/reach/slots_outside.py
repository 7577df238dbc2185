"""The slots of a desk that is somebody else's: PC/SC readers in which chips of ours are, each before one of our presenters.

    vhc-bench present vpcd --what sam       (hpc, card; or all three at once: --what desk)

A presenter is borrowed (:class:`bench.presenters.control.Lease`): its own chip is in again when :meth:`SlotsOutside.close` was
called, or this process has ended in whatever way. What the software under test does in between goes through the PC/SC service
alone, and is none of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from bench.behind import at_readers
from bench.presenters.control import ControlInfo, Lease
from bench.reach.hand import NAME, patiently
from virtual_devices.errors import LinkError, PeerError

T = TypeVar("T")
ROLES = ("sam", "card", "hpc")


class SlotsOutside:
    """One slot for each role. ``presenters``: role -> control channel. Nothing is asked of them before the first chip."""

    def __init__(self, presenters: Mapping[str, Path]) -> None:
        self._paths = dict(presenters)
        self._leases: dict[str, Lease] = {}
        self._out: dict[str, bytes] = {}
        self._inside: dict[str, tuple[bytes, str]] = {}

    @classmethod
    def find(
        cls, roles: Iterable[str] = ROLES, readers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[SlotsOutside, dict[str, str]]:
        """The slots, and the readers' names by role, as far as the presenters know. ``readers``: by their names, with * and ?,
        where somebody has said; else the only presenter that shows such a chip. Raises LinkError: who is missing, or several."""
        found = {role: _one(role, readers.get(role, ""), at_readers(role)) for role in roles}
        return cls({role: info.path for role, info in found.items()}), {role: info.reader for role, info in found.items()}

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def fill(self, images: Mapping[str, bytes]) -> None:
        """These chips are in, put in all at once, and whatever was there or said before is gone. A reader that has given the
        former chip no power need not see the exchange. Raises LinkError."""
        with ThreadPoolExecutor(len(images)) as hands:
            list(hands.map(lambda role: self.put(role, images[role], quietly=True), images))

    def put(self, role: str, image: bytes, kind: str = "", *, quietly: bool = False) -> None:
        """Another chip, in place of what is there. ``kind``: what it is, where it does not belong there. Raises LinkError."""
        kind = "" if kind == role else kind
        if not self._do(role, lambda lease: lease.insert(image, NAME, quietly=quietly, kind=kind)):
            raise LinkError(f"the reader of the {role} does not see the chip that was put in: is its PC/SC service running?")
        self._out.pop(role, None)
        self._inside[role] = image, kind

    def take_out(self, role: str) -> None:
        """An empty slot, and the reader has noticed. Raises LinkError."""
        self._out[role] = self._do(role, Lease.eject)

    def put_back(self, role: str) -> None:
        """The chip that was taken out, as it was. Raises LinkError."""
        image = self._out.pop(role)
        self.put(role, image, self._inside[role][1])

    def strike(self, role: str, commands: int) -> None:
        """The chip is pulled out after so many more commands. Raises LinkError."""
        self._do(role, lambda lease: lease.strike(commands))

    def answers_by(self, role: str, command: bytes = b"", answer: bytes = b"") -> None:
        """The chip in that slot answers so to commands that go on so behind their class; without one, as it should. Raises
        LinkError."""
        self._do(role, lambda lease: lease.answers_by(command, answer))

    def close(self) -> None:
        """What was there at first is there again."""
        leases, self._leases = self._leases, {}
        if leases:
            with ThreadPoolExecutor(len(leases)) as hands:
                list(hands.map(Lease.close, leases.values()))

    def _do(self, role: str, act: Callable[[Lease], T]) -> T:
        try:
            return patiently(lambda: act(self._lease(role)))
        except PeerError as e:
            raise LinkError(f"{role}: {e}") from None

    def _lease(self, role: str) -> Lease:
        lease = self._leases.get(role)
        if lease is None or lease.over:
            lease = self._leases[role] = Lease(self._paths[role])
        return lease


def _one(role: str, name: str, presenters: list[ControlInfo]) -> ControlInfo:
    found = [one for one in presenters if not name or fnmatchcase(one.reader, name)]
    if len(found) == 1:
        return found[0]
    start = f"'vhc-bench present vpcd --what {role}', or '--what desk' for all of a desk's"
    if not found:
        where = f" in a reader {name!r}" if name else ""
        raise LinkError(f"no presenter of ours shows a {role}{where}: start {start}")
    names = ", ".join(repr(one.reader) for one in found)
    raise LinkError(f"several presenters of ours show a {role} ({names}): say in the PIXIT which reader the software has for it")


__all__ = ["ROLES", "SlotsOutside"]
