"""What checks of uploads ask of the insurer's database, answered from the data centre's registers and visits.

Items and diagnoses: every code is on file, for the lists of drugs, fees and materials are not the bench's. Signatures of records
are taken as they are: neither their keys nor their form are public.
"""

from __future__ import annotations

from collections.abc import Callable

from virtual_devices.clock import roc_datetime13
from virtual_devices.cloud.core import DataCentre, Insurance
from virtual_devices.cloud.registers import CentreRegisters
from virtual_devices.uploads.document import Record, Segment
from virtual_devices.uploads.register import (
    IdentifierFacts,
    IdentifierService,
    InstitutionEntry,
    ItemKind,
    PersonEntry,
    ProfessionalEntry,
)


class UploadRegister:
    """One data centre's (:class:`virtual_devices.uploads.register.Register`)."""

    def __init__(self, core: DataCentre, registers: CentreRegisters) -> None:
        self._core, self._registers = core, registers
        self.sam_institution: Callable[[str], str | None] = registers.sam_institution

    def institution(self, code: str) -> InstitutionEntry | None:
        found = self._registers.institutions.get(code)
        return None if found is None else InstitutionEntry(code, found.trade, began_20=found.began_20)

    def person(self, national_id: str) -> PersonEntry | None:
        who = self._registers.person_by_id(national_id)
        insured = None if who is None else self._core.people.get(who.card_no)
        if who is None or insured is None:
            return None
        return PersonEntry(
            national_id, who.card_no, who.birth_date, who.sex, insured.insurance is Insurance.INSURED, insured.only_at,
        )

    def professional(self, national_id: str) -> ProfessionalEntry | None:
        found = self._registers.professionals.get(national_id)
        return None if found is None else ProfessionalEntry(national_id)

    def diagnosis(self, code: str) -> str | None:
        return ""

    def item(self, kind: ItemKind, code: str) -> bool:
        return True

    def on_list(self, name: str, code: str) -> bool:
        return False

    def identifier(self, text: str) -> IdentifierFacts | None:
        """Of a visit that was begun here. One begun without a card has no visit type until its record comes."""
        visit = self._core.visits.get(text)
        national_id = "" if visit is None else self._registers.id_of(visit.card_no)
        if visit is None or not national_id:
            return None
        service = IdentifierService.CARD if visit.visit_type else IdentifierService.NO_CARD
        return IdentifierFacts(national_id, visit.institution, roc_datetime13(visit.begun_ns), service)

    def visit_signature_holds(self, record: Record) -> bool:
        return True

    def order_signature_holds(self, record: Record, order: Segment) -> bool:
        return True

    def changed_elsewhere(self, institution: str, national_id: str, visited_at: str) -> bool:
        return False


__all__ = ["UploadRegister"]
