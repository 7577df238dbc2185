"""What works in an environment that has the bench alone, as ``make run`` makes it: without the libraries of any medium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .places import MORNING, ROOT

LIBRARIES = ("nfc", "smartcard", "bleak", "bumble", "dbus_fast", "zxingcpp")
WITHOUT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LIBRARIES}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv[0] = "vhc-bench"
from bench.cli import main
main()
"""


@pytest.mark.parametrize("line", [
    ["--help"], ["run", str(MORNING), "-n", "1"], ["requirements", "--coverage"], ["conform", "--list"],
    ["present", "vpcd", "--help"], ["scenarios"],
], ids=lambda line: line[0])
def test_command_works(line: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run")] if line[0] == "run" else []
    done = subprocess.run([sys.executable, "-c", WITHOUT, *line, *out], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
