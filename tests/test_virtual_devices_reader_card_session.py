"""ENR-01: the physical card proves itself at a desk, and the phone gets its virtual card by that, once and soon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from virtual_devices import pki
from virtual_devices.authentication import Party, padded_id, proof_message
from virtual_devices.clock import NS
from virtual_devices.cloud.identification import SESSION_LIFE_S
from virtual_devices.cloud.service import DATA_CENTRE_ID, KEPT_S
from virtual_devices.pki import Role
from virtual_devices.reader.card_session import prove_card
from virtual_devices.reader.transmit import Ended
from virtual_devices.wallet import app
from virtual_devices.wallet.app import Refusal
from virtual_devices.wallet.held import OWN

from .card_office import ANNA, BO
from .desk import AUTHORITY, NOW_NS, STRANGER, Bench, patient_card
from .enrolment import Town
from .links import Silence
from .test_virtual_devices_cloud_service import ask, request


def desk_and_town(card_no: str = ANNA.card_no) -> tuple[Bench, Town]:
    bench, town = Bench(), Town()
    bench.card = patient_card(card_no=card_no, identity=AUTHORITY.issue(Role.PATIENT_CARD, card_no))
    town.office.card_sessions = bench.cloud.card_sessions
    return bench, town


def test_card_at_a_desk_and_then_the_phone() -> None:
    bench, town = desk_and_town()
    statement = bench.run(prove_card(bench.desk))
    of = town.app("anna")
    card = town.run(app.apply(of, ANNA.card_no, {"statement": statement}))
    again = bench.run(prove_card(bench.desk))
    assert again != statement
    town.run(app.activate(of, card, {"statement": again}))
    assert of.phone.cards.get(OWN) is not None


def test_number_of_a_session_is_good_once_and_for_its_holder_and_for_ten_minutes() -> None:
    bench, town = desk_and_town()
    statement = bench.run(prove_card(bench.desk))
    other = town.app("bo")
    with pytest.raises(Refusal) as end:
        town.run(app.apply(other, BO.card_no, {"statement": statement}))
    assert end.value.code == "5020"
    of = town.app("anna")
    town.run(app.apply(of, ANNA.card_no, {"statement": statement}))
    with pytest.raises(Refusal) as end:
        town.run(app.apply(other, ANNA.card_no, {"statement": statement}))
    assert end.value.code == "66008"
    late = bench.run(prove_card(bench.desk))
    town.clock.advance_to(bench.clock.now_ns() + SESSION_LIFE_S * NS + NS)
    with pytest.raises(Refusal) as end:
        town.run(app.apply(of, ANNA.card_no, {"statement": late}))
    assert end.value.code == "1703"
    with pytest.raises(Refusal):
        town.run(app.apply(of, ANNA.card_no, {"statement": b"guessed" * 2}))


def test_without_a_line_there_is_no_session() -> None:
    bench, _ = desk_and_town()
    with pytest.raises(Ended) as end:
        bench.run(prove_card(bench.desk), cloud=Silence())
    assert end.value.code == "4061" and not bench.cloud.card_sessions


@pytest.mark.parametrize("whose", ["stranger", "another's key"])
def test_card_that_cannot_prove_itself_makes_no_session(whose: str) -> None:
    bench, _ = desk_and_town()
    true = AUTHORITY.issue(Role.PATIENT_CARD, ANNA.card_no)
    other = STRANGER.issue(Role.PATIENT_CARD, ANNA.card_no)
    bench.card = patient_card(card_no=ANNA.card_no, identity=other if whose == "stranger" else replace(other, chain=true.chain))
    with pytest.raises(Ended):
        bench.run(prove_card(bench.desk))
    assert not bench.cloud.card_sessions


def challenge(bench: Bench) -> bytes:
    """Always by a request of the same number."""
    code, body = ask(bench.cloud, request("card-challenge", {"card_no": ANNA.card_no}))
    assert code == "0"
    return bytes(body["challenge"])


def session(bench: Bench, proof: bytes, now_ns: int = NOW_NS) -> str:
    card = AUTHORITY.issue(Role.PATIENT_CARD, ANNA.card_no)
    told = {"card_no": ANNA.card_no, "chain": card.chain_bytes(), "proof": proof}
    return ask(bench.cloud, request("card-session", told, _6=now_ns), now_ns)[0]


def proof_of(given: bytes) -> bytes:
    card = AUTHORITY.issue(Role.PATIENT_CARD, ANNA.card_no)
    return pki.sign(card.key, proof_message(Party.CARD, given, padded_id(DATA_CENTRE_ID)))


def test_challenge_is_the_data_centres_own_and_new_after_each_proof() -> None:
    """Who asks has no part in it: a card that was at the desk once cannot be said to be there again."""
    bench, _ = desk_and_town()
    first = challenge(bench)
    assert challenge(bench) == first  # the answer was lost: asked again, the same
    assert session(bench, proof_of(first)) == "0" and len(bench.cloud.card_sessions) == 1
    second = challenge(bench)
    assert second != first and session(bench, proof_of(first)) == "9011"
    assert session(bench, proof_of(second)) == "9011" and len(bench.cloud.card_sessions) == 1  # the wrong proof used it up


@pytest.mark.parametrize(("waited_s", "code"), [(599, "0"), (600, "9011")])
def test_challenge_to_a_card_is_over_after_ten_minutes(waited_s: int, code: str) -> None:
    bench, _ = desk_and_town()
    given = challenge(bench)
    assert session(bench, proof_of(given), NOW_NS + waited_s * NS) == code


def test_numbers_of_sessions_are_kept_for_a_day() -> None:
    bench, _ = desk_and_town()
    bench.run(prove_card(bench.desk))
    bench.clock.advance_to(bench.clock.now_ns() + (KEPT_S + 1) * NS)
    number = bench.run(prove_card(bench.desk))
    assert list(bench.cloud.card_sessions) == [number]
