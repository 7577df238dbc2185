"""What the app has begun with the data centre and not finished, in the vault, so that it survives when the phone is switched off.

    app.id.<operation>.<what it is about>   id of a request whose answer has not been taken in (16 bytes): asked again under it,
                                            nothing is done twice
    app.key.<operation>.<card number>       device key of an application whose answer has not come
    app.applied.<card>                      CBOR [device key, card number] of a card whose credential has not come

The methods that end something give changes to the vault, for the same commit as what it ended with.
"""

from __future__ import annotations

from collections.abc import Mapping

import cbor2

from virtual_devices.mdoc.tagged import dumps
from virtual_devices.wallet.keystore import Keystore
from virtual_devices.wallet.vault import Vault

ID_BYTES = 16
_ID, _KEY, _APPLIED = "app.id.", "app.key.", "app.applied."
Changes = dict[str, bytes | None]


class Unfinished:
    """Of one phone. On a phone without a wallet (wiped) ids last as long as this object: there is nothing else to be lost."""

    def __init__(self, vault: Vault, keystore: Keystore) -> None:
        self._vault = vault
        self._keystore = keystore
        self._ids: dict[str, bytes] = {}

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Into the vault, where there is one. Raises PowerCut at an armed cut point."""
        for name in changes:
            self._ids.pop(name, None)
        if self._vault.ready:
            self._vault.commit(changes)

    def id_of(self, what: str) -> bytes:
        """The id under which this is asked: a new one, or that of the request that was left open."""
        known = self._vault.get(_ID + what) if self._vault.ready else self._ids.get(_ID + what)
        if known is not None:
            return known
        made = self._keystore.random(ID_BYTES)
        if self._vault.ready:
            self._vault.commit({_ID + what: made})
        else:
            self._ids[_ID + what] = made
        return made

    def answered(self, what: str) -> Changes:
        return {_ID + what: None}

    def key_for(self, what: str) -> str:
        """The device key of this application, when it is open; else empty."""
        return (self._vault.get(_KEY + what) or b"").decode()

    def binding(self, what: str, key: str) -> Changes:
        return {_KEY + what: key.encode()}

    def bound(self, what: str) -> Changes:
        """It is known what became of the application: another one has another key."""
        return {_KEY + what: None}

    def applied(self) -> dict[str, tuple[str, str]]:
        """Name at the data centre -> device key and card number."""
        found: dict[str, tuple[str, str]] = {}
        for name in self._vault.names(_APPLIED):
            key, card_no = cbor2.loads(self._vault.get(name) or b"")
            found[name.removeprefix(_APPLIED)] = key, card_no
        return found

    def keys(self) -> frozenset[str]:
        """The device keys that something begun is about."""
        asked = {(self._vault.get(name) or b"").decode() for name in self._vault.names(_KEY)}
        return frozenset(asked | {key for key, _ in self.applied().values()})

    def applied_for(self, card: str, key: str, card_no: str) -> Changes:
        """In place of what was applied for before for the same person, which came to nothing."""
        before = [name for name, (_, whose) in self.applied().items() if whose == card_no]
        return {**{_APPLIED + name: None for name in before}, _APPLIED + card: dumps([key, card_no])}

    def not_applied(self, card: str) -> Changes:
        return {_APPLIED + card: None}
