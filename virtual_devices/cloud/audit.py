"""Accountability: every access and change at the data centre, in a log that can only be added to (``merkle.py``).

An entry is added in the same transaction as what it tells of: neither is there without the other. It holds no personal field.
Institutions and their SAMs stand in it as they are; people (patients, phones' holders, officers) as pseudonyms under a key that
only the data centre has: it finds somebody's entries for them, and nobody else learns from the log whose they are. The form is
the bench's profile; hashing and proofs are RFC 9162's.

What is signed, the *head*, is a COSE_Sign1 by the data centre over the CBOR map 1: :data:`HEAD`, 2: size, 3: root, 4: time (ns).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cbor2

from virtual_devices import cose
from virtual_devices.cloud.books import Books, Kind
from virtual_devices.cloud.counting import COUNTERS, next_number
from virtual_devices.cloud.packing import pack
from virtual_devices.errors import PeerError
from virtual_devices.merkle import Tree, leaf_hash
from virtual_devices.pki import ChainVerifier, Identity, Refused, Role
from virtual_devices.randomness import digest

HEAD = "VHC audit head 1"
ENTRIES = "audit entries"
PSEUDONYM_BYTES = 16


class Who(Enum):
    """Who acted."""

    INSTITUTION = "institution"  # by its SAM
    PHONE = "phone"  # a holder's or a guardian's
    OFFICER = "officer"


@dataclass(frozen=True, slots=True)
class Entry:
    """One access or change. ``actor``: ``institution/SAM``, where a professional's card signed with
    their pseudonym behind another stroke, or a pseudonym in hex alone; ``subject``: pseudonym of whose data it was
    about, empty when about nobody's; ``under``: id of the authorization, if any (of a deletion at
    the end of retention: SHA-256 of the signed statement that proves it); ``code``: the field's, as it was answered."""

    number: int  # 0 is the first
    at_ns: int
    who: Who
    actor: str
    what: str
    subject: bytes
    under: bytes
    code: str

    def encoded(self) -> bytes:
        """As it is hashed."""
        return pack(self)


@dataclass(frozen=True, slots=True)
class AuditNode:
    """The hash of a whole subtree."""

    level: int
    number: int
    value: bytes


AUDIT = Kind("audit_entries", Entry, ("number",), (("subject", "number"), ("subject",)))
NODES = Kind("audit_nodes", AuditNode, ("level", "number"))


@dataclass(frozen=True, slots=True)
class Head:
    """What the data centre has signed: so many entries, this root, at this time."""

    size: int
    root: bytes
    at_ns: int


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry with its proof under a head of ``size``."""

    entry: Entry
    size: int
    proof: tuple[bytes, ...]


class _Shelved:
    """The tree's nodes, on their shelf."""

    def __init__(self, books: Books) -> None:
        self._nodes = books.shelf(NODES)

    def get(self, level: int, number: int) -> bytes:
        node = self._nodes.get(level, number)
        if node is None:
            raise PeerError(f"the audit log lacks the hash of subtree {number} at level {level}: its database was tampered with")
        return node.value

    def put(self, level: int, number: int, value: bytes) -> None:
        self._nodes.add(AuditNode(level, number, value))


class AuditLog:
    """The log. ``secret``: the key of the pseudonyms, the same as long as the log lives."""

    def __init__(self, books: Books, secret: bytes) -> None:
        self._books, self._secret = books, secret
        self._entries = books.shelf(AUDIT)
        self.tree = Tree(_Shelved(books))

    @property
    def size(self) -> int:
        counted = self._books.shelf(COUNTERS).get(ENTRIES)
        return 0 if counted is None else counted.last

    def pseudonym(self, name: str) -> bytes:
        """Of a person by card number, a phone or an officer by id."""
        return hmac.digest(self._secret, name.encode(), "sha256")[:PSEUDONYM_BYTES] if name else b""

    def institution(
        self, at_ns: int, code: str, institution: str, sam: str, what: str, subject: str = "", professional: str = "",
        under: bytes = b"",
    ) -> None:
        """What a SAM asked for, and the code that it was answered with. ``subject``: card number, empty for nobody's;
        ``professional``: the id of whose card signed it, if any did; ``under``: the authorization by which somebody came for
        the holder, as the desk has checked it."""
        by = f"/{self.pseudonym(f'professional {professional}').hex()}" if professional else ""
        self._add(at_ns, Who.INSTITUTION, f"{institution}/{sam}{by}", what, subject, under, code)

    def person(self, at_ns: int, code: str, who: Who, name: str, what: str, subject: str = "", under: bytes = b"") -> None:
        """The same by a phone or an officer."""
        self._add(at_ns, who, self.pseudonym(f"{who.value} {name}").hex(), what, subject, under, code)

    def _add(self, at_ns: int, who: Who, actor: str, what: str, subject: str, under: bytes, code: str) -> None:
        with self._books.transaction():
            number = next_number(self._books, ENTRIES) - 1
            entry = Entry(number, at_ns, who, actor, what, self.pseudonym(subject), under, code)
            self._entries.add(entry)
            self.tree.add(number, leaf_hash(entry.encoded()))

    def entry(self, number: int) -> Entry | None:
        return self._entries.get(number)

    def head(self, at_ns: int) -> Head:
        size = self.size
        return Head(size, self.tree.root(size), at_ns)

    def about(self, card_no: str) -> list[Proven]:
        """The holder's view: everything that touched their data, with proofs under the present head."""
        with self._books.transaction():
            size = self.size
            found = self._entries.where(subject=self.pseudonym(card_no))
            return [Proven(entry, size, tuple(self.tree.inclusion(entry.number, size))) for entry in found]


    def newest_about(self, card_no: str, most: int, before: int | None = None) -> tuple[list[Proven], int]:
        """The newest of those, with numbers below ``before``, and how many are older."""
        with self._books.transaction():
            size = self.size
            last = size - 1 if before is None else min(before, size) - 1
            found = self._entries.upto("number", last, subject=self.pseudonym(card_no))
            told = [Proven(entry, size, tuple(self.tree.inclusion(entry.number, size))) for entry in found[-most:]]
            return told, len(found) - len(told)


def audit_log(books: Books, identity: Identity) -> AuditLog:
    """The log of the data centre with that identity: pseudonyms follow from its key."""
    return AuditLog(books, digest("pseudonyms", identity.key.private_numbers().private_value))


def sign_head(head: Head, by: Identity) -> bytes:
    payload = cbor2.dumps({1: HEAD, 2: head.size, 3: head.root, 4: head.at_ns}, canonical=True)
    return cose.sign1(by.key, payload, {cose.X5CHAIN: list(by.chain)})


def read_head(signed: bytes, root: ChainVerifier | None) -> Head:
    """Raises PeerError when it is no head, or not signed by a data centre under this root; without root that is left open."""
    message = cose.decode(signed)
    body = message.payload_map() or {}
    size, value, at_ns = body.get(2), body.get(3), body.get(4)
    if body.get(1) != HEAD or not (isinstance(size, int) and isinstance(value, bytes) and isinstance(at_ns, int)):
        raise PeerError("this is no head of an audit log")
    if root is not None:
        who = root.check(message.chain, {Role.DATA_CENTRE}, at_ns)
        if isinstance(who, Refused):
            raise PeerError(f"the head's certificate is refused: {who.trouble.value}")
        if not message.verify(who.key):
            raise PeerError("the head's signature is wrong")
    return Head(size, value, at_ns)


def subjects(arguments: object, body: object) -> Sequence[str]:
    """Whose data a request was about: as it says, else as its answer does."""
    for said in (arguments, body):
        named = said.get("card_no") if isinstance(said, dict) else None
        if isinstance(named, str) and named:
            return [named]
    return [""]


__all__ = ["AUDIT", "AuditLog", "Entry", "Head", "NODES", "Proven", "Who", "audit_log", "read_head", "sign_head", "subjects"]
