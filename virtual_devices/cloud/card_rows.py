"""Cards as the data centre keeps them: their rows, and a card as it stands now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from virtual_devices.cloud.books import Kind, Shelf
from virtual_devices.cloud.identification import Level
from virtual_devices.cloud.journal import Asker
from virtual_devices.cloud.places import Place
from virtual_devices.lifecycle import Carrier, State
from virtual_devices.write_back import of_card


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone and the key made in its hardware, by their ids. ``attested``: the protocol verified that it is hardware."""

    device: bytes
    key: bytes
    attested: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """A ward's card on a guardian's phone: by whom, under which authorization, until when."""

    guardian: str
    authorization: bytes
    until_ns: int


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card. ``number``: in the order in which cards were made; ``device``, ``key``: the phone's, empty of a chip."""

    name: str
    number: int
    card_no: str
    carrier: Carrier
    made_ns: int
    expires_ns: int
    level: Level
    place: Place
    phone: Phone | None
    held: Held | None
    device: bytes
    key: bytes
    state: State = State.APPLIED
    suspended_by: Asker | None = None


@dataclass(frozen=True, slots=True)
class Barred:
    """A person whose card the data centre itself has stopped."""

    card_no: str


@dataclass(frozen=True, slots=True)
class Wiping:
    """A card that a phone is to erase."""

    name: str
    device: bytes


CARDS = Kind("cards", CardRow, ("name",), (("card_no", "number"), ("card_no",), ("device",), ("key",)))
BARRED = Kind("barred", Barred, ("card_no",))
WIPING = Kind("wiping", Wiping, ("name",), (("device",),))


class Card:
    """One card, by its name, as it stands now: each look reads its row. ``card_no`` is the person's, whom it names; ``place`` is
    in the status list."""

    __slots__ = ("_shelf", "name")

    def __init__(self, name: str, shelf: Shelf[CardRow]) -> None:
        self.name, self._shelf = name, shelf

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Card) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Card({self.name})"

    @property
    def row(self) -> CardRow:
        row = self._shelf.get(self.name)
        assert row is not None  # a card is never taken away
        return row

    def change(self, **changes: Any) -> None:
        """Other values in its row."""
        self._shelf.put(replace(self.row, **changes))

    @property
    def card_no(self) -> str:
        return self.row.card_no

    @property
    def carrier(self) -> Carrier:
        return self.row.carrier

    @property
    def made_ns(self) -> int:
        return self.row.made_ns

    @property
    def expires_ns(self) -> int:
        return self.row.expires_ns

    @property
    def level(self) -> Level:
        return self.row.level

    @property
    def place(self) -> Place:
        return self.row.place

    @property
    def phone(self) -> Phone | None:
        return self.row.phone

    @property
    def held(self) -> Held | None:
        return self.row.held

    @property
    def state(self) -> State:
        return self.row.state

    @property
    def suspended_by(self) -> Asker | None:
        return self.row.suspended_by

    @property
    def holder(self) -> bytes:
        """Whom records name that are for this card; empty for a chip, which nothing is brought to."""
        return b"" if self.phone is None else of_card(self.phone.key, self.held.authorization if self.held else b"")


class CardsByName(Mapping[str, Card]):
    """All cards."""

    def __init__(self, shelf: Shelf[CardRow]) -> None:
        self._shelf = shelf

    def __getitem__(self, name: str) -> Card:
        if self._shelf.get(name) is None:
            raise KeyError(name)
        return Card(name, self._shelf)

    def __iter__(self) -> Iterator[str]:
        return iter([row.name for row in self._shelf])

    def __len__(self) -> int:
        return len(self._shelf)


__all__ = ["BARRED", "Barred", "CARDS", "Card", "CardRow", "CardsByName", "Held", "Phone", "WIPING", "Wiping"]
