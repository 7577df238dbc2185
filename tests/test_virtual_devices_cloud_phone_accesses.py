"""The holder's view on the holder's phone: who touched what is theirs, proved; on a guardian's, where it is covered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices.authorization import Scope
from virtual_devices.cloud.audit import AUDIT, AuditLog, Who
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.phone_accesses import MOST
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app

from .card_office import ANNA, BO, CHILD
from .desk import NOW_NS
from .enrolment import Town, refused, wish

CLINIC, SAM = "9901180014", "SAM000000001"


@pytest.fixture
def books() -> MemoryBooks:
    """Of the audit log."""
    return MemoryBooks()


@pytest.fixture
def town(books: MemoryBooks) -> Town:
    """Its data centre writes down who does what."""
    made = Town()
    made.office.audit = AuditLog(books, b"secret")
    return made


def read_by(town: Town, card_no: str, professional: str = "") -> None:
    assert town.office.audit is not None
    town.office.audit.institution(NOW_NS, "0", CLINIC, SAM, "rx-find", card_no, professional)


def test_holder_sees_institution_and_professional_and_nothing_of_others(town: Town) -> None:
    of, card = town.enrolled(ANNA, "anna")
    read_by(town, ANNA.card_no)
    read_by(town, BO.card_no)
    read_by(town, ANNA.card_no, "A123456789")
    told = town.run(app.accesses(of, card))
    by = [entry.actor.split("/") for entry in told if entry.who is Who.INSTITUTION]
    assert [one[:2] for one in by] == [[CLINIC, SAM]] * 2 and [len(one) for one in by] == [2, 3] and by[1][2] != "A123456789"
    assert {entry.what for entry in told} == {"apply", "activate", "rx-find"}
    assert town.run(app.accesses(of, card))[-1].what == "accesses"  # that they looked is an entry, too


def test_many_entries_are_told_in_pages(town: Town) -> None:
    of, card = town.enrolled(ANNA, "anna")
    for _ in range(MOST + 5):
        read_by(town, ANNA.card_no)
    first = town.run(app.accesses(of, card))
    rest = town.run(app.accesses(of, card, first[0].number))
    assert len(first) == MOST and len(rest) == 2 + 5 and rest[-1].number < first[0].number


def test_guardian_sees_what_the_authorization_covers_and_acts_under_it(town: Town) -> None:
    of, own = town.enrolled(ANNA, "anna")
    read_by(town, CHILD.card_no)
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish())
    held = town.run(app.hold(of, own, grant.authorization))
    assert refused(town, app.accesses(of, held.card)).code == "4029"
    assert town.domain.guardians.withdraw(town.domain.officer(), grant.authorization).ok
    town.run(app.sync(of))
    grant = town.domain.guardians.grant(town.domain.by(ANNA), wish(frozenset({Scope.BASIC, Scope.LOG})))
    held = town.run(app.hold(of, own, grant.authorization))
    assert "rx-find" in [entry.what for entry in town.run(app.accesses(of, held.card))]
    last = town.run(app.accesses(of, held.card))[-1]
    assert (last.what, last.under, last.who) == ("accesses", grant.authorization, Who.PHONE)


def test_card_of_another_phone_is_not_told_of(town: Town) -> None:
    _, card = town.enrolled(ANNA, "anna")
    other, _ = town.enrolled(BO, "bo")
    with pytest.raises(Ended):
        town.run(app.accesses(other, card))
    assert town.ask(other, "accesses", {"card": card}, b"x" * 16)[0] == "9002"


@pytest.mark.parametrize("before", [-1, True, "1", 1 << 70])
def test_number_that_is_none_is_refused(town: Town, before: Any) -> None:
    of, card = town.enrolled(ANNA, "anna")
    assert town.ask(of, "accesses", {"card": card, "before": before}, b"x" * 16)[0] == "9002"


def test_changed_entry_is_not_believed(town: Town, books: MemoryBooks) -> None:
    of, card = town.enrolled(ANNA, "anna")
    read_by(town, ANNA.card_no)
    shelf = books.shelf(AUDIT)
    entry = list(shelf)[-1]
    shelf.put(replace(entry, actor="9902180022/SAM000000002"))
    with pytest.raises(Ended, match="not in the log"):
        town.run(app.accesses(of, card))
