"""Common lists on a team's mobile device (常用藥品、套餐、問診提示; HOM-06): chosen from at a home, with or without a network.

    lists     = read_lists(text, "common_lists.toml")      or example_lists()
    entries   = lists.entries("pressure", order, days)     what a package prescribes
    questions = lists.questions(package)                   what to ask this patient, by what was taken along

The institution makes them; nothing in them is a person's, so that they are neither sealed nor erased. What is not on the list
has to be looked up in the institution's own system, and that takes a line. The form is the bench's **profile**.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from virtual_devices.errors import UsageError
from virtual_devices.home_package import HomePackage
from virtual_devices.prescription.document import Entry

SCHEMA = 1


class When(Enum):
    """Whom a question is for."""

    ALWAYS = "always"
    PRESCRIBED = "prescribed"  # prescriptions of the patient were taken along
    NONE = "none"  # none were


@dataclass(frozen=True, slots=True)
class Medicine:
    """``usage`` as in the card's order field; ``tenths``: quantity a day, in tenths."""

    item: str
    zh: str
    en: str
    usage: str
    tenths: int


@dataclass(frozen=True, slots=True)
class MedicinePackage:
    """Several that are prescribed together (套餐)."""

    id: str
    zh: str
    en: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One to ask the patient."""

    id: str
    when: When
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Order:
    """How what is chosen is ordered: order type (A72), delivery mark (A79)."""

    order_type: str
    delivery_mark: str


@dataclass(frozen=True)
class CommonLists:
    """One institution's. Raises UsageError for a package with a medicine that is not on the list."""

    medicines: Mapping[str, Medicine]
    packages: Mapping[str, MedicinePackage]
    asked: tuple[Question, ...]

    def __post_init__(self) -> None:
        for package in self.packages.values():
            for item in package.items:
                if item not in self.medicines:
                    raise UsageError(f"package {package.id!r} has {item}, which no [[medicine]] is")

    def entries(self, package: str, order: Order, days: int) -> tuple[Entry, ...]:
        """The orders of a package for so many days. Raises UsageError for one that is not on the list."""
        found = self.packages.get(package)
        if found is None:
            raise UsageError(f"{package!r} is no package of the list; there are {', '.join(self.packages)}")
        some = [self.medicines[item] for item in found.items]
        return tuple(
            Entry(order.order_type, one.item, "", one.usage, days, one.tenths * days, order.delivery_mark) for one in some
        )

    def questions(self, package: HomePackage) -> tuple[Question, ...]:
        """What to ask the patient of a home package, in the list's order."""
        fits = {When.ALWAYS, When.PRESCRIBED if package.prescriptions else When.NONE}
        return tuple(question for question in self.asked if question.when in fits)


def read_lists(text: str, name: str) -> CommonLists:
    """Raises UsageError that names the file, the table and what is wrong with it."""
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{name}: {e}") from None
    if body.get("meta", {}).get("schema") != SCHEMA:
        raise UsageError(f"{name}: [meta] schema is to be {SCHEMA}")
    medicines = [_made(Medicine, row, f"{name}: [[medicine]] {n}") for n, row in enumerate(body.get("medicine", ()), 1)]
    packages = [_made(MedicinePackage, row, f"{name}: [[package]] {n}") for n, row in enumerate(body.get("package", ()), 1)]
    asked = [_made(Question, row, f"{name}: [[question]] {n}") for n, row in enumerate(body.get("question", ()), 1)]
    try:
        return CommonLists(
            _each_once({one.item: one for one in medicines}, medicines, "medicine"),
            _each_once({one.id: one for one in packages}, packages, "package"), tuple(asked),
        )
    except UsageError as e:
        raise UsageError(f"{name}: {e}") from None


@cache
def example_lists() -> CommonLists:
    """The bench's own: an example, of medicines that nobody sells."""
    name = "common_lists.toml"
    return read_lists((files("virtual_devices") / "data" / name).read_text(encoding="utf-8"), name)


_FORMS: Mapping[str, type] = {"tenths": int, "items": list}


def _made(kind: Any, row: Any, where: str) -> Any:
    wanted = list(kind.__dataclass_fields__)
    if not isinstance(row, dict) or set(row) != set(wanted):
        raise UsageError(f"{where} has to have {', '.join(wanted)}")
    for name, value in row.items():
        form = _FORMS.get(name, str)
        if not isinstance(value, form) or isinstance(value, bool) or not value:
            raise UsageError(f"{where}: {name} is to be {'a whole number above 0' if form is int else 'a ' + form.__name__}")
    try:
        made = {**row, **({"when": When(row["when"])} if "when" in row else {})}
    except ValueError:
        raise UsageError(f"{where}: when is one of {', '.join(when.value for when in When)}") from None
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in made.items()})


def _each_once(by_name: dict[str, Any], rows: list[Any], what: str) -> dict[str, Any]:
    if len(by_name) < len(rows):
        raise UsageError(f"two [[{what}]] have the same name")
    return by_name


__all__ = [
    "CommonLists", "Medicine", "MedicinePackage", "Order", "Question", "When", "example_lists", "read_lists",
]
