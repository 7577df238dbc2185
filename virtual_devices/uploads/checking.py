"""All rules over one record, and what is asked of a file as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from virtual_devices.uploads.checks import (
    against_register,
    allergies,
    covid,
    deliveries,
    history,
    identifiers,
    key_fields,
    money,
    one_field,
    orders,
    presence,
    preventive,
    refills,
    sequences,
    times,
)
from virtual_devices.uploads.codes import CHECK_CODES, Effect, Stage
from virtual_devices.uploads.document import Finding, Reading, Record
from virtual_devices.uploads.fields import FORMATS, Version
from virtual_devices.uploads.rules import Case, Context, Place, Rule

BOOKS = (
    key_fields, presence, one_field, sequences, times, money, preventive, orders, refills, allergies, covid, deliveries,
    identifiers, against_register, history,
)
FORM_CODES = {
    "Y001": "not XML of this kind: no declaration, a document type, another root, both formats in one file, too many records",
    "Y002": "a record without header (1.0: the file is returned)",
    "Y003": "a record that is not well-formed, has a field twice, or something between its elements",
    "Y004": "an element whose name is no id of a field",
    "Y005": "a field or segment at another place than its own; MB2 without MB1 (1.0: the file is returned)",
    "Y006": "a record that is not closed",
    "Y007": "a file that is not closed",
    "Y014": "bytes that are not of the declared encoding, or one that is neither Big5 nor UTF-8",
    "Y015": "a second RECS",
    "AE": "a letter and two digits that are no field of either format",
}
"""What reading a file finds (:mod:`virtual_devices.uploads.xml_reader`), by code."""
FILE_CODES = {
    "Y000": "a file of format 1.0 from an institution of which a record of 2.0 counts",
    "Y011": "an address other than those on file for the institution, where any is",
    "Y016": "a file of format 2.0 from an institution that does not qualify for it",
}


@cache
def rules(version: Version) -> tuple[Rule, ...]:
    """Every rule of a format, in the order of the stages."""
    order = list(Stage)
    every = [rule for book in BOOKS for rule in book.CODES.rules if version in rule.versions]
    return tuple(sorted(every, key=lambda rule: order.index(rule.stage)))


def check(record: Record, context: Context) -> tuple[Finding, ...]:
    """Everything that is wrong with a record, stage by stage. When a key field is missing or wrong, nothing else is looked at."""
    case = Case(record, context)
    found: list[Finding] = []
    for rule in rules(record.version):
        if found and found[0].stage is Stage.FORM and rule.stage is not Stage.FORM:
            break
        for place in rule.test(case):
            finding = _finding(case, rule, place)
            if finding is not None and finding not in found:
                found.append(finding)
    return tuple(found)


def _finding(case: Case, rule: Rule, place: Place) -> Finding | None:
    code = CHECK_CODES[place.code or rule.codes[0]]
    if code.since and case.moment("visited_at")[:7] < code.since:
        return None
    record = case.record
    field = FORMATS[record.version].by_name[place.name].id
    line = record.order_lines[place.order - 1] if 0 < place.order <= len(record.order_lines) else record.line
    effect = code.effect_in(record.version, case.context.both_formats)
    return Finding(code.code, rule.stage, effect, record.number, place.order, field, line, place.detail)


def check_file(reading: Reading, context: Context) -> Iterator[Finding]:
    """What is asked of a file that could be read: may this institution send it, from here, in this format."""
    institution = context.register.institution(context.institution)
    if reading.version is Version.V10 and context.earlier.used_20(context.institution):
        yield _file("Y000")
    if institution is not None and institution.addresses and context.address not in institution.addresses:
        yield _file("Y011")
    if reading.version is Version.V20 and institution is not None and not institution.may_use_20:
        yield _file("Y016")


def _file(code: str) -> Finding:
    return Finding(code, Stage.REGISTER, Effect.FILE, detail=FILE_CODES[code])


__all__ = ["FILE_CODES", "FORM_CODES", "check", "check_file", "rules"]
