"""The least that a presentation costs outside cryptography here: registration over BLE with everything left out that can be.

The same cryptography in the same order, the same kinds of messages of the same lengths, the same runner between the same four
exchanges, the same commits of two memories. But nobody checks anything beside it, refuses anything or keeps anything for later:
no types, no versions, no consent, no reasons, no work counted, no object made of what was read. Each message is decoded once by
cbor2 alone and made by putting its parts side by side. What a presentation takes beyond this is what may be saved; what this
takes, CPython, cbor2 and the caches that the cryptography has emptied take.
"""

from __future__ import annotations

import base64
from typing import Any

import cbor2

from benchmarks._presentation import BLE_METHOD, NOW_NS, PLACE, WANTED, DeskAndPhone, holder
from virtual_devices import cbor, pki, vhc
from virtual_devices.cose import PROTECTED_ES256, sig_structure
from virtual_devices.flow import Exchange, Flow, Session, run
from virtual_devices.link import DirectLink, Work
from virtual_devices.mdoc import cose_key, engagement, session
from virtual_devices.mdoc.request import items_request
from virtual_devices.mdoc.tagged import embedded
from virtual_devices.pki import Role
from virtual_devices.randomness import private_key
from virtual_devices.store import Store
from virtual_devices.wallet import vault

_TIMEOUT_S = 10.0
_SIGN = b"\x00\x2a\x9e\x9a\x00"
_AUTH = b"\x84" + cbor.byte_string(PROTECTED_ES256)
_ASKED = b"\xa2\x67version\x631.1\x6bdocRequests\x81\xa2\x6areaderAuth"
_DOCUMENT = b"\xa3\x67docType" + cbor.text(vhc.DOCTYPE) + b"\x6cdeviceSigned\xa2"
_SHOWN = b"\xa3\x66status\x00\x67version\x631.0\x69documents\x81" + _DOCUMENT
_NO_SPACES = embedded(b"\xa0")
_DEVICE_SIGNED = b"\x6adeviceAuth\xa1\x6fdeviceSignature" + _AUTH + b"\xa0\xf6\x58\x40"
_ISSUED = b"\x6anameSpaces" + _NO_SPACES + b"\x6cissuerSigned\xa2\x6aissuerAuth"
_ENTRY = ["ble", "registration", "9901180014", "", None, "pin", True, "", ""]


class Floor:
    """A desk and a phone as :class:`DeskAndPhone`, of which nothing is left but what moves bytes."""

    def __init__(self) -> None:
        place = DeskAndPhone("ble")
        self.clock = place.clock
        self.root = place.desk.root
        self.fresh = place.desk.fresh
        self.chain = list(place.desk.reader_chain)
        self.shown_chain = b"\xa1\x18\x21" + cbor.array([cbor.byte_string(c) for c in self.chain]) + b"\xf6\x58\x40"
        self.items = embedded(items_request(vhc.DOCTYPE, WANTED["registration"]).raw)
        sam = place.sam.image.identity.key
        self.phone = _Phone(place)
        devices = {"screen": self.phone, "wallet": self.phone, "sam": _Sam(sam)}
        self.links = {role: DirectLink(device, self.clock) for role, device in devices.items()}

    def consent(self, name: str = "") -> None:
        self.phone.engage()

    def run(self, flow: Flow[Any]) -> Any:
        return run(flow, Session(self.links, self.clock))

    def present(self, name: str = "") -> Flow[dict[str, Any]]:
        """One presentation, from the engagement to the good-bye: the element values."""
        scanned = yield Exchange("screen", b"scan", _TIMEOUT_S)
        engaged = base64.urlsafe_b64decode(scanned.reply[5:] + b"=" * (-(len(scanned.reply) - 5) % 4))
        device = cbor2.loads(cbor2.loads(engaged)[1][1].value)
        key, public = session.ephemeral_key(self.fresh(32))
        shared = session.agree(key, cose_key.from_point(device[-2], device[-3], ""))
        transcript = session.Transcript(engaged, session.key_bytes(public))
        cipher = session.Cipher(shared, transcript, session.Side.READER)
        signed = embedded(b"\x83\x74ReaderAuthentication" + transcript.encoded + self.items)
        tbs = sig_structure(PROTECTED_ES256, signed)
        signature = yield Exchange("sam", b"".join((_SIGN, len(tbs).to_bytes(2, "big"), tbs, b"\x00\x40")), _TIMEOUT_S)
        asked = (_ASKED, _AUTH, self.shown_chain, signature.reply[:-2], b"\x6citemsRequest", self.items)
        first = session.establishment(transcript.reader_key_bytes, cipher.seal(b"".join(asked)))
        answer = yield Exchange("wallet", first, _TIMEOUT_S)
        values = self._believe(cbor2.loads(cipher.open(answer.reply[9:])), transcript)
        yield Exchange("wallet", session.TERMINATION, _TIMEOUT_S)
        return values

    def _believe(self, response: dict[str, Any], transcript: session.Transcript) -> dict[str, Any]:
        document = response["documents"][0]
        protected, header, payload, signature = document["issuerSigned"]["issuerAuth"]
        signer = self.root.check([header[33]], {Role.DOCUMENT_SIGNER}, self.clock.now_ns())
        mso = cbor2.loads(cbor2.loads(payload).value)
        assert isinstance(signer, pki.Verified)
        good = pki.verify(signer.key, signature, sig_structure(protected, payload))
        values: dict[str, Any] = {}
        for space, items in document["issuerSigned"]["nameSpaces"].items():
            digests = mso["valueDigests"][space]
            for tag in items:
                item = cbor2.loads(tag.value)
                good = good and pki.hashed(embedded(tag.value)) == digests[item["digestID"]]
                values[item["elementIdentifier"]] = item["elementValue"]
        known = mso["deviceKeyInfo"]["deviceKey"]
        device = cose_key.from_point(known[-2], known[-3], "")
        spaces = document["deviceSigned"]["nameSpaces"].value
        proof = document["deviceSigned"]["deviceAuth"]["deviceSignature"][3]
        cbor2.loads(spaces)
        assert good and pki.verify(device, proof, sig_structure(PROTECTED_ES256, _authenticated(transcript, embedded(spaces))))
        return values


class _Sam:
    def __init__(self, key: Any) -> None:
        self.key = key

    def power_on(self) -> bytes:
        return b""

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return pki.sign(self.key, request[7:-2]) + b"\x90\x00"

    def power_off(self) -> None:
        return


class _Phone(_Sam):
    def __init__(self, place: DeskAndPhone) -> None:
        super().__init__(private_key("floor", "device"))
        issued = place.issuer.credential(holder(), self.key.public_key(), PLACE, NOW_NS)
        self.root = pki.ChainVerifier(place.sam.image.root)
        self.auth = issued.auth.encoded()
        self.parts = {space: {i.identifier: i.embedded for i in items} for space, items in issued.items.items()}
        self.flash, self.keystore = Store({}, Work()), Store({}, Work())
        self.keys = vault._Keys(bytes(32))
        self.count = 0

    def engage(self) -> None:
        self.count += 1
        self.private, public = session.ephemeral_key(self.count.to_bytes(32, "big"))
        self.engaged = engagement.make(public, [BLE_METHOD])

    def handle(self, request: bytes, now_ns: int) -> bytes:
        if len(request) < 20:
            return self.engaged.qr_text().encode() if request == b"scan" else b""
        key = cose_key.from_point(request[24:56], request[59:91], "")
        transcript = session.Transcript(self.engaged.raw, request[12:91])
        cipher = session.Cipher(session.agree(self.private, key), transcript, session.Side.DEVICE)
        asked = cbor2.loads(cipher.open(request[99:]))["docRequests"][0]
        items = asked["itemsRequest"].value
        wanted = cbor2.loads(items)["nameSpaces"]
        protected, header, _, signature = asked["readerAuth"]
        reader = self.root.check(header[33], {Role.SAM}, now_ns)
        assert isinstance(reader, pki.Verified)
        signed = embedded(b"\x83\x74ReaderAuthentication" + transcript.encoded + embedded(items))
        assert pki.verify(reader.key, signature, sig_structure(protected, signed))
        spaces = []
        for space, parts in self.parts.items():
            if space in wanted:
                shown = [parts[name] for name in wanted[space]]
                spaces += [cbor.name(space), cbor.head(cbor.ARRAY, len(shown)), *shown]
        proof = pki.sign(self.key, sig_structure(PROTECTED_ES256, _authenticated(transcript, _NO_SPACES)))
        self._note(now_ns, [name for names in wanted.values() for name in names])
        head = (_SHOWN, _DEVICE_SIGNED, proof, _ISSUED, self.auth, b"\x6anameSpaces\xa1", *spaces)
        return b"\xa1\x64data" + cbor.byte_string(cipher.seal(b"".join(head)))

    def _note(self, now_ns: int, names: list[str]) -> None:
        nonce = self.count.to_bytes(12, "big")
        entry = self.keys.encrypt(nonce, cbor2.dumps([now_ns, names, *_ENTRY]), b"entry")
        state = self.keys.encrypt(nonce, cbor2.dumps([0, self.count]), b"state")
        head = self.keys.encrypt(nonce, cbor2.dumps([self.count, {"log.entry": nonce, "log.state": nonce}]), b"head")
        self.flash.commit({"entry": entry, "state": state, "head": head})
        self.keystore.commit({"key": cbor2.dumps([1, 2, 0, 0, self.count, pki.hashed(head)])})


def _authenticated(transcript: session.Transcript, spaces: bytes) -> bytes:
    doctype = cbor.name(vhc.DOCTYPE)
    return embedded(b"".join((b"\x84\x74DeviceAuthentication", transcript.encoded, doctype, spaces)))
