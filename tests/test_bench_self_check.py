"""The self-check: what it tells of what it found, where it looks first, and its tables of faults and idle cases."""

from __future__ import annotations

import ast
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bench.conform_words import words_of
from bench.faulty import Faulty
from bench.self_check import Checked, Kill, Trial, all_mutants
from bench.self_check_report import memory, summary, tell, write_matrix
from conformance.case import Kind, cases
from conformance.kinds import suites
from conformance.mutants import idle
from conformance.mutants.by_hand import by_hand, read, tables
from conformance.mutants.operators import Family, mutants_of
from conformance.mutants.places import Place
from conformance.mutants.remembered import Memory, key
from conformance.references.wallet import Contents
from conformance.tester import Decided
from conformance.vectors.world import World
from conformance.verdict import Verdict
from virtual_devices.errors import UsageError
from virtual_devices.link import Attempt, Provenance

PARTS = 3
ROW = """family = "leak"
[[mutant]]
name = "a-name"
kinds = ["wallet"]
function = "virtual_devices.mdoc.session:Cipher.seal"
old = "self._sent += 1"
new = "pass"
says = "what it does"
"""


def test_table_has_every_family_that_no_scan_makes() -> None:
    scanned = {Family.LEFT_OUT, Family.HALF_LEFT_OUT, Family.FALLS_OVER}
    assert set(tables()) >= set(Family) - scanned
    assert len({(family, entry.name) for family, entries in tables().items() for entry in entries}) >= 150


@pytest.mark.parametrize(("old", "new", "says"), [
    ('family = "leak"', 'family = "lake"', "lake"), ("[[mutant]]", "[[mutants]]", "nothing else"),
    ('says = "what it does"', "", "missing or unknown: says"), ('"wallet"', '"purse"', "purse"),
    ('["wallet"]', "[]", "one or more"),
    ('name = "a-name"', "name = 7", "everything else a text"), ("[[mutant]]", "[[mutant]", "table.toml"),
])
def test_slip_in_a_table_is_told(old: str, new: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read(ROW.replace(old, new, 1), "table.toml")


def test_name_that_stands_twice_is_told() -> None:
    with pytest.raises(UsageError, match="a-name: more than one"):
        read(ROW + ROW.partition("\n")[2], "table.toml")


@pytest.mark.parametrize(("old", "new", "says"), [
    ("Cipher.seal", "Cipher.steal", "no function"), ("self._sent += 1", "self._sent += 2", "0 times"),
    ('new = "pass"', 'new = "self._sent += 1"', "not once"),
])
def test_entry_that_fits_no_longer_is_told(old: str, new: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.mutants.by_hand.tables", lambda: dict([read(ROW.replace(old, new, 1), "table.toml")]))
    with pytest.raises(UsageError, match=says):
        by_hand(Kind.WALLET)


def test_check_that_says_yes_or_no_is_a_refusal() -> None:
    function = ast.parse("def f(a: int, b: int) -> bool:\n    return a > 0 and b > 0").body[0]
    place = Place("conformance.case", "f", 2, "", (function, function.body[0]))  # type: ignore[attr-defined]
    assert [m.what for m in mutants_of(place)] == [
        "always: a > 0 and b > 0", "without: a > 0", "without: b > 0", "a > 0 -> a >= 0", "b > 0 -> b >= 0",
    ]


FOUND = (
    (Kind.CARD, "authentication:Authenticator.forget proof-survives-power", "authentication.right-proof-opens"),
    (Kind.SAM, "sam.sam:Sam._names_the_card sam-signs-for-any-card",
     "signing.visit-is-stated-of-the-card-that-proved-itself"),
    (Kind.HPC, "hpc.hpc:Hpc._perform_security_operation hpc-signs-without-pin", "card.nothing-is-signed-after-a-wrong-pin"),
    (Kind.WALLET, "mdoc.session:Cipher.seal nonce-fixed", "consent.consent-without-a-proof-is-none"),
    (Kind.READER, "mdoc.response:_not_authorised device-signs-anything", "vectors.response-is-judged[not-authorised]"),
    (Kind.DATA_CENTRE, "cloud.core:DataCentre.begin_visit visit-begun-twice", "messages.request-id-of-another-visit-is-refused"),
    (Kind.CONTROL_SOFTWARE, "reader.cshis.software:perform left-out", "calls.call-before-the-port-is-open-is-refused"),
    (Kind.CLINIC, "institution.uploads:_send left-out raise Ended", "uploads.upload-is-done-by-a-report-only[refuses-9060]"),
    (Kind.PHARMACY, "reader.dispensing:dispense left-out",
     "dispensing.dispensing-without-an-answer-is-told-later-once[down-forbidden]"),
)
"""One fault of each kind's device, by the beginning of its key, and a case that finds it."""


def test_every_kind_has_its_fault_that_is_found() -> None:
    assert {kind for kind, _, _ in FOUND} == set(suites())


@pytest.mark.parametrize(("kind", "fault", "name"), FOUND, ids=[kind.value for kind, _, _ in FOUND])
def test_fault_is_found_and_the_device_without_it_passes(kind: Kind, fault: str, name: str) -> None:
    suite = suites()[kind]
    trial = Trial(suite, suite.channels[0], World(1))
    case = next(c for c in trial.cases if c.id == f"{kind.value}.{name}")
    faults = [mutant for mutant in all_mutants(suite) if key(mutant).startswith(fault)]
    assert any(trial.finds(mutant, [case]) for mutant in faults)
    sound = Faulty(suite, World(1), suite.channels[0], None)
    try:
        assert trial.tried(case, sound).verdict is Verdict.PASS
    finally:
        sound.close()


@pytest.mark.parametrize(("kind", "channel", "part"), [
    pytest.param(kind, channel, part, id=f"{kind.value}-{channel}-{part + 1}")
    for kind, suite in suites().items() for channel in suite.channels for part in range(PARTS)
])
def test_every_case_passes_the_reference_device_in_a_process_of_its_own(kind: Kind, channel: str, part: int) -> None:
    """As the self-check begins: whatever a case hands over to the device, or takes from it, finds its way there and back."""
    trial = Trial(suites()[kind], channel, World(1))
    device = Faulty(trial.suite, trial.world, channel, None)
    try:
        found = {case.id: trial.tried(case, device) for case in trial.cases[part::PARTS]}
    finally:
        device.close()
    assert {name: f"{result.verdict.value}: {result.why}" for name, result in found.items()
            if result.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)} == {}


def test_link_that_is_lent_to_a_device_ends_its_case_with_its_own_verdict() -> None:
    """What the tester's own link finds is the case's verdict, and the device is there for the next one."""
    trial = Trial(suites()[Kind.WALLET], "ble", World(1))
    device = Faulty(trial.suite, trial.world, "ble", None)
    case = next(c for c in trial.cases if c.id == "wallet.online.enrolment-brings-the-card")

    class Line:
        channel, device, provenance = "network", "virtual", Provenance.MODELLED

        def attempt(self, message: bytes, timeout_s: float) -> Attempt:
            raise Decided(Verdict.FAIL, "what was asked for is wrong")

    try:
        wallet = device.new(case.id)
        wallet.fill(Contents(empty=True))
        with pytest.raises(Decided, match="what was asked for is wrong"):
            wallet.online(Line(), "apply", card_no="1", given={"id_no": "A", "ticket": "T"})
        assert trial.tried(case, device).verdict is Verdict.PASS
    finally:
        device.close()


def test_device_that_hangs_or_dies_is_asked_once() -> None:
    suite = suites()[Kind.SAM]
    device = Faulty(suite, World(1), "contact", None)
    try:
        device.new("a name")
        os.kill(device.process, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                device.ask("new", "another")
        assert not device.alive
    finally:
        device.close()


def some() -> Checked:
    """Three faults of a wallet: found, equivalent, left."""
    first, second, third, *_ = all_mutants(suites()[Kind.WALLET])
    return Checked(
        [Kill(Kind.WALLET, first, "wallet.a", "ble"), Kill(Kind.WALLET, second, why="nobody can"), Kill(Kind.WALLET, third)],
        {"wallet.b": first.id, "wallet.c": ""},
    )


def test_what_was_found_is_told() -> None:
    checked = some()
    told = summary(checked)
    assert (told["mutants"], told["caught"], len(told["survivors"]), len(told["equivalent"])) == (3, 1, 1, 1)
    first = checked.kills[0]
    assert told["matrix"] == {"wallet.a": {first.mutant.family.value: [first.name]}}
    assert (told["second"], told["idle"]) == ({"wallet.b": first.mutant.id}, {"wallet.c": ""})
    assert not told["enough"]
    assert summary(replace(checked, kills=checked.kills[:2]))["enough"]
    assert "NOBODY SAYS WHY IT STAYS" in tell(told, words_of("en")[1])
    chinese = tell(told, words_of("zh-TW")[1]).splitlines()
    assert [line for line in chinese if "：" not in line and "共 3 個錯誤" not in line] == []
    assert "未載明保留之理由" in "".join(chinese)
    assert tell(told, words_of("en")[1]).endswith("3 faults, 1 found, 1 equivalent, 1 left")


def test_page_is_written_in_both_languages(tmp_path: Path) -> None:
    told = summary(some())
    english, chinese = (write_matrix(told, tmp_path / tag, tag).read_text(encoding="utf-8") for tag in ("en", "zh-TW"))
    assert "wallet.a" in english and "wallet.a" in chinese
    assert "Which case found which fault first" in english
    assert "哪個案例先找到哪個錯誤" in chinese
    assert json.loads((tmp_path / "en" / "self-check.json").read_text(encoding="utf-8")) == told


def test_what_is_remembered_stays_while_there_is_such_a_fault_and_such_a_case() -> None:
    one, other = (m for m in by_hand(Kind.WALLET) if m.id in ("crypto:nonce-fixed", "crypto:nonce-skips"))
    first, second, third, *_ = (c.id for c in cases() if c.kind is Kind.WALLET)
    before = Memory({key(one): (first, "ble"), "gone": (first, "ble")}, {third: key(one), "gone": key(one)})
    now = memory(before, Kind.WALLET, Checked([Kill(Kind.WALLET, other, second, "nfc")], {first: other.id, second: ""}))
    assert now == Memory({key(one): (first, "ble"), key(other): (second, "nfc")}, {third: key(one), first: key(other)})
    assert json.loads(now.to_json())["first"][key(other)] == f"nfc {second}"


def test_idle_cases_are_named_with_their_reason() -> None:
    entries = idle.read('[[idle]]\ncase = "wallet.a*"\nwhy = "a reason"')
    assert idle.why("wallet.a.b", entries) == "a reason"
    assert idle.why("wallet.b", entries) == ""
    assert idle.stale(entries, ["wallet.b"]) == ["wallet.a*"]
    assert idle.stale(idle.justified(), {c.id for c in cases()}) == []
    for wrong in ("[[idle]]\ncase = 1", "[[idle]", "[[busy]]"):
        with pytest.raises(UsageError, match=r"idle\.toml"):
            idle.read(wrong)
