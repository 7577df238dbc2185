"""A dispensing as a FHIR R4 document, out and in: one MedicationDispense an item. What goes out comes back the same.

    item, quantity        medicationCodeableConcept, quantity       prescription   authorizingPrescription.identifier
    moment                whenHandedOver                            issue          extension (ours)
    whether it is just what was prescribed, hashes, card            extensions of the Composition (ours)
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.fhir import names
from virtual_devices.fhir.bundle import Document, Parts, Resource, Signed, coded, extended, identified, who
from virtual_devices.fhir.reading import Element, MalformedFhir, a_code, a_moment, a_number, octets
from virtual_devices.prescription.acts import About, Dispensing
from virtual_devices.prescription.document import MAX_ENTRIES, MAX_ISSUES, Prescription


@dataclass(frozen=True, slots=True)
class DispensingDocument:
    """What a document says. ``pharmacist``: the professional's id."""

    dispensing: Dispensing
    card_no: str
    pharmacist: str
    signed: Signed | None = None


def to_fhir(act: Dispensing, rx: Prescription, pharmacist: str, signed: bytes = b"") -> Resource:
    """The document of a dispensing from this version of the prescription. Raises UsageError for what FHIR cannot hold."""
    if act.at_ns % NS or act.about.document != rx.id:
        raise UsageError("MedicationDispense: dated to the second, and of the version that was dispensed")
    made = Document(act.id, act.at_ns)
    items = act.given or tuple((entry.item_code, entry.total_tenths) for entry in rx.entries)
    given = [f"item {number}" for number in range(len(items))]
    made.add("composition", _composition(made, act, given))
    made.people(rx.card_no, pharmacist, act.institution)
    for name, item in zip(given, items, strict=True):
        made.add(name, _dispense(made, act, rx, item))
    if signed:
        made.signature(Signed(signed, act.at_ns), names.COUNTERSIGNER, given)
    return made.bundle(names.DISPENSING)


def _composition(made: Document, act: Dispensing, given: list[str]) -> Resource:
    return {
        "resourceType": "Composition",
        "extension": [
            extended(names.HOLDER, "valueBase64Binary", octets(act.about.device)),
            extended(names.DIGEST, "valueBase64Binary", octets(act.about.digest)),
            extended(names.ROOT, "valueBase64Binary", octets(act.about.root)),
            extended(names.AS_WRITTEN, "valueBoolean", not act.given),
        ],
        "identifier": identified(names.DISPENSING, act.id.hex()), "status": "final",
        "type": coded(names.LOINC, names.DISPENSING_DOCUMENT), "subject": made.ref("patient"), "date": a_moment(act.at_ns),
        "author": [made.ref("professional")], "title": "Dispensing (調劑單張)", "custodian": made.ref("institution"),
        "section": [{"title": "Dispensed (調劑藥品)", "entry": [made.ref(name) for name in given]}],
    }


def _dispense(made: Document, act: Dispensing, rx: Prescription, item: tuple[str, int]) -> Resource:
    code, tenths = item
    days = next((entry.days for entry in rx.entries if entry.item_code == code), 0)
    body: Resource = {
        "resourceType": "MedicationDispense", "extension": [extended(names.ISSUE, "valueUnsignedInt", act.issue)],
        "identifier": [identified(names.DISPENSING, act.id.hex())], "status": "completed",
        "medicationCodeableConcept": coded(names.ITEM, a_code(code, "MedicationDispense.medicationCodeableConcept.coding.code")),
        "subject": made.ref("patient"), "performer": [{"actor": made.ref("professional")}, {"actor": made.ref("institution")}],
        "authorizingPrescription": [{"identifier": identified(names.PRESCRIPTION, rx.id.hex())}],
        "quantity": {"value": a_number(tenths)}, "whenHandedOver": a_moment(act.at_ns),
    }
    if days:
        body["daysSupply"] = {"value": days, "unit": "days", "system": names.UCUM, "code": "d"}
    return body


# -- in

def from_fhir(document: object) -> DispensingDocument:
    """What a document says. Raises MalformedFhir with the path of the first element that is not as it should be."""
    parts = Parts(document, names.DISPENSING)
    composition, found = parts.composition, parts.all("MedicationDispense")
    if not 1 <= len(found) <= MAX_ENTRIES:
        raise MalformedFhir("Bundle.entry", f"1 to {MAX_ENTRIES} MedicationDispenses are wanted, not {len(found)}")
    first = found[0]
    issue, about, at_ns = _head(first)
    for one in found:
        one.need("status", "completed")
        parts.resolve(one, "subject", "Patient")
        if _head(one) != (issue, about, at_ns):
            raise one.wrong("extension", "issue, prescription or moment differ from the first item's: it is one dispensing")
    items = tuple((one.coding("medicationCodeableConcept", names.ITEM), one.tenths("quantity")) for one in found)
    institution = parts.resolve(composition, "custodian", "Organization")
    patient, pharmacist = parts.resolve(composition, "subject", "Patient"), parts.one("Practitioner")
    act = Dispensing(
        parts.id,
        About(
            _octets(composition, names.ROOT, 16), about, _octets(composition, names.DIGEST, 32),
            _octets(composition, names.HOLDER, 32),
        ),
        who(institution, names.INSTITUTION), at_ns, issue,
        () if composition.extension(names.AS_WRITTEN, "valueBoolean") else items,
    )
    return DispensingDocument(act, who(patient, names.CARD_NO), who(pharmacist, names.PROFESSIONAL), parts.signed())


def _head(one: Element) -> tuple[int, bytes, int]:
    """Issue, version of the prescription, moment."""
    issue = one.extension(names.ISSUE, "valueUnsignedInt")
    if not 1 <= issue <= MAX_ISSUES:
        raise one.wrong("extension.valueUnsignedInt", f"issue 1 to {MAX_ISSUES}")
    from_ = one.first("authorizingPrescription")
    about = from_.octets(from_.identifier(names.PRESCRIPTION), "identifier.value", 16)
    return issue, about, one.moment("whenHandedOver")


def _octets(composition: Element, url: str, length: int) -> bytes:
    text = composition.extension(url, "valueBase64Binary")
    return composition.from_base64(str(text), "extension.valueBase64Binary", length)


__all__ = ["DispensingDocument", "from_fhir", "to_fhir"]
