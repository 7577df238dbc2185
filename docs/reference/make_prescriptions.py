"""Writes the page of prescriptions from the tables that the data centre obeys.

    .venv/bin/python docs/reference/make_prescriptions.py docs/reference/prescriptions.md

A test holds the page to the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from virtual_devices.cloud.prescription_service import TAKES
from virtual_devices.pki import Role
from virtual_devices.prescription.codes import CODES, Table, Why
from virtual_devices.prescription.document import PrescriptionClass
from virtual_devices.prescription.rules import (
    ANSWER_WITHIN_S,
    KEPT_YEARS,
    KEPT_YEARS_CONTROLLED,
    ORDINARY_DAYS,
    ORDINARY_VALID_DAYS,
    RECIPIENT_WITHIN_S,
    REFILL_ISSUES,
    SKEW_S,
    Rules,
)
from virtual_devices.prescription.states import FINAL, LIFE, REFUSED_EVENT, REFUSED_IN, Row, State
from virtual_devices.write_back import Kind

ZH = {
    PrescriptionClass.ORDINARY: "一般處方箋", PrescriptionClass.CHRONIC: "慢性病處方箋",
    PrescriptionClass.REFILL: "慢性病連續處方箋", PrescriptionClass.CONTROLLED: "管制藥品專用處方箋(一般)",
    PrescriptionClass.CONTROLLED_CHRONIC: "管制藥品專用處方箋(慢箋)",
    PrescriptionClass.CONTROLLED_REFILL: "管制藥品專用處方箋(慢連箋)",
}
INTRODUCTION = """\
# Prescriptions

Made by `docs/reference/make_prescriptions.py` from `virtual_devices/prescription/` and `virtual_devices/cloud/prescription*.py`;
change them there, then make the page again.

One signed document goes from the physician's screen to the wallet, the QR code, the pharmacy and the data centre: a record as it
is written back ([profile](profile/write-back.md)), signed by the physician's professional card and the institution's security
module. What is done with it (dispensed, returned, doubted, answered, amended, cancelled, restored) is a signed record too, and
names what it is about by its hash. The items of an order are the card layout's (official); the classes are those of upload format
2.0 (public); states, acts and messages are the bench's profile.
"""
COUNTING = """\
## How dispensings are counted

1. What a pharmacist signed as dispensed has happened. Nothing of it is dropped, whoever was offline.
2. Dispensings count in the order of their signed times; of two signed in the same second, that with the lower id is first. The
   first is issue 1, the second issue 2, and so on, whatever number each of them says.
3. One that was returned does not count.
4. What goes beyond the count, was too early, too late, on hold, cancelled or of an old version is *found*: it stays, and is told
   to its pharmacy and to whoever asks.

The end does not hang on the order in which messages come; a test brings random histories of two pharmacies, a clinic and the
data centre to their end, and in another order to the same. What cannot be promised: a signed time is a pharmacy's clock, and who
dates back can come first. The moment of receipt stands beside it. An amendment that arrives after the last issue was dispensed is
refused, and the dispensing stands.

Online a pharmacy asks before it hands the medicine over (`rx-dispense`). When the answer is lost it either hands it over and
tells (`rx-tell`), or sends the holder away and takes it back (`rx-return`). Both name the same dispensing, so that nothing counts
twice.
"""
RECIPIENT = f"""\
## Controlled drugs

No prescription is dispensed without the physician's signature; of a controlled one (D, E, F) the recipient's is needed too,
within {RECIPIENT_WITHIN_S // 3600} h. After that the dispensing is named to its pharmacy and to the insurance
(`GET /v1/prescriptions/overdue`), and the next issue is refused (RX11), until the signature has come. Nobody has published within
what time, or to whom: both are profile. The signature has two forms:

- *device* (profile, from ISO/IEC 18013-5): the dispensing is written to the holder's phone or second-generation card, whose
  signed receipt is kept with the transcript of the session, so that others can verify it. It is of the card that the
  prescription names, or of one that took its place: by the issuer's word (`former`) at the desk, by its register at the data
  centre;
- *written* (profile): recipient's name and the hash of the paper's image, vouched for by the pharmacist's signature.

## Doubts

A pharmacist's query (疑義) holds the prescription at once, everywhere online. The physician confirms, amends or cancels; the
pharmacist who asked may withdraw. Each is signed. A query not answered within {ANSWER_WITHIN_S // 3600} h is named by the same
resource, to the pharmacy that asked, the prescriber and the insurance; a late answer is taken, for the medicine waits. A hold
does not lengthen the prescription's time. Offline nobody knows of it: what was dispensed meanwhile is found (RX06) when it is
told.

## Retention

{KEPT_YEARS} years, {KEPT_YEARS_CONTROLLED} of controlled drugs (Pharmacists Act, articles 16 to 18; that the data centre keeps as
long as a pharmacy must is inferred), counted from the last thing that happened. Until then a prescription is found by holder,
institution, visit or id. Then its records are deleted in one act. What stays is, of each record, its id, kind, hash and class,
the moment, and the data centre's signed statement of it. Certificates of professionals are kept: they are no prescriptions.

## At the desks

| flow (`virtual_devices/reader/`) | does |
|---|---|
| `prescribing.issue`, `cancel`, `restore`, `confirm` | the clinic: signed once, to the data centre or into the queue |
| `prescription_wallet.put_on_wallet`, `leave_for_wallet` | the same bytes onto phone or second-generation card, or left for it |
| `prescribing.card_entries` | the layout's entries for a card of today, which holds no physician's signature |
| `prescription_offers.from_wallet`, `from_card`, `from_code`, `from_centre` | the pharmacy: whichever way, the same result |
| `dispensing.dispense`, `receive`, `give_back`, `query`, `withdraw` | asked first where there is a line |
| `prescription_desk.drain` | what waited, oldest first; what is refused is set aside with its code |

Whether a prescription is issued, and medicine handed over, with no line is a policy (`RxPolicy`). A drawn world calls the domain:
`Prescriptions.take` and `tell` of `virtual_devices/cloud/prescriptions.py`, with records as `Filed.drawn` makes them.

## FHIR

Prescriptions and dispensings go out and come in as FHIR R4 documents (`virtual_devices/fhir/`), without loss: a Bundle of type
document with Composition, Patient, Practitioner, Organization and one MedicationRequest an order, or one MedicationDispense an
item (the shape of the TW EMPD guide: public), and the signed record itself in a Provenance. Systems and extensions that begin
with `urn:nhi:bench:fhir` are the profile's, where a national guide has its own. `vhc-bench fhir check FILE` checks one. What FHIR
cannot hold (a code with blanks at its ends, a control character) is refused with the element's path, never changed.

## What this is not

A dispensing is returned whole, never in part. Substitutions are told (item code and quantity) and not judged. Holidays do not
lengthen an ordinary prescription. Which drugs are controlled is the physician's word, by the class.
"""


def mermaid() -> str:
    """The diagram's text; what leads back to the same state is left out."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for row in LIFE:
        label = row.event.value + (f" ({row.when.value})" if row.when.value else "")
        arrows.setdefault((row.state, row.to), []).append(label)
    lines = ["stateDiagram-v2", f"    [*] --> {_node(State.ISSUED)}: sign"]
    lines += [f'    state "{state.value}" as {_node(state)}' for state in State if _node(state) != state.value]
    lines += [f"    {_node(a)} --> {_node(b)}: {', '.join(labels)}" for (a, b), labels in arrows.items() if a is not b]
    return "\n".join([*lines, *(f"    {_node(state)} --> [*]" for state in State if state in FINAL)])


def _node(state: State) -> str:
    return state.value.replace(" ", "_")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _by(row: Row) -> str:
    return ", ".join(role.name.lower() for role in Role if role in row.by) or "a date"


def _code(why: Why) -> str:
    code = CODES[why]
    mark = "profile" if code.table is Table.PROFILE else f"{code.table.value}, {code.certainty.value}"
    return f"{code.number} ({mark})"


def _classes() -> str:
    few, many = REFILL_ISSUES[0], REFILL_ISSUES[-1]
    return _table(
        ["class", "", "issues", "lasts", "recipient signs"],
        [[kind.value, ZH[kind], f"{few} to {many}" if kind.refill else "1",
          f"{ORDINARY_DAYS} days at most" if kind is PrescriptionClass.ORDINARY else "90 days a drug at most",
          "yes" if kind.controlled else ""] for kind in PrescriptionClass],
    )


_OF_VISITS = frozenset({Kind.VISIT, Kind.FEE})


def _signed(kind: Kind) -> list[str]:
    signers = [role.name.lower() for role in Role if role in kind.signers]
    return [f"`{kind.value}`", ", ".join([*signers, "SAM"]), "yes" if kind.carried else "no"]


def page() -> str:
    """The whole page."""
    return "\n".join([
        INTRODUCTION, "## Classes\n", _classes(),
        f"\nAn ordinary prescription is dispensed on {ORDINARY_VALID_DAYS} days, that of issue included (inferred), unless it "
        f"names another\nlast day. The next issue of a refill may be collected {Rules().early_days} days before the last supply "
        f"ends (regulation; over a New Year more).\nClocks may differ by {SKEW_S} s.\n",
        "## States\n", f"```mermaid\n{mermaid()}\n```\n",
        _table(
            ["state", "event", "becomes", "when", "signed by", "and only if", "what follows"],
            [[r.state.value, r.event.value, r.to.value, r.when.value, _by(r), r.guard, r.consequence] for r in LIFE],
        ),
        "\nEvery other event is refused:\n",
        _table(["state", "with"], [[state.value, _code(why)] for state, why in REFUSED_IN.items()]),
        "\n", _table(["state", "event", "with"], [[s.value, e.value, _code(why)] for (s, e), why in REFUSED_EVENT.items()]),
        "\n" + COUNTING, RECIPIENT, "## Who signs what\n",
        _table(["record", "signed by", "on the holder's device"], [_signed(kind) for kind in Kind if kind not in _OF_VISITS]),
        "\nA cancellation of a prescription is taken by the data centre from a physician only.\n",
        "## The data centre's operations\n",
        _table(["operation", "takes"], [[f"`{n}`", ", ".join(f"`{k.value}`" for k in Kind if k in kinds)]
                                        for n, kinds in TAKES.items()]),
        "\n`rx-find` gives what concerns the institution, `rx-doubts` its prescriptions with an open query.\n",
        "## Codes\n", _table(["code", "says"], [[_code(why), why.value] for why in Why]), "",
    ])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path, help="Markdown file to write")
    parser.parse_args().to.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
