"""What the control software on one desk remembers: its port, the reader's clock, which cards have proved themselves.

States follow ``card_status``: a card counts as what it has reached since it was put in; whatever loses its power, is taken out
or exchanged begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from virtual_devices.clock import Clock
from virtual_devices.errors import UsageError
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import READER_TIMEOUT, Ended, Handle
from virtual_devices.reader.visit import PublicData

CLOCK_UNREADABLE, CLOCK_NOT_SET = "5005", "6008"
VERSION = 3013
"""What csGetVersionEx returns: the version that the manual takes as its example."""


class Right(Enum):
    """Entries that not every institution, or SAM, may write (5009). That the SAM decides it is inferred: here the desk knows."""

    VISIT = "visit"
    ALLERGY = "allergy"
    ORGAN_DONATION = "organ donation"
    PREVENTIVE = "preventive care"
    PRENATAL = "prenatal care"
    VACCINATION = "vaccination"


@dataclass(slots=True)
class ReaderUnit:
    """The reader itself: its ports and its clock, which runs beside the true one by ``offset_ns``."""

    clock: Clock
    ports: frozenset[int] = frozenset({0})
    offset_ns: int = 0
    answers: bool = True
    clock_works: bool = True
    clock_can_be_set: bool = True

    def now_ns(self) -> int:
        """Raises Ended 5005 when the clock cannot be read, 4000 when the reader is silent."""
        if not self.answers:
            raise Ended("the reader does not answer", READER_TIMEOUT, "reader")
        if not self.clock_works:
            raise Ended("the reader's clock cannot be read", CLOCK_UNREADABLE, "reader")
        return self.clock.now_ns() + self.offset_ns

    def set(self, at_ns: int) -> None:
        """Raises Ended 6008 when it cannot be set."""
        if not self.clock_can_be_set:
            raise Ended("the reader's clock cannot be set", CLOCK_NOT_SET, "reader")
        self.offset_ns = at_ns - self.clock.now_ns()


@dataclass(slots=True)
class CardInside:
    """The patient card in the slot, and what it has proved since it was put in."""

    handle: Handle
    public: PublicData
    sam: bool = False
    hpc: bool = False
    pin: bool = False
    online: bool = False

    @property
    def status(self) -> str:
        """The highest state reached (card_status): 5 with the data centre, 4 PIN, 3 professional's card, 2 SAM, 1 none."""
        reached = ((self.online, "5"), (self.pin, "4"), (self.hpc, "3"), (self.sam, "2"))
        return next((value for done, value in reached if done), "1")


@dataclass(slots=True)
class ProfessionalInside:
    """The professional's card in the slot. ``sam``: the SAM has proved itself to it; ``pin``: its PIN was verified."""

    handle: Handle
    sam: bool = False
    pin: bool = False


def no_files(path: str) -> bytes:
    """Of a desk without a disk."""
    raise OSError(f"no files here: {path}")


@dataclass(frozen=True, slots=True)
class FrequentVisits:
    """A warning shown to the desk: so many visits this year (manual 3.3). ``red``: so many that the insurer looks closely."""

    visits: int
    red: bool


@dataclass(slots=True)
class ControlSoftware:
    """The control software of one desk. ``rights``: what the institution may write; ``files``: how a file of the computer is
    read (csUploadData), raising OSError or MemoryError."""

    desk: Desk
    reader: ReaderUnit
    rights: frozenset[Right] = frozenset(Right)
    files: Callable[[str], bytes] = no_files
    port: int | None = None
    card: CardInside | None = None
    hpc: ProfessionalInside | None = None
    warnings: list[FrequentVisits] = field(default_factory=list)
    begun: dict[str, str] = field(default_factory=dict)
    """Visit identifiers that the data centre gave here, by card number and visit time: a roll-back names them."""

    def drop(self) -> None:
        """Everything powered down: as after csCloseCom or a reset of the reader."""
        self.card = None
        self.hpc = None
        self.desk.sam = None
        self.desk.sam_ready = False
        self.desk.hpc_ready = False

    def key(self, when: str) -> str:
        if self.card is None:
            raise UsageError("no card is inside")
        return f"{self.card.public.card_no} {when}"


Outputs = Mapping[str, bytes | int]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call gives: its code, as the function returns it, and what it put into its arguments, by their names."""

    code: str
    out: Outputs = field(default_factory=dict)

    @property
    def value(self) -> int:
        return int(self.code)


__all__ = [
    "ControlSoftware", "CardInside", "FrequentVisits", "Outputs", "ProfessionalInside", "ReaderUnit", "Reply", "Right", "VERSION",
]
