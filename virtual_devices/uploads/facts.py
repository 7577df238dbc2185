"""Everything an institution knows of a visit that it uploads: one description, from which both formats are made.

Dates and moments are typed, money is in whole New Taiwan dollars; ``None`` is: not told. A description checks itself: what no
visit can be is refused here (:class:`~virtual_devices.checks.Unfit`), what a format cannot say when that format is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from virtual_devices.checks import Unfit
from virtual_devices.uploads.lists import VISIT_TYPES, sequence_for


class RecordKind(Enum):
    """What a record tells of (資料型態)."""

    VISIT = "1"
    VACCINATION = "2"
    TEST_RESULT = "5"  # format 2.0 only


class Action(Enum):
    """What a record is for."""

    TELL = "tell"
    CORRECT = "correct"  # of one that failed a check; a word of its own in 1.0 only
    VOID_REFILLS = "void refills"  # 2.0 only, as the next two
    DELETE = "delete"
    RESTORE_REFILLS = "restore refills"


class Recard(Enum):
    """Re-card mark (補卡註記)."""

    PRESENTED = "1"
    LATER = "2"  # the visit was before, the card is presented now
    NEWBORN_LATER = "3"  # newborn of 61 to 92 days; 2.0 only
    IDENTIFIER_LOST = "4"  # later, and the original identifier is gone; 2.0 only


class OrderKind(Enum):
    """What is ordered."""

    DRUG = "drug"
    PROCEDURE = "procedure"
    MATERIAL = "material"
    KEY_ORDER = "key order"
    VIRTUAL = "virtual"
    FACILITY = "facility"  # a correctional facility's code


class OrderPlace(Enum):
    """Where it is done, or dispensed."""

    HERE = "here"
    RELEASED = "released"
    FOR_ANOTHER = "for another"  # dispensed for another prescriber
    SENT_OUT = "sent out"  # referral test
    TAKEN_IN = "taken in"
    PROXY_OUT = "proxy out"
    PROXY_IN = "proxy in"


REFILL_CLASSES = frozenset({"C", "F"})


@dataclass(frozen=True, slots=True)
class Order:
    """One order (醫令). ``prescription_class``: A to F, of drugs only. ``signature``: the 40 characters of the SAM.
    ``taken_back``: this deletes the order, in format 1.0."""

    kind: OrderKind
    item: str
    quantity: Decimal = Decimal(1)
    place: OrderPlace = OrderPlace.HERE
    prescription_class: str = ""
    usage: str = ""
    days: int | None = None
    site: str = ""
    route: str = ""
    lot: str = ""
    note: str = ""
    partner: str = ""  # institution to which, or from which, a test is sent
    signature: str = ""
    taken_back: bool = False

    def __post_init__(self) -> None:
        if not self.item:
            raise Unfit("an order needs its item code", "item")
        if not 0 <= self.quantity < 100_000:
            raise Unfit(f"quantity must be 0 to 99999.99, is {self.quantity}", "quantity")
        if self.prescription_class and self.prescription_class not in "ABCDEF":
            raise Unfit(f"prescription class must be A to F, is {self.prescription_class}", "prescription_class")
        if (self.kind is OrderKind.DRUG) != bool(self.prescription_class):
            raise Unfit("drugs have a prescription class, and nothing else has", "prescription_class", "kind")


@dataclass(frozen=True, slots=True)
class Allergy:
    """A drug allergy told or withdrawn: exactly one of ingredient code, class code and the drug's name."""

    ingredient: str = ""
    drug_class: str = ""
    drug: str = ""
    withdrawn: bool = False
    symptom: str = ""
    other_symptom: str = ""
    severity: str = ""
    source: str = ""
    source_note: str = ""
    onset: str = ""
    reason: str = ""
    other_reason: str = ""
    gene_test: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.ingredient, self.drug_class, self.drug))) != 1:
            raise Unfit("an allergy names one of ingredient, class and drug", "ingredient", "drug_class", "drug")


@dataclass(frozen=True, slots=True)
class Vaccination:
    """One vaccine given."""

    vaccine: str
    lot: str


@dataclass(frozen=True, slots=True)
class Preventive:
    """A preventive service (A41 to A44): ``exam`` YA to YH cancels. Fields of format 1.0 only."""

    service: str
    exam: str
    on: date


@dataclass(frozen=True, slots=True)
class Prenatal:
    """A prenatal examination (A51 to A53): ``exam`` XA cancels. Fields of format 1.0 only."""

    exam: str
    on: date


@dataclass(frozen=True, slots=True)
class Newborn:
    """A newborn on a parent's card. ``mark``: a letter, a for the first; ``count``: how many were born."""

    birth_date: date
    count: int
    mark: str

    def __post_init__(self) -> None:
        if not (len(self.mark) == 1 and self.mark.isascii() and self.mark.isalpha()):
            raise Unfit(f"a newborn's mark is one letter, is {self.mark!r}", "mark")
        if not 1 <= self.count <= 9:
            raise Unfit(f"a count of newborns is 1 to 9, is {self.count}", "count")


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees and copays (費用, 部分負擔) of this visit or stay, in New Taiwan dollars."""

    outpatient: int | None = None
    outpatient_copay: int | None = None
    inpatient: int | None = None
    inpatient_copay_short: int | None = None
    inpatient_copay_long: int | None = None
    copay_2: int | None = None
    copay_3: int | None = None
    copay_4: int | None = None


@dataclass(frozen=True, slots=True)
class Refill:
    """A chronic refill prescription (慢連箋). ``issue``: the one dispensed now, 0 when it is released."""

    total_days: int | None = None
    count: int | None = None
    issue: int | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """The visit on which this one rests: of a course, or that prescribed what is dispensed."""

    identifier: str
    institution: str
    sequence: str
    visited_ns: int


@dataclass(frozen=True, slots=True)
class Actual:
    """The visit for which a card is presented later."""

    visited_ns: int
    identifier: str


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """A visit. ``situation``: why it is abnormal (``lists.SITUATIONS``), empty for a normal one; ``obtained``: a sequence number
    had been issued before. ``cancels_ns``: the visits that a visit type ZB cancels."""

    institution: str
    professional_id: str
    national_id: str
    birth_date: date
    visit_type: str
    visited_ns: int
    kind: RecordKind = RecordKind.VISIT
    action: Action = Action.TELL
    sam_id: str = ""
    card_no: str = ""
    sequence: str = ""
    situation: str = ""
    obtained: bool = False
    identifier: str = ""
    signature: str = ""
    recard: Recard = Recard.PRESENTED
    actual: Actual | None = None
    newborn: Newborn | None = None
    original: Original | None = None
    diagnoses: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    fees: Fees = Fees()
    benefit_type: str = ""
    service_class: str = ""
    bed: str = ""
    dispensing_mode: str = ""
    days_supplied: int | None = None
    refill: Refill | None = None
    controlled_refill: Refill | None = None
    physiotherapy: int | None = None
    occupational_therapy: int | None = None
    speech_therapy: int | None = None
    orders: tuple[Order, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    vaccinations: tuple[Vaccination, ...] = ()
    preventive: Preventive | None = None
    prenatal: Prenatal | None = None
    cancels_ns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.visit_type not in VISIT_TYPES:
            raise Unfit(f"{self.visit_type!r} is no visit type; there are {', '.join(sorted(VISIT_TYPES))}", "visit_type")
        if len(self.diagnoses) > 6 or len(self.procedures) > 3:
            raise Unfit("a record has room for six diagnoses and three procedures", "diagnoses", "procedures")
        if self.situation and self.sequence:
            raise Unfit("an abnormal visit's sequence follows from its situation; leave one out", "sequence", "situation")
        if self.situation:
            sequence_for(self.situation, self.obtained)
        if (self.kind is RecordKind.VACCINATION) != bool(self.vaccinations):
            raise Unfit("vaccinations stand in vaccination records, and these have some", "vaccinations", "kind")
        if self.recard in (Recard.LATER, Recard.IDENTIFIER_LOST) and self.actual is None:
            raise Unfit(f"re-card mark {self.recard.value} needs the actual visit", "actual", "recard")

    @property
    def abnormal(self) -> bool:
        return bool(self.situation)

    @property
    def sequence_text(self) -> str:
        """The sequence number, or the code in its place."""
        return sequence_for(self.situation, self.obtained) if self.situation else self.sequence


__all__ = [
    "Action", "Actual", "Allergy", "Fees", "Newborn", "Order", "OrderKind", "OrderPlace", "Original", "Prenatal", "Preventive",
    "REFILL_CLASSES", "Recard", "RecordKind", "Refill", "Vaccination", "VisitFacts",
]
