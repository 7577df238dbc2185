"""The card application's home on a phone (``holder/application.py``): the vault's cards, the holder's consent, the log.

What a guardian's authorization does not cover of a ward's card is not shown, whatever the guardian agrees to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from virtual_devices import vhc
from virtual_devices.authorization import Purpose, Scope, make_proof, read
from virtual_devices.clock import NS
from virtual_devices.holder.application import Act, Allowed, Names, Shown
from virtual_devices.holder.readers import SKEW_S, ReaderCheck, Readers
from virtual_devices.holder.refusals import No
from virtual_devices.mdoc.mso import IssuerSigned
from virtual_devices.mdoc.session import Transcript
from virtual_devices.pki import Role
from virtual_devices.wallet.access_log import Deed, Entry
from virtual_devices.wallet.consent import Answer, Element, Use
from virtual_devices.wallet.held import Held
from virtual_devices.write_back import Receipt, of_prescriptions, read_record

if TYPE_CHECKING:
    from virtual_devices.wallet.phone import Phone

NETWORK = "network"
"""The channel of what the data centre brings, in the holder's log."""
SHOWN_BYTES = 40_000
"""Of the newest records, with the chains of their signers, in one response, at most; less where a response has no room."""


def elements(names: Names, write: bool = False) -> list[Element]:
    """As consent counts them. Writing is an element too: the receipt."""
    found = [(space, name) for space, some in names.items() for name in some]
    return [*found, (vhc.WRITE, vhc.RECEIPT)] if write else found


def use_of(readers: Readers) -> Use:
    """What a request is for, by who asks."""
    if readers.other_use is not None:
        return Use.NON_MEDICAL
    if readers.hpc is None:
        return Use.REGISTRATION
    return Use.DISPENSING if readers.hpc.who.role is Role.PHARMACIST else Use.TREATMENT


_IN_CARE = frozenset({Use.REGISTRATION, Use.TREATMENT})
COVERED: Mapping[Purpose, frozenset[Use]] = {
    Purpose.CARE: _IN_CARE | {Use.DISPENSING}, Purpose.OUTPATIENT: _IN_CARE, Purpose.HOME_CARE: _IN_CARE,
    Purpose.PHARMACY: frozenset({Use.REGISTRATION, Use.DISPENSING}), Purpose.NON_MEDICAL: frozenset({Use.NON_MEDICAL}),
}
"""What a ward's card is shown for, by the authorization's purpose, as far as a phone can tell from who asks."""


def beyond(held: Held | None, names: Names, write: bool, use: Use) -> frozenset[Element]:
    """What of it goes beyond a guardian's authorization, its scope or its purpose; nothing of one's own card does."""
    if held is None or held.authorization is None:
        return frozenset()
    said = read(held.authorization)[1]
    scope = said.scope if use in COVERED[said.purpose] else frozenset()
    return frozenset(element for element in elements(names, write) if (needed := _scope_of(element)) and needed not in scope)


def _scope_of(element: Element) -> Scope | None:
    """The scope that showing it takes; None for what proves who it is and under which authorization."""
    space, name = element
    if space == vhc.MEDICAL or element == (vhc.RECORDS, "visits"):
        return Scope.MEDICAL
    if element == (vhc.RECORDS, "prescriptions"):
        return Scope.COLLECT
    if space == vhc.WRITE:
        return Scope.WRITE
    return Scope.BASIC if space == vhc.BASIC and name != vhc.HELD_UNDER else None


class PhoneHome:
    """The phone, as the card application sees it, for one card."""

    def __init__(self, phone: Phone, card: str) -> None:
        self._phone = phone
        self._card = card
        self._now_ns = 0
        self._read: Held | None = None
        self.work = phone.work

    def _held(self) -> Held | None:
        """The card, read from the vault once a request."""
        if self._read is None and self._phone.vault.ready:
            self._read = self._phone.cards.get(self._card)
        return self._read

    def reader_check(self, now_ns: int) -> ReaderCheck:
        self._now_ns = now_ns
        self._read = None
        return ReaderCheck(self._phone.root, now_ns + self._phone.clock_error_ns)

    def credential(self, at_ns: int) -> IssuerSigned | No:
        held = self._held()
        if held is None or at_ns > held.mso.valid_until_ns + SKEW_S * NS:
            return No.NOT_IN_FORCE
        if held.authorization is not None and at_ns >= read(held.authorization)[1].expires_ns:
            return No.AUTHORIZATION_ENDED
        return held.issued

    def allowed(self, names: Shown, readers: Readers, write: bool, transcript: Transcript) -> Allowed:
        consent, use, held = self._phone.consent, use_of(readers), self._held()
        outside = beyond(held, names, write, use)
        wanted = {**names, vhc.WRITE: names.get(vhc.WRITE, frozenset()) | {vhc.RECEIPT}} if write else names
        if outside:
            wanted = {space: frozenset([n for n in some if (space, n) not in outside]) for space, some in wanted.items()}
        answer, given = consent.request(transcript.hash, use, wanted, self._now_ns)
        rest = No.CONSENT_NEEDED if answer is Answer.WAIT else No.AUTHORIZATION_ENDED if outside else No.DECLINED
        return Allowed(given, rest, not write or vhc.RECEIPT in given.get(vhc.WRITE, ()))

    def device_values(self, names: Names, transcript: Transcript, room_bytes: int) -> dict[str, dict[str, Any]]:
        held = self._held()
        assert held is not None
        found: dict[str, dict[str, Any]] = {}
        if wanted := names.get(vhc.RECORDS):
            found[vhc.RECORDS] = self._recorded(wanted, held, min(SHOWN_BYTES, room_bytes))
        if (wanted := names.get(vhc.DELEGATION)) and held.authorization is not None:
            said = {"authorization": held.authorization, "proof": self._proof(held, transcript) if "proof" in wanted else None}
            found[vhc.DELEGATION] = {name: said[name] for name in sorted(wanted) if said.get(name) is not None}
        return {space: values for space, values in found.items() if values}

    def _recorded(self, names: Collection[str], held: Held, room_bytes: int) -> dict[str, Any]:
        """What was written back, of these elements."""
        records = self._phone.records(self._card)
        found: dict[str, Any] = {"generation": records.generation} if "generation" in names else {}
        shown, chains = records.newest(room_bytes)
        if shown:
            mine = held.holders  # any other record was another card's
            own = [(raw, record) for raw in shown if (record := read_record(raw)[0]).holder in mine]
            prescribed = of_prescriptions(record for _, record in own)
            said: dict[str, Any] = {
                "visits": [raw for raw, record in own if record.id not in prescribed],
                "prescriptions": [raw for raw, record in own if record.id in prescribed],
                "certificates": chains,
            }
            found |= {name: said[name] for name in sorted(names) if said.get(name)}
        return found

    def _proof(self, held: Held, transcript: Transcript) -> Any:
        if held.authorization is None:
            return None
        cti = read(held.authorization)[1].cti
        return make_proof(self.sign, transcript.encoded, cti).item()

    def sign(self, message: bytes) -> bytes:
        held = self._held()
        assert held is not None
        return self._phone.keystore.sign(held.key, message)

    def write(self, raw: bytes, credential: IssuerSigned, act: Act) -> Receipt:
        def noted(stored: bool) -> dict[str, bytes | None]:
            """Of a batch that was not stored, only what was shown beside it."""
            return self.noted(act if stored else replace(act, writes=False)) if stored or act.shown else {}

        return self._phone.records(self._card).write(raw, credential, act.readers, act.at_ns, noted)

    def seen(self, readers: Readers) -> None:
        return

    def note(self, act: Act) -> None:
        self._phone.vault.commit(self._logged(act))

    def noted(self, act: Act, channel: str = "") -> dict[str, bytes | None]:
        """The log's entry, as part of the commit to the card's folder that it tells of."""
        return {f"/{name}": value for name, value in self._logged(act, channel).items()}

    def _logged(self, act: Act, channel: str = "") -> Mapping[str, bytes | None]:
        """The log's entry, for the vault."""
        phone, held, readers = self._phone, self._held(), act.readers
        given = None if channel == NETWORK else phone.consent.given  # the holder was not asked, whatever they allow just now
        guardian = None if held is None or held.authorization is None else read(held.authorization)[1]
        entry = Entry(
            act.at_ns, Deed.DECLINED if act.declined else Deed.WRITTEN if act.writes else Deed.SHOWN,
            channel or phone.channel,
            use_of(readers), tuple(sorted(elements(act.shown, act.writes))),
            institution="" if readers.sam is None else readers.sam.who.organisation,
            professional="" if readers.hpc is None else readers.hpc.who.subject_id,
            role=None if readers.hpc is None else readers.hpc.who.role,
            means=None if given is None else given.means, armed=given is not None and given.armed,
            by="" if guardian is None else guardian.guardian_name, holder="" if guardian is None else guardian.ward,
        )
        return phone.log.changes(entry)


__all__ = ["COVERED", "NETWORK", "SHOWN_BYTES", "PhoneHome", "beyond", "elements", "use_of"]
