"""What an institution does with a card's file at the data centre: reads, registers, writes, takes back. For virtual cards by
their token, for physical ones by their own proof; the same records either way. Codes of the space ``cshis``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from virtual_devices import pki
from virtual_devices.card import writes
from virtual_devices.card.areas import AVAILABLE
from virtual_devices.card.image import Personalisation, fresh_cells
from virtual_devices.clock import parse_roc, roc_date7, roc_datetime13
from virtual_devices.cloud.card_files import CardFiles
from virtual_devices.cloud.core import ANOTHER_REQUEST, NOT_GIVEN, OK, UNKNOWN_CARD, DataCentre
from virtual_devices.pki import DAY_NS
from virtual_devices.qr.token import TokenOffice

SAME_DAY, NO_VISIT = "5010", "5022"
SAME_TIME = "3242"
"""Another visit of that very second (space vhc: the control software of manual 3.3 has no code for it)."""
RX_SIGNATURE_BYTES = 20
Fields = dict[int, list[bytes]]


@dataclass(frozen=True, slots=True)
class Registered:
    """A visit begun at the data centre. ``code``: 0, or a notice (5010)."""

    code: str
    when: str = ""
    sequence: str = ""
    identifier: str = ""
    same_day: bool = False


@dataclass
class CardService:
    """``key``: of the signatures over prescription entries; ``tokens``: the codes on holders' screens; ``by_id``: card numbers by
    national ID, of those taken in here; ``card_of``: of everybody else, empty when nobody has it."""

    core: DataCentre
    files: CardFiles
    tokens: TokenOffice
    key: bytes
    fresh: Callable[[int], bytes]
    by_id: dict[str, str] = field(default_factory=dict)
    card_of: Callable[[str], str] = lambda _: ""
    _identifiers: dict[tuple[str, str], str] = field(default_factory=dict)

    def take_in(self, data: Personalisation) -> None:
        """A card whose file is kept here."""
        self.files.take_in(data.card_no, fresh_cells(data))
        self.by_id[data.holder.id_no] = data.card_no

    # -- reading

    def read(self, card_no: str, *areas: str, pharmacist: bool = False) -> bytes:
        return self.files.read(card_no, *areas, pharmacist=pharmacist)

    def basic(self, card_no: str) -> dict[str, str]:
        return self.files.texts(card_no, "basic")[0]

    # -- visits

    def register(
        self, card_no: str, institution: str, visit_type: str, newborn: str, recard: str, at_ns: int, *, virtual: bool,
    ) -> Registered:
        """A sequence number: W001 and on for a virtual card, the file's own next for a physical one; and the identifier."""
        code = self.core.eligibility(card_no, institution, at_ns)
        if code != OK:
            return Registered(code)
        when = roc_datetime13(at_ns)
        request_id = hashlib.sha256(f"6.0 {card_no} {when} {institution}".encode()).digest()[:16]
        code, visit = self.core.begin_visit(request_id, card_no, institution, visit_type, at_ns, virtual=virtual)
        if visit is None:
            return Registered(SAME_TIME if code == ANOTHER_REQUEST else code)
        fields = {
            writes.TYPE: [visit_type.encode()], writes.NEWBORN_MARK: [(newborn or " ").encode()],
            writes.RECARD: [(recard or "1").encode()], writes.DATETIME: [when.encode()], writes.HOSPITAL: [_here(institution)],
        }
        code, issued = self.files.write(card_no, institution, [(writes.ISSUE, fields)], visit.sequence)
        if code != OK:
            self.core.roll_back(visit.identifier, institution, at_ns)
            return Registered(SAME_TIME if code == NOT_GIVEN else code)
        self._identifiers[(card_no, when)] = visit.identifier
        same_day = issued[4:5] == b"Y"
        return Registered(SAME_DAY if same_day else OK, when, issued[:4].decode("ascii"), visit.identifier, same_day)

    def identifier(self, card_no: str, institution: str, when: str) -> tuple[str, str]:
        """Of a visit that stands in the file, begun at this institution: code and identifier."""
        found = self._identifiers.get((card_no, when))
        visit = self.core.visits.get(found) if found else None
        if visit is None or visit.institution != institution:
            return NO_VISIT, ""
        return OK, visit.identifier

    def without_card(self, id_no: str, institution: str, at_ns: int) -> Registered:
        """A visit identifier by the patient's national ID alone."""
        card_no = self.by_id.get(id_no) or self.card_of(id_no)
        if not card_no:
            return Registered(UNKNOWN_CARD)
        code, visit = self.core.begin_visit(self.fresh(16), card_no, institution, "", at_ns)
        if visit is None:
            return Registered(code)
        return Registered(OK, roc_datetime13(at_ns), "", visit.identifier)

    def take_back(self, card_no: str, institution: str, when: str, at_ns: int) -> str:
        """退掛."""
        if not is_moment(when):
            return "5150"
        fields = {
            writes.DATETIME: [when.encode()], writes.HOSPITAL: [_here(institution)], writes.NOW: [roc_datetime13(at_ns).encode()],
        }
        code, _ = self.files.write(card_no, institution, [(writes.ROLL_BACK, fields)])
        found = self._identifiers.get((card_no, when))
        if code == OK and found:
            self.core.roll_back(found, institution, at_ns)
        return code

    # -- writing

    def _named(self, card_no: str, when: str) -> Fields:
        identity = self.files.cell(card_no, "public")[32:49]
        return {writes.IDENTITY: [identity], writes.DATETIME: [when.encode("ascii", "replace")[:13].ljust(13)]}

    def write(self, card_no: str, institution: str, when: str, codes: bytes | None, fees: bytes | None) -> str:
        """Diagnoses (55 bytes) and fees (38 bytes) of a visit, both or neither."""
        acts: list[tuple[int, Fields]] = []
        if codes is not None:
            acts.append((writes.DIAGNOSIS, {**self._named(card_no, when), writes.CODES: [codes]}))
        if fees is not None:
            acts.append((writes.FEE, {**self._named(card_no, when), writes.FEES: [fees]}))
        return self.files.write(card_no, institution, acts)[0]

    def written(self, card_no: str, when: str) -> bool:
        """Whether the visit has its diagnoses already."""
        raw = self.files.read(card_no, "diagnosis")
        return any(raw[at : at + 13] == when.encode() and raw[at + 13 : at + 67].strip() for at in range(0, len(raw), 67))

    def prescribe(self, card_no: str, institution: str, when: str, entries: list[bytes]) -> tuple[str, list[bytes]]:
        """Prescription entries (61 bytes each), and the signature over each (20 bytes)."""
        acts = [(writes.PRESCRIPTION, {**self._named(card_no, when), writes.RX: entries})]
        code, _ = self.files.write(card_no, institution, acts)
        if code != OK:
            return code, []
        return OK, [pki.mac(self.key, institution.encode("ascii") + entry)[:RX_SIGNATURE_BYTES] for entry in entries]

    # -- the card's insurance

    def update(self, card_no: str, at_ns: int) -> str:
        """卡片內容更新."""
        insurance = self.files.cell(card_no, "insurance")
        left = insurance[AVAILABLE]
        expiry = insurance[4:11].decode("ascii", "replace")
        code, content = self.core.card_update(card_no, int(left) if left.isdigit() else 0, at_ns, expiry)
        if code == OK:
            self.files.set_cell(card_no, "insurance", content + insurance[13:])
        return code


def is_moment(text: str) -> bool:
    """ROC YYYMMDDHHMMSS, of a moment that exists."""
    try:
        parse_roc(text)
    except ValueError:
        return False
    return len(text) == 13


def _here(institution: str) -> bytes:
    return institution.encode("ascii", "replace")[:10].ljust(10)


def fresh_dates(at_ns: int) -> tuple[str, str]:
    """Issued today, good for five years: of a card made here."""
    return roc_date7(at_ns), roc_date7(at_ns + 5 * 365 * DAY_NS)


__all__ = ["CardService", "Registered", "fresh_dates", "is_moment"]
