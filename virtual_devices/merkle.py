"""A history that can only be added to: the Merkle tree of RFC 9162 (hashing of RFC 6962), its proofs, and how each is verified.

A *head* is a size and a root hash. An *inclusion proof* shows that a leaf stands at an index under a head; a *consistency proof*
that a head continues an earlier one, nothing changed, dropped or put in between. Standard: RFC 9162 clause 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from virtual_devices.errors import UsageError

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Nodes(Protocol):
    """Where hashes are kept: of every whole subtree, by its level (0: leaves) and its number there."""

    def get(self, level: int, number: int) -> bytes:
        """A hash that was put."""
        ...

    def put(self, level: int, number: int, value: bytes) -> None:
        ...


class MemoryNodes:
    """In memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], bytes] = {}

    def get(self, level: int, number: int) -> bytes:
        return self._kept[level, number]

    def put(self, level: int, number: int, value: bytes) -> None:
        self._kept[level, number] = value


class Tree:
    """The tree over nodes that are kept. Adding costs two hashes on average, a root or a proof the logarithm of the size."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def add(self, index: int, leaf: bytes) -> None:
        """The next leaf's hash. ``index``: how many there are before it."""
        level = 0
        self._nodes.put(0, index, leaf)
        while index & 1:
            leaf = node_hash(self._nodes.get(level, index - 1), leaf)
            level, index = level + 1, index >> 1
            self._nodes.put(level, index, leaf)

    def root(self, size: int) -> bytes:
        return self._over(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """From the leaf upwards. Raises UsageError when there is no such leaf under a tree of this size."""
        if not 0 <= index < size:
            raise UsageError(f"there is no leaf {index} in a tree of {size}")
        return self._path(index, 0, size)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """That the tree of ``size`` leaves continues the one of ``old``. Raises UsageError when it is the shorter one."""
        if not 0 <= old <= size:
            raise UsageError(f"a tree of {size} leaves does not continue one of {old}")
        return self._subproof(old, 0, size, True) if old else []

    def _over(self, begin: int, end: int) -> bytes:
        """Of the leaves from ``begin`` to before ``end``; ``begin`` is a multiple of the smallest power of two not below their
        number."""
        count = end - begin
        if count & (count - 1) == 0:
            level = count.bit_length() - 1
            return self._nodes.get(level, begin >> level)
        middle = begin + _split(count)
        return node_hash(self._over(begin, middle), self._over(middle, end))

    def _path(self, index: int, begin: int, end: int) -> list[bytes]:
        if end - begin == 1:
            return []
        middle = begin + _split(end - begin)
        if index < middle:
            return [*self._path(index, begin, middle), self._over(middle, end)]
        return [*self._path(index, middle, end), self._over(begin, middle)]

    def _subproof(self, old: int, begin: int, end: int, known: bool) -> list[bytes]:
        """``known``: whoever verifies has the hash of these leaves already, as the old root."""
        if old == end:
            return [] if known else [self._over(begin, end)]
        middle = begin + _split(end - begin)
        if old <= middle:
            return [*self._subproof(old, begin, middle, known), self._over(middle, end)]
        return [*self._subproof(old, middle, end, False), self._over(begin, middle)]


def _split(count: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << (count - 1).bit_length() - 1


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 clause 2.1.3.2."""
    if not 0 <= index < size:
        return False
    number, last, value = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            value = node_hash(each, value)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            value = node_hash(value, each)
        number, last = number >> 1, last >> 1
    return last == 0 and value == root


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 clause 2.1.4.2. Every tree continues the empty one."""
    if not 0 <= old <= size:
        return False
    if old in (0, size):
        return not proof and old_root == (root if old else EMPTY_ROOT)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    number, last = old - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, each)
        number, last = number >> 1, last >> 1
    return last == 0 and first == old_root and second == root


class Growing:
    """A root worked out leaf by leaf, without keeping them: for whoever is given the whole history."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        number = self.size
        while number & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            number >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


__all__ = [
    "EMPTY_ROOT", "Growing", "MemoryNodes", "Nodes", "Tree", "leaf_hash", "node_hash", "verify_consistency", "verify_inclusion",
]
