"""The image of a phone: what a phone of an invented holder is, as bytes, to be kept or put into another presenter.

No real phone has one: its keys cannot leave it, and there is no way to copy them here either (``wallet.keystore``). The bench's
keys follow from a seed, and the image has that seed beside the cells of flash and secure element, as a card's image has the
card's key; and the PIN of the holder, who agrees to everything. It is a bench's test phone on the bench's own disk, no more.

What a switched-off phone forgets is not in it: consents, and the session with a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

from bench.willing import Willing, WillingHolder
from virtual_devices import cbor
from virtual_devices.clock import Clock
from virtual_devices.errors import UsageError
from virtual_devices.link import Device
from virtual_devices.pki import ChainVerifier
from virtual_devices.wallet.phone import Phone

IMAGE_VERSION = 1
NO_IMAGE = "this is no image of a phone: take one out of a presenter of this version (eject)"


@dataclass(frozen=True, slots=True)
class PhoneImage:
    """``seed``, ``name``: from which its keys follow; ``root``: the authority that it trusts (DER); ``card_no``: of the holder's
    card, by which the phone is known; ``flash``, ``keystore``: cells, empty for a phone never switched on."""

    seed: int
    name: str
    root: bytes
    card_no: str
    pin: str
    flash: Mapping[str, bytes] = field(default_factory=dict)
    keystore: Mapping[str, bytes] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """CBOR, canonical."""
        body = {
            "version": IMAGE_VERSION, "phone": self.name, "seed": self.seed, "root": self.root, "card_no": self.card_no,
            "pin": self.pin, "flash": dict(self.flash), "keystore": dict(self.keystore),
        }
        encoded: bytes = cbor2.dumps(body, canonical=True)
        return encoded

    @staticmethod
    def from_bytes(raw: bytes) -> PhoneImage:
        """Raises UsageError when the bytes are no image of this version."""
        try:
            body: Any = cbor.decode(raw)
            if body["version"] != IMAGE_VERSION:
                raise UsageError(f"an image of version {body['version']}: not known here; make one with this version")
            if not isinstance(body["seed"], int) or not all(isinstance(body[name], str) for name in ("phone", "card_no", "pin")):
                raise UsageError(NO_IMAGE)
            ChainVerifier(body["root"])
            flash, keystore = _cells(body["flash"]), _cells(body["keystore"])
            return PhoneImage(body["seed"], body["phone"], body["root"], body["card_no"], body["pin"], flash, keystore)
        except UsageError:
            raise
        except Exception as e:  # the bytes came from outside
            raise UsageError(NO_IMAGE) from e


def _cells(found: Any) -> Mapping[str, bytes]:
    if not all(isinstance(name, str) and isinstance(raw, bytes) for name, raw in found.items()):
        raise UsageError(NO_IMAGE)
    cells: Mapping[str, bytes] = found
    return cells


class KeptPhone(Willing):
    """A phone whose holder agrees to everything, and whose image can be taken out (:class:`bench.presenters.serve.Persistent`).
    ``face``: how it is met."""

    def __init__(self, image: PhoneImage, phone: Phone, face: Callable[[Phone], Device], clock: Clock) -> None:
        super().__init__(face(phone), WillingHolder(phone, image.pin, clock), image.card_no)
        self.phone = phone
        self._image = image

    @classmethod
    def load(cls, raw: bytes, face: Callable[[Phone], Device], clock: Clock) -> KeptPhone:
        """The phone of an image, switched on. Raises UsageError."""
        image = PhoneImage.from_bytes(raw)
        phone = Phone(image.seed, image.name, image.root, flash=image.flash, keystore=image.keystore)
        try:
            phone.start(clock.now_ns())
        except Exception as e:  # the cells came from outside
            raise UsageError(f"the phone of this image does not start: {e}; take another image of it") from e
        return cls(image, phone, face, clock)

    @property
    def generation(self) -> int:
        """Grows with each write to its memories."""
        return self.phone.writes

    def to_image(self) -> bytes:
        """The image with the memories as they are now."""
        return replace(self._image, flash=self.phone.vault.backup(), keystore=self.phone.keystore.cells()).to_bytes()


__all__ = ["KeptPhone", "PhoneImage"]
