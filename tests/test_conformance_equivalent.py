"""Mutants that nobody can find: the list fits the code as it is, and a slip in it is told."""

from __future__ import annotations

import pytest

from bench.self_check import all_mutants
from conformance.kinds import suites
from conformance.mutants.equivalent import equivalents, read, stale
from virtual_devices.errors import UsageError

ROW = """
[[equivalent]]
kinds = ["card"]
function = "virtual_devices.chip:Chip.handle"
line = "a line"
mutants = ["left-out"]
why = "a reason"
"""


def test_entry_fits_a_mutant_of_each_of_its_kinds() -> None:
    there = [(kind, mutant) for kind, suite in suites().items() for mutant in all_mutants(suite)]
    assert stale(equivalents(), there) == []
    assert len(stale(read(ROW), there)) == 1


@pytest.mark.parametrize(("old", "new", "says"), [
    ('why = "a reason"', "", "missing or unknown: why"), ('"card"', '"crad"', "crad"), ("why", "because", "because, why"),
    ('why = "a reason"', 'why = "a\\nb"', "one line"), ('["left-out"]', "[]", "one or more"), ("[[equivalent]]", "[[equal]]",
                                                                                               "nothing else"),
    ('"a line"', "1", "texts of one line"), ("[[equivalent]]", "[[equivalent]", "equivalent.toml"),
])
def test_slip_is_told(old: str, new: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read(ROW.replace(old, new, 1))
