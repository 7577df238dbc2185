"""Three-card authentication at the desk: whoever is missing, falls silent or lies at whichever exchange is the one named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from virtual_devices.apdu import Command
from virtual_devices.hpc.hpc import Hpc
from virtual_devices.link import RESET, Outcome
from virtual_devices.pki import DAY_NS, Role, Trouble
from virtual_devices.reader.authenticate import open_sam, sam_of
from virtual_devices.reader.transmit import Ended
from virtual_devices.reader.visit import open_card
from virtual_devices.sam.sam import Sam

from .chips import NAME_SAM, certify, say
from .desk import AUTHORITY, INSTITUTION, NOW_NS, Bench, hpc, patient_card, sam, switch_on
from .links import Failing, Strike, Through

MISSING = {"card": "4013", "sam": "4012", "hpc": "4014"}


def whole(bench: Bench) -> Any:
    yield from switch_on(bench)
    yield from open_card(bench.desk, bench.doctor)


def refusal(bench: Bench, **links: Any) -> Ended:
    with pytest.raises(Ended) as caught:
        bench.run(whole(bench), **links)
    return caught.value


@pytest.mark.parametrize("role", MISSING)
@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.TIMED_OUT, Outcome.GARBLED])
def test_party_that_fails_at_any_exchange_is_named_and_can_come_again(role: str, outcome: Outcome) -> None:
    plain = Bench()
    counting = Through(plain.links()[role])
    plain.run(whole(plain), **{role: counting})
    assert len(counting.messages) > 5
    for at in set(range(len(counting.messages))) - asked_again(counting.messages):
        bench = Bench()
        end = refusal(bench, **{role: Failing(bench.links()[role], Strike(at, outcome))})
        code = {Outcome.GONE: MISSING[role], Outcome.TIMED_OUT: "4000", Outcome.GARBLED: "4043"}[outcome]
        assert (end.role, end.code, end.outcome, end.torn) == (role, code, outcome, True)
        bench.run(whole(bench))
        assert set(bench.card.authenticator.proved) == set(plain.card.authenticator.proved)


NAME = bytes.fromhex("00CA005A")


def asked_again(messages: list[bytes]) -> set[int]:
    """Where the SAM's name was asked for without a restart: the desk only looks whether it is still there."""
    return {i for i, m in enumerate(messages) if m[:4] == NAME and i and messages[i - 1] != RESET}


@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.TIMED_OUT, Outcome.GARBLED])
def test_sam_that_does_not_answer_by_its_name_any_more_is_opened_again(outcome: Outcome) -> None:
    plain = Bench()
    counting = Through(plain.links()["sam"])
    plain.run(whole(plain), sam=counting)
    (at,) = asked_again(counting.messages)
    bench = Bench()
    failing = Failing(bench.links()["sam"], Strike(at, outcome))
    bench.run(whole(bench), sam=failing)
    assert failing.messages.count(RESET) == counting.messages.count(RESET) + 1


@pytest.mark.parametrize("change", ["power", "another", "expired", "revoked"])
def test_sam_is_opened_again_when_it_is_not_what_it_was(change: str) -> None:
    bench = Bench()
    bench.run(open_sam(bench.desk))
    match change:
        case "power":
            bench.sam.power_off()
        case "another":
            other = AUTHORITY.issue(Role.SAM, "SAM000000007", organisation=INSTITUTION)
            bench.sam = Sam(replace(bench.sam.image, sam_id="SAM000000007", identity=other))
            bench.sam.power_on()
        case "expired":
            bench.clock.advance_to(NOW_NS + 3000 * DAY_NS)
        case "revoked":
            assert bench.desk.sam is not None
            bench.desk.revoked = frozenset({bench.desk.sam.who.serial})
    if change in ("expired", "revoked"):
        with pytest.raises(Ended) as end:
            bench.run(sam_of(bench.desk))
        assert end.value.code == {"expired": "9061", "revoked": "9060"}[change] and bench.desk.sam is None
    else:
        bench.run(sam_of(bench.desk))
        assert bench.desk.sam_id == bench.sam.image.sam_id


def test_chip_that_names_itself_other_than_its_certificate_is_forged() -> None:
    bench = Bench()
    image = bench.sam.image
    bench.sam = Sam(type(image)("SAM000000007", INSTITUTION, image.identity, image.root, image.seed))
    assert (refusal(bench).role, refusal(bench).trouble) == ("sam", Trouble.FORGED)
    bench = Bench()
    other = bench.hpc.image
    bench.hpc = Hpc(type(other)("B123456780", other.name, other.identity, other.root, other.seed, other.cells))
    assert (refusal(bench).role, refusal(bench).trouble) == ("hpc", Trouble.FORGED)
    bench = Bench()
    bench.card = patient_card(card_no="000000000009")  # with the certificate of another
    assert (refusal(bench).role, refusal(bench).trouble) == ("card", Trouble.FORGED)


@pytest.mark.parametrize(("role", "code"), [("sam", "4032"), ("hpc", "4034"), ("card", "4033")])
def test_wrong_kind_of_card_in_a_slot_is_told(role: str, code: str) -> None:
    bench = Bench()
    foreign = {"sam": hpc(), "hpc": sam(), "card": sam()}[role]
    setattr(bench, role, foreign)
    end = refusal(bench)
    assert (end.role, end.code, end.torn) == (role, code, False)


def test_professionals_card_taken_out_and_put_back_must_be_opened_again() -> None:
    bench = Bench()
    bench.run(whole(bench))
    bench.hpc.power_on()
    with pytest.raises(Ended) as caught:
        bench.run(open_card(bench.desk, bench.doctor))
    assert (caught.value.role, caught.value.code) == ("hpc", "4042")
    bench.run(whole(bench))


def test_failed_opening_leaves_no_professional_at_the_desk() -> None:
    bench = Bench()
    bench.run(whole(bench))
    assert bench.desk.hpc_ready
    refusal(bench, hpc=Failing(bench.links()["hpc"], Strike(0, Outcome.GONE)))
    assert not bench.desk.hpc_ready


def test_proof_is_not_taken_without_naming_certifying_and_asking() -> None:
    """Each step alone is refused: default deny in the chips, whatever a reader's software leaves out."""
    bench = Bench()
    card = bench.card
    card.power_on()
    steps = {
        "name": NAME_SAM,
        "certify": certify(bench.sam.image.identity),
        "prove": Command(0, 0x82, 0, 0, b"\0" * 64),
    }
    assert say(card, steps["certify"]).sw == 0x6985 and say(card, steps["prove"]).sw == 0x6985
    assert say(card, steps["name"]).ok and say(card, steps["prove"]).sw == 0x6985  # no challenge
    say(card, "0084000010")
    assert say(card, steps["prove"]).sw == 0x6985  # no certificate
    assert say(card, steps["certify"]).ok
    say(card, "0084000008")
    assert say(card, steps["prove"]).sw == 0x6985  # a challenge too short
    say(card, "0084000010")
    assert say(card, steps["prove"]).sw == 0x63C2
    assert say(card, "0082000000").sw == 0x6985 and not card.authenticator.proved


def test_new_certificate_takes_back_the_old_proof() -> None:
    bench = Bench()
    bench.run(whole(bench))
    card = bench.card
    assert say(card, "00B2010C00").ok
    say(card, NAME_SAM)
    assert say(card, Command(0, 0x2A, 0, 0xBE, b"nonsense")).sw == 0x6A80
    assert say(card, "00B2010C00").sw == 0x6982
