"""A chip's image as bytes: everything that a SAM or a professional's card is, so that it can be put into another process.

For the bench's own disk and sockets only: the private key is in it. A patient card has a form of its own (``card/image.py``).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import cbor2

from virtual_devices import cbor
from virtual_devices.errors import UsageError
from virtual_devices.pki import ChainVerifier, Identity

IMAGE_VERSION = 1
T = TypeVar("T")


def pack(image: Any) -> bytes:
    """CBOR, canonical. ``image``: a dataclass of texts, bytes, one ``identity`` and ``cells``."""
    body = {field.name: getattr(image, field.name) for field in fields(image)}
    body |= {"identity": [image.identity.private_bytes(), list(image.identity.chain)], "cells": dict(image.cells)}
    encoded: bytes = cbor2.dumps({"version": IMAGE_VERSION, "chip": type(image).__name__, **body}, canonical=True)
    return encoded


def unpack(form: type[T], raw: bytes) -> T:
    """The image of that form. Raises UsageError when the bytes are none, or of another version."""
    try:
        body = dict(cbor.decode(raw))
        if (body.pop("version"), body.pop("chip")) != (IMAGE_VERSION, form.__name__):
            raise UsageError(f"no {form.__name__} of version {IMAGE_VERSION}; make one with this version")
        private, chain = body["identity"]
        ChainVerifier(body["root"])
        image = form(**{**body, "identity": Identity.from_bytes(private, chain)})
        texts = {"seed": bytes, "root": bytes, "cells": dict}
        if wrong := [field.name for field in fields(image) if field.name != "identity"  # type: ignore[arg-type]
                     and not isinstance(body[field.name], texts.get(field.name, str))]:
            raise ValueError(f"of another type: {', '.join(wrong)}")
        if not all(isinstance(name, str) and isinstance(cell, bytes) for name, cell in body["cells"].items()):
            raise ValueError("a cell holds no bytes")
        return image
    except UsageError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise UsageError(f"these {len(raw)} bytes are no {form.__name__} ({type(e).__name__}); make one with this version") from e


__all__ = ["IMAGE_VERSION", "pack", "unpack"]
