"""A suite while it is being made: its files, keys, sessions and vectors."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conformance.vectors.model import (
    Both,
    Code,
    Expected,
    Input,
    Jwk,
    Key,
    Kind,
    Listed,
    Reason,
    Session,
    Space,
    Value,
    Vector,
)
from virtual_devices.clock import to_datetime
from virtual_devices.cose import decode_sign
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.mdoc.tagged import dumps

NO_CODE = Code(space=Space.NONE, number="")
_SUFFIX = {Input.TEXT: "txt", Input.TEXTS: "txt", Input.CHALLENGE: "txt", Input.HANDOVER_SELECT: "ndef",
           Input.HANDOVER_REQUEST: "ndef"}
Inputs = Mapping[Any, bytes | str]
"""By :class:`Input` and :class:`Value`: files as bytes, values as texts; a file that is there already by its path, as text."""


def moment(at_ns: int) -> str:
    return f"{to_datetime(at_ns):%Y-%m-%dT%H:%M:%SZ}"


def both(zh: str, en: str) -> Both:
    return Both(zh=zh, en=en)


def number(space: Space, value: object) -> Code:
    return Code(space=space, number=str(value))


@dataclass
class Suite:
    """``files``: path -> bytes, with what each is in ``about``. ``pictures``: path -> text, of codes that are still to be drawn:
    that takes longer than everything else here, and no case wants one."""

    files: dict[str, bytes] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    about: dict[str, Both] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    vectors: dict[str, Vector] = field(default_factory=dict)

    def file(self, path: str, content: bytes, zh: str, en: str) -> str:
        """Put a file in; the same path again must be the same bytes."""
        if self.files.setdefault(path, content) != content:
            raise ValueError(f"two files of one name: {path}")
        self.about.setdefault(path, both(zh, en))
        return path

    def picture(self, path: str, text: str, zh: str, en: str) -> None:
        """Have the code of ``text`` drawn, once somebody wants the files (:func:`conformance.vectors.build.build`)."""
        self.pictures[path] = text
        self.about[path] = both(zh, en)

    def key(self, name: str, key: ec.EllipticCurvePrivateKey, zh: str, en: str) -> str:
        numbers = key.private_numbers()
        x, y, d = (n.to_bytes(32, "big") for n in (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.file(f"keys/{name}.pem", pem, f"測試金鑰：{zh}", f"test key: {en}")
        self.keys[name] = Key(
            name=name, says=both(zh, en), jwk=Jwk(x=_b64(x), y=_b64(y), d=_b64(d)),
            cose_key=dumps({**to_cose(key.public_key()), -4: d}).hex(), pem=path,
        )
        return name

    def good(
        self, kind: Kind, name: str, inputs: Inputs, zh: str, en: str, *, code: Code = NO_CODE, shown: tuple[str, ...] = (),
        reason: Reason = Reason.ACCEPTED,
    ) -> str:
        """One that is accepted. Returns its id."""
        expected = Expected(accepted=True, reason=reason, code=code, shown=shown)
        return self._vector(kind, name, inputs, both(zh, en), expected)

    def bad(
        self, of: str, name: str, changed: Inputs, reason: Reason, code: Code, zh: str, en: str, *,
        shown: tuple[str, ...] = (), accepted: bool = False,
    ) -> str:
        """The vector ``of`` with these inputs changed and no other. Returns its id."""
        model = self.vectors[of]
        inputs: dict[Any, bytes | str] = {**model.files, **model.values, **changed}
        expected = Expected(accepted=accepted, reason=reason, code=code, shown=shown)
        return self._vector(model.kind, name, inputs, both(zh, en), expected, of, tuple(changed))

    def _vector(
        self, kind: Kind, name: str, inputs: Inputs, says: Both, expected: Expected, of: str | None = None,
        changed: tuple[Input | Value, ...] = (),
    ) -> str:
        made = f"{kind.value}/{name}"
        if made in self.vectors:
            raise ValueError(f"two vectors of one name: {made}")
        files: dict[Input, str] = {}
        values: dict[Value, str] = {}
        for what, content in inputs.items():
            if isinstance(what, Value):
                assert isinstance(content, str)
                values[what] = content
            elif isinstance(content, str):
                files[what] = content
            else:
                path = f"{made}.{what.value}.{_SUFFIX.get(what, 'cbor')}"
                files[what] = self.file(path, content, f"{says.zh}（{what.value}）", f"{says.en} ({what.value})")
        self.vectors[made] = Vector(
            id=made, kind=kind, says=says, files=files, values=values, expected=expected, differs_from=of, differs_in=changed,
        )
        return made

    def listed(self) -> tuple[Listed, ...]:
        return tuple(
            Listed(path=path, sha256=hashlib.sha256(raw).hexdigest(), bytes=len(raw), says=self.about[path])
            for path, raw in sorted(self.files.items())
        )


def flipped(raw: bytes, at: int = -1, bit: int = 0) -> bytes:
    """The same bytes with one bit of byte ``at`` turned over."""
    spoilt = bytearray(raw)
    spoilt[at] ^= 1 << bit
    return bytes(spoilt)


def signature_spoilt(record: bytes, which: int) -> bytes:
    """A COSE_Sign with the last bit of that signature turned over."""
    message = decode_sign(record)
    signatures = [replace(s, signature=flipped(s.signature)) if n == which else s for n, s in enumerate(message.signatures)]
    return replace(message, signatures=tuple(signatures)).to_bytes()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
