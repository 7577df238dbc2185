"""Which key each card is bound to, and which requests of phones were done: for whoever asks again."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from virtual_devices.cloud.books import Books, Kind
from virtual_devices.cloud.journal import Answer


@dataclass(frozen=True, slots=True)
class CardKey:
    """The device key of a card; ``point``: uncompressed, of P-256."""

    card: str
    point: bytes


@dataclass(frozen=True, slots=True)
class DoneByPhone:
    """An act that was done at a phone's request. ``content``: fingerprint of what was asked, without its proof."""

    phone: bytes
    id: bytes
    content: bytes
    answer: Answer


CARD_KEYS = Kind("card_keys", CardKey, ("card",))
DONE = Kind("done_by_phones", DoneByPhone, ("phone", "id"))


class DeviceKeys(MutableMapping[str, ec.EllipticCurvePublicKey]):
    """The device key of each card, by the card's name."""

    def __init__(self, books: Books) -> None:
        self._shelf = books.shelf(CARD_KEYS)

    def __getitem__(self, card: str) -> ec.EllipticCurvePublicKey:
        found = self._shelf.get(card)
        if found is None:
            raise KeyError(card)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), found.point)

    def __setitem__(self, card: str, key: ec.EllipticCurvePublicKey) -> None:
        self._shelf.put(CardKey(card, key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)))

    def __delitem__(self, card: str) -> None:
        self._shelf.remove(card)

    def __iter__(self) -> Iterator[str]:
        return iter([row.card for row in self._shelf])

    def __len__(self) -> int:
        return len(self._shelf)


__all__ = ["CARD_KEYS", "CardKey", "DONE", "DeviceKeys", "DoneByPhone"]
