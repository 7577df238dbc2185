"""Requests to a wallet, right and wrong: the vectors' requests, made anew for the session that it has just begun."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, WalletTester
from conformance.vectors import engagements, requests
from conformance.vectors.model import Input, Reason, Space, Value, Vector
from conformance.vectors.suite import Suite
from conformance.vectors.world import World
from virtual_devices import vhc
from virtual_devices.mdoc.response import DeviceResponse, ResponseStatus
from virtual_devices.wallet.consent import Use

_CLAUSES = {
    "sam-over-all": ("P-RDR-05",),
    "sam-wrong-role": ("P-RDR-07", "P-ELE-02", "P-CRT-04"), "sam-two-roles": ("P-RDR-07", "P-CRT-04"),
    "sam-no-role": ("P-RDR-07", "P-CRT-04"), "sam-no-purpose": ("P-RDR-07", "P-CRT-05"),
    "sam-other-purpose": ("P-RDR-07", "P-CRT-05"), "sam-no-signing": ("P-RDR-07", "P-CRT-01", "P-CRT-07"),
    "sam-under-iaca": ("P-RDR-07", "P-CRT-02"), "sam-stranger": ("P-RDR-07", "P-RDR-12", "P-CRT-02"),
    "sam-p-384": ("P-RDR-07", "P-CRT-01", "P-CRT-07"), "sam-no-authority": ("P-RDR-07", "P-CRT-07"),
    "sam-chain-is-text": ("P-RDR-07", "P-CRT-07"), "sam-no-chain": ("P-RDR-07", "P-CRT-07"),
    "sam-expired-and-spoilt": ("P-RDR-07", "P-CRT-07"), "sam-too-long": ("P-RDR-07", "P-RDR-10", "P-CRT-08"),
    "sam-": ("P-RDR-07", "P-RDR-12"), "hpc-": ("P-RDR-06", "P-RDR-12"), "other-use": ("P-RDR-09",),
    "write-back-not-named": ("P-WBK-01", "P-RSP-07"), "write-back": ("P-WBK-01",),
    "version-1-7": ("P-REQ-03", "P-VER-01", "P-CBR-03"), "version-2": ("P-REQ-03", "P-VER-01"),
    "registration-": ("P-RDR-03", "P-ELE-01", "P-RDR-01"), "consultation-1-0": ("P-RDR-03", "P-VER-02"),
    "consultation": ("P-RDR-03", "P-ELE-01", "P-RDR-02"),
    "dispensing": ("P-RDR-03", "P-RDR-08"), "three-signers": ("P-RDR-06",), "all-in-1-0": ("P-REQ-03",),
    "signers-swapped": ("P-RDR-12",), "two-readers": ("P-RDR-04",), "second-unsigned": ("P-RDR-12",),
    "another-sam-over-all": ("P-RDR-04", "P-RDR-02"), "another-sam": ("P-RDR-04",),
    "five-signers": ("P-REQ-01", "P-REQ-02", "P-RDR-02"),
}
_STRUCTURE = ("P-REQ-01", "P-REQ-02")
_TO_THE_SECOND = ("sam-ended-30-s",)
_ATTACKS = ("other-session", "forwarded", "stranger", "another-sam")


@cache
def _models() -> Mapping[str, Vector]:
    """The vectors of requests that can be tried on a wallet whose clock is its own."""
    world, suite = World(1), Suite()
    opened = engagements.add(suite, world)
    requests.add(suite, world, opened["qr"], opened["other"])
    found = {name.removeprefix("request/"): v for name, v in suite.vectors.items() if name.startswith("request/")}
    return {name: vector for name, vector in found.items() if Value.AT not in vector.values}


def _each() -> Mapping[str, Each]:
    return {
        name: Each(
            name, vector.says.en, vector.says.zh,
            next((clauses for begin, clauses in _CLAUSES.items() if name.startswith(begin)), _STRUCTURE),
            Nature.VALID if vector.expected.accepted else
            Nature.ATTACK if any(word in name for word in _ATTACKS) else Nature.INVALID,
        )
        for name, vector in _models().items()
    }


@case(nature=Nature.VALID, zh="讀取者的要求", each=_each)
def test_request_is_answered(wallet: WalletTester, name: str) -> None:
    """A request is answered as its vector says."""
    model = _models()[name]
    if name in _TO_THE_SECOND and wallet.world.once:
        wallet.not_applicable("it is right to the second, and the wallet's clock runs while it is asked")
    if name.startswith("write-back"):
        wallet.empty()
    before = wallet.meet(Use.REGISTRATION)
    issued = None
    if name.startswith("write-back"):  # a batch names the credential that was shown
        issued = wallet.shown_card(before, REGISTRATION)
    opened = wallet.meet(_use(model, name))
    suite = Suite()
    requests.add(suite, wallet.world if issued is None else wallet.holding(issued), wallet.live(opened, "live"),
                 wallet.live(before, "other"))
    vector = suite.vectors[f"request/{name}"]
    answer = wallet.request(opened, suite.files[vector.files[Input.REQUEST]], name)
    _as_expected(wallet, vector, answer)
    if answer.documents:
        shown = wallet.shown(opened, answer)
        found = {f"{space}/{element}" for space, elements in shown.items() for element in elements}
        wallet.equal("elements shown", found, set(vector.expected.shown))


def _use(model: Vector, name: str) -> Use:
    """What the holder has agreed to: what follows from those who prove themselves."""
    if name.startswith("other-use") or name == "write-back-other-use":
        return Use.NON_MEDICAL
    if name == "dispensing":
        return Use.DISPENSING
    medical = any(shown.startswith((vhc.MEDICAL, vhc.WRITE)) for shown in model.expected.shown)
    return Use.TREATMENT if medical or name.startswith("write-back") else Use.REGISTRATION


def _as_expected(wallet: WalletTester, vector: Vector, answer: DeviceResponse) -> None:
    expected = vector.expected
    if expected.code.space is Space.RESPONSE:
        wallet.equal("status of the response", answer.status, ResponseStatus(int(expected.code.number)))
        wallet.equal("documents in it", len(answer.documents), 0)
        return
    wallet.equal("status of the response", answer.status, ResponseStatus.OK)
    if not expected.shown:
        wallet.equal("documents in it", len(answer.documents), 0)
        wallet.equal("error for the document", answer.errors.get(vhc.DOCTYPE), int(expected.code.number))
        return
    wallet.equal("documents in it", len(answer.documents), 1)
    told = {code for codes in answer.documents[0].errors.values() for code in codes.values() if code}
    number = {int(expected.code.number)} if expected.reason is not Reason.ACCEPTED else set()
    wallet.equal("errors for elements", told, number)
