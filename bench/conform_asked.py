"""What a call of ``conform`` asked for: checked, handed to pytest, told in the report, and said again for one case alone.

What knows the devices is imported where it is asked: that takes longer than many a call, and most calls are of our own.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from bench.hands import hands
from bench.monikers import Kind as Medium
from conformance import cases
from conformance.case import Kind, subject_of
from conformance.condition import Answers
from conformance.form import Paper
from conformance.limits import EXAMPLE, example
from virtual_devices.errors import UsageError

if TYPE_CHECKING:
    from bench.declaration import Declaration
    from bench.duts import Dut


@dataclass(frozen=True)
class Asked:
    """The options as they were given."""

    duts: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    pics: tuple[Path, ...] = ()
    pixit: tuple[Path, ...] = ()
    destructive: bool = False
    latency: str = ""
    robot: str = ""
    no_hands: bool = False
    seed: int = 1
    laboratory: str = ""
    language: str = "en"
    personal: bool = False
    lab: Path | None = None
    frames: bool = False
    keep: str = "needed"

    def check(self) -> int:
        """Raises UsageError, or ScenarioFaults for a declaration, before anything starts. How many physical devices there are:
        so many can be tried at a time."""
        hands(self.robot, none=self.no_hands)
        if self.lab is not None and not self.lab.is_file():
            raise UsageError(f"--lab {self.lab}: there is no such file; it names devices, [devices.NAME] with a moniker each")
        if self._references_alone():
            return 0
        found = self._devices()
        if self.latency:
            self._check_limits(found)
        return len({dut.way.place for tried in found.values() for dut in tried if dut.way.place})

    def _references_alone(self) -> bool:
        """Our own devices over every channel, and nothing else: there is nothing that could be wrong with it."""
        own = {f"{kind.value}={Medium.VIRTUAL.value}" for kind in Kind}
        return own.issuperset(self.duts) and not (self.channels or self.pics or self.pixit or self.latency)

    def _kinds(self) -> set[str]:
        if self._references_alone():
            return {text.partition("=")[0] for text in self.duts} or {kind.value for kind in Kind}
        return {kind.value for kind in self._devices()}

    def single(self) -> bool:
        """Only cases by their whole ids: a second process would take longer to begin than they do."""
        return bool(self.only) and all(text.count(".") >= 2 for text in self.only)

    def _devices(self) -> Mapping[Kind, list[Dut]]:
        from bench import laboratory
        from bench.duts import duts

        return duts(self.duts, self.channels, pics=map(str, self.pics), pixit=map(str, self.pixit),
                    destructive=self.destructive, laboratory=laboratory.load(self.lab) if self.lab is not None else None)

    def _check_limits(self, found: Mapping[Kind, list[Dut]]) -> None:
        from bench.timing import limits_of

        limits = limits_of(self.latency)
        there = [(kind.value, dut.channel) for kind, tried in found.items() for dut in tried]
        if not any(limits.of(*place) for place in there):
            places = ", ".join(f"{kind} over {channel}" for kind, channel in there)
            raise UsageError(f"--latency {self.latency}: it has no limit for what is tried: {places}")

    def for_pytest(self) -> list[str]:
        """Options of the plugin. Paths are made absolute: pytest may run elsewhere."""
        latency = self.latency if self.latency in ("", EXAMPLE) else str(Path(self.latency).absolute())
        return [
            *(f"--dut={text}" for text in self.duts), *(f"--dut-channel={channel}" for channel in self.channels),
            *(f"--conformance-only={text}" for text in self.only), *(f"--pics={path.absolute()}" for path in self.pics),
            *(f"--pixit={path.absolute()}" for path in self.pixit), *["--destructive"] * self.destructive,
            f"--latency={latency}", f"--hands={self.robot}", *["--no-hands"] * self.no_hands,
            *["--keep-personal-data"] * self.personal, f"--conformance-seed={self.seed}", f"--conformance-lang={self.language}",
            *([f"--lab={self.lab.absolute()}"] if self.lab is not None else []), *["--conformance-frames"] * self.frames,
            f"--conformance-keep={self.keep}",
        ]

    def modules(self) -> list[str]:
        """The modules that have cases of what is asked for: to look into all others takes longer than most calls."""
        kinds = self._kinds()
        there = [module.name for module in iter_modules(cases.__path__) if module.name.startswith("test_")]
        of_kind = {name: subject for name in there if (subject := subject_of(name)).partition(".")[0] in kinds}
        wanted = [name for name, subject in of_kind.items()
                  if not self.only or any(subject.startswith(each) or each.startswith(f"{subject}.") for each in self.only)]
        return [f"{cases.__name__}.{name}" for name in wanted or list(of_kind)[:1]]

    def for_report(self) -> dict[str, Any]:
        """What decides which cases ran and how: files by the SHA-256 of what is in them, hex."""
        found: dict[str, Any] = {"dut": list(self.duts), "channel": list(self.channels), "only": list(self.only)}
        for name, paths in (("pics", self.pics), ("pixit", self.pixit), ("lab", () if self.lab is None else (self.lab,))):
            if paths:
                found[name] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        if self.latency:
            raw = example().encode() if self.latency == EXAMPLE else Path(self.latency).read_bytes()
            found["latency"] = hashlib.sha256(raw).hexdigest()
        for name, value in (("destructive", self.destructive), ("no_hands", self.no_hands), ("hands", self.robot)):
            if value:
                found[name] = value
        return found

    def again(self, kind: str, device: str, channel: str, case: str, *, timed: bool = False) -> str:
        """The command that runs one case alone on that device, as this call ran it."""
        words = ["vhc-bench", "conform", "--dut", f"{kind}={device}", "--channel", channel, "--only", case]
        for paper, found in self._papers:
            if found.kind.value == kind:  # those of others would be refused
                words += [f"--{paper.value}", str(found.path)]
        words += [*["--destructive"] * self.destructive, *["--no-hands"] * self.no_hands]
        words += _option("--hands", self.robot) + _option("--latency", self.latency if timed else "")
        words += _option("--seed", "" if self.seed == 1 else str(self.seed)) + _option("--laboratory", self.laboratory)
        words += _option("--lab", str(self.lab or ""))
        return shlex.join(words)

    def declared(self) -> Mapping[str, Answers]:
        """By kind of device what its maker declares."""
        return {found.kind.value: found.answers for paper, found in self._papers if paper is Paper.PICS}

    @cached_property
    def _papers(self) -> list[tuple[Paper, Declaration]]:
        """The declarations that were given."""
        if not (self.pics or self.pixit):
            return []
        from bench.declaration import load

        given = ((Paper.PICS, self.pics), (Paper.PIXIT, self.pixit))
        return [(paper, load(path, paper)) for paper, paths in given for path in paths]


def _option(name: str, value: str) -> list[str]:
    return [name, value] if value else []


__all__ = ["Asked"]
