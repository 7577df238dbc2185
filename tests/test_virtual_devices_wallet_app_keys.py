"""BND-01 in messages between a phone and the data centre: which keys are bound, and by which attestation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from virtual_devices.clock import NS
from virtual_devices.cloud.challenges import CHALLENGE_LIFE_S
from virtual_devices.lifecycle import State
from virtual_devices.wallet import app
from virtual_devices.wallet.keystore import Policy
from virtual_devices.wallet.keystore import Purpose as KeyPurpose

from .card_office import ANNA
from .desk import NOW_NS
from .enrolment import Town, facts, refused


def test_key_in_software_is_bound_to_nothing() -> None:
    """BND-01."""
    town = Town()
    of = town.app("soft", hardware=False)
    assert refused(town, app.apply(of, ANNA.card_no, facts(ANNA))).code == "1024"


def test_key_for_codes_is_attested_like_the_device_key() -> None:
    """A QR credential for a key in software, or one that works without its holder, would be a card that anybody can copy."""
    town = Town()
    of, soft = town.app("anna"), town.app("soft", hardware=False)
    card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA)))
    of.phone.keystore.make("free", KeyPurpose.SIGN, Policy.FREE)

    def activate(attest: Any, number: bytes) -> tuple[str, dict[str, Any]]:
        challenge = town.run(app.call(of, "challenge", {}))["challenge"]
        return town.ask(of, "activate", {"card": card, "qr_attestation": attest(challenge)}, number)

    wrong: list[Callable[[bytes], bytes]] = [
        lambda c: of.attest("free", c), lambda c: soft.attest(soft.phone.new_key(), c),
        lambda c: of.attest(of.phone.new_key(), b"another" + c[7:]), lambda _: b"",
    ]
    for attest in wrong:
        assert activate(attest, b"1" * 16)[0] == "1024" and town.domain.ledger.cards[card].state is State.ISSUED
    right, another = of.phone.new_key(), of.phone.new_key()
    for _ in range(2):
        code, body = activate(lambda c: of.attest(right, c), b"2" * 16)
        assert code == "0" and body["qr"] is not None
    assert activate(lambda c: of.attest(another, c), b"2" * 16)[0] == "9002"


@pytest.mark.parametrize("operation", ["apply", "rebind", "activate"])
def test_attestation_by_another_phone_is_bound_to_nothing(operation: str) -> None:
    """Relayed: a thief's phone asks, and a phone elsewhere was made to attest a key of its own for the thief's challenge. The
    card would be in the thief's name and work on a phone that nobody has looked at, or the other way round."""
    town = Town()
    of, elsewhere = town.app("anna"), town.app("elsewhere")
    if operation == "rebind":
        town.enrolled(ANNA, "anna's former phone")
    card = town.run(app.apply(of, ANNA.card_no, town.ticket(ANNA))) if operation == "activate" else ""
    before = {c.name: c.state for c in town.domain.ledger.cards.values()}
    challenge = town.run(app.call(of, "challenge", {}))["challenge"]
    relayed = elsewhere.attest(elsewhere.phone.new_key(), challenge)
    named = "qr_attestation" if operation == "activate" else "attestation"
    arguments = {"card_no": ANNA.card_no, "card": card, "given": town.ticket(ANNA), named: relayed}
    assert refused(town, app.call(of, operation, arguments)).code == "1024"
    assert {c.name: c.state for c in town.domain.ledger.cards.values()} == before


def test_attestation_for_another_challenge_is_refused() -> None:
    town = Town()
    of = town.app("anna")
    old = town.run(app.call(of, "challenge", {}))["challenge"]
    town.run(app.apply(of, ANNA.card_no, facts(ANNA)))  # uses it up
    key = of.phone.new_key()
    arguments = {"card_no": ANNA.card_no, "given": facts(ANNA), "attestation": of.attest(key, old)}
    assert refused(town, app.call(of, "apply", arguments)).code == "1024"


@pytest.mark.parametrize("waited_s", [0, 599, 600])
def test_attestation_needs_a_challenge_that_was_given_and_is_not_over(waited_s: int) -> None:
    town = Town()
    of = town.app("anna")

    def apply(challenge: bytes) -> Any:
        attestation = of.attest(of.phone.new_key(), challenge)
        return app.call(of, "apply", {"card_no": ANNA.card_no, "given": facts(ANNA), "attestation": attestation})

    assert refused(town, apply(b"")).code == "1024"  # none was asked for
    given = town.run(app.call(of, "challenge", {}))["challenge"]
    town.clock.advance_to(NOW_NS + waited_s * NS)
    if waited_s < CHALLENGE_LIFE_S:
        town.run(apply(given))
    assert refused(town, apply(given)).code == "1024"
