"""What a quick class must not lose of a frozen dataclass."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from virtual_devices.quick import QuickEnum, quick, unchecked


@quick
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)
    made: str = field(default="", init=False, compare=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is below 0")
        object.__setattr__(self, "made", f"{self.x},{self.y}")


class Colour(QuickEnum):
    RED = 1
    BLUE = 2


def test_quick_object_is_equal_hashed_and_shown_as_before() -> None:
    point = Point(1, y=3, tags=[])
    assert type(point) is Point and point == Point(1, 3) and point != Point(1)
    assert repr(point) == "Point(x=1, y=3, tags=[], made='1,3')"
    assert Point(1).tags is not Point(1).tags
    assert replace(point, x=5) == Point(5, 3) and replace(point, x=5).made == "5,3"


def test_quick_object_is_frozen() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point.x == 1


def test_quick_object_is_checked_unless_it_is_said_to_fit() -> None:
    with pytest.raises(ValueError, match="below 0"):
        Point(-1)
    assert unchecked(Point)(-1).x == -1


@pytest.mark.parametrize("arguments", [(), (1, 2, [], 4), (1, 2, [], "made")])
def test_quick_object_takes_the_arguments_of_its_class(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Point(*arguments)  # type: ignore[arg-type]


def test_quick_object_is_copied_and_pickled_whole() -> None:
    point = Point(1, 3, ["a"])
    for other in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert other == point and other.made == "1,3" and type(other) is Point


def test_only_frozen_dataclasses_with_slots_are_made_quick() -> None:
    @dataclass
    class Loose:
        x: int

    with pytest.raises(TypeError, match="no frozen dataclass"):
        quick(Loose)


def test_quick_members_are_keys_of_tables_after_pickling_too() -> None:
    table = {Colour.RED: "red"}
    assert table[pickle.loads(pickle.dumps(Colour.RED))] == "red" and Colour.BLUE not in table
