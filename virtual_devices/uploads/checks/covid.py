"""Oral antivirals, and test results (record kind 5), of format 2.0. Their lists are the register's; conditions that depend on the
kind of place read inpatient types as hospital, AE and AF as dispensing, and the rest as clinic (inferred)."""

from __future__ import annotations

from collections.abc import Iterator

from virtual_devices.uploads.lists import DEADLINES
from virtual_devices.uploads.rules import DISPENSING, INPATIENT, V20, Case, Certainty, Place, Rulebook, Stage, Values
from virtual_devices.uploads.values import days_between

CODES = Rulebook()
PUBLIC = Certainty.PUBLIC
BARRED_WHEN_DISPENSED, BARRED_AT_CLINIC, ALLOWED_IN_HOSPITAL = ("TM01", "J000"), ("TM01",), ("J000", "IC09")
USAGES = ("BID", "Q12H", "ASORDER")
TESTED = ("CV19", "FORE")


def _antivirals(case: Case) -> list[Values]:
    return [line for line in case.orders if case.listed("antiviral", line["item"])]


@CODES.add(("AD49", "AD50", "AD65"), Stage.CROSS, V20)
def antiviral_sequence(case: Case) -> Iterator[Place]:
    """An abnormal record with an antiviral: dispensed under TM01 or J000 (AD49); in hospital under another than J000 or IC09
    (AD50); at a clinic under TM01 (AD65). (AD49 and AD65 speak of several codes; those of which the sources tell.)"""
    if not case.abnormal or not _antivirals(case):
        return
    if case.visit_type in DISPENSING:
        if case["sequence"] in BARRED_WHEN_DISPENSED:
            yield case.at("sequence", code="AD49")
    elif case.visit_type in INPATIENT:
        if case["sequence"] not in ALLOWED_IN_HOSPITAL:
            yield case.at("sequence", code="AD50")
    elif case["sequence"] in BARRED_AT_CLINIC:
        yield case.at("sequence", code="AD65")


@CODES.add(("AD51", "AD52", "AD53", "AD54", "AD55", "AD62"), Stage.CROSS, V20)
def antiviral_orders(case: Case) -> Iterator[Place]:
    """Order type of an antiviral: neither 1 nor M (AD62); dispensed, other than 1 (AD51); in hospital, other than 1 (AD52).
    Type and mode: at a clinic neither 1 with 0 nor M with 1 (AD53); dispensed, not 1 with A (AD54); one of those for the
    prescriber's institution only, not 1 with 0 (AD55)."""
    for line in _antivirals(case):
        kind, pair = line["order_type"], (line["order_type"], line["order_mode"])
        if kind not in ("1", "M"):
            yield line.at("order_type", code="AD62")
        if case.visit_type in DISPENSING:
            if kind != "1":
                yield line.at("order_type", code="AD51")
            if pair != ("1", "A"):
                yield line.at("order_mode", code="AD54")
        elif case.visit_type in INPATIENT:
            if kind != "1":
                yield line.at("order_type", code="AD52")
        elif pair not in (("1", "0"), ("M", "1")):
            yield line.at("order_mode", code="AD53")
        if case.listed("antiviral_here_only", line["item"]) and pair != ("1", "0"):
            yield line.at("order_mode", code="AD55")


@CODES.add(("AD56", "AD57", "AD58", "AD61", "AD63"), Stage.CROSS, V20, certainty=PUBLIC)
def antiviral_use(case: Case) -> Iterator[Place]:
    """Usage other than BID, Q12H, ASORDER (AD56); other than 5 days outside hospital (AD57), than 1 to 5 in it (AD58); a visit
    type at which none is given (AD61); dispensed for another, and not the one that may be (AD63)."""
    for line in _antivirals(case):
        days = line.number("days")
        if line["usage"] not in USAGES:
            yield line.at("usage", code="AD56")
        if case.visit_type not in INPATIENT and days != 5:
            yield line.at("days", code="AD57")
        if case.visit_type in INPATIENT and (days is None or not 1 <= days <= 5):
            yield line.at("days", code="AD58")
        if not case.listed("antiviral_visit_type", case.visit_type):
            yield case.at("visit_type", code="AD61")
        if case.visit_type in DISPENSING and not case.listed("antiviral_first", line["item"]):
            yield line.at("item", code="AD63")


@CODES.add(("D057", "D061"), Stage.CROSS, V20, certainty=PUBLIC)
def result_kind(case: Case) -> Iterator[Place]:
    """A test result's code in a record of another kind than 5 (D057); another code in a record of kind 5 (D061)."""
    for line in case.orders:
        result = case.listed("test_result", line["item"])
        if result and case["record_kind"] != "5":
            yield line.at("item", code="D057")
        if not result and case["record_kind"] == "5":
            yield line.at("item", code="D061")


@CODES.add(("AD31", "AD36", "E011", "E012"), Stage.CROSS, V20)
def result_record(case: Case) -> Iterator[Place]:
    """A test result's record (kind 5): order type other than G (AD31); a second result (AD36); abnormal, with another sequence
    than CV19 or FORE (E011); visit type other than CA (E012)."""
    if case["record_kind"] != "5":
        return
    for line in case.orders:
        if line["order_type"] not in ("", "G"):
            yield line.at("order_type", code="AD31")
    for line in case.orders[1:]:
        yield line.at("item", code="AD36")
    if case.abnormal and case["sequence"] not in TESTED:
        yield case.at("sequence", code="E011")
    if case.visit_type != "CA":
        yield case.at("visit_type", code="E012")


@CODES.add(("AD34", "AD47"), Stage.CROSS, V20, certainty=PUBLIC)
def result_remarks(case: Case) -> Iterator[Place]:
    """A test result later than 23:59 of the next day (AD34), or without the institution that tested (AD47)."""
    if case["record_kind"] != "5":
        return
    visited = case.moment("visited_at")
    if visited and days_between(visited, case.now) > DEADLINES["report_next_day"].value:
        yield case.at("visited_at", code="AD34")
    for line in case.orders:
        if not line["partner_institution"]:
            yield line.at("partner_institution", code="AD47")


@CODES.add(("AD35", "AD37"), Stage.CROSS, V20)
def test_sequence(case: Case) -> Iterator[Place]:
    """An abnormal visit with a listed test under another sequence than CV19 or FORE (AD35); under one of these, an order beside
    it that is no listed test (AD37)."""
    if not case.any_listed("covid_test"):
        return
    if case.abnormal and case["sequence"] not in TESTED:
        yield case.at("sequence", code="AD35")
    if case["sequence"] in TESTED:
        for line in case.orders:
            if not case.listed("covid_test", line["item"]):
                yield line.at("item", code="AD37")


@CODES.add("AD30", Stage.REGISTER, V20)
def result_told(case: Case) -> Iterator[Place]:
    """A test result of that person, item, day and hour is there already. (That a slot is an hour: inferred.)"""
    hour = case.moment("visited_at")[:9]
    if case["record_kind"] != "5" or not hour:
        return
    for kept in case.context.earlier.of_person(case["national_id"], hour):
        if kept.kind != "5" or kept.visited_at[:9] != hour:
            continue
        told = {line["item"] for line in Case(case.context.earlier.read(kept), case.context).orders}
        for line in case.orders:
            if line["item"] in told:
                yield line.at("item")
