"""The clauses: as the pages say them, each bound, and shown or with a reason."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from types import ModuleType

import pytest
from click.testing import CliRunner

from bench.cli import main
from conformance.case import Case, Kind, cases
from conformance.catalogue import CatalogueError, Duty, requirements
from conformance.clause import REASONS, TEXTS, Elsewhere, Proof, Reason, clauses, elsewhere, find, read
from conformance.coverage import coverage
from scenarios.files import situations

from . import profile_pages
from .places import ROOT

SITUATIONS = {name: frozenset(getattr(module, "SHOWS", ())) for name, module in situations().items()}


@cache
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_clauses", ROOT / "docs/reference/make_clauses.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@cache
def kept() -> dict[str, str]:
    place = files("conformance") / "clauses"
    return {f.name: f.read_text(encoding="utf-8") for f in place.iterdir() if f.name.endswith(".toml")}


# -- what is made from the pages

def test_texts_are_the_pages() -> None:
    assert kept()[TEXTS] == maker().texts()  # .venv/bin/python docs/reference/make_clauses.py
    assert list(clauses()) == list(profile_pages.clauses())


def test_mark_and_source_are_the_pages() -> None:
    assert (find("P-SEC-03").mark, find("P-SEC-03").source) == ("standard", "ISO/IEC 18013-5 E.6")
    assert (find("P-SES-05").mark, find("P-SES-05").source) == ("profile", "")


def test_first_sentence_is_one_line_and_whole() -> None:
    assert find("P-SES-04").first == "The reader's first message is SessionEstablishment, every other one SessionData."
    assert find("P-ENG-04").first == "A QR code of an engagement is `mdoc:` and its base64url without padding."
    assert [c.id for c in clauses().values() if not c.first or "\n" in c.first] == []


# -- whom they bind, and what shows them

def test_requirement_has_a_clause_that_binds_a_device_or_a_reason() -> None:
    refined = {id for clause in clauses().values() if clause.binds for id in clause.refines}
    assert refined.isdisjoint(elsewhere())
    assert {requirement.id for requirement in requirements()} == refined | elsewhere().keys()


def test_reason_of_a_requirement_holds() -> None:
    shown = {id for ids in SITUATIONS.values() for id in ids}
    for id, reason in elsewhere().items():
        assert reason is not Elsewhere.WORKFLOW or id in shown, id
    assert {clause.reason for clause in clauses().values()} == {None, *Reason}
    assert set(elsewhere().values()) == set(Elsewhere)


def test_every_kind_of_device_and_every_level_has_clauses() -> None:
    assert {kind for clause in clauses().values() for kind in clause.binds} == set(Kind)
    assert {clause.level for clause in clauses().values()} == set(Duty)


def test_clause_that_a_case_is_to_show_has_one() -> None:
    tried = {(case.kind, id) for case in cases() for id in case.clauses}
    for clause in clauses().values():
        for kind, proof in clause.binds.items():
            if proof is Proof.TEST:
                assert (kind, clause.id) in tried, f"no case shows {clause.id} for a {kind.value}"


# -- a slip is told

def slip(name: str, change: Callable[[str], str]) -> dict[str, str]:
    changed = change(kept()[name])
    assert changed != kept()[name]
    return {**kept(), name: changed}


BOTH = 'test = ["wallet", "reader"]'


@pytest.mark.parametrize(("name", "old", "new", "says"), [
    ("presentation.toml", '[P-SES-05]\nlevel = "must"', '[P-SES-05]\nlevel = "shall"',
     "P-SES-05: level is 'shall'; it must be one of must, should, may"),
    ("presentation.toml", '[P-SES-05]\nlevel = "must"\n', "[P-SES-05]\n", "P-SES-05: level is None"),
    ("presentation.toml", '[P-SES-05]\n', '[P-SES-05]\nproof = "test"\n', "P-SES-05: proof; a row has"),
    ("presentation.toml", BOTH, 'test = ["wallet", "raeder"]', "test is 'raeder'; it must be one of wallet"),
    ("presentation.toml", BOTH, 'test = ["wallet"]\ninspection = ["wallet"]', "wallet is there twice"),
    ("presentation.toml", BOTH, 'test = ["wallet", "wallet"]', "each there once"),
    ("presentation.toml", BOTH, 'inspection = ["wallet"]', "has a reason when, and only when"),
    ("presentation.toml", BOTH, 'test = ["wallet"]\nreason = "covered"', "has a reason when, and only when"),
    ("presentation.toml", 'refines = ["CRY-01"]', 'refines = ["CRY-09"]', "names CRY-09, which there is not"),
    ("presentation.toml", "[P-SES-05]", "[P-SES-55]", "P-SES-05, P-SES-55: a clause has a text"),
    ("qr.toml", "[P-QRT-01]", "[P-SES-05]", "P-SES-05 is in presentation.toml too"),
    ("media.toml", 'covered_by = ["P-SES-01"]', "", "covered_by goes with the reason covered"),
    ("media.toml", 'covered_by = ["P-SES-01"]', 'covered_by = ["P-SES-91"]', "names P-SES-91, which there is not"),
    ("qr.toml", "[P-QRT-01]", "[P-QRT-01", "qr.toml: "),
])
def test_slip_in_a_file_is_refused_and_says_where(name: str, old: str, new: str, says: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        read(slip(name, lambda text: text.replace(old, new, 1)))
    assert says in str(caught.value)


def test_find_says_what_looks_like_it() -> None:
    with pytest.raises(CatalogueError, match=r"no clause 'P-SES-5'; there is .*P-SES-05"):
        find("P-SES-5")


def test_files_of_the_package_are_known() -> None:
    without = {"constants.md", "examples.md", "protocol-profile.md"}
    pages = {f"{page.stem}.toml" for page in profile_pages.PAGES if page.name not in without}
    assert set(kept()) == pages | {"protocol.toml", TEXTS, REASONS}


# -- coverage

def test_coverage_names_cases_situations_and_reasons() -> None:
    by = {one.requirement.id: one for one in coverage(requirements(), cases(), SITUATIONS)}
    assert len(by) == len(requirements())
    assert any(case.startswith("wallet.session.replayed-message") for case in by["TCA-04"].cases)
    assert by["CON-01"].reason is Elsewhere.WORKFLOW and "clinic_morning" in by["CON-01"].situations
    assert [one.requirement.id for one in by.values() if one.missing] == []


def test_case_that_is_taken_away_is_missed() -> None:
    def left(case: Case) -> bool:
        return "P-SES-05" not in case.clauses

    wanted = [requirement for requirement in requirements() if requirement.id == "TCA-04"]
    (one,) = coverage(wanted, [case for case in cases() if left(case)], SITUATIONS)
    (shown,) = (shown for shown in one.clauses if shown.clause.id == "P-SES-05")
    assert shown.missing == (Kind.WALLET,)


def test_command_shows_coverage_and_says_loudly_what_is_not_there_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    table = CliRunner().invoke(main, ["requirements", "--coverage"]).output
    assert "NOT YET:" not in table
    (poor,) = (line for line in table.splitlines() if line.startswith("NFC-02"))
    assert "No case: it is of a radio" in poor
    monkeypatch.setattr("conformance.case.cases", lambda: [case for case in cases() if "P-SES-05" not in case.clauses])
    assert "NOT YET: 1 times" in CliRunner().invoke(main, ["requirements", "--coverage"]).output
    one = CliRunner().invoke(main, ["requirements", "--coverage", "TCA-04"]).output
    assert "P-SES-05 (must, profile)" in one and "NOT YET: no case" in one
    plain = json.loads(CliRunner().invoke(main, ["requirements", "--coverage", "--json", "EQP-01"]).output)
    assert plain[0]["reason"]["id"] == "reckoned"
