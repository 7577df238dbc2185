"""A record against what came before it: the first received counts, only what failed may be corrected."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.rows import Kept, Standing
from virtual_devices.uploads.rules import V10, V20, Case, Certainty, Place, Rulebook, Stage

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC
TAKING_BACK = frozenset("ABCDEHK")  # order types of 1.0 that delete an order
CORRECTS = {"3": ("1", "3"), "4": ("2", "4")}


def counted(case: Case) -> Kept | None:
    """The record with this key, if it counts."""
    kept = case.context.earlier.same(case.record)
    return kept if kept is not None and kept.standing is Standing.COUNTED else None


def only_withdraws(case: Case) -> bool:
    """Nothing but orders (1.0) and allergies taken back: such a record has the key of the one that told them."""
    letters = TAKING_BACK if case.version is V10 else ()
    return bool(case.lines) and all(line["allergy_action"] == "D" or line["order_type"] in letters for line in case.lines)


@CODES.add("C001", Stage.REGISTER, certainty=OFFICIAL)
def key_present(case: Case) -> Iterator[Place]:
    """A record with this key counts already: same institution, person, moment and kind; in 2.0 also the same visit identifier.
    (That the key is these fields: inferred.) Nor does the very record that was deleted come back by being repeated: a new one
    says something else (inferred)."""
    if not case.plain or only_withdraws(case) or case["format"] in CORRECTS:
        return
    gone = case.context.earlier.same(case.record)
    if gone is not None and gone.standing is Standing.DELETED and case.context.earlier.read(gone) == case.record:
        yield case.at("visited_at", "deleted")
        return
    kept = counted(case)
    if kept is not None:
        if not (kept.format == "A" and case["format"] == "B"):
            yield case.at("visited_at")
        return
    for other in case.context.earlier.by_identifier(case["identifier"]):
        if (other.institution, other.kind) == (case["institution"], case["record_kind"]):
            yield case.at("identifier")
            return


@CODES.add("C002", Stage.REGISTER, certainty=OFFICIAL)
def counted_stays(case: Case) -> Iterator[Place]:
    """A correction (1.0), or an abnormal record (2.0: inferred), of a visit whose normal record counts."""
    kept = counted(case)
    if kept is None:
        return
    if case["format"] in CORRECTS or (kept.format == "A" and case["format"] == "B" and not only_withdraws(case)):
        yield case.at("format")


@CODES.add(("Y009", "Y010"), Stage.REGISTER, V10, certainty=OFFICIAL)
def nothing_to_correct(case: Case) -> Iterator[Place]:
    """A correction of a normal (Y009) or abnormal (Y010) record that never came."""
    wanted = CORRECTS.get(case["format"])
    kept = case.context.earlier.same(case.record)
    if wanted and (kept is None or kept.format not in wanted):
        yield case.at("format", code="Y009" if case["format"] == "3" else "Y010")


@CODES.add("17", Stage.REGISTER, V20, certainty=PUBLIC)
def changed_elsewhere(case: Case) -> Iterator[Place]:
    """The visit was changed on the insurer's platform since: no record takes its place."""
    key = case["institution"], case["national_id"], case["visited_at"]
    if case.context.register.changed_elsewhere(*key):
        yield case.at("format")


@CODES.add("22", Stage.REGISTER, V20, certainty=PUBLIC)
def elsewhere_then(case: Case) -> Iterator[Place]:
    """At that very moment the person was at another institution, as a record that counts says."""
    if not case.plain:
        return
    for kept in case.context.earlier.of_person(case["national_id"], case["visited_at"]):
        if kept.visited_at == case["visited_at"] and kept.institution != case["institution"]:
            yield case.at("visited_at")
            return
