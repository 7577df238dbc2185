"""What every document has: the Bundle, its Composition, and who is in it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from virtual_devices.fhir import names
from virtual_devices.fhir.reading import Element, MalformedFhir, a_code, a_moment, octets

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signed:
    """The record as it was signed (COSE_Sign), which a document may carry in a Provenance."""

    raw: bytes
    at_ns: int


class Document:
    """A document being made. ``id``: of the record that it is of; every address in it follows from that."""

    def __init__(self, id: bytes, at_ns: int) -> None:
        self.id = id
        self.at_ns = at_ns
        self._entries: list[Resource] = []

    def url(self, name: str) -> str:
        """The address of a resource in this document."""
        return uuid.UUID(bytes=hashlib.sha256(self.id + name.encode()).digest()[:16], version=5).urn

    def ref(self, name: str) -> Resource:
        return {"reference": self.url(name)}

    def add(self, name: str, resource: Resource) -> None:
        self._entries.append({"fullUrl": self.url(name), "resource": {**resource, "id": self.url(name).rpartition(":")[2]}})

    def people(self, card_no: str, professional: str, institution: str) -> None:
        """Patient, Practitioner and Organization. What is not known has no identifier."""
        for name, kind, system, value in (
            ("patient", "Patient", names.CARD_NO, card_no), ("professional", "Practitioner", names.PROFESSIONAL, professional),
            ("institution", "Organization", names.INSTITUTION, institution),
        ):
            identifier = {"identifier": [identified(system, a_code(value, f"{kind}.identifier.value"))]} if value else {}
            named = {"name": f"institution {institution}"} if kind == "Organization" else {}
            self.add(name, {"resourceType": kind, **identifier, **named})

    def signature(self, signed: Signed, kind: str, targets: Iterable[str]) -> None:
        """The record's own signatures, as a Provenance of these resources."""
        who = self.ref("professional")
        self.add("signature", {
            "resourceType": "Provenance", "target": [self.ref(name) for name in targets], "recorded": a_moment(signed.at_ns),
            "agent": [{"who": who, "onBehalfOf": self.ref("institution")}],
            "signature": [{
                "type": [{"system": names.SIGNATURE_TYPES, "code": kind}], "when": a_moment(signed.at_ns), "who": who,
                "sigFormat": names.COSE, "data": octets(signed.raw),
            }],
        })

    def bundle(self, system: str) -> Resource:
        return {
            "resourceType": "Bundle", "type": "document", "identifier": identified(system, self.id.hex()),
            "timestamp": a_moment(self.at_ns), "entry": list(self._entries),
        }


def identified(system: str, value: str) -> Resource:
    return {"system": system, "value": value}


def coded(system: str, code: str) -> Resource:
    """A CodeableConcept with one code."""
    return {"coding": [{"system": system, "code": code}]}


def extended(url: str, kind: str, value: Any) -> Resource:
    return {"url": url, kind: value}


# -- reading

class Parts:
    """A document taken apart."""

    def __init__(self, document: object, system: str) -> None:
        bundle = Element(document, "Bundle")
        bundle.need("resourceType", "Bundle")
        bundle.need("type", "document")
        self.id = bundle.octets(bundle.identifier(system), "identifier.value", 16)
        self.at_ns = bundle.moment("timestamp")
        self._resources: list[Element] = []
        self._by_url: dict[str, Element] = {}
        for entry in bundle.children("entry"):
            resource = entry.child("resource")
            self._resources.append(resource)
            self._by_url[entry.text("fullUrl")] = resource
        self.composition = self._resources[0] if self._resources else bundle.first("entry")
        self.composition.need("resourceType", "Composition")

    def all(self, kind: str) -> list[Element]:
        return [resource for resource in self._resources if resource.text("resourceType") == kind]

    def one(self, kind: str) -> Element:
        found = self.all(kind)
        if len(found) != 1:
            raise MalformedFhir("Bundle.entry", f"one {kind} is wanted, not {len(found)}")
        return found[0]

    def resolve(self, holder: Element, name: str, kind: str) -> Element:
        """What a reference leads to. Raises MalformedFhir when it leads to nothing here, or to another kind."""
        reference = holder.child(name)
        found = self._by_url.get(reference.text("reference"))
        if found is None or found.text("resourceType") != kind:
            raise reference.wrong("reference", f"leads to no {kind} in this document")
        return found

    def signed(self) -> Signed | None:
        """The record's own signatures, when the document carries them."""
        for provenance in self.all("Provenance"):
            one = provenance.first("signature")
            one.need("sigFormat", names.COSE)
            return Signed(one.from_base64(one.text("data"), "data"), one.moment("when"))
        return None


def who(resource: Element, system: str) -> str:
    """The identifier of a person or institution; empty when there is none."""
    return resource.identifier(system) if resource.has("identifier") else ""


__all__ = ["Document", "Parts", "Resource", "Signed", "coded", "extended", "identified", "who"]
