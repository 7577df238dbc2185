"""What a home-visit team's device keeps of the patients of the day: sealed, opened for its purpose, gone when its time is over.

Each package lies under a key of its own; when its time is over the key is erased, and what remains is noise. Every opening is
written down, for the audit when the team is back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from virtual_devices.home_package import HomePackage, MalformedPackage, read_package
from virtual_devices.pki import ChainVerifier

KEY_BYTES, NONCE = 32, bytes(12)  # one message a key
EXPIRED, NOT_TAKEN, OTHER_INSTITUTION = "1059", "9012", "5152"


@dataclass(frozen=True, slots=True)
class Opened:
    """One look into the bag. ``code``: ``0``, or why nothing was seen."""

    at_ns: int
    card_no: str
    by: str  # the professional's id
    code: str


@dataclass(slots=True)
class _Sealed:
    sealed: bytes
    until_ns: int
    key: bytes | None = field(repr=False)


class HomeBag:
    """The packages of one institution's team. ``fresh`` gives keys."""

    def __init__(self, institution: str, root: ChainVerifier, fresh: Callable[[int], bytes]) -> None:
        self._institution, self._root, self._fresh = institution, root, fresh
        self._kept: dict[str, _Sealed] = {}
        self.openings: list[Opened] = []

    def put(self, raw: bytes, now_ns: int) -> HomePackage:
        """Take a package along, in place of the same patient's former one. Raises MalformedPackage for one that the data centre
        did not sign, that is another institution's, or whose time is over."""
        package = read_package(raw, self._root, now_ns)
        if package.institution != self._institution:
            raise MalformedPackage("this home package is another institution's", code=OTHER_INSTITUTION)
        if not package.from_ns <= now_ns < package.until_ns:
            raise MalformedPackage("the time of this home package is over, or has not begun", code=EXPIRED)
        key = self._fresh(KEY_BYTES)
        sealed = AESGCM(key).encrypt(NONCE, raw, package.person.card_no.encode())
        self._kept[package.person.card_no] = _Sealed(sealed, package.until_ns, key)
        return package

    def open(self, card_no: str, by: str, now_ns: int) -> HomePackage | str:
        """The package, for the professional who is at the patient's; or the code that says why not."""
        self.expire(now_ns)
        found = self._look(card_no, by, now_ns)
        self.openings.append(Opened(now_ns, card_no, by, "0" if isinstance(found, HomePackage) else found))
        return found

    def _look(self, card_no: str, by: str, now_ns: int) -> HomePackage | str:
        sealed = self._kept.get(card_no)
        if sealed is None:
            return NOT_TAKEN
        if sealed.key is None:
            return EXPIRED
        try:
            raw = AESGCM(sealed.key).decrypt(NONCE, sealed.sealed, card_no.encode())
            package = read_package(raw, self._root, now_ns)
        except (InvalidTag, MalformedPackage):
            return NOT_TAKEN
        return package if package.professional == by else OTHER_INSTITUTION

    def expire(self, now_ns: int) -> int:
        """Erase the keys of what is over. How many."""
        over = [sealed for sealed in self._kept.values() if sealed.key is not None and now_ns >= sealed.until_ns]
        for sealed in over:
            sealed.key = None
        return len(over)

    def empty(self) -> None:
        """The round is over: everything goes, also what might still be opened."""
        for sealed in self._kept.values():
            sealed.key = None

    @property
    def held(self) -> tuple[str, ...]:
        """Card numbers of what can still be opened."""
        return tuple(card_no for card_no, sealed in self._kept.items() if sealed.key is not None)

    def noise(self) -> bytes:
        """Everything that lies on the device, keys included, as whoever steals it would find it."""
        return b"".join(sealed.sealed + (sealed.key or b"") for sealed in self._kept.values())


__all__ = ["EXPIRED", "NOT_TAKEN", "HomeBag", "Opened"]
