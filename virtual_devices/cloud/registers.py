"""The registers that the data centre asks: who is who, which institutions are contracted, which SAMs were issued to them.

What other parts of the data centre ask of them is answered here: insurance numbers by national id, what a home visit takes along,
what an emergency is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from virtual_devices.cloud.books import Books, Kind
from virtual_devices.cloud.emergency import Essentials
from virtual_devices.cloud.home_visits import Registers
from virtual_devices.cloud.prescription_rows import CHAINS
from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.home_package import MAX_PRESCRIPTIONS, HomePerson
from virtual_devices.prescription.states import State
from virtual_devices.uploads.register import Trade
from virtual_devices.write_back import read_record, thumbprint

IN_FORCE = frozenset({State.ISSUED, State.HELD, State.PARTLY})
"""States of a prescription that something may still become of."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person by national id (身分證號). ``birth_date``: ROC YYYMMDD."""

    id_no: str
    card_no: str
    name: str
    birth_date: str
    sex: str

    @property
    def person(self) -> HomePerson:
        return HomePerson(self.card_no, self.name, self.id_no, self.birth_date, self.sex)


@dataclass(frozen=True, slots=True)
class Contracted:
    """A contracted institution (特約醫事機構). ``began_20``: ROC date since when it uploads format 2.0, empty for not at all."""

    code: str
    trade: Trade = Trade.CLINIC
    began_20: str = ""


@dataclass(frozen=True, slots=True)
class IssuedSam:
    """A security module (安全模組), and the institution that it was issued to."""

    sam_id: str
    institution: str


@dataclass(frozen=True, slots=True)
class Practising:
    """A professional by national id."""

    id_no: str


IDENTITIES = Kind("identities", Identity, ("id_no",), (("card_no",),))
INSTITUTIONS = Kind("institutions", Contracted, ("code",))
ISSUED_SAMS = Kind("issued_sams", IssuedSam, ("sam_id",), (("institution",),))
PROFESSIONALS = Kind("professionals", Practising, ("id_no",))


class CentreRegisters(Registers):
    """``medical``: what is on file of a holder, by card number: elements by name, as their card says them."""

    def __init__(self, books: Books, prescriptions: Prescriptions, medical: Callable[[str], Mapping[str, Any]]) -> None:
        self.identities = books.shelf(IDENTITIES)
        self.institutions = books.shelf(INSTITUTIONS)
        self.sams = books.shelf(ISSUED_SAMS)
        self.professionals = books.shelf(PROFESSIONALS)
        self._chains = books.shelf(CHAINS)
        self._prescriptions, self._medical = prescriptions, medical

    # -- taking in

    def take_in(self, who: Identity) -> bool:
        """False when the national id, or the card number, is another's."""
        known = self.identities.get(who.id_no)
        others = [one for one in self.identities.where(card_no=who.card_no) if one.id_no != who.id_no]
        if others or (known is not None and known.card_no != who.card_no):
            return False
        self.identities.put(who)
        return True

    def contract(self, institution: Contracted, sams: Sequence[str] = (), professionals: Sequence[str] = ()) -> str:
        """Take an institution in, with its SAMs and professionals, beside those it has. The SAM that is another's, or empty."""
        for sam_id in sams:
            if self.sam_institution(sam_id) not in (None, institution.code):
                return sam_id
        self.institutions.put(institution)
        for sam_id in sams:
            self.sams.put(IssuedSam(sam_id, institution.code))
        for id_no in professionals:
            self.professionals.put(Practising(id_no))
        return ""

    def sam_institution(self, sam_id: str) -> str | None:
        """The institution that a SAM was issued to."""
        found = self.sams.get(sam_id)
        return None if found is None else found.institution

    # -- what others ask

    def card_of(self, id_no: str) -> str:
        """Card number of a national id, empty when nobody has it."""
        found = self.identities.get(id_no)
        return "" if found is None else found.card_no

    def id_of(self, card_no: str) -> str:
        """National id of a card number, empty when nobody has it."""
        found = self.identities.where(card_no=card_no)
        return found[0].id_no if found else ""

    def person_by_id(self, id_no: str) -> HomePerson | None:
        found = self.identities.get(id_no)
        return None if found is None else found.person

    def person(self, card_no: str) -> HomePerson | None:
        found = self.identities.where(card_no=card_no)
        return found[0].person if found else None

    def prescriptions(self, card_no: str, at_ns: int) -> tuple[Sequence[bytes], Sequence[Sequence[bytes]]]:
        """The newest version of each prescription in force, as it was signed, and the chains of all that signed them."""
        standing = [self._prescriptions.standing(folder.root) for folder in self._prescriptions.of_holder(card_no)]
        in_force = [one.document.signed for one in standing if one and one.versions and one.state(at_ns) in IN_FORCE]
        records = in_force[:MAX_PRESCRIPTIONS]
        leaves = {thumbprint(signature) for raw in records for signature in read_record(raw)[1].signatures}
        return records, self.chains(sorted(leaves))

    def chains(self, leaves: Iterable[bytes]) -> list[list[bytes]]:
        """Chains of signers that are known here, by the SHA-256 of their leaves."""
        rows = [row for leaf in leaves if (row := self._chains.get(leaf)) is not None]
        return [list(cbor2.loads(row.chain)) for row in rows]

    def essentials(self, id_no: str, at_ns: int) -> Essentials | None:
        """What saves a life, of whoever has that national id."""
        person = self.identities.get(id_no)
        if person is None:
            return None
        medical = self._medical(person.card_no)
        allergies, illness = (tuple(map(str, medical.get(name, ()))) for name in ("allergies", "critical_illness"))
        return Essentials(person.card_no, person.name, allergies, illness, self.prescriptions(person.card_no, at_ns)[0])


__all__ = [
    "CentreRegisters", "Contracted", "IDENTITIES", "INSTITUTIONS", "ISSUED_SAMS", "Identity", "IssuedSam", "PROFESSIONALS",
    "Practising",
]
