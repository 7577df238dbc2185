"""What a record that passed its checks changes: itself, what it cancels, voids, deletes, restores, and the refills it
dispenses."""

from __future__ import annotations

from dataclasses import replace

from virtual_devices.clock import NS, parse_roc, roc_date7
from virtual_devices.uploads.checks.history import CORRECTS
from virtual_devices.uploads.checks.refills import REFILLS, prescribed_in
from virtual_devices.uploads.document import Record
from virtual_devices.uploads.draft import Draft, content_of, key_of
from virtual_devices.uploads.fields import FORMATS, Version
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rows import Issue, IssueState, Kept, Standing
from virtual_devices.uploads.rules import Case, Context, Values

TAKES_BACK_ORDER = {"A": "1", "B": "2", "C": "3", "D": "4", "E": "5", "H": "G", "K": "J"}
"""Order types of 1.0 that delete an order, and the type of what they delete."""
SERVICES = {"YA": "01", "YB": "02", "YC": "03", "YD": "05", "YE": "06", "YF": "04", "YG": "07", "YH": "08"}
DRUG = ("allergy_ingredient", "allergy_class", "allergy_drugs")


def take(draft: Draft, record: Record, context: Context) -> None:
    """Put what a record says into the draft."""
    case = Case(record, context)
    earlier = draft.same(record)
    match case["format"]:
        case "C":
            _void(draft, case)
        case "D":
            _delete(draft, case)
        case "E":
            _restore(draft, case)
        case _ if earlier is not None and earlier.standing is Standing.COUNTED:
            draft.kept.put(_amended(draft, earlier, case))
        case _:
            draft.kept.put(_row(record, context, Standing.COUNTED, "", corrected=case["format"] in CORRECTS))
            _dispense(draft, case)
            _cancel(draft, case)
    draft.sent(case["institution"], record.version, context.opcode, context.uploaded_ns)


def fail(draft: Draft, record: Record, context: Context, codes: str) -> None:
    """Remember that a record came and failed, so that it may be corrected. One that counts, or was deleted, stays as it is."""
    earlier = draft.same(record)
    kept = earlier is None or earlier.standing is Standing.FAILED
    if kept and all(key_of(record)[:3]) and record.get("format") not in ("C", "D", "E"):
        of_kind = record if earlier is None or record.get("format") not in CORRECTS else _as_first(record, earlier)
        draft.kept.put(_row(of_kind, context, Standing.FAILED, codes))


def _as_first(record: Record, earlier: Kept) -> Record:
    """A correction that failed too, under the format of what it corrects: the next may still correct it."""
    field = FORMATS[record.version].by_name["format"].id
    return replace(record, header={**record.header, field: earlier.format})


def _row(record: Record, context: Context, standing: Standing, codes: str, corrected: bool = False) -> Kept:
    get = record.get
    return Kept(
        *key_of(record), get("identifier"), get("visit_type"), get("professional_id"), record.version.value, get("format"),
        get("sequence"), get("card_no"), standing, context.uploaded_ns, context.opcode, content_of(record), codes, corrected,
    )


def _dispense(draft: Draft, case: Case) -> None:
    if not prescribed_in(case):
        return
    for refill in REFILLS:
        number = case.number(refill.issue) or 0
        if number > 0:
            draft.refills.put(
                Issue(
                    prescribed_in(case), refill.drug_class, number, IssueState.DISPENSED, case["institution"], case["identifier"]
                )
            )


def _void(draft: Draft, case: Case) -> None:
    for kept in draft.by_identifier(case["identifier"]):
        prescribed = Case(draft.read(kept), case.context)
        for refill in REFILLS:
            for number in range(1, (prescribed.number(refill.count) or 0) + 1):
                if draft.issue(kept.identifier, refill.drug_class, number) is None:
                    draft.refills.put(
                        Issue(
                            kept.identifier, refill.drug_class, number, IssueState.VOIDED, case["institution"], case["identifier"]
                        )
                    )


def _restore(draft: Draft, case: Case) -> None:
    for refill in REFILLS:
        for one in draft.issues(case["identifier"], refill.drug_class):
            if one.state is IssueState.VOIDED:
                draft.refills.remove(one.identifier, one.drug_class, one.number)


def _delete(draft: Draft, case: Case) -> None:
    """The record is gone, and with it what it dispensed or voided."""
    for kept in draft.by_identifier(case["identifier"]):
        if kept.institution == case["institution"]:
            draft.kept.put(replace(kept, standing=Standing.DELETED))
    for one in draft.refills.where(by_identifier=case["identifier"]):
        draft.refills.remove(one.identifier, one.drug_class, one.number)


def _cancel(draft: Draft, case: Case) -> None:
    """Format 1.0, within 24 hours at the same institution: visits (ZA, ZB), prenatal (XA) and preventive (YA to YH) entries."""
    if case.version is not Version.V10:
        return
    until_ns = parse_roc(case["visited_at"])
    window_ns = int(DEADLINES["cancel_window"].value) * 3600 * NS
    cancelled = {case[f"diagnosis_{n}"] for n in range(1, 7)} - {""}
    service = SERVICES.get(case["service_exam"], "")
    for kept in draft.of_person(case["national_id"], roc_date7(until_ns - window_ns), case["visited_at"]):
        recent = 0 <= until_ns - parse_roc(kept.visited_at) <= window_ns
        if kept.institution != case["institution"] or not recent or kept.visited_at == case["visited_at"]:
            continue
        if case.visit_type == "ZA" or (case.visit_type == "ZB" and kept.visited_at[-4:] in cancelled):
            draft.kept.put(replace(kept, standing=Standing.DELETED))
            continue
        told = Case(draft.read(kept), case.context)
        if case["prenatal_exam"] == "XA" and told["prenatal_exam"]:
            draft.kept.put(_taken_back(kept, "prenatal"))
        elif service and told["service_item"] == service:
            draft.kept.put(_taken_back(kept, f"preventive {service}"))


def _taken_back(kept: Kept, what: str) -> Kept:
    words = [word for word in kept.taken_back.split(",") if word]
    return kept if what in words else replace(kept, taken_back=",".join([*words, what]))


def _amended(draft: Draft, kept: Kept, case: Case) -> Kept:
    """A record that counts, without the orders and allergies that a later one takes back."""
    record = draft.read(kept)
    orders = [dict(order) for order in record.orders]
    for line in case.lines:
        _take_back(record.version, orders, line)
    return replace(kept, content=content_of(replace(record, orders=tuple(orders))))


def _take_back(version: Version, orders: list[dict[str, str]], line: Values) -> None:
    for index, order in enumerate(orders):
        told = Values(version, order, 0)
        withdrawn = line["allergy_action"] == "D" and any(line[name] and line[name] == told[name] for name in DRUG)
        kind = TAKES_BACK_ORDER.get(line["order_type"]) if version is Version.V10 else None
        if withdrawn or (kind and (told["order_type"], told["item"]) == (kind, line["item"])):
            del orders[index]
            return


__all__ = ["TAKES_BACK_ORDER", "fail", "take"]
