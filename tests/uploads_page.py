"""Writes the page about uploads from the tables and rules that do the work.

    .venv/bin/python -m tests.uploads_page docs/reference/uploads.md

A test holds the page to them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from virtual_devices.institution.abnormal import BY_A_PERSON, CAUSES, AbnormalCause
from virtual_devices.tables import read_table
from virtual_devices.uploads.checking import FILE_CODES, FORM_CODES, rules
from virtual_devices.uploads.codes import CHECK_CODES, CheckCode, unproduced
from virtual_devices.uploads.fields import FORMATS, UploadField, Version
from virtual_devices.uploads.lists import DEADLINES, ITEM_LISTS, SITUATIONS, VISIT_TYPES
from virtual_devices.uploads.rules import Rule

INTRODUCTION = """\
# Uploads of visit records (健保卡資料上傳)

Made by `tests/uploads_page.py` from `virtual_devices/data/upload_*.toml` and the rules in `virtual_devices/uploads/checks/`:
change these, then make it again.

**What is followed.** Format 1.0: the insurer's booklet 健保卡資料上傳作業說明 of 2015 (*official*). Format 2.0: tables inside
several public programs, for its booklet was not found (*public*). What was worked out here is *inferred*. The bench is not the
insurer's specification: a record that passes here may fail there.

**The way of a visit.** `VisitFacts` describes a visit once; `make(facts, version)` makes the record of either format and refuses
by name what that format cannot say, or needs and was not told; `write(records, encoding)` makes the file, in Big5 (codec
`big5hkscs`), or in UTF-8 for control software 6.0. A character that Big5 has not is refused with record, field and character, and
never replaced. `read(bytes)` reads a file strictly: no document type, no entities but XML's own, no attributes; a malformed
record costs that record, a malformed file is returned. `check(record, context)` applies the rules in the booklet's five stages,
after the file's own form: presence, length, characters, cross-field, the insurer's database (the port `Register`).

**What is kept.** `UploadLedger` keeps each record once: the first that counts stays, what failed may be corrected (1.0: A01 3 and
4; 2.0: sent again). The same file again is the same upload, as long as nothing else of that institution counted since; an
interrupted one leaves nothing. 1.0 cancels with ZA, ZB, XA, YA to YH, and the letters of A72; 2.0 voids (C), deletes (D) and
restores (E). The very record that was deleted does not come back by being repeated. A pre-check (預檢) applies the same checks
and keeps only its result: to be fetched after 30 minutes, for 2 days.

**Late and missing.** One rule (`deadline`): a record is due 24 hours after the moment that the visit is called by (A17, M11).
Which records are late, and which visits have none, the data centre knows (`cloud.lateness`); the shares beside the bars are in
`timeliness`.

**How an institution uploads** (`institution.told`, `signing`, `uploads`). When a visit ends, the registration, what was ordered
and the fees become `VisitFacts`, queued with the institution's other visits and sent at once where there is a line: one file of
one record, in parts, each in a request that the SAM signs (the bench's profile; the field's own request is below). What only a
line gives is filled in then: the identifier of a visit that began without one (`visit-identifier`), the signatures of a virtual
card's visit (`sign-visit`). The check report comes with the answer. A record that counts is done; one whose only fault is that
another record is missing (D024, D049, D051: a prescriber's) is sent again later; any other is set aside for a person, and
`correct` sends it again, in 1.0 as a correction. Format 1.0 has no virtual cards: an institution that sends it takes physical
cards only.

**Effects.** *file*: the whole file is returned; *record*: this record is not counted; *notice*: taken in with a remark. Stated
for the whole-file rules of 1.0, for Y015 and the notices; elsewhere inferred.

**Over HTTP** (`envelope`; *public*, two vendors' clients): sSamId, sHospId, sClientRandom, sSignature, sType (A1 formal, A2
pre-check, ZZ test), sPatData (base64), sUploadDT; answered by RtnCode and Opcode, 42 characters: date and time, six digits, the
institution, the SAM.
"""


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    heads = list(head)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _field(field: UploadField) -> tuple[str, ...]:
    length = f"{'' if field.exact else '≤ '}{field.length}" if field.length else "–"
    if field.presence:
        other = ", ".join(f"{code} `{signs}`" for code, signs in sorted(field.presence_except.items()))
        presence = f"`{field.presence}`" + (f"; {other}" if other else "")
    else:
        presence = field.required.value
    name = f"{field.en} (`{field.name}`)"
    return field.id, field.block.value, field.zh, name, field.kind.value, length, presence, field.equals_10


def _effect(code: CheckCode) -> str:
    text = code.effect.value
    if code.effect_10 is not code.effect and Version.V10 in code.versions:
        text += f" ({code.effect_10.value} in 1.0)"
    if code.two_formats is not code.effect:
        text += f" ({code.two_formats.value} while both formats are taken)"
    return text


def _given(code: str, version: Version, given: dict[str, list[Rule]]) -> str:
    if code in given:
        return "; ".join(f"{rule.stage.value}, {rule.certainty.value}: {rule.condition}" for rule in given[code])
    if code in FORM_CODES:
        return f"form, inferred: {FORM_CODES[code]}"
    if code in FILE_CODES:
        return f"register, public: {FILE_CODES[code]}"
    return "**not given**: " + next(one.reason for one in unproduced() if (one.code, one.version) == (code, version))


def codes_of(version: Version) -> str:
    given: dict[str, list[Rule]] = {}
    for rule in rules(version):
        for code in rule.codes:
            given.setdefault(code, []).append(rule)
    rows = [
        (code.code, code.zh, code.en, _effect(code), _given(code.code, version, given))
        for code in sorted(CHECK_CODES.values(), key=lambda one: one.code) if version in code.versions
    ]
    return table(("code", "zh", "en", "effect", "stage, certainty of the condition: when"), rows)


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_fields(), *_codes(), *_comparisons(), *_lists(), NOT_DONE])


def _fields() -> Iterable[str]:
    for version, head in ((Version.V10, "presence: normal, abnormal"), (Version.V20, "required")):
        yield f"## Fields of format {version.value}\n"
        if version is Version.V10:
            yield "V required, * optional, ~ and - not sent; then the visit types that differ. Lengths in bytes of Big5.\n"
        columns = ("id", "block", "zh", "en (name)", "kind", "length", head, "1.0")
        yield table(columns, map(_field, FORMATS[version].by_id.values()))


def _codes() -> Iterable[str]:
    yield "## Check codes\n"
    for version in Version:
        total = sum(version in code.versions for code in CHECK_CODES.values())
        missing = sum(one.version is version for one in unproduced())
        yield f"### Format {version.value}: {total} codes, {total - missing} given, {missing} not\n"
        yield codes_of(version)
    yield "Codes of files (Y000, Y001, Y011, Y014, Y015, Y016) stand in the table of 2.0, and are given for files of 1.0 too.\n"


def _comparisons() -> Iterable[str]:
    lists = read_table("upload_lists")
    yield "## 1.0 and 2.0: what they do not say alike\n\nEvery other fact is equal in both; a test compares visits in both.\n"
    yield table(("fact", "rule", "reason"), (
        (", ".join(f"`{name}`" for name in row["names"]), row["rule"].replace("_", " "), row["reason"])
        for row in lists["difference"]
    ))
    yield "## Physical and virtual card: what their records do not say alike\n"
    yield "The same visits are played with both, in 1.0 with the physical card and in 2.0 with the virtual one. Beside what the\n"
    yield "formats cannot say, these differ and nothing else; a test holds the list to be whole, and each row to occur.\n"
    yield table(("fact", "when", "rule", "reason", "certainty"), (
        (", ".join(f"`{name}`" for name in row["names"]), row["when"], row["rule"].replace("_", " "), row["reason"],
         row["certainty"])
        for row in lists["carrier_difference"]
    ))
    yield "## Where sources disagree\n"
    yield table(("about", "they say", "chosen"), ((row["about"], row["says"], row["chosen"]) for row in lists["disagreement"]))


def _lists() -> Iterable[str]:
    yield "## Abnormal sequence codes (異常就醫序號)\n"
    yield table(("situation", "not obtained", "obtained", "zh", "en", "cause", "certainty"), (
        (f"`{one.situation}`", one.not_obtained, one.obtained or "–", one.zh, one.en, one.cause.value, one.certainty.value)
        for one in SITUATIONS.values()
    ))
    yield from _causes()
    yield "## Visit types (就醫類別)\n"
    yield table(("code", "zh", "en", "counted", "formats", "certainty"), (
        (one.code, one.zh, one.en, "yes" if one.counted else "no", ", ".join(sorted(v.value for v in one.versions)),
         one.certainty.value)
        for one in VISIT_TYPES.values()
    ))
    yield "## Deadlines and bars\n"
    yield table(("name", "zh", "en", "value", "source", "certainty"), (
        (f"`{one.id}`", one.zh, one.en, f"{one.value:g} {one.unit}", one.source, one.certainty.value)
        for one in DEADLINES.values()
    ))
    yield "## Lists that the register has to be told\n\nCodes speak of them, and no source has their entries.\n"
    yield table(("list", "zh", "en", "entries known"), (
        (f"`{one.id}`", one.zh, one.en, ", ".join(one.codes) or "none") for one in ITEM_LISTS.values()
    ))


def _causes() -> Iterable[str]:
    yield "### Chosen by what went wrong at the desk\n"
    yield "The first row that fits is taken. A number that the card had given before has a code of its own, where there is one.\n"
    yield table(("who failed", "return codes", "where", "code", "why", "certainty"), (
        (one.role, ", ".join(sorted(one.codes)) or "any failure of the medium", _where(one),
         SITUATIONS[one.situation].not_obtained, one.why, one.certainty.value)
        for one in CAUSES.values()
    ))
    yield "### Chosen by a person\n"
    yield table(("code", "reason"), (
        (SITUATIONS[situation].not_obtained, reason) for situation, reason in BY_A_PERSON.items()
    ))


def _where(cause: AbnormalCause) -> str:
    return ("at a home visit" + (", by Bluetooth" if cause.bluetooth else "")) if cause.home else ""


NOT_DONE = """\
## Not done

- Dates from which a type, a code or a trial holds are not checked, but for the deliveries' (2023-09-01).
- Lengths of 24 fields of 2.0 stand in no source: they are bounded by nothing but the size of a file.
- How a visit identifier is made is not public: the port `Register.identifier` decodes the bench's own.
- Institutions send each visit when it ends; that many visits go in one file at the end of the day is taken in, and not done.
- Of what a check refused, situations have one kind that a person mends: a mistyped birth date (`mistyped_share`, clinic).
- The bars are computed as figures; that the insurer pays less below them is not modelled.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path, help="Markdown file to write")
    parser.parse_args().to.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
