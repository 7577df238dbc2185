"""What an institution tells of a visit: its facts, from the registration, what was done, and the money.

The same facts come from a visit with a physical card and with a virtual one: what comes after registration does not know which it
was. The identifier of a visit registered without a line, and the signatures of one with a virtual card, are filled in when the
record is sent (:mod:`virtual_devices.institution.uploads`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from virtual_devices.clock import parse_roc
from virtual_devices.prescription.document import Entry, Prescription, PrescriptionClass
from virtual_devices.reader.dispensing import Dispensed
from virtual_devices.reader.visit import Registered
from virtual_devices.reader.wallet_visit import VirtualRegistered
from virtual_devices.uploads.facts import Fees, Newborn, Order, OrderKind, OrderPlace, Original, Refill, VisitFacts
from virtual_devices.uploads.lists import SEQUENCE

ORDINARY_DAYS = 7
"""An ordinary prescription (class A) is for this many days at most; beyond, one that is dispensed once is chronic (B)."""
ROUTE = "PO"
"""Entries of the card have no route of administration; the bench prescribes what is swallowed."""
ILLNESS, SERVICE_CLASS = "4", "11"
"""Benefit type (給付類別) ordinary illness, service class (醫事類別) of a Western clinic's outpatients."""
LEFT_UNTREATED, COLLECTED = "Z5329", "Z760"
"""ICD-10: procedure not carried out for the patient's reasons; issue of a repeat prescription."""


@dataclass(frozen=True, slots=True)
class Whom:
    """The patient as the institution's files have them. ``card_no``: empty when no card was read."""

    national_id: str
    birth_date: date
    card_no: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """How the visit began. ``signature``: the SAM's over the statement of the visit, hex; ``situation``: why there is no sequence
    number of the usual kind (:mod:`virtual_devices.institution.abnormal`), empty for an ordinary visit."""

    visited_ns: int
    visit_type: str = "01"
    sequence: str = ""
    identifier: str = ""
    signature: str = ""
    sam_id: str = ""
    situation: str = ""
    obtained: bool = False
    newborn: Newborn | None = None


def begun_with_card(registered: Registered, sam_id: str, newborn: Newborn | None = None) -> Begun:
    """Registered with a physical card, at the desk with that SAM."""
    request = registered.request
    return Begun(
        parse_roc(request.visited_at), request.visit_type, registered.sequence, registered.identifier, registered.signature.hex(),
        sam_id, newborn=newborn,
    )


def begun_with_wallet(registered: VirtualRegistered, situation: str, newborn: Newborn | None = None) -> Begun:
    """Registered with a virtual card. ``situation``: what stands in its number's place, when there was no line to get one."""
    request = registered.request
    why = "" if registered.sequence else situation
    return Begun(
        parse_roc(request.visited_at), request.visit_type, registered.sequence, registered.identifier, situation=why,
        newborn=newborn,
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What was done at a visit. ``entries``: ordered here; ``prescription``: released to a pharmacy, in their place;
    ``signatures``: of each order (處方簽章), in their order."""

    diagnoses: tuple[str, ...]
    fees: Fees
    entries: tuple[Entry, ...] = ()
    prescription: Prescription | None = None
    signatures: tuple[str, ...] = ()


def consultation(institution: str, professional_id: str, whom: Whom, begun: Begun, done: Done) -> VisitFacts:
    """A clinic's visit, or a home visit."""
    rx = done.prescription
    if rx is None:
        orders = _orders(done.entries, [_class_of(one) for one in done.entries], OrderPlace.HERE, done.signatures)
    else:
        orders = _orders(rx.entries, [rx.kind.value] * len(rx.entries), OrderPlace.RELEASED, done.signatures)
    here = [order.days or 0 for order in orders if order.place is OrderPlace.HERE]
    refills = {} if rx is None else _refills(rx)
    return VisitFacts(
        institution, professional_id, whom.national_id, whom.birth_date, begun.visit_type, begun.visited_ns,
        sam_id=begun.sam_id, card_no=whom.card_no, sequence=begun.sequence, situation=begun.situation, obtained=begun.obtained,
        identifier=begun.identifier, signature=begun.signature, newborn=begun.newborn, diagnoses=done.diagnoses, fees=done.fees,
        benefit_type=ILLNESS, service_class=SERVICE_CLASS, dispensing_mode="1" if rx is not None else "0" if here else "2",
        days_supplied=max(here, default=0), orders=orders, refill=refills.get(PrescriptionClass.REFILL),
        controlled_refill=refills.get(PrescriptionClass.CONTROLLED_REFILL),
    )


def dispensing(
    institution: str, professional_id: str, whom: Whom, visited_ns: int, given: Dispensed, fees: Fees,
) -> VisitFacts:
    """A pharmacy's dispensing (藥局調劑, type AF), which takes no sequence number."""
    rx = given.offer.standing.rx
    issue = Refill(issue=given.act.issue) if rx.kind.refill else None
    return VisitFacts(
        institution, professional_id, whom.national_id, whom.birth_date, "AF", visited_ns, card_no=whom.card_no,
        original=_original(rx), diagnoses=(COLLECTED,), fees=fees, benefit_type=ILLNESS,
        service_class=SERVICE_CLASS, dispensing_mode="0", days_supplied=rx.days or max(one.days for one in rx.entries),
        orders=_orders(rx.entries, [rx.kind.value] * len(rx.entries), OrderPlace.FOR_ANOTHER, ()),
        refill=None if rx.kind.controlled else issue, controlled_refill=issue if rx.kind.controlled else None,
    )


def _orders(
    entries: Sequence[Entry], classes: Sequence[str], place: OrderPlace, signatures: Sequence[str],
) -> tuple[Order, ...]:
    signed = [*signatures, *[""] * (len(entries) - len(signatures))]
    return tuple(order_of(one, letter, place, name) for one, letter, name in zip(entries, classes, signed, strict=True))


def order_of(entry: Entry, prescription_class: str, place: OrderPlace, signature: str = "") -> Order:
    """An entry as it stands on the card or in a signed prescription, as an order."""
    drug = entry.drug
    return Order(
        OrderKind.DRUG if drug else OrderKind.PROCEDURE, entry.item_code, Decimal(entry.total_tenths) / 10, place,
        prescription_class if drug else "", entry.usage, entry.days, entry.site, ROUTE if drug else "",
        signature=signature,
    )


def _class_of(entry: Entry) -> str:
    return "A" if entry.days <= ORDINARY_DAYS else "B"


def _refills(rx: Prescription) -> dict[PrescriptionClass, Refill]:
    return {rx.kind: Refill(rx.total_days, rx.issues, 0)} if rx.kind.refill else {}


def _original(rx: Prescription) -> Original:
    """The visit that prescribed. One that began without a line has no identifier in its prescription: what stands for none."""
    if not rx.visit:
        return Original(SEQUENCE["no_card_identifier"], rx.institution, "", rx.issued_ns)
    return Original(rx.visit, rx.institution, "", parse_roc(rx.visit[:13]))


def diagnoses_of(codes: Sequence[str]) -> tuple[str, ...]:
    """Without the empty ones; a visit at which nobody was treated has a reason instead."""
    return tuple(code for code in codes if code) or (LEFT_UNTREATED,)


__all__ = [
    "Begun", "Done", "Whom", "begun_with_card", "begun_with_wallet", "consultation", "diagnoses_of", "dispensing", "order_of",
]
