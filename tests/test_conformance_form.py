"""What is asked of each kind of device, and what the review of the answers finds before any test."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest

from bench.duts import WAYS
from bench.reach.office_program import BY_HAND
from bench.reach.program import CHANNEL
from conformance.case import Case, Kind, Nature, case, cases, cases_of
from conformance.catalogue import CatalogueError
from conformance.clause import Proof, clauses
from conformance.condition import Sort
from conformance.form import Finding, Paper, form, read
from conformance.kinds import suites
from virtual_devices.errors import UsageError

from .declared import answers

KINDS = [kind.value for kind in Kind]


def review(kind: str, paper: Paper = Paper.PICS, **otherwise: Any) -> list[Finding]:
    return form(Kind(kind), paper).review(answers(kind, paper, **otherwise))


# -- the questions

@pytest.mark.parametrize("kind", KINDS)
def test_question_is_asked_in_both_languages_and_says_why(kind: str) -> None:
    asked = form(Kind(kind))
    for id, question in asked.questions.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", id), id
        assert question.en and re.search(r"[\u4e00-\u9fff]", question.zh), id
        assert question.clauses or id in ("maker", "model", "version"), id
    assert all(re.search(r"[\u4e00-\u9fff]", rule.zh) and rule.clauses for rule in asked.rules)
    assert any(question.when.text for question in asked.questions.values()) or kind in ("sam", "hpc", "control-software")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("paper", Paper)
def test_answers_that_fit_are_found_in_order(kind: str, paper: Paper) -> None:
    assert review(kind, paper) == []


def test_clause_that_is_shown_by_declaration_is_asked_for() -> None:
    for clause in clauses().values():
        for kind, proof in clause.binds.items():
            if proof is Proof.DECLARATION:
                asked = [q for q in form(kind).questions.values() if clause.id in q.clauses]
                assert any(question.mandatory for question in asked), f"{clause.id}: a {kind.value} is not asked"


def test_optional_clause_binds_that_kind_of_device() -> None:
    for kind in Kind:
        for optional in form(kind).optional:
            bound = [id for id in optional.clauses if kind in clauses()[id].binds]
            assert bound, f"{kind.value}: {sorted(optional.clauses)[0]} ..."


def test_step_that_is_left_to_others_is_none_of_the_devices_own() -> None:
    asked = form(Kind.WALLET)
    library = {"body": "library", "media": ("program",), "left_to_others": ("session", "consent")}
    assert asked.own(("P-SES-01", "P-RSP-01", "P-CON-01"), library) == ("P-RSP-01",)
    assert asked.own(("P-SES-01",), {"body": "phone"}) == ("P-SES-01",)
    told = {case.id: asked.rules_out(case, "program", library) for case in cases() if case.kind is Kind.WALLET}
    assert "[\"session\"]" in told["wallet.session.replayed-message-ends-the-session"]
    assert told["wallet.session.first-message-opens-the-session"] == ""


def test_clauses_that_are_left_to_others_bind_that_kind_of_device() -> None:
    for kind in Kind:
        for left in form(kind).left:
            assert any(kind in clauses()[id].binds for id in left.clauses), f"{kind.value}: {left.step}"


def test_pixit_offers_the_channels_that_its_kind_of_device_is_tried_over() -> None:
    for kind, suite in suites().items():
        offered = set(form(kind, Paper.PIXIT).questions["channels"].known.choices)
        programs = {CHANNEL} if any(name.endswith("program") for name, _ in WAYS[kind]) else set()
        persons = {BY_HAND} if kind is Kind.CLINIC else set()
        assert offered == set(suite.channels) | programs | persons, kind


def test_pixit_asks_nobody_for_a_secret() -> None:
    for kind in Kind:
        for question in form(kind, Paper.PIXIT).questions.values():
            assert question.known.sort is not Sort.TEXT or question.id in {
                "moniker", "authority", "log", "card_reader", "sam_reader", "hpc_reader", "data_centre", "credentials",
                "certificate", "uploads", "lists", "challenge",  # places, and none of them opens anything by itself
            }


# -- the review

@pytest.mark.parametrize(("kind", "otherwise", "key", "says"), [
    ("wallet", {"maker": None}, "maker", "is missing: Who makes it"),
    ("wallet", {"pin": "yes"}, "pin", 'must be true or false, is "yes"'),
    ("wallet", {"records": True}, "records", "must be a whole number from 1 to 100000, is true"),
    ("wallet", {"media": ["nfc", "bel"]}, "media",
     'must be a list of "nfc", "ble", "contact", "qr", "program", is ["nfc", "bel"]'),
    ("wallet", {"media": ["nfc", "nfc"]}, "media", "must be a list of"),
    ("wallet", {"body": "fone"}, "body", 'must be one of "phone", "card", "library", is "fone"'),
    ("wallet", {"wrds": 3}, "wrds", "is no question of this form"),
    ("wallet", {"guardians": False, "wards": 3}, "wards", "contradicts guardians = false: it is asked only when guardians"),
    ("wallet", {"guardians": True, "wards": None}, "wards", "is missing"),
    ("wallet", {"write_back": False, "records": None}, "write_back", "is declared unsupported, and every wallet must"),
    ("wallet", {"key_in_hardware": False}, "key_in_hardware", "is declared unsupported"),
    ("wallet", {"media": ["qr"]}, "media", "must have nfc, ble, contact or program"),
    ("wallet", {"media": ["nfc", "contact"], "t0": False}, "media", "has contact, which a phone has not"),
    ("wallet", {"reader_auth_all": False}, "engagements", "must have 1.1 when, and only when"),
    ("wallet", {"pin": False, "try_counted_first": None, "biometric": False}, "pin", "must be true where there is no biometric"),
    ("wallet", {"records": 60}, "records", "must be 600 at least on a phone"),
    ("reader", {"media": []}, "media", "must name a medium"),
    ("reader", {"ble_modes": []}, "ble_modes", "must name a mode"),
    ("reader", {"second_card": False}, "second_card", "must be true when media has contact"),
    ("card", {"three_cards": False, "pin": True}, "pin", "contradicts three_cards = false"),
    ("card", {"transport": []}, "transport", "must name a protocol"),
    ("hpc", {"signs": False}, "signs", "must be true of a physician"),
    ("sam", {"keys_inside": False}, "keys_inside", "is declared unsupported, and every sam must"),
    ("control-software", {"virtual_cards": False}, "virtual_cards", "must be true with face 2.x"),
    ("clinic", {"formats": ["1.0"]}, "virtual_cards", "cannot be true with format 1.0 alone"),
    ("clinic", {"formats": [], "virtual_cards": False}, "formats", "must name a format"),
    ("pharmacy", {"virtual_cards": False}, "sources", "has wallet or code, which need"),
    ("pharmacy", {"recipient": []}, "recipient", "must name a way of signing"),
    ("data-centre", {"retention_years": 2}, "retention_years", "must be 3 at least"),
    ("data-centre", {"phones": False}, "authorizations", "cannot be true without phones"),
])
def test_review_finds_it(kind: str, otherwise: dict[str, Any], key: str, says: str) -> None:
    found = review(kind, **otherwise)
    assert [(finding.key, says in finding.message) for finding in found] == [(key, True)], found


def test_review_says_what_was_probably_meant() -> None:
    assert [finding.hint for finding in review("wallet", wrds=3)] == ["did you mean wards?"]
    assert [finding.hint for finding in review("wallet", media=["nfc", "bel"])] == ['did you mean "ble"?']
    assert "P-ATT-02" in review("wallet", key_in_hardware=False)[0].hint


def test_review_finds_everything_at_once() -> None:
    found = review("wallet", maker=None, pin=1, key_in_hardware=False, wrds=3)
    assert {finding.key for finding in found} == {"maker", "pin", "key_in_hardware", "wrds"}


# -- what it rules out

def a_case(*ids: str, when: str = "") -> Case:
    return Case("wallet.x", Kind.WALLET, ids, Nature.VALID, "says", "說", print, when)


@pytest.mark.parametrize(("made", "channel", "otherwise", "why"), [
    (a_case("P-SES-01"), "nfc", {}, ""),
    (a_case("P-SES-01"), "ble", {"media": ["nfc"]}, "declared: not over ble"),
    (a_case("P-SES-01"), "somewhere", {"media": ["nfc"]}, ""),
    (a_case("P-SES-01", when="guardians"), "nfc", {"guardians": False},
     "declared: guardians = false, and the case is for guardians"),
    (a_case("P-SES-01", when="wards >= 2"), "nfc", {"wards": 1}, "declared: wards = 1, and the case is for wards >= 2"),
    (a_case("P-SES-01", when="wards >= 2"), "nfc", {"guardians": False},
     "declared: wards = nothing, and the case is for wards >= 2"),
    (a_case("P-SES-01", when="wards >= 2"), "nfc", {"wards": 2}, ""),
    (a_case("P-SES-01", "P-AUT-08"), "nfc", {"guardians": False}, "declared: guardians = false, and P-AUT-08 is for guardians"),
    (a_case("P-RDR-02"), "nfc", {"reader_auth_all": False},
     "declared: reader_auth_all = false, and P-RDR-02 is for reader_auth_all"),
    (a_case("P-CHP-03"), "nfc", {}, 'declared: body = "phone", and P-CHP-03 is for body == "card"'),
])
def test_case_is_ruled_out_with_the_reason(made: Case, channel: str, otherwise: dict[str, Any], why: str) -> None:
    asked = form(Kind.WALLET)
    assert asked.rules_out(made, channel, asked.answers(answers("wallet", **otherwise))) == why


def test_device_that_declares_everything_is_spared_nothing_but_the_other_kind_of_wallet_and_handover() -> None:
    for made in cases():
        asked = form(made.kind)
        why = asked.rules_out(made, "", asked.answers(answers(made.kind.value)))
        assert not why or "body" in why or "handover" in why, f"{made.id}: {why}"


def test_condition_of_a_case_is_checked_when_it_is_loaded() -> None:
    @case("P-SES-01", nature=Nature.VALID, zh="說", when="guardian and wards > 1")
    def test_it(wallet: Any) -> None:
        """Says."""

    with pytest.raises(UsageError, match=r"test_wallet_x\.test_it: condition .*column 1: there is no question guardian; did you"):
        cases_of(test_it, "test_wallet_x")


# -- a slip in the questions

@pytest.mark.parametrize(("old", "new", "says"), [
    ('type = "yes-no"', 'type = "yesno"', "type is 'yesno'; it must be one of yes-no"),
    ('id = "select"', 'id = "transport"', "question transport: it is there twice"),
    ('when = "three_cards"', 'when = "four_cards"', "there is no question four_cards; did you mean three_cards?"),
    ('clauses = ["P-TCA-01"]', 'clauses = ["P-TCA-91"]', "there is no clause P-TCA-91"),
    ('type = "list"', 'type = "text"', "choices go with the types choice and list"),
    ('id = "select"', 'id = "select"\nhint = "x"', "question select: hint is unknown"),
    ('type = "list"', 'type = "list"\nmandatory = true', "mandatory goes with the type yes-no"),
    ('id = "select"', 'id = "select"\nusual = 3', "question select: usual must be true or false"),
    ('at = "transport"', 'at = "transports"', "told at transports, which is no question"),
    ("[[rule]]", "[[rules]]", "rules is unknown"),
    ('en = "Protocols by contact"\n', "", "question transport: en is missing"),
    ("must = '", "must = '(", "a ) is missing"),
])
def test_slip_in_the_questions_is_told(old: str, new: str, says: str) -> None:
    text = (files("conformance") / "questions" / "card.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(CatalogueError) as caught:
        read(Paper.PICS, Kind.CARD, {"card.toml": text.replace(old, new, 1)})
    assert says in str(caught.value)
