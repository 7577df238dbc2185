"""The virtual card's document (profile): its type, its elements, and who must have proved themselves before each is shown.

Element values are of CBOR's own types. Names and field numbers are those of the physical card's layout (``card_layout``);
what a visit writes later is not the issuer's word and travels as the device's own (:data:`RECORDS`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType

from virtual_devices.quick import QuickEnum

DOCTYPE = "tw.nhi.bench.vhc.1"
BASIC = "tw.nhi.bench.basic.1"
MEDICAL = "tw.nhi.bench.medical.1"
RECORDS = "tw.nhi.bench.records.1"
DELEGATION = "tw.nhi.bench.delegation.1"
WRITE = "tw.nhi.bench.write.1"
WRITE_INFO = "tw.nhi.bench.write"
"""Key of requestInfo under which a batch rides."""
RECEIPT = "receipt"
HELD_UNDER = "held_under"
"""Issuer-signed: the id of the authorization under which a guardian's phone holds a ward's card, empty on one's own. A reader
asks for it always, so that a guardian cannot leave the authorization out."""
FORMER = "former"
"""Issuer-signed: the cards whose place this one took (``write_back.holder_of``), newest first; none on a first card. What was
written for them is the same person's, and this card's now."""
MAX_FORMER = 8
"""Named at most: the newest. What is older the data centre finds by the card number."""


class Need(QuickEnum):
    """Whose proof an element needs."""

    READER = "any reader of the bench's root, also outside medical care"
    SAM = "the institution's SAM"
    SAM_AND_HPC = "the institution's SAM and a professional's card"


class Signer(Enum):
    """Whose word a value is."""

    ISSUER = "issuer"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Element:
    """One data element. ``item``: its number in the physical card's layout, "" when it has none there."""

    space: str
    name: str
    zh: str
    en: str
    need: Need
    signer: Signer = Signer.ISSUER
    item: str = ""


def _elements() -> tuple[Element, ...]:
    reader, sam, both, device = Need.READER, Need.SAM, Need.SAM_AND_HPC, Signer.DEVICE
    return (
        Element(BASIC, "name", "姓名", "name", reader, item="基2"),
        Element(BASIC, "birth_date", "出生日期", "birth date", reader, item="基4"),
        Element(BASIC, "sex", "性別", "sex", reader, item="基5"),
        Element(BASIC, "portrait", "照片", "photograph (JPEG)", reader, item="基7"),
        Element(BASIC, "card_no", "卡片號碼", "card number", sam, item="基1"),
        Element(BASIC, "id_no", "身分證號或身分證明文件號碼", "national id number", sam, item="基3"),
        Element(BASIC, "issue_date", "發卡日期", "date of issue", sam, item="基6"),
        Element(BASIC, "expiry_date", "卡片有效期限", "end of validity", sam, item="健3"),
        Element(BASIC, "identity_mark", "保險對象身分註記", "insured person's status", sam, item="健2"),
        Element(BASIC, "emergency_tel", "緊急聯絡電話", "emergency telephone", sam, item="健13-14"),
        Element(BASIC, HELD_UNDER, "代理授權識別碼", "authorization under which a guardian holds the card", reader),
        Element(BASIC, FORMER, "前卡識別碼", "cards whose place this one took", both),
        Element(MEDICAL, "critical_illness", "重大傷病註記", "critical illnesses, with their dates", both, item="健4"),
        Element(MEDICAL, "allergies", "過敏藥物", "drug allergies", both, item="醫4"),
        Element(MEDICAL, "inoculations", "預防接種資料", "vaccinations", both, item="衛1"),
        Element(MEDICAL, "donation_mark", "同意器官捐贈及安寧緩和醫療註記", "organ donation, palliative care", both, item="衛2"),
        Element(RECORDS, "visits", "就醫資料登錄", "visits written back", both, device, "健8"),
        Element(RECORDS, "prescriptions", "處方箋", "prescriptions handed over", both, device, "醫1"),
        Element(RECORDS, "certificates", "簽章憑證", "chains of those who signed the records", both, device),
        Element(RECORDS, "generation", "資料版次", "generation of the wallet's store", sam, device),
        Element(DELEGATION, "authorization", "代理授權", "a guardian's authorization", sam, device),
        Element(DELEGATION, "proof", "代理人證明", "the guardian's own proof in this session", sam, device),
        Element(WRITE, RECEIPT, "寫入回條", "receipt of a batch", sam, device),
    )


ELEMENTS = _elements()
SPACES = (BASIC, MEDICAL, RECORDS, DELEGATION, WRITE)
_NOTHING: frozenset[str] = frozenset()
BY_NAME: Mapping[tuple[str, str], Element] = MappingProxyType({(e.space, e.name): e for e in ELEMENTS})
AUTHORISED: Mapping[str, None] = MappingProxyType(dict.fromkeys((RECORDS, DELEGATION, WRITE)))
"""Namespaces that the device key may sign in, as the MSO says."""

REGISTRATION = {BASIC: {e.name: False for e in ELEMENTS if e.space == BASIC and e.name != FORMER}, RECORDS: {"generation": False},
                DELEGATION: {"authorization": True, "proof": True}}
"""What a counter asks for at registration: namespace -> element -> intent to retain."""
CONSULTATION = {
    BASIC: {"name": False, "birth_date": False, "sex": False, "portrait": False, "card_no": True, "id_no": True,
            HELD_UNDER: True, FORMER: False},
    MEDICAL: {e.name: False for e in ELEMENTS if e.space == MEDICAL},
    RECORDS: {e.name: False for e in ELEMENTS if e.space == RECORDS}, DELEGATION: {"authorization": True, "proof": True},
}
"""What a physician asks for."""
DISPENSING = {
    BASIC: {"name": False, "birth_date": False, "card_no": True, HELD_UNDER: True, FORMER: False},
    MEDICAL: {"allergies": False},
    RECORDS: {"prescriptions": True, "certificates": True, "generation": False},
    DELEGATION: {"authorization": True, "proof": True},
}
"""What a pharmacist asks for."""
OTHER_USE = {BASIC: {"name": False, "birth_date": False, "portrait": False, HELD_UNDER: False}}
"""What a reader outside medical care may ask for at most, beside the sex."""


def grants(*, sam: bool, hpc: bool, other_use: bool) -> frozenset[Need]:
    """Which needs are met by those who have proved themselves. A professional alone, without the SAM, meets none."""
    met = set()
    if sam or other_use:
        met.add(Need.READER)
    if sam:
        met.add(Need.SAM)
    if sam and hpc:
        met.add(Need.SAM_AND_HPC)
    return frozenset(met)


def allowed(wanted: Mapping[str, Collection[str]], met: Collection[Need]) -> dict[str, frozenset[str]]:
    """The part of what is asked that may be shown to these readers. Elements that nobody knows are not in it."""
    shown = _shown_to(frozenset(met))
    return {space: may for space, names in wanted.items() if (may := shown.get(space, _NOTHING).intersection(names))}


@cache
def _shown_to(met: frozenset[Need]) -> Mapping[str, frozenset[str]]:
    return {space: frozenset([e.name for e in ELEMENTS if e.space == space and e.need in met]) for space in SPACES}
