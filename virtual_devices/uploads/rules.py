"""How a rule of checking is written: a small function over one record, with its check code, stage and certainty beside it.

``CODES = Rulebook()`` begins a file of rules; ``@CODES.add("D040", Stage.CROSS, V20)`` puts a function into it, which yields each
:class:`Place` where the condition of its docstring holds. Values that are no numbers or dates are another rule's fault: ``None``
or empty here, and passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from virtual_devices.clock import roc_datetime13
from virtual_devices.tables import Certainty
from virtual_devices.uploads.codes import Stage
from virtual_devices.uploads.document import Encoding, Record, Segment
from virtual_devices.uploads.fields import FORMATS, Block, Kind, Version
from virtual_devices.uploads.lists import ITEM_LISTS, VISIT_TYPES
from virtual_devices.uploads.register import Register
from virtual_devices.uploads.rows import Earlier
from virtual_devices.uploads.values import fits, is_moment

V10, V20 = Version.V10, Version.V20
DRUG_TYPES = {V10: frozenset("12AB"), V20: frozenset("1M")}
INPATIENT = frozenset({"05", "BA", "BB", "BC", "BE", "BF", "BG", "DC", "EA"})
SETTLES_STAY = frozenset({"BB", "DC", "BF"})
DISPENSING = frozenset({"AE", "AF"})
ALLERGY_FIELDS = {
    V10: ("allergy_action", "allergy_drugs"),
    V20: (
        "allergy_action", "allergy_ingredient", "allergy_class", "allergy_drugs", "allergy_symptom", "allergy_other_symptom",
        "allergy_severity", "allergy_source", "allergy_source_note", "allergy_onset", "withdrawal_reason", "withdrawal_other",
        "gene_test",
    ),
}
VACCINE_FIELDS = ("vaccine", "vaccine_lot")


@dataclass(frozen=True, slots=True)
class Context:
    """What a file is checked against. ``institution`` and ``sam_id``: those that upload. ``both_formats``: the time in which the
    data centre takes either format, and some codes are notices only."""

    register: Register
    earlier: Earlier
    institution: str
    sam_id: str
    uploaded_ns: int
    address: str = ""
    encoding: Encoding = Encoding.BIG5
    both_formats: bool = False
    opcode: str = ""  # of this upload


@dataclass(frozen=True, slots=True)
class Place:
    """Where a condition holds: a fact by name, in an order (from 1; 0: header and visit). ``code``: when the rule has several."""

    name: str
    order: int = 0
    detail: str = ""
    code: str = ""


class Values:
    """Reading a segment by the names of facts."""

    def __init__(self, version: Version, segment: Segment, order: int) -> None:
        self.version = version
        self.segment = segment
        self.order = order
        self._fields = FORMATS[version].by_name

    def __getitem__(self, name: str) -> str:
        found = self._fields.get(name)
        return self.segment.get(found.id, "") if found is not None else ""

    def number(self, name: str) -> int | None:
        """Of digits, or an amount; None for anything else and for nothing."""
        value = self[name]
        return int(value) if len(value) < 20 and fits(Kind.AMOUNT, value) else None

    def quantity(self, name: str) -> float | None:
        value = self[name]
        return float(value) if fits(Kind.DECIMAL, value) else None

    def moment(self, name: str) -> str:
        """A date of 7 characters or a date and time of 13; empty when it is neither."""
        value = self[name]
        return value if is_moment(value, 13) or is_moment(value, 7) else ""

    def at(self, name: str, detail: str = "", code: str = "") -> Place:
        return Place(name, self.order, detail, code)


class Case(Values):
    """One record to be checked, and what it is checked against."""

    def __init__(self, record: Record, context: Context) -> None:
        super().__init__(record.version, {**record.header, **record.visit}, 0)
        self.record = record
        self.context = context
        self.lines = tuple(Values(record.version, segment, index) for index, segment in enumerate(record.orders, 1))

    @cached_property
    def visit_type(self) -> str:
        return self["visit_type"]

    @cached_property
    def abnormal(self) -> bool:
        """Format 2 or 4 of 1.0, B of 2.0."""
        return self["format"] in ("2", "4", "B")

    @cached_property
    def plain(self) -> bool:
        """Tells of a visit; false for what voids, deletes or restores (formats C, D, E of 2.0)."""
        return self["format"] not in ("C", "D", "E")

    @cached_property
    def now(self) -> str:
        """The upload's moment, 13 characters."""
        return roc_datetime13(self.context.uploaded_ns)

    @cached_property
    def orders(self) -> tuple[Values, ...]:
        """The segments that order something: not those that hold an allergy or a vaccination alone."""
        others = (*ALLERGY_FIELDS[self.version], *VACCINE_FIELDS)
        aside = {found.id for name in others if (found := FORMATS[self.version].by_name.get(name)) and found.block is Block.ORDER}
        return tuple(line for line in self.lines if not line.segment or not line.segment.keys() <= aside)

    @cached_property
    def drugs(self) -> tuple[Values, ...]:
        return tuple(line for line in self.orders if line["order_type"] in DRUG_TYPES[self.version])

    @cached_property
    def allergies(self) -> tuple[Values, ...]:
        names = ALLERGY_FIELDS[self.version]
        return tuple(line for line in self.lines if any(line[name] for name in names))

    @property
    def counted(self) -> bool:
        return VISIT_TYPES[self.visit_type].counted

    def listed(self, name: str, code: str) -> bool:
        """On one of the lists of ``data/upload_lists.toml``, as a source or the register has it."""
        return bool(code) and (code in ITEM_LISTS[name].codes or self.context.register.on_list(name, code))

    def any_listed(self, name: str) -> bool:
        return any(self.listed(name, line["item"]) for line in self.orders)


Test = Callable[[Case], Iterator[Place]]


@dataclass(frozen=True, slots=True)
class Rule:
    """``codes``: one, or the several that a sweep over all fields gives. ``certainty``: of the condition, not of the code."""

    codes: tuple[str, ...]
    stage: Stage
    versions: tuple[Version, ...]
    certainty: Certainty
    test: Test

    @property
    def condition(self) -> str:
        return " ".join((self.test.__doc__ or "").split())


class Rulebook:
    """The rules of one file, in the order in which they stand there."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(
        self, codes: str | tuple[str, ...], stage: Stage, *versions: Version, certainty: Certainty = Certainty.INFERRED,
    ) -> Callable[[Test], Test]:
        """Put the decorated function in. Without versions: both."""

        def put(test: Test) -> Test:
            both = versions or (V10, V20)
            self.rules.append(Rule((codes,) if isinstance(codes, str) else codes, stage, both, certainty, test))
            return test

        return put


__all__ = [
    "ALLERGY_FIELDS", "Case", "Certainty", "Context", "DISPENSING", "DRUG_TYPES", "INPATIENT", "Place", "Rule", "Rulebook",
    "SETTLES_STAY", "Stage", "V10", "V20", "VACCINE_FIELDS", "Values",
]
