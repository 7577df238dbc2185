"""The states of a prescription: the table, the domain that walks it, and the page that is made from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from virtual_devices.cloud.prescriptions import Prescriptions
from virtual_devices.pki import Role
from virtual_devices.prescription.acts import Decision
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import Prescription, PrescriptionClass
from virtual_devices.prescription.rules import Rules
from virtual_devices.prescription.signing import Filed
from virtual_devices.prescription.states import (
    FINAL,
    LIFE,
    REFUSED_EVENT,
    REFUSED_IN,
    ROWS,
    Count,
    Event,
    Refusal,
    Row,
    State,
    step,
)

from .prescribed import PHARMACY, Register, refill, rx

CONTROLLED = PrescriptionClass.CONTROLLED
LATER_H = 24 * 20


def state(register: Register, document: Prescription) -> State:
    standing = register.domain.standing(document.id)
    assert standing is not None
    return standing.state(register.at())


# -- the table

def test_table_has_one_answer_to_every_event() -> None:
    for current in State:
        for event in Event:
            for dispensed in range(4):
                verdict = step(current, event, Count(dispensed, 3))
                assert isinstance(verdict, Row) == ((current, event) in ROWS)
    assert {row.state for row in LIFE} == set(State) - FINAL and set(REFUSED_IN) == set(State)
    assert not set(REFUSED_EVENT) & set(ROWS)


def test_table_lets_only_those_act_who_may() -> None:
    verdict = step(State.ISSUED, Event.AMEND, Count(0, 1), Role.PHARMACIST)
    assert isinstance(verdict, Refusal) and verdict.why is Why.WRONG_SIGNER and str(verdict.code) == "3212"


def test_states_that_are_reckoned_are_those_of_the_table() -> None:
    """Of prescriptions with one, two and three issues: the domain takes what a row has, and comes where it says."""
    documents = (rx(), refill(issues=2), refill(issues=3))
    ways: list[tuple[Prescription, tuple[Event, ...]]] = [(document, ()) for document in documents]
    seen = set()
    for document, way in ways:
        for event in WALKED:
            walk = Walk(document, way)
            before = state(walk.register, walk.document)
            filed = walk.make(event)
            if filed is None:
                continue
            verdict, done = step(before, event, walk.count()), walk.register.take(filed)
            assert done.ok == isinstance(verdict, Row), (way, event, done.why)
            if isinstance(verdict, Row):
                assert state(walk.register, walk.document) is verdict.to
                if (document.issues, before, event, verdict.to) not in seen:
                    ways.append((document, (*way, event)))
                seen.add((document.issues, before, event, verdict.to))
    walked = {(r.state, r.event, r.to) for r in LIFE if r.event in WALKED and r.state is not State.EXPIRED}
    assert {taken[1:] for taken in seen} == walked


WALKED = (Event.DISPENSE, Event.RETURN, Event.QUERY, Event.CONFIRM, Event.WITHDRAW, Event.CANCEL, Event.RESTORE)


class Walk:
    """One prescription, and what has happened to it."""

    def __init__(self, document: Prescription, way: tuple[Event, ...]) -> None:
        self.register = Register(Prescriptions(Register().domain.books, Rules(early_days=40)))
        self.document = document
        self.head = self.register.store(self.document)
        self.given: list[Filed] = []
        self.asked: list[Filed] = []
        self.steps = 0
        for event in way:
            filed = self.make(event)
            assert filed is not None and self.register.take(filed).ok
            self.done(event, filed)

    def count(self) -> Count:
        standing = self.register.domain.standing(self.document.id)
        assert standing is not None
        return standing.count

    def make(self, event: Event) -> Filed | None:
        r, name = self.register, f"step {self.steps}"
        self.steps += 1
        match event:
            case Event.DISPENSE:
                return r.dispensing(self.document, name, self.count().dispensed + 1)
            case Event.RETURN:
                return r.give_back(self.given[-1], self.document, name) if self.given else None
            case Event.QUERY:
                return r.query(self.document, name)
            case Event.CONFIRM:
                return r.answer(self.document, self.asked[-1], name=name) if len(self.asked) == 1 else None
            case Event.WITHDRAW:
                asked = self.asked[-1] if len(self.asked) == 1 else None
                return asked and r.answer(self.document, asked, Decision.WITHDRAW, name, PHARMACY, Role.PHARMACIST)
            case Event.CANCEL:
                return r.cancellation(self.document, self.head, name)
            case _:
                return r.restoration(self.document, self.head, name)

    def done(self, event: Event, filed: Filed) -> None:
        match event:
            case Event.DISPENSE:
                self.given.append(filed)
            case Event.RETURN:
                self.given.pop()
            case Event.QUERY:
                self.asked.append(filed)
            case Event.CONFIRM | Event.WITHDRAW:
                self.asked.clear()
            case Event.CANCEL | Event.RESTORE:
                self.head = filed
                self.asked.clear()


# -- the page

def test_page_is_the_one_made_from_the_tables() -> None:
    reference = Path(__file__).parent.parent / "docs" / "reference"
    spec = importlib.util.spec_from_file_location("make_prescriptions", reference / "make_prescriptions.py")
    assert spec and spec.loader
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)  # .venv/bin/python docs/reference/make_prescriptions.py docs/reference/prescriptions.md
    assert (reference / "prescriptions.md").read_text(encoding="utf-8") == maker.page()
