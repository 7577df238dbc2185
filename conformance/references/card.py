"""The reference patient card as a chip under test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conformance.chips import MadeUp, VirtualChip, identity_of
from conformance.vectors.world import CARD_NO, NOW_NS, World
from virtual_devices.authentication import Party
from virtual_devices.card.holder import Holder
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.image import Personalisation, personalise
from virtual_devices.clock import VirtualClock, roc_date7
from virtual_devices.network import Contact, ContactMedium, Medium
from virtual_devices.pki import DAY_NS
from virtual_devices.randomness import digest, stream

PROFILES: Mapping[str, str] = {"contact": "t1", "contact-t0": "t0"}
"""Kinds of card in the field, as channels: T=1 and T=0."""


def timed_card(world: World, channel: str, name: str) -> VirtualChip:
    """As :func:`reference_card`, in a modelled reader."""
    return reference_card(world, channel, name, ContactMedium(Contact(), stream("conformance", world.seed, name)))


def reference_card(world: World, channel: str, name: str, medium: Medium | None = None) -> VirtualChip:
    """A card of the world's holder; all of it follows from ``name``. ``medium``: the reader that it takes its time in."""
    def make(made_up: MadeUp) -> IcCard:
        person = world.holder
        values = {
            "card_no": CARD_NO, "holder": Holder(person.name, person.id_no, person.birth_date, person.sex),
            "issue_date": roc_date7(world.now_ns - 1900 * DAY_NS),
            "expiry_date": roc_date7(world.now_ns + 700 * DAY_NS), "profile": PROFILES[channel],
            "last_seen_ns": world.now_ns - 40 * DAY_NS,
            "emergency_tel": person.emergency_tel,
        }
        data = Personalisation(**{**values, **made_up.personal})
        image = personalise(data, identity_of(world, Party.CARD), world.authority.root_der, digest(world.seed, name, "card"))
        return IcCard(replace(image, cells={**image.cells, **made_up.cells}))

    return VirtualChip("card", VirtualClock(NOW_NS), make, medium)


__all__ = ["PROFILES", "reference_card", "timed_card"]
