"""Emergency access (緊急醫療): treated first, accounted for afterwards (EMG-01).

A patient who is unconscious, without a card, or whose phone is dead cannot agree and cannot be authenticated. A professional
opens an access with their own card and says why; what saves a life is told at once, of whoever is known. Within three days the
institution accounts for it: who the patient was, and what justified it. What nobody accounted for is named. The holder sees both.

    emergency-open      reason, hpc, proof, ? id_no   -> access, ? person, allergies, critical_illness, prescriptions
    emergency-account   access, card_no, said         -> {}

The rules are the bench's **profile**: the field has visit types and abnormal codes for such visits, and no access of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from virtual_devices import pki
from virtual_devices.clock import NS
from virtual_devices.cloud.books import Kind
from virtual_devices.cloud.chain_codes import HPC_CODE
from virtual_devices.cloud.core import OK, UNKNOWN_CARD, DataCentre
from virtual_devices.link import Work
from virtual_devices.pki import PROFESSIONALS, ChainVerifier, Refused, Verified

SYNTAX_REJECTED, HPC_REFUSED, NO_SUCH, CONTRADICTED = "9002", "9130", "5150", "5020"
ACCOUNT_S = 3 * 86_400
"""So long there is to account for an access."""
MOST_WORDS = 400
PROOF = b"VHC emergency access 1\0"
Arguments = Mapping[str, Any]
Reply = tuple[str, dict[str, Any]]
Operation = Callable[[Verified, bytes, Arguments, int], Reply]


class Reason(Enum):
    """Why the patient does not present a card."""

    UNCONSCIOUS = "unconscious"
    NO_CARD = "no card"
    DEAD_PHONE = "dead phone"


@dataclass(frozen=True, slots=True)
class Access:
    """One access. ``card_no`` is empty while nobody knows who the patient is; ``accounted_ns`` -1 until it is accounted for."""

    id: bytes
    institution: str
    professional: str
    reason: Reason
    opened_ns: int
    card_no: str = ""
    accounted_ns: int = -1
    said: str = ""

    @property
    def due_ns(self) -> int:
        return self.opened_ns + ACCOUNT_S * NS


ACCESSES = Kind("emergency_accesses", Access, ("id",), (("institution",), ("card_no",), ("accounted_ns", "opened_ns")))


@dataclass(frozen=True, slots=True)
class Essentials:
    """What saves a life. ``prescriptions``: signed records in force."""

    card_no: str
    name: str
    allergies: Sequence[str] = ()
    critical_illness: Sequence[str] = ()
    prescriptions: Sequence[bytes] = field(default=(), repr=False)


class Emergencies:
    """The operations, as a table for the data centre's device. ``essentials``: of a national id, None when nobody has it."""

    def __init__(self, core: DataCentre, root: ChainVerifier, work: Work, revoked: Collection[int]) -> None:
        self._core, self._root, self._work, self._revoked = core, root, work, revoked
        self.accesses = core.books.shelf(ACCESSES)
        self.essentials: Callable[[str, int], Essentials | None] = lambda _, __: None
        self.signed_by: Callable[[str], None] = lambda _: None
        """Told whose card has signed a request."""

    def operations(self) -> dict[str, Operation]:
        return {"emergency-open": self._open, "emergency-account": self._account}

    def unaccounted(self, at_ns: int, institution: str = "") -> list[Access]:
        """What should have been accounted for by now, the oldest first; of one institution where it is named."""
        over = self.accesses.upto("opened_ns", at_ns - ACCOUNT_S * NS, accounted_ns=-1)
        return sorted((a for a in over if institution in ("", a.institution)), key=lambda a: (a.opened_ns, a.id))

    def of(self, card_no: str) -> list[Access]:
        """The holder's view: every access to what is theirs."""
        return self.accesses.where(card_no=card_no)

    def _open(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        reason, hpc, proof, id_no = a.get("reason"), a.get("hpc"), a.get("proof"), a.get("id_no", "")
        if not (isinstance(hpc, bytes) and isinstance(proof, bytes) and isinstance(id_no, str)):
            return SYNTAX_REJECTED, {}
        if reason not in [one.value for one in Reason]:
            return SYNTAX_REJECTED, {}
        self._work.chains += 1
        who = self._root.check_bytes(hpc, PROFESSIONALS, now_ns, self._revoked)
        if isinstance(who, Refused):
            return HPC_CODE[who.trouble], {}
        self._work.verifications += 1
        if not pki.verify(who.key, proof, proof_message(request_id, str(reason), id_no)):
            return HPC_REFUSED, {}
        self.signed_by(who.subject_id)
        found = self.essentials(id_no, now_ns) if id_no else None
        access = Access(
            request_id, sam.organisation, who.subject_id, Reason(reason), now_ns, found.card_no if found is not None else ""
        )
        known = self.accesses.get(request_id)
        if known is not None and replace(access, opened_ns=known.opened_ns) != known:
            return SYNTAX_REJECTED, {}  # the id of another access, or of one that was accounted for
        self.accesses.put(known or access)
        return OK, {"access": request_id} | ({} if found is None else _told(found))

    def _account(self, sam: Verified, request_id: bytes, a: Arguments, now_ns: int) -> Reply:
        name, card_no, said = a.get("access"), a.get("card_no"), a.get("said")
        if not (isinstance(name, bytes) and isinstance(card_no, str) and isinstance(said, str) and 0 < len(said) <= MOST_WORDS):
            return SYNTAX_REJECTED, {}
        access = self.accesses.get(name)
        if access is None or access.institution != sam.organisation:
            return NO_SUCH, {}
        if self._core.people.get(card_no) is None:
            return UNKNOWN_CARD, {}
        if access.card_no not in ("", card_no):
            return CONTRADICTED, {}
        if access.accounted_ns >= 0:
            return (OK, {}) if access.said == said else (SYNTAX_REJECTED, {})  # what was said first stays
        self.accesses.put(replace(access, card_no=card_no, accounted_ns=now_ns, said=said))
        return OK, {}


def proof_message(request_id: bytes, reason: str, id_no: str) -> bytes:
    """What the professional's card signs."""
    return PROOF + request_id + f"{reason}/{id_no}".encode()


def _told(found: Essentials) -> dict[str, Any]:
    return {
        "card_no": found.card_no, "name": found.name, "allergies": list(found.allergies),
        "critical_illness": list(found.critical_illness), "prescriptions": list(found.prescriptions),
    }


__all__ = ["ACCESSES", "ACCOUNT_S", "Access", "Emergencies", "Essentials", "Reason", "proof_message"]
