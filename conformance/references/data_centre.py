"""The reference data centre under test: a clinic and a pharmacy, a few people, and an officer at its counter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from conformance.town import PEOPLE, clinic, maker, pharmacy
from conformance.vectors.world import World
from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.clock import NS, Clock, VirtualClock
from virtual_devices.cloud.audit import sign_head
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.centre import Centre
from virtual_devices.cloud.guardians import Ground, Wish
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.journal import Answer, Asker, Request
from virtual_devices.cloud.registers import Contracted
from virtual_devices.cloud.visits import Insurance
from virtual_devices.lifecycle import Carrier, Party
from virtual_devices.link import DirectLink, Link

T = TypeVar("T")
OFFICER = "officer 1"


class ReferenceDataCentre:
    """All of it follows from ``name``. There is one ``channel``."""

    def __init__(self, world: World, channel: str, name: str) -> None:
        self.clock = VirtualClock(world.now_ns)
        self.centre = Centre(world.authority, MemoryBooks(), world.fresh("data centre", name), maker(world).root_der)
        populate(self.centre, world)
        self.officer = ReferenceOfficer(self.centre, self.clock)

    def meet(self) -> Mapping[str, Link]:
        """Links to what desks and what phones meet, by the roles ``cloud`` and ``issuer``."""
        faces = {"cloud": self.centre.desk_message, "issuer": self.centre.phone_message}
        return {role: DirectLink(Face(answer), self.clock, channel="network") for role, answer in faces.items()}

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def later(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.now_ns() + round(seconds * NS))


def populate(centre: Centre, world: World) -> None:
    """The institutions and people of :mod:`conformance.town` into its registers."""
    for place in (clinic(world), pharmacy(world)):
        contracted = Contracted(place.institution, place.trade, began_20="1130101")
        centre.registers.contract(contracted, [place.sam_id], [place.professional_id])
    for person in PEOPLE:
        centre.take_in(person, world.now_ns)


@dataclass(frozen=True)
class Face:
    """The data centre as a device, as those who ask it meet it."""

    answer: Callable[[bytes, int], bytes]

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        return

    def handle(self, request: bytes, now_ns: int) -> bytes:
        return self.answer(request, now_ns)


class ReferenceOfficer:
    """An officer at the counter, who does as they are told. Acts on cards and authorizations answer with the field's code."""

    def __init__(self, centre: Centre, clock: Clock) -> None:
        self._centre, self._clock = centre, clock

    def _request(self) -> Request:
        return Request(self._centre.fresh(16), Asker(Party.DATA_CENTRE, OFFICER), self._clock.now_ns())

    def _act(self, do: Callable[[Request], Answer]) -> str:
        return self._centre.act(lambda: do(self._request())).code.number

    def ticket(self, card_no: str) -> str:
        made = self._centre.fresh(8).hex()
        self._centre.office.tickets[made] = (card_no, OFFICER)
        return made

    def telephone(self, card_no: str) -> str:
        """The one-time code that has come on the person's telephone; empty when none has."""
        return self._centre.office.telephone.get(card_no, "")

    def token(self, card_no: str) -> str:
        """The code that is on the person's phone today."""
        return self._centre.of_files.tokens.issue(card_no, self._clock.now_ns())

    def states(self, card_no: str) -> dict[str, str]:
        """State of each of a person's cards, by the card's name."""
        ledger = self._centre.ledger

        def look() -> dict[str, str]:
            ledger.settle(card_no, self._clock.now_ns())
            return {card.name: card.state.value for card in ledger.of(card_no)}

        return self._centre.act(look)

    def insure(self, card_no: str, **change: Any) -> None:
        """What the insurance knows of a person, from now on: ``insurance`` (the code that refuses), ``card_cancelled``,
        ``only_at``, ``virtual_year`` and ``virtual_visits``."""
        people = self._centre.core.people
        known = people.get(card_no)
        assert known is not None
        if "insurance" in change:
            change["insurance"] = Insurance(change["insurance"])
        self._centre.act(lambda: people.put(replace(known, **change)))

    def take_physical(self, card_no: str) -> str:
        """The person's physical card is taken back; the field's code."""
        card = next(name for name in self.states(card_no) if name.startswith("P"))
        return self.recall(card)

    def suspend(self, card: str) -> str:
        return self._act(lambda request: self._centre.cards.suspend(request, card))

    def resume(self, card: str) -> str:
        return self._act(lambda request: self._centre.cards.resume(request, card))

    def recall(self, card: str) -> str:
        return self._act(lambda request: self._centre.cards.recall(request, card, why="conformance"))

    def report_lost(self, card_no: str, what: str) -> str:
        id_no = self._centre.registers.id_of(card_no)
        given, carriers = Given(id_no=id_no, officer=OFFICER), frozenset({Carrier(what)})
        return self._act(lambda request: self._centre.cards.report_lost(request, card_no, given, carriers))

    def grant(
        self, ward: str, guardian: str, relation: Relation, scope: frozenset[Scope], days: float, ground: Ground = Ground.WARD,
    ) -> tuple[str, bytes]:
        """Code, and the authorization's id: from now on, for medical care, by the ward who stands there or by the parent."""
        now_ns = self._clock.now_ns() // NS * NS
        who = ward if ground is Ground.WARD else guardian
        given = Given(id_no=self._centre.registers.id_of(who), officer=OFFICER)
        wish = Wish(ward, guardian, relation, ground, scope, Purpose.CARE, now_ns, now_ns + round(days * 86_400) * NS, given)
        answer = self._centre.act(lambda: self._centre.guardians.grant(self._request(), wish))
        return answer.code.number, answer.authorization

    def withdraw(self, authorization: bytes) -> str:
        return self._act(lambda request: self._centre.guardians.withdraw(request, authorization))

    def late(self, institution: str) -> list[str]:
        """Identifiers of an institution's visits whose records are late or missing."""
        now_ns = self._clock.now_ns()
        return self._centre.act(lambda: [o.identifier for o in self._centre.core.late(now_ns) if o.institution == institution])

    def unaccounted(self, institution: str) -> list[bytes]:
        """Emergency accesses of an institution that nobody has accounted for in time."""
        now_ns = self._clock.now_ns()
        return self._centre.act(lambda: [one.id for one in self._centre.desks.emergencies.unaccounted(now_ns, institution)])

    def unsigned(self, institution: str) -> list[bytes]:
        """An institution's dispensings of controlled drugs for which no recipient has signed in time."""
        now_ns = self._clock.now_ns()
        over = self._centre.act(lambda: self._centre.desks.prescriptions.unsigned(now_ns))
        return [supply.act.id for supply in over if supply.institution == institution]

    def unanswered(self, institution: str) -> list[bytes]:
        """Queries about what an institution prescribed that it has not answered in time."""
        now_ns = self._clock.now_ns()
        over = self._centre.act(lambda: self._centre.desks.prescriptions.unanswered(now_ns))
        return [doubt.query.id for rx, doubt in over if rx.institution == institution]

    def accesses(self, card_no: str) -> list[tuple[bytes, str, str]]:
        """The holder's view: emergency accesses to what is theirs, by whom and why."""
        found = self._centre.act(lambda: self._centre.desks.emergencies.of(card_no))
        return [(one.id, one.professional, one.reason.value) for one in found]

    def night(self) -> list[bytes]:
        """What a data centre does once a day: the signed statements of what it deleted."""
        now_ns = self._clock.now_ns()
        return [one.statement for one in self._centre.act(lambda: self._centre.desks.delete_due(now_ns))]

    def head(self) -> bytes:
        """The signed head of the log now."""
        audit = self._centre.desks.audit
        return self._centre.act(lambda: sign_head(audit.head(self._clock.now_ns()), self._centre.issuer.data_centre))

    def log(self, size: int) -> list[bytes]:
        """The first entries of the log, as they are hashed."""
        audit = self._centre.desks.audit
        found = self._centre.act(lambda: [audit.entry(number) for number in range(size)])
        return [entry.encoded() for entry in found if entry is not None]

    def about(self, card_no: str) -> list[tuple[int, bytes, str, str, bytes, int, tuple[bytes, ...]]]:
        """What touched this person's data: number, the entry as it is hashed, what, code, under which authorization, and the
        proof that it stands under the head of that size."""
        found = self._centre.act(lambda: self._centre.desks.audit.about(card_no))
        return [(p.entry.number, p.entry.encoded(), p.entry.what, p.entry.code, p.entry.under, p.size, p.proof) for p in found]

    def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the log of that size continues the older one."""
        return self._centre.act(lambda: list(self._centre.desks.audit.tree.consistency(old, size)))


__all__ = ["OFFICER", "Face", "ReferenceDataCentre", "ReferenceOfficer", "populate"]
