"""Cards, at an officer's counter: a ticket for an application, how a card stands, out of use for a while, lost, recalled.

Holders do the same by the messages of their phones (``/v1/messages/phone``). Names of cards travel in bodies, as card numbers do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem, need_ok
from bench.datacentre.web.routes.people import CardNo, CardQuestion, IdNo
from bench.datacentre.web.service import ActKey, Service, iso, refusals
from virtual_devices.cloud.card_ledger import Card, Ledger
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.journal import Answer
from virtual_devices.lifecycle import Carrier
from virtual_devices.pki import Role

CardName = Annotated[str, Field(pattern=r"^[PV][0-9]{10}$", description="A card's name.", examples=["V0000000001"])]
Why = Annotated[str, Field(max_length=200)]
TICKET_BYTES = 8
STRICT = ConfigDict(extra="forbid")


class Applicant(BaseModel):
    """Who stands at the counter, as their papers say."""

    model_config = STRICT

    card_no: CardNo
    id_no: IdNo
    birth_date: date


class Ticket(BaseModel):
    """Good once, for an application from a phone (``/v1/messages/phone``): the officer has seen the person."""

    ticket: str


class NamedCard(BaseModel):
    """One card. ``why``: for the journal."""

    model_config = STRICT

    name: CardName
    why: Why = ""


class Lost(BaseModel):
    """What a person has lost, whose papers the officer has seen."""

    model_config = STRICT

    card_no: CardNo
    id_no: IdNo
    what: Annotated[set[Carrier], Field(min_length=1)]


class CardState(BaseModel):
    """A card as it stands. ``held_under``: the authorization of a ward's card on a guardian's phone, hexadecimal."""

    name: str
    carrier: str
    state: str
    level: str
    made: str
    expires: str
    held_under: str


class CardStates(BaseModel):
    """A person's cards, as they were made."""

    cards: list[CardState]


class Acted(BaseModel):
    """The cards that the act moved."""

    cards: list[str]


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1/cards", tags=["cards"])
    _tickets(routes, service)
    _questions(routes, service)
    _acts(routes, service)
    return routes


def _tickets(routes: APIRouter, service: Service) -> None:
    centre, people = service.centre, service.centre.ledger.identification.people

    @routes.post("/tickets", responses=refusals(404, 422))
    def ticket(who: Applicant, caller: Caller = service.allow(Role.OFFICER)) -> Ticket:
        """A ticket for one application, for a person whose papers agree with the registers."""
        def look() -> str:
            known = people.get(who.card_no)
            if known is None:
                return "9012"
            return "0" if (known.id_no, known.birth_date) == (who.id_no, who.birth_date) else "5020"

        need_ok(service.act(caller, "ticket", who.card_no, look), "the papers do not agree with the registers")
        made = centre.fresh(TICKET_BYTES).hex()
        centre.office.tickets[made] = (who.card_no, caller.name)
        return Ticket(ticket=made)


def _questions(routes: APIRouter, service: Service) -> None:
    officer, ledger = service.allow(Role.OFFICER), service.centre.ledger

    @routes.post("/list", responses=refusals(404))
    def listed(question: CardQuestion, caller: Caller = officer) -> CardStates:
        """Every card of a person, open ones and those that have come to their end."""
        now_ns = service.clock.now_ns()

        def look() -> list[CardState] | None:
            if ledger.identification.people.get(question.card_no) is None:
                return None
            ledger.settle(question.card_no, now_ns)
            return [_told(card) for card in ledger.of(question.card_no)]

        found = service.act(caller, "cards", question.card_no, look)
        if found is None:
            raise Problem(404, "9012")
        return CardStates(cards=found)

    @routes.post("/state", responses=refusals(404))
    def state(card: NamedCard, caller: Caller = officer) -> CardState:
        """How one card stands now."""
        now_ns = service.clock.now_ns()

        def look() -> CardState | None:
            found = ledger.cards.get(card.name)
            if found is None:
                return None
            ledger.settle(found.card_no, now_ns)
            return _told(found)

        told = service.act(caller, "card-state", lambda _: [_whose(ledger, card.name)], look)
        if told is None:
            raise Problem(404, "9012", detail="there is no card of this name")
        return told


def _acts(routes: APIRouter, service: Service) -> None:
    officer, ledger, cards = service.allow(Role.OFFICER), service.centre.ledger, service.centre.cards

    def done(caller: Caller, what: str, name: str, act: Callable[[], Answer], card_no: str = "") -> Acted:
        answer = service.act(caller, what, lambda _: [card_no or _whose(ledger, name)], act)
        need_ok(answer.code, answer.text)
        return Acted(cards=list(answer.cards))

    @routes.post("/suspend", responses=refusals(404, 409, 422))
    def suspend(card: NamedCard, key: ActKey, caller: Caller = officer) -> Acted:
        """Out of use for a while, by the data centre: the next card of this person is given at a counter only."""
        return done(caller, "suspend", card.name, lambda: cards.suspend(service.counter(caller, key), card.name))

    @routes.post("/resume", responses=refusals(404, 409, 422))
    def resume(card: NamedCard, key: ActKey, caller: Caller = officer) -> Acted:
        """Back in use."""
        return done(caller, "resume", card.name, lambda: cards.resume(service.counter(caller, key), card.name))

    @routes.post("/recall", responses=refusals(404, 409, 422))
    def recall(card: NamedCard, key: ActKey, caller: Caller = officer) -> Acted:
        """Taken back for good."""
        return done(caller, "recall", card.name, lambda: cards.recall(service.counter(caller, key), card.name, why=card.why))

    @routes.post("/report-lost", responses=refusals(404, 409, 422))
    def report_lost(lost: Lost, key: ActKey, caller: Caller = officer) -> Acted:
        """Lost, as the person says at the counter: refused online at once, everything on the phone with it."""
        given = Given(id_no=lost.id_no, officer=caller.name)
        request = service.counter(caller, key)
        what = frozenset(lost.what)
        return done(caller, "report-lost", "", lambda: cards.report_lost(request, lost.card_no, given, what), lost.card_no)


def _whose(ledger: Ledger, name: str) -> str:
    card = ledger.cards.get(name)
    return "" if card is None else card.card_no


def _told(card: Card) -> CardState:
    return CardState(
        name=card.name, carrier=card.carrier.value, state=card.state.value, level=card.level.value, made=iso(card.made_ns),
        expires=iso(card.expires_ns), held_under=card.held.authorization.hex() if card.held else "",
    )


__all__ = ["router"]
