"""Who touched what is theirs, told to the holder's own phone, or to a guardian's with the right to see it: entries of the audit
log with proofs, under a head that the data centre signs. Asked and answered over the same connection as everything of a phone.

    accesses {card, before}  ->  {head, entries: [[entry, [proof hashes]]], more}

``before``: entries older than this number (none: the newest); ``more``: how many are older than those told. An entry is the
packed :class:`~virtual_devices.cloud.audit.Entry`, as it is hashed. The form is the bench's profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtual_devices.authorization import Scope
from virtual_devices.cloud.audit import Entry, read_head, sign_head
from virtual_devices.cloud.card_ledger import Card
from virtual_devices.cloud.office import Office
from virtual_devices.cloud.packing import unpack
from virtual_devices.cloud.phone_proofs import BadArguments, Call
from virtual_devices.errors import PeerError
from virtual_devices.lifecycle import OK, FieldCode
from virtual_devices.merkle import leaf_hash, verify_inclusion
from virtual_devices.pki import ChainVerifier

MOST = 50
NOT_ALLOWED, OUT_OF_SERVICE = FieldCode("4029"), FieldCode("9004")


def told(office: Office, card: Card, call: Call) -> tuple[FieldCode, dict[str, Any]]:
    """What is told of a card that is on the asking phone."""
    standing = office.cards.ledger.standing(card.name, call.now_ns)
    if standing != OK:
        return standing, {"text": "the card is not in force"}
    if card.held is not None:
        grant = office.guardians.grants.get(card.held.authorization)
        if grant is None or not grant.in_force(call.now_ns) or Scope.LOG not in grant.scope:
            return NOT_ALLOWED, {"text": "the authorization does not cover who read what"}
    if office.audit is None:
        return OUT_OF_SERVICE, {}
    before = call.arguments.get("before")
    if before is not None and (not isinstance(before, int) or isinstance(before, bool) or not 0 <= before < 1 << 62):
        raise BadArguments("before")
    found, older = office.audit.newest_about(card.card_no, MOST, before)
    head = sign_head(office.audit.head(call.now_ns), office.issuer.data_centre)
    return OK, {"head": head, "entries": [[one.entry.encoded(), list(one.proof)] for one in found], "more": older}


def read(body: Mapping[str, Any], root: ChainVerifier) -> list[Entry]:
    """The entries of an answer, each proved. Raises PeerError for one that is not, or for a head that nobody signed."""
    try:
        head = read_head(bytes(body["head"]), root)
        entries: list[tuple[Entry, bytes, list[bytes]]] = [
            (unpack(Entry, raw), raw, [bytes(one) for one in proof]) for raw, proof in body["entries"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise PeerError(f"the accesses are not as they should be ({type(error).__name__})") from None
    for entry, raw, proof in entries:
        if not verify_inclusion(leaf_hash(raw), entry.number, head.size, proof, head.root):
            raise PeerError(f"entry {entry.number} is not in the log that the data centre signed")
    return [entry for entry, _, _ in entries]


__all__ = ["MOST", "read", "told"]
