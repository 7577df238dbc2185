"""What every test shares: the ``needs`` marker for tools of the machine, and hypothesis without a wall clock.

What only some share lies beside it, by subject: ``desk`` (three cards, a data centre, in process), ``chips`` (commands to one
chip), ``links`` (that fail, lie or tear), ``visits`` (flows that write), ``memory`` (torn commits), ``toy_card`` and
``virtual_readers`` (cards in a real pcscd), ``postgres`` and ``shelves`` (books of each make), ``run_directories``,
``scenario_text``, ``processes``, ``places``. A fixture of theirs is taken into a test module by name:
``shared = virtual_readers.shared_desk``.

``@pytest.mark.needs("pcsc")`` skips a test where the tool is missing and says how to get it. Where ``CI`` is true, or
``BENCH_REQUIRE`` (names with commas) lists the tool, the missing one is an error instead: nothing skips in silence.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

VPCD_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")


@dataclass(frozen=True)
class Tool:
    """Something that a machine may lack. ``missing()`` names the part that is not there, or returns ""."""

    missing: Callable[[], str]
    packages: tuple[str, ...] = ()  # Debian's; each is in the list that ./bench.sh packages prints

    @property
    def remedy(self) -> str:
        if not self.packages:
            return "run ./bench.sh test where the package registries can be reached"
        return f"run ./bench.sh test as a user who may install packages, or: apt-get install {' '.join(self.packages)}"


def _program(name: str) -> Callable[[], str]:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # daemons are outside many users' PATH
    return lambda: "" if shutil.which(name, path=path) else f"the program {name}"


def _pcsc() -> str:
    if reason := _program("pcscd")():
        return reason
    if not VPCD_DRIVER.exists():
        return f"the virtual reader's driver {VPCD_DRIVER}"
    return "" if importlib.util.find_spec("smartcard") else "the Python package pyscard"


def _judges() -> str:
    stamp = Path(__file__).resolve().parent.parent / ".cache" / "judges" / "stamp"
    return "" if stamp.exists() else "what judges the protocols from outside (tests/judges/)"


def _postgresql() -> str:
    from .postgres import programs  # here, and below: most tests need no database

    return "" if programs() else "the program initdb of PostgreSQL"


TOOLS: Mapping[str, Tool] = {
    "pcsc": Tool(_pcsc, ("pcscd", "vsmartcard-vpcd", "libpcsclite-dev", "gcc", "python3-dev")),
    "opensc": Tool(_program("opensc-tool"), ("opensc",)),
    "pcsc-tools": Tool(_program("pcsc_scan"), ("pcsc-tools",)),
    "postgresql": Tool(_postgresql, ("postgresql",)),
    "dbus": Tool(_program("dbus-daemon"), ("dbus",)),
    "tshark": Tool(_program("tshark"), ("tshark",)),
    "judges": Tool(_judges),
    "vicc": Tool(_program("vicc"), ("vsmartcard-vpicc",)),
}
"""Name in the marker and in BENCH_REQUIRE -> how it is found."""


def _required(environ: Mapping[str, str]) -> frozenset[str]:
    """The tools that must be there, by the environment."""
    if environ.get("CI", "").lower() not in ("", "0", "false", "no"):
        return frozenset(TOOLS)
    names = frozenset(filter(None, (name.strip() for name in environ.get("BENCH_REQUIRE", "").split(","))))
    if unknown := names - TOOLS.keys():
        raise pytest.UsageError(f"BENCH_REQUIRE names {', '.join(sorted(unknown))}; known tools: {', '.join(TOOLS)}")
    return names


def _needs(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("needs"):
        yield from mark.args


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background: programs of ours end by it all the same
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _required(os.environ)
    settings.register_profile(
        "bench", deadline=None, suppress_health_check=[HealthCheck.too_slow],  # both go by the wall clock
        derandomize=_required(os.environ) == TOOLS.keys(), print_blob=True,
    )
    settings.load_profile("bench")


def pytest_collection() -> None:
    """Thousands of modules and tests come, and all of them stay: looking for garbage among them took a third of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # the longest first, so that no process waits for another's last
        items.sort(key=lambda item: item.get_closest_marker("sample") is None)
    for item in items:
        if unknown := set(_needs(item)) - TOOLS.keys():
            raise pytest.UsageError(f"{item.nodeid} needs {', '.join(sorted(unknown))}; known tools: {', '.join(TOOLS)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = _required(os.environ)
    for name in _needs(item):
        if not (missing := TOOLS[name].missing()):
            continue
        reason = f"needs {name}: {missing} is missing; {TOOLS[name].remedy}"
        if name in required:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A PostgreSQL server for this process's tests (``postgres.Server``). They are marked ``needs("postgresql")``."""
    from .postgres import running

    with running() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_books() -> Any:
    from .sql_shelves import Cleaned

    return Cleaned("sqlite://")


@pytest.fixture(scope="session")
def postgresql_books(postgresql: Any) -> Any:
    from .sql_shelves import Cleaned

    return Cleaned(postgresql.database("domain"))
