"""What a run directory holds, as a device: moniker ``replay:RUN``, or ``replay:RUN#ROLE`` where the run has several.

It answers byte for byte, and takes as long as was recorded. A request that differs from the recorded one is answered by nobody:
the link is GONE, and says at which step, and both byte strings from their first difference on. Rows whose bytes were masked
cannot be replayed: nobody knows what they said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.drivers import Found
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.link import RESET, Attempt, Outcome, Provenance

SHOWN_BYTES = 24
"""So much of each byte string is told, from the first difference on."""
PROBE = "probe"
"""The flow of latency probes: a stranger's device, masked, beside the visits."""
_COLUMNS = [
    "replication", "visit", "session", "flow", "step", "role", "channel", "device", "provenance", "duration_ns", "outcome",
    "request", "reply", "request_bytes", "reply_bytes", "fault", "sent_ns",
]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One recorded exchange."""

    step: str
    channel: str
    device: str
    request: bytes
    attempt: Attempt


Place = tuple[int, str, str, str]
"""Where a session stood: replication, desk, flow, visit."""
Conversation = tuple[Exchanged, ...]
"""What one role was asked and said in one session, in order."""


class Recording:
    """One role's exchanges in a run directory: its sessions, by place and in order. Raises LinkError for a directory that is no
    run, has no such role, or does not know what was said."""

    def __init__(self, directory: Path, role: str) -> None:
        self.directory = directory
        self.role = role
        self.manifest = _manifest(directory)
        self._sessions: dict[Place, list[Conversation]] = {}
        sessions: dict[tuple[Place, str], list[Exchanged]] = {}
        masked = 0
        for row in _rows(directory, role):
            masked += len(row["request"]) != row["request_bytes"] or len(row["reply"]) != max(0, row["reply_bytes"])
            desk = row["session"].rpartition("/")[0]
            place = (row["replication"], desk, row["flow"], row["visit"])
            sessions.setdefault((place, row["session"]), []).append(_exchanged(row))
        if masked:
            raise LinkError(
                f"replay:{directory}: the bytes of {masked:,} exchanges with the role {role!r} were masked: what was said is not "
                "known. A run of the bench's own devices can be replayed"
            )
        if not sessions:
            raise LinkError(f"replay:{directory}: nothing was exchanged with the role {role!r}")
        for (place, _), exchanges in sessions.items():
            self._sessions.setdefault(place, []).append(tuple(exchanges))

    def conversations(self) -> Iterator[Conversation]:
        """Every session of the role; those of one place are together."""
        return (one for sessions in self._sessions.values() for one in sessions)

    def at(self, place: Place) -> Sequence[Conversation]:
        """The sessions that stood there, in order."""
        return self._sessions.get(place, ())


class Told:
    """One conversation as it goes on. ``trouble``: why it came to an end before its end, for a person; empty while it has not."""

    def __init__(self, name: str, conversation: Conversation) -> None:
        self._name = name
        self._left = iter(conversation)
        self._number = 0
        self.trouble = ""

    def answer(self, message: bytes) -> Attempt:
        """What was recorded, when it is the answer to just this; else GONE, from here on."""
        if self.trouble:
            return Attempt(Outcome.GONE, 0)
        recorded = next(self._left, None)
        self._number += 1
        if recorded is None:
            self.trouble = f"{self._name}: nothing was recorded after {self._number - 1} exchanges; now {_hex(message, 0)}"
        elif recorded.request != message:
            where = f"{self._name}: exchange {self._number}, step {recorded.step!r}"
            self.trouble = f"{where}: {difference(recorded.request, message)}"
        else:
            return recorded.attempt
        return Attempt(Outcome.GONE, 0)


class ReplayLink:
    """A recorded role as a device of its own, one session after the other: each ``connect`` begins the next.
    (:class:`bench.drivers.RealLink`)"""

    provenance = Provenance.REPLAYED
    worker_pid: int | None = None

    def __init__(self, recording: Recording) -> None:
        self.device = f"replay:{recording.directory}"
        self._conversations = recording.conversations()
        self._next: Conversation | None = next(self._conversations, None)
        self.channel = self._next[0].channel if self._next else ""
        self._told: Told | None = None
        self.last_error = ""

    def connect(self, timeout_s: float) -> Attempt:
        """Begin the next session: its own beginning, where one was recorded. GONE after the last."""
        self.disconnect()
        if self._next is None:
            self.last_error = f"{self.device}: no further session was recorded"
            return Attempt(Outcome.GONE, 0)
        began, self._told = self._next, Told(self.device, self._next)
        self._next = next(self._conversations, None)
        self.channel, self.last_error = began[0].channel, ""
        if began[0].request != RESET:
            return Attempt(Outcome.REPLIED, 0, b"")
        return self.attempt(RESET, timeout_s)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """The recorded answer, in the recorded time. GONE for anything that was not asked so then."""
        if self._told is None:
            self.last_error = self.last_error or f"{self.device}: not connected: connect first"
            return Attempt(Outcome.GONE, 0)
        attempt = self._told.answer(message)
        self.last_error = self._told.trouble
        if attempt.outcome is not Outcome.REPLIED:
            self.last_error = self.last_error or f"{self.device}: ended so when it was recorded: {attempt.outcome.value}"
            self._told = None
        return attempt

    def disconnect(self) -> None:
        """End the session; what is left of it is passed over."""
        self._told = None

    def close(self) -> None:
        """Nothing is held."""
        self.disconnect()

    def __enter__(self) -> ReplayLink:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


def discover(*, env: Mapping[str, str] | None = None) -> list[Found]:
    """Nothing: a run is named, never looked for."""
    return []


def open(spec: str, *, env: Mapping[str, str] | None = None) -> ReplayLink:
    """A link to what the run directory ``RUN`` or ``RUN#ROLE`` holds. UsageError when it has several roles and none is named;
    LinkError as :class:`Recording`."""
    path, _, role = spec.partition("#")
    if not path:
        raise UsageError("replay: needs a run directory, for example 'replay:runs/clinic_morning-1-001'")
    there = roles(Path(path))
    if not role and len(there) != 1:
        has, first = ", ".join(there) or "no exchange", (there or ["card"])[0]
        raise UsageError(f"replay:{spec}: this run has {has}: name the role, as in 'replay:{path}#{first}'")
    return ReplayLink(Recording(Path(path), role or there[0]))


def roles(directory: Path) -> list[str]:
    """The roles that somebody spoke to in this run. Raises LinkError."""
    _manifest(directory)
    return sorted({row["role"] for row in _table(directory, ["role", "flow"], None) if row["flow"] != PROBE})


def difference(recorded: bytes, now: bytes) -> str:
    """Both byte strings from the first byte on that differs."""
    at = next((i for i, (a, b) in enumerate(zip(recorded, now, strict=False)) if a != b), min(len(recorded), len(now)))
    return f"differs at byte {at}: recorded {_hex(recorded, at)}; now {_hex(now, at)}"


def _hex(message: bytes, at: int) -> str:
    part = message[at : at + SHOWN_BYTES]
    more = " ..." if at + SHOWN_BYTES < len(message) else ""
    return f"{part.hex(' ').upper() or 'nothing'}{more} ({len(message)} bytes in all)"


def _exchanged(row: Mapping[str, Any]) -> Exchanged:
    outcome = Outcome(row["outcome"])
    reply = row["reply"] if outcome is Outcome.REPLIED else None
    attempt = Attempt(outcome, row["duration_ns"], reply, row["fault"], row["sent_ns"])
    return Exchanged(row["step"], row["channel"], row["device"], row["request"], attempt)


def _rows(directory: Path, role: str) -> Iterator[Mapping[str, Any]]:
    return (row for row in _table(directory, _COLUMNS, [("role", "=", role)])
            if row["flow"] != PROBE and row["provenance"] != Provenance.PRESENTED.value)


def _table(directory: Path, columns: list[str], filters: Any) -> Iterator[Mapping[str, Any]]:
    path = directory / "tables" / "exchanges.parquet"
    try:
        table = pq.read_table(path, columns=columns, filters=filters)
    except FileNotFoundError:
        hint = f"a killed run is recovered by 'vhc-bench report {directory}'"
        raise LinkError(f"replay:{directory}: {path} is missing: {hint}") from None
    except (OSError, pa.ArrowException) as e:
        raise LinkError(f"replay:{directory}: {path} cannot be read: {e}") from None
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _manifest(directory: Path) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = json.loads((directory / "manifest.json").read_bytes())
    except FileNotFoundError:
        raise LinkError(f"replay:{directory} is no run directory: it has no manifest.json") from None
    except (OSError, ValueError) as e:
        raise LinkError(f"replay:{directory}: its manifest.json cannot be read: {e}") from None
    return manifest


__all__ = ["Conversation", "Recording", "ReplayLink", "Told", "difference", "discover", "open", "roles"]
