"""The people, institutions and phones that a data centre, a clinic or a pharmacy under test meets: invented, from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from conformance.vectors.world import CARD_NO, DOCTOR_ID, GUARDIAN_NO, INSTITUTION, PHARMACIST_ID, SAM_ID, Reader, World
from virtual_devices.card.holder import Holder, id_number
from virtual_devices.clock import NS
from virtual_devices.cloud.centre import Newcomer
from virtual_devices.pki import Role
from virtual_devices.uploads.register import Trade
from virtual_devices.wallet.attestation import PhoneMaker

PHARMACY, PHARMACY_SAM_ID = "5931010018", "SAM000000002"
CHILD_NO = "000000000011"
HOLDER = Newcomer(CARD_NO, Holder("王小明", id_number("A", "M", 2345678), date(1958, 7, 4), "M"), "F1234567", "0912345678")
GUARDIAN = Newcomer(GUARDIAN_NO, Holder("陳美玲", id_number("A", "F", 1), date(1988, 5, 4), "F"), "F7654321", "0912000001")
CHILD = Newcomer(
    CHILD_NO, Holder("林心怡", id_number("C", "F", 3), date(2016, 6, 1), "F"), "F7654321", parents=frozenset({GUARDIAN_NO}),
)
PEOPLE = (HOLDER, GUARDIAN, CHILD)
ID_NO = HOLDER.holder.id_no
FACTS = {"id_no": ID_NO, "birth_date": HOLDER.holder.birth_date.isoformat(), "household_no": HOLDER.household_no}
REACHED = {**FACTS, "phone_no": HOLDER.phone_no}
"""What the holder gives: facts, and the telephone at which they are reached."""


@dataclass(frozen=True)
class Place:
    """An institution with its security module and a professional. ``sam``, ``professional``: who signs for them."""

    institution: str
    trade: Trade
    sam_id: str
    sam: Reader
    professional_id: str
    professional: Reader


def clinic(world: World) -> Place:
    return Place(INSTITUTION, Trade.CLINIC, SAM_ID, world.sam, DOCTOR_ID, world.physician)


def pharmacy(world: World) -> Place:
    sam = world.reader(Role.SAM, PHARMACY_SAM_ID, organisation=PHARMACY)
    return Place(PHARMACY, Trade.PHARMACY, PHARMACY_SAM_ID, sam, PHARMACIST_ID, world.pharmacist)


def renewed(place: Place, world: World, now_ns: int) -> Place:
    """The same with certificates of now."""
    role = Role.PHYSICIAN if place.trade is Trade.CLINIC else Role.PHARMACIST
    from_ns = now_ns - 3600 * NS
    sam = world.reader(Role.SAM, place.sam_id, organisation=place.institution, from_ns=from_ns)
    return replace(place, sam=sam, professional=world.reader(role, place.professional_id, from_ns=from_ns))


def maker(world: World) -> PhoneMaker:
    """Who makes phones that can attest their keys."""
    return PhoneMaker(f"vectors {world.seed}", world.epoch_ns)


__all__ = [
    "CHILD", "CHILD_NO", "FACTS", "GUARDIAN", "HOLDER", "ID_NO", "PEOPLE", "PHARMACY", "PHARMACY_SAM_ID", "Place", "REACHED",
    "clinic", "maker", "pharmacy", "renewed",
]
