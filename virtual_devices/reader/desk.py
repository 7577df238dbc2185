"""A desk: one reader with its control software (控制軟體), its SAM, and what it remembers.

The institution's desks share one upload queue and one view of whether the line is up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from virtual_devices.checks import bounded, check
from virtual_devices.clock import NS, Clock
from virtual_devices.cloud.core import UPLOAD_DEADLINE_S, VisitRecord
from virtual_devices.pki import ChainVerifier, Verified
from virtual_devices.reader.transmit import Handle
from virtual_devices.status_list import StatusLists
from virtual_devices.write_back import Batch


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a desk waits and how often it tries."""

    cloud_timeout_s: float = bounded(10.0, gt=0)
    """How long an answer of the data centre is waited for: what one vendor's client allows on its screen."""
    cloud_tries: int = bounded(2, ge=1)
    """How often a request is sent at most, always with the same id."""
    backoff_s: float = bounded(0.5, ge=0)
    """Pause between two tries."""
    hold_off_s: float = bounded(60.0, ge=0)
    """How long a line that has just failed is left alone before the next patient is made to wait for it."""
    update_when_at_most: int = bounded(1, ge=0)
    """Visits left on the card at which an update is asked for."""

    def __post_init__(self) -> None:
        check(self)


@dataclass(slots=True)
class Pending:
    """A visit's record on its way to the data centre."""

    visit: str
    batch: bytes
    record: VisitRecord
    queued_ns: int
    first_try_ns: int = -1
    stored_ns: int = -1
    tries: int = 0
    code: str = ""
    waited: bool = False  # the line was down or left alone when it should have gone

    @property
    def due_ns(self) -> int:
        return self.record.ended_ns + UPLOAD_DEADLINE_S * NS


@dataclass(slots=True)
class Institution:
    """What the desks of one institution share. ``queue`` holds what has not been stored yet, oldest first."""

    code: str
    queue: deque[Pending] = field(default_factory=deque)
    done: list[Pending] = field(default_factory=list)
    refused: list[Pending] = field(default_factory=list)  # set aside for a person to look at
    line_down_until_ns: int = 0
    draining: bool = False
    data_centre: tuple[bytes, Verified] | None = None  # chain as received, and what it proved
    lists: StatusLists | None = None  # how virtual cards and authorizations stand, as last fetched


@dataclass(frozen=True, slots=True)
class OpenSam:
    """A SAM that has been opened at this desk, and who its certificate says it is."""

    handle: Handle
    who: Verified


@dataclass(slots=True)
class Desk:
    """One workplace with a reader. ``fresh`` gives bytes for request ids, from the desk's own stream."""

    name: str
    institution: Institution
    root: ChainVerifier
    clock: Clock
    fresh: Callable[[int], bytes]
    policy: Policy = Policy()
    revoked: frozenset[int] = frozenset()
    sam: OpenSam | None = None
    sam_id: str = ""
    sam_chain: bytes = b""
    reader_chain: tuple[bytes, ...] = ()
    """The SAM's reader certificate and its issuer: what it shows to a wallet, for 72 hours."""
    reader_until_ns: int = 0  # then they are fetched anew, when there is a line
    sam_ready: bool = False
    hpc_ready: bool = False
    hpc_id: str = ""
    hpc_chain: bytes = b""
    hpc_reader_chain: tuple[bytes, ...] = ()
    batches: dict[bytes, Batch] = field(default_factory=dict)
    """Batches for wallets whose receipt has not come, by their id."""

    def line_held_off(self) -> bool:
        """True while a line that failed a moment ago is not to be tried again."""
        return self.clock.now_ns() < self.institution.line_down_until_ns

    def line_failed(self) -> None:
        self.institution.line_down_until_ns = self.clock.now_ns() + round(self.policy.hold_off_s * NS)

    def line_works(self) -> None:
        self.institution.line_down_until_ns = 0
