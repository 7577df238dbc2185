"""The data centre put together: authority, domain, messages of desks and phones, all over one set of books."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from cryptography import x509

from virtual_devices.authorization import Scope
from virtual_devices.card.holder import Holder
from virtual_devices.card.image import Personalisation, fresh_cells
from virtual_devices.clock import roc_date7, to_datetime
from virtual_devices.cloud.books import Books, ByName
from virtual_devices.cloud.card_files import CardFiles
from virtual_devices.cloud.card_ledger import Held, Ledger
from virtual_devices.cloud.card_service import CardService
from virtual_devices.cloud.cards import Cards
from virtual_devices.cloud.core import DataCentre, Person
from virtual_devices.cloud.cs60 import Cloud60
from virtual_devices.cloud.envelope import EnvelopeCheck
from virtual_devices.cloud.guardians import Guardians
from virtual_devices.cloud.identification import Identification, Registered
from virtual_devices.cloud.issuer import HOLDERS, CardHolder, CardIssuer, portrait
from virtual_devices.cloud.journal import Asker, Journal, Request
from virtual_devices.cloud.office import Office
from virtual_devices.cloud.phone_service import PhoneService
from virtual_devices.cloud.places import Places
from virtual_devices.cloud.prescription_service import Operation, PrescriptionService
from virtual_devices.cloud.registers import CentreRegisters, Identity
from virtual_devices.cloud.restoring import Restoring
from virtual_devices.cloud.seen import SeenEnvelopes
from virtual_devices.cloud.service import DATA_CENTRE_ID, DataCentreDevice
from virtual_devices.cloud.token_operations import TokenOperations
from virtual_devices.lifecycle import Party
from virtual_devices.link import Work
from virtual_devices.pki import DAY_NS, Authority, ChainVerifier, Role
from virtual_devices.qr.token import TokenOffice
from virtual_devices.randomness import digest

T = TypeVar("T")
CARD_LISTS, AUTHORIZATION_LISTS, LIST_ENTRIES = 22, 1, 1 << 20
"""Status lists: room for 23 million cards, and for a million authorizations."""
STATUS_URI, AUTHORIZATION_URI = "urn:nhi:bench:status/cards", "urn:nhi:bench:status/authorizations"
CARD_YEARS = 5


@dataclass(frozen=True)
class Newcomer:
    """A person for the registers: what the household register and the insurance know. Dates of the Western calendar."""

    card_no: str
    holder: Holder
    household_no: str
    phone_no: str = ""
    parents: frozenset[str] = frozenset()


class Centre:
    """One data centre. ``fresh`` gives bytes that never come twice, also after a restart; times are handed in.

    Each act is one transaction (:meth:`act`): whatever is acknowledged has been committed.
    """

    def __init__(
        self, authority: Authority, books: Books, fresh: Callable[[int], bytes], maker_root: bytes | None = None,
    ) -> None:
        """``maker_root``: whose attestations of phones are believed; the bench's own root when left out."""
        self.authority, self.books, self.fresh = authority, books, fresh
        rng = Random(fresh(32))
        self.core = DataCentre(books)
        self.issuer = CardIssuer(authority, fresh(32))
        self.ledger = Ledger(
            Identification(rng, books), Places(STATUS_URI, rng, CARD_LISTS, LIST_ENTRIES, books), Journal(books),
        )
        self.cards = Cards(self.ledger)
        of_authorizations = Places(AUTHORIZATION_URI, rng, AUTHORIZATION_LISTS, LIST_ENTRIES, books)
        self.guardians = Guardians(self.ledger, of_authorizations, fresh)
        self.holders: ByName[str, CardHolder] = ByName(books.shelf(HOLDERS), HOLDERS)
        self.desks = DataCentreDevice(
            self.core, self.issuer.data_centre, authority.root_der, authority=authority, lists=self.status_lists, fresh=fresh,
        )
        office = Office(
            self.cards, self.guardians, Restoring(self.ledger, self._covers_medicines, self.desks.of_prescriptions.for_phone),
            self.issuer, self.holders, authority.root_der, maker_root or authority.root_der, fresh, audit=self.desks.audit,
            card_sessions=self.desks.card_sessions, late=self.desks.late,
        )
        self.phones = PhoneService(office)
        self.office = office
        self.registers = CentreRegisters(books, self.desks.prescriptions, self._medical)
        self.desks.prescriptions.cards_of = lambda card_no: {card.holder for card in self.ledger.of(card_no)}
        self.desks.home_visits.registers = self.registers
        self.desks.emergencies.essentials = self.registers.essentials
        self.desks.desk.card_of = self.registers.card_of
        self.uploads = self.desks.uploads
        identity = self.issuer.data_centre
        key = digest("card files", identity.key.private_numbers().private_value)
        self.files = CardFiles(books)
        self.of_files = files = CardService(self.core, self.files, TokenOffice(fresh), key, fresh, card_of=self.registers.card_of)
        self.desks.offer(TokenOperations(files, identity).all())
        self._root = ChainVerifier(authority.root_der)
        self.envelopes = EnvelopeCheck(self._root, DATA_CENTRE_ID, seen=SeenEnvelopes(books))
        self.software_60 = Cloud60(files, self.envelopes)

    def act(self, do: Callable[[], T]) -> T:
        """One act, whole or not at all. When this returns, it has been committed."""
        with self.books.transaction():
            return do()

    def desk_message(self, request: bytes, now_ns: int) -> bytes:
        """One signed request of a desk's SAM, and the signed answer."""
        return self.act(lambda: self.desks.handle(request, now_ns))

    def phone_message(self, request: bytes, now_ns: int) -> bytes:
        """One signed request of a phone, and the signed answer."""
        return self.act(lambda: self.phones.handle(request, now_ns))

    def status_lists(self, at_ns: int) -> dict[str, bytes]:
        """Every list, signed, by its address."""
        return self.issuer.status_lists(self.ledger.journal.statuses, at_ns, LIST_ENTRIES)

    def prescription_operations(
        self, revoked: Collection[int], about: Callable[[str], None], signed_by: Callable[[str], None],
    ) -> Mapping[str, Operation]:
        """A desk's operations on prescriptions. ``about`` is told whose data they were about, ``signed_by`` what professional's
        card has signed."""
        known = self.core.people
        service = PrescriptionService(
            self.desks.prescriptions, self._root, Work(), revoked, lambda card_no: known.get(card_no) is not None, about,
        )
        service.signed_by = signed_by
        return service.operations()

    def completed(self, chains: Iterable[Sequence[bytes]]) -> list[list[bytes]]:
        """Chains of signers, those that are a certificate alone with that of each issuer of professionals and SAMs."""
        issuers = [self.authority.issuer(role) for role in (Role.PHYSICIAN, Role.SAM)]
        found: list[list[bytes]] = []
        for chain in chains:
            found += [list(chain)] if len(chain) > 1 else [[*chain, issuer] for issuer in issuers if _issued_by(chain[0], issuer)]
        return found

    def _covers_medicines(self, held: Held, at_ns: int) -> bool:
        grant = self.guardians.grants.get(held.authorization)
        return grant is not None and grant.in_force(at_ns) and bool(grant.scope & {Scope.MEDICAL, Scope.COLLECT})

    def _medical(self, card_no: str) -> Mapping[str, Any]:
        holder = self.holders.get(card_no)
        return {} if holder is None else holder.medical

    def take_in(self, who: Newcomer, at_ns: int) -> bool:
        """A person known to every register, insured, with a physical card. False, and nothing done, when the national id or the
        card number is another's. Raises PackError for a name that a card cannot hold."""
        today = to_datetime(at_ns).date()
        holder = who.holder
        if not self.registers.take_in(Identity(holder.id_no, who.card_no, holder.name, holder.birth_roc, holder.sex)):
            return False
        until = today.replace(year=today.year + CARD_YEARS, day=min(today.day, 28))
        if self.core.people.get(who.card_no) is None:  # whoever is, has sequence numbers that go on
            self.core.enrol(Person(who.card_no, expiry_date=roc_date7(at_ns + CARD_YEARS * 365 * DAY_NS)))
        age = (today - holder.birth_date).days // 365
        self.holders[who.card_no] = CardHolder(
            who.card_no, holder.name, holder.id_no, holder.birth_date, holder.sex, today - timedelta(days=1), until,
            portrait(holder.sex, age), medical={"allergies": [], "critical_illness": []},
        )
        registered = Registered(
            who.card_no, holder.name, holder.id_no, holder.birth_date, who.household_no, who.phone_no, who.parents
        )
        if not self.files.knows(who.card_no):
            issued, ends = roc_date7(at_ns), roc_date7(at_ns + CARD_YEARS * 365 * DAY_NS)
            self.files.take_in(who.card_no, fresh_cells(Personalisation(who.card_no, holder, issued, ends)))
        request = Request(self.fresh(16), Asker(Party.DATA_CENTRE, "registers"), at_ns)
        self.cards.register(request, registered, at_ns + CARD_YEARS * 365 * DAY_NS)
        return True


def _issued_by(leaf: bytes, issuer: bytes) -> bool:
    """By its names: whether it is true, whoever verifies the chain finds out."""
    try:
        return x509.load_der_x509_certificate(leaf).issuer == x509.load_der_x509_certificate(issuer).subject
    except ValueError:
        return False


__all__ = ["Centre", "Newcomer"]
