"""What the insurer's database (健保署主檔) knows, as a port: the fifth stage of checking asks it. The data centre answers.

Lists of items that check codes speak of and no source gives (antivirals, delivery orders, test results ...) are asked for by the
names in ``data/upload_lists.toml``; a register that knows none says no, and the code is then never given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from virtual_devices.uploads.document import Record, Segment


class IdentifierService(Enum):
    """How a visit identifier (就醫識別碼) was obtained. That there are several is public (check codes D069 to D072, the clients'
    service types); which they are is inferred from the clients' calls."""

    CARD = "card"  # with the patient's card in the reader
    NO_CARD = "no card"  # asked for without one, for an abnormal record
    LATER = "later"  # for a registration made up for


class Trade(Enum):
    """What kind of institution it is."""

    CLINIC = "clinic"
    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"
    MIDWIFERY = "midwifery"


@dataclass(frozen=True, slots=True)
class InstitutionEntry:
    """A contracted institution. Dates are ROC YYYMMDD; ``contract_to`` empty: it runs; ``began_20``: since when format 2.0
    is used. ``addresses``: those that it uploads from,
    empty when none is on file. ``trials``: plans it takes part in. ``facilities``: correctional facilities that it serves."""

    code: str
    trade: Trade = Trade.CLINIC
    service_classes: frozenset[str] = frozenset({"11"})
    contract_from: str = "0840301"
    contract_to: str = ""
    may_use_20: bool = True
    addresses: frozenset[str] = frozenset()
    trials: frozenset[str] = frozenset()
    facilities: frozenset[str] = frozenset()
    beds: frozenset[str] = frozenset()
    began_20: str = ""


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A person by national id. ``designated``: the one institution, for a patient designated to it (指定就醫)."""

    national_id: str
    card_no: str = ""
    birth_date: str = ""
    sex: str = ""
    insured: bool = True
    designated: str = ""


@dataclass(frozen=True, slots=True)
class ProfessionalEntry:
    """A physician, pharmacist or other professional, by national id."""

    national_id: str
    contract_from: str = "0840301"
    contract_to: str = ""


@dataclass(frozen=True, slots=True)
class IdentifierFacts:
    """What a visit identifier decodes to."""

    national_id: str
    institution: str
    visited_at: str  # ROC YYYMMDDHHMMSS
    service: IdentifierService = IdentifierService.CARD


class ItemKind(Enum):
    """The insurer's lists of items that orders name."""

    DRUG = "drug"  # 藥品檔
    FEE = "fee schedule"  # 支付標準檔
    MATERIAL = "special material"  # 特材檔
    VIRTUAL = "virtual order"  # 虛擬醫令


class Register(Protocol):
    """Questions that checks ask. None, or False, when it is not on file."""

    def institution(self, code: str) -> InstitutionEntry | None: ...

    def sam_institution(self, sam_id: str) -> str | None:
        """The institution to which a SAM was issued."""
        ...

    def person(self, national_id: str) -> PersonEntry | None: ...

    def professional(self, national_id: str) -> ProfessionalEntry | None: ...

    def diagnosis(self, code: str) -> str | None:
        """For whom a diagnosis is valid: ``M``, ``F``, or empty for both."""
        ...

    def item(self, kind: ItemKind, code: str) -> bool: ...

    def on_list(self, name: str, code: str) -> bool:
        """Whether a code is on one of the lists that ``data/upload_lists.toml`` names."""
        ...

    def identifier(self, text: str) -> IdentifierFacts | None:
        """What a visit identifier says, None when its check fails."""
        ...

    def visit_signature_holds(self, record: Record) -> bool: ...

    def order_signature_holds(self, record: Record, order: Segment) -> bool: ...

    def changed_elsewhere(self, institution: str, national_id: str, visited_at: str) -> bool:
        """Whether a visit was changed on the insurer's own platform (異動平台) since it came."""
        ...


@dataclass(frozen=True)
class TableRegister:
    """A register made of tables in memory: for drawn worlds and tests. ``items`` None: every code is on file,
    likewise ``diagnoses``."""

    institutions: Mapping[str, InstitutionEntry] = field(default_factory=dict)
    sams: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, PersonEntry] = field(default_factory=dict)
    professionals: Mapping[str, ProfessionalEntry] = field(default_factory=dict)
    diagnoses: Mapping[str, str] | None = None
    items: Mapping[ItemKind, frozenset[str]] | None = None
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    identifiers: Mapping[str, IdentifierFacts] = field(default_factory=dict)
    changed: frozenset[tuple[str, str, str]] = frozenset()
    verify_visit: Callable[[Record], bool] = bool  # a record is always true: every signature holds
    verify_order: Callable[[Record, Segment], bool] = lambda *_: True

    def institution(self, code: str) -> InstitutionEntry | None:
        return self.institutions.get(code)

    def sam_institution(self, sam_id: str) -> str | None:
        return self.sams.get(sam_id)

    def person(self, national_id: str) -> PersonEntry | None:
        return self.people.get(national_id)

    def professional(self, national_id: str) -> ProfessionalEntry | None:
        return self.professionals.get(national_id)

    def diagnosis(self, code: str) -> str | None:
        return "" if self.diagnoses is None else self.diagnoses.get(code)

    def item(self, kind: ItemKind, code: str) -> bool:
        return self.items is None or code in self.items.get(kind, ())

    def on_list(self, name: str, code: str) -> bool:
        return code in self.lists.get(name, ())

    def identifier(self, text: str) -> IdentifierFacts | None:
        return self.identifiers.get(text)

    def visit_signature_holds(self, record: Record) -> bool:
        return self.verify_visit(record)

    def order_signature_holds(self, record: Record, order: Segment) -> bool:
        return self.verify_order(record, order)

    def changed_elsewhere(self, institution: str, national_id: str, visited_at: str) -> bool:
        return (institution, national_id, visited_at) in self.changed


__all__ = [
    "IdentifierFacts", "IdentifierService", "InstitutionEntry", "ItemKind", "PersonEntry", "ProfessionalEntry", "Register",
    "TableRegister", "Trade",
]
