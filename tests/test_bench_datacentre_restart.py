"""A data centre that was ended and started again on the same books knows what it knew."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from bench.datacentre.centre import Centre, sample_people
from bench.datacentre.database import SqlBooks, open_books
from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.cloud.card_ledger import Phone
from virtual_devices.cloud.guardians import Ground, Wish
from virtual_devices.cloud.identification import Given
from virtual_devices.cloud.journal import Asker, Request
from virtual_devices.lifecycle import Party, State
from virtual_devices.pki import DAY_NS

from .desk import AUTHORITY, INSTITUTION, NOW_NS

ONE, OTHER = sample_people(1, 2, date(2026, 3, 2))


def started(path: Path) -> tuple[Centre, SqlBooks]:
    books = open_books(path)
    return Centre(AUTHORITY, books, os.urandom), books


def known(centre: Centre) -> dict[str, Any]:
    ledger = centre.ledger
    return {
        "cards": [card.row for card in ledger.cards.values()],
        "journal": ledger.journal.entries, "changes": ledger.journal.changes,
        "statuses": ledger.journal.statuses, "grants": dict(centre.guardians.grants), "holders": dict(centre.holders),
        "registered": dict(ledger.identification.people), "insured": list(centre.core.people),
        "visits": list(centre.core.visits), "audit": centre.desks.audit.head(NOW_NS),
    }


def test_started_again_it_knows_what_it_knew(tmp_path: Path) -> None:
    centre, books = started(tmp_path / "books.db")
    for who in (ONE, OTHER):
        centre.act(lambda who=who: centre.take_in(who, NOW_NS))  # type: ignore[misc]
    asker = Asker(Party.HOLDER, ONE.card_no)
    proof = Given(id_no=ONE.holder.id_no, certified_id_no=ONE.holder.id_no)
    applied = Request(b"1" * 16, asker, NOW_NS)
    phone = Phone(b"device", b"key")
    answer = centre.cards.apply(applied, ONE.card_no, proof, phone)
    name = answer.cards[0]
    assert centre.cards.activate(Request(b"2" * 16, asker, NOW_NS), name, b"key").ok
    wish = Wish(
        OTHER.card_no, ONE.card_no, Relation.FAMILY, Ground.WARD, frozenset({Scope.BASIC}), Purpose.CARE, NOW_NS,
        NOW_NS + 30 * DAY_NS, Given(id_no=OTHER.holder.id_no, certified_id_no=OTHER.holder.id_no),
    )
    granted = centre.guardians.grant(Request(b"3" * 16, Asker(Party.HOLDER, OTHER.card_no), NOW_NS), wish)
    assert granted.ok
    centre.core.begin_visit(b"4" * 16, ONE.card_no, INSTITUTION, "01", NOW_NS)
    centre.desks.audit.institution(NOW_NS, "0", INSTITUTION, "SAM", "begin-visit", ONE.card_no)
    before = known(centre)
    books.close()

    again, books = started(tmp_path / "books.db")
    assert known(again) == before
    assert again.cards.apply(applied, ONE.card_no, proof, phone) == answer  # the same request finds its answer
    assert again.ledger.cards[name].state is State.ACTIVE
    assert [grant.cti for grant in again.guardians.trusted(b"key", NOW_NS)] == [granted.authorization]
    assert len(again.desks.audit.about(ONE.card_no)) == 1  # pseudonyms are the same
    refused = again.cards.rebind(Request(b"5" * 16, asker, NOW_NS), ONE.card_no, proof, phone)
    assert refused.code.number == "1024"  # a key that has had a card before
    anew = again.cards.rebind(Request(b"6" * 16, asker, NOW_NS), ONE.card_no, proof, Phone(b"other", b"another key"))
    places = [card.place for card in again.ledger.cards.values()]
    assert anew.ok and len(set(places)) == len(places)
    books.close()
