"""The trials: each code under each weakness at each strength, read by the driver's own reader, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bench.drivers._qr_worker import codes as codes_in
from bench.maps.qr.codes import Code, Kind, Level, several
from bench.maps.qr.weaknesses import SEVERAL, Weakness, seen
from virtual_devices.randomness import digest


@dataclass(frozen=True, slots=True)
class Misread:
    """A reading that gave a text that nobody showed: the worst that a reader can do."""

    code: Code
    weakness: Weakness
    strength: float
    trial: int
    text: str
    picture: Image.Image


@dataclass(frozen=True, slots=True)
class Tried:
    """One cell of the map. ``read_ms``: each reading's time, successful or not."""

    code: Code
    weakness: Weakness
    strength: float
    trials: int
    read: int
    read_ms: tuple[float, ...]
    misreads: tuple[Misread, ...]
    sample: Image.Image


Read = Callable[[Image.Image], list[str]]


def tried(
    kinds: Sequence[Kind], levels: Sequence[Level], weaknesses: Sequence[Weakness], trials: int, seed: int, read: Read = codes_in,
) -> Iterator[Tried]:
    """Each cell when it is done, in order. Pictures follow from the seed alone; times are this machine's."""
    for level in levels:
        for kind in kinds:
            codes = several(kind, level, seed, _most(weaknesses))
            for weakness in weaknesses:
                for strength in weakness.strengths:
                    yield _cell(codes, weakness, strength, trials, seed, read)


def cells(kinds: Sequence[Kind], levels: Sequence[Level], weaknesses: Sequence[Weakness]) -> int:
    """How many there will be."""
    return len(kinds) * len(levels) * sum(len(weakness.strengths) for weakness in weaknesses)


def _most(weaknesses: Sequence[Weakness]) -> int:
    return max(round(max(weakness.strengths)) if weakness.name == SEVERAL else 1 for weakness in weaknesses)


def _cell(codes: Sequence[Code], weakness: Weakness, strength: float, trials: int, seed: int, read: Read) -> Tried:
    code = codes[0]
    shown = {other.text for other in (codes[: round(strength)] if weakness.name == SEVERAL else codes[:1])}
    count, times, misreads, sample = 0, [], [], None
    for trial in range(trials):
        named = digest(seed, "qr map", code.kind.name, code.level.value, weakness.name, repr(strength), trial)
        picture = seen(codes, weakness, strength, np.random.default_rng(int.from_bytes(named[:16], "big")))
        began = time.perf_counter_ns()
        texts = read(picture)
        times.append((time.perf_counter_ns() - began) / 1e6)
        count += code.text in texts
        misreads += [Misread(code, weakness, strength, trial, text, picture) for text in texts if text not in shown]
        sample = sample or picture
    assert sample is not None
    return Tried(code, weakness, strength, trials, count, tuple(times), tuple(misreads), sample)


__all__ = ["Misread", "Tried", "cells", "tried"]
