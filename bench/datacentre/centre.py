"""The data centre as a service keeps it: acts of several threads in turn; and the invented clinic, pharmacy and people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from bench.datacentre.credentials import CLINIC, PHARMACY
from bench.datacentre.database.turns import Turns
from virtual_devices.card.holder import make_holder
from virtual_devices.cloud import centre
from virtual_devices.cloud.books import Books
from virtual_devices.cloud.centre import Newcomer
from virtual_devices.cloud.registers import Contracted
from virtual_devices.pki import Authority
from virtual_devices.randomness import digest, stream
from virtual_devices.uploads.register import Trade

T = TypeVar("T")
SAMPLE_INSTITUTIONS = (
    (CLINIC, Trade.CLINIC, "SAM000000001", "A123456789"), (PHARMACY, Trade.PHARMACY, "SAM000000002", "B223456786"),
)
"""Code, trade, SAM, and a professional's national id."""


class Centre(centre.Centre):
    """One data centre, asked by several threads: acts run one after another."""

    def __init__(
        self, authority: Authority, books: Books, fresh: Callable[[int], bytes], maker_root: bytes | None = None,
    ) -> None:
        super().__init__(authority, books, fresh, maker_root)
        self._turns = Turns(books)

    def act(self, do: Callable[[], T]) -> T:
        """One act, alone, whole or not at all. When this returns, it has been committed."""
        return self._turns.do(do)


def sample_institutions(centre: Centre) -> None:
    """The invented clinic and pharmacy in the registers, each with a SAM and a professional; they upload format 2.0."""
    for code, trade, sam_id, professional in SAMPLE_INSTITUTIONS:
        if centre.registers.institutions.get(code) is None:
            centre.registers.contract(Contracted(code, trade, began_20="1130101"), [sam_id], [professional])


def sample_people(seed: int, count: int, on: date) -> list[Newcomer]:
    """Invented people, who follow from the seed."""
    people = []
    for number in range(count):
        rng = stream(seed, "sample person", number)
        card_no = f"{int.from_bytes(digest(seed, 'sample person', number)[:5], 'big') % 10**12:012d}"
        people.append(Newcomer(card_no, make_holder(rng, on), f"F{rng.randrange(10**7):07d}", f"0912{rng.randrange(10**6):06d}"))
    return people


__all__ = ["Centre", "Newcomer", "SAMPLE_INSTITUTIONS", "sample_institutions", "sample_people"]
