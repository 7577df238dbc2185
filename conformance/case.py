"""A conformance case: a test purpose, the clauses that it shows, and the function that tries them.

    @case("P-SES-06", nature=Nature.INVALID, zh="會話訊息有一位元被改：以狀態 10 結束會話")
    def test_altered_message_ends_the_session(wallet: WalletTester) -> None:
        \"\"\"A session message with one bit changed ends the session with status 10.\"\"\"

The function's parameter names the kind of device; its first line of docstring is the test purpose. pytest finds it by its name,
the self-check calls it directly: both through :func:`conformance.tester.perform`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from virtual_devices.errors import UsageError


class Kind(Enum):
    """Kinds of device under test."""

    WALLET = "wallet"  # a phone with the virtual card, or the second-generation card
    READER = "reader"  # a desk with SAM and HPC: our card is presented to it
    CARD = "card"  # 健保IC卡
    SAM = "sam"  # 安全模組卡
    HPC = "hpc"  # 醫事人員卡
    CONTROL_SOFTWARE = "control-software"  # 讀卡機控制軟體
    CLINIC = "clinic"
    PHARMACY = "pharmacy"
    DATA_CENTRE = "data-centre"


class Nature(Enum):
    """How a case tries the device (ISO/IEC 9646-2, 10.3)."""

    VALID = "valid"
    INVALID = "invalid"  # a wrong message
    INOPPORTUNE = "inopportune"  # a right message at the wrong time
    LIMIT = "limit"  # the last value that is right, the first that is not
    TIMER = "timer"
    MEDIUM = "medium"  # the medium fails
    ATTACK = "attack"


@dataclass(frozen=True)
class Case:
    """One case. ``value``: of a case that is tried with several, this one's name and what is handed in."""

    name: str
    kind: Kind
    clauses: tuple[str, ...]
    nature: Nature
    says: str
    zh: str
    run: Callable[..., None] = field(repr=False)
    when: str = ""
    channels: frozenset[str] = frozenset()
    destructive: bool = False
    hands: bool = False
    value: tuple[str, Any] | None = None

    @property
    def id(self) -> str:
        """Stable: kind, subject, what is tried, and with what."""
        return self.name if self.value is None else f"{self.name}[{self.value[0]}]"

    def call(self, tester: Any) -> None:
        """Try the device behind ``tester``."""
        if self.value is None:
            self.run(tester)
        else:
            self.run(tester, self.value[1])


@dataclass(frozen=True)
class Marked:
    """What the decorator knows. ``each``: names -> values with which the case is tried; a callable makes them when asked."""

    clauses: tuple[str, ...]
    nature: Nature
    zh: str
    when: str = ""
    channels: frozenset[str] = frozenset()
    destructive: bool = False
    hands: bool = False
    each: Callable[[], Mapping[str, Each]] | None = None


@dataclass(frozen=True)
class Each:
    """One value with which a case is tried, and what is then another: its own purpose, clauses, nature. A purpose of its own
    without ``zh`` has its Chinese in ``chinese/purposes.toml``."""

    value: Any
    says: str = ""
    zh: str = ""
    clauses: tuple[str, ...] = ()
    nature: Nature | None = None


def case(
    *clauses: str, nature: Nature, zh: str, when: str = "", channels: tuple[str, ...] = (), destructive: bool = False,
    hands: bool = False, each: Callable[[], Mapping[str, Each]] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a case.

    ``when``: a condition on the declaration (:mod:`conformance.condition`, the questions of :mod:`conformance.form`).
    ``channels``: where it makes sense, empty: everywhere. ``destructive``: a real device would not be the same afterwards.
    ``hands``: a real device needs a person besides the usual acts of its holder.
    """
    marked = Marked(clauses, nature, zh, when, frozenset(channels), destructive, hands, each)

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        function.marked = marked  # type: ignore[attr-defined]
        return function

    return mark


def subject_of(module: str) -> str:
    """What all cases of a module begin with: ``test_data_centre_visits`` -> ``data-centre.visits``. A subject of several modules
    has two underscores before what tells them apart: ``test_data_centre_phones__proofs`` -> ``data-centre.phones``."""
    name = module.rpartition(".")[2].removeprefix("test_").partition("__")[0].replace("_", "-")
    kind = next((kind.value for kind in Kind if name.startswith(f"{kind.value}-")), "")
    return f"{kind}.{name.removeprefix(f'{kind}-')}" if kind else name


def cases_of(function: Callable[..., None], module: str) -> list[Case]:
    """The cases of one marked function. Raises UsageError for one that is not as it should be, its condition included."""
    marked: Marked = function.marked  # type: ignore[attr-defined]
    name, parameters = function.__name__, list(inspect.signature(function).parameters)
    kind = next((k for k in Kind if parameters[:1] == [k.value.replace("-", "_")]), None)
    says = inspect.getdoc(function)
    if kind is None or not name.startswith("test_") or not says or not (marked.clauses or marked.each):
        rule = "named test_..., its parameter a kind of device, its docstring what it shows, its decorator by which clause"
        raise UsageError(f"{module}.{name} is no case: {rule}")
    base = f"{subject_of(module)}.{name.removeprefix('test_')}".replace("_", "-")
    first = says.partition("\n\n")[0].replace("\n", " ")
    if marked.when:
        _check(marked.when, kind, f"{module}.{name}")
    rest = (marked.when, marked.channels, marked.destructive, marked.hands)
    if marked.each is None:
        return [Case(base, kind, marked.clauses, marked.nature, first, marked.zh, function, *rest)]
    return [
        Case(base, kind, each.clauses or marked.clauses, each.nature or marked.nature, each.says or first,
             each.zh or _chinese(each) or marked.zh, function, *rest, value=(value, each.value))
        for value, each in marked.each().items()
    ]


def _chinese(each: Each) -> str:
    from conformance.wording import usual

    return usual().purpose(each.says) if each.says else ""


def _check(when: str, kind: Kind, name: str) -> None:
    from conformance.condition import ConditionError, condition
    from conformance.form import form

    try:
        condition(when).check(form(kind).known)
    except ConditionError as e:
        raise UsageError(f"{name}: {e}") from None


@cache
def cases() -> tuple[Case, ...]:
    """Every case there is, in the order of modules and of their text."""
    from conformance import cases as package

    found: list[Case] = []
    for module in sorted(module.name for module in iter_modules(package.__path__) if module.name.startswith("test_")):
        there = import_module(f"{package.__name__}.{module}")
        functions = [value for value in vars(there).values() if hasattr(value, "marked") and value.__module__ == there.__name__]
        for function in functions:
            found += cases_of(function, there.__name__)
    return tuple(found)


__all__ = ["Case", "Each", "Kind", "Marked", "Nature", "case", "cases", "cases_of", "subject_of"]
