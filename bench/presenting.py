"""The command ``present``: our reference card in front of somebody else's reader, for people to try."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import date, datetime

from bench.exits import PASS
from bench.presenters.control import ControlServer
from bench.presenters.vpcd import present
from virtual_devices.card.holder import make_holder
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.image import Personalisation, personalise
from virtual_devices.card.profiles import PROFILES
from virtual_devices.clock import TAIWAN, from_datetime, roc_date7
from virtual_devices.errors import UsageError
from virtual_devices.pki import DAY_NS, Authority, Role
from virtual_devices.randomness import digest, stream

_ISSUED = date(2024, 5, 20)


SAMPLE_DAYS = (-1, 3650)
"""From when to when the certificates of sample cards are good, in days from their issue."""


def sample_epoch_ns() -> int:
    """The day on which every sample card was issued."""
    return from_datetime(datetime(_ISSUED.year, _ISSUED.month, _ISSUED.day, tzinfo=TAIWAN))


def sample_authority(seed: int) -> Authority:
    """The authority of the sample cards of that seed."""
    return Authority(seed, sample_epoch_ns())


def sample_data(seed: int, profile: str = "t1") -> Personalisation:
    """What is on the card of an invented holder, who follows from the seed. Raises UsageError."""
    if profile not in PROFILES:
        raise UsageError(f"there is no card profile {profile!r}; there are {', '.join(PROFILES)}")
    epoch_ns = sample_epoch_ns()
    card_no = f"{int.from_bytes(digest(seed, 'sample card')[:5], 'big') % 10**12:012d}"
    holder = make_holder(stream(seed, "sample holder"), _ISSUED)
    return Personalisation(
        card_no, holder, roc_date7(epoch_ns), roc_date7(epoch_ns + 3650 * DAY_NS), profile=profile, last_seen_ns=epoch_ns
    )


def sample_card(seed: int, profile: str = "t1") -> IcCard:
    """A card of an invented holder, who follows from the seed."""
    data, authority = sample_data(seed, profile), sample_authority(seed)
    identity = authority.issue(Role.PATIENT_CARD, data.card_no, days=SAMPLE_DAYS)
    return IcCard(personalise(data, identity, authority.root_der, digest(seed, "sample seed")))


def vpcd(host: str, port: int, profile: str, seed: int, *, empty: bool, reader: str, name: str) -> int:
    """Present until Ctrl-C. Returns the exit code."""
    card = None if empty else sample_card(seed, profile)
    control = ControlServer(name or f"vpcd-{port}")
    what = "an empty slot" if card is None else f"card {card.card_no} ({PROFILES[profile].text})"
    sys.stdout.write(f"presenting {what} to the vpcd driver at {host}:{port}; Ctrl-C ends it\n")
    sys.stdout.flush()

    def unanswered() -> None:
        sys.stderr.write(
            f"no vpcd driver answers at {host}:{port}: is pcscd running, with the package vsmartcard-vpcd? Still trying.\n"
        )
        sys.stderr.flush()

    with suppress(KeyboardInterrupt):
        present(lambda: card, host, port, control, load=IcCard.from_image, reader=reader, unanswered=unanswered)
    return PASS
