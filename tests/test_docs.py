"""The documents: links lead somewhere, tables agree with the code, quoted commands exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import duckdb
import pytest

from bench.cli import main
from scenarios.files import schema, situations
from virtual_devices.faults import KINDS

from .places import ROOT
from .sample_run import Sample, write_sample

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"^\s*(?:\$ )?(?:\.venv/bin/)?vhc-bench (.+?)(?: &)?$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_link_leads_to_a_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if not t.startswith(("http:", "https:", "mailto:")) and not (page.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_of_the_code_that_is_named_is_there(page: Path) -> None:
    """A name with capitals in it (``NAME.py``) is the reader's own."""
    named = re.findall(r"`((?:[a-z_]+/)+[\w.]+\.(?:py|toml))`", page.read_text(encoding="utf-8"))
    ours = [name for name in named if (ROOT / name.partition("/")[0]).is_dir() and name == name.lower()]
    assert [name for name in ours if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_quoted_command_line_is_one(page: Path) -> None:
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        words = shlex.split(line.split("#")[0])
        command: click.Command = main
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name = words.pop(0)
            assert name in command.commands, f"{line}: there is no {name}"
            command = command.commands[name]
        known = {option for parameter in command.params for option in parameter.opts} | {"-h", "--help"}
        given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known, f"{line}: {given - known}"


def test_command_lines_are_quoted_where_people_begin() -> None:
    for page in ("README.md", "docs/tutorial/first-morning.md"):
        assert COMMAND.findall((ROOT / page).read_text(encoding="utf-8")), page


def test_every_fault_kind_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "faults.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.text} |" in page
        codes = [f"`{code}`" if code else "none" for code in (kind.network_code, kind.card_code)]
        assert f"| {' | '.join(codes)} |" in page


def test_every_command_and_option_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    for name, command in main.commands.items():
        assert name in page
        commands = command.commands.values() if isinstance(command, click.Group) else [command]
        for each in commands:
            missing = [p.opts[0] for p in each.params if isinstance(p, click.Option) and p.opts[0] not in page]
            assert not missing, f"{name}: {missing}"


def test_editor_schema_is_the_one_that_files_are_checked_by() -> None:
    for name in situations():
        kept = json.loads((ROOT / "docs" / "reference" / "schema" / f"{name}.json").read_text(encoding="utf-8"))
        assert kept == schema(name), f"vhc-bench scenarios --schema {name} > docs/reference/schema/{name}.json"


BEGINNERS = [p for p in PAGES if p.parent.name in ("how-to", "tutorial") or p.name == "README.md"]


@pytest.mark.parametrize("page", BEGINNERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_command_is_quoted_as_it_can_be_typed(page: Path) -> None:
    """Where people begin, a command stands with its folder: ``make run`` puts nothing on anybody's path."""
    bare = re.compile(r"(?<![/\w-])vhc-bench (?:run|scenarios|devices|present|report)\b.*")
    assert bare.findall(page.read_text(encoding="utf-8")) == []


def test_quoted_queries_can_be_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "read-a-run-with-duckdb.md").read_text(encoding="utf-8")
    run = write_sample(tmp_path / "run", Sample(visits=6))
    page = page.replace("runs/clinic_morning-1-001", str(run))
    (command,) = re.findall(r"```\n(.*?)```", page, re.DOTALL)[:1]
    done = subprocess.run(
        ["bash", "-c", command.replace(".venv/bin/python", sys.executable)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "waiting_min" in done.stdout and "consultation" in done.stdout
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert len(queries) == 3
    assert all(duckdb.sql(query).fetchall() for query in queries)
