"""A patient card's image: the cells of its store, as personalised, and as bytes to be kept or inserted elsewhere.

An image holds the card's private key. It is a bench's test card on the bench's own disk, nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cbor2

from virtual_devices import cbor
from virtual_devices.card.areas import AREAS, DERIVED, INSURANCE_BYTES
from virtual_devices.card.holder import Holder
from virtual_devices.card.profiles import PROFILES, Profile
from virtual_devices.errors import UsageError
from virtual_devices.pin import pin_cells
from virtual_devices.pki import ChainVerifier, Identity
from virtual_devices.records import RECORDS

IMAGE_VERSION = 1
HOLDER_PIN_TRIES = 3


@dataclass(frozen=True, slots=True)
class Personalisation:
    """What is written on a fresh card. Dates are ROC ``YYYMMDD``."""

    card_no: str  # 12 characters
    holder: Holder
    issue_date: str
    expiry_date: str
    available_visits: int = 6
    cancelled: bool = False
    insurer_code: str = "01"
    identity_mark: str = "3"
    emergency_tel: str = ""
    last_sequence: str = ""  # three-digit year and four-digit number; "" on a card never used
    pin: str = ""  # "": the holder has not switched PIN protection on
    profile: str = "t1"
    last_seen_ns: int = 0
    records: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)  # area name -> records already on the card


@dataclass(frozen=True, slots=True)
class CardImage:
    """Everything that a card is: ``cells`` as they lie in its memory, its identity, the root that it trusts."""

    profile: str
    card_no: str
    identity: Identity
    root: bytes
    seed: bytes  # of its challenges
    cells: Mapping[str, bytes]

    def to_bytes(self) -> bytes:
        """CBOR, canonical."""
        body = {
            "version": IMAGE_VERSION, "profile": self.profile, "card_no": self.card_no, "seed": self.seed, "root": self.root,
            "key": self.identity.private_bytes(), "chain": list(self.identity.chain), "cells": dict(self.cells),
        }
        encoded: bytes = cbor2.dumps(body, canonical=True)
        return encoded

    @staticmethod
    def from_bytes(raw: bytes) -> CardImage:
        """Raises UsageError when the bytes are no image of this version."""
        try:
            body = cbor.decode(raw)
            if body["version"] != IMAGE_VERSION or body["profile"] not in PROFILES:
                what = f"card image of version {body['version']}, profile {body['profile']!r}"
                raise UsageError(f"{what}: not known here; make one with this version")
            _check_cells(body["cells"])
            ChainVerifier(body["root"])
            return CardImage(
                body["profile"], str(body["card_no"]), Identity.from_bytes(body["key"], body["chain"]), body["root"],
                bytes(body["seed"]), body["cells"],
            )
        except UsageError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as e:
            raise UsageError(f"these {len(raw)} bytes are no card image ({type(e).__name__}); make one with this version") from e


def _check_cells(cells: Mapping[str, bytes]) -> None:
    """The cells that every card has, and their lengths. Raises ValueError, LookupError or TypeError."""
    lengths = {"public": RECORDS["pcsc_basic"].length, "insurance": INSURANCE_BYTES, "last_seen": 8}
    for name in ("tries", "limit", "enabled", "puk_tries"):
        lengths[f"pin.{name}"] = 1
    if wrong := [name for name, length in lengths.items() if len(cells[name]) != length]:
        raise ValueError(f"cells of the wrong length: {', '.join(wrong)}")
    if not {"pin.hash", "pin.puk"} <= cells.keys() or not all(isinstance(cell, bytes) for cell in cells.values()):
        raise ValueError("a cell is missing, or holds no bytes")


def personalise(data: Personalisation, identity: Identity, root: bytes, seed: bytes) -> CardImage:
    """The image of a fresh card. Raises UsageError when a value does not fit its field."""
    return CardImage(data.profile, data.card_no, identity, root, seed, fresh_cells(data))


def fresh_cells(data: Personalisation) -> dict[str, bytes]:
    """The cells of a fresh card: on the chip, and in the data centre's copy. Raises UsageError."""
    profile = PROFILES.get(data.profile)
    if profile is None:
        raise UsageError(f"no card profile {data.profile!r}; there are {', '.join(PROFILES)}")
    if not 0 <= data.last_seen_ns < 1 << 63:
        raise UsageError(f"last_seen_ns counts from 1970 on, {data.last_seen_ns} does not")
    cells: dict[str, bytes] = {
        "public": _public(data, profile),
        "insurance": _insurance(data),
        "emergency_tel.0": RECORDS["emergency_tel"].pack({"emergency_tel": data.emergency_tel}),
        "last_seq.0": RECORDS["last_seq"].pack({"last_visit_seq_no": data.last_sequence}),
        "last_seen": data.last_seen_ns.to_bytes(8, "big"),
        **pin_cells("pin", data.pin, HOLDER_PIN_TRIES),
    }
    if unknown := data.records.keys() - {area.name for area in AREAS} | data.records.keys() & DERIVED:
        raise UsageError(f"no area that holds records of its own: {', '.join(sorted(unknown))}")
    for area in AREAS:
        given = data.records.get(area.name, ())
        if any(len(record) != area.record_bytes for record in given):
            raise UsageError(f"a record of area {area.name} has {area.record_bytes} bytes")
        if len(given) > area.count:
            raise UsageError(f"area {area.name} holds {area.count} records, not {len(given)}")
        cells.update({area.cell(i): record for i, record in enumerate(given)})
        if given:
            cells[f"{area.name}.next"] = bytes([len(given) % area.count])
    return cells


def _public(data: Personalisation, profile: Profile) -> bytes:
    packed = RECORDS["pcsc_basic"].pack(
        {
            "card_no": data.card_no, "name": data.holder.name, "id_no": data.holder.id_no,
            "birth_date": data.holder.birth_roc, "sex": data.holder.sex, "issue_date": data.issue_date,
        }
    )
    name = packed[12:32].rstrip(b" ").ljust(20, profile.name_padding)
    return packed[:12] + name + packed[32:]


def _insurance(data: Personalisation) -> bytes:
    packed = RECORDS["register_basic"].pack(
        {
            "cancel_mark": "2" if data.cancelled else "1", "insurer_code": data.insurer_code,
            "insured_identity_mark": data.identity_mark, "card_expiry_date": data.expiry_date,
            "available_visit_count": f"{data.available_visits:02d}",
        }
    )
    return packed[57:]
