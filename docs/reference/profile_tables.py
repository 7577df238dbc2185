"""The tables of the profile, made from the code that obeys them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from virtual_devices import vhc
from virtual_devices.authentication import Party
from virtual_devices.authorization import BOUNDS, Purpose, Scope
from virtual_devices.authorization_check import CODES as AUTHORIZATION_CODES
from virtual_devices.authorization_check import Reason as AuthorizationReason
from virtual_devices.card.second_differences import DIFFERENCES
from virtual_devices.cloud.identification import LEVELS
from virtual_devices.holder.refusals import No, code
from virtual_devices.lifecycle import FieldCode
from virtual_devices.mdoc import ble_gatt
from virtual_devices.mdoc.ble_gatt import Problem
from virtual_devices.pki import PROFESSIONALS, READERS, Role, Trouble
from virtual_devices.qr import prescription
from virtual_devices.qr.check import OUTCOMES
from virtual_devices.qr.token import Answer
from virtual_devices.reader.authenticate import refused
from virtual_devices.reader.proximity import refusal
from virtual_devices.wallet import consent
from virtual_devices.wallet.attestation import Doubt
from virtual_devices.wallet.holder import BIOMETRIC_TRIES, DELAYS_S, LOCKED_AFTER
from virtual_devices.write_back import Kind, WriteOutcome


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def field_code(found: FieldCode) -> str:
    return f"{found.number} {found.code.zh} ({found.space.value}, {found.certainty.value})"


_TYPES: Mapping[str, str] = {
    "name": "tstr", "birth_date": "full-date", "sex": '"M" / "F"', "portrait": "bstr, JPEG", "card_no": "tstr, 12 digits",
    "id_no": "tstr", "issue_date": "full-date", "expiry_date": "full-date", "identity_mark": "tstr", "emergency_tel": "tstr",
    vhc.HELD_UNDER: "bstr, 0 or 16", vhc.FORMER: "[1*8 bstr .size 32]", "critical_illness": "[* any]",
    "allergies": "[* tstr]", "inoculations": "[* any]", "donation_mark": "tstr",
    "visits": "[+ SignedRecord bytes]", "prescriptions": "[+ SignedRecord bytes]",
    "certificates": "Chains", "generation": "uint", "authorization": "AuthorizationToken bytes", "proof": "COSE_Sign1",
    vhc.RECEIPT: "Receipt",
}


def elements() -> str:
    """Every element, by namespace."""
    return table(
        ["namespace", "element", "中文", "meaning", "type", "layout item", "signed by", "shown to"],
        [[f"`{e.space}`", f"`{e.name}`", e.zh, e.en, _TYPES[e.name], e.item or "-", e.signer.value, e.need.value]
         for e in vhc.ELEMENTS],
    )


def roles() -> str:
    """Every role with its policy OID, and what its certificate may do."""
    return table(
        ["role", "policy OID", "signs requests", "counts as a professional"],
        [[role.name, f"`{role.oid.dotted_string}`", _yes(role in READERS), _yes(role in PROFESSIONALS)] for role in Role],
    )


def _yes(so: bool) -> str:
    return "yes" if so else "-"


def errors() -> str:
    """A wallet's error codes, and the field's code that a desk makes of each."""
    rows = [[str(int(no)), _MEANINGS[no], refusal(int(no)).code] for no in No]
    for party in (Party.SAM, Party.HPC):
        rows += [[str(code(party, t)), f"{party.name}: {t.value}", refused(party, t).code] for t in Trouble]
    rows.sort(key=lambda row: -int(row[0]))
    return table(["code", "meaning", "field's code at the desk (cshis, inferred)"], rows)


def card_refusals() -> str:
    """What a reader says of a card that it does not believe."""
    return table(["the card or its issuer is", "field's code (cshis, inferred)"],
                 [[t.value, refused(Party.CARD, t).code] for t in Trouble])


_MEANINGS = {
    No.NOT_RETURNED: "there is no such element, or it has no value, or no such document (of the standard)",
    No.DECLINED: "the holder does not give it",
    No.CONSENT_NEEDED: "the holder has not been asked: have them asked, and ask again",
    No.OTHER_READERS_NEEDED: "those who ask may never have it", No.NOT_IN_FORCE: "no card here, past its end, or wiped",
    No.AUTHORIZATION_ENDED: "the guardian's authorization has ended",
    No.VERSION: "a batch that cannot be read, or of another version",
}


def outcomes() -> str:
    return table(
        ["outcome", "name", "field's code (cshis, inferred)"],
        [[str(o.value), o.name.lower().replace("_", " "), o.code] for o in WriteOutcome],
    )


def kinds() -> str:
    return table(
        ["kind", "signers, in this order", "names another record"],
        [[f'`"{k.value}"`', "HPC, SAM" if k.needs_professional else "SAM", _yes(k in (Kind.CANCEL, Kind.AMEND))] for k in Kind],
    )


def consent_table() -> str:
    return table(
        ["state", "event", "becomes"],
        [[state.value, event.value, to.value] for (state, event), to in consent.TRANSITIONS.items()],
    )


def pin_delays() -> str:
    rows = [[str(wrong), f"{seconds} s until the next try"] for wrong, seconds in DELAYS_S.items()]
    rows += [[str(LOCKED_AFTER), "locked until the card is bound again"],
             [f"{BIOMETRIC_TRIES} biometric failures", "only the PIN is taken"]]
    return table(["wrong PINs in a row", "what follows"], rows)


def characteristics() -> str:
    return table(
        ["mode", "characteristic", "UUID", "properties", "direction"],
        [[row.mode.value, row.name.value, f"`{row.uuid}`",
          ", ".join(p.name.lower().replace("_", " ") for p in ble_gatt.Property if p in row.properties), row.direction.value]
         for row in ble_gatt.TABLE],
    )


def ble_problems() -> str:
    return "\n".join(f"- {p.value}" for p in Problem)


def qr_outcomes() -> str:
    return table(
        ["step", "why", "code"], [[step.value, why.value, field_code(found)] for why, (step, found) in OUTCOMES.items()],
    )


def prescription_outcomes() -> str:
    return table(["why", "code"], [[why.value, field_code(found)] for why, found in prescription.CODES.items()])


def token_answers() -> str:
    return table(["answer", "code"], [[a.value, field_code(a.code)] for a in Answer])


def authorization_reasons() -> str:
    return table(["why", "code"], [[why.value, field_code(AUTHORIZATION_CODES[why])] for why in AuthorizationReason])


def relations() -> str:
    return table(
        ["relation", "scopes, at most", "days, at most"],
        [[f'`"{who.value}"`', ", ".join(f"{int(s)} {s.name.lower()}" for s in sorted(most.scope)), str(most.days)]
         for who, most in BOUNDS.items()],
    )


def scopes() -> str:
    purposes = ", ".join(f'`"{p.value}"`' for p in Purpose)
    return "Scopes: " + ", ".join(f"{int(s)} {s.name.lower()}" for s in Scope) + f". Purposes: {purposes}."


def doubts() -> str:
    return "\n".join(f"- {d.value}" for d in Doubt)


def levels() -> str:
    return table(
        ["known by", "pieces, all of them", "may"],
        [[level.value, ", ".join(sorted(p.value for p in rule.needs)), ", ".join(sorted(a.value for a in rule.may))]
         for level, rule in LEVELS.items()],
    )


def differences() -> str:
    return table(
        ["subject", "phone", "card", "what follows", "mark"],
        [[d.subject, d.phone, d.card, d.limit or "-", d.mark] for d in DIFFERENCES],
    )


BLOCKS: Mapping[str, Callable[[], str]] = {
    "card-refusals": card_refusals,
    "elements": elements, "roles": roles, "errors": errors, "outcomes": outcomes, "kinds": kinds, "consent": consent_table,
    "pin": pin_delays, "characteristics": characteristics, "ble-problems": ble_problems, "qr-outcomes": qr_outcomes,
    "prescription-outcomes": prescription_outcomes, "token-answers": token_answers,
    "authorization-reasons": authorization_reasons, "relations": relations, "scopes": scopes,
    "doubts": doubts, "levels": levels, "differences": differences,
}
