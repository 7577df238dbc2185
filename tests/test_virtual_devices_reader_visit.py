"""A visit at the desk: what refuses it, what is brought up to date, and what the data centre is told."""

from __future__ import annotations

from typing import Any

import pytest

from virtual_devices.card.ic_card import IcCard
from virtual_devices.card.profiles import PROFILES
from virtual_devices.clock import roc_date7, roc_datetime13
from virtual_devices.cloud.core import Insurance, Person
from virtual_devices.flow import PromptPeople, Session, run
from virtual_devices.pki import DAY_NS, Role
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import (
    open_card,
    read_card_number,
    read_medical,
    read_public,
    register,
    roll_back,
    write_consultation,
    write_fees,
)

from .chips import THIS_YEAR, verify, visit, year
from .desk import AUTHORITY, CARD_NO, NOW_NS, PIN, Bench, bench_of, codes, entry, fees, patient_card, switch_on
from .links import Changed, Silence


def ended(bench: Bench, flow: Any, **links: Any) -> Ended:
    with pytest.raises(Ended) as caught:
        bench.run(flow, **links)
    return caught.value


@pytest.mark.parametrize("profile", PROFILES)
def test_whole_visit_is_the_same_on_every_profile(profile: str) -> None:
    bench = bench_of(profile, pin=PIN)

    def whole() -> Any:
        yield from switch_on(bench)
        registered = yield from register(bench.desk, bench.request())
        when = registered.request.visited_at
        card, records = yield from read_medical(bench.desk, bench.doctor, registered.public)
        yield from write_consultation(card, registered, bench.act("write"), codes(), [entry(when, "2"), entry(when, "5")])
        yield from write_fees(bench.desk, registered, bench.act("fees"), fees())
        return registered, records, (yield from read_card_number(card))

    registered, records, number = bench.run(whole())
    assert number == CARD_NO and registered.online and registered.sequence == "0001"
    assert len(records.visits) == 6 * 69 and records.visits[17:21] == b"0001"
    assert (len(records.diagnoses), len(records.prescriptions), len(records.allergies)) == (6 * 67, 60 * 61, 3 * 40)
    assert visit(bench.card, 0)["outpatient_fee"] == "00000450" and year(bench.card, THIS_YEAR)["visit_count"] == 1
    assert {bench.card.store["long_term_rx.0"][:7], bench.card.store["key_order.0"][:7]} == {roc_date7(NOW_NS).encode()}


@pytest.mark.parametrize(
    ("person", "card", "code"),
    [({"insurance": Insurance.NOT_INSURED}, {}, "5012"), ({"only_at": "8801180014"}, {}, "9129"),
     ({"card_cancelled": True}, {}, "5002"), ({}, {"cancelled": True}, "5002")],
)
def test_refused_patient_leaves_no_visit_behind(person: dict[str, Any], card: dict[str, Any], code: str) -> None:
    bench = bench_of(**card)
    bench.core.enrol(Person(CARD_NO, **person))
    end = ended(bench, register(bench.desk, bench.request()))
    assert end.code == code and not end.torn
    assert "visit.0" not in bench.card.store.cells()
    assert bench.core.late(NOW_NS + 3 * DAY_NS) == []  # nobody waits for the record of a visit that never was
    assert ended(bench, register(bench.desk, bench.request())).code in (code, "5153")


def test_card_is_brought_up_to_date_when_few_visits_are_left_or_it_has_expired() -> None:
    expired = {"expiry_date": roc_date7(NOW_NS - DAY_NS), "available_visits": 5}
    for card in ({"available_visits": 0}, {"available_visits": 1}, expired):
        bench = bench_of(**card)
        bench.run(register(bench.desk, bench.request()))
        assert bench.card.store["insurance"][11:13] == b"05" and bench.card.store["insurance"][4:11] == b"1301231"
    bench = bench_of(available_visits=5)
    bench.run(register(bench.desk, bench.request()))
    assert bench.card.store["insurance"][11:13] == b"04"


def test_offline_registration_needs_a_visit_left() -> None:
    bench = bench_of(available_visits=1)
    registered = bench.run(register(bench.desk, bench.request()), cloud=Silence())
    assert (registered.sequence, registered.identifier, registered.notice) == ("0001", "", "0") and not bench.core.visits
    bench.desk.line_works()
    later = bench.request("later", NOW_NS + 60 * 10**9)
    assert ended(bench, register(bench.desk, later), cloud=Silence()).code == "5001"


def test_second_visit_of_a_day_is_only_noticed() -> None:
    bench = bench_of(available_visits=9)
    bench.run(register(bench.desk, bench.request()))
    second = bench.run(register(bench.desk, bench.request("two", NOW_NS + 10**9)))
    assert second.same_day and second.notice == "5010" and second.sequence == "0002"


def test_another_persons_card_is_never_written_or_taken_back() -> None:
    bench = bench_of()
    registered = bench.run(register(bench.desk, bench.request()))
    own, bench.card = bench.card, IcCard.from_image(other_card().to_image())
    for flow in (
        write_fees(bench.desk, registered, bench.act("fees"), fees()),
        roll_back(bench.desk, registered, bench.act("back"), roc_datetime13(NOW_NS)),
    ):
        assert ended(bench, flow).code == "5020"
    bench.run(switch_on(bench))
    assert ended(bench, read_medical(bench.desk, bench.doctor, registered.public)).code == "5020"
    bench.card = own
    assert bench.run(roll_back(bench.desk, registered, bench.act("back"), roc_datetime13(NOW_NS))) is True
    assert all(v.rolled_back for v in bench.core.visits) and bench.core.gaps() == []


def other_card() -> IcCard:
    holder = patient_card().store["public"]
    card = patient_card(card_no="000000000002", identity=AUTHORITY.issue(Role.PATIENT_CARD, "000000000002"))
    card.store.commit({"public": card.store["public"][:32] + b"Z987654321" + holder[42:]})
    return card


def test_roll_back_begun_offline_is_told_to_the_data_centre_when_run_again() -> None:
    bench = bench_of()
    registered = bench.run(register(bench.desk, bench.request()))

    def back(now_ns: int) -> Any:
        return roll_back(bench.desk, registered, bench.act("back"), roc_datetime13(now_ns))

    assert bench.run(back(NOW_NS), cloud=Silence()) is False
    bench.desk.line_works()
    assert bench.run(back(NOW_NS + 60 * 10**9)) is True and bench.run(back(NOW_NS)) is True
    assert bench.card.store["insurance"][11:13] == b"06"


@pytest.mark.parametrize("answer", ["", "９９", "12", "abcd", "0000"])
def test_wrong_pin_ends_with_the_fields_code_and_what_is_no_pin_costs_no_try(answer: str) -> None:
    bench = bench_of(pin=PIN)
    session = Session(bench.links(), bench.clock, PromptPeople({"enter PIN": answer}))
    with pytest.raises(Ended) as end:
        run(register(bench.desk, bench.request()), session)
    assert end.value.code == ("5109" if not answer else "5102")
    assert bench.card.pin.tries_left == (1 if answer == "0000" else 3) and "visit.0" not in bench.card.store.cells()


def test_wrong_pin_is_asked_for_again_but_the_last_try_is_the_holders() -> None:
    bench = bench_of(pin=PIN)

    class Forgetful(PromptPeople):
        said = iter(["0000", PIN])

        def ask(self, person: str, act: str) -> tuple[int, str]:
            return 0, next(self.said)

    run(register(bench.desk, bench.request()), Session(bench.links(), bench.clock, Forgetful({})))
    assert bench.card.pin.tries_left == 3  # a right one restores the counter
    bench.card.power_on()
    for _ in range(2):
        verify(bench.card, "0000")
    asked = PromptPeople({"enter PIN": "1111"})
    with pytest.raises(Ended) as end:
        run(register(bench.desk, bench.request("two")), Session(bench.links(), bench.clock, asked))
    assert end.value.code == "5102" and bench.card.pin.tries_left == 0


def test_blocked_pin_is_told_without_asking() -> None:
    bench = bench_of(pin=PIN)
    bench.card.power_on()
    for _ in range(3):
        verify(bench.card, "0000")
    assert ended(bench, register(bench.desk, bench.request())).code == "4029"


@pytest.mark.parametrize("tail", [b"xx", b"", b"  "])
def test_card_with_odd_registration_data_ends_the_flow(tail: bytes) -> None:
    bench = bench_of()

    def change(_: int, reply: bytes) -> bytes:
        return reply[:68] + tail + reply[70:] if len(reply) > 70 else reply

    end = ended(bench, register(bench.desk, bench.request()), card=Changed(bench.links()["card"], change, b"\x00\xb2\x01\x15"))
    assert (end.code, end.role) == ("4043", "card")


@pytest.mark.parametrize("data", [b"", b"0001", b"\xff" * 7, b"000\xb2N05", b"0001N05" * 9])
def test_card_with_an_odd_sequence_number_ends_the_flow(data: bytes) -> None:
    bench = bench_of()
    card = Changed(bench.links()["card"], lambda *_: data + b"\x90\x00", b"\x80\xda")
    end = ended(bench, register(bench.desk, bench.request()), card=card)
    assert (end.code, end.role) == ("5007", "card")


def test_foreign_card_is_no_patient_card() -> None:
    bench = bench_of()
    foreign = Changed(bench.links()["card"], lambda *_: b"\x6a\x82", b"\x00")
    assert ended(bench, read_public(), card=foreign).code == "4033"
    short = Changed(bench.links()["card"], lambda _, reply: reply[5:], b"\x00\xca")
    assert ended(bench, read_public(), card=short).code == "4043"


def test_prescriptions_are_read_by_a_professional_only() -> None:
    bench = bench_of()
    _, _, public = bench.run(open_card(bench.desk))
    assert ended(bench, read_medical(bench.desk, bench.doctor, public)).code == "4042"
