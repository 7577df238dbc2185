"""What patients show at the desk of a clinic or a pharmacy under test, besides their card of today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.scripted import Script
from conformance.vectors import authorizations
from conformance.vectors.lists import CARDS, GRANTS
from conformance.vectors.lists import add as add_lists
from conformance.vectors.suite import Suite as Vectors
from conformance.vectors.world import World
from virtual_devices import vhc
from virtual_devices.authorization import issue as issue_authorization
from virtual_devices.authorization import make_proof
from virtual_devices.pki import hashed


def wards_card(world: World) -> Script:
    """The holder's card on the guardian's phone, under a parent's authorization."""
    made = authorizations.parents(world)

    def say(card: Any, asked: Any, _: int) -> bytes:
        proof = make_proof(lambda m: world.es256(world.guardian, m), card.transcript.encoded, made.cti).item()
        shown = {"authorization": issue_authorization(made, world.centre), "proof": proof}
        card.script.values = {vhc.RECORDS: {"generation": 0}, vhc.DELEGATION: shown}
        answer: bytes = card.right(asked)
        return answer

    carried = world.credential(device=world.guardian, held_under=made.cti)
    return Script(say=say, carries=carried, device=world.guardian)


def phone_with(records: Sequence[bytes], chains: Sequence[Sequence[bytes]]) -> Script:
    """The holder's phone, which shows these records and certificates of their signers."""
    shown = {"generation": 0, "prescriptions": list(records), "certificates": {
        hashed(chain[0]): list(chain) for chain in chains}}
    return Script(values={vhc.RECORDS: shown})


def status_lists(world: World) -> list[bytes]:
    """Of cards and of authorizations, as the data centre hands them out."""
    lists = Vectors()
    add_lists(lists, world)
    return [lists.files[name] for name in (CARDS, GRANTS)]


__all__ = ["phone_with", "status_lists", "wards_card"]
