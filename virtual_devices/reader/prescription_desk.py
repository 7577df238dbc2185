"""What an institution's desks keep of prescriptions: the policy, what waits for the line, what was refused; and how a record is
signed at a desk and sent.

    filed = yield from sign(desk, rx.record(), hpc)
    sent  = yield from send(desk, drawer, "rx-store", filed)

What could not be sent waits, oldest first, and goes when the line is back (:func:`drain`). The data centre takes the same record
once, however often it comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2

from virtual_devices.clock import NS
from virtual_devices.flow import Flow
from virtual_devices.link import Work
from virtual_devices.pki import READER_CERTIFICATE_H
from virtual_devices.prescription.codes import CODES, Why
from virtual_devices.prescription.rules import Rules
from virtual_devices.prescription.signing import Chains, Filed, by_leaf, verify_signed
from virtual_devices.reader.authenticate import sam_of
from virtual_devices.reader.calls import NETWORK_DOWN, RENEW_AFTER_H, CloudAnswer, call
from virtual_devices.reader.desk import Desk
from virtual_devices.reader.transmit import Ended, Handle
from virtual_devices.reader.write_back import sign_records
from virtual_devices.write_back import Record, read_record, thumbprint

OK = str(CODES[Why.OK])


@dataclass(frozen=True, slots=True)
class RxPolicy:
    """What an institution allows itself. ``issue_offline``: a prescription is valid that the data centre has not heard of yet;
    ``dispense_offline``: medicine is handed over on a signed prescription alone, and told of later; ``rules``: as they are this
    year."""

    issue_offline: bool = True
    dispense_offline: bool = True
    rules: Rules = field(default_factory=Rules)


@dataclass(slots=True)
class Waiting:
    """A record on its way. ``documents``: what the pharmacy had, for a dispensing that is told of."""

    operation: str
    filed: Filed
    documents: tuple[Filed, ...] = ()
    tries: int = 0
    code: str = ""
    found: tuple[str, ...] = ()
    """Codes of what the data centre has against it: kept there, and to be settled by people."""


@dataclass(slots=True)
class Drawer:
    """Of one institution. ``known``: the signed records that it has seen or made, by prescription; ``chains``: of whoever signed
    them."""

    policy: RxPolicy = field(default_factory=RxPolicy)
    waiting: deque[Waiting] = field(default_factory=deque)
    done: list[Waiting] = field(default_factory=list)
    refused: list[Waiting] = field(default_factory=list)
    known: dict[bytes, list[Filed]] = field(default_factory=dict)
    chains: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    work: Work = field(default_factory=Work)

    def keep(self, root: bytes, records: Iterable[Filed]) -> list[Filed]:
        """Remember records of a prescription; all that are known of it, in the order in which they were first seen."""
        mine = self.known.setdefault(root, [])
        ids = {filed.record.id for filed in mine}
        mine += [filed for filed in records if filed.record.id not in ids]
        return mine

    def believe(self, desk: Desk, raw: bytes, chains: Chains) -> Filed | Why:
        """A signed record as this desk judges it, and its signers' chains kept."""
        filed = verify_signed(raw, {**self.chains, **chains}, desk.root, self.work, desk.revoked)
        if isinstance(filed, Filed):
            self.chains |= chains
        return filed

    def chains_of(self, records: Iterable[Filed]) -> list[list[bytes]]:
        """Of their signers, each once."""
        leaves = {thumbprint(s) for filed in records for s in read_record(filed.signed)[1].signatures}
        return [list(self.chains[leaf]) for leaf in sorted(leaves) if leaf in self.chains]


@dataclass(frozen=True, slots=True)
class Sent:
    """``code`` is empty when there was no line and the record waits."""

    code: str
    body: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.code == OK

    @property
    def waits(self) -> bool:
        return not self.code


def sign(desk: Desk, drawer: Drawer, record: Record, hpc: Handle) -> Flow[Filed]:
    """One record signed by the professional's card and the desk's SAM, under the certificates that wallets take where there are
    any, else under the cards' own. Raises Ended, also when the signature is not one that others would believe."""
    sam = yield from sam_of(desk)
    chains = _chains(desk)
    [raw] = yield from sign_records(desk, [record], sam, hpc, chains=chains)
    filed = drawer.believe(desk, raw, by_leaf(chains))
    if isinstance(filed, Why):
        raise Ended(f"what was signed here is not good: {filed.value}", str(CODES[filed]), "hpc")
    return filed


def _chains(desk: Desk) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Of HPC and SAM. Reader certificates live for 72 hours after they were fetched."""
    left_h = READER_CERTIFICATE_H - RENEW_AFTER_H
    if desk.hpc_reader_chain and desk.reader_chain and desk.clock.now_ns() < desk.reader_until_ns + left_h * 3600 * NS:
        return desk.hpc_reader_chain, desk.reader_chain
    return tuple(cbor2.loads(desk.hpc_chain)), tuple(cbor2.loads(desk.sam_chain))


def send(
    desk: Desk, drawer: Drawer, operation: str, filed: Filed, documents: tuple[Filed, ...] = (), *, queue: bool = True,
) -> Flow[Sent]:
    """To the data centre now, after what waits already: a change must not come before what it changes. ``queue``: without a line
    it waits too. A refusal is an answer, for the caller to act upon."""
    yield from drain(desk, drawer)
    answer = None
    if not drawer.waiting:
        answer = yield from _send(desk, drawer, Waiting(operation, filed, documents))
    if answer is not None:
        return Sent(answer.code, answer.body)
    if queue:
        wait(drawer, operation, filed, documents)
    return Sent("", {})


def wait(drawer: Drawer, operation: str, filed: Filed, documents: tuple[Filed, ...] = ()) -> None:
    """At the end of the queue, once."""
    if not any(w.filed.record.id == filed.record.id and w.operation == operation for w in drawer.waiting):
        drawer.waiting.append(Waiting(operation, filed, documents))


def drain(desk: Desk, drawer: Drawer) -> Flow[int]:
    """Send what waits, oldest first, until nothing does or the line fails. How many were settled; what the data centre refuses is
    set aside with its code."""
    settled = 0
    while drawer.waiting:
        one = drawer.waiting[0]
        answer = yield from _send(desk, drawer, one)
        if answer is None:
            break
        if drawer.waiting and drawer.waiting[0] is one:  # another desk may have sent it meanwhile
            drawer.waiting.popleft()
            one.code = answer.code
            found = answer.body.get("found")
            one.found = tuple(map(str, found)) if isinstance(found, (list, tuple)) else ()
            (drawer.done if answer.code == OK else drawer.refused).append(one)
            settled += 1
    return settled


def _send(desk: Desk, drawer: Drawer, one: Waiting) -> Flow[CloudAnswer | None]:
    sam = yield from sam_of(desk)
    one.tries += 1
    arguments: dict[str, Any] = {"record": one.filed.signed, "chains": drawer.chains_of((one.filed, *one.documents))}
    if one.documents:
        arguments["documents"] = [filed.signed for filed in one.documents]
    return (yield from call(desk, sam, one.operation, desk.fresh(16), arguments, one.operation))


def need_line(sent: Sent, what: str) -> Sent:
    """Raises Ended when there was no line, or the data centre refuses."""
    if sent.waits:
        raise Ended(f"{what} needs the data centre, and there is no line", NETWORK_DOWN, "cloud")
    if not sent.ok:
        raise Ended(f"the data centre refuses: {sent.body.get('why', sent.code)}", sent.code, "cloud")
    return sent


__all__ = ["Drawer", "RxPolicy", "Sent", "Waiting", "drain", "need_line", "send", "sign", "wait"]
