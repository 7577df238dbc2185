"""The cases themselves: what they name exists, they pass on the reference devices, and they find faults."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.conform_asked import Asked
from bench.self_check import Trial, all_mutants
from conformance.case import Kind, cases, subject_of
from conformance.clause import find
from conformance.kinds import suites
from conformance.mutants.operators import Family
from conformance.mutants.places import places
from conformance.vectors.world import World

from .places import ROOT

OF_TABLES = {family.name.lower().replace("_", "-") for family in Family}
"""How the names of mutants begin that no scan has found."""


def test_case_names_clauses_that_bind_its_kind_of_device() -> None:
    wrong = {(case.id, clause) for case in cases() for clause in case.clauses if case.kind not in find(clause).binds}
    assert wrong == set()


def test_case_has_an_id_of_its_own_and_says_what_it_shows_in_both_languages() -> None:
    assert [name for name, n in Counter(case.id for case in cases()).items() if n > 1] == []
    assert [case.id for case in cases() if not case.says or not re.search(r"[\u4e00-\u9fff]", case.zh)] == []


def test_refusal_of_a_reference_device_has_a_mutant() -> None:
    applied: set[str] = set()
    for suite in suites().values():
        mutants = all_mutants(suite)
        scanned = {(m.module, m.line) for m in mutants if m.id.partition(":")[0] not in OF_TABLES}
        assert {(p.module, p.line) for p in places(suite.modules)} == scanned
        assert len({m.id for m in mutants}) == len(mutants)
        for mutant in mutants:
            if (function := f"{mutant.module}:{mutant.function}") not in applied:  # one of each: the rest are made alike
                with mutant.applied():
                    applied.add(function)


def test_fault_is_found_by_a_case_and_a_sound_device_passes_it() -> None:
    suite = suites()[Kind.WALLET]
    trial = Trial(suite, "ble", World(1))
    begin = ("wallet.session.session-data-before", "wallet.session.status-alone-ends-the-session-without-an-answer[term")
    trial.cases = [c for c in trial.cases if c.id.startswith(begin)]
    assert trial.sound() == []
    wrong_code = [m for m in all_mutants(suite) if m.module.endswith("holder.session") and m.family is Family.WRONG_CODE]
    killed = [trial.finds(m, trial.touching(m)) for m in wrong_code]
    assert "wallet.session.session-data-before-the-session-ends-it" in killed
    assert "" in killed  # two cases do not find all


def test_verdict_does_not_depend_on_the_seed() -> None:
    """What zlib makes of random bytes is longer with one seed than with another."""
    for seed in (7, 9):
        trial = Trial(suites()[Kind.WALLET], "ble", World(seed))
        trial.cases = [c for c in trial.cases if c.id.startswith("wallet.codes.code-is-no-longer-than-said")]
        assert (len(trial.cases), trial.sound()) == (4, [])


def test_only_modules_with_cases_that_are_asked_for_are_looked_into() -> None:
    for only, names in (
        (("wallet.session.first",), ["test_wallet_session"]), (("hpc",), ["test_hpc_card", "test_hpc_pin"]),
        (("sam.signing", "hpc.pin.x"), ["test_hpc_pin", "test_sam_signing"]), (("wallet.latency",), ["test_card_areas"]),
    ):
        assert [name.rpartition(".")[2] for name in Asked(only=only).modules() if "." in name][: len(names)] == names
    whole = {name.rpartition(".")[2] for name in Asked(duts=("sam=virtual",)).modules()}
    assert whole == {"test_sam_module", "test_sam_signing"}
    modules = {case.run.__module__: case.id for case in cases()}
    assert all(name.startswith(f"{subject_of(module)}.") for module, name in modules.items())


def test_cases_come_in_the_same_order_in_every_process() -> None:
    """Processes that share the cases out must agree on them, whatever their hashes of texts."""
    tell = "from conformance.case import cases; print([case.id for case in cases()])"

    def told(seed: str) -> str:
        return subprocess.run([sys.executable, "-c", tell], cwd=ROOT, capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONHASHSEED": seed}).stdout

    assert told("1") == told("2")


def conform(*args: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.cli", "conform", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("what", "unwanted"), [
    ("import bench.cli, bench.conform", ("bench.conforming", "conformance", "cryptography", "pydantic")),
    ("from bench.conforming import Asked; Asked().check(); Asked().modules()",
     ("pytest", "numpy", "bench.duts", "conformance.kinds", "virtual_devices.cloud")),
], ids=["help", "start"])
def test_command_loads_no_device_before_one_is_tried(what: str, unwanted: tuple[str, ...]) -> None:
    """Those who only begin the processes that try it start sooner."""
    script = f"import sys\n{what}\nprint([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_command_takes_nothing_from_the_project_in_whose_folder_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "tests/conftest.py", "pytest.ini"):
        (tmp_path / name).write_text(f"raise SystemExit({name!r})\n")
    done = conform("--only", "hpc.pin.right-pin-gives-tries-back", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_command_tries_the_reference_device() -> None:
    done = conform("--only", "wallet.session.first", "--only", "wallet.latency", "--latency", "example", "--json", "-n", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(r["verdict"], r["channel"]) for r in found["verdicts"]] == [("pass", "ble"), ("pass", "nfc")]
    assert found["verdict"] == "pass"
    assert {(r["verdict"], r["channel"]) for r in found["latency"]} == {("pass", "ble"), ("pass", "nfc")}
    assert found["latency"][0]["command"].endswith("--only wallet.latency --latency example")


def test_command_says_that_nothing_ran() -> None:
    done = conform("--only", "wallet.nothing", "--json", "-n", "1")
    assert done.returncode == 5
    assert "nothing ran: no case of what is tried begins with --only wallet.nothing; --list" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "says"), [
        ("phone=virtual", "one of"), ("wallet=http:x", "https"), ("clinic=pcsc:X", "no clinic can"), ("wallet", "KIND"),
        ("wallet=ble:", "--dut wallet=ble:: a phone over Bluetooth"),
    ]
)
def test_command_refuses_a_device_that_there_is_not(wrong: str, says: str) -> None:
    done = conform("--dut", wrong)
    assert done.returncode == 2
    assert says in done.stderr


def test_device_that_there_is_not_is_told_once_in_somebody_elses_project(tmp_path: Path) -> None:
    for more in ([], ["-p", "xdist", "-n", "2"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--pyargs", "conformance", "--dut", "wallet=vritual", *more], cwd=tmp_path,
            capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        assert done.returncode == 4, done.stdout
        assert done.stderr.count("did you mean 'virtual'?") == 1, done.stderr


def test_suite_runs_in_somebody_elses_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-q'\n")
    options = ["--dut", "wallet=virtual", "--dut-channel", "ble", "--conformance-only", "wallet.session.first"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--pyargs", "conformance", *options], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
