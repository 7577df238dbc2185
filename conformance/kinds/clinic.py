"""A clinic's or hospital's software (醫事機構資訊系統) under test: we are its desk, its data centre and the people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from conformance.case import Kind
from conformance.kinds import Suite
from conformance.offices import OfficeTester, OfficeUnderTest
from conformance.references.clinic import Done, ReferenceClinic
from conformance.vectors.world import World


class ClinicUnderTest(OfficeUnderTest, Protocol):
    """See :class:`conformance.references.clinic.ReferenceClinic` for what each does."""

    def visit(
        self, how: str, visit_type: str = "01", *, upload: bool = True, fees: Mapping[str, int] | None = None,
        allergy: str = "",
    ) -> Done: ...
    def certificates_over(self) -> None: ...
    def by_telephone(self, id_no: str, birth_date: str) -> Done: ...
    def correct(self, *, identity: bool = False) -> Done: ...
    def prescribe(self, letter: str = "A", *, days: int = 0) -> Done: ...
    def change(self, what: str) -> Done: ...
    def answer_doubts(self) -> Done: ...
    def take_along(self, hours: float) -> Done: ...
    def put_in_bag(self, raw: bytes) -> Done: ...
    def at_home(self, identity: bytes, professional: str = "") -> Done: ...


class ClinicTester(OfficeTester):
    """The people at a clinic."""

    role = "clinic"

    def __init__(self, software: ClinicUnderTest, world: World, name: str) -> None:
        super().__init__(software, world, name)
        self.software = software

    def certificates_over(self) -> None:
        self.act("certificates over", self.software.certificates_over)


SUITE = Suite(
    Kind.CLINIC, ("desk",), ReferenceClinic, ClinicTester,
    (
        "virtual_devices.institution.uploads", "virtual_devices.institution.home_bag", "virtual_devices.institution.home_visit",
        "virtual_devices.institution.signing:sign_at_centre", "virtual_devices.home_package",
        "virtual_devices.reader.prescribing", "virtual_devices.reader.prescription_desk",
        "virtual_devices.reader.dispensing:open_doubts", "virtual_devices.reader.calls:get_reader_certificates",
    ),
)

__all__ = ["SUITE", "ClinicTester", "ClinicUnderTest"]
