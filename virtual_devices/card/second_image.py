"""The image of a second-generation card: that of a first-generation one, a device key, and the credential bound to it.

The device key signs presentations and receipts and nothing else; the identity of three-card authentication is another key.
Neither leaves the chip by any command. An image holds both: it is a bench's test card on the bench's own disk, nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from virtual_devices import cbor, vhc
from virtual_devices.card.image import CardImage, Personalisation, personalise
from virtual_devices.card.profiles import PROFILES
from virtual_devices.cbor import MalformedCbor
from virtual_devices.errors import UsageError
from virtual_devices.mdoc.mso import IssuerSigned, read_issuer_signed, read_mso
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import Identity
from virtual_devices.randomness import P256_ORDER, private_key

IMAGE_VERSION = 1
CREDENTIAL = "vhc.credential"
"""The cell of the credential."""
IssueTo = Callable[[ec.EllipticCurvePublicKey], IssuerSigned]
"""The issuer: a credential for the chip's device key."""


@dataclass(frozen=True, slots=True)
class SecondImage:
    """``card``: the first-generation part, whose cells are all of the chip's memory. ``device_key``: 32 bytes."""

    card: CardImage
    device_key: bytes

    def to_bytes(self) -> bytes:
        """CBOR, canonical."""
        body = {"generation": 2, "version": IMAGE_VERSION, "card": self.card.to_bytes(), "device_key": self.device_key}
        encoded: bytes = cbor2.dumps(body, canonical=True)
        return encoded

    @staticmethod
    def from_bytes(raw: bytes) -> SecondImage:
        """Raises UsageError when the bytes are no image of this version, or its parts do not belong together."""
        try:
            body = cbor.decode(raw)
            if (body["generation"], body["version"]) != (2, IMAGE_VERSION):
                raise UsageError(f"card image of generation {body['generation']}, version {body['version']}: not known here")
            return checked(SecondImage(CardImage.from_bytes(body["card"]), bytes(body["device_key"])))
        except UsageError:
            raise
        except (LookupError, TypeError, ValueError) as e:
            what = f"these {len(raw)} bytes are no image of a second-generation card ({type(e).__name__})"
            raise UsageError(f"{what}; make one with this version") from e


def personalise_second(
    data: Personalisation, identity: Identity, root: bytes, seed: bytes, issue_to: IssueTo,
) -> SecondImage:
    """The image of a fresh card. ``issue_to`` is given the chip's public key (``mso.issue``, or the data centre's issuer).

    Raises UsageError when a value does not fit its field, the credential is not for that key, or names another card.
    """
    key = private_key(seed.hex(), "device key")
    card = personalise(data, identity, root, seed)
    cells = {**card.cells, CREDENTIAL: issue_to(key.public_key()).to_bytes()}
    return checked(SecondImage(replace(card, cells=cells), key.private_numbers().private_value.to_bytes(32, "big")))


def device_key(image: SecondImage) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError for a number that is no key."""
    value = int.from_bytes(image.device_key, "big")
    if len(image.device_key) != 32 or not 0 < value < P256_ORDER:
        raise ValueError("no private key of P-256")
    return ec.derive_private_key(value, ec.SECP256R1())


def credential_of(raw: bytes) -> IssuerSigned:
    """The credential in its cell. Raises UsageError."""
    try:
        return read_issuer_signed(cbor.decode(raw))
    except (MalformedMdoc, MalformedCbor) as e:
        raise UsageError(f"the card's credential: {e.what}") from None


def checked(image: SecondImage) -> SecondImage:
    """The image, when its parts belong together. Raises UsageError. An empty credential cell is a card not yet issued."""
    profile = PROFILES[image.card.profile]
    if not profile.answers_select:
        raise UsageError(f"profile {profile.name} answers no SELECT: a second-generation card has applications to select")
    try:
        key = device_key(image)
    except ValueError as e:
        raise UsageError(f"the device key: {e}") from None
    raw = image.card.cells.get(CREDENTIAL, b"")
    if not raw:
        return image
    issued = credential_of(raw)
    try:
        mso = read_mso(issued.auth.payload or b"")
    except MalformedMdoc as e:
        raise UsageError(f"the card's credential: {e.what}") from None
    if mso.device_key != key.public_key():
        raise UsageError("the credential is bound to another key than the chip's")
    if mso.doctype != vhc.DOCTYPE:
        raise UsageError(f"a credential of document type {mso.doctype}")
    basic = issued.values().get(vhc.BASIC, {})
    if basic.get("card_no", image.card.card_no) != image.card.card_no:
        raise UsageError(f"the credential names card {basic['card_no']}, the chip is {image.card.card_no}")
    if basic.get(vhc.HELD_UNDER):
        raise UsageError("a ward's card held by a guardian is a phone's: the chip could not prove who presents it")
    return image


__all__ = ["CREDENTIAL", "IssueTo", "SecondImage", "credential_of", "device_key", "personalise_second"]
