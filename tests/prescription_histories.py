"""Conservation: random histories of a clinic, two pharmacies that are offline now and then, and the data centre.

    .venv/bin/python -m tests.prescription_histories 5000        so many; ``make test`` runs a sample

Whatever is lost, repeated, delayed or told by a wrong clock: after everybody has delivered, every medicine handed over is known
once, counts as one issue or is named as beyond the count, and no prescription is dispensed beyond its count. The end hangs on
what was signed and on nothing else: brought in another order, it is the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from virtual_devices.clock import NS
from virtual_devices.cloud.books import MemoryBooks
from virtual_devices.cloud.prescription_rows import RECORDS
from virtual_devices.cloud.prescriptions import FACTS, Outcome, Prescriptions
from virtual_devices.prescription.acts import About, Answer, Decision, Dispensing, Query, Return, read_act
from virtual_devices.prescription.codes import Why
from virtual_devices.prescription.document import Cancellation, Prescription
from virtual_devices.prescription.reckoning import Supply
from virtual_devices.prescription.rules import day_of
from virtual_devices.prescription.signing import Filed
from virtual_devices.prescription.states import State
from virtual_devices.write_back import Kind

from .desk import INSTITUTION, NOW_NS
from .prescribed import OTHER_PHARMACY, PHARMACY, about, by_pharmacist, drawn, number, refill, rx

HOUR_NS = 3600 * NS


@dataclass
class Pharmacy:
    """What a pharmacy did and still has to tell. ``skew_s``: of its clock."""

    code: str
    skew_s: int
    queue: list[tuple[Filed, tuple[Filed, ...]]] = field(default_factory=list)
    handed: dict[bytes, bytes] = field(default_factory=dict)
    """Dispensing -> prescription: medicine that left the counter and did not come back."""


class History(RuleBasedStateMachine):
    """``papers``: prescriptions as their holders carry them."""

    papers = Bundle("papers")
    given = Bundle("given")

    @initialize(skews=st.tuples(st.integers(-600, 600), st.integers(-90_000, 600)))
    def begin(self, skews: tuple[int, int]) -> None:
        self.domain = Prescriptions(MemoryBooks())
        self.now_ns = NOW_NS + 48 * HOUR_NS
        self.pharmacies = [Pharmacy(PHARMACY, skews[0]), Pharmacy(OTHER_PHARMACY, skews[1])]
        self.clinic: list[Filed] = []
        self.delivered: list[tuple[Filed, tuple[Filed, ...]]] = []
        self.documents: dict[bytes, Filed] = {}  # every version
        self.roots: dict[bytes, bytes] = {}  # of every version
        self.doubts: list[Filed] = []
        self.names = 0

    def fresh(self) -> bytes:
        self.names += 1
        return number(f"history {self.names}")

    # -- the clinic

    @rule(target=papers, several=st.booleans(), lost=st.booleans())
    def prescribe(self, several: bool, lost: bool) -> Prescription:
        """Signed and given to the holder; at the data centre at once, or when the clinic is back on line."""
        self.names += 1
        issued_ns = self.now_ns // NS * NS
        document = (refill if several else rx)(f"history {self.names}", visit="")
        document = replace(document, issued_ns=issued_ns, last_day=day_of(issued_ns) + timedelta(days=84))
        filed = self.documents[document.id] = drawn(document.record())
        self.roots[document.id] = document.id
        self.clinic.append(filed)
        if not lost:
            self.domain.take(filed, self.now_ns)
        return document

    @rule(target=papers, document=papers)
    def amend(self, document: Prescription) -> object:
        """Online; the holder may carry the old one on."""
        standing = self.domain.standing(self.roots[document.id])
        if standing is None or not standing.chain:
            return multiple()
        amended = replace(standing.rx, id=self.fresh(), issued_ns=self.now_ns // NS * NS, amends=standing.rx.id,
                          follows=standing.head.filed.digest)
        filed = drawn(amended.record())
        if not self.domain.take(filed, self.now_ns).ok:
            return multiple()
        self.documents[amended.id], self.roots[amended.id] = filed, self.roots[document.id]
        return amended

    @rule(document=papers, which=st.integers(0, 1))
    def doubt(self, document: Prescription, which: int) -> None:
        pharmacy = self.pharmacies[which]
        act = Query(self.fresh(), self.about(document), pharmacy.code, self.now_ns // NS * NS, "dose?")
        filed = by_pharmacist(act, pharmacy.code)
        if self.domain.take(filed, self.now_ns).ok:
            self.doubts.append(filed)

    @rule()
    def confirm(self) -> None:
        if self.doubts:
            asked = self.doubts.pop(0)
            query = read_act(asked.record)
            act = Answer(self.fresh(), query.about, INSTITUTION, self.now_ns // NS * NS, query.id, Decision.CONFIRM)
            self.domain.take(drawn(act.record()), self.now_ns)

    def about(self, document: Prescription) -> About:
        return about(document, self.documents[document.id], self.roots[document.id])

    @rule(document=papers)
    def cancel(self, document: Prescription) -> None:
        """Online, and refused when nothing is left."""
        at_ns = self.now_ns // NS * NS
        void = Cancellation(self.fresh(), document.device, at_ns, document.institution, document.id,
                            self.documents[document.id].digest)
        self.domain.take(drawn(void.record()), self.now_ns)

    # -- the pharmacies

    def act(self, pharmacy: Pharmacy, document: Prescription, issue: int) -> Filed:
        at_ns = (self.now_ns + pharmacy.skew_s * NS) // NS * NS
        known = self.about(document)
        return by_pharmacist(Dispensing(self.fresh(), known, pharmacy.code, at_ns, issue), pharmacy.code)

    @rule(target=given, document=papers, which=st.integers(0, 1), answer_lost=st.booleans(), keeps=st.booleans())
    def dispense_online(self, document: Prescription, which: int, answer_lost: bool, keeps: bool) -> object:
        """Asked first. When the answer is lost, the pharmacist hands it over and tells later, or sends the holder away and takes
        it back."""
        pharmacy = self.pharmacies[which]
        standing = self.domain.standing(self.roots[document.id])
        filed = self.act(pharmacy, document, 1 if standing is None else standing.dispensed + 1)
        outcome = self.domain.take(filed, self.now_ns)
        assert not outcome.ok or (standing is not None and standing.state(self.now_ns) in (State.ISSUED, State.PARTLY))
        if answer_lost and not keeps:
            pharmacy.queue.append((self.back(pharmacy, document, filed), ()))
            return multiple()
        if answer_lost:
            pharmacy.queue.append((filed, self.had(document)))
        elif not outcome.ok:
            return multiple()
        pharmacy.handed[filed.record.id] = document.id
        return pharmacy, document, filed

    @rule(target=given, document=papers, which=st.integers(0, 1), issue=st.integers(1, 3))
    def dispense_offline(self, document: Prescription, which: int, issue: int) -> object:
        pharmacy = self.pharmacies[which]
        filed = self.act(pharmacy, document, min(issue, document.issues))
        pharmacy.queue.append((filed, self.had(document)))
        pharmacy.handed[filed.record.id] = document.id
        return pharmacy, document, filed

    def had(self, document: Prescription) -> tuple[Filed, ...]:
        """What the holder carried: the version, and the first one."""
        return self.documents[self.roots[document.id]], self.documents[document.id]

    def back(self, pharmacy: Pharmacy, document: Prescription, filed: Filed) -> Filed:
        at_ns = (self.now_ns + pharmacy.skew_s * NS) // NS * NS
        known = self.about(document)
        return by_pharmacist(Return(self.fresh(), known, pharmacy.code, at_ns, filed.record.id), pharmacy.code)

    @rule(one=consumes(given))
    def take_back(self, one: tuple[Pharmacy, Prescription, Filed]) -> None:
        pharmacy, document, filed = one
        if pharmacy.handed.pop(filed.record.id, None) is not None:
            pharmacy.queue.append((self.back(pharmacy, document, filed), ()))

    # -- the line

    @rule(which=st.integers(0, 1), backwards=st.booleans(), lost=st.booleans())
    def tell(self, which: int, backwards: bool, lost: bool) -> None:
        """One message arrives; when the answer is lost it stays in the queue and comes again."""
        queue = self.pharmacies[which].queue
        if queue:
            at = -1 if backwards else 0
            self.deliver(self.domain, queue[at])
            if not lost:
                self.delivered.append(queue.pop(at))

    def deliver(self, domain: Prescriptions, message: tuple[Filed, tuple[Filed, ...]]) -> Outcome:
        outcome = domain.tell(*message, self.now_ns)
        assert outcome.ok, outcome
        return outcome

    @rule()
    def clinic_is_back(self) -> None:
        for filed in self.clinic:
            assert self.domain.take(filed, self.now_ns).ok

    @rule(hours=st.integers(1, 24 * 12))
    def time_passes(self, hours: int) -> None:
        self.now_ns += hours * HOUR_NS

    # -- what must hold

    @invariant()
    def nothing_counts_beyond(self) -> None:
        for root in set(getattr(self, "roots", {}).values()):
            standing = self.domain.standing(root)
            if standing is not None and standing.versions:
                assert standing.dispensed <= standing.rx.issues
                counted = [supply.issue for supply in standing.supplies if supply.issue]
                assert counted == list(range(1, len(counted) + 1))

    def teardown(self) -> None:
        """Everybody delivers what is left; then the books balance, and in another order they are the same."""
        if not hasattr(self, "domain"):
            return
        self.clinic_is_back()
        for pharmacy in self.pharmacies:
            for message in pharmacy.queue:
                self.deliver(self.domain, message)
        handed = {act: root for pharmacy in self.pharmacies for act, root in pharmacy.handed.items()}
        roots = sorted(set(self.roots.values()))
        known = {s.act.id: s.act.about.document for root in roots for s in self.supplies(self.domain, root)}
        assert known == handed
        reported = {supply.act.id for supply in self.domain.conflicts()}
        for root in roots:
            standing = self.domain.standing(root)
            assert standing is not None and not any(Why.ORPHAN in s.found for s in standing.supplies)
            beyond = [s for s in standing.supplies if not s.issue]
            assert len(standing.supplies) == standing.dispensed + len(beyond)
            assert {s.act.id for s in beyond} <= reported
            assert (standing.state(self.now_ns) is State.COMPLETED) <= (standing.dispensed == standing.rx.issues)
        self.brought_in_another_order(roots)

    def brought_in_another_order(self, roots: list[bytes]) -> None:
        records = [row.kept() for row in self.domain.books.shelf(RECORDS)]
        other = Prescriptions(MemoryBooks())
        papers = (Kind.PRESCRIPTION, Kind.AMEND, Kind.CANCEL)
        chain = [k.filed for k in sorted(records, key=lambda k: k.number) if k.filed.record.kind in papers]
        for kept in reversed(records):
            if kept.filed.record.kind in FACTS:
                assert other.tell(kept.filed, (), self.now_ns).ok
        for filed in chain:
            other.take(filed, self.now_ns)
        for root in roots:
            mine, theirs = self.supplies(self.domain, root), self.supplies(other, root)
            assert [(s.act.id, s.issue) for s in mine] == [(s.act.id, s.issue) for s in theirs]

    @staticmethod
    def supplies(domain: Prescriptions, root: bytes) -> list[Supply]:
        standing = domain.standing(root)
        return [] if standing is None else list(standing.supplies)


def play(histories: int) -> None:
    """So many histories. Raises AssertionError with the shortest one that breaks a law."""
    run_state_machine_as_test(History, settings=settings(
        max_examples=histories, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck),
    ))


if __name__ == "__main__":
    play(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
