"""How a chip proves itself and has others prove themselves: the building block of three-card authentication (三卡認證).

The commands are the standard's (ISO/IEC 7816-4 clause 11.5, 7816-8 PERFORM SECURITY OPERATION); what is signed, and the
96xx status words that tell *why* a party was refused, are the bench's profile, because the real cards' protocol is not
public. Asymmetric throughout, and offline: certificates chain to the NHIA's (here: the bench's) root key.

    verifier chip                                        prover chip
    MANAGE SECURITY ENVIRONMENT 22 81 A4  83 01 party
    VERIFY CERTIFICATE          2A 00 BE  chain     <-   GET DATA 7F21
    GET CHALLENGE               84 00 00  -> 16 bytes
                                                         INTERNAL AUTHENTICATE 88 00 00  challenge | verifier id
    EXTERNAL AUTHENTICATE       82 00 00  64 bytes  <-   64 bytes

A proof is bound to its prover's role, to the verifier and to the verifier's own fresh challenge, so one that was recorded
or forwarded to another chip is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from virtual_devices import pki
from virtual_devices.apdu import SW, Command
from virtual_devices.chip import OK, Answer, Chip, refuse_unless
from virtual_devices.pki import PROFESSIONALS, ChainVerifier, Identity, Refused, Role, Trouble, Verified
from virtual_devices.quick import QuickEnum
from virtual_devices.randomness import ByteStream

CHALLENGE_BYTES = 16
ID_BYTES = 12
SIGNATURE_BYTES = 64
WRONG_PROOFS_LIMIT = 3
CERTIFICATE = 0x7F21  # cardholder certificate (ISO/IEC 7816-6)
PROOF_LABEL = b"VHC three-card proof 1"
"""How everything begins that a proof signs; no chip signs such a message by another command."""


class Party(QuickEnum):
    """One of the three, as the one-byte reference in MANAGE SECURITY ENVIRONMENT; the data centre besides."""

    CARD = 1
    SAM = 2
    HPC = 3
    DATA_CENTRE = 4

    @property
    def roles(self) -> frozenset[Role]:
        return _ROLES[self]


_ROLES = {
    Party.CARD: frozenset({Role.PATIENT_CARD}),
    Party.SAM: frozenset({Role.SAM}),
    Party.HPC: PROFESSIONALS,
    Party.DATA_CENTRE: frozenset({Role.DATA_CENTRE}),
}

TROUBLE_SW: dict[Trouble, int] = {
    Trouble.MISSING: SW.WRONG_DATA,
    Trouble.MALFORMED: SW.WRONG_DATA,
    Trouble.EXPIRED: 0x9601,
    Trouble.NOT_YET_VALID: 0x9602,
    Trouble.REVOKED: 0x9603,
    Trouble.WRONG_ROLE: 0x9604,
    Trouble.FORGED: 0x9605,
}
"""The bench's status words for a refused party; the party is the one that the security environment names."""
SW_TROUBLE: dict[int, Trouble] = {sw: t for t, sw in TROUBLE_SW.items() if t is not Trouble.MISSING}


def padded_id(subject_id: str) -> bytes:
    """An identifier as it enters a proof: 12 bytes, filled with spaces."""
    return subject_id.encode("ascii", "replace")[:ID_BYTES].ljust(ID_BYTES)


def proof_message(prover: Party, challenge: bytes, verifier_id: bytes) -> bytes:
    """What a prover signs."""
    return PROOF_LABEL + bytes([prover.value]) + challenge + verifier_id


class Authenticator:
    """One chip's part in mutual authentication. Its findings live until power-off."""

    def __init__(
        self, chip: Chip, me: Party, own_id: str, identity: Identity, root: ChainVerifier, accepts: Collection[Party],
        seed: bytes, may_prove: Callable[[], bool] = lambda: True,
    ) -> None:
        self._chip = chip
        self._me = me
        self._own_id = padded_id(own_id)
        self._identity = identity
        self._root = root
        self._accepts = frozenset(accepts)
        self._seed = seed
        self._may_prove = may_prove
        self.proved: dict[Party, Verified] = {}
        self.forget()
        chip.on(0x22, self._manage_security_environment)
        chip.on(0x2A, self.perform_security_operation)
        chip.on(0x84, self._get_challenge)
        chip.on(0x82, self._external_authenticate)
        chip.on(0x88, self._internal_authenticate)

    def forget(self) -> None:
        """As after power-off: nobody has proved anything."""
        self._bytes: ByteStream | None = None
        self._challenge = b""
        self._named: Party | None = None
        self._certified: dict[Party, Verified] = {}
        self._wrong = 0
        self.proved = {}

    @property
    def chain(self) -> bytes:
        return self._identity.chain_bytes()

    def last_seen_ns(self) -> int:
        """The latest date that this chip has had signed: all the clock it has."""
        return int.from_bytes(self._chip.store.get("last_seen"), "big")

    def seen(self, at_ns: int) -> Mapping[str, bytes]:
        """The cells to commit when a signed date is later than the last one."""
        return {"last_seen": at_ns.to_bytes(8, "big")} if at_ns > self.last_seen_ns() else {}

    def sign(self, message: bytes) -> bytes:
        """The chip's own signature over a message that the caller has framed."""
        self._chip.work.signatures += 1
        return pki.sign(self._identity.key, message)

    def check_signed(
        self, party: Party, chain: bytes, signature: bytes, message: Callable[[bytes, bytes], bytes],
    ) -> Verified | Refused:
        """Whether the party signed ``message(challenge, own id)`` over the challenge given last, which is then used up."""
        challenge, self._challenge = self._challenge, b""
        self._chip.work.chains += 1
        verdict = self._root.check_bytes(chain, party.roles, self.last_seen_ns(), clockless=True)
        if isinstance(verdict, Refused):
            return verdict
        self._chip.work.verifications += 1
        if len(challenge) != CHALLENGE_BYTES or not pki.verify(verdict.key, signature, message(challenge, self._own_id)):
            return Refused(Trouble.FORGED, "the signature is not over this card and its last challenge")
        return verdict

    def _fresh(self, count: int) -> bytes:
        """Bytes never given before: the stream is named by a counter that survives power-off."""
        if self._bytes is None:
            boots = int.from_bytes(self._chip.store.get("boots"), "big") + 1
            self._chip.store.commit({"boots": boots.to_bytes(4, "big")})
            self._bytes = ByteStream(self._seed.hex(), "challenges", boots)
        return self._bytes(count)

    # -- commands

    def _manage_security_environment(self, c: Command) -> Answer:
        refuse_unless((c.p1, c.p2) in ((0x81, 0xA4), (0x81, 0xB6)), SW.WRONG_P1P2)
        refuse_unless(len(c.data) == 3 and c.data[:2] == b"\x83\x01", SW.WRONG_DATA)
        try:
            party = Party(c.data[2])
        except ValueError:
            return Answer(sw=SW.REFERENCED_DATA_NOT_FOUND)
        refuse_unless(party in self._accepts, SW.REFERENCED_DATA_NOT_FOUND)
        self._named = party
        return OK

    def perform_security_operation(self, c: Command) -> Answer:
        """VERIFY CERTIFICATE (7816-8 11.11): the data are the chain, CBOR, leaf first."""
        refuse_unless((c.p1, c.p2) == (0x00, 0xBE), SW.WRONG_P1P2)
        party = self._need_named()
        self._certified.pop(party, None)
        self.proved.pop(party, None)
        self._chip.work.chains += 1
        verdict = self._root.check_bytes(c.data, party.roles, self.last_seen_ns(), clockless=True)
        if isinstance(verdict, Refused):
            return Answer(sw=TROUBLE_SW[verdict.trouble])
        self._certified[party] = verdict
        self._chip.store.commit(self.seen(verdict.not_before_ns))
        return OK

    def _get_challenge(self, c: Command) -> Answer:
        refuse_unless((c.p1, c.p2) == (0, 0) and not c.data, SW.WRONG_P1P2)
        count = CHALLENGE_BYTES if c.le in (None, 256, 65536) else c.le or 0  # Le 00: as many as there are
        refuse_unless(8 <= count <= 32, SW.WRONG_LENGTH)
        self._challenge = self._fresh(count)
        return Answer(self._challenge)

    def _external_authenticate(self, c: Command) -> Answer:
        challenge, self._challenge = self._challenge, b""  # good for one try
        refuse_unless((c.p1, c.p2) == (0, 0), SW.WRONG_P1P2)
        party = self._need_named()
        refuse_unless(self._wrong < WRONG_PROOFS_LIMIT, SW.AUTHENTICATION_BLOCKED)
        refuse_unless(len(challenge) == CHALLENGE_BYTES, SW.CONDITIONS_NOT_SATISFIED)
        certified = self._certified.get(party)
        if certified is None:
            return Answer(sw=SW.CONDITIONS_NOT_SATISFIED)
        refuse_unless(len(c.data) == SIGNATURE_BYTES, SW.WRONG_LENGTH)
        self._chip.work.verifications += 1
        if not pki.verify(certified.key, c.data, proof_message(party, challenge, self._own_id)):
            self._wrong += 1
            return Answer(sw=0x63C0 | (WRONG_PROOFS_LIMIT - self._wrong))
        self._wrong = 0
        self.proved[party] = certified
        return OK

    def _internal_authenticate(self, c: Command) -> Answer:
        refuse_unless((c.p1, c.p2) == (0, 0), SW.WRONG_P1P2)
        refuse_unless(len(c.data) == CHALLENGE_BYTES + ID_BYTES, SW.WRONG_LENGTH)
        refuse_unless(self._may_prove(), SW.SECURITY_STATUS_NOT_SATISFIED)
        return Answer(self.sign(proof_message(self._me, c.data[:CHALLENGE_BYTES], c.data[CHALLENGE_BYTES:])), exact=True)

    def _need_named(self) -> Party:
        refuse_unless(self._named is not None, SW.CONDITIONS_NOT_SATISFIED)
        assert self._named is not None
        return self._named
