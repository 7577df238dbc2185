"""The command ``fhir``: documents of prescriptions and dispensings, checked by others' model of FHIR R4 and by our own rules.

In this order, and every fault is told with its element's path:

1. structure    each resource by ``fhir.resources`` (its R4B module: for these resources the same as R4)
2. rules        FHIRPath, for what that lets through: bindings, code systems, counts, references (:data:`RULES`)
3. meaning      the document read as a prescription or dispensing, and held to the rules of prescriptions
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click

from bench.exits import LAW_BROKEN
from virtual_devices.errors import LinkError, UsageError
from virtual_devices.fhir import dispensing, names, prescription
from virtual_devices.fhir.reading import MalformedFhir
from virtual_devices.prescription.codes import CODES
from virtual_devices.prescription.rules import fault

MAX_BYTES = 4 << 20
_REMEDY = "the checker of FHIR documents is not installed: pip install 'vhc-bench[fhir]'"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. ``by``: structure, rule or meaning."""

    path: str
    what: str
    by: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what} ({self.by})"


@dataclass(frozen=True, slots=True)
class Rule:
    """``expression`` must be true of every resource of that kind. ``element``: where it is told, ``says``: what to mend."""

    kind: str
    element: str
    expression: str
    says: str


def _one_of(codes: str) -> str:
    return "in (" + " | ".join(f"'{code}'" for code in codes.split()) + ")"


_REQUEST_STATUS = "active on-hold cancelled completed entered-in-error stopped draft unknown"
_DISPENSE_STATUS = "preparation in-progress cancelled on-hold completed entered-in-error stopped declined unknown"
_DOCUMENTS = f"{names.PRESCRIPTION_DOCUMENT} {names.DISPENSING_DOCUMENT}"
_OUR_CLASS = f"category.coding.where(system = '{names.CLASS}').code"
_REPEATS = "dispenseRequest.numberOfRepeatsAllowed"
_DURATION = "dispenseRequest.expectedSupplyDuration"
_ISSUE = f"extension.where(url = '{names.ISSUE}').valueUnsignedInt"

RULES = (
    Rule("Bundle", "type", "type = 'document'", "a document"),
    Rule("Bundle", "entry", "entry.first().resource is Composition", "a document begins with its Composition"),
    Rule("Bundle", "identifier", "identifier.system.exists() and identifier.value.exists()",
         "a document has an identifier (bdl-9)"),
    Rule("Bundle", "timestamp", "timestamp.exists()", "a document has a date (bdl-10)"),
    Rule("Bundle", "entry.fullUrl", "entry.all(fullUrl.exists()) and entry.fullUrl.isDistinct()", "one address each (bdl-7)"),
    Rule("Bundle", "entry.resource", "entry.resource.descendants().reference.subsetOf(entry.fullUrl)",
         "a reference leads to an entry of the document"),
    Rule("Composition", "status", f"status {_one_of('preliminary final amended entered-in-error')}",
         "not of composition-status (required)"),
    Rule("Composition", "type", f"type.coding.where(system = '{names.LOINC}').code {_one_of(_DOCUMENTS)}",
         "a prescription's or dispensing's LOINC code"),
    Rule("Composition", "section.entry", "section.entry.exists()", "what the document is about"),
    Rule("MedicationRequest", "status", f"status {_one_of(_REQUEST_STATUS)}", "not of medicationrequest-status (required)"),
    Rule("MedicationRequest", "intent", "intent = 'order'", "a prescription is an order"),
    Rule("MedicationRequest", "category", f"{_OUR_CLASS}.count() = 1 and {_OUR_CLASS} {_one_of('A B C D E F')}",
         f"one class A to F of {names.CLASS}"),
    Rule("MedicationRequest", "medicationCodeableConcept.coding",
         f"medicationCodeableConcept.coding.where(system = '{names.ITEM}').code.count() = 1", f"one code of {names.ITEM}"),
    Rule("MedicationRequest", _REPEATS,
         f"iif({_OUR_CLASS} {_one_of('C F')}, {_REPEATS} >= 1 and {_REPEATS} <= 3, {_REPEATS} = 0)",
         "1 to 3 repeats of a refill (C, F), none of another class"),
    Rule("MedicationRequest", "dispenseRequest.quantity.value", "dispenseRequest.quantity.value >= 0", "a quantity"),
    Rule("MedicationRequest", _DURATION, f"{_DURATION}.system = '{names.UCUM}' and {_DURATION}.code = 'd'", "days, in UCUM"),
    Rule("MedicationRequest", "dispenseRequest.validityPeriod",
         "dispenseRequest.validityPeriod.start <= dispenseRequest.validityPeriod.end", "begins before it ends"),
    Rule("MedicationRequest", "authoredOn", "authoredOn.exists()", "when it was issued"),
    Rule("MedicationRequest", "requester", "requester.reference.exists()", "who prescribed it"),
    Rule("MedicationRequest", "groupIdentifier", f"groupIdentifier.system = '{names.PRESCRIPTION}'",
         "which prescription it is of"),
    Rule("MedicationDispense", "status", f"status {_one_of(_DISPENSE_STATUS)}", "not of medicationdispense-status (required)"),
    Rule("MedicationDispense", "whenHandedOver", "whenHandedOver.exists()", "when it was handed over"),
    Rule("MedicationDispense", "performer", "performer.actor.reference.count() >= 2", "pharmacist and pharmacy"),
    Rule("MedicationDispense", "authorizingPrescription",
         f"authorizingPrescription.identifier.where(system = '{names.PRESCRIPTION}').exists()", "which prescription it is of"),
    Rule("MedicationDispense", "quantity.value", "quantity.value >= 0", "a quantity"),
    Rule("MedicationDispense", "extension", f"{_ISSUE}.count() = 1 and {_ISSUE} >= 1 and {_ISSUE} <= 9", "which issue it is"),
    Rule("Patient", "identifier", f"identifier.where(system = '{names.CARD_NO}').value.exists()", "the card number"),
    Rule("Practitioner", "identifier", f"identifier.where(system = '{names.PROFESSIONAL}').value.exists()",
         "the professional's id"),
    Rule("Organization", "identifier", f"identifier.where(system = '{names.INSTITUTION}').value.exists()",
         "the institution's code"),
    Rule("Provenance", "signature", f"signature.sigFormat = '{names.COSE}' and signature.data.exists()",
         "the record as it was signed"),
)


def check(document: object) -> list[Finding]:
    """Everything that is wrong with a document; empty when nothing is. What is wrong in its structure is told alone: rules on
    what is not there say nothing. Raises LinkError when the checkers are not installed."""
    found = list(_structure(document))
    if found or not isinstance(document, Mapping):
        return found
    found = list(_rules(document))
    return found or list(_meaning(document))


# -- structure

def _structure(document: object) -> Iterator[Finding]:
    if not isinstance(document, dict) or document.get("resourceType") != "Bundle":
        yield Finding("Bundle", "a FHIR Bundle is wanted", "structure")
        return
    entries = document.get("entry")
    if not isinstance(entries, list) or not all(isinstance(e, dict) and isinstance(e.get("resource"), dict) for e in entries):
        yield Finding("Bundle.entry", "a list of entries with a resource each is wanted", "structure")
        return
    shell = {**document, "entry": [{name: value for name, value in e.items() if name != "resource"} for e in entries]}
    yield from _modelled(shell, "Bundle", "Bundle")
    for number, entry in enumerate(entries):
        kind = entry["resource"].get("resourceType")
        yield from _modelled(entry["resource"], kind if isinstance(kind, str) else "", f"Bundle.entry[{number}].resource")


def _modelled(resource: Mapping[str, Any], kind: str, path: str) -> Iterator[Finding]:
    """What the model of that kind has against a resource."""
    from pydantic import ValidationError

    try:
        made = _models()(kind)
    except (ValueError, KeyError, ImportError, AttributeError):
        yield Finding(f"{path}.resourceType", f"no resource of R4 is called {kind[:40]!r}", "structure")
        return
    try:
        made.model_validate(resource)
    except ValidationError as e:
        for one in e.errors(include_url=False, include_input=False):
            yield Finding(path + _place(one["loc"]), str(one["msg"])[:200], "structure")
    except (KeyError, TypeError, AttributeError) as e:  # an unknown kind of resource within
        yield Finding(path, f"{type(e).__name__}: {str(e)[:80]}", "structure")


def _place(loc: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


@cache
def _models() -> Callable[[str], Any]:
    """The model of a kind of resource."""
    try:
        from fhir.resources.R4B import get_fhir_model_class
    except ImportError as e:
        raise LinkError(_REMEDY) from e
    found: Callable[[str], Any] = get_fhir_model_class
    return found


# -- rules

def _rules(document: Mapping[str, Any]) -> Iterator[Finding]:
    resources = [("Bundle", "Bundle", document)] + [
        (str(entry["resource"].get("resourceType")), f"Bundle.entry[{number}].resource", entry["resource"])
        for number, entry in enumerate(document["entry"])
    ]
    for kind, path, resource in resources:
        for rule in RULES:
            if rule.kind == kind and not _holds(rule.expression, resource):
                yield Finding(f"{path}.{rule.element}", rule.says, "rule")


def _holds(expression: str, resource: Mapping[str, Any]) -> bool:
    """True and nothing else: an expression that gives nothing, or fails on what is there, does not hold."""
    evaluate = _compiled(expression)
    try:
        result = evaluate(resource)
    except Exception:  # the evaluator has no errors of its own kind
        return False
    return bool(result == [True])


@cache
def _compiled(expression: str) -> Callable[..., Any]:
    try:
        import fhirpathpy
    except ImportError as e:
        raise LinkError(_REMEDY) from e
    compiled: Callable[..., Any] = fhirpathpy.compile(expression)
    return compiled


# -- meaning

def _meaning(document: Mapping[str, Any]) -> Iterator[Finding]:
    kinds = {entry["resource"].get("resourceType") for entry in document["entry"]}
    try:
        if "MedicationDispense" in kinds:
            dispensing.from_fhir(document)
            return
        rx = prescription.from_fhir(document).prescription
    except MalformedFhir as e:
        yield Finding(e.path, e.what.removeprefix(f"{e.path}: "), "meaning")
        return
    why = fault(rx)
    if why is not None:
        yield Finding("Bundle", f"{why.value} [{CODES[why]}]", "meaning")


# -- the command

@click.group()
def command() -> None:
    """Prescriptions and dispensings as FHIR R4 documents."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def check_command(file: Path, as_json: bool) -> None:
    """Check a document (JSON) of a prescription or a dispensing; every fault with its element's path.

    \b
    Example:
      vhc-bench fhir check prescription.json
    """
    findings = check(_load(file))
    for finding in findings:
        one = {"path": finding.path, "what": finding.what, "by": finding.by}
        click.echo(json.dumps(one, ensure_ascii=False) if as_json else str(finding))
    if findings:
        raise click.exceptions.Exit(LAW_BROKEN)
    if not as_json:
        click.echo(f"{file}: good")


def _load(file: Path) -> object:
    """Raises UsageError for a file that is not there, too large, or no JSON."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} has more than {MAX_BYTES >> 20} MB: a document of one prescription is wanted")
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as e:
        raise UsageError(f"{file} cannot be read: {e.strerror or e}") from e
    except (ValueError, RecursionError) as e:
        raise UsageError(f"{file} is no JSON: {e}") from e


__all__ = ["Finding", "RULES", "Rule", "check", "command"]
