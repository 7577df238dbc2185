"""What works in an environment that has the bench alone, as ``make run`` makes it: without the libraries of any medium; and what
a command says that needs one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.libraries import PACKAGES

from .places import MORNING, ROOT

LIBRARIES = tuple(sorted(PACKAGES.keys() - {"PIL"}))
"""Pillow is there: pictures of a report need it."""
ABSENT = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {LIBRARIES} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
"""Whatever looks for these libraries, in this process or in one that it begins, finds that they are not there."""
WORKS = (
    ["--help"], ["run", str(MORNING), "-n", "1", "--out", "OUT"], ["requirements", "--coverage"], ["conform", "--list"],
    ["present", "vpcd", "--help"], ["present", "nfc", "--help"], ["present", "ble", "--help"], ["scenarios"],
    ["map", "nfc", "--presentations", "1", "--holding", "case", "--out", "OUT"],
)
NEEDS = {
    "present ble": "bumble", "present nfc": "nfcpy", "devices": "nfcpy",
    "calibrate --wallet nfc:usb": "nfcpy", "calibrate --card pcsc:ACS*": "pyscard",
    "map ble --out OUT": "bumble", "map nfc --measure 1 --out OUT": "nfcpy", "map qr --out OUT": "zxing-cpp",
    f"run {MORNING} --wallet nfc:own --out OUT": "nfcpy",
    "conform --only wallet.answer.device-signs-its-answer --dut wallet=nfc:usb": "nfcpy",
}
"""Command -> what it lacks."""


def without(directory: Path, line: list[str]) -> subprocess.CompletedProcess[str]:
    """The command's end. OUT in it stands for a path where nothing is yet."""
    (directory / "sitecustomize.py").write_text(ABSENT, encoding="utf-8")
    told = [str(directory / "out") if word == "OUT" else word for word in line]
    env = os.environ | {"PYTHONPATH": str(directory), "XDG_RUNTIME_DIR": str(directory)}  # nobody else's presenters
    command = [sys.executable, "-m", "bench.cli", *told]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("line", WORKS, ids=" ".join)
def test_command_works(line: list[str], tmp_path: Path) -> None:
    done = without(tmp_path, line)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("line", NEEDS)
def test_command_that_needs_a_library_says_what_to_install(line: str, tmp_path: Path) -> None:
    done = without(tmp_path, line.split(" "))
    said = done.stdout + done.stderr
    assert done.returncode == 3, said[-2000:]
    assert "Traceback" not in said
    assert f"{NEEDS[line]} is not installed: ./bench.sh setup test, or pip install" in said
    assert not (tmp_path / "out").exists()


def test_package_is_named_as_pip_knows_it() -> None:
    """Each is in the lock file of the tests' environment, which ``setup test`` installs."""
    locked = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
    for package in PACKAGES.values():
        assert f"\n{package.lower()}==" in f"\n{locked}", package
