"""A wallet's line to the data centre, which the bench is: its messages are heard, and its answers changed as a case wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2

from conformance.kinds.wallet import WalletTester
from conformance.references.data_centre import ReferenceDataCentre
from conformance.town import HOLDER
from virtual_devices import cose
from virtual_devices.cloud.centre import Newcomer
from virtual_devices.cose import MalformedCose
from virtual_devices.link import Attempt, Outcome, Provenance
from virtual_devices.mdoc.cose_key import from_cose
from virtual_devices.mdoc.tagged import MalformedMdoc
from virtual_devices.pki import Identity
from virtual_devices.trace import ExchangeRow

Fate = Callable[[str, bytes], bytes | None]
"""Operation, and the data centre's answer -> the answer that comes; None: none comes."""
Payload = dict[int, Any]


def _as_it_is(operation: str, answer: bytes) -> bytes | None:
    del operation
    return answer


@dataclass
class HomeLine:
    """Between one wallet and the data centre (:class:`~virtual_devices.link.Link`). ``asked``: the payloads of its requests, in
    their order; that each is as its rule has it is a check. ``waits_s``: how long it would wait for each."""

    wallet: WalletTester
    centre: ReferenceDataCentre = field(init=False)
    fate: Fate = _as_it_is
    asked: list[Payload] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    channel = "network"
    device = "virtual"
    provenance = Provenance.MODELLED

    def __post_init__(self) -> None:
        self.centre = ReferenceDataCentre(self.wallet.world, "network", self.wallet.name)
        self._link = self.centre.meet()["issuer"]

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        """Carry a request to the data centre, and its answer, changed maybe, back."""
        payload = self._read(message)
        self.asked.append(payload)
        self.waits_s.append(timeout_s)
        answer = self.fate(str(payload[2]), self._link.attempt(message, timeout_s).reply or b"")
        self._note(str(payload[2]), message, answer)
        return Attempt(Outcome.TIMED_OUT, 0) if answer is None else Attempt(Outcome.REPLIED, 0, answer)

    def _read(self, message: bytes) -> Payload:
        """A request's payload; that it is signed by the key in it, and as its rule has it, is a check."""
        tester = self.wallet
        try:
            read = cose.decode(message)
            payload = dict(read.payload_map() or {})
            key = from_cose(payload.get(4), "the phone's key")
        except (MalformedCose, MalformedMdoc) as e:
            tester.expect("the request can be read", False, "a PhoneRequest", e.what)
            raise AssertionError("unreachable") from None
        tester.expect("the request is signed by the key in it", read.verify(key))
        kinds = {1: int, 2: str, 3: bytes, 6: int, 7: Mapping}
        wrong = {label for label, kind in kinds.items() if not isinstance(payload.get(label), kind)}
        tester.equal("parts of the request that are not as their rule", wrong, set())
        tester.equal("version, and bytes of the id", (payload[1], len(payload[3])), (1, 16))
        return payload

    def _note(self, operation: str, message: bytes, answer: bytes | None) -> None:
        outcome = Outcome.TIMED_OUT if answer is None else Outcome.REPLIED
        self.wallet.rows.append(ExchangeRow(
            replication=0, visit="", session=self.wallet.name, flow="conform", step=operation, role=self.wallet.role,
            channel=self.channel, device="data centre of the bench", provenance="presented", at_ns=self.wallet.clock.now_ns(),
            duration_ns=0, outcome=outcome.value, request=message, reply=answer or b"", request_bytes=len(message),
            reply_bytes=-1 if answer is None else len(answer), status="", fault="", sent_ns=-1,
        ))

    # -- what the wallet does

    def does(self, act: str, **given: Any) -> str:
        """The wallet does something online; that it is done is a check. The name of the card that it was given, if any."""
        code, found = self.wallet.made_up().online(self, act, **given)
        self.wallet.equal(f"{act} is done", code, "0")
        return found

    def refused(self, code: str, act: str, **given: Any) -> None:
        """The wallet does something online, and says this of it."""
        self.wallet.equal(f"what becomes of {act}", self.wallet.made_up().online(self, act, **given)[0], code)

    def ticket(self, who: Newcomer = HOLDER) -> dict[str, Any]:
        """What proves at the data centre who asks: a ticket of its counter."""
        return {"id_no": who.holder.id_no, "ticket": self.centre.officer.ticket(who.card_no)}

    def enrol(self, who: Newcomer = HOLDER) -> str:
        """Applied for and activated; the card's name there."""
        card = self.does("apply", card_no=who.card_no, given=self.ticket(who))
        self.does("activate", card=card)
        return card

    @property
    def operations(self) -> list[str]:
        """What was asked for, in its order."""
        return [str(payload[2]) for payload in self.asked]


def changed(answer: bytes, change: Callable[[Payload], Payload], signer: Identity) -> bytes:
    """An answer with another payload, signed anew."""
    payload = dict(cose.decode(answer).payload_map() or {})
    body: bytes = cbor2.dumps(change(payload), canonical=True)
    return cose.sign1(signer.key, body, {cose.X5CHAIN: list(signer.chain)})


__all__ = ["Fate", "HomeLine", "Payload", "changed"]
