"""A holder's device of the vectors: a key, a credential, a memory, and a holder who agrees to everything.

It answers the vectors' requests as the profile says (``virtual_devices.holder``); phones and chips differ from it in what
they live in only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import pki, vhc
from virtual_devices.clock import NS
from virtual_devices.holder.application import Act, Allowed, Names
from virtual_devices.holder.readers import SKEW_S, ReaderCheck, Readers
from virtual_devices.holder.refusals import No
from virtual_devices.holder.writing import Records
from virtual_devices.link import Work
from virtual_devices.mdoc.mso import IssuerSigned, read_mso
from virtual_devices.mdoc.session import Transcript
from virtual_devices.pki import ChainVerifier
from virtual_devices.write_back import Receipt

CAPACITY = 600


class Memory:
    """Named values in a dict: what :class:`~virtual_devices.holder.writing.Records` keeps its records in."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    def names(self, prefix: str) -> Collection[str]:
        return [name for name in self.values if name.startswith(prefix)]

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        for name, value in changes.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value


class Holder:
    """The home of a card application. ``authorization``: a guardian's, with what makes its proof for a session."""

    def __init__(
        self, root: ChainVerifier, issued: IssuerSigned, key: ec.EllipticCurvePrivateKey, *, capacity: int = CAPACITY,
        delegation: Callable[[Transcript], dict[str, Any]] = lambda _: {},
    ) -> None:
        self.work = Work()
        self.memory = Memory()
        self.records = Records(self.memory, capacity, self.work)
        self._root = root
        self._issued = issued
        self._key = key
        self._delegation = delegation

    def reader_check(self, now_ns: int) -> ReaderCheck:
        return ReaderCheck(self._root, now_ns)

    def credential(self, at_ns: int) -> IssuerSigned | No:
        assert self._issued.auth.payload is not None
        until_ns = read_mso(self._issued.auth.payload).valid_until_ns
        return No.NOT_IN_FORCE if at_ns > until_ns + SKEW_S * NS else self._issued

    def allowed(self, names: Names, readers: Readers, write: bool, transcript: Transcript) -> Allowed:
        return Allowed({space: frozenset(some) for space, some in names.items()})

    def device_values(self, names: Names, transcript: Transcript, room_bytes: int) -> dict[str, dict[str, Any]]:
        there = {vhc.RECORDS: {"generation": self.records.generation}, vhc.DELEGATION: self._delegation(transcript)}
        found = {space: {n: v for n, v in there.get(space, {}).items() if n in some} for space, some in names.items()}
        return {space: values for space, values in found.items() if values}

    def sign(self, message: bytes) -> bytes:
        return pki.sign(self._key, message)

    def write(self, raw: bytes, credential: IssuerSigned, act: Act) -> Receipt:
        return self.records.write(raw, credential, act.readers, act.at_ns, lambda _: {})

    def seen(self, readers: Readers) -> None:
        return

    def note(self, act: Act) -> None:
        return
