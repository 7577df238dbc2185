"""Good messages with something wrong, from a seed: bits and bytes, the heads and lengths of structures, trees of CBOR."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import cbor2

from virtual_devices import cbor

FEW = (1, 1, 1, 2, 5)
"""How many things are wrong with one message."""
_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 23, 24, 255, 65536, 1 << 32, 1 << 63, -(1 << 63), (1 << 64) - 1, 1 << 70, 0.0, 1.5, float("nan"),
    float("inf"), b"", b"\x00", bytes(31), bytes(32), bytes(64), bytes(300), "", "0", "1.0", "\u202e", "王", "x" * 300, [],
    [None], {}, {0: 0}, {"": ""}, [[]] * 9, cbor2.CBORTag(24, b"\xa0"), cbor2.CBORTag(24, 0), cbor2.CBORTag(0, "now"),
    cbor2.CBORTag(18, []), cbor2.CBORTag(1 << 40, None), cbor2.undefined, cbor2.CBORSimpleValue(99),
)
_DEEPEST = 12
_MANY = 100
"""What has so many items or characters is not multiplied once more."""
_LONGEST = 0xFFFF


def spoil(rng: Random, message: bytes) -> bytes:
    """Bits, bytes, lengths, or another tail."""
    data = bytearray(message)
    for _ in range(rng.choice(FEW)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(8):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at] = rng.choice((0x00, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2 if data:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 4:
                data[at:] = rng.randbytes(rng.randrange(0, 40))
            case 5 if data:
                data[at:at] = data[at : at + rng.randrange(1, 40)]  # doubled
            case 6 if data:
                data[at] = (data[at] + rng.choice((1, -1))) % 256  # a length one off
            case _:
                data[:5] = rng.randbytes(5)
    return bytes(data)


def spoil_cbor(rng: Random, message: bytes) -> bytes:
    """The same on the tree of a CBOR item, byte strings that hold CBOR included; what is none is spoilt as bytes."""
    try:
        tree = cbor.decode(message)
    except cbor.MalformedCbor:
        return spoil(rng, message)
    for _ in range(rng.choice(FEW)):
        tree = _changed(rng, tree, 0)
    try:
        encoded: bytes = cbor2.dumps(tree, canonical=rng.random() < 0.5)
    except (TypeError, ValueError, cbor2.CBOREncodeError, OverflowError, RecursionError):
        return spoil(rng, message)
    return encoded


def _changed(rng: Random, node: Any, depth: int) -> Any:
    """The same with one place changed, here or somewhere below."""
    below = depth < _DEEPEST and rng.random() < 0.85
    match node:
        case cbor2.CBORTag() if below:
            return cbor2.CBORTag(node.tag, _changed(rng, node.value, depth + 1))
        case dict() if node and below:
            key = rng.choice(list(node))
            return {k: _changed(rng, v, depth + 1) if k == key else v for k, v in node.items()}
        case list() | tuple() if node and below:
            at = rng.randrange(len(node))
            return [_changed(rng, v, depth + 1) if n == at else v for n, v in enumerate(node)]
        case bytes() if below and len(node) > 2:
            return spoil_cbor(rng, node)
    return _replaced(rng, node)


def _replaced(rng: Random, node: Any) -> Any:
    match node:
        case dict() if node and rng.random() < 0.7:
            return _other_map(rng, node)
        case list() | tuple() if node and rng.random() < 0.7:
            items = list(node)
            at = rng.randrange(len(items))
            return rng.choice((items[:at] + items[at + 1 :], [*items, items[at]], items[::-1], items * 3))
        case bytes() if rng.random() < 0.7:
            return spoil(rng, node)
        case int() if rng.random() < 0.5:
            return node + rng.choice((1, -1, 1 << 31, -(1 << 31)))
        case str() if rng.random() < 0.5:
            return rng.choice((node[:-1], node + "x", node * (30 if len(node) < _MANY else 1), node.upper(), node[::-1]))
    return rng.choice((node, rng.choice(_ODD), cbor2.CBORTag(rng.choice((0, 1, 2, 18, 24, 61, 98, 1004)), node)))


def _other_map(rng: Random, node: dict[Any, Any]) -> dict[Any, Any]:
    key = rng.choice(list(node))
    less = {k: v for k, v in node.items() if k != key}
    other = rng.choice((0, 1, -1, 99, "", "version", True, 1.0, b"key"))
    return rng.choice((less, node | {other: node[key]}, less | {other: node[key]}, node | {key: rng.choice(_ODD)}))


def framed(messages: Sequence[bytes]) -> bytes:
    """Several messages as one input: each after its length in two bytes, and cut at what these can say."""
    return b"".join(len(m[:_LONGEST]).to_bytes(2, "big") + m[:_LONGEST] for m in messages)


def unframed(raw: bytes, most: int = 40) -> list[bytes]:
    """The messages in an input, whatever it is: the last may be shorter than its length says."""
    found, at = [], 0
    while at < len(raw) and len(found) < most:
        length = int.from_bytes(raw[at : at + 2], "big")
        found.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    return found


def spoil_framed(rng: Random, message: bytes) -> bytes:
    """A sequence of messages: one of them spoilt, left out, doubled, or two exchanged."""
    found = unframed(message)
    if not found:
        return spoil(rng, message)
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(found))
        match rng.randrange(6):
            case 0 if len(found) > 1:
                del found[at]
            case 1:
                found.insert(at, found[at])
            case 2:
                to = rng.randrange(len(found))
                found[at], found[to] = found[to], found[at]
            case 3:
                found.insert(at, rng.randbytes(rng.choice((0, 1, 4, 5, 7, 30, 300))))
            case _:
                found[at] = spoil(rng, found[at])
    return framed(found)


__all__ = ["framed", "spoil", "spoil_cbor", "spoil_framed", "unframed"]
