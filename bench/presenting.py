"""Cards of invented people, for people to try: patients' of the first generation and of the second, a SAM, a physician's."""

from __future__ import annotations

from datetime import date, datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from bench.sample_phone import STATUS_URI, SamplePhone
from bench.sample_readers import PARTIES
from virtual_devices.card.holder import make_holder
from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.image import Personalisation, personalise
from virtual_devices.card.profiles import PROFILES
from virtual_devices.card.second import SecondCard
from virtual_devices.card.second_image import personalise_second
from virtual_devices.clock import TAIWAN, from_datetime, roc_date7
from virtual_devices.errors import UsageError
from virtual_devices.hpc.hpc import Hpc, HpcImage, fresh_cells
from virtual_devices.mdoc.mso import IssuerSigned, StatusReference
from virtual_devices.pki import DAY_NS, Authority, Role
from virtual_devices.randomness import digest, stream
from virtual_devices.sam.sam import Sam, SamImage

_ISSUED = date(2024, 5, 20)
HPC_PIN, HPC_PUK = "246810", "13579024"


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


def sample_card(seed: int, profile: str = "t1", authority: Authority | None = None) -> IcCard:
    """A card of an invented holder, who follows from the seed, as the authority does where none is given."""
    data, authority = sample_data(seed, profile), authority or sample_authority(seed)
    identity = authority.issue(Role.PATIENT_CARD, data.card_no, days=SAMPLE_DAYS)
    return IcCard(personalise(data, identity, authority.root_der, digest(seed, "sample seed")))


def sample_sam(seed: int, authority: Authority) -> Sam:
    """The security module of an invented institution."""
    role, sam_id, institution = PARTIES["sam"]
    identity = authority.issue(role, sam_id, organisation=institution)
    return Sam(SamImage(sam_id, institution, identity, authority.root_der, digest(seed, "sample SAM")))


def sample_hpc(seed: int, authority: Authority) -> Hpc:
    """The card of an invented physician, with :data:`HPC_PIN` and :data:`HPC_PUK`."""
    role, physician, _ = PARTIES["physician"]
    identity = authority.issue(role, physician)
    cells = fresh_cells(HPC_PIN, HPC_PUK)
    return Hpc(HpcImage(physician, "王小明", identity, authority.root_der, digest(seed, "sample HPC"), cells,
                        english_name="WANG,HSIAO-MING"))


def sample_second_card(sample: SamplePhone, profile: str = "t1") -> SecondCard:
    """The second-generation card of that phone's holder, who needs no phone for it. Raises UsageError."""
    holder, authority, epoch_ns = sample.holder, sample.authority, sample.authority.epoch_ns
    data = Personalisation(
        holder.card_no, sample.person, roc_date7(epoch_ns), roc_date7(epoch_ns + 3650 * DAY_NS), profile=profile,
        last_seen_ns=epoch_ns,
    )
    identity = authority.issue(Role.PATIENT_CARD, data.card_no, days=SAMPLE_DAYS)
    place = StatusReference(STATUS_URI, int.from_bytes(digest(data.card_no, "place")[:4], "big") % (1 << 20))

    def credential(key: EllipticCurvePublicKey) -> IssuerSigned:
        return sample.issuer.credential(holder, key, place, epoch_ns)

    return SecondCard(personalise_second(data, identity, authority.root_der, digest(data.card_no, "second sample"), credential))
