"""The tutorial for a vendor is followed to the letter, and the pipelines to be copied do what they say."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
import yaml

from bench.cli import main
from conformance.case import Case, Kind, cases_of
from conformance.clause import find
from conformance.kinds import suites
from conformance.report import read
from conformance.tester import Tester, perform
from conformance.vectors.world import World
from conformance.verdict import Verdict

from .places import ROOT
from .ports import free_ports

TUTORIAL = ROOT / "docs" / "tutorial" / "certify-your-reader.md"
LIMIT_S = 240.0
PIPELINE = ROOT / "docs" / "how-to" / "conformance-in-ci.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def follow(line: str) -> int:
    """One line as a person types it: the bench's own in this process, all others in a shell."""
    if not line.startswith("vhc-bench "):
        return subprocess.run(line, shell=True, check=False, capture_output=True).returncode
    with pytest.raises(SystemExit) as end:
        main.main(shlex.split(line)[1:], prog_name="vhc-bench")
    return int(end.value.code or 0)


def test_tutorial_leads_to_a_signed_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (declared,) = blocks(TUTORIAL, "toml")
    Path("reader.pics.toml").write_text(declared, encoding="utf-8")
    for line in "".join(blocks(TUTORIAL, "sh")).splitlines():
        assert follow(line) == 0, line
    assert "certified/report.json: holds; verdict pass" in capfd.readouterr().out
    made = read((tmp_path / "certified" / "report.json").read_bytes(), "report.json")
    (device,) = made.devices
    assert (device.maker, device.model, device.firmware) == ("Example Readers", "ER-100", "2.4.1")
    assert len(made.verdicts) > 200
    told = re.findall(r"^\| `(.*?)` \|", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE)
    files = {name for row in told for name in re.split("`, `", row)}
    assert files == {path.name for path in Path("certified").iterdir()} - {"verdicts.json"}


def test_tutorial_is_right_about_a_declaration_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (declared,) = blocks(TUTORIAL, "toml")
    Path("reader.pics.toml").write_text(declared.replace("mac = true", "mac = false"), encoding="utf-8")
    assert follow("vhc-bench pics check reader.pics.toml") == 4
    assert "every reader must" in capsys.readouterr().err


def test_case_of_the_how_to_is_one_and_finds_a_fault() -> None:
    (code,) = blocks(ROOT / "docs" / "how-to" / "add-a-conformance-case.md", "python")
    written = ModuleType("conformance.cases.test_hpc_card")
    exec(code, vars(written))
    (made,) = cases_of(written.test_certificate_stays_after_a_reset, written.__name__)
    assert made.id == "hpc.card.certificate-stays-after-a-reset"
    assert all(made.kind in find(clause).binds for clause in made.clauses)
    suite, world = suites()[Kind.HPC], World(1)

    def tester(case: Case) -> Tester:
        return suite.tester(suite.reference(world, "contact", case.id), world, case.id)

    def forgetful(case: Case) -> Tester:
        found = tester(case)
        answers = iter([b"one", b"another"])
        found.chain = lambda: next(answers)  # type: ignore[attr-defined]
        return found

    assert perform(made, tester).verdict is Verdict.PASS
    assert perform(made, forgetful).verdict is Verdict.FAIL


def test_pipelines_to_be_copied_run_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    github, gitlab = map(yaml.safe_load, blocks(PIPELINE, "yaml"))
    steps = [step["run"] for step in github["jobs"]["wallet"]["steps"] if "run" in step]
    script = gitlab["conformance"]["script"]
    assert steps == script
    (known,) = blocks(PIPELINE, "toml")
    Path("known-failures.toml").write_text(known, encoding="utf-8")
    assert "[[expected]]" in known
    (command,) = [line for line in script if line.startswith("vhc-bench ")]
    assert follow(command) == 0
    found = ElementTree.parse(gitlab["conformance"]["artifacts"]["reports"]["junit"]).getroot()
    assert [suite.get("failures") for suite in found] == ["0", "0"]


@pytest.mark.needs("pcsc")
def test_how_to_for_control_software_leads_to_a_report(tmp_path: Path) -> None:
    """All of it in one shell, with ports of its own."""
    text = (ROOT / "docs" / "how-to" / "certify-your-control-software.md").read_text(encoding="utf-8")
    for usual, port in zip(("3033", "5066", "8443"), free_ports(3), strict=True):
        text = text.replace(usual, f"{port}")
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    (declared,) = blocks(tmp_path / "page.md", "toml")
    (tmp_path / "software.pixit.toml").write_text(declared, encoding="utf-8")
    script = "set -e\ntrap 'kill $(jobs -p); wait' EXIT\n" + "".join(blocks(tmp_path / "page.md", "sh"))
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    with (tmp_path / "said.txt").open("w") as said, subprocess.Popen(
        ["bash", "-c", script], cwd=tmp_path, env=environ, stdout=said, stderr=said, start_new_session=True,
    ) as shell:
        try:
            code = shell.wait(LIMIT_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    assert code == 0, (tmp_path / "said.txt").read_text(encoding="utf-8")
    made = read((tmp_path / "tried" / "report.json").read_bytes(), "report.json")
    assert Counter(one.verdict for one in made.verdicts) == {Verdict.PASS: 4, Verdict.NOT_APPLICABLE: 1}
