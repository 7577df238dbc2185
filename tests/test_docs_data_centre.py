"""The how-to of the served data centre, done: its commands in a shell, on a free port, in a directory of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .places import ROOT
from .ports import free_port

PAGE = ROOT / "docs" / "how-to" / "point-your-software-at-the-data-centre.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")
def test_page_does_what_it_says(tmp_path: Path) -> None:
    port = str(free_port())
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    commands = commands.replace("8443", port).replace("runs/try", str(tmp_path / "try"))
    commands = commands.replace(".venv/bin/vhc-bench", f"{sys.executable} -m bench.cli")
    script = f"mkdir -p {tmp_path}/try\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{commands}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=600, stdin=subprocess.DEVNULL, check=False,
    )
    said = done.stdout
    assert '"ticket":"' in said, done.stdout + done.stderr
    assert '"valid_visits":1' in said and '"error_codes":[]' in said
    (late,) = re.findall(r'\{"late":\[(.*?)\]\}', said)
    first, second = dict.fromkeys(re.findall(r'"identifier":"([0-9]{20})","sequence"', said))
    assert second in late and first not in late
    assert re.findall(r'"RtnCode":"([0-9]+)"', said) == ["0000", "66008"]
