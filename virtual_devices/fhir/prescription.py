"""A prescription as a FHIR R4 document, out and in: one MedicationRequest an order. What goes out comes back the same.

    order                 MedicationRequest
    item code             medicationCodeableConcept         days       dispenseRequest.expectedSupplyDuration
    usage, site           dosageInstruction.text, .site     quantity   dispenseRequest.quantity
    order type, mark      extensions (ours)                 issues     dispenseRequest.numberOfRepeatsAllowed + 1
    last day              dispenseRequest.validityPeriod    class      category
    id, visit             groupIdentifier, encounter        amends     Composition.relatesTo "replaces"
    days of an issue, card (SHA-256), hash that it follows             extensions of the Composition (ours)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.fhir import names
from virtual_devices.fhir.bundle import Document, Parts, Resource, Signed, coded, extended, identified, who
from virtual_devices.fhir.reading import Element, MalformedFhir, a_code, a_moment, a_number, a_text, octets
from virtual_devices.prescription.document import MAX_ENTRIES, MAX_ISSUES, Entry, Prescription, PrescriptionClass
from virtual_devices.prescription.rules import day_of
from virtual_devices.prescription.states import State


@dataclass(frozen=True, slots=True)
class PrescriptionDocument:
    """What a document says. ``physician``: the professional's id."""

    prescription: Prescription
    physician: str
    status: str
    signed: Signed | None = None


def to_fhir(rx: Prescription, physician: str, state: State = State.ISSUED, signed: bytes = b"") -> Resource:
    """The document. ``signed``: the record as it was signed, to be carried along. Raises UsageError for what FHIR cannot hold."""
    if rx.issued_ns % NS:
        raise UsageError("Composition.date: a prescription is dated to the second")
    made = Document(rx.id, rx.issued_ns)
    orders = [f"order {number}" for number in range(len(rx.entries))]
    made.add("composition", _composition(made, rx, orders))
    made.people(rx.card_no, physician, rx.institution)
    for name, entry in zip(orders, rx.entries, strict=True):
        made.add(name, _request(made, rx, entry, state))
    if signed:
        made.signature(Signed(signed, rx.issued_ns), names.AUTHOR, orders)
    return made.bundle(names.PRESCRIPTION)


def _composition(made: Document, rx: Prescription, orders: list[str]) -> Resource:
    extensions = [extended(names.HOLDER, "valueBase64Binary", octets(rx.device))]
    if rx.follows:
        extensions.append(extended(names.FOLLOWS, "valueBase64Binary", octets(rx.follows)))
    if rx.days:
        extensions.append(extended(names.ISSUE_DAYS, "valueUnsignedInt", rx.days))
    body: Resource = {
        "resourceType": "Composition", "extension": extensions, "identifier": identified(names.PRESCRIPTION, rx.id.hex()),
        "status": "amended" if rx.amends else "final", "type": coded(names.LOINC, names.PRESCRIPTION_DOCUMENT),
        "subject": made.ref("patient"), "date": a_moment(rx.issued_ns), "author": [made.ref("professional")],
        "title": "Prescription (處方箋)", "custodian": made.ref("institution"),
        "section": [{"title": "Orders (醫令)", "entry": [made.ref(name) for name in orders]}],
    }
    if rx.amends:
        body["relatesTo"] = [{"code": "replaces", "targetIdentifier": identified(names.PRESCRIPTION, rx.amends.hex())}]
    return body


def _request(made: Document, rx: Prescription, entry: Entry, state: State) -> Resource:
    path = "MedicationRequest"
    extensions = [
        extended(url, "valueCode", a_code(value, f"{path}.extension"))
        for url, value in ((names.ORDER_TYPE, entry.order_type), (names.DELIVERY_MARK, entry.delivery_mark)) if value
    ]
    body: Resource = {
        "resourceType": path, "status": names.STATUS[state], "intent": "order", "category": [coded(names.CLASS, rx.kind.value)],
        "medicationCodeableConcept": coded(names.ITEM, a_code(entry.item_code, f"{path}.medicationCodeableConcept.coding.code")),
        "subject": made.ref("patient"), "authoredOn": a_moment(rx.issued_ns), "requester": made.ref("professional"),
        "groupIdentifier": identified(names.PRESCRIPTION, rx.id.hex()),
        "courseOfTherapyType": coded(names.COURSE, "acute" if rx.kind is PrescriptionClass.ORDINARY else "continuous"),
        "dispenseRequest": _dispense_request(rx, entry),
    }
    if extensions:
        body["extension"] = extensions
    if rx.visit:
        body["encounter"] = {"identifier": identified(names.VISIT, a_code(rx.visit, f"{path}.encounter.identifier.value"))}
    dosage: Resource = {}
    if entry.usage:
        dosage["text"] = a_text(entry.usage, f"{path}.dosageInstruction.text")
    if entry.site:
        dosage["site"] = {"text": a_text(entry.site, f"{path}.dosageInstruction.site.text")}
    if dosage:
        body["dosageInstruction"] = [dosage]
    return body


def _dispense_request(rx: Prescription, entry: Entry) -> Resource:
    period = {"start": day_of(rx.issued_ns).isoformat(), "end": rx.last_day.isoformat()}
    return {
        "validityPeriod": period, "numberOfRepeatsAllowed": rx.issues - 1, "quantity": {"value": a_number(entry.total_tenths)},
        "expectedSupplyDuration": {"value": entry.days, "unit": "days", "system": names.UCUM, "code": "d"},
    }


# -- in

def from_fhir(document: object) -> PrescriptionDocument:
    """What a document says. Raises MalformedFhir with the path of the first element that is not as it should be."""
    parts = Parts(document, names.PRESCRIPTION)
    composition, requests = parts.composition, parts.all("MedicationRequest")
    if not 1 <= len(requests) <= MAX_ENTRIES:
        raise MalformedFhir("Bundle.entry", f"1 to {MAX_ENTRIES} MedicationRequests are wanted, not {len(requests)}")
    patient = parts.resolve(composition, "subject", "Patient")
    institution = parts.resolve(composition, "custodian", "Organization")
    first = requests[0]
    common = _common(first)
    for request in requests[1:]:
        for name, value in _common(request).items():
            if value != common[name]:
                raise request.wrong(_PLACE[name], "differs from the first order's: it is one prescription")
    for request in requests:
        parts.resolve(request, "subject", "Patient")
    rx = Prescription(
        parts.id, _hash(composition, names.HOLDER), composition.moment("date"), who(institution, names.INSTITUTION),
        tuple(_entry(request) for request in requests), common["last_day"], common["kind"], common["issues"],
        composition.extension(names.ISSUE_DAYS, "valueUnsignedInt", 0), who(patient, names.CARD_NO), common["visit"],
        *_amends(composition),
    )
    if common["id"] != rx.id:
        raise first.wrong("groupIdentifier.value", "is not the document's")
    physician = parts.resolve(first, "requester", "Practitioner")
    return PrescriptionDocument(rx, who(physician, names.PROFESSIONAL), first.text("status"), parts.signed())


_PLACE = {
    "id": "groupIdentifier", "kind": "category", "last_day": "dispenseRequest.validityPeriod.end",
    "issues": "dispenseRequest.numberOfRepeatsAllowed", "visit": "encounter", "issued": "authoredOn", "status": "status",
}


def _common(request: Element) -> dict[str, Any]:
    """What all orders of one prescription share."""
    asked = request.child("dispenseRequest")
    repeats = asked.whole("numberOfRepeatsAllowed")
    if not 0 <= repeats < MAX_ISSUES:
        raise asked.wrong("numberOfRepeatsAllowed", f"0 to {MAX_ISSUES - 1} repeats")
    letter = request.first("category")
    for coding in letter.children("coding"):
        if coding.text("system", "") == names.CLASS and coding.text("code") in {c.value for c in PrescriptionClass}:
            kind = PrescriptionClass(coding.text("code"))
            break
    else:
        raise letter.wrong("coding", f"no class of the system {names.CLASS}")
    visit = request.child("encounter").identifier(names.VISIT) if request.has("encounter") else ""
    return {
        "id": request.octets(request.identifier(names.PRESCRIPTION, "groupIdentifier"), "groupIdentifier.value", 16),
        "kind": kind, "last_day": asked.child("validityPeriod").day("end"), "issues": repeats + 1, "visit": visit,
        "issued": request.moment("authoredOn"), "status": request.text("status"),
    }


def _entry(request: Element) -> Entry:
    request.need("intent", "order")
    asked = request.child("dispenseRequest")
    duration = asked.child("expectedSupplyDuration")
    duration.need("code", "d")
    days = duration.whole("value")
    if not 0 <= days <= 999:
        raise duration.wrong("value", "0 to 999 days")
    usage = site = ""
    for dosage in request.children("dosageInstruction"):
        usage = dosage.text("text", "")
        site = dosage.child("site").text("text") if dosage.has("site") else ""
    return Entry(
        request.extension(names.ORDER_TYPE, "valueCode", ""), request.coding("medicationCodeableConcept", names.ITEM), site,
        usage, days, asked.tenths("quantity"), request.extension(names.DELIVERY_MARK, "valueCode", ""),
    )


def _hash(composition: Element, url: str) -> bytes:
    return composition.from_base64(composition.extension(url, "valueBase64Binary"), "extension.valueBase64Binary", 32)


def _amends(composition: Element) -> tuple[bytes, bytes]:
    """Id and hash of what the document takes the place of."""
    for relation in composition.children("relatesTo"):
        if relation.text("code") == "replaces":
            amended = relation.octets(relation.identifier(names.PRESCRIPTION, "targetIdentifier"), "targetIdentifier.value", 16)
            return amended, _hash(composition, names.FOLLOWS)
    return b"", b""


__all__ = ["PrescriptionDocument", "from_fhir", "to_fhir"]
