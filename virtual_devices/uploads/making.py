"""Records of either format from the facts of a visit. What a format cannot say, or needs and was not told, is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from virtual_devices.clock import ROC_OFFSET, roc_datetime13
from virtual_devices.errors import UsageError
from virtual_devices.uploads.document import Encoding, Record
from virtual_devices.uploads.facts import (
    REFILL_CLASSES,
    Action,
    Allergy,
    Order,
    OrderKind,
    OrderPlace,
    Recard,
    RecordKind,
    VisitFacts,
)
from virtual_devices.uploads.fields import FORMATS, Block, Presence, Required, UploadField, Version, size
from virtual_devices.uploads.lists import VISIT_TYPES
from virtual_devices.uploads.values import fits

Named = dict[str, str]
ORDER_TYPE_10 = {
    OrderKind.DRUG: "1", OrderKind.PROCEDURE: "3", OrderKind.MATERIAL: "4", OrderKind.KEY_ORDER: "5", OrderKind.VIRTUAL: "G",
    OrderKind.FACILITY: "J",
}
TAKEN_BACK_10 = {"1": "A", "2": "B", "3": "C", "4": "D", "5": "E", "G": "H", "J": "K"}
ORDER_TYPE_20 = {
    OrderKind.DRUG: "1", OrderKind.PROCEDURE: "2", OrderKind.MATERIAL: "3", OrderKind.KEY_ORDER: "2", OrderKind.VIRTUAL: "G",
    OrderKind.FACILITY: "J",
}
ORDER_MODE_20 = {
    OrderPlace.HERE: "0", OrderPlace.RELEASED: "1", OrderPlace.FOR_ANOTHER: "A", OrderPlace.SENT_OUT: "2",
    OrderPlace.TAKEN_IN: "3", OrderPlace.PROXY_OUT: "4", OrderPlace.PROXY_IN: "5",
}
FORMAT_10 = {Action.TELL: "12", Action.CORRECT: "34"}
FORMAT_20 = {Action.VOID_REFILLS: "C", Action.DELETE: "D", Action.RESTORE_REFILLS: "E"}
RECARD_10 = {
    Recard.PRESENTED: "1", Recard.LATER: "2", Recard.NEWBORN_LATER: "1", Recard.IDENTIFIER_LOST: "2",
}


class Unmakeable(UsageError):
    """A visit that this format cannot tell. ``field``: the id of the field that cannot be filled, or is missing."""

    def __init__(self, version: Version, field: str, what: str) -> None:
        super().__init__(f"format {version.value}, {field}: {what}")
        self.version = version
        self.field = field


def make(facts: VisitFacts, version: Version) -> Record:
    """One record. Raises Unmakeable."""
    return make_10(facts) if version is Version.V10 else make_20(facts)


def make_10(facts: VisitFacts) -> Record:
    """In format 1.0: fields by visit type and format, as the matrix has them. Raises Unmakeable."""
    version = Version.V10
    if version not in VISIT_TYPES[facts.visit_type].versions:
        raise Unmakeable(version, "A23", f"no visit type {facts.visit_type} in this format; send it in 2.0")
    if facts.action not in FORMAT_10:
        raise Unmakeable(version, "A01", f"{facts.action.value}: not in this format; cancel with ZA or ZB within 24 hours")
    if facts.kind is RecordKind.TEST_RESULT:
        raise Unmakeable(version, "A00", "test results are told in 2.0")
    if len(facts.vaccinations) > 1:
        raise Unmakeable(version, "A61", "one vaccination a record: make a record of each")
    header = {"record_kind": facts.kind.value, "format": FORMAT_10[facts.action][facts.abnormal], "version": "1.0"}
    visit = _common(facts) | _only_10(facts)
    orders = [order_line_10(facts, order) for order in facts.orders] + [_allergy_10(one) for one in facts.allergies]
    return _record(version, header, visit, orders, facts)


def make_20(facts: VisitFacts) -> Record:
    """In format 2.0. Raises Unmakeable."""
    version = Version.V20
    if version not in VISIT_TYPES[facts.visit_type].versions:
        raise Unmakeable(version, "M07", f"no visit type {facts.visit_type} in this format; delete the record with format D")
    if any(order.taken_back for order in facts.orders):
        raise Unmakeable(version, "D02", "single orders are not deleted in this format; delete the record with format D")
    header = {"record_kind": facts.kind.value, "format": FORMAT_20.get(facts.action, "B" if facts.abnormal else "A")}
    visit = _common(facts) | _only_20(facts)
    orders = [_order_20(facts, number, order) for number, order in enumerate(facts.orders, 1)]
    orders += [_allergy_20(one) for one in facts.allergies]
    orders += [{"vaccine": one.vaccine, "vaccine_lot": one.lot} for one in facts.vaccinations]
    return _record(version, header, visit, orders, facts)


# -- what both say

def _common(facts: VisitFacts) -> Named:
    fees = facts.fees
    named = {
        "institution": facts.institution, "professional_id": facts.professional_id, "national_id": facts.national_id,
        "birth_date": roc_day(facts.birth_date), "visit_type": facts.visit_type, "visited_at": roc_datetime13(facts.visited_ns),
        "sequence": facts.sequence_text, "outpatient_fee": _number(fees.outpatient),
        "outpatient_copay": _number(fees.outpatient_copay), "inpatient_fee": _number(fees.inpatient),
        "inpatient_copay_short": _number(fees.inpatient_copay_short), "inpatient_copay_long": _number(fees.inpatient_copay_long),
        **{f"diagnosis_{number}": code for number, code in enumerate(facts.diagnoses, 1)},
    }
    if not facts.abnormal:
        named |= {"sam_id": facts.sam_id, "card_no": facts.card_no, "signature": facts.signature}
    if facts.newborn is not None:
        named |= {
            "newborn_birth_date": roc_day(facts.newborn.birth_date), "newborn_count": str(facts.newborn.count),
            "newborn_mark": facts.newborn.mark,
        }
    return named


def _only_10(facts: VisitFacts) -> Named:
    named = {"recard_mark": RECARD_10[facts.recard]}
    if facts.actual is not None:
        named["actual_at"] = roc_datetime13(facts.actual.visited_ns)[:7]
    if facts.preventive is not None:
        named |= {
            "service_item": facts.preventive.service, "service_exam": facts.preventive.exam,
            "service_date": roc_day(facts.preventive.on), "service_institution": facts.institution,
        }
    if facts.prenatal is not None:
        named |= {
            "prenatal_exam": facts.prenatal.exam, "prenatal_date": roc_day(facts.prenatal.on),
            "prenatal_institution": facts.institution,
        }
    for one in facts.vaccinations:
        named |= {
            "vaccine": one.vaccine, "vaccine_lot": one.lot, "vaccinated_on": roc_datetime13(facts.visited_ns)[:7],
            "vaccination_institution": facts.institution,
        }
    for number, cancelled_ns in enumerate(facts.cancels_ns, 1):
        named[f"diagnosis_{number}"] = roc_datetime13(cancelled_ns)[-4:]
    return named


def _only_20(facts: VisitFacts) -> Named:
    fees = facts.fees
    named = {
        "recard_mark": facts.recard.value, "identifier": facts.identifier, "benefit_type": facts.benefit_type,
        "service_class": facts.service_class, "bed": facts.bed, "dispensing_mode": facts.dispensing_mode,
        "days_supplied": _number(facts.days_supplied), "physiotherapy": _number(facts.physiotherapy),
        "occupational_therapy": _number(facts.occupational_therapy), "speech_therapy": _number(facts.speech_therapy),
        "copay_2": _number(fees.copay_2), "copay_3": _number(fees.copay_3), "copay_4": _number(fees.copay_4),
        **{f"procedure_{number}": code for number, code in enumerate(facts.procedures, 1)},
    }
    if facts.actual is not None:
        named |= {"actual_at": roc_datetime13(facts.actual.visited_ns), "actual_identifier": facts.actual.identifier}
    if facts.original is not None:
        named |= {
            "original_identifier": facts.original.identifier, "original_institution": facts.original.institution,
            "original_sequence": facts.original.sequence, "original_at": roc_datetime13(facts.original.visited_ns),
        }
    return named | _refills(facts)


def _refills(facts: VisitFacts) -> Named:
    """Totals, counts and issues; the counts of classes that are dispensed once follow from the orders."""
    named: Named = {}
    prescribes = facts.original is None
    for letter in "ABDE":
        if prescribes and any(order.prescription_class == letter for order in facts.orders):
            named[f"count_{letter.lower()}"] = "1"
    for refill, total, count, issue in (
        (facts.refill, "refill_days", "count_c", "refill_issue"),
        (facts.controlled_refill, "controlled_refill_days", "count_f", "controlled_refill_issue"),
    ):
        if refill is not None:
            named |= {total: _number(refill.total_days), count: _number(refill.count), issue: _number(refill.issue)}
    return named


# -- orders, allergies

def order_line_10(facts: VisitFacts, order: Order) -> Named:
    """An order in the words of format 1.0, which are the card's, by the names of its fields."""
    refill = order.prescription_class in REFILL_CLASSES
    kind = "2" if refill else ORDER_TYPE_10[order.kind]
    released = order.place in (OrderPlace.RELEASED, OrderPlace.SENT_OUT, OrderPlace.PROXY_OUT)
    first = 5 if refill else 1 if order.kind is OrderKind.DRUG else 3
    return {
        "order_visited_at": roc_datetime13(facts.visited_ns), "order_type": TAKEN_BACK_10[kind] if order.taken_back else kind,
        "item": order.item, "site": order.site, "usage": order.usage, "days": _number(order.days),
        "quantity": quantity_text(order.quantity), "order_mode": f"{first + released:02d}",
        "order_signature": "" if facts.abnormal else order.signature,
    }


def _order_20(facts: VisitFacts, number: int, order: Order) -> Named:
    kind = "M" if order.kind is OrderKind.DRUG and order.place is OrderPlace.RELEASED else ORDER_TYPE_20[order.kind]
    moded = order.kind not in (OrderKind.VIRTUAL, OrderKind.FACILITY)
    return {
        "order_visited_at": roc_datetime13(facts.visited_ns), "order_type": kind, "order_number": f"{number:03d}",
        "prescription_class": order.prescription_class, "order_mode": ORDER_MODE_20[order.place] if moded else "",
        "item": order.item, "site": order.site, "usage": order.usage, "days": _number(order.days),
        "quantity": quantity_text(order.quantity), "order_signature": "" if facts.abnormal else order.signature,
        "partner_institution": order.partner, "drug_lot": order.lot, "route": order.route, "note": order.note,
    }


def _allergy_10(one: Allergy) -> Named:
    return {"allergy_action": "D" if one.withdrawn else "N", "allergy_drugs": one.drug or one.ingredient or one.drug_class}


def _allergy_20(one: Allergy) -> Named:
    return {
        "allergy_action": "D" if one.withdrawn else "N", "allergy_ingredient": one.ingredient, "allergy_class": one.drug_class,
        "allergy_drugs": one.drug, "allergy_symptom": one.symptom, "allergy_other_symptom": one.other_symptom,
        "allergy_severity": one.severity, "allergy_source": one.source, "allergy_source_note": one.source_note,
        "allergy_onset": one.onset, "withdrawal_reason": one.reason, "withdrawal_other": one.other_reason,
        "gene_test": one.gene_test,
    }


# -- from names to fields

def _record(version: Version, header: Named, visit: Named, orders: list[Named], facts: VisitFacts) -> Record:
    fields = FORMATS[version]

    def segment(named: Named) -> Mapping[str, str]:
        kept = {}
        for field, value in ((fields.by_name[name], value) for name, value in named.items() if value):
            if version is Version.V10 and _left_out(field, facts):
                continue
            _must_fit(version, field, value)
            kept[field.id] = value
        return kept

    record = Record(version, segment(header), segment(visit), tuple(map(segment, orders)))
    _must_be_whole(record, facts)
    return record


def _left_out(field: UploadField, facts: VisitFacts) -> bool:
    """Not sent in abnormal records. Raises Unmakeable for a field that the visit type cannot have at all."""
    if facts.kind is RecordKind.VACCINATION or not field.presence:
        return False
    if field.presence_for(facts.visit_type, False) is Presence.NOT_SENT:
        raise Unmakeable(Version.V10, field.id, f"{field.en} is not sent at visit type {facts.visit_type}; send another record")
    return field.presence_for(facts.visit_type, facts.abnormal) is Presence.NOT_SENT


def _must_fit(version: Version, field: UploadField, value: str) -> None:
    if not fits(field.kind, value, Encoding.UTF8):
        raise Unmakeable(version, field.id, f"{field.en} is no {field.kind.value}")
    bytes_ = size(value)
    if field.length and (bytes_ > field.length or (field.exact and bytes_ < field.length)):
        wanted = "exactly" if field.exact else "at most"
        raise Unmakeable(version, field.id, f"{field.en} has {bytes_} bytes, the field takes {wanted} {field.length}")


def _must_be_whole(record: Record, facts: VisitFacts) -> None:
    """What must always be there is. What a rule asks for beside other fields is left to the checks."""
    fields = FORMATS[record.version]
    for block, segments in ((Block.VISIT, (record.visit,)), (Block.ORDER, record.orders[: len(facts.orders)])):
        for field in fields.blocks[block]:
            if _wanted(record.version, field, facts) and any(field.id not in segment for segment in segments):
                raise Unmakeable(record.version, field.id, f"{field.en} is needed at visit type {facts.visit_type}, and not told")


def _wanted(version: Version, field: UploadField, facts: VisitFacts) -> bool:
    if facts.kind is not RecordKind.VISIT or facts.action not in FORMAT_10:
        return False
    if version is Version.V10:
        return bool(field.presence) and field.presence_for(facts.visit_type, facts.abnormal) is Presence.REQUIRED
    return field.required is Required.ALWAYS or (field.required is Required.FORMAT_A and not facts.abnormal)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def quantity_text(quantity: Decimal) -> str:
    """With one decimal, as the booklet's examples send it; with two where one would round."""
    tenths = quantity.quantize(Decimal("0.1"))
    return str(tenths) if tenths == quantity else str(quantity.quantize(Decimal("0.01")))


def roc_day(day: date) -> str:
    """A date as YYYMMDD of the ROC calendar."""
    return f"{day.year - ROC_OFFSET:03d}{day.month:02d}{day.day:02d}"


__all__ = ["Unmakeable", "make", "make_10", "make_20", "order_line_10", "quantity_text", "roc_day"]
