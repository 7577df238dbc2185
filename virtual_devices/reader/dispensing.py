"""A pharmacy's desk: prescriptions dispensed, signed for, taken back, doubted; online, and offline as far as the policy goes.

    card_no, found = yield from from_wallet(desk, drawer, counter, hpc)  or card, code, data centre: ``prescription_offers.py``
    dispensed = yield from dispense(desk, drawer, found[0], hpc)            asked first when there is a line
    stored    = yield from put_on_wallet(desk, counter, card_no, [dispensed.filed.signed], batch_id, hpc)
    yield from receive(desk, drawer, dispensed, stored.evidence, hpc, stored.former)    controlled drugs: before hand-over
    yield from drain(desk, drawer)                                          what waited, when the line is back

Offline a pharmacy knows what the holder's device shows and what it has done itself, and judges by the same table as the data
centre. What it cannot know (another pharmacy, a doubt, a cancellation) is found when it tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.pki import Role
from virtual_devices.prescription import recipient
from virtual_devices.prescription.acts import Decision, Dispensing, Query, Received, Return
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.judging import may_dispense
from virtual_devices.prescription.signing import Filed
from virtual_devices.reader.calls import NETWORK_DOWN
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.prescribing import about, answer
from virtual_devices.reader.prescription_desk import Drawer, Sent, need_line, send, sign, wait
from virtual_devices.reader.prescription_offers import Offer, ask_centre, refresh, refused
from virtual_devices.reader.transmit import Ended, Handle


@dataclass(frozen=True, slots=True)
class Dispensed:
    """One issue dispensed. ``online``: the data centre has said yes; else it is told later. ``needs_recipient``: a controlled
    drug, not to be handed over before :func:`receive`."""

    act: Dispensing
    filed: Filed
    offer: Offer
    online: bool

    @property
    def needs_recipient(self) -> bool:
        return self.offer.standing.rx.kind.controlled


def dispense(
    desk: Desk, drawer: Drawer, offer: Offer, hpc: Handle, *, given: tuple[tuple[str, int], ...] = (),
) -> Flow[Dispensed]:
    """The next issue, signed by the pharmacist. With a line the data centre is asked before anything is handed over; without, or
    when its answer is lost, the policy decides.

    Raises Ended and nothing may be handed over: what this desk or the data centre has against it, or no line (4061) where the
    policy wants one; then a return waits, for the data centre may have counted.
    """
    offer = yield from refresh(desk, drawer, offer)
    standing, now_ns = offer.standing, desk.clock.now_ns()
    act = Dispensing(
        desk.fresh(16), about(standing), desk.institution.code, now_ns // NS * NS, standing.dispensed + 1, given,
    )
    why = may_dispense(act, Role.PHARMACIST, standing, now_ns, drawer.policy.rules)
    if why is not Why.OK:
        raise refused(why)
    filed = yield from sign(desk, drawer, act.record(), hpc)
    sent = yield from send(desk, drawer, "rx-dispense", filed, offer.documents, queue=False)
    if sent.waits and not drawer.policy.dispense_offline:
        yield from _return(desk, drawer, act, offer, hpc, "no answer")
        raise Ended("whether it may be dispensed is not known, and there is no line", NETWORK_DOWN, "cloud")
    if sent.waits:
        wait(drawer, "rx-tell", filed, offer.documents)
    else:
        need_line(sent, "a dispensing")
    drawer.keep(offer.root, [filed])
    return Dispensed(act, filed, offer, sent.ok)


def receive(
    desk: Desk, drawer: Drawer, dispensed: Dispensed, evidence: Mapping[int, Any], hpc: Handle,
    former: Collection[bytes] = (),
) -> Flow[Sent]:
    """The recipient's signature, by their device or on paper (``recipient.py``). ``former``: the cards whose place the one that
    signed took (``Stored.former``). Raises Ended (RX13) for what is none."""
    act = Received(
        desk.fresh(16), dispensed.act.about, desk.institution.code, desk.clock.now_ns() // NS * NS, dispensed.act.id, evidence,
    )
    why = recipient.check(act, dispensed.act, dispensed.filed.signed, lambda _: act.about.device in former)
    if why is not Why.OK:
        raise refused(why)
    filed = yield from sign(desk, drawer, act.record(), hpc)
    drawer.keep(dispensed.offer.root, [filed])
    return (yield from send(desk, drawer, "rx-tell", filed))


def give_back(desk: Desk, drawer: Drawer, dispensed: Dispensed, hpc: Handle, reason: str = "") -> Flow[Sent]:
    """The medicine did not leave, or came back whole: the issue is free again."""
    filed = yield from _return(desk, drawer, dispensed.act, dispensed.offer, hpc, reason, queue=False)
    return (yield from send(desk, drawer, "rx-tell", filed))


def _return(
    desk: Desk, drawer: Drawer, act: Dispensing, offer: Offer, hpc: Handle, reason: str, *, queue: bool = True,
) -> Flow[Filed]:
    back = Return(desk.fresh(16), act.about, desk.institution.code, desk.clock.now_ns() // NS * NS, act.id, reason)
    filed = yield from sign(desk, drawer, back.record(), hpc)
    drawer.keep(offer.root, [filed])
    if queue:
        wait(drawer, "rx-tell", filed, offer.documents)
    return filed


# -- doubts

def query(desk: Desk, drawer: Drawer, offer: Offer, hpc: Handle, text: str, entries: tuple[int, ...] = ()) -> Flow[Query]:
    """疑義: asked, and on hold from now on, everywhere online. Needs the line. Raises Ended."""
    now_ns = desk.clock.now_ns() // NS * NS
    act = Query(desk.fresh(16), about(offer.standing), desk.institution.code, now_ns, text, entries)
    filed = yield from sign(desk, drawer, act.record(), hpc)
    need_line((yield from send(desk, drawer, "rx-query", filed, offer.documents, queue=False)), "a query")
    drawer.keep(offer.root, [filed])
    return act


def withdraw(desk: Desk, drawer: Drawer, asked: Query, hpc: Handle, text: str = "") -> Flow[Sent]:
    """The doubt is settled: the pharmacy's own word. Raises Ended."""
    return (yield from answer(desk, drawer, asked, Decision.WITHDRAW, hpc, text))


def open_doubts(desk: Desk, drawer: Drawer) -> Flow[list[tuple[Offer, Query]]]:
    """For a clinic: queries on its prescriptions that wait for an answer. Raises Ended without a line."""
    found = yield from ask_centre(desk, drawer, "rx-doubts", {})
    if found is None:
        raise Ended("doubts are asked at the data centre, and there is no line", NETWORK_DOWN, "cloud")
    return [(offer, doubt.query) for offer in found for doubt in offer.standing.doubts if doubt.open]


__all__ = ["Dispensed", "dispense", "give_back", "open_doubts", "query", "receive", "withdraw"]
