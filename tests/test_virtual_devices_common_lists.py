"""HOM-06: medicines, packages and questions that a team chooses from at a home."""

from __future__ import annotations

from dataclasses import replace

import pytest

from virtual_devices.errors import UsageError
from virtual_devices.home_package import HOME_CARE, HomePackage, HomePerson
from virtual_devices.institution.common_lists import Order, example_lists, read_lists

PERSON = HomePerson("000000000001", "王小明", "A123456789", "0690102", "M")
PACKAGE = HomePackage(bytes(16), "9901180014", "A123456789", HOME_CARE, 0, 1, PERSON, "0", "1151231")
GOOD = """
[meta]
schema = 1
[[medicine]]
item = "ZZ1"
zh = "藥"
en = "a medicine"
usage = "1T QD PO"
tenths = 10
[[package]]
id = "one"
zh = "套餐"
en = "a package"
items = ["ZZ1"]
[[question]]
id = "how"
when = "always"
zh = "好嗎？"
en = "How are you?"
"""


def test_package_prescribes_for_as_many_days_as_wanted() -> None:
    lists = example_lists()
    entries = lists.entries("metabolic", Order("2", "06"), 28)
    assert [(e.item_code, e.usage, e.days, e.total_tenths) for e in entries] == [
        ("ZZ00000101", "1T QD PO", 28, 280), ("ZZ00000201", "1T TID PO", 28, 840),
    ]
    assert all(e.drug and e.released for e in entries)
    with pytest.raises(UsageError, match="pressure, metabolic, bedridden"):
        lists.entries("all", Order("1", "02"), 3)


def test_what_is_asked_goes_by_what_was_taken_along() -> None:
    lists = example_lists()
    new, known = lists.questions(PACKAGE), lists.questions(replace(PACKAGE, prescriptions=(b"signed",)))
    assert [q.id for q in new] == ["complaint", "allergies", "elsewhere"]
    assert [q.id for q in known] == ["complaint", "allergies", "taken"]


@pytest.mark.parametrize(("old", "new", "says"), [
    ("schema = 1", "schema = 2", r"\[meta\] schema is to be 1"), ("[meta]", "[meta", "lists.toml: "),
    ("tenths = 10", "tenths = true", r"\[\[medicine\]\] 1: tenths is to be a whole number above 0"),
    ("tenths = 10", "", r"\[\[medicine\]\] 1 has to have item, zh, en, usage, tenths"),
    ('"always"', '"never"', "when is one of always, prescribed, none"),
    ('items = ["ZZ1"]', 'items = ["ZZ2"]', "package 'one' has ZZ2"),
    ("[[package]]", GOOD[GOOD.index("[[medicine]]") : GOOD.index("[[package]]")] + "[[package]]", "same name"),
])  # fmt: skip
def test_list_that_is_none_is_refused_by_its_place(old: str, new: str, says: str) -> None:
    assert read_lists(GOOD, "lists.toml").packages["one"].items == ("ZZ1",)
    with pytest.raises(UsageError, match=says) as error:
        read_lists(GOOD.replace(old, new), "lists.toml")
    assert str(error.value).startswith("lists.toml: ")
