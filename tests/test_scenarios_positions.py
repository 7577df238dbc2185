"""Where a key and a value stand in a TOML text, however it is written."""

from __future__ import annotations

import tomllib
from typing import Any

from scenarios.positions import Positions

from .scenario_text import WHOLE


def test_positions_follow_every_way_of_writing_a_key() -> None:
    text = 'a.b = 1\n"c d" = { e = [1, { f = 2 }] }\n[[g]]\nh.i = 3\n[[g]]\n[g.j]\nk = 4\n[l.m.n]\n'
    places = Positions(text)
    spots = {
        ("a", "b"): (1, 7), ("c d",): (2, 9), ("c d", "e", 0): (2, 16), ("c d", "e", 1, "f"): (2, 25), ("g", 0, "h", "i"): (4, 7),
        ("g", 1): (5, 3), ("g", 1, "j", "k"): (7, 5), ("l",): (8, 2), ("l", "m"): (8, 4), ("nowhere",): (1, 1),
    }  # fmt: skip
    assert {path: (places.value(path).line, places.value(path).column) for path in spots} == spots
    assert (places.key(("g", 1, "j", "k")).line, places.key(("g", 1, "j", "k")).column) == (7, 1)


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for index, value in enumerate(data) for leaf in leaves(value, (*path, index))]
    return [path]


def test_every_value_of_a_file_has_a_position_of_its_own() -> None:
    places = Positions(WHOLE)
    spots = [places.value(path) for path in leaves(tomllib.loads(WHOLE))]
    assert len(set(spots)) == len(spots)
    for path, spot in zip(leaves(tomllib.loads(WHOLE)), spots, strict=True):
        text = WHOLE.split("\n")[spot.line - 1][spot.column - 1 :][: spot.width]
        value: Any = tomllib.loads(WHOLE)
        for part in path:
            value = value[part]
        assert tomllib.loads(f"x = {text}")["x"] == value
