"""The same visit in both formats: what each tells, in one vocabulary, and every difference with its reason.

The oracle of the two formats: a difference without reason is a fault of a maker, or something the tables should know.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtual_devices.uploads.document import Record
from virtual_devices.uploads.fields import FORMATS, Version
from virtual_devices.uploads.lists import DIFFERENCES
from virtual_devices.uploads.rules import ALLERGY_FIELDS, VACCINE_FIELDS, Values

KIND_10 = {"1": "drug", "2": "drug", "3": "procedure", "4": "material", "5": "key order", "G": "virtual", "J": "facility"}
KIND_20 = {"1": "drug", "M": "drug", "2": "procedure", "3": "material", "4": "material", "G": "virtual", "J": "facility"}
PLACE_10 = {"01": "here", "02": "released", "03": "here", "04": "released", "05": "here", "06": "released"}
PLACE_20 = {
    "0": "here", "1": "released", "A": "for another", "2": "sent out", "3": "taken in", "4": "proxy out", "5": "proxy in",
}
COARSER = {"for another": "here", "taken in": "here", "proxy in": "here", "sent out": "released", "proxy out": "released"}
ALLERGY_DRUG = ("allergy_ingredient", "allergy_class", "allergy_drugs")
RETOLD = frozenset({"order_type", "order_mode", "format", *ALLERGY_DRUG})


@dataclass(frozen=True, slots=True)
class Compared:
    """One difference. ``name``: of the fact, with the number of its order; ``reason`` empty: none is known."""

    name: str
    in_10: str
    in_20: str
    reason: str


def told(record: Record) -> dict[str, str]:
    """What a record says, by fact; of orders ``order 1 item`` and the like, of allergies and vaccinations likewise."""
    fields = FORMATS[record.version].by_id
    plain = {fields[id].name: value for id, value in {**record.header, **record.visit}.items()}
    facts = {name: value for name, value in plain.items() if name not in RETOLD and name not in VACCINE_FIELDS}
    facts["abnormal"] = "yes" if plain.get("format") in ("2", "4", "B") else "no"
    counts = {"order": 0, "allergy": 0, "vaccination": 0}
    if plain.get("vaccine"):
        counts["vaccination"] = 1
        facts |= {f"vaccination 1 {name}": plain[name] for name in VACCINE_FIELDS if name in plain}
    for segment in record.orders:
        line = Values(record.version, segment, 0)
        kind = _sort(line)
        counts[kind] += 1
        facts |= {f"{kind} {counts[kind]} {name}": value for name, value in _line(line, kind).items()}
    return facts


def _sort(line: Values) -> str:
    if any(line[name] for name in ALLERGY_FIELDS[line.version]):
        return "allergy"
    if any(line[name] for name in VACCINE_FIELDS):
        return "vaccination"
    return "order"


def _line(line: Values, sort: str) -> dict[str, str]:
    fields = FORMATS[line.version].by_id
    found = {fields[id].name: value for id, value in line.segment.items() if fields[id].name not in RETOLD}
    if sort == "allergy":
        found["drug"] = next((line[name] for name in ALLERGY_DRUG if line[name]), "")
    if sort == "order":
        old = line.version is Version.V10
        found["kind"] = (KIND_10 if old else KIND_20).get(line["order_type"], "")
        mode = (PLACE_10 if old else PLACE_20).get(line["order_mode"], "")
        found["place"] = "" if found["kind"] in ("virtual", "facility") else mode
        if old:
            found["refill"] = "yes" if line["order_type"] in ("2", "B") else "no"
        else:
            found["refill"] = "yes" if line["prescription_class"] in ("C", "F") else "no"
    return {name: value for name, value in found.items() if value}


def compare(in_10: Record, in_20: Record) -> tuple[Compared, ...]:
    """Every fact that one format tells and the other does not, or tells otherwise."""
    old, new = told(in_10), told(in_20)
    found = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ""), new.get(name, "")
        if before == after:
            continue
        difference = DIFFERENCES.get(name.split(" ")[-1])
        explained = difference is not None and _explained(difference.rule, before, after)
        found.append(Compared(name, before, after, difference.reason if difference is not None and explained else ""))
    return tuple(found)


def _explained(rule: str, before: str, after: str) -> bool:
    match rule:
        case "absent_10":
            return not before
        case "absent_20":
            return not after
        case "day_in_10":
            return bool(before) and after[:7] == before
        case "recard_in_10":
            return (before, after) in (("1", "3"), ("2", "4"))
        case "place_in_10":
            return COARSER.get(after) == before
        case "kind_in_20":
            return (before, after) == ("key order", "procedure")
        case _:
            return False


__all__ = ["Compared", "compare", "told"]
