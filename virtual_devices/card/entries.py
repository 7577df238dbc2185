"""What a patient card takes besides visits: newborn mark, allergies, organ donation, preventive and prenatal care, telephone,
vaccinations. Acts of the same command as in ``writes.py`` (profile), each under the rules of manual 3.3:

    E7  newborn mark            80 identity, 8F 8 bytes (birth date, birth order; blank clears it)
    E8  allergies               80 identity, 90 41 bytes (slot 1 to 3 as one byte, ingredient), once for each
    E9  organ donation          80 identity, 91 1 byte
    EA  preventive care         80 identity, 92 4 bytes (service, examination), 85 institution, 89 date-time now
    EB  emergency telephone     80 identity, 93 14 bytes, 89 date-time now
    EC  prenatal examination    80 identity, 94 2 bytes, 85 institution, 89 date-time now
    ED  clears prenatal care    80 identity
    EE  vaccination             80 identity, 95 18 bytes (kind, lot), 85 institution, 89 date-time now

Examination codes YA to YF take the last preventive entry back, XA the last prenatal one: of this institution, within 24 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from virtual_devices.apdu import SW
from virtual_devices.authentication import Authenticator, Party
from virtual_devices.card.areas import AVAILABLE, BY_NAME, CANCEL, EXPIRY, NEWBORN
from virtual_devices.card.draft import Draft, number
from virtual_devices.chip import Refusal, refuse_unless
from virtual_devices.clock import NS, parse_roc
from virtual_devices.pki import Role

NEWBORN_ENTRY, ALLERGY, ORGAN, PREVENTIVE, TELEPHONE, PRENATAL, CLEAR_PRENATAL, VACCINATION = range(0xE7, 0xEF)
MARK_BYTES, SLOT, DONATION, SERVICE, PHONE, EXAM, VACCINE = 0x8F, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95
LENGTHS: Mapping[int, int] = {MARK_BYTES: 8, SLOT: 41, DONATION: 1, SERVICE: 4, PHONE: 14, EXAM: 2, VACCINE: 18}
IDENTITY, HOSPITAL, NOW = 0x80, 0x85, 0x89  # as in ``writes.py``
CANCEL_PREVENTIVE = frozenset(b"Y" + bytes([letter]) for letter in b"ABCDEF")
CANCEL_PRENATAL = b"XA"
VISIT_FOR_CARE = b"AC"
"""Visit type of preventive care: one of the last six visits is such a one, or nothing is written."""
WINDOW_S = 86_400
MALE = b"M"
PHARMACIST_DENIED = 0x9700

Fields = dict[int, list[bytes]]
_Only = Callable[[Fields, int], bytes]


def apply_entry(tag: int, draft: Draft, fields: Fields, own: bytes, authenticator: Authenticator, only: _Only) -> None:
    """Put one of the acts above into the draft. Raises Refusal."""
    refuse_unless(only(fields, IDENTITY) == draft.get("public")[32:49], 0x9420)
    match tag:
        case 0xE7:
            _newborn(draft, only(fields, MARK_BYTES))
        case 0xE8:
            _allergies(draft, fields, authenticator)
        case 0xE9:
            draft["organ_donation.0"] = only(fields, DONATION)
        case 0xEA:
            _in_force(draft, only(fields, NOW))
            _preventive(draft, only(fields, SERVICE), _here(fields, own, only), only(fields, NOW))
        case 0xEB:
            _in_force(draft, only(fields, NOW))
            draft["emergency_tel.0"] = only(fields, PHONE)
        case 0xEC:
            _in_force(draft, only(fields, NOW))
            _prenatal(draft, only(fields, EXAM), _here(fields, own, only), only(fields, NOW))
        case 0xED:
            _need_female(draft)
            for slot in range(BY_NAME["prenatal"].count):
                draft[f"prenatal.{slot}"] = b" " * BY_NAME["prenatal"].record_bytes
            draft["prenatal.next"] = b"\0"
        case 0xEE:
            _in_force(draft, only(fields, NOW))
            vaccine, now = only(fields, VACCINE), only(fields, NOW)
            entry = vaccine[:6] + now[:7] + _here(fields, own, only) + vaccine[6:]
            draft[f"inoculation.{draft.next_slot('inoculation')}"] = entry
        case _:
            raise Refusal(SW.WRONG_DATA)


def _here(fields: Fields, own: bytes, only: _Only) -> bytes:
    hospital = only(fields, HOSPITAL)
    refuse_unless(hospital == own, SW.SECURITY_STATUS_NOT_SATISFIED)
    return hospital


def _in_force(draft: Draft, now: bytes) -> None:
    insurance = draft.get("insurance")
    refuse_unless(insurance[CANCEL] == b"1", 0x9402)
    refuse_unless(insurance[EXPIRY] >= now[:7], 0x9403)
    _moment(now)


def _moment(text: bytes) -> int:
    try:
        return parse_roc(text.decode("ascii"))
    except ValueError:
        raise Refusal(SW.WRONG_DATA) from None


def _newborn(draft: Draft, mark: bytes) -> None:
    born, order = mark[:7], mark[7:]
    if mark.strip(b" "):
        _moment(born)
        refuse_unless(order.isdigit(), 0x9452)
    insurance = draft.get("insurance")
    draft["insurance"] = insurance[: NEWBORN.start] + mark + insurance[NEWBORN.stop :]


def _allergies(draft: Draft, fields: Fields, authenticator: Authenticator) -> None:
    professional = authenticator.proved.get(Party.HPC)
    if professional is None:
        raise Refusal(SW.SECURITY_STATUS_NOT_SATISFIED)
    refuse_unless(professional.role is not Role.PHARMACIST, PHARMACIST_DENIED)
    slots = fields.get(SLOT, [])
    refuse_unless(1 <= len(slots) <= BY_NAME["allergy"].count, SW.WRONG_DATA)
    for entry in slots:
        refuse_unless(1 <= entry[0] <= BY_NAME["allergy"].count, SW.WRONG_DATA)
        draft[f"allergy.{entry[0] - 1}"] = entry[1:]


def _care_visit(draft: Draft) -> None:
    """Visits are left, and one for preventive care stands among the last six that was not rolled back."""
    refuse_unless(number(draft.get("insurance")[AVAILABLE]) > 0, 0x9401)
    standing = [slot for slot in range(BY_NAME["visit"].count) if draft.get(f"rolled_back.{slot}") != b"\x01"]
    refuse_unless(any(draft.get(f"visit.{slot}")[:2] == VISIT_FOR_CARE for slot in standing), 0x9483)


def _preventive(draft: Draft, service: bytes, hospital: bytes, now: bytes) -> None:
    if service[2:] in CANCEL_PREVENTIVE:
        _take_back(draft, "preventive", lambda entry: entry[9:19] == hospital, now, 0x9484)
        return
    refuse_unless(service.isalnum(), 0x9468)
    _care_visit(draft)
    _put(draft, "preventive", service[:2] + now[:7] + hospital + service[2:], now)


def _need_female(draft: Draft) -> None:
    refuse_unless(draft.get("public")[49:50] != MALE, 0x9479)


def _prenatal(draft: Draft, exam: bytes, hospital: bytes, now: bytes) -> None:
    _need_female(draft)
    if exam == CANCEL_PRENATAL:
        _take_back(draft, "prenatal", lambda entry: entry[7:17] == hospital, now, 0x9482)
        return
    refuse_unless(exam.isalnum(), 0x9478)
    _care_visit(draft)
    _put(draft, "prenatal", now[:7] + hospital + exam, now)


def _put(draft: Draft, area: str, entry: bytes, now: bytes) -> None:
    slot = draft.next_slot(area)
    draft[f"{area}.{slot}"] = entry
    draft[f"{area}_at.{slot}"] = now


def _take_back(draft: Draft, area: str, is_here: Callable[[bytes], bool], now: bytes, none: int) -> None:
    """The newest entry of the area that was written here within 24 hours is blanked."""
    found = []
    for slot in range(BY_NAME[area].count):
        at = draft.get(f"{area}_at.{slot}")
        if at and is_here(draft.get(f"{area}.{slot}")) and 0 <= _moment(now) - _moment(at) <= WINDOW_S * NS:
            found.append((at, slot))
    refuse_unless(bool(found), none)
    _, newest = max(found)
    draft[f"{area}.{newest}"] = b" " * BY_NAME[area].record_bytes
    draft[f"{area}_at.{newest}"] = b""


__all__ = [
    "ALLERGY", "CLEAR_PRENATAL", "DONATION", "EXAM", "LENGTHS", "MARK_BYTES", "NEWBORN_ENTRY", "ORGAN", "PHONE", "PRENATAL",
    "PREVENTIVE", "SERVICE", "SLOT", "TELEPHONE", "VACCINATION", "VACCINE", "apply_entry",
]
