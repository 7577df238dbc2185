"""Moments against one another: birth, visit, order, vaccination, upload."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.clock import TAIWAN, to_datetime
from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rules import V10, V20, Case, Certainty, Place, Rulebook, Stage
from virtual_devices.uploads.values import days_between

CODES = Rulebook()
OFFICIAL, PUBLIC = Certainty.OFFICIAL, Certainty.PUBLIC


def _after(later: str, earlier: str) -> bool:
    """Later than the other, as exactly as both say it; false when one is missing."""
    shorter = min(len(later), len(earlier))
    return bool(shorter) and later[:shorter] > earlier[:shorter]


@CODES.add("BD", Stage.CROSS, certainty=OFFICIAL)
def after_upload(case: Case) -> Iterator[Place]:
    """The visit, an order, a preventive or prenatal examination or a vaccination is later than the upload."""
    for name in ("visited_at", "service_date", "prenatal_date", "vaccinated_on"):
        if _after(case.moment(name), case.now):
            yield case.at(name)
    for line in case.lines:
        if _after(line.moment("order_visited_at"), case.now):
            yield line.at("order_visited_at")


@CODES.add("BD01", Stage.CROSS, V20)
def actual_after_upload(case: Case) -> Iterator[Place]:
    """The actual visit is not earlier than the upload."""
    if case.moment("actual_at") >= case.now:
        yield case.at("actual_at")


@CODES.add("BE", Stage.CROSS, certainty=OFFICIAL)
def after_visit(case: Case) -> Iterator[Place]:
    """Birth, or a newborn's birth, is later than the visit; the moment of an order is another than the visit's."""
    visited = case.moment("visited_at")
    for name in ("birth_date", "newborn_birth_date"):
        if _after(case.moment(name), visited):
            yield case.at(name)
    for line in case.lines:
        told = line.moment("order_visited_at")
        if told and visited and told != visited:
            yield line.at("order_visited_at")


@CODES.add("BF", Stage.CROSS, certainty=OFFICIAL)
def birth_after_vaccination(case: Case) -> Iterator[Place]:
    """Birth is later than the vaccination (in 2.0 its date is the visit's)."""
    if case["record_kind"] == "2":
        done = case.moment("vaccinated_on" if case.version is V10 else "visited_at")
        if _after(case.moment("birth_date"), done):
            yield case.at("birth_date")


@CODES.add("BG", Stage.CROSS, certainty=OFFICIAL)
def before_birth(case: Case) -> Iterator[Place]:
    """A vaccination, a preventive or prenatal examination, or the actual visit is earlier than birth; a newborn's birth earlier
    than the holder's."""
    birth = case.moment("birth_date")
    for name in ("vaccinated_on", "service_date", "prenatal_date", "actual_at", "newborn_birth_date"):
        if _after(birth, case.moment(name)):
            yield case.at(name)


@CODES.add("BH", Stage.CROSS, certainty=PUBLIC)
def too_old(case: Case) -> Iterator[Place]:
    """The visit lies more than three months before the upload. (Stated for 2.0; that 1.0 has the same period is inferred.)"""
    visited = case.moment("visited_at")
    if visited and visited[:7] < _months_before(case, int(DEADLINES["process_window"].value)):
        yield case.at("visited_at")


def _months_before(case: Case, months: int) -> str:
    now = to_datetime(case.context.uploaded_ns).astimezone(TAIWAN)
    count = now.year * 12 + now.month - 1 - months
    return f"{count // 12 - 1911:03d}{count % 12 + 1:02d}{now.day:02d}"


@CODES.add("D060", Stage.CROSS, V20, certainty=PUBLIC)
def actual_before_visit(case: Case) -> Iterator[Place]:
    """The actual visit is not earlier than the moment at which the card was presented for it."""
    actual, visited = case.moment("actual_at"), case.moment("visited_at")
    if actual and visited and actual >= visited:
        yield case.at("actual_at")


@CODES.add("D007", Stage.CROSS, V20, certainty=PUBLIC)
def original_earlier(case: Case) -> Iterator[Place]:
    """The original visit is not earlier than this one (or than the actual one); with type AI it is of another day."""
    original = case.moment("original_at")
    visited = case.moment("actual_at") or case.moment("visited_at")
    if original and visited and (original >= visited or (case.visit_type == "AI" and original[:7] != visited[:7])):
        yield case.at("original_at")


@CODES.add("BI", Stage.CROSS, V10, certainty=OFFICIAL)
def newborn_too_old(case: Case) -> Iterator[Place]:
    """A newborn on a parent's card more than 60 days after birth."""
    age = newborn_days(case)
    if age is not None and age > DEADLINES["newborn_window"].value:
        yield case.at("newborn_birth_date")


@CODES.add("D055", Stage.CROSS, V20, certainty=PUBLIC)
def newborn_later(case: Case) -> Iterator[Place]:
    """Re-card mark 3 when the newborn is not 61 to 92 days old."""
    age = newborn_days(case)
    if case["recard_mark"] == "3" and (age is None or not 61 <= age <= 92):
        yield case.at("recard_mark")


def newborn_days(case: Case) -> int | None:
    """A newborn's age at the visit in days; None when that is not told."""
    born, visited = case.moment("newborn_birth_date"), case.moment("visited_at")
    return days_between(born, visited) if born and visited else None


@CODES.add(("BB", "BC"), Stage.CROSS, certainty=OFFICIAL)
def newborn_told(case: Case) -> Iterator[Place]:
    """A newborn's visit without the count of newborns (BB), or without the birth date (BC)."""
    if case["newborn_mark"]:
        if not case["newborn_count"]:
            yield case.at("newborn_count", code="BB")
        if not case["newborn_birth_date"]:
            yield case.at("newborn_birth_date", code="BC")


def _beyond_count(case: Case) -> bool:
    mark, count = case["newborn_mark"].lower(), case.number("newborn_count")
    return len(mark) == 1 and "a" <= mark <= "z" and count is not None and ord(mark) - ord("a") >= count


@CODES.add("BA", Stage.CROSS, V10, certainty=OFFICIAL)
def newborn_beyond_count(case: Case) -> Iterator[Place]:
    """The newborn's letter, a counting as 0, is not below the count: with one newborn only a passes. (That a is 0: inferred.)"""
    if _beyond_count(case):
        yield case.at("newborn_mark")


@CODES.add("BB02", Stage.CROSS, V20, certainty=PUBLIC)
def newborn_above_count(case: Case) -> Iterator[Place]:
    """The newborn's letter, a counting as 1, is above the count."""
    if _beyond_count(case):
        yield case.at("newborn_mark")
