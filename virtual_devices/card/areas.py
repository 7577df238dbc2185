"""The patient card's areas (欄位): what can be read, by whom, and in which cells of the store it lies.

Lengths and counts come from ``card_layout``; who must have proved themselves comes from the calls of manual 3.3 (``cards``
there, inferred). File identifiers are the bench's profile, because the real card's are not public: an area is read with
READ RECORD (00 B2) by the short identifier below, record by record or all from one on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from virtual_devices.records import RECORDS


class Access(Enum):
    """Who may read."""

    ALWAYS = "always"
    SAM = "sam"  # a proved SAM
    HOLDER = "holder"  # a proved SAM, and the holder's PIN when the holder switched it on
    PROFESSIONAL = "professional"  # as HOLDER, and a proved professional card


@dataclass(frozen=True, slots=True)
class Area:
    """One area: ``count`` records of the layout ``record`` behind the short file identifier ``sfi``."""

    name: str
    sfi: int
    record: str
    count: int
    access: Access
    section: str  # of the card: basic, insurance, medical, health_admin
    pharmacist_denied: bool = False

    @property
    def record_bytes(self) -> int:
        return RECORDS[self.record].length

    def cell(self, index: int) -> str:
        """The cell of record ``index`` (from 0)."""
        return f"{self.name}.{index}"


_HOLDER, _PRO = Access.HOLDER, Access.PROFESSIONAL

AREAS: tuple[Area, ...] = (
    Area("basic", 1, "basic", 1, Access.SAM, "basic"),
    Area("register", 2, "register_basic", 1, _HOLDER, "insurance"),
    Area("register2", 3, "register_basic2", 1, Access.ALWAYS, "insurance"),
    Area("emergency_tel", 4, "emergency_tel", 1, Access.SAM, "insurance"),
    Area("last_seq", 5, "last_seq", 1, _HOLDER, "insurance"),
    Area("visit", 6, "visit_register", 6, _HOLDER, "insurance"),
    Area("cumulative_year", 7, "cumulative_year", 2, _HOLDER, "insurance"),
    Area("cumulative_fee", 8, "cumulative_fee", 1, _HOLDER, "insurance"),
    Area("preventive", 9, "preventive", 6, _HOLDER, "insurance"),
    Area("prenatal", 10, "prenatal", 11, _HOLDER, "insurance"),
    Area("critical_illness", 11, "critical_illness_icd10", 6, _PRO, "insurance", pharmacist_denied=True),
    Area("diagnosis", 12, "visit_diagnosis_icd10", 6, _PRO, "medical"),
    Area("outpatient_rx", 13, "outpatient_rx", 60, _PRO, "medical"),
    Area("long_term_rx", 14, "long_term_rx", 30, _PRO, "medical"),
    Area("key_order", 15, "key_order", 10, _PRO, "medical", pharmacist_denied=True),
    Area("allergy", 16, "allergy_drug", 3, _PRO, "medical"),
    Area("inoculation", 17, "inoculation", 40, _HOLDER, "health_admin"),
    Area("critical_illness_period", 19, "critical_illness_period", 6, _HOLDER, "insurance"),
    Area("organ_donation", 18, "organ_donation", 1, _HOLDER, "health_admin"),
)
BY_SFI = {area.sfi: area for area in AREAS}
BY_NAME = {area.name: area for area in AREAS}

DERIVED = frozenset({"basic", "register", "register2", "critical_illness_period"})
"""Areas without cells of their own: views of the public data, of the cell ``insurance``, of the critical illness marks."""

INSURANCE_BYTES = 21
"""The cell ``insurance``: the tail of the registration record, from the cancel mark to the newborn's birth order."""
CANCEL, INSURER, IDENTITY_MARK, EXPIRY, AVAILABLE, NEWBORN = (
    slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 11), slice(11, 13), slice(13, 21),
)
