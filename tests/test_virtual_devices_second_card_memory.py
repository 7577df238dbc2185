"""A chip's numbered cells as named values: what was put is found, what went leaves a cell that is taken again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.card.second_records import ChipMemory
from virtual_devices.link import PowerCut, Work
from virtual_devices.store import Store

NAMES = [f"record.{n:08d}" for n in range(6)] + ["chain.ab", "receipt.cd", "records.generation"]
CHANGES = st.dictionaries(st.sampled_from(NAMES), st.one_of(st.none(), st.binary(max_size=12)), max_size=5)


def values(memory: ChipMemory) -> dict[str, bytes | None]:
    return {name: memory.get(name) for name in memory.names("")}


@given(commits=st.lists(CHANGES, max_size=25))
def test_memory_holds_what_was_put_and_takes_free_cells_first(commits: list[dict[str, bytes | None]]) -> None:
    store, model, most = Store({"public": b"x"}, Work()), {}, 0
    for changes in commits:
        ChipMemory(store).commit(changes)
        model |= changes
        model = {name: value for name, value in model.items() if value is not None}
        most = max(most, len(model))
        assert values(ChipMemory(store)) == model
        assert set(ChipMemory(store).names("record.")) == {name for name in model if name.startswith("record.")}
        assert len(store.cells()) - 2 <= most  # beside the public data and the journal
    assert store["public"] == b"x"


@given(before=CHANGES, changes=CHANGES)
def test_torn_commit_leaves_the_old_values_or_the_new(before: dict[str, bytes | None], changes: dict[str, bytes | None]) -> None:
    begun = Store({}, Work())
    ChipMemory(begun).commit(before)
    old = values(ChipMemory(begun))
    new = {name: value for name, value in (old | changes).items() if value is not None}
    for point in range(100):
        store = Store(begun.cells(), Work())
        store.arm_cut(point)
        try:
            ChipMemory(store).commit(changes)
        except PowerCut:
            store.recover()
            assert values(ChipMemory(store)) in (old, new)
            continue
        assert values(ChipMemory(store)) == new
        return
    pytest.fail("more cut points than such a commit has")
