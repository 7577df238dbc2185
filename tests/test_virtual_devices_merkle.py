"""The Merkle tree: published vectors, a naive tree beside it, and proofs that nothing else passes for."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_devices.errors import UsageError
from virtual_devices.merkle import (
    EMPTY_ROOT,
    Growing,
    MemoryNodes,
    Tree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

ENTRIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]
ROOTS = [  # as implementations of RFC 6962 publish them, for 1 to 8 of these entries
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162 clause 2.1.1, word by word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\1" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


def naive_path(index: int, entries: list[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    split = 1
    while split * 2 < len(entries):
        split *= 2
    if index < split:
        return [*naive_path(index, entries[:split]), naive_root(entries[split:])]
    return [*naive_path(index - split, entries[split:]), naive_root(entries[:split])]


def tree_of(entries: list[bytes]) -> Tree:
    tree = Tree(MemoryNodes())
    for index, entry in enumerate(entries):
        tree.add(index, leaf_hash(entry))
    return tree


def test_roots_are_the_published_ones() -> None:
    tree, growing = tree_of(ENTRIES), Growing()
    assert tree.root(0) == EMPTY_ROOT == growing.root()
    for size, root in enumerate(ROOTS, 1):
        growing.add(leaf_hash(ENTRIES[size - 1]))
        assert tree.root(size).hex() == root == growing.root().hex()


def test_inclusion_proof_is_the_published_one() -> None:
    proof = tree_of(ENTRIES).inclusion(0, 8)
    assert [each.hex() for each in proof] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


SIZES = st.integers(1, 70)


@settings(max_examples=60)
@given(SIZES, st.data())
def test_proofs_agree_with_a_naive_tree_and_are_verified(size: int, data: st.DataObject) -> None:
    entries = [b"%d" % number for number in range(size)]
    tree = tree_of(entries)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    root, proof = tree.root(size), tree.inclusion(index, size)
    assert root == naive_root(entries) and proof == naive_path(index, entries)
    assert verify_inclusion(leaf_hash(entries[index]), index, size, proof, root)
    assert verify_consistency(old, tree.root(old), size, root, tree.consistency(old, size))


@settings(max_examples=60)
@given(SIZES, st.data())
def test_nothing_else_passes(size: int, data: st.DataObject) -> None:
    tree = tree_of([b"%d" % number for number in range(size)])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    root, proof, leaf = tree.root(size), tree.inclusion(index, size), leaf_hash(b"%d" % index)
    other = data.draw(st.integers(-1, size + 2).filter(lambda n: n != index))
    assert not verify_inclusion(leaf, other, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, [*proof, root], root)
    steps = tree.consistency(old, size)
    for wrong in _altered(proof):
        assert not verify_inclusion(leaf, index, size, wrong, root)
    for wrong in _altered(steps):
        assert not verify_consistency(old, tree.root(old), size, root, wrong)
    if old:
        assert not verify_consistency(old, hashlib.sha256(b"other").digest(), size, root, steps)
    if 0 < old < size:
        assert not verify_consistency(size, root, old, tree.root(old), steps)
        assert not verify_consistency(old, tree.root(old), size, hashlib.sha256(b"other").digest(), steps)


def _altered(proof: list[bytes]) -> list[list[bytes]]:
    changed = [[*proof[:n], bytes(32), *proof[n + 1 :]] for n in range(len(proof))]
    return [*changed, *([proof[:-1]] if proof else []), [*proof, bytes(32)]]


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_what_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(UsageError):
        tree_of(ENTRIES).inclusion(index, size)
    with pytest.raises(UsageError):
        tree_of(ENTRIES).consistency(4, 3)
