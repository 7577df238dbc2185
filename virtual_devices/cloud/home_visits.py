"""The data centre's part in registration without a counter and in home visits.

    check-person   id_no, birth_date -> {}       registration by telephone or online: may the card be used, are the facts right
    home-package   card_no, purpose, until_ns,   before a home visit: insurance and records, for a bounded time and purpose;
                   hpc, proof -> package         the professional proves with their card that it is they who go

An institution is told of nobody whose facts it does not have: a wrong birth date is 5020, somebody unknown 9012. Each package
that was handed out is kept as a row: who took what of whom, for what, until when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtual_devices import pki
from virtual_devices.clock import NS, roc_date7
from virtual_devices.cloud.books import Kind
from virtual_devices.cloud.chain_codes import HPC_CODE
from virtual_devices.cloud.core import OK, UNKNOWN_CARD, DataCentre
from virtual_devices.home_package import LONGEST_S, PURPOSES, HomePackage, HomePerson, proof_message
from virtual_devices.link import Work
from virtual_devices.pki import PROFESSIONALS, ChainVerifier, Identity, Refused, Verified

SYNTAX_REJECTED, CONTRADICTED, HPC_REFUSED, TOO_MANY = "9002", "5020", "9130", "9004"
PACKAGES_A_DAY = 60
"""Of one institution: more than a team visits in a day (profile)."""
Arguments = Mapping[str, Any]
Reply = tuple[str, dict[str, Any]]
Operation = Callable[[Verified, bytes, Arguments, int], Reply]


@dataclass(frozen=True, slots=True)
class Taken:
    """A package that was handed out. Times in nanoseconds; ``day``: ROC date of its making."""

    id: bytes
    institution: str
    day: str
    professional: str
    card_no: str
    purpose: str
    made_ns: int
    until_ns: int


TAKEN = Kind("home_packages", Taken, ("id",), (("institution", "day"), ("card_no",)))


class Registers:
    """What is asked of other parts of the data centre; each is replaced by whoever puts it together."""

    def person_by_id(self, id_no: str) -> HomePerson | None:
        return None

    def person(self, card_no: str) -> HomePerson | None:
        return None

    def prescriptions(self, card_no: str, at_ns: int) -> tuple[Sequence[bytes], Sequence[Sequence[bytes]]]:
        """Signed records in force, and the chains of their signers."""
        return (), ()


class HomeVisits:
    """The operations, as a table for the data centre's device."""

    def __init__(
        self, core: DataCentre, identity: Identity, root: ChainVerifier, work: Work, revoked: Collection[int],
    ) -> None:
        self._core, self._identity, self._root, self._work, self._revoked = core, identity, root, work, revoked
        self.taken = core.books.shelf(TAKEN)
        self.registers = Registers()
        self.signed_by: Callable[[str], None] = lambda _: None
        """Told whose card has signed a request."""

    def operations(self) -> dict[str, Operation]:
        return {"check-person": self._check_person, "home-package": self._home_package}

    def _check_person(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        id_no, birth_date = a.get("id_no"), a.get("birth_date")
        if not isinstance(id_no, str) or not isinstance(birth_date, str):
            return SYNTAX_REJECTED, {}
        person = self.registers.person_by_id(id_no)
        if person is None:
            return UNKNOWN_CARD, {}
        if person.birth_date != birth_date:
            return CONTRADICTED, {}
        return self._core.eligibility(person.card_no, sam.organisation, now_ns), {}

    def _home_package(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        card_no, purpose, until_ns, hpc, proof = (a.get(n) for n in ("card_no", "purpose", "until_ns", "hpc", "proof"))
        if not (isinstance(card_no, str) and isinstance(purpose, str) and isinstance(hpc, bytes) and isinstance(proof, bytes)):
            return SYNTAX_REJECTED, {}
        if purpose not in PURPOSES or not isinstance(until_ns, int) or not now_ns < until_ns <= now_ns + LONGEST_S * NS:
            return SYNTAX_REJECTED, {}
        self._work.chains += 1
        who = self._root.check_bytes(hpc, PROFESSIONALS, now_ns, self._revoked)
        if isinstance(who, Refused):
            return HPC_CODE[who.trouble], {}
        self._work.verifications += 1
        if not pki.verify(who.key, proof, proof_message(request_id, card_no, purpose, until_ns)):
            return HPC_REFUSED, {}
        self.signed_by(who.subject_id)
        return self._hand_out(sam, who, request_id, (card_no, purpose, until_ns), now_ns)

    def _hand_out(
        self, sam: Verified, who: Verified, request_id: bytes, asked: tuple[str, str, int], now_ns: int,
    ) -> Reply:
        card_no, purpose, until_ns = asked
        person, insured = self.registers.person(card_no), self._core.people.get(card_no)
        if person is None or insured is None:
            return UNKNOWN_CARD, {}
        day = roc_date7(now_ns)
        again = self.taken.get(request_id)
        if again is None and len(self.taken.where(institution=sam.organisation, day=day)) >= PACKAGES_A_DAY:
            return TOO_MANY, {}
        row = Taken(request_id, sam.organisation, day, who.subject_id, card_no, purpose, now_ns, until_ns)
        if again is not None and (again.institution, again.card_no, again.until_ns) != (sam.organisation, card_no, until_ns):
            return SYNTAX_REJECTED, {}
        self.taken.put(again or row)
        prescriptions, chains = self.registers.prescriptions(card_no, now_ns)
        package = HomePackage(
            request_id, sam.organisation, who.subject_id, purpose, now_ns, until_ns, person,
            self._core.eligibility(card_no, sam.organisation, now_ns), insured.expiry_date, tuple(prescriptions),
            tuple(map(tuple, chains)),
        )
        self._work.signatures += 1
        return OK, {"package": package.sign(self._identity)}


__all__ = ["PACKAGES_A_DAY", "TAKEN", "HomeVisits", "Registers", "Taken"]
