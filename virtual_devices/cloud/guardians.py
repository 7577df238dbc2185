"""Guardians (代理人): granting, withdrawing and listing authorizations, wards' cards on guardians' phones, and who came for whom.

The rules are the bench's profile. A parent's authorization rests on the household register and ends when the child comes of
age (eighteen, 民法第12條); any other is granted by the ward or by a court. Every one ends: three years at the latest, less for
some relations (:data:`virtual_devices.authorization.BOUNDS`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import Enum

from virtual_devices.authorization import BOUNDS, CTI_BYTES, Purpose, Relation, Scope
from virtual_devices.authorization_check import CODES, Reason
from virtual_devices.clock import NS, TAIWAN, from_datetime
from virtual_devices.cloud.books import ByName, Kind
from virtual_devices.cloud.card_ledger import DAY_NS, NO_SUCH_CARD, STOPPED, WRONG_KEY, Card, Held, Ledger, Phone
from virtual_devices.cloud.counting import next_number
from virtual_devices.cloud.identification import Act, Given, Registered
from virtual_devices.cloud.journal import Answer, Request
from virtual_devices.cloud.places import Place, Places
from virtual_devices.codes import Space
from virtual_devices.lifecycle import NOT_ALLOWED, OK, Carrier, Event, FieldCode, Party, State
from virtual_devices.status_list import Status

MAJORITY_YEARS = 18
DATA_WRONG, PERIOD_WRONG, NO_CARD = FieldCode("1057", Space.VHC), FieldCode("1059", Space.VHC), FieldCode("3241", Space.VHC)


class Ground(Enum):
    """By what right an authorization is granted."""

    PARENT = "parental authority"
    WARD = "the ward's own will"
    COURT = "a court's order"


GROUNDS = {
    Relation.PARENT: frozenset({Ground.PARENT}),
    Relation.COURT_GUARDIAN: frozenset({Ground.COURT}),
    Relation.FAMILY: frozenset({Ground.WARD}),
    Relation.CARER: frozenset({Ground.WARD, Ground.COURT}),
    Relation.MESSENGER: frozenset({Ground.WARD, Ground.COURT}),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. ``given`` proves who asks: the parent, the ward, or the officer with the court's order before them."""

    ward: str
    guardian: str
    relation: Relation
    ground: Ground
    scope: frozenset[Scope]
    purpose: Purpose
    begins_ns: int
    ends_ns: int | None
    given: Given
    order: str = ""  # the court's, by its number


@dataclass(frozen=True, slots=True)
class Grant:
    """An authorization as the data centre has it. ``key`` is the id of the guardian's device key."""

    cti: bytes
    ward: str
    guardian: str
    guardian_name: str
    relation: Relation
    ground: Ground
    scope: frozenset[Scope]
    purpose: Purpose
    granted_ns: int
    begins_ns: int
    ends_ns: int
    key: bytes
    place: Place
    withdrawn_ns: int = -1
    number: int = 0  # in the order of granting

    def in_force(self, at_ns: int) -> bool:
        return self.withdrawn_ns < 0 and self.begins_ns <= at_ns < self.ends_ns


@dataclass(frozen=True, slots=True)
class Presented:
    """A card presented on somebody's behalf, for the record of the visit (DLG-03)."""

    at_ns: int
    institution: str
    ward: str
    guardian: str
    guardian_name: str
    authorization: bytes
    scope: frozenset[Scope]

    def __str__(self) -> str:
        return f"by {self.guardian_name} ({self.guardian}) for {self.ward}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A presentation, by its number."""

    number: int
    presented: Presented


GRANTS = Kind("grants", Grant, ("cti",), (("ward",), ("guardian",), ("key",)))
SHOWN = Kind("presented", Shown, ("number",))


class Guardians:
    """The authorizations, over the ledger of cards. ``places``: their own status lists; ``fresh``: bytes for ids."""

    def __init__(self, ledger: Ledger, places: Places, fresh: Callable[[int], bytes]) -> None:
        books = ledger.books
        self._books, self._shelf, self._shown = books, books.shelf(GRANTS), books.shelf(SHOWN)
        self.grants: ByName[bytes, Grant] = ByName(self._shelf, GRANTS)
        self._ledger, self._places, self._fresh = ledger, places, fresh
        self._journal = ledger.journal
        ledger.followers.append(self)

    @property
    def presented(self) -> tuple[Presented, ...]:
        return tuple([shown.presented for shown in self._shown])

    def listed(self, at_ns: int, *, ward: str = "", guardian: str = "") -> list[Grant]:
        """What is in force or will be, of a ward or of a guardian; of everybody when neither is named."""
        found = self._shelf.where(ward=ward) if ward else self._shelf.where(guardian=guardian) if guardian else list(self._shelf)
        return [
            g for g in sorted(found, key=lambda g: g.number)
            if g.withdrawn_ns < 0 and at_ns < g.ends_ns and ward in ("", g.ward) and guardian in ("", g.guardian)
        ]

    def trusted(self, key: bytes, at_ns: int) -> list[Grant]:
        """What a guardian's key may be used under now."""
        return [grant for grant in self._under(key) if grant.in_force(at_ns)]

    def _under(self, key: bytes) -> list[Grant]:
        """What a key has and was not withdrawn."""
        return [g for g in sorted(self._shelf.where(key=key), key=lambda g: g.number) if g.withdrawn_ns < 0]

    # -- granting and withdrawing

    def grant(self, request: Request, wish: Wish) -> Answer:
        """An authorization for the guardian's present key. Its id stands in the answer."""
        return self._journal.once(request, ("grant", wish), lambda: self._grant(request, wish))

    def _grant(self, request: Request, wish: Wish) -> Answer:
        people = self._ledger.identification.people
        ward, guardian = people.get(wish.ward), people.get(wish.guardian)
        if ward is None or guardian is None:
            return Answer(NO_SUCH_CARD, "ward or guardian is not registered")
        refused = _unfit(wish, ward, guardian, request.at_ns) or self._not_theirs(request, wish)
        if refused is not None:
            return refused
        card = self._ledger.own(wish.guardian)
        if card is None or card.phone is None or card.state is not State.ACTIVE:
            return Answer(NO_CARD, "the guardian has no virtual card in use")
        assert wish.ends_ns is not None  # _unfit refuses one without end
        grant = Grant(
            self._fresh(CTI_BYTES), wish.ward, wish.guardian, guardian.name, wish.relation, wish.ground, wish.scope, wish.purpose,
            request.at_ns, wish.begins_ns, wish.ends_ns, card.phone.key, self._places.draw(),
        )
        self._put(request, grant, "grant", wish.order or wish.ground.value)
        return Answer(authorization=grant.cti)

    def _not_theirs(self, request: Request, wish: Wish) -> Answer | None:
        """A parent asks as themselves, a ward as themselves; with a court's order an officer does."""
        if wish.ground is Ground.COURT:
            if request.asker.party is Party.DATA_CENTRE and wish.given.officer and wish.order:
                return None
            return Answer(NOT_ALLOWED, "a court's order is entered by an officer, with its number")
        asking = wish.guardian if wish.ground is Ground.PARENT else wish.ward
        level = self._ledger.entitled(request, asking, wish.given, Act.AUTHORIZE)
        return Answer(level) if isinstance(level, FieldCode) else None

    def withdraw(self, request: Request, cti: bytes) -> Answer:
        """By the ward, the guardian, or the data centre: at once online; the ward's card on that phone ends with it."""
        return self._journal.once(request, ("withdraw", cti), lambda: self._withdraw(request, cti))

    def _withdraw(self, request: Request, cti: bytes) -> Answer:
        grant = self.grants.get(cti)
        if grant is None:
            return Answer(CODES[Reason.MISSING], "no such authorization")
        allowed = {Party.HOLDER: {grant.ward, grant.guardian}, Party.GUARDIAN: {grant.guardian}}
        party = request.asker.party
        if party is not Party.DATA_CENTRE and request.asker.name not in allowed.get(party, set()):
            return Answer(NOT_ALLOWED, "neither the ward nor the guardian")
        if grant.withdrawn_ns >= 0:
            return Answer(CODES[Reason.WITHDRAWN], "withdrawn before")
        self._end(request, grant, Event.RECALL)
        return Answer(authorization=cti)

    def _put(self, request: Request, grant: Grant, what: str, detail: str = "") -> None:
        self._shelf.put(replace(grant, number=next_number(self._books, "grants")))
        self._journal.publish(grant.place, Status.VALID)
        self._journal.write(request, what, grant.ward, under=grant.cti, detail=detail)

    def _end(self, request: Request, grant: Grant, event: Event) -> None:
        self._shelf.put(replace(grant, withdrawn_ns=request.at_ns))
        self._journal.publish(grant.place, Status.INVALID)
        self._journal.write(request, "withdraw", grant.ward, under=grant.cti)
        card = self._ledger.held(grant.cti, grant.ward)
        self._ledger.move_all(request, [card] if card is not None else [], event)

    # -- the ward's card on the guardian's phone

    def hold(self, request: Request, cti: bytes, phone: Phone) -> Answer:
        """The ward's card, bound to the guardian's key: for a ward without any device. It ends with the authorization."""
        return self._journal.once(request, ("hold", cti, phone), lambda: self._hold(request, cti, phone))

    def _hold(self, request: Request, cti: bytes, phone: Phone) -> Answer:
        grant = self.grants.get(cti)
        if grant is None:
            return Answer(CODES[Reason.MISSING], "no such authorization")
        if request.asker.party is not Party.GUARDIAN or request.asker.name != grant.guardian:
            return Answer(CODES[Reason.WRONG_GUARDIAN], "another guardian's authorization")
        code = self.check(cti, grant.ward, phone.key, frozenset({Scope.BASIC}), grant.purpose, request.at_ns)
        if code != OK:
            return Answer(code)
        if self._ledger.barred(grant.ward):
            return Answer(STOPPED, "the data centre has stopped this person's card")
        own = self._ledger.own(grant.guardian)
        if own is None or own.state is not State.ACTIVE or own.phone != phone:
            return Answer(WRONG_KEY, "not the phone that has the guardian's own card")
        before = self._ledger.held(cti, grant.ward)
        if before is not None and before.state is State.ACTIVE and before.phone == phone:
            return Answer(cards=(before.name,), authorization=cti)  # its credential never came, or was lost: it gets it again
        if before is not None and before.state in (State.ACTIVE, State.SUSPENDED):
            return Answer(FieldCode("1054", Space.VHC), "held already", (before.name,))
        return Answer(cards=(self._make(request, grant, own, phone).name,), authorization=cti)

    def _make(self, request: Request, grant: Grant, own: Card, phone: Phone) -> Card:
        held = Held(grant.guardian, grant.cti, grant.ends_ns)
        return self._ledger.make(request, grant.ward, Carrier.VIRTUAL, own.level, phone, held, active=True)

    def key_gone(self, request: Request, key: bytes) -> None:
        """The guardian's phone is lost or their card recalled: whoever has the key has no authorization any more."""
        for grant in self._under(key):
            self._end(request, grant, Event.RECALL)

    def key_moved(self, request: Request, old: bytes, phone: Phone) -> None:
        """The guardian has changed phones: each authorization is made anew for the new key, with what it allowed and its end, and
        the ward's card moves along."""
        for grant in self._under(old):
            card = self._ledger.held(grant.cti, grant.ward)
            own = self._ledger.own(grant.guardian)
            moves = card is not None and card.state is State.ACTIVE
            self._end(request, grant, Event.REPLACE)
            if request.at_ns >= grant.ends_ns or own is None:
                continue
            again = replace(grant, cti=self._fresh(CTI_BYTES), granted_ns=request.at_ns, key=phone.key, place=self._places.draw())
            self._put(request, again, "grant again", grant.cti.hex())
            if moves:
                self._make(request, again, own, phone)

    # -- using

    def check(
        self, cti: bytes, ward: str, key: bytes, scope: frozenset[Scope], purpose: Purpose, at_ns: int,
    ) -> FieldCode:
        """The same questions as :class:`virtual_devices.authorization_check.Checker` asks offline, answered online."""
        grant = self.grants.get(cti)
        if grant is None:
            return CODES[Reason.MISSING]
        general = grant.purpose is Purpose.CARE and purpose is not Purpose.NON_MEDICAL
        wrong = {
            Reason.NOT_YET_VALID: at_ns < grant.begins_ns,
            Reason.EXPIRED: at_ns >= grant.ends_ns,
            Reason.WRONG_WARD: ward != grant.ward,
            Reason.WRONG_GUARDIAN: key != grant.key,
            Reason.OUT_OF_SCOPE: not scope <= grant.scope or not (general or purpose is grant.purpose),
            Reason.WITHDRAWN: grant.withdrawn_ns >= 0,
        }
        return next((CODES[reason] for reason, so in wrong.items() if so), OK)

    def record(
        self, request: Request, institution: str, cti: bytes, ward: str, key: bytes, scope: frozenset[Scope], purpose: Purpose,
    ) -> Answer:
        """Who presented the card, on whose behalf, where: written down when the authorization holds, refused when not."""
        content = ("record", institution, cti, ward, key, scope, purpose)

        def act() -> Answer:
            code = self.check(cti, ward, key, scope, purpose, request.at_ns)
            if code != OK:
                return Answer(code)
            g = self.grants[cti]
            presented = Presented(request.at_ns, institution, ward, g.guardian, g.guardian_name, cti, scope)
            self._shown.add(Shown(next_number(self._books, "presented"), presented))
            self._journal.write(request, "presented for", ward, under=cti, detail=f"{presented} at {institution}")
            return Answer(authorization=cti)

        return self._journal.once(request, content, act)


def _unfit(wish: Wish, ward: Registered, guardian: Registered, at_ns: int) -> Answer | None:
    """What no proof of identity mends."""
    bounds = BOUNDS[wish.relation]
    if wish.ward == wish.guardian or not wish.scope:
        return Answer(DATA_WRONG, "a guardian is another person, and for something")
    if wish.ends_ns is None or not max(wish.begins_ns, at_ns) < wish.ends_ns:
        return Answer(PERIOD_WRONG, "an authorization has an end, after its beginning and after now")
    if wish.ends_ns - wish.begins_ns > bounds.days * DAY_NS:
        return Answer(PERIOD_WRONG, f"a {wish.relation.value} is given {bounds.days} days at most")
    if wish.begins_ns % NS or wish.ends_ns % NS:
        return Answer(PERIOD_WRONG, "times are whole seconds")
    if wish.scope - bounds.scope or (wish.purpose is Purpose.NON_MEDICAL and wish.scope != {Scope.BASIC}):
        return Answer(NOT_ALLOWED, f"more than a {wish.relation.value} is given, or than basic data outside medical care")
    if wish.ground not in GROUNDS[wish.relation] or at_ns < majority_ns(guardian.birth_date):
        return Answer(NOT_ALLOWED, "no ground for this relation, or the guardian is under age")
    if wish.ground is Ground.PARENT:
        if wish.guardian not in ward.parents:
            return Answer(NOT_ALLOWED, "the household register knows no parental authority")
        if wish.ends_ns > majority_ns(ward.birth_date):
            return Answer(PERIOD_WRONG, "parental authority ends at eighteen")
    if wish.ground is Ground.WARD and at_ns < majority_ns(ward.birth_date):
        return Answer(NOT_ALLOWED, "a ward under age cannot grant")
    return None


def majority_ns(birth: date) -> int:
    """The beginning of the eighteenth birthday in Taiwan; of 1 March for one born on a leap day."""
    year = birth.year + MAJORITY_YEARS
    try:
        day = birth.replace(year=year)
    except ValueError:
        day = date(year, 3, 1)
    return from_datetime(datetime.combine(day, time(), TAIWAN))


__all__ = ["GROUNDS", "Grant", "Ground", "Guardians", "MAJORITY_YEARS", "Presented", "Wish", "majority_ns"]
