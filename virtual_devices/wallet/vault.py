"""The wallet's data at rest: encrypted records on a flash that anybody may copy, alter or set back.

1. A record is AES-256-GCM under a data key; the data key lies beside it, sealed by a key that never leaves the keystore.
   A copy of the flash, which is what a backup of the phone holds, is nothing without this one phone.
2. The head lists every record with its nonce. A record altered, put in another's place, replaced by its own older version
   or taken away is refused, because the head says otherwise.
3. The keystore's anchor holds the generation and the digest of the newest head. A whole old image is refused, since an anchor
   cannot be set back.
4. :meth:`Vault.commit` is all or nothing: records and head in one commit of the store, then the anchor. A cut between the two
   is settled at power-on: a head one generation ahead can only have been made on top of the anchored one, and is the newest.
5. A nonce is a number from the keystore, drawn once after each power-on, and a count. Setting back the flash sets back neither.
6. A wipe destroys the sealing key first, in one write inside the keystore; then the cells are overwritten. At power-on without
   that key the overwriting is finished.

What it does not hide or notice: how many records there are, how long they are, which ones a commit has changed; and an image
set back to just before a commit whose power was cut before the anchor had moved, which is a commit that nobody was told of.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Mapping
from enum import Enum
from itertools import islice, takewhile
from typing import Any

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from virtual_devices import cbor, pki
from virtual_devices.errors import BenchError, UsageError
from virtual_devices.store import JOURNAL, Store
from virtual_devices.wallet.keystore import Anchor, KeyDenied, Keystore, Purpose

SEALING_KEY = "vault"
HEAD, KEY = "head", "key"
NONCE_BYTES = 12
_KEY_LABEL = b"vault data key"
_JOURNAL_SEAL_BYTES = 8


class Damage(Enum):
    """What is wrong with what lies on the flash."""

    TAMPERED = "altered, exchanged or taken away"
    ROLLED_BACK = "an older state than the newest"
    FOREIGN = "not sealed by this phone"


class VaultRefused(BenchError):
    """The data at rest are not what the wallet wrote last. Nothing of them is used; they can be wiped."""

    def __init__(self, damage: Damage, where: str) -> None:
        super().__init__(f"{where}: {damage.value}; wipe the wallet and bind it again")
        self.damage = damage


class _Keys:
    """What is made of the data key: one key for records, one for the names of their cells."""

    def __init__(self, data_key: bytes) -> None:
        self.record_key = pki.mac(data_key, b"records")
        self._names = pki.mac(data_key, b"names")
        self._cipher = AESGCM(self.record_key)
        self._cells: dict[str, str] = {}  # as long as the vault is open: names are few, and come again and again

    def cell(self, name: str) -> str:
        """Where a record lies: a name that says nothing to others."""
        known = self._cells.get(name)
        if known is None:
            known = self._cells[name] = "r." + pki.mac(self._names, name.encode())[:8].hex()
        return known

    def forget(self, name: str) -> None:
        """There is no such record any more."""
        self._cells.pop(name, None)

    def encrypt(self, nonce: bytes, plain: bytes, what: bytes) -> bytes:
        return nonce + self._cipher.encrypt(nonce, plain, what)

    def decrypt(self, raw: bytes, what: bytes, where: str) -> bytes:
        if len(raw) < NONCE_BYTES:
            raise VaultRefused(Damage.TAMPERED, where)
        try:
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], what)
        except InvalidTag:
            raise VaultRefused(Damage.TAMPERED, where) from None


class Vault:
    """Named records of bytes with one atomic act, :meth:`commit`. Call :meth:`power_on` before anything else."""

    def __init__(self, store: Store, keystore: Keystore) -> None:
        self._store = store
        self._keystore = keystore
        self._keys: _Keys | None = None
        self._names: list[str] = []  # sorted
        self._index: dict[str, bytes] = {}  # name -> its row in the head, which ends in the nonce of the newest version
        self._anchor = Anchor()
        self._boot = self._count = 0  # what the next nonce is made of

    # -- power

    def power_on(self) -> None:
        """Finish what a cut left, and open. Afterwards it is :attr:`ready`, or empty: never formatted, wiped, or another phone's.

        Raises VaultRefused for data that are not the newest ones, PowerCut at an armed cut point (repeat it).
        """
        self._close()
        if not _whole_journal_is_of_cells(self._store.get(JOURNAL)):
            raise VaultRefused(Damage.TAMPERED, "the vault's journal")
        self._store.recover()
        if SEALING_KEY not in self._keystore.names():
            self._erase()
            return
        anchor = self._keystore.anchor(SEALING_KEY)
        if anchor == Anchor() and not self._store.get(KEY):  # formatting was cut short
            self._keystore.delete(SEALING_KEY)
            return
        keys = _Keys(self._unwrapped())
        head = self._store.get(HEAD)
        generation, index = cbor2.loads(keys.decrypt(head, HEAD.encode(), "the vault's head"))
        newest = Anchor(generation, pki.hashed(head))
        if newest != anchor:
            if generation != anchor.generation + 1:
                raise VaultRefused(Damage.ROLLED_BACK, f"the vault's generation {generation}")
            self._keystore.move_anchor(SEALING_KEY, newest)
        self._keys, self._anchor = keys, newest
        self._index = {name: _row(name, nonce) for name, nonce in index.items()}
        self._names = sorted(index)

    @property
    def ready(self) -> bool:
        """Open. False before power-on, when empty, when refused, and after a cut."""
        return self._keys is not None

    @property
    def writes(self) -> int:
        """Grows with each act that writes to the flash, finished or torn."""
        return self._store.generation

    def backup(self) -> dict[str, bytes]:
        """The flash as it lies there: what a phone's backup, a thief or a forensic laboratory takes along."""
        return self._store.cells()

    # -- records

    @property
    def generation(self) -> int:
        """Grows by one with each commit, of whatever records: a try of the PIN counts as a write of the record does."""
        return self._anchor.generation

    def get(self, name: str) -> bytes | None:
        """A record, or None. Raises VaultRefused when its cell is not the one that was written last."""
        keys, row = self._open(), self._index.get(name)
        if row is None:
            return None
        raw = self._store.get(keys.cell(name))
        if raw[:NONCE_BYTES] != row[-NONCE_BYTES:]:
            raise VaultRefused(Damage.TAMPERED, f"record {name!r}")
        return keys.decrypt(raw, _label(name), f"record {name!r}")

    def names(self, prefix: str = "") -> list[str]:
        """The names of the records, sorted."""
        self._open()
        begin = bisect_left(self._names, prefix)
        return list(takewhile(lambda name: name.startswith(prefix), islice(self._names, begin, None)))

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write all these records (None: delete), or none. Raises PowerCut at an armed cut point; then only power_on helps."""
        keys, index, cells = self._open(), dict(self._index), {}
        changes = {name: value for name, value in changes.items() if value is not None or name in index}
        if not changes:
            return
        self._keys = None  # closed, should the power go in between
        for name, value in changes.items():
            if value is None:
                del index[name]
                self._names.remove(name)
                cells[keys.cell(name)] = b""
                keys.forget(name)
            else:
                if name not in index:
                    insort(self._names, name)
                nonce = self._nonce()
                index[name] = _row(name, nonce)
                cells[keys.cell(name)] = keys.encrypt(nonce, value, _label(name))
        self._write(keys, index, cells)

    # -- life

    def format(self) -> None:
        """An empty vault under a new key. Raises UsageError when there is one already, PowerCut at an armed cut point."""
        if SEALING_KEY in self._keystore.names():
            raise UsageError("there is a vault on this phone; wipe it first")
        self._erase()
        self._keystore.make(SEALING_KEY, Purpose.SEAL)
        data_key = self._keystore.random(32)
        self._write(_Keys(data_key), {}, {KEY: self._keystore.seal(SEALING_KEY, data_key, _KEY_LABEL)})

    def wipe(self) -> None:
        """Nothing of it can be read any more: the key goes first, then the cells are overwritten and emptied.

        Raises PowerCut at an armed cut point. Whether the key is gone is then decided by one write inside the keystore: before
        it the wipe has not begun, nobody was told that it had, and it is asked for again; after it power-on finishes it.
        """
        self._close()
        self._keystore.delete(SEALING_KEY)
        self._erase()

    # -- inside

    def _close(self) -> None:
        self._keys, self._index, self._names, self._anchor = None, {}, [], Anchor()
        self._boot = self._count = 0

    def _open(self) -> _Keys:
        if self._keys is None:
            raise UsageError("the vault is not open: power_on() first, format() when it is empty")
        return self._keys

    def _unwrapped(self) -> bytes:
        try:
            return self._keystore.open(SEALING_KEY, self._store.get(KEY), _KEY_LABEL)
        except KeyDenied:
            raise VaultRefused(Damage.FOREIGN, "the vault's data key") from None

    def _nonce(self) -> bytes:
        if not self._boot:
            self._boot = self._keystore.number(SEALING_KEY)
        self._count += 1
        return self._boot.to_bytes(6, "big") + self._count.to_bytes(6, "big")

    def _write(self, keys: _Keys, index: dict[str, bytes], cells: dict[str, bytes]) -> None:
        generation = self._anchor.generation + 1
        rows = cbor.head(cbor.MAP, len(index)) + b"".join(index.values())
        head = keys.encrypt(self._nonce(), cbor.array((cbor.number(generation), rows)), HEAD.encode())
        self._store.commit({**cells, HEAD: head})
        self._anchor, self._index = Anchor(generation, pki.hashed(head)), index
        self._keystore.move_anchor(SEALING_KEY, self._anchor)
        self._keys = keys

    def _erase(self) -> None:
        left = {cell: bytes(len(raw)) for cell, raw in self._store.cells().items() if raw and cell != JOURNAL}
        self._store.commit(left)
        self._store.commit(dict.fromkeys(left, b""))


def search(cells: Mapping[str, bytes], keystore: Keystore, needle: bytes) -> list[str]:
    """The cells in which ``needle`` is found by somebody who has the flash and the phone, switched on, in hand.

    Raw, and deciphered with the data key when the keystore still gives it: each cell by itself, the journal from every
    position, and every cell with every nonce seen, so that torn halves count too. Authentication tags are ignored.
    """
    found = {cell for cell, raw in cells.items() if needle in raw or needle in cell.encode()}
    try:
        keys = _Keys(keystore.open(SEALING_KEY, cells.get(KEY, b""), _KEY_LABEL))
    except KeyDenied:
        return sorted(found)
    nonces = {raw[:NONCE_BYTES] for raw in cells.values() if len(raw) > NONCE_BYTES}
    for cell, raw in cells.items():
        starts = range(len(raw)) if cell == JOURNAL else range(1)
        texts = [_decipher(keys.record_key, raw[at : at + NONCE_BYTES], raw[at + NONCE_BYTES :]) for at in starts]
        texts += [_decipher(keys.record_key, nonce, raw[NONCE_BYTES:]) for nonce in nonces]
        if any(needle in text for text in texts):
            found.add(cell)
    return sorted(found)


def _decipher(key: bytes, nonce: bytes, body: bytes) -> bytes:
    """AES-GCM without its tag: counter mode from block 2 (NIST SP 800-38D, 7.1)."""
    if len(nonce) < NONCE_BYTES:
        return b""
    decryptor = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2")).decryptor()
    return decryptor.update(body) + decryptor.finalize()


def _row(name: str, nonce: bytes) -> bytes:
    """An entry of the head's map: made when the record is written, not whenever a head is."""
    return cbor.text(name) + cbor.byte_string(nonce)


def _label(name: str) -> bytes:
    return b"record " + name.encode()


def _whole_journal_is_of_cells(journal: bytes) -> bool:
    """False for a journal that would be applied at power-on and that no store has written: its seal is no secret."""
    body = journal[_JOURNAL_SEAL_BYTES:]
    if not journal or hashlib.sha256(body).digest()[:_JOURNAL_SEAL_BYTES] != journal[:_JOURNAL_SEAL_BYTES]:
        return True
    try:
        cells: Any = cbor.decode(body)
    except cbor.MalformedCbor:
        return False
    return isinstance(cells, dict) and all(isinstance(c, str) and isinstance(v, bytes) for c, v in cells.items())
