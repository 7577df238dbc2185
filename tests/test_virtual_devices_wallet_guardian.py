"""DLG-01, DLG-02 on the phone: what goes beyond a guardian's authorization does not leave it, whatever the reader makes of it."""

from __future__ import annotations

import pytest

from virtual_devices import vhc
from virtual_devices.authorization import Purpose, Relation, Scope
from virtual_devices.cloud.core import Person as Insured
from virtual_devices.flow import Ask, Flow
from virtual_devices.holder.refusals import No
from virtual_devices.link import Work
from virtual_devices.reader.presentation import OPEN_APP, open_at
from virtual_devices.reader.proximity import Shown, ask
from virtual_devices.reader.shown_records import check_records
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.wallet_visit import read_prescriptions_wallet
from virtual_devices.wallet.access_log import Language, describe
from virtual_devices.wallet.consent import State, Use
from virtual_devices.wallet.held import OWN
from virtual_devices.write_back import holder_of, of_card, read_record

from .attacks import identified
from .attacks_guardians import CTI, WARD, granted, guardians_desk, signed
from .test_virtual_devices_reader_other_places import ask_at_the_library, at_the_pharmacy, library
from .test_virtual_devices_reader_wallet_visit import registered, write
from .wallets import EVERYTHING, PHONE_PIN, WalletBench

ALL = frozenset({Scope.BASIC, Scope.MEDICAL, Scope.WRITE, Scope.COLLECT})


def held_for(purpose: Purpose, scope: frozenset[Scope] = ALL) -> WalletBench:
    """A ward's card on a guardian's phone, for one purpose."""
    change = {"scope": scope, "relation": Relation.FAMILY, "purpose": purpose}
    return guardians_desk(lambda made, key: signed(granted(made, key, **change)))


def consulted(scope: frozenset[Scope], purpose: Purpose = Purpose.CARE) -> tuple[Shown, str]:
    bench = held_for(purpose, scope)
    bench.people.use = Use.TREATMENT
    sam, hpc = bench.ready()

    def flow() -> Flow[Shown]:
        yield Ask("holder", OPEN_APP)
        opened = yield from open_at(bench.desk, bench.counter)
        return (yield from ask(bench.desk, opened, vhc.CONSULTATION, sam, hpc=hpc))

    shown = bench.run(flow())
    return shown, describe(bench.phone.log.entries()[0], Language.ZH)


@pytest.mark.parametrize(
    ("scope", "medical"), [({Scope.BASIC}, False), ({Scope.BASIC, Scope.COLLECT}, False), ({Scope.BASIC, Scope.MEDICAL}, True)],
)
def test_guardian_shows_what_the_authorization_reaches_to(scope: set[Scope], medical: bool) -> None:
    shown, log = consulted(frozenset(scope))
    assert shown.value(vhc.BASIC, "name") == "王小華" and shown.value(vhc.BASIC, vhc.HELD_UNDER)
    assert (shown.value(vhc.MEDICAL, "allergies") is not None) is medical
    if not medical:
        assert shown.errors[vhc.MEDICAL]["allergies"] == No.AUTHORIZATION_ENDED
    assert "由王小明代" in log


@pytest.mark.parametrize(("purpose", "shown"), [(Purpose.CARE, True), (Purpose.OUTPATIENT, True), (Purpose.PHARMACY, False)])
def test_physician_sees_a_wards_card_for_the_purpose_that_was_granted(purpose: Purpose, shown: bool) -> None:
    found, _ = consulted(ALL, purpose)
    assert (found.value(vhc.BASIC, "name") is not None) is shown and found.value(vhc.BASIC, vhc.HELD_UNDER) == CTI
    assert (found.value(vhc.MEDICAL, "allergies") is not None) is shown


@pytest.mark.parametrize("purpose", [Purpose.CARE, Purpose.PHARMACY, Purpose.OUTPATIENT])
def test_guardian_collects_medicine_at_a_pharmacy_for_the_purpose_that_was_granted(purpose: Purpose) -> None:
    shop = at_the_pharmacy(held_for(purpose))
    flow = read_prescriptions_wallet(shop.desk, shop.counter, shop.doctor)
    if purpose is Purpose.OUTPATIENT:
        with pytest.raises(Ended):
            shop.run(flow)
        return
    person, _, _ = shop.run(flow)
    assert person.on_behalf.endswith(person.card_no)


@pytest.mark.parametrize(("purpose", "shown"), [(Purpose.CARE, False), (Purpose.NON_MEDICAL, True)])
def test_reader_outside_medical_care_sees_no_ward_of_a_guardian_in_care(purpose: Purpose, shown: bool) -> None:
    """Such a reader cannot read the authorization: the phone alone can keep to it."""
    desk = library()
    desk.phone = held_for(purpose, frozenset({Scope.BASIC})).phone
    wanted = {vhc.BASIC: {"name": False, "portrait": False, vhc.HELD_UNDER: False}}
    found = desk.run(ask_at_the_library(desk, wanted))
    assert (found.value(vhc.BASIC, "name") is not None) is shown and found.value(vhc.BASIC, vhc.HELD_UNDER) == CTI


def test_records_of_ward_and_guardian_name_different_cards_though_both_have_one_key() -> None:
    """A guardian's phone that shows a ward's medicine as its holder's own is not believed."""
    bench = held_for(Purpose.CARE)
    ward = bench.phone.cards.get("ward")
    assert ward is not None and ward.held_under == CTI
    mine, theirs = holder_of(ward.mso.device_key), ward.holder
    assert theirs == of_card(mine, CTI) != mine and holder_of(ward.mso.device_key, CTI) == theirs
    bench.people.use = Use.REGISTRATION
    bench.core.enrol(Insured(WARD))
    visit = registered(bench)
    [begun] = [one.entry for one in bench.cloud.audit.about(WARD) if one.entry.what == "begin-visit"]
    assert begun.under == visit.person.under == CTI  # by whom they came is written down at the data centre
    bench.people.use = Use.TREATMENT
    bench.run(write(bench, visit))
    raw = bench.phone.records("ward").all()
    assert raw and {read_record(one)[0].holder for one in raw} == {theirs}
    chains = bench.phone.records("ward").chains()
    assert len(check_records(raw, chains, {theirs}, bench.desk.root, Work())) == len(raw)
    with pytest.raises(Ended) as end:
        check_records(raw, chains, {mine}, bench.desk.root, Work())
    assert end.value.code == "5020"


def test_consent_to_one_card_is_none_to_another() -> None:
    bench = held_for(Purpose.CARE)
    made, now_ns = bench.phone, bench.clock.now_ns()
    made.holder.enter_pin(PHONE_PIN, now_ns)
    assert made.arm(Use.TREATMENT, EVERYTHING, now_ns) and made.consent.state is State.ARMED
    made.show(OWN)
    assert made.shown == OWN and made.consent.state is State.NONE
    made.show("ward")
    assert identified(bench).card_no == WARD
    made.remove("ward")
    assert made.shown == OWN and made.cards.names() == [OWN]
