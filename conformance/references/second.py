"""The reference second-generation card (第二代實體健保卡) under test: a wallet on a chip with two interfaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from conformance.chips import identity_of
from conformance.vectors.world import CARD_NO, NOW_NS, PLACE, UNTIL_NS, World
from virtual_devices import vhc
from virtual_devices.authentication import Party
from virtual_devices.card.holder import Holder
from virtual_devices.card.image import Personalisation
from virtual_devices.card.second import SecondCard
from virtual_devices.card.second_image import CREDENTIAL, personalise_second
from virtual_devices.clock import VirtualClock, roc_date7
from virtual_devices.link import DirectLink, Link
from virtual_devices.mdoc.mso import Validity, issue
from virtual_devices.pki import DAY_NS
from virtual_devices.randomness import digest
from virtual_devices.reader.presentation import Medium
from virtual_devices.wallet.consent import Use

CHANNELS: Mapping[str, str] = {"contact": "t1", "contact-t0": "t0", "chip": "t1"}
"""By contact with T=1 and T=0; in a field (a phone's is ``nfc``)."""
LAST_SEEN_NS = NOW_NS - 40 * DAY_NS
OTHER = "other interface"
"""The role of the interface by which it is not met."""


_CONSENT = "there is no screen to ask on: handing the card over is consent"
_CLOCK = "it has no clock: a certificate is judged by the latest one that it has seen begin"
_ROOM = "a chip has less room than a phone: messages of 32 KiB, few records and short ones"
OF_A_PHONE: Mapping[str, str] = {
    "wallet.consent.": _CONSENT, "wallet.writing.nothing-is-written-without-consent": _CONSENT,
    "wallet.readers.reader-certificate-has-limits[begins-in-31-s]": _CLOCK,
    "wallet.readers.reader-certificate-has-limits[ended-": _CLOCK,
    "wallet.request.request-is-answered[hpc-expired]": _CLOCK, "wallet.request.request-is-answered[hpc-too-early]": _CLOCK,
    "wallet.request.request-is-answered[sam-ended-31-s]": _CLOCK, "wallet.request.request-is-answered[sam-expired": _CLOCK,
    "wallet.request.request-is-answered[sam-too-early]": _CLOCK,
    "wallet.records.batch-has-a-limit[": _ROOM, "wallet.records.full-wallet-says-so": _ROOM,
    "wallet.records.record-has-a-limit[longest]": _ROOM, "wallet.session.message-at-the-limit-": _ROOM,
    "wallet.writing.batch-is-settled[too-long]": _ROOM,
}
"""How ids of cases begin that are a phone's, and why this card is otherwise (:mod:`virtual_devices.card.second_differences`)."""

IN_A_FIELD: Mapping[str, str] = {
    "wallet.request.request-is-answered[other-use": "in the field a reader outside medical care is given nothing before the PIN",
}
"""The same, of what is otherwise in a field alone (P-CHP-09)."""


class ReferenceSecond:
    """A card of the world's holder; all of it follows from ``name``."""

    def __init__(self, world: World, channel: str, name: str) -> None:
        self.medium = Medium.NFC if channel == "chip" else Medium.CONTACT
        self.clock = VirtualClock(NOW_NS)
        self.holder = _Nobody()
        self._world, self._channel, self._name = world, channel, name
        self.personalise()

    def personalise(self, *, issued: bool = True, **personal: Any) -> None:
        """Another card in this one's place, made up so. ``issued``: it has its credential."""
        world, person = self._world, self._world.holder
        values = {
            "card_no": CARD_NO, "holder": Holder(person.name, person.id_no, person.birth_date, person.sex),
            "issue_date": roc_date7(NOW_NS - 1900 * DAY_NS), "expiry_date": roc_date7(NOW_NS + 700 * DAY_NS),
            "profile": CHANNELS[self._channel], "last_seen_ns": LAST_SEEN_NS, "emergency_tel": person.emergency_tel,
        }
        from_ns = NOW_NS - 90 * DAY_NS
        image = personalise_second(
            Personalisation(**{**values, **personal}), identity_of(world, Party.CARD), world.authority.root_der,
            digest(world.seed, self._name, "second"),
            lambda key: issue(
                vhc.DOCTYPE, world.holder.elements(b"", ()), key, world.signer, Validity(from_ns, from_ns, UNTIL_NS),
                world.fresh("second", self._name), status=PLACE, authorised=vhc.AUTHORISED,
            ),
        )
        if not issued:
            image = replace(image, card=replace(image.card, cells={**image.card.cells, CREDENTIAL: b""}))
        self.card = SecondCard(image)

    def meet(self) -> Mapping[str, Link]:
        """Links to the interface by which it is met, and to the other one."""
        ways = [(self.card.contact, "contact"), (self.card.contactless, "nfc")]
        mine, other = ways if self.medium is Medium.CONTACT else reversed(ways)
        return {"wallet": DirectLink(mine[0], self.clock, channel=mine[1]),
                OTHER: DirectLink(other[0], self.clock, channel=other[1])}

    def part(self) -> None:
        self.card.contact.power_off()
        self.card.contactless.power_off()


class _Nobody:
    """There is no screen: handing the card over is consent, and the PIN is typed at the reader."""

    def agree(self, use: Use, names: Mapping[str, Collection[str]], *, write: bool = True, proved: bool = True) -> None:
        return

    def prove(self) -> None:
        return

    def approve(self, use: Use, *, proved: bool = True) -> None:
        return

    def refuse(self) -> None:
        return


__all__ = ["CHANNELS", "IN_A_FIELD", "LAST_SEEN_NS", "OF_A_PHONE", "OTHER", "ReferenceSecond"]
