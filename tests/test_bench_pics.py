"""Declarations as files: the template, the review with its places, and a suite that goes by them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.declaration import load, schema, template
from bench.duts import duts
from conformance.case import Kind, cases
from conformance.form import Paper, form
from scenarios.listing import ScenarioFaults
from virtual_devices.errors import UsageError

from .declared import answers, written
from .places import ROOT


def call(*words: str) -> Any:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize("kind", [kind.value for kind in Kind])
@pytest.mark.parametrize("paper", Paper)
def test_template_asks_every_question_and_can_be_filled_in(kind: str, paper: Paper, tmp_path: Path) -> None:
    asked = form(Kind(kind), paper)
    text = template(asked)
    assert tomllib.loads(text) == {"form": paper.value, "kind": kind, "answers": {}}
    filled = re.sub(r"^# (?=[a-z][a-z0-9_]* = )", "", text, flags=re.MULTILINE)
    assert tomllib.loads(filled)["answers"].keys() == asked.questions.keys()
    for question in asked.questions.values():
        assert f"# {question.zh}\n" in text
    path = tmp_path / "empty.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    lines = text.split("\n")
    for fault in caught.value.faults:
        assert fault.message.startswith("is missing: ")
        assert lines[fault.line - 1].startswith(f"# {fault.where} = ")  # told where the answer would stand


def test_new_writes_the_template_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    assert call("pics", "new", "--kind", "wallet", "--out", str(path)).exit_code == 0
    assert path.read_text(encoding="utf-8") == call("pics", "new", "--kind", "wallet").output == template(form(Kind.WALLET))
    assert call("pics", "new", "--kind", "card", "--out", str(path)).exit_code == 2
    assert 'kind = "wallet"' in path.read_text(encoding="utf-8")
    assert 'form = "pixit"' in call("pics", "new", "--kind", "wallet", "--pixit").output


@pytest.mark.parametrize("kind", [kind.value for kind in Kind])
@pytest.mark.parametrize("paper", Paper)
def test_schema_takes_what_the_review_takes(kind: str, paper: Paper) -> None:
    made = schema(form(Kind(kind), paper))
    whole = {"form": paper.value, "kind": kind, "answers": answers(kind, paper)}
    assert jsonschema_rs.is_valid(made, whole)
    assert not jsonschema_rs.is_valid(made, {**whole, "kind": "cart"})
    assert not jsonschema_rs.is_valid(made, {**whole, "more": 1})
    for key, value in (("wrds", 3), (next(iter(whole["answers"])), {})):
        assert not jsonschema_rs.is_valid(made, {**whole, "answers": {**whole["answers"], key: value}})


def test_schema_wants_what_every_such_device_must() -> None:
    printed = json.loads(call("pics", "new", "--kind", "wallet", "--schema").output)
    assert printed == schema(form(Kind.WALLET))
    for otherwise in ({"key_in_hardware": False}, {"maker": None}, {"records": 0}, {"media": ["nfc", "nfc"]}, {"model": " "}):
        assert not jsonschema_rs.is_valid(printed, {"form": "pics", "kind": "wallet", "answers": answers("wallet", **otherwise)})


def test_check_says_that_nothing_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, "wallet")
    assert "nothing wrong: PICS of a wallet" in call("pics", "check", str(path)).output
    plain = json.loads(call("pics", "check", "--json", str(path)).output)
    assert (plain["form"], plain["kind"], plain["answers"]["media"]) == ("pics", "wallet", ["nfc", "ble", "qr"])


FILE = """\
form = "pics"
kind = "card"

[answers]
maker = "ACME"
model = "C1"
version = "1"
transport = ["T=1"]
select = true
three_cards = false
"""


@pytest.mark.parametrize(("old", "new", "line", "column", "says"), [
    ('["T=1"]', '["T=2"]', 8, 13, 'transport: must be a list of "T=0", "T=1", is ["T=2"]; did you mean "T='),
    ("select = true", "selct = true", 9, 1, "selct: is no question of this form; did you mean select?"),
    ("three_cards = false", "three_cards = false\npin = true", 11, 1, "pin: contradicts three_cards = false"),
    ('kind = "card"', 'kind = "cart"', 2, 8, 'kind: must be "wallet" or "reader" or "card"'),
    ('kind = "card"', "", 1, 1, "kind: is missing"),
    ('form = "pics"', 'form = "picks"', 1, 8, 'form: must be "pics" or "pixit", is "picks"; did you mean "pics"?'),
    ("[answers]", "[answer]", 4, 2, "answer: is unknown here; did you mean answers?"),
    ("[answers]", "[[answers]]", 4, 3, "answers: must be a table"),
    ('maker = "ACME"', "maker = ACME", 5, 9, 'cannot be read as TOML: invalid value; a text needs quotes: "ACME"'),
    ('maker = "ACME"', 'maker = "ACME"\nmaker = "B"', 6, 1, "this key is there already, in line 5"),
])
def test_fault_is_told_with_its_place_and_remedy(old: str, new: str, line: int, column: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(FILE, encoding="utf-8")
    assert load(path).kind is Kind.CARD
    path.write_text(FILE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScenarioFaults) as caught:
        load(path)
    told = [str(fault) for fault in caught.value.faults]
    assert any(one.startswith(f"{path}:{line}:{column}: ") and says in one for one in told), told


def test_example_of_the_page_is_in_order(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "pics.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    assert load(path).answers["transport"] == ("T=1",)


@pytest.mark.parametrize(("content", "says"), [
    (b"", 'is empty; begin with: form = "pics"'), (b"\xff", "is not UTF-8"), (None, "there is no such file"),
])
def test_file_that_cannot_be_read_is_told(content: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    ended = call("pics", "check", str(path))
    assert ended.exit_code == 4
    assert says in ended.output


# -- a suite that goes by them

def test_device_is_held_to_what_is_declared(tmp_path: Path) -> None:
    declared = [str(written(tmp_path, "wallet", media=["nfc"]))]
    over_nfc, over_ble = duts(["wallet=virtual"], ["nfc", "ble"], pics=declared)[Kind.WALLET]
    mine = [case for case in cases() if case.kind is Kind.WALLET and not case.channels]
    assert {over_ble.rules_out(case) for case in mine} == {"declared: not over ble"}
    assert "" in {over_nfc.rules_out(case) for case in mine}


def test_optional_clauses_that_are_not_declared_are_not_tried(tmp_path: Path) -> None:
    path = written(tmp_path, "wallet", reader_auth_all=False, engagements=["1.0"])
    (dut,) = duts([], ["nfc"], pics=[str(path)])[Kind.WALLET]
    ruled_out = {clause for case in cases() if case.kind is Kind.WALLET and dut.rules_out(case) for clause in case.clauses}
    assert ruled_out & {"P-RDR-02", "P-RDR-05", "P-RDR-06"}
    assert "P-SES-04" not in ruled_out


def test_pixit_names_the_device_and_its_channels(tmp_path: Path) -> None:
    path = written(tmp_path, "wallet", Paper.PIXIT, moniker="virtual", channels=["ble"])
    assert [dut.channel for dut in duts([], pixit=[str(path)])[Kind.WALLET]] == ["ble"]
    assert [dut.channel for dut in duts([], ["nfc"], pixit=[str(path)])[Kind.WALLET]] == ["nfc"]


def test_pixit_of_a_reader_written_before_its_newer_questions_has_what_is_usual(tmp_path: Path) -> None:
    path = written(tmp_path, "reader", Paper.PIXIT, moniker="nfc:udp:127.0.0.1:1", channels=[], gap_ms=None, takes_lists=None)
    assert "gap_ms" not in path.read_text(encoding="utf-8") and "nothing wrong" in call("pics", "check", str(path)).output
    (dut,) = duts([], pixit=[str(path)])[Kind.READER]
    assert dut.means.gap_s == 2.0 and dut.means.answers["takes_lists"] is False
    path.write_text(path.read_text(encoding="utf-8") + 'lists = "there"\n', encoding="utf-8")
    assert "lists: contradicts takes_lists = false" in call("pics", "check", str(path)).output


def test_declaration_of_another_kind_or_form_is_refused(tmp_path: Path) -> None:
    card, wallet = written(tmp_path, "card"), written(tmp_path, "wallet")
    pixit = written(tmp_path, "wallet", Paper.PIXIT)
    with pytest.raises(UsageError, match="it is of a card, and none is tried"):
        duts(["wallet=virtual"], pics=[str(card)])
    with pytest.raises(UsageError, match="are both of a wallet"):
        duts([], pics=[str(wallet), str(wallet)])
    with pytest.raises(ScenarioFaults, match='form: must be "pics", is "pixit"'):
        duts([], pics=[str(pixit)])


def test_conform_goes_by_the_declaration_and_says_why_a_case_did_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, "wallet", media=["nfc"])
    only = ("--only", "wallet.session.ephemeral-key-is-fresh")
    ended = call("conform", "--pics", str(path), *only, "--json", "-n", "1")
    told = {(row["channel"], row["verdict"]): row["why"] for row in json.loads(ended.stdout)["verdicts"]}
    assert told == {("nfc", "pass"): "", ("ble", "not-applicable"): "declared: not over ble"}
    path.write_text(path.read_text(encoding="utf-8").replace("pin =", "pim ="), encoding="utf-8")
    assert call("conform", "--pics", str(path), *only).exit_code == 4


def test_reader_of_one_bluetooth_mode_is_tried_in_it_and_fails_for_the_other(tmp_path: Path) -> None:
    path = written(tmp_path, "reader", ble_modes=["peripheral"])
    ended = call("conform", "--pics", str(path), "--channel", "ble", "--only", "reader.ble", "--json", "-n", "1")
    told = {row["case"]: (row["verdict"], row["why"]) for row in json.loads(ended.stdout)["verdicts"]}
    central = {id: found for id, found in told.items() if "[central" in id}
    why = "it has this mode, for the phone chooses: expected mdoc central client mode, received not declared"
    assert central.pop("reader.ble.connection-is-made-ready[central]") == ("fail", why)
    assert set(central.values()) == {("not-applicable", "declared: ble_modes without central, and the case is of it")}
    assert {told[id][0] for id in told.keys() - central.keys() if "central" not in id} == {"pass"}
