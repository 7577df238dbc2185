"""The cards that a phone holds: its holder's own, and those of wards under an authorization (several, each with its own key).

In the vault a card is one record, ``card.<name>``: CBOR {1: issuer-signed, 2: name of its device key, 3: authorization / null,
4: inner QR credential / null, 5: its name at the data centre}. Its records that were written back are under ``<name>/``: they
were signed for its device key, and go with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import cbor2

from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import IssuerSigned, Mso, read_issuer_signed, read_mso
from virtual_devices.mdoc.tagged import MalformedMdoc, dumps
from virtual_devices.vhc import BASIC, HELD_UNDER
from virtual_devices.wallet.vault import Vault
from virtual_devices.write_back import former_cards, holder_of

OWN = "own"
_CARD = "card."


@dataclass(frozen=True, slots=True)
class Held:
    """One card on the phone. ``authorization``: the guardian's, for a ward's card. ``qr``: the issuer's CWT for QR codes.
    ``card``: its name at the data centre, empty for one that came otherwise. Raises MalformedMdoc."""

    name: str
    issued: IssuerSigned
    key: str
    authorization: bytes | None = None
    qr: bytes | None = None
    card: str = ""
    mso: Mso = field(init=False, repr=False, compare=False)
    """What the issuer signed, read once."""
    holder: bytes = field(init=False, repr=False, compare=False)
    """Whom records name that are for this card."""

    def __post_init__(self) -> None:
        if self.issued.auth.payload is None:
            raise MalformedMdoc("issuerAuth without its MSO", "9.1.2.4")
        object.__setattr__(self, "mso", read_mso(self.issued.auth.payload))
        object.__setattr__(self, "holder", holder_of(self.mso.device_key, self.held_under))

    def to_bytes(self) -> bytes:
        return dumps({1: self.issued.item(), 2: self.key, 3: self.authorization, 4: self.qr, 5: self.card})

    @property
    def holders(self) -> frozenset[bytes]:
        """:attr:`holder`, and the cards whose place it took."""
        return former_cards(self.issued.values().get(BASIC, {})) | {self.holder}

    @property
    def held_under(self) -> bytes:
        """The id of the authorization, of a ward's card, as the issuer signed it; empty for one's own."""
        found = self.issued.values().get(BASIC, {}).get(HELD_UNDER, b"")
        return found if isinstance(found, bytes) else b""

    @property
    def card_no(self) -> str:
        """Whose card it is; empty when the credential does not say."""
        return str(self.issued.values().get(BASIC, {}).get("card_no", ""))


class Cards:
    """The cards in one vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._read: dict[str, tuple[bytes, Held]] = {}  # a card is taken apart once, not at every request

    def names(self) -> list[str]:
        return [name.removeprefix(_CARD) for name in self._vault.names(_CARD)]

    def get(self, name: str) -> Held | None:
        raw = self._vault.get(_CARD + name)
        if raw is None:
            return None
        known = self._read.get(name)
        if known is None or known[0] != raw:
            body = cbor2.loads(raw)
            known = raw, Held(name, read_issuer_signed(body[1]), body[2], body[3], body[4], body.get(5, ""))
            self._read[name] = known
        return known[1]

    def keys(self) -> frozenset[str]:
        """The names of their device keys."""
        return frozenset(held.key for name in self.names() if (held := self.get(name)) is not None)

    def find(self, card: str) -> Held | None:
        """The card of that name at the data centre."""
        return next((held for name in self.names() if (held := self.get(name)) is not None and held.card == card), None)

    def put(self, card: Held, also: Mapping[str, bytes | None] | None = None) -> None:
        """Take a card in, or in place of the same person's of that name, whose records go when its key was another: one commit.
        ``also``: more records of the vault for that commit. Raises UsageError for another person's card under a taken name."""
        before = self.get(card.name)
        if before is not None and before.card_no != card.card_no:
            raise UsageError(f"there is another person's card on this phone as {card.name!r}; erase it first")
        gone = [] if before is None or before.key == card.key else self._vault.names(f"{card.name}/")
        self._vault.commit({**dict.fromkeys(gone), _CARD + card.name: card.to_bytes(), **(also or {})})

    def remove(self, name: str) -> None:
        """A card and all that was written to it."""
        left = list(self._vault.names(f"{name}/"))
        self._vault.commit({_CARD + name: None, **dict.fromkeys(left)})
        self._read.pop(name, None)


class Folder:
    """The part of the vault that belongs to one card: what :class:`~virtual_devices.holder.writing.Records` keeps there."""

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault = vault
        self._prefix = f"{name}/"

    def get(self, name: str) -> bytes | None:
        return self._vault.get(self._prefix + name)

    def names(self, prefix: str) -> Collection[str]:
        return [name.removeprefix(self._prefix) for name in self._vault.names(self._prefix + prefix)]

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Names that begin with a slash are the phone's own (its log), in the same act."""
        self._vault.commit(
            {n.removeprefix("/") if n.startswith("/") else self._prefix + n: value for n, value in changes.items()}
        )
