"""A desk: one reader with its control software (控制軟體), its SAM, and what it remembers.

The institution's desks share one upload queue and one view of whether the line is up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from virtual_devices.checks import bounded, check
from virtual_devices.clock import NS, Clock
from virtual_devices.pki import ChainVerifier, Verified
from virtual_devices.reader.transmit import Handle
from virtual_devices.status_list import StatusLists
from virtual_devices.uploads.deadline import due_ns
from virtual_devices.uploads.document import Encoding
from virtual_devices.uploads.facts import VisitFacts
from virtual_devices.uploads.fields import Version
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
    """A visit's record on its way to the data centre. ``told``: what is known of the visit; what only the data centre or the SAM
    can give (identifier, signatures) is filled in when it is sent. ``batch``: its own name, the same however often it is sent;
    ``request_id``: of the request that began the visit. ``file``: as it was sent last; ``findings``: what the check report said
    against it, fields and codes. ``round``: how often it was given up for another try, after a report."""

    visit: str
    batch: bytes
    told: VisitFacts
    request_id: bytes
    ended_ns: int
    queued_ns: int
    file: bytes = b""
    opcode: str = ""
    findings: str = ""
    round: int = 0
    first_try_ns: int = -1
    stored_ns: int = -1
    tries: int = 0
    code: str = ""
    waited: bool = False  # the line was down or left alone when it should have gone

    @property
    def due_ns(self) -> int:
        return due_ns(self.told.visited_ns)


@dataclass(slots=True)
class Institution:
    """What the desks of one institution share. ``queue`` holds what has not been stored yet, oldest first; ``waiting`` what the
    data centre cannot count yet, because another institution's record is missing. ``version``, ``encoding``: of its uploads."""

    code: str
    version: Version = Version.V20
    encoding: Encoding = Encoding.BIG5
    queue: deque[Pending] = field(default_factory=deque)
    waiting: list[Pending] = field(default_factory=list)
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
