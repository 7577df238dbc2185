"""Systems, extensions and codes of the FHIR documents.

Everything under :data:`OURS` is the bench's profile: it stands where a national guide has addresses of its own, which the bench
does not name. The shape (a document Bundle with Composition, Patient, Practitioner, Organization and one MedicationRequest an
order) is that of the TW EMPD guide (public). The rest is the published standard: HL7 FHIR R4 (4.0.1), LOINC, UCUM.
"""

from __future__ import annotations

from virtual_devices.prescription.states import State

OURS = "urn:nhi:bench:fhir"
CARD_NO, INSTITUTION, PROFESSIONAL = f"{OURS}/id/card", f"{OURS}/id/institution", f"{OURS}/id/professional"
PRESCRIPTION, DISPENSING, VISIT = f"{OURS}/id/prescription", f"{OURS}/id/dispensing", f"{OURS}/id/visit"
ITEM, CLASS = f"{OURS}/cs/item", f"{OURS}/cs/prescription-class"
ORDER_TYPE, DELIVERY_MARK = f"{OURS}/ext/order-type", f"{OURS}/ext/delivery-mark"
HOLDER, FOLLOWS, ISSUE_DAYS = f"{OURS}/ext/holder", f"{OURS}/ext/follows", f"{OURS}/ext/issue-days"
ISSUE, DIGEST = f"{OURS}/ext/issue", f"{OURS}/ext/digest"
ROOT, AS_WRITTEN = f"{OURS}/ext/first-document", f"{OURS}/ext/as-written"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
COURSE = "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy"
SIGNATURE_TYPES = "urn:iso-astm:E1762-95:2013"
AUTHOR, COUNTERSIGNER = "1.2.840.10065.1.12.1.1", "1.2.840.10065.1.12.1.3"
PRESCRIPTION_DOCUMENT, DISPENSING_DOCUMENT = "57833-6", "60593-1"
COSE = "application/cose"
STATUS = {
    State.ISSUED: "active", State.HELD: "on-hold", State.PARTLY: "active", State.COMPLETED: "completed",
    State.CANCELLED: "cancelled", State.AMENDED: "stopped", State.EXPIRED: "stopped", State.DELETED: "unknown",
}
"""MedicationRequest.status of each state (R4 value set medicationrequest-status)."""

