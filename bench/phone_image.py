"""The image of a phone: what a phone of an invented holder is, as bytes, to be kept or put into another presenter.

No real phone has one: its keys cannot leave it, and there is no way to copy them here either (``wallet.keystore``). The bench's
keys follow from a seed, and the image has that seed beside the cells of flash and secure element, as a card's image has the
card's key; and the PIN of the holder, who agrees to everything. It is a bench's test phone on the bench's own disk, no more.

What a switched-off phone forgets is not in it: consents, and the session with a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

from bench.phone_acts import PhoneActs
from bench.willing import Willing, WillingHolder
from virtual_devices import cbor
from virtual_devices.clock import Clock
from virtual_devices.errors import UsageError
from virtual_devices.link import Device
from virtual_devices.pki import ChainVerifier
from virtual_devices.wallet.attestation import PhoneMaker
from virtual_devices.wallet.phone import Phone

IMAGE_VERSION = 1
NO_IMAGE = "this is no image of a phone: take one out of a presenter of this version (eject)"


@dataclass(frozen=True, slots=True)
class PhoneImage:
    """``seed``, ``name``: from which its keys follow; ``root``: the authority that it trusts (DER); ``card_no``: of the holder's
    card, by which the phone is known; ``flash``, ``keystore``: cells, empty for a phone never switched on. ``maker``: seed and
    epoch of who attests its keys; None: nobody does. ``negotiated``: its tag asks a reader for its carriers."""

    seed: int
    name: str
    root: bytes
    card_no: str
    pin: str
    flash: Mapping[str, bytes] = field(default_factory=dict)
    keystore: Mapping[str, bytes] = field(default_factory=dict)
    maker: tuple[str, int] | None = None
    negotiated: bool = False

    def to_bytes(self) -> bytes:
        """CBOR, canonical."""
        body = {
            "version": IMAGE_VERSION, "phone": self.name, "seed": self.seed, "root": self.root, "card_no": self.card_no,
            "pin": self.pin, "flash": dict(self.flash), "keystore": dict(self.keystore),
        }
        if self.maker is not None:
            body["maker"] = list(self.maker)
        if self.negotiated:
            body["negotiated"] = True
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
            seed, epoch_ns = body.get("maker", ("", 0))
            maker = (str(seed), int(epoch_ns)) if "maker" in body else None
            return PhoneImage(body["seed"], body["phone"], body["root"], body["card_no"], body["pin"], flash, keystore, maker,
                              body.get("negotiated") is True)
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

    def __init__(self, image: PhoneImage, phone: Phone, face: Callable[..., Device], clock: Clock) -> None:
        met = face(phone, negotiated=True) if image.negotiated else face(phone)
        super().__init__(met, WillingHolder(phone, image.pin, clock), image.card_no)
        self.phone = phone
        self.app = PhoneActs(phone, clock, self.turn)
        self._image = image

    def act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        do = self.app.acts.get(str(request.get("act")))
        if do is None:
            return super().act(request)
        with self.turn if request["act"] != "online" else nullcontext():  # it may last, and is asked how far it is
            try:
                return {"met": self._powered, **do(request)}
            except Exception as error:  # the request came from outside
                return {"error": f"the holder cannot do that: {type(error).__name__}: {error}"}

    @classmethod
    def load(cls, raw: bytes, face: Callable[..., Device], clock: Clock) -> KeptPhone:
        """The phone of an image, switched on. Raises UsageError."""
        image = PhoneImage.from_bytes(raw)
        maker = None if image.maker is None else PhoneMaker(*image.maker).batch(1)
        phone = Phone(image.seed, image.name, image.root, maker=maker, flash=image.flash, keystore=image.keystore)
        try:
            phone.start(clock.now_ns())
        except Exception as e:  # the cells came from outside
            raise UsageError(f"the phone of this image does not start: {e}; take another image of it") from e
        return cls(image, phone, face, clock)

    @property
    def negotiated(self) -> bool:
        """Its tag asks a reader for its carriers."""
        return self._image.negotiated

    @property
    def generation(self) -> int:
        """Grows with each write to its memories."""
        return self.phone.writes

    def to_image(self) -> bytes:
        """The image with the memories as they are now."""
        return replace(self._image, flash=self.phone.vault.backup(), keystore=self.phone.keystore.cells()).to_bytes()


__all__ = ["KeptPhone", "PhoneImage"]
