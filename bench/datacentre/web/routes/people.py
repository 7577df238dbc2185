"""People in the registers, and whether they are insured. Card numbers travel in bodies only: an address is written into logs."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bench.datacentre.centre import Newcomer
from bench.datacentre.web.identity import Caller
from bench.datacentre.web.problems import Problem, need_ok
from bench.datacentre.web.service import Service, refusals
from virtual_devices.card.holder import Holder
from virtual_devices.pki import Role
from virtual_devices.records import PackError

CardNo = Annotated[str, Field(pattern=r"^[0-9]{12}$", description="Card number (卡號), 12 digits.", examples=["000012345678"])]

IdNo = Annotated[str, Field(pattern=r"^[A-Z][1289][0-9]{8}$", description="National id (身分證號).", examples=["A223456781"])]


class NewPerson(BaseModel):
    """A person for the registers. Invented ones only."""

    model_config = ConfigDict(extra="forbid")

    card_no: CardNo
    name: Annotated[str, Field(min_length=1, max_length=20, examples=["陳美玲"])]
    id_no: IdNo
    birth_date: Annotated[date, Field(ge=date(1912, 1, 1), le=date(2199, 12, 31))]
    sex: Literal["F", "M"]
    household_no: Annotated[str, Field(pattern=r"^[A-Z][0-9]{7}$", examples=["F1234567"])]
    phone_no: Annotated[str, Field(pattern=r"^(09[0-9]{8})?$")] = ""


class CardQuestion(BaseModel):
    """Whose insurance."""

    model_config = ConfigDict(extra="forbid")

    card_no: CardNo


class Eligibility(BaseModel):
    """``code`` 0: insured, card in force, and welcome at the institution that asks."""

    code: str


def router(service: Service) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["people"])
    officer, anybody = service.allow(Role.OFFICER), service.allow(Role.INSTITUTION)

    @routes.post("/people", status_code=201, responses=refusals(409, 422))
    def take_in(person: NewPerson, caller: Caller = officer) -> CardQuestion:
        """Take a person in, insured, with a physical card. The same person again changes nothing."""
        holder = Holder(person.name, person.id_no, person.birth_date, person.sex)
        who = Newcomer(person.card_no, holder, person.household_no, person.phone_no)
        try:
            known = service.act(caller, "take-in", who.card_no, lambda: service.centre.take_in(who, service.clock.now_ns()))
        except PackError as e:
            raise Problem(422, "9002", detail=f"a card cannot hold this name: {e}") from None
        if not known:
            raise Problem(409, "9002", detail="the national id, or the card number, is another person's")
        return CardQuestion(card_no=person.card_no)

    @routes.post("/eligibility", responses=refusals(422, 404))
    def eligibility(question: CardQuestion, caller: Caller = anybody) -> Eligibility:
        """Whether the institution may treat this person on insurance now (BasicData/Register mirrors a part of it)."""
        core, card_no, now_ns = service.centre.core, question.card_no, service.clock.now_ns()
        need_ok(service.act(caller, "eligibility", card_no, lambda: core.eligibility(card_no, caller.institution, now_ns)))
        return Eligibility(code="0")

    return routes


__all__ = ["CardNo", "CardQuestion", "IdNo", "router"]
