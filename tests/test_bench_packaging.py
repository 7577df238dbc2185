"""What is shipped and what is installed: the wheel's contents, the lock files, the one list of Debian packages."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from .places import ROOT

PACKAGES = {"bench", "virtual_devices", "scenarios", "conformance", "reports"}
DATA = ("table.toml", "schema.json", "page.jinja", "page.css", "zh_TW.po", "font.bin")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==[^ ]+(?: ; [^\\]+)? \\$")


def _files(root: Path) -> set[str]:
    found = (path for package in PACKAGES for path in (root / package).rglob("*"))
    return {path.relative_to(root).as_posix() for path in found if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A wheel of a copy of this tree with data files planted in every package, and what went in."""
    tree = tmp_path_factory.mktemp("tree")
    for name in sorted(PACKAGES):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        (tree / name / "planted" / "build").mkdir(parents=True)
        for data in DATA:
            (tree / name / "planted" / data).write_text("planted\n")
            (tree / name / "planted" / "build" / data).write_text("planted\n")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tree / name)
    for stranger in ("tests", "benchmarks", "docs", "runs"):
        (tree / stranger).mkdir()
        (tree / stranger / "stranger.py").write_text("")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tree / "dist")]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    (wheel,) = (tree / "dist").glob("*.whl")
    return wheel, _files(tree)


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_only_the_five_packages(built: tuple[Path, set[str]]) -> None:
    tops = {name.split("/")[0] for name in _names(built[0])}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_wheel_holds_every_file_of_the_packages(built: tuple[Path, set[str]]) -> None:
    wheel, expected = built
    assert {name for name in _names(wheel) if ".dist-info/" not in name} == expected


def test_wheel_cannot_be_uploaded_and_carries_its_licence(built: tuple[Path, set[str]]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert "Classifier: Private :: Do Not Upload" in text
    assert "License-Expression: Apache-2.0" in text


def test_command_is_an_entry_point_that_loads() -> None:
    (command,) = entry_points(group="console_scripts", name="vhc-bench")
    assert callable(command.load())


@pytest.mark.parametrize("lock", ["run", "test"])
def test_lock_pins_every_package_by_hash_and_names_no_address(lock: str) -> None:
    pinned = False
    for line in _lock_lines(lock):
        if line.startswith(" "):
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
            pinned = True
        else:
            assert PIN.match(line), line
    assert pinned


def test_lock_for_running_covers_the_dependencies_and_never_compiles() -> None:
    names = _locked("run")
    assert {_name(text) for text in PYPROJECT["project"]["dependencies"]} <= names
    assert "pyscard" not in names


def test_lock_for_testing_holds_the_lock_for_running_at_the_same_versions() -> None:
    assert _pins("run") <= _pins("test")
    groups, extras = PYPROJECT["dependency-groups"], PYPROJECT["project"]["optional-dependencies"]
    assert {_name(text) for text in groups["dev"] + groups["build"] + extras["pcsc"]} <= _locked("test")


def _lock_lines(lock: str) -> list[str]:
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()


def _pins(lock: str) -> set[str]:
    return {line.removesuffix(" \\") for line in _lock_lines(lock) if not line.startswith(" ")}


def _locked(lock: str) -> set[str]:
    return {_name(pin) for pin in _pins(lock)}


def _name(requirement: str) -> str:
    (name,) = re.findall(r"^[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", str(name)).lower()
