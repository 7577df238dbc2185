"""FHIR documents: what goes out comes back, what is wrong is told with its path, and others' model of R4 agrees."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli import main
from bench.fhir import RULES, check
from virtual_devices.clock import NS
from virtual_devices.errors import UsageError
from virtual_devices.fhir import dispensing, names, prescription
from virtual_devices.fhir.reading import MalformedFhir
from virtual_devices.prescription.acts import About, Dispensing
from virtual_devices.prescription.document import Entry, Prescription, PrescriptionClass
from virtual_devices.prescription.states import State

from .desk import DOCTOR_ID, NOW_NS
from .prescribed import PHARMACIST_ID, PHARMACY, about, number, refill, rx, signed

CODE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
TEXT = st.text(st.sampled_from("1T QD PO 飯後 堃é/.\U00020000"), min_size=1, max_size=20).filter(str.strip)
AT = st.integers(0, 4_000_000_000).map(lambda s: s * NS)
ENTRY = st.builds(Entry, CODE | st.just(""), CODE, TEXT | st.just(""), TEXT | st.just(""), st.integers(0, 999),
                  st.integers(0, 999_999), CODE | st.just(""))
ID, HASH = st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)
RX = st.builds(
    Prescription, ID, HASH, AT, CODE, st.lists(ENTRY, min_size=1, max_size=6).map(tuple), st.dates(date(1000, 1, 1)),
    st.sampled_from(PrescriptionClass), st.integers(1, 9), st.integers(0, 999), CODE | st.just(""), CODE | st.just(""),
)
GIVEN = st.lists(st.tuples(CODE, st.integers(0, 999_999)), max_size=6).map(tuple)


def through_json(document: dict[str, Any]) -> Any:
    return json.loads(json.dumps(document))


@given(RX, ID | st.just(b""), HASH, CODE, st.sampled_from(State), st.binary(max_size=300))
@settings(max_examples=30, deadline=None)
def test_prescription_comes_back(
    document: Prescription, amends: bytes, follows: bytes, who: str, state: State, raw: bytes,
) -> None:
    document = replace(document, amends=amends, follows=follows) if amends else document
    back = prescription.from_fhir(through_json(prescription.to_fhir(document, who, state, raw)))
    assert back.prescription == document and back.physician == who and back.status == names.STATUS[state]
    assert (back.signed.raw if back.signed else b"") == raw


def test_longest_prescription_comes_back() -> None:
    document = rx(entries=tuple(replace(rx().entries[0], item_code=f"AC{n:010d}", total_tenths=n) for n in range(60)))
    assert prescription.from_fhir(through_json(prescription.to_fhir(document, DOCTOR_ID))).prescription == document
    with pytest.raises(MalformedFhir, match="1 to 60"):
        prescription.from_fhir(prescription.to_fhir(replace(document, entries=document.entries * 2), DOCTOR_ID))


@given(st.builds(Dispensing, ID, st.builds(About, ID, ID, HASH, HASH), CODE, AT, st.integers(1, 9), GIVEN), RX, CODE)
@settings(max_examples=30, deadline=None)
def test_dispensing_comes_back(act: Dispensing, document: Prescription, who: str) -> None:
    document = replace(document, id=act.about.document)
    back = dispensing.from_fhir(through_json(dispensing.to_fhir(act, document, who, b"signed")))
    assert back.dispensing == act and back.card_no == document.card_no and back.pharmacist == who
    assert back.signed is not None and back.signed.raw == b"signed" and back.signed.at_ns == act.at_ns


ACT = Dispensing(number("act"), about(rx()), PHARMACY, NOW_NS, 1, (("AC49171100", 65), ("BC12345100", 70)))
GOOD = {
    "prescription": prescription.to_fhir(rx(), DOCTOR_ID, signed=signed(rx().record())),
    "refill": prescription.to_fhir(refill(), DOCTOR_ID, State.HELD),
    "amendment": prescription.to_fhir(replace(rx(), amends=number("first"), follows=bytes(32)), DOCTOR_ID),
    "dispensing": dispensing.to_fhir(ACT, rx(), PHARMACIST_ID, b"signed"),
}


@pytest.mark.parametrize("name", GOOD)
def test_document_that_we_make_is_good_to_others(name: str) -> None:
    assert check(through_json(GOOD[name])) == []


def set_to(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one element, by its path in the Bundle; ``None`` removes it."""
    def change(document: dict[str, Any]) -> None:
        steps: list[Any] = [int(p) if p.isdigit() else p for p in path.split(".")]
        target: Any = document
        for step in steps[:-1]:
            target = target[step]
        if value is None:
            del target[steps[-1]]
        else:
            target[steps[-1]] = value

    return change


ORDER, COMPOSITION = "entry.4.resource", "entry.0.resource"
SPOILT = [  # document, change, where the fault is told, by what
    ("prescription", set_to(f"{ORDER}.status", "started"), "entry[4].resource.status", "rule"),
    ("prescription", set_to(f"{ORDER}.intent", "wish"), "entry[4].resource.intent", "rule"),
    ("prescription", set_to(f"{ORDER}.status", 5), "entry[4].resource.status", "structure"),
    ("prescription", set_to(f"{ORDER}.surprise", 5), "entry[4].resource.surprise", "structure"),
    ("prescription", set_to(f"{ORDER}.subject", None), "entry[4].resource.subject", "structure"),
    ("prescription", set_to(f"{ORDER}.authoredOn", "yesterday"), "entry[4].resource.authoredOn", "structure"),
    ("prescription", set_to(f"{ORDER}.resourceType", "Wish"), "entry[4].resource.resourceType", "structure"),
    ("prescription", set_to(f"{ORDER}.category.0.coding.0.code", "G"), "entry[4].resource.category", "rule"),
    ("prescription", set_to(f"{ORDER}.category.0.coding.0.system", "urn:else"), "entry[4].resource.category", "rule"),
    ("prescription", set_to(f"{ORDER}.medicationCodeableConcept.coding.0.system", "urn:else"),
     "entry[4].resource.medicationCodeableConcept.coding", "rule"),
    ("prescription", set_to(f"{ORDER}.dispenseRequest.numberOfRepeatsAllowed", 1),
     "entry[4].resource.dispenseRequest.numberOfRepeatsAllowed", "rule"),
    ("refill", set_to(f"{ORDER}.dispenseRequest.numberOfRepeatsAllowed", 4),
     "entry[4].resource.dispenseRequest.numberOfRepeatsAllowed", "rule"),
    ("prescription", set_to(f"{ORDER}.dispenseRequest.quantity.value", -1),
     "entry[4].resource.dispenseRequest.quantity.value", "rule"),
    ("prescription", set_to(f"{ORDER}.dispenseRequest.quantity.value", 1.25),
     "entry[4].resource.dispenseRequest.quantity.value", "meaning"),
    ("prescription", set_to(f"{ORDER}.dispenseRequest.expectedSupplyDuration.code", "wk"),
     "entry[4].resource.dispenseRequest.expectedSupplyDuration", "rule"),
    ("prescription", set_to(f"{ORDER}.dispenseRequest.validityPeriod.end", "2026-02-01"),
     "entry[4].resource.dispenseRequest.validityPeriod", "rule"),
    ("prescription", set_to(f"{ORDER}.groupIdentifier.value", "00" * 16), "entry[4].resource.groupIdentifier.value", "meaning"),
    ("prescription", set_to(f"{ORDER}.authoredOn", None), "entry[4].resource.authoredOn", "rule"),
    ("prescription", set_to(f"{COMPOSITION}.section", None), "entry[0].resource.section.entry", "rule"),
    ("prescription", set_to(f"{ORDER}.groupIdentifier.system", "urn:else"), "entry[4].resource.groupIdentifier", "rule"),
    ("prescription", set_to(f"{ORDER}.requester", None), "entry[4].resource.requester", "rule"),
    ("prescription", set_to(f"{ORDER}.requester.reference", "urn:uuid:else"), "Bundle.entry.resource", "rule"),
    ("prescription", set_to(f"{ORDER}.dispenseRequest.expectedSupplyDuration.value", 91), "Bundle", "meaning"),
    ("prescription", set_to(f"{COMPOSITION}.title", None), "entry[0].resource.title", "structure"),
    ("prescription", set_to(f"{COMPOSITION}.status", "done"), "entry[0].resource.status", "rule"),
    ("prescription", set_to(f"{COMPOSITION}.type.coding.0.code", "1234-5"), "entry[0].resource.type", "rule"),
    ("prescription", set_to(f"{COMPOSITION}.extension.0.valueBase64Binary", "AAAA"),
     "entry[0].resource.extension.valueBase64Binary", "meaning"),
    ("prescription", set_to("type", "collection"), "Bundle.type", "rule"),
    ("prescription", set_to("timestamp", None), "Bundle.timestamp", "rule"),
    ("prescription", set_to("identifier", None), "Bundle.identifier", "rule"),
    ("prescription", set_to("identifier.value", "zz"), "Bundle.identifier.value", "meaning"),
    ("prescription", set_to("entry.1.fullUrl", None), "Bundle.entry.fullUrl", "rule"),
    ("prescription", set_to("entry.1.resource.identifier", None), "entry[1].resource.identifier", "rule"),
    ("prescription", set_to("entry.2.resource.identifier.0.system", "urn:else"), "entry[2].resource.identifier", "rule"),
    ("prescription", set_to("entry.3.resource.identifier", None), "entry[3].resource.identifier", "rule"),
    ("prescription", set_to("entry.5.resource.signature.0.sigFormat", "text/plain"), "entry[5].resource.signature", "rule"),
    ("prescription", set_to("entry", []), "Bundle.entry", "rule"),
    ("prescription", set_to("entry", 5), "Bundle.entry", "structure"),
    ("prescription", set_to("resourceType", "List"), "Bundle", "structure"),
    ("dispensing", set_to(f"{ORDER}.status", "gone"), "entry[4].resource.status", "rule"),
    ("dispensing", set_to(f"{ORDER}.whenHandedOver", None), "entry[4].resource.whenHandedOver", "rule"),
    ("dispensing", set_to(f"{ORDER}.performer", None), "entry[4].resource.performer", "rule"),
    ("dispensing", set_to(f"{ORDER}.authorizingPrescription", None), "entry[4].resource.authorizingPrescription", "rule"),
    ("dispensing", set_to(f"{ORDER}.extension.0.valueUnsignedInt", 10), "entry[4].resource.extension", "rule"),
    ("dispensing", set_to(f"{ORDER}.extension.0.valueUnsignedInt", 2), "entry[5].resource.extension", "meaning"),
    ("dispensing", set_to(f"{ORDER}.quantity", None), "entry[4].resource.quantity.value", "rule"),
    ("dispensing", set_to(f"{ORDER}.status", "on-hold"), "entry[4].resource.status", "meaning"),
]


@pytest.mark.parametrize(("name", "change", "path", "by"), SPOILT)
def test_what_is_wrong_is_told_with_its_path(name: str, change: Callable[[dict[str, Any]], None], path: str, by: str) -> None:
    document = copy.deepcopy(GOOD[name])
    change(document)
    found = check(through_json(document))
    assert path in {one.path.removeprefix("Bundle.") if path.startswith("entry") else one.path for one in found}, found
    assert {one.by for one in found} == {by}


def test_every_rule_refuses_something() -> None:
    """One that never fails would say nothing."""
    seen = set()
    for name, change, _, by in SPOILT:
        if by == "rule":
            document = copy.deepcopy(GOOD[name])
            change(document)
            seen |= {one.what for one in check(through_json(document))}
    assert {rule.says for rule in RULES} == seen


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6,
)


def places(value: Any, path: str = "") -> list[str]:
    """Every place in a document."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in (f"{path}{k}", *places(v, f"{path}{k}."))]
    if isinstance(value, list):
        return [p for n, v in enumerate(value) for p in (f"{path}{n}", *places(v, f"{path}{n}."))]
    return []


@given(st.sampled_from(["prescription", "refill", "dispensing"]), st.data())
@settings(max_examples=80, deadline=None)
def test_whatever_stands_in_a_document_is_read_or_refused(name: str, data: st.DataObject) -> None:
    document = copy.deepcopy(GOOD[name])
    for _ in range(data.draw(st.integers(1, 2))):
        set_to(data.draw(st.sampled_from(places(document))), data.draw(VALUE))(document)
    for read in (prescription.from_fhir, dispensing.from_fhir):
        try:
            read(document)
        except MalformedFhir as e:
            assert e.path.startswith("Bundle")


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (replace(rx(), entries=(replace(rx().entries[0], item_code=" A"),)),
         "MedicationRequest.medicationCodeableConcept.coding.code"),
        (replace(rx(), entries=(replace(rx().entries[0], usage="\x01"),)), "MedicationRequest.dosageInstruction.text"),
        (replace(rx(), card_no="a  b"), "Patient.identifier.value"), (replace(rx(), issued_ns=NOW_NS + 1), "Composition.date"),
    ],
)
def test_what_fhir_cannot_hold_is_refused_and_not_changed(document: Prescription, path: str) -> None:
    with pytest.raises(UsageError, match=path.replace(".", r"\.")):
        prescription.to_fhir(document, DOCTOR_ID)


# -- the command

def test_command_tells_good_from_bad(tmp_path: Path) -> None:
    file = tmp_path / "rx.json"
    file.write_text(json.dumps(GOOD["prescription"]))
    done = CliRunner().invoke(main, ["fhir", "check", str(file)])
    assert done.exit_code == 0 and done.output.endswith("good\n")
    spoilt = copy.deepcopy(GOOD["prescription"])
    set_to(f"{ORDER}.status", "started")(spoilt)
    file.write_text(json.dumps(spoilt))
    done = CliRunner().invoke(main, ["fhir", "check", str(file), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["path"] == "Bundle.entry[4].resource.status"


@pytest.mark.parametrize("content", [None, "{", "[" * 100_000])
def test_command_takes_only_json(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "rx.json"
    if content is not None:
        file.write_text(content)
    done = CliRunner().invoke(main, ["fhir", "check", str(file)])
    assert done.exit_code == 2
