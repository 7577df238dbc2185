"""Home visits: what is taken along, for how long, by whom; and registration by telephone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices.clock import NS
from virtual_devices.cloud.core import Insurance, Person
from virtual_devices.cloud.home_visits import PACKAGES_A_DAY, Registers
from virtual_devices.home_package import LONGEST_S, HomePackage, HomePerson, MalformedPackage, read_package
from virtual_devices.institution.home_bag import EXPIRED, NOT_TAKEN, HomeBag
from virtual_devices.institution.home_visit import check_person, prepare, recognise
from virtual_devices.pki import ChainVerifier, Role
from virtual_devices.randomness import ByteStream
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.visit import read_public

from .desk import AUTHORITY, CARD_NO, DOCTOR_ID, INSTITUTION, NOW_NS, STRANGER, Bench, switch_on
from .test_virtual_devices_reader_certificates import Silence

ROOT = ChainVerifier(AUTHORITY.root_der)
CENTRE = AUTHORITY.issue(Role.DATA_CENTRE, "IDC")
UNTIL_NS = NOW_NS + 8 * 3600 * NS


def person_of(bench: Bench) -> HomePerson:
    """As the registers have the holder of the desk's card."""
    _, public = bench.run(read_public())
    id_no, birth = public.identity[:10].decode(), public.identity[10:].decode()
    return HomePerson(CARD_NO, "陳美玲", id_no, birth, "F")


class Known(Registers):
    """One person, with what they were prescribed."""

    def __init__(self, person: HomePerson) -> None:
        self._person = person

    def person(self, card_no: str) -> HomePerson | None:
        return self._person if card_no == self._person.card_no else None

    def person_by_id(self, id_no: str) -> HomePerson | None:
        return self._person if id_no == self._person.id_no else None

    def prescriptions(self, card_no: str, at_ns: int) -> tuple[list[bytes], list[list[bytes]]]:
        return [b"signed prescription"], [[b"certificate"]]


class Round:
    """A team before its round: desk switched on, an empty bag."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.person = person_of(self.bench)
        self.bench.cloud.home_visits.registers = Known(self.person)
        self.sam: Handle = self.bench.run(switch_on(self.bench))
        self.bag = HomeBag(INSTITUTION, ROOT, ByteStream("tests", "bag"))

    def prepare(self, card_no: str = CARD_NO, until_ns: int = UNTIL_NS) -> HomePackage:
        bench = self.bench
        package: HomePackage = bench.run(prepare(bench.desk, self.sam, bench.doctor, self.bag, card_no, until_ns))
        return package


def test_package_names_patient_professional_purpose_and_end() -> None:
    package = Round().prepare()
    assert (package.person.card_no, package.professional, package.purpose) == (CARD_NO, DOCTOR_ID, "home-care")
    assert (package.from_ns, package.until_ns, package.insurance) == (NOW_NS, UNTIL_NS, "0")
    assert package.prescriptions == (b"signed prescription",)


def test_data_centre_remembers_who_took_what_along() -> None:
    out = Round()
    out.prepare()
    (taken,) = out.bench.cloud.home_visits.taken
    assert (taken.institution, taken.professional, taken.card_no, taken.until_ns) == (INSTITUTION, DOCTOR_ID, CARD_NO, UNTIL_NS)


def test_patient_is_recognised_at_home_without_a_line() -> None:
    out = Round()
    out.prepare()
    _, public = out.bench.run(read_public(), cloud=Silence())
    found = recognise(out.bag, public.card_no, DOCTOR_ID, public.identity, NOW_NS + 3600 * NS)
    assert found.person == out.person
    with pytest.raises(Ended) as end:
        recognise(out.bag, CARD_NO, DOCTOR_ID, b"B1234567890700101", NOW_NS)
    assert end.value.code == "5020"


def test_bag_opens_for_the_professional_who_asked_and_writes_every_opening_down() -> None:
    out = Round()
    out.prepare()
    assert out.bag.open(CARD_NO, "A999999999", NOW_NS) == "5152"
    assert out.bag.open("000000000000", DOCTOR_ID, NOW_NS) == NOT_TAKEN
    assert isinstance(out.bag.open(CARD_NO, DOCTOR_ID, NOW_NS), HomePackage)
    assert [(o.by, o.code) for o in out.bag.openings] == [("A999999999", "5152"), (DOCTOR_ID, NOT_TAKEN), (DOCTOR_ID, "0")]


def test_what_was_taken_along_is_gone_when_its_time_is_over() -> None:
    """The search finds the data with the key before, and after it the key is gone."""
    out = Round()
    out.prepare()
    assert out.bag.held == (CARD_NO,) and out.person.name.encode() not in out.bag.noise()
    assert out.bag.open(CARD_NO, DOCTOR_ID, UNTIL_NS) == EXPIRED
    assert out.bag.held == () and len(out.bag.noise()) > 100
    again = Round()
    again.prepare()
    again.bag.empty()
    assert again.bag.open(CARD_NO, DOCTOR_ID, NOW_NS) == EXPIRED


@pytest.mark.parametrize(
    ("card_no", "until_ns", "code"),
    [
        ("000000000000", UNTIL_NS, "9012"), (CARD_NO, NOW_NS, "9002"), (CARD_NO, NOW_NS + (LONGEST_S + 1) * NS, "9002"),
    ],
)
def test_package_is_refused_for_nobody_and_for_no_bounded_time(card_no: str, until_ns: int, code: str) -> None:
    with pytest.raises(Ended) as end:
        Round().prepare(card_no, until_ns)
    assert end.value.code == code


def test_package_needs_the_professionals_own_signature() -> None:
    out = Round()
    sam = out.sam
    flow = prepare(out.bench.desk, sam, sam, out.bag, CARD_NO, UNTIL_NS)  # the SAM signs where the professional should
    with pytest.raises(Ended) as end:
        out.bench.run(flow)
    assert end.value.code == "9130" and not list(out.bench.cloud.home_visits.taken)


def test_institution_takes_a_bounded_number_along() -> None:
    out = Round()
    for _ in range(PACKAGES_A_DAY):
        out.prepare()
    with pytest.raises(Ended) as end:
        out.prepare()
    assert end.value.code == "9004"


def test_no_line_is_said_before_the_team_leaves() -> None:
    out = Round()
    bench = out.bench
    with pytest.raises(Ended) as end:
        bench.run(prepare(bench.desk, out.sam, bench.doctor, out.bag, CARD_NO, UNTIL_NS), cloud=Silence())
    assert end.value.code == "4061"


def test_insurance_stands_in_the_package_as_it_is() -> None:
    out = Round()
    out.bench.core.enrol(Person(CARD_NO, Insurance.SUSPENDED))
    assert out.prepare().insurance == "9084"


PACKAGE = HomePackage(
    bytes(16), INSTITUTION, DOCTOR_ID, "home-care", NOW_NS, UNTIL_NS, HomePerson(CARD_NO, "陳美玲", "A223456781", "0690203", "F"),
    "0", "1301231",
)


@given(
    st.lists(st.binary(min_size=128, max_size=600), max_size=3), st.lists(st.lists(st.binary(), max_size=2), max_size=2),
    st.text(max_size=40), st.integers(1, LONGEST_S),
)
def test_package_is_read_as_it_was_made(rx: list[bytes], chains: list[list[bytes]], name: str, lasts_s: int) -> None:
    made = replace(
        PACKAGE, prescriptions=tuple(rx), chains=tuple(map(tuple, chains)), person=replace(PACKAGE.person, name=name),
        until_ns=NOW_NS + lasts_s * NS,
    )
    assert read_package(made.sign(CENTRE), ROOT, NOW_NS) == made


def test_package_that_the_data_centre_did_not_sign_is_not_believed() -> None:
    bag = HomeBag(INSTITUTION, ROOT, ByteStream("tests", "bag"))
    sam = AUTHORITY.issue(Role.SAM, "SAM000000001", organisation=INSTITUTION)
    others = replace(PACKAGE, institution="9999999999")
    for raw, code in (
        (PACKAGE.sign(STRANGER.issue(Role.DATA_CENTRE, "IDC")), "9015"), (PACKAGE.sign(sam), "9015"), (b"", "9002"),
        (others.sign(CENTRE), "5152"), (replace(PACKAGE, from_ns=NOW_NS + NS).sign(CENTRE), EXPIRED),
    ):
        with pytest.raises(MalformedPackage) as end:
            bag.put(raw, NOW_NS)
        assert end.value.code == code


def test_every_flipped_bit_is_refused() -> None:
    raw = PACKAGE.sign(CENTRE)
    for at in range(0, len(raw), 7):
        spoiled = bytearray(raw)
        spoiled[at] ^= 1 << at % 8
        with pytest.raises(MalformedPackage):
            read_package(bytes(spoiled), ROOT, NOW_NS)


@pytest.mark.parametrize(("id_no", "birth", "code"), [("", "", "0"), ("", "0010101", "5020"), ("Z123456789", "0010101", "9012")])
def test_registration_by_telephone_checks_card_and_facts(id_no: str, birth: str, code: str) -> None:
    out = Round()
    asked = check_person(out.bench.desk, out.sam, id_no or out.person.id_no, birth or out.person.birth_date)
    assert out.bench.run(asked) == code


def test_registration_by_telephone_tells_of_insurance_and_of_a_missing_line() -> None:
    out = Round()
    out.bench.core.enrol(Person(CARD_NO, Insurance.NOT_INSURED))
    asked = (out.bench.desk, out.sam, out.person.id_no, out.person.birth_date)
    assert out.bench.run(check_person(*asked)) == "5012"
    assert out.bench.run(check_person(*asked), cloud=Silence()) == "4061"
