"""Writes the pages of the control software's calls and of the field's return codes from the tables that the software obeys.

    .venv/bin/python docs/reference/make_control_software.py docs/reference

A test holds the pages to the tables.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from virtual_devices.cloud.vhc_codes import VHC_OF
from virtual_devices.codes import CODES, Space
from virtual_devices.reader.cshis import FUNCTIONS, Function
from virtual_devices.reader.cshis.software import CALLS, NOT_OPENED, WITHOUT_PORT
from virtual_devices.tables import read_table

ROOT = Path(__file__).resolve().parent.parent.parent
SOFTWARE, CODES_PAGE = "control-software.md", "return-codes.md"
INTRODUCTION = """\
# The control software for readers (讀卡機控制軟體)

Made by `docs/reference/make_control_software.py` from `virtual_devices/data/control_software.toml`; change that, then make the
page again. Every code is in [return codes](return-codes.md); how to try it stands in
[point your clinic software at the bench](../how-to/point-your-clinic-software-at-the-bench.md).

**Certainty.** *official*: a manual of the insurer says so. *public*: seen in public programs, a habit and not a rule. What
neither tells is *inferred* or the bench's own *profile*, and marked. The bench is not the administration's specification.

**In one process** the calls of manual 3.3 are the class `CsHis` (`virtual_devices/reader/cshis/`): names, order of arguments and
buffers are the manual's, byte for byte.

    length, buffer = Counter(72), bytearray(72)
    code = cshis.hisGetBasicData(buffer, length)      # 0, buffer filled, length.value 72

`perform(software, name, arguments)` is the same call as a flow, for any runner. **As a service** the two JSON faces and the
cloud's are served by `vhc-bench present control-software`. The calls of manual 3.3 are there too, on a path of the bench's own:
POST `/bench/v1/call/NAME` on the face of 6.0 with `{"arguments": {...}}`, texts and buffers in hex, numbers as they are; answered
by `{"code": "0", "out": {...}}`.

    curl -k https://127.0.0.1:5066/bench/v1/call/csOpenCom -d '{"arguments": {"Comport": 0}}'
    curl -k https://127.0.0.1:5066/bench/v1/call/csGetCardNo -d '{"arguments": {"CardType": 2, "pBuffer": "'$(printf %024d)'",
      "iBufferLen": 12}}'
"""
REMARKS: Mapping[str, str] = {
    "hisGetTreatmentNeedHPC": "ICD-10 form when the buffer begins with `ICD10` (profile: the field's marker is not public)",
    "hisGetCriticalIllness": "ICD-10 form as above; dates only, and 5141, without a professional's card",
    "hisGetCriticalIllnessID": "the card matches ID number and birth date in place of the PIN (profile)",
    "hisGetRegisterBasic": "the desk is warned at 30, 40 and 90 visits a year",
    "hisGetSeqNumber": "the 128 bytes are the SAM's signature in hexadecimal (profile)",
    "hisGetSeqNumber256": "the 256 characters are the SAM's and the card's signature in hexadecimal (profile)",
    "hisGetSeqNumber256N1": "5174 and a blank identifier when the data centre gives none",
    "csVerifyHCPIN": "0 when the holder has no PIN switched on (inferred)",
    "csUpdateHCNoReset": "that the card must be taken out is not enforced",
    "csUnGetSeqNumber": "5160 to 5173: a value is no number, or less than what is taken off it (inferred)",
    "hisWriteOrganDonate": "5009: the right is the desk's setting (that the SAM has it is inferred)",
    "hisWritePredeliveryCheckup": "5069 never: which examination codes are children's is not in the facts",
    "hpcGetHPCStatus": "an empty slot is Status 0 and code 0, never 4014",
    "hpcGetHPCSN": "12 bytes (inferred)",
    "hpcGetHPCSSN": "10 bytes (inferred)",
    "hpcGetHPCCNAME": "Big5, as long as the name (inferred)",
    "hisGetHPCENAME": "as long as the name (inferred)",
    "hisGetICD10EnC": "which code packs into which five characters is the bench's (profile)",
    "hisGetICD10DeC": "as above",
    "csUploadData": "the file is kept as it is; what stands in it is checked elsewhere",
    "csSoftwareReset": "6018 for what does not exist (inferred)",
    "hisGetCardStatus": "6018 for a kind that does not exist (inferred)",
}
AFTER_CALLS = """
Buffers end without a NUL; texts handed in end with one. A buffer that is too small, a text of another length, a position or count
that does not exist is 6018. Before csOpenCom every call but {exempt} is {code} (public: one client's table). SAM, patient's
card and professional's card are looked at in this order (inferred). Cards that were exchanged in between are noticed: each is
asked for its number before it is used.
"""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') or '-' for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _function(function: Function) -> tuple[str, ...]:
    arguments = ", ".join(
        f"{argument.name} {argument.direction.value}" + (f" {argument.size}" if argument.size else "")
        for argument in function.arguments
    )
    state = REMARKS.get(function.name, "as the manual says") if function.name in CALLS else "not built"
    return (
        function.no, f"`{function.name}`", function.zh, arguments, ", ".join(f"`{name}`" for name in function.buffers),
        " ".join((function.sam.value, function.hc.value, function.hpc.value)), function.network,
        " ".join(function.codes) + (" +" if function.codes_rest else ""), function.certainty.value, state,
    )


def _endpoint(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['method']} `{row['path']}`", row["en"], ", ".join(row.get("request", ())), ", ".join(row.get("response", ())),
        row.get("signature", "") + (f" {row['service_type']}" if "service_type" in row else ""), row.get("mirrors", ""),
        row["certainty"],
    )


HEAD = ("call", "what it is for", "request", "answer", "envelope", "mirrors", "certainty")


def software_page() -> str:
    data = read_table("control_software")
    parts = [INTRODUCTION, "\n## The calls of manual 3.3, and three newer ones\n"]
    parts.append(
        "Cards: SAM, patient's, professional's; `auth` is authenticated with the data centre, `pin_if_set` asks for the PIN\n"
        "where its holder has switched it on. A `+` after the codes: the page adds that others may come too.\n"
    )
    head = ("no", "call", "", "arguments", "buffers", "cards", "network", "codes", "certainty", "here")
    parts.append(table(head, map(_function, FUNCTIONS.values())))
    exempt = ", ".join(f"`{name}`" for name in sorted(WITHOUT_PORT - {"csOpenCom"}))
    parts.append(AFTER_CALLS.format(exempt=exempt, code=NOT_OPENED))
    parts.append("\n### States that hisGetCardStatus gives\n")
    rows = [(kind["zh"], value["value"], value["en"]) for kind in data["card_status"] for value in kind["values"]]
    parts.append(table(("card", "value", "meaning"), rows))
    kit = data["vhc_sdk"]
    parts.append(f"\n## {kit['zh']}: the software kit of the virtual card\n")
    parts.append(
        f"{kit['transport']}. `ERRORCODE` is text. `pBuffer` is the text of the bytes that the call of that name gives.\n"
        f"{', '.join(kit['accepted_nonzero'])} come with their answer. Diagnoses may be 43 characters, as one client sends.\n"
    )
    parts.append(table(HEAD, map(_endpoint, data["vhc_sdk_endpoint"])))
    parts.append(f"\n## {data['cs60']['zh']}: on the desk\n\n{data['cs60']['local_transport']}.\n")
    parts.append(table(HEAD, (_endpoint(row) for row in data["cs60_endpoint"] if row["where"] == "local")))
    parts.append("\n## The same in the cloud\n")
    parts.append(
        "Served here beside the desk. The envelope's fields stand in the body; a signature is used once (66008), good for an\n"
        "hour, for service types 15 and 17 for eight (public; for the others inferred). What is signed is the profile of\n"
        "`virtual_devices/cloud/envelope.py`. A virtual card's numbers are W001 and on, a physical card's its file's own.\n"
    )
    parts.append(table(HEAD, (_endpoint(row) for row in data["cs60_endpoint"] if row["where"] == "cloud")))
    envelope = data["cs60_envelope"]
    parts.append(f"\n## {envelope['zh']}: the signature envelope\n")
    fields = [(f"`{name}`", "always" if name in envelope["required"] else "as the kind has it", text)
              for name, text in envelope["meaning"].items()]
    parts.append(table(("field", "there", "what it is"), fields))
    parts.append("\n" + table(("service type", "for", "certainty"),
                              ((row["code"], row["en"], row["source"]) for row in data["service_type"])))
    parts.append("\n## Times\n\n" + table(
        ("time", "", "value", "certainty"),
        ((row["id"], row["zh"], f"{row['value']} {row['unit']}", row["source"]) for row in data["timer"])))
    parts.append("\n## Codes of 3.3 in the words of 6.0\n\nInferred from the words of both tables.\n\n")
    parts.append(table(("3.3", "6.0"), ((old, new) for old, new in VHC_OF.items() if old != "0")))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def codes_page() -> str:
    produced = tomllib.loads((ROOT / "tests" / "data" / "codes_produced.toml").read_text(encoding="utf-8"))
    parts = [
        "# Return codes (回傳碼)\n\nMade by `docs/reference/make_control_software.py` from the code table\n"
        "`virtual_devices/data/return_codes.toml` and `tests/data/codes_produced.toml`. *here*: the bench gives the code and a\n"
        "test plays it, or why it never comes.\n"
    ]
    titles = {
        Space.CSHIS: "Control software 3.3 and later clients", Space.VHC: "Virtual card's software, control software 6.0",
        Space.UPLOAD: "Answers to an upload over HTTP",
    }
    for space, title in titles.items():
        never = {code: row["why"] for row in produced[space.value].get("never", ()) for code in row["codes"]}
        rows = [
            (code, one.zh, one.en, one.when, one.certainty.value, f"never: {never[code]}" if code in never else "yes")
            for (where, code), one in CODES.items() if where is space
        ]
        parts.append(f"\n## {title}\n\n" + table(("code", "中文", "English", "when", "certainty", "here"), rows))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    (folder / SOFTWARE).write_text(software_page(), encoding="utf-8")
    (folder / CODES_PAGE).write_text(codes_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
