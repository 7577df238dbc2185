"""Issuer data authentication, ISO/IEC 18013-5 clause 9.1.2: the Mobile Security Object and the items that it vouches for.

Each item travels as #6.24(bstr .cbor IssuerSignedItem); the issuer signs the digests of all, so that the holder may show
some and keep the others. The MSO names the device key: whoever copies a credential has no use of it without that key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor, pki
from virtual_devices.clock import NS
from virtual_devices.cose import X5CHAIN, MalformedCose, Sign1, make_sign1, read_sign1
from virtual_devices.link import Work
from virtual_devices.mdoc.cose_key import from_cose, to_cose
from virtual_devices.mdoc.tagged import (
    MalformedMdoc,
    a_map,
    a_number,
    a_text,
    an_array,
    brief,
    dumps,
    embed,
    embedded,
    read,
    read_all,
    read_map,
    read_tdate,
    some_bytes,
    tdate,
    texts,
    unembed_all,
    unembedded,
)
from virtual_devices.pki import HASHES, ChainVerifier, Identity, Refused, Role, Trouble, Verified
from virtual_devices.quick import quick, unchecked

SALT_BYTES = 32
_ISSUER_AUTH, _NAME_SPACES = cbor.name("issuerAuth"), cbor.name("nameSpaces")
_INT, _BYTES = frozenset({int}), frozenset({bytes})


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Where a Token Status List says how a credential stands."""

    uri: str
    index: int


@quick
@dataclass(frozen=True, slots=True)
class Item:
    """One IssuerSignedItem. ``embedded``: #6.24 round its bytes, as received: what is digested and handed on."""

    embedded: bytes
    digest_id: int
    identifier: str
    value: Any

    @property
    def raw(self) -> bytes:
        """Its bytes, inside #6.24."""
        return unembedded(self.embedded, "an IssuerSignedItem")


_made_item = unchecked(Item)  # a dozen in each response


@quick
@dataclass(frozen=True, slots=True)
class Mso:
    """A MobileSecurityObject, read."""

    digest_algorithm: str
    digests: Mapping[str, Mapping[int, bytes]]
    device_key: ec.EllipticCurvePublicKey
    authorised: Mapping[str, frozenset[str] | None]
    """Namespaces that the device may sign in (keyAuthorizations); None: all elements of it."""
    doctype: str
    signed_ns: int
    valid_from_ns: int
    valid_until_ns: int
    status: StatusReference | None


@quick
@dataclass(frozen=True, slots=True)
class IssuerSigned:
    """What the issuer vouches for: the items shown, and the signature over the digests of all."""

    items: Mapping[str, tuple[Item, ...]]
    auth: Sign1
    source: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    """Where it was read: the message, and the way to it inside (:func:`cbor.part`); empty when it is ours."""

    def select(self, wanted: Mapping[str, Collection[str]]) -> IssuerSigned:
        """The same with nothing but the wanted elements."""
        shown = {}
        for space, items in self.items.items():
            names = wanted.get(space, ())
            if names and (kept := tuple([i for i in items if i.identifier in names])):
                shown[space] = kept
        return IssuerSigned(shown, self.auth)

    def values(self) -> dict[str, dict[str, Any]]:
        """Element values by namespace and identifier."""
        return {space: {i.identifier: i.value for i in items} for space, items in self.items.items()}

    def auth_hash(self) -> bytes:
        """SHA-256 of IssuerAuth, as it came: which credential this is."""
        raw = cbor.part(*self.source, "issuerAuth") if self.source else self.auth.encoded()
        return pki.hashed(raw)

    def item(self) -> dict[str, Any]:
        """As it stands in a Document."""
        body: dict[str, Any] = {}
        if self.items:
            body["nameSpaces"] = {space: [embed(i.raw) for i in items] for space, items in self.items.items()}
        return {**body, "issuerAuth": self.auth.item()}

    def to_bytes(self) -> bytes:
        return b"".join(self.parts())

    def parts(self) -> list[bytes]:
        """The same, to be put together with what stands round it: items are long."""
        if not self.items:
            return [b"\xa1", _ISSUER_AUTH, self.auth.encoded()]
        parts = [b"\xa2", _ISSUER_AUTH, self.auth.encoded(), _NAME_SPACES, cbor.head(cbor.MAP, len(self.items))]
        for space in sorted(self.items, key=cbor.name):
            items = self.items[space]
            parts += [cbor.name(space), cbor.head(cbor.ARRAY, len(items)), *[i.embedded for i in items]]
        return parts


@dataclass(frozen=True, slots=True)
class Validity:
    """When a credential was signed, and from when to when it is good."""

    signed_ns: int
    from_ns: int
    until_ns: int


def issue(
    doctype: str, elements: Mapping[str, Mapping[str, Any]], device_key: ec.EllipticCurvePublicKey, issuer: Identity,
    validity: Validity, fresh: Callable[[int], bytes], *, status: StatusReference | None = None,
    authorised: Mapping[str, Collection[str] | None] | None = None,
) -> IssuerSigned:
    """A credential. ``fresh`` gives the salts, and the order of digests, so that nothing tells what was not shown.

    ``authorised``: what the device key may sign itself, by namespace; None: all of it.
    """
    items: dict[str, tuple[Item, ...]] = {}
    digests: dict[str, dict[int, bytes]] = {}
    for space, values in elements.items():
        numbers = _shuffled(len(values), fresh)
        made = [_item(number, name, value, fresh) for number, (name, value) in zip(numbers, values.items(), strict=True)]
        items[space] = tuple(made)
        digests[space] = {i.digest_id: pki.hashed(i.embedded) for i in made}
    key_info: dict[str, Any] = {"deviceKey": to_cose(device_key)}
    if authorised:
        whole = [space for space, names in authorised.items() if names is None]
        some = {space: sorted(names) for space, names in authorised.items() if names is not None}
        key_info["keyAuthorizations"] = ({"nameSpaces": whole} if whole else {}) | ({"dataElements": some} if some else {})
    body: dict[str, Any] = {
        "version": "1.0", "digestAlgorithm": "SHA-256", "valueDigests": digests, "deviceKeyInfo": key_info, "docType": doctype,
        "validityInfo": {
            "signed": tdate(validity.signed_ns), "validFrom": tdate(validity.from_ns), "validUntil": tdate(validity.until_ns),
        },
    }
    if status is not None:
        body["status"] = {"status_list": {"idx": status.index, "uri": status.uri}}
    chain = issuer.chain[0] if len(issuer.chain) == 1 else list(issuer.chain)
    return IssuerSigned(items, make_sign1(issuer.key, embedded(dumps(body)), {X5CHAIN: chain}))


def _item(number: int, name: str, value: Any, fresh: Callable[[int], bytes]) -> Item:
    raw = dumps({"digestID": number, "random": fresh(SALT_BYTES), "elementIdentifier": name, "elementValue": value})
    return read_item(raw)


def _shuffled(count: int, fresh: Callable[[int], bytes]) -> list[int]:
    keys = [fresh(8) for _ in range(count)]
    return sorted(range(count), key=lambda i: keys[i])


# -- reading

def read_item(raw: bytes) -> Item:
    """Raises MalformedMdoc."""
    return _item_of(raw, read(raw, "an IssuerSignedItem"))


def _item_of(raw: bytes, decoded: object) -> Item:
    body = a_map(decoded, "an IssuerSignedItem")
    number, name, salt = body.get("digestID"), body.get("elementIdentifier"), body.get("random")
    if type(number) is not int or type(name) is not str or type(salt) is not bytes:
        number, name, salt = a_number(number, "digestID"), a_text(name, "elementIdentifier"), some_bytes(salt, "random")
    if len(salt) < 16:
        raise MalformedMdoc("an item's random of less than 16 bytes", "9.1.2.5")
    if "elementValue" not in body:
        raise MalformedMdoc("an item without a value", "8.3.2.1.2.2")
    return _made_item(embedded(raw), number, name, body["elementValue"])


def read_issuer_signed(value: object, source: tuple[Any, ...] = ()) -> IssuerSigned:
    """``source``: where it stands, see :class:`IssuerSigned`. Raises MalformedMdoc."""
    body = a_map(value, "issuerSigned")
    raws = {
        a_text(space, "a namespace"): unembed_all(an_array(found, "a namespace's items"), "an IssuerSignedItem")
        for space, found in a_map(body.get("nameSpaces", {}), "nameSpaces").items()
    }
    decoded = iter(read_all([raw for some in raws.values() for raw in some], "an IssuerSignedItem"))
    items = {space: tuple(map(_item_of, some, decoded)) for space, some in raws.items()}
    try:
        return IssuerSigned(items, read_sign1(body.get("issuerAuth")), source)
    except MalformedCose as e:
        raise MalformedMdoc(f"issuerAuth: {e.what}", "9.1.2.4") from None


def read_mso(payload: bytes) -> Mso:
    """The MSO in the payload of issuerAuth. Raises MalformedMdoc."""
    body = read_map(unembedded(payload, "MobileSecurityObjectBytes"), "the MSO")
    if a_text(body.get("version"), "the MSO's version").split(".")[0] != "1":
        raise MalformedMdoc(f"MSO version {brief(body.get('version'))}", "9.1.2.4")
    algorithm = a_text(body.get("digestAlgorithm"), "digestAlgorithm")
    if algorithm not in HASHES:
        raise MalformedMdoc(f"digest algorithm {algorithm}", "9.1.2.5")
    digests: dict[str, Mapping[int, bytes]] = {}
    for space, found in texts(a_map(body.get("valueDigests"), "valueDigests"), "a namespace").items():
        if not (set(map(type, a_map(found, "valueDigests"))) <= _INT and set(map(type, found.values())) <= _BYTES):
            raise MalformedMdoc("valueDigests that are not byte strings by number", "9.1.2.4")
        digests[space] = found
    info = a_map(body.get("deviceKeyInfo"), "deviceKeyInfo")
    validity = a_map(body.get("validityInfo"), "validityInfo")
    return Mso(
        algorithm, digests, from_cose(info.get("deviceKey"), "deviceKey"), _authorised(info.get("keyAuthorizations", {})),
        a_text(body.get("docType"), "docType"), read_tdate(validity.get("signed"), "signed"),
        read_tdate(validity.get("validFrom"), "validFrom"), read_tdate(validity.get("validUntil"), "validUntil"),
        _status(body.get("status")),
    )


def _authorised(value: object) -> dict[str, frozenset[str] | None]:
    body = a_map(value, "keyAuthorizations")
    found: dict[str, frozenset[str] | None] = {}
    if "dataElements" in body:
        for space, names in a_map(body["dataElements"], "dataElements").items():
            found[a_text(space, "a namespace")] = frozenset(a_text(n, "an element") for n in an_array(names, "dataElements"))
    for space in an_array(body.get("nameSpaces", []), "nameSpaces"):
        found[a_text(space, "a namespace")] = None
    return found


def _status(value: object) -> StatusReference | None:
    if value is None:
        return None
    reference = a_map(a_map(value, "status").get("status_list"), "status_list")
    return StatusReference(a_text(reference.get("uri"), "uri"), a_number(reference.get("idx"), "idx"))


def verify(
    issued: IssuerSigned, doctype: str, root: ChainVerifier, now_ns: int, work: Work, *, skew_s: float = 0.0,
) -> tuple[Mso, Verified] | Refused:
    """Whether the issuer vouches for every item shown, now (clause 9.3.1). Its status is another question.

    Never raises for what is in ``issued``. Trouble: MALFORMED, FORGED (signature, chain or a digest), EXPIRED, NOT_YET_VALID,
    WRONG_ROLE (a signer that may not sign documents, or another document type).
    """
    work.chains += 1
    signer = root.check(issued.auth.chain, {Role.DOCUMENT_SIGNER}, now_ns)
    if isinstance(signer, Refused):
        return signer
    if issued.auth.payload is None:
        return Refused(Trouble.MALFORMED, "issuerAuth without payload")
    try:
        mso = read_mso(issued.auth.payload)
    except MalformedMdoc as e:
        return Refused(Trouble.MALFORMED, e.what)
    work.verifications += 1
    if not issued.auth.verify(signer.key):
        return Refused(Trouble.FORGED, "the issuer's signature is wrong")
    if mso.doctype != doctype:
        return Refused(Trouble.WRONG_ROLE, f"document type {mso.doctype}")
    wrong = _undigested(issued, mso)
    if wrong:
        return Refused(Trouble.FORGED, f"the issuer does not vouch for {wrong}")
    skew_ns = round(skew_s * NS)
    if not signer.not_before_ns - skew_ns <= mso.signed_ns <= signer.not_after_ns + skew_ns:
        return Refused(Trouble.FORGED, "signed outside the validity of the signer's certificate")
    if now_ns + skew_ns < mso.valid_from_ns:
        return Refused(Trouble.NOT_YET_VALID)
    if now_ns - skew_ns > mso.valid_until_ns:
        return Refused(Trouble.EXPIRED)
    return mso, signer


def _undigested(issued: IssuerSigned, mso: Mso) -> str:
    """The first element that is not as the issuer signed it, or stands there twice; empty when all are."""
    for space, items in issued.items.items():
        digests = mso.digests.get(space, {})
        seen: set[str] = set()
        for item in items:
            if item.identifier in seen or digests.get(item.digest_id) != pki.hashed(item.embedded, mso.digest_algorithm):
                return f"{space} {item.identifier}"
            seen.add(item.identifier)
    return ""
