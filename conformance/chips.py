"""A chip under test (patient card, SAM, professional's card), and what a case does with it: commands over a link.

Whoever brings the chip (a virtual one, or a real one in a reader) gives a :class:`ChipUnderTest`; cases see testers only. The
tester plays every other party itself: it has keys and certificates of the world that the chip trusts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

from conformance.tester import Decided, Tester
from conformance.vectors.world import CARD_NO, DOCTOR_ID, INSTITUTION, SAM_ID, World
from conformance.verdict import Verdict
from virtual_devices import pki
from virtual_devices.apdu import Command, MalformedApdu, Response, chain
from virtual_devices.authentication import CHALLENGE_BYTES, Party, padded_id, proof_message
from virtual_devices.clock import Clock
from virtual_devices.flow import Exchange, Flow, Session, run
from virtual_devices.link import Attempt, Device, DirectLink, Link, Outcome, PowerCut, Provenance, Tearable
from virtual_devices.network import Medium, ModelledLink
from virtual_devices.pin import pin_block
from virtual_devices.pki import Identity, Refused, Role, Trouble, Verified
from virtual_devices.reader.transmit import Ended, Handle, chip_status, power_on, transmit

TIMEOUT_S = 10.0
"""For one command: more than any chip needs."""
PIN_REFERENCE = 0x81


IN_EVERY_CHIP = (
    *(f"virtual_devices.chip:{name}" for name in (
        "Chip.handle", "Chip._respond", "Chip._deliver_t1", "Chip._get_response", "Chip._next_piece", "refuse_unless",
    )),
    *(f"virtual_devices.authentication:Authenticator.{name}" for name in (
        "_manage_security_environment", "perform_security_operation", "_get_challenge", "_external_authenticate",
        "_internal_authenticate", "_need_named",
    )),
)
"""Where a chip that speaks T=1 and takes no updates refuses, for the self-check."""


@dataclass(frozen=True)
class MadeUp:
    """How a test chip is made up for a case, where it is not as usual. ``cells``: what lies in its memory, by the names of the
    reference device's store; a laboratory has a chip personalised so. ``personal``: values of its personalisation."""

    cells: Mapping[str, bytes] = field(default_factory=dict)
    personal: Mapping[str, Any] = field(default_factory=dict)


USUAL = MadeUp()


class ChipUnderTest(Protocol):
    """A chip, and the way to it."""

    @property
    def clock(self) -> Clock: ...

    def insert(self, made_up: MadeUp) -> Mapping[str, Link]:
        """A chip made up so is put in: the link to its role. Raises LinkError when there is none, CannotShow when nobody can
        make one up so."""
        ...

    def tear(self, points: int | None) -> None:
        """Let its power go after so many further points of writing (0: at the next), or no more. Raises CannotShow when it
        cannot be torn."""
        ...


class ChipTester(Tester, ABC):
    """The reader's side of one chip. ``who``, ``own_id``: what it is in three-card authentication, and its identifier there;
    ``takes``: a party that can prove itself to it, ``opened``: a command that it answers 9000 after that and 6982 before;
    ``probe``: what it gives to everybody."""

    who: Party
    own_id: str
    takes: Party
    probe: str

    @property
    @abstractmethod
    def opened(self) -> Command: ...

    def ready(self, *, again: bool = False) -> None:
        """A chip is put in, or the same one ``again``; all that :attr:`opened` needs besides has happened."""
        if again:
            self.reset()
        else:
            self.insert()

    def __init__(self, chip: ChipUnderTest, world: World, name: str) -> None:
        super().__init__()
        self.chip = chip
        self.world = world
        self.name = name
        self.clock = chip.clock
        self.handle = Handle(self.role, False, False, b"")
        self._links: Mapping[str, Link] = {}

    def believed(self, chain: bytes) -> Verified:
        """Whom the chip's certificates name; that they lead to the authority is a check. Somebody's own chip may be of another
        authority, which is no fault: then there is nothing to say."""
        verdict = self.world.root.check_bytes(chain, self.who.roles, self.clock.now_ns())
        if self.masked and isinstance(verdict, Refused) and verdict.trouble is Trouble.FORGED:
            why = "its certificate is not of the authority of --seed, and the bench knows no other"
            raise Decided(Verdict.INCONCLUSIVE, why)
        self.expect("its certificate is believed", isinstance(verdict, Verified), "believed", verdict)
        assert isinstance(verdict, Verified)
        return verdict

    # -- in and out of the reader

    def insert(self, made_up: MadeUp = USUAL) -> None:
        """Another chip, made up so, is put in and powered on."""
        self._links = self.chip.insert(made_up)
        self.reset()

    def reset(self) -> None:
        """Power off and on again."""
        self.handle = self._run(power_on(self.role, "reset"), "the reset")

    # -- commands

    def exchange(self, raw: bytes, step: str) -> Response:
        """These bytes and no others, once; that a status word comes back in time is a check."""
        reply: bytes = self._run(_once(self.role, raw, step), step)
        return self._read(reply, step)

    def send(self, command: Command | str, step: str) -> Response:
        """One command as it stands, once."""
        return self.exchange(bytes.fromhex(command) if isinstance(command, str) else command.to_bytes(), step)

    def ask(self, command: Command | str, step: str) -> Response:
        """One command and its whole answer, as a reader gets it: in links where it is long, 61xx and 6Cxx followed."""
        wanted = Command.parse(bytes.fromhex(command)) if isinstance(command, str) else command
        answer: Response = self._run(transmit(self.handle, wanted, step, TIMEOUT_S), step)
        return answer

    def says(self, command: Command | str, sw: int, step: str, data: bytes | None = None) -> bytes:
        """Ask; the status word, and the data when given, are checks."""
        answer = self.ask(command, step)
        self.word(answer, sw, step)
        if data is not None:
            self.equal(f"data of {step}", answer.data, data)
        return answer.data

    def word(self, answer: Response, sw: int, step: str) -> None:
        """That it answered with this status word, and without data unless it is a good one."""
        self.equal(f"status word of {step}", f"{answer.sw:04X}", f"{sw:04X}")
        if sw != 0x9000:
            self.equal(f"no data with a refusal of {step}", answer.data, b"")

    def must(self, command: Command | str, step: str) -> bytes:
        """Ask for what a case begins from: 9000, or the case is open."""
        answer = self.ask(command, step)
        self.need(f"{step}: 9000", answer.ok, f"{answer.sw:04X}")
        return answer.data

    def torn(self, command: Command, points: int, step: str) -> bool:
        """One command, the power gone after so many points of writing. False: it was answered, no such point came. The chip is
        put in again afterwards."""
        self.chip.tear(points)
        answered = True
        for link in self._whole(command):
            attempt: Attempt = self._run(_attempt(self.role, link.to_bytes(), step), step)
            if attempt.outcome is not Outcome.REPLIED:
                answered = False
                break
        self.chip.tear(None)
        self.reset()
        return not answered

    def _whole(self, command: Command) -> list[Command]:
        return [replace(command, extended=True)] if self.handle.extended else chain(command)

    def _read(self, reply: bytes, step: str) -> Response:
        try:
            return Response.parse(reply)
        except MalformedApdu as e:
            self.expect(f"the answer to {step} ends in a status word", False, "two bytes", e.what)
            raise AssertionError("unreachable") from None

    def _run(self, flow: Flow[Any], step: str) -> Any:
        session = Session(
            self._links, self.clock, record=self.rows.append, name=self.name, flow="conform", status=chip_status,
        )
        try:
            return run(flow, session)
        except Ended as e:
            self.need(f"the {self.role} is there for {step}", e.outcome is not Outcome.GONE, str(e))
            self.expect(f"the {self.role} answers {step}", False, "an answer", str(e))
            raise AssertionError("unreachable") from None

    # -- others prove themselves to it

    def name_party(self, party: Party) -> Command:
        """MANAGE SECURITY ENVIRONMENT: whose certificate and proof come next."""
        return Command(0, 0x22, 0x81, 0xA4, b"\x83\x01" + bytes([party.value]))

    def certify(self, chain: bytes) -> Command:
        """PERFORM SECURITY OPERATION: VERIFY CERTIFICATE."""
        return Command(0, 0x2A, 0x00, 0xBE, chain)

    challenge_command = Command(0, 0x84, 0, 0, le=CHALLENGE_BYTES)

    def challenge(self, step: str = "challenge") -> bytes:
        return self.must(self.challenge_command, step)

    def proof(self, identity: Identity, party: Party, challenge: bytes, verifier: str = "") -> bytes:
        """What a party signs for this chip, or for another that ``verifier`` names."""
        return pki.sign(identity.key, proof_message(party, challenge, padded_id(verifier or self.own_id)))

    def authenticate(self, proof: bytes) -> Command:
        return Command(0, 0x82, 0, 0, proof)

    def begin(self, party: Party, identity: Identity) -> None:
        """Name a party and have its certificate taken, for a case whose point comes later."""
        self.must(self.name_party(party), f"name the {party.name}")
        self.must(self.certify(identity.chain_bytes()), f"certificate of the {party.name}")

    def prove(self, party: Party, identity: Identity | None = None) -> None:
        """A party proves itself, for a case whose point comes later."""
        chosen = identity or identity_of(self.world, party)
        self.begin(party, chosen)
        self.must(self.authenticate(self.proof(chosen, party, self.challenge())), f"proof of the {party.name}")

    # -- PIN

    def pin(self, pin: str) -> Command:
        return Command(0, 0x20, 0, PIN_REFERENCE, pin_block(pin))

    def change(self, pin: str) -> Command:
        return Command(0, 0x24, 1, PIN_REFERENCE, pin_block(pin))

    def unblock(self, puk: str, pin: str) -> Command:
        return Command(0, 0x2C, 0, PIN_REFERENCE, pin_block(puk) + pin_block(pin))


PIN_STATE = Command(0, 0x20, 0, PIN_REFERENCE)
"""VERIFY without data: how it stands."""
PIN_OFF, PIN_ON = Command(0, 0x26, 1, PIN_REFERENCE), Command(0, 0x28, 1, PIN_REFERENCE)


def _attempt(role: str, raw: bytes, step: str) -> Flow[Attempt]:
    attempt: Attempt = yield Exchange(role, raw, TIMEOUT_S, step)
    return attempt


def _once(role: str, raw: bytes, step: str) -> Flow[bytes]:
    attempt = yield from _attempt(role, raw, step)
    if attempt.reply is None:
        raise Ended(f"{attempt.outcome.value}", "4043", role, outcome=attempt.outcome)
    return attempt.reply


# -- the parties that a tester plays

def identity_of(world: World, party: Party) -> Identity:
    """The usual one of each kind; the professional is a physician."""
    role, subject, organisation = {
        Party.CARD: (Role.PATIENT_CARD, CARD_NO, ""), Party.SAM: (Role.SAM, SAM_ID, INSTITUTION),
        Party.HPC: (Role.PHYSICIAN, DOCTOR_ID, ""), Party.DATA_CENTRE: (Role.DATA_CENTRE, "IDC", ""),
    }[party]
    return identity(world, role, subject, organisation)


@cache
def identity(
    world: World, role: Role, subject: str, organisation: str = "", days: tuple[int, int] | None = None, stranger: bool = False,
) -> Identity:
    """An identity of the world's authority, or of one that nobody trusts. ``days``: from when to when, from the epoch."""
    authority = world.stranger if stranger else world.authority
    return authority.issue(role, subject, organisation=organisation, days=days)


# -- a virtual chip

class VirtualChip:
    """The reference as a chip under test. ``make``: a new one, made up so; it is another with each insertion. ``medium``: the
    modelled reader in which it takes its time; None: its answers take none."""

    def __init__(self, role: str, clock: Clock, make: Callable[[MadeUp], Device], medium: Medium | None = None) -> None:
        self.clock = clock
        self._role = role
        self._make = make
        self._medium = medium
        self._chip: Device | None = None

    def insert(self, made_up: MadeUp) -> Mapping[str, Link]:
        self._chip = self._make(made_up)
        if self._medium is not None:
            return {self._role: ModelledLink(self._chip, self._medium, self.clock)}
        return {self._role: _Slot(self._chip, self.clock)}

    def device(self, made_up: MadeUp) -> Device:
        """Such a chip, for who puts it elsewhere."""
        return self._make(made_up)

    def image(self, made_up: MadeUp) -> bytes:
        """The bytes of such a chip, for a slot that takes them."""
        made: bytes = self._make(made_up).to_image()  # type: ignore[attr-defined]
        return made

    def tear(self, points: int | None) -> None:
        assert isinstance(self._chip, Tearable)
        self._chip.arm_cut(points)


class _Slot:
    """A contact reader that notices when its card lost power."""

    channel = "contact"
    device = "virtual"
    provenance = Provenance.MODELLED

    def __init__(self, chip: Device, clock: Clock) -> None:
        self._link = DirectLink(chip, clock)

    def attempt(self, message: bytes, timeout_s: float) -> Attempt:
        try:
            return self._link.attempt(message, timeout_s)
        except PowerCut:
            return Attempt(Outcome.GONE, 0)


__all__ = [
    "IN_EVERY_CHIP", "PIN_OFF", "PIN_ON", "PIN_REFERENCE", "PIN_STATE", "USUAL", "ChipTester", "ChipUnderTest", "MadeUp",
    "VirtualChip",
    "identity",
    "identity_of",
]
