"""The phone's keystore: keys with one purpose, behind the holder's consent, that nobody gets; and what its maker says of them."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any
from weakref import ref

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from virtual_devices import cose, pki
from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.pki import DAY_NS, Identity
from virtual_devices.randomness import private_key
from virtual_devices.wallet.attestation import Claim, Doubt, NotAttested, PhoneMaker, verify_attestation
from virtual_devices.wallet.keystore import Anchor, Denied, KeyDenied, Keystore, Policy, Purpose
from virtual_devices.wallet.power import Power
from virtual_devices.write_back import holder_of

from . import wallets
from .phones import BATCH, MAKER, NOW_NS, cut, keystore, points_of

CHALLENGE = b"enrolment 17, a fresh challenge"
ME = holder_of(private_key("test", "phone", "phone A", "sign", 1).public_key())
"""The id of the phone's own key: the one that :func:`with_keys` makes first."""


def denied(why: Denied, act: Any, *arguments: Any) -> None:
    with pytest.raises(KeyDenied) as caught:
        act(*arguments)
    assert caught.value.why is why


def with_keys(**more: Any) -> Keystore:
    made = keystore(**more)
    made.make("sign", Purpose.SIGN)
    made.make("agree", Purpose.AGREE)
    made.make("seal", Purpose.SEAL)
    made.make("card", Purpose.SIGN, Policy.HOLDER)
    return made


# -- use

def test_signing_key_signs_and_agreement_key_agrees() -> None:
    phone = with_keys()
    assert pki.verify(phone.public_key("sign"), phone.sign("sign", b"text"), b"text")
    peer = private_key("test", "peer")
    assert phone.agree("agree", peer.public_key()) == peer.exchange(ec.ECDH(), phone.public_key("agree"))
    assert phone.work.signatures == 1 and phone.agreements == 1


def test_key_never_does_two_things() -> None:
    phone = with_keys()
    peer = private_key("test", "peer").public_key()
    uses = {
        Purpose.SIGN: lambda name: phone.sign(name, b""), Purpose.AGREE: lambda name: phone.agree(name, peer),
        Purpose.SEAL: lambda name: phone.seal(name, b""),
    }
    for purpose, name in ((Purpose.SIGN, "sign"), (Purpose.AGREE, "agree"), (Purpose.SEAL, "seal")):
        for use, act in uses.items():
            if use is purpose:
                act(name)
            else:
                denied(Denied.PURPOSE, act, name)
    denied(Denied.PURPOSE, phone.public_key, "seal")
    denied(Denied.PURPOSE, phone.attest, "seal", CHALLENGE, "sign")
    denied(Denied.NO_KEY, phone.attest, "card", CHALLENGE, "another phone's")
    denied(Denied.PURPOSE, phone.open, "sign", bytes(40))
    denied(Denied.CURVE, phone.agree, "agree", ec.derive_private_key(5, ec.SECP384R1()).public_key())


def test_key_behind_consent_works_only_while_the_gate_says_so() -> None:
    phone, willing = with_keys(), [False]
    denied(Denied.CONSENT, phone.sign, "card", b"x")  # no gate at all
    phone.set_gate(lambda name: willing[0] and name == "card")
    denied(Denied.CONSENT, phone.sign, "card", b"x")
    willing[0] = True
    assert pki.verify(phone.public_key("card"), phone.sign("card", b"x"), b"x")
    with pytest.raises(UsageError):
        phone.set_gate(lambda _: True)
    assert phone.work.signatures == 1  # a refusal signs nothing
    phone.power_on()
    denied(Denied.CONSENT, phone.sign, "card", b"x")  # and a restart forgets the gate


def test_phone_that_nobody_has_any_more_goes_with_its_keystore() -> None:
    """Its consent is the keystore's gate and holds the phone: once, every phone that was ever made stayed."""
    made = wallets.phone()
    keystore, consent = ref(made.keystore), ref(made.consent)
    del made
    gc.collect()
    assert keystore() is None and consent() is None


def test_sealing_never_repeats_a_nonce_and_refuses_what_is_not_its_own() -> None:
    phone = with_keys()
    sealed = [phone.seal("seal", b"same", b"for a") for _ in range(20)]
    phone = keystore(cells=phone.cells())  # restarted
    sealed += [phone.seal("seal", b"same", b"for a") for _ in range(20)]
    assert len({s[:12] for s in sealed}) == len(sealed)
    assert all(phone.open("seal", s, b"for a") == b"same" for s in sealed)
    denied(Denied.NOT_OURS, phone.open, "seal", sealed[0], b"for b")
    denied(Denied.NOT_OURS, phone.open, "seal", sealed[0][:5], b"for a")
    denied(Denied.NOT_OURS, with_keys(phone="phone B").open, "seal", sealed[0], b"for a")
    for bit in range(8 * len(sealed[0])):
        flipped = bytearray(sealed[0])
        flipped[bit // 8] ^= 1 << bit % 8
        denied(Denied.NOT_OURS, phone.open, "seal", bytes(flipped), b"for a")


def test_nonce_is_used_up_wherever_the_power_goes_while_sealing() -> None:
    for point in range(len(points_of(lambda power: with_keys(power=power).seal("seal", b""))) + 1):
        power = Power()
        phone = with_keys(power=power)
        first = phone.seal("seal", b"")
        cut(power, point, lambda phone=phone: phone.seal("seal", b""))
        again = keystore(cells=phone.cells())
        assert int.from_bytes(again.seal("seal", b"")[:12], "big") > int.from_bytes(first[:12], "big")


def test_random_bytes_never_come_again() -> None:
    phone = keystore()
    drawn = [phone.random(16) for _ in range(5)]
    phone = keystore(cells=phone.cells())
    drawn += [phone.random(16) for _ in range(5)]
    assert len(set(drawn)) == 10 and keystore("phone B").random(16) not in drawn
    with pytest.raises(UsageError):
        phone.random(33)


def test_anchor_moves_forward_only_and_goes_with_its_key() -> None:
    phone = with_keys()
    assert phone.anchor("seal") == Anchor()
    phone.move_anchor("seal", Anchor(2, b"two"))
    for generation in (0, 1, 2):
        denied(Denied.BACKWARDS, phone.move_anchor, "seal", Anchor(generation, b"other"))
    assert keystore(cells=phone.cells()).anchor("seal") == Anchor(2, b"two")
    denied(Denied.PURPOSE, phone.anchor, "sign")
    phone.delete("seal")
    phone.make("seal", Purpose.SEAL)
    assert phone.anchor("seal") == Anchor()


# -- making and deleting

def test_keys_follow_from_the_seed_and_differ_between_phones_and_names() -> None:
    def key(phone: Keystore, name: str) -> bytes:
        return Claim(phone.public_key(name), Purpose.SIGN, True, Policy.FREE, b"", b"").to_bytes()

    one, same, other = with_keys(), with_keys(), with_keys(phone="phone B")
    assert key(one, "sign") == key(same, "sign")
    assert len({key(p, n) for p in (one, other) for n in ("sign", "agree", "card")}) == 6


def test_deleted_key_never_returns() -> None:
    phone = with_keys()
    old, sealed = phone.public_key("sign").public_numbers(), phone.seal("seal", b"secret")
    with pytest.raises(UsageError):
        phone.make("sign", Purpose.AGREE)
    for name in ("sign", "seal"):
        phone.delete(name)
        phone.delete(name)  # a second time: nothing to do
    denied(Denied.NO_KEY, phone.sign, "sign", b"")
    denied(Denied.NO_KEY, phone.open, "seal", sealed)
    assert phone.names() == {"agree", "card"}
    phone.make("sign", Purpose.SIGN)
    phone.make("seal", Purpose.SEAL)
    assert phone.public_key("sign").public_numbers() != old
    denied(Denied.NOT_OURS, phone.open, "seal", sealed)


@pytest.mark.parametrize("act", [lambda phone: phone.delete("sign"), lambda phone: phone.make("new", Purpose.SIGN)])
def test_making_and_deleting_is_all_or_nothing_at_every_cut_point(act: Any) -> None:
    before, after = {"sign", "agree", "seal", "card"}, set(with_keys().names())
    done = with_keys()
    act(done)
    after = set(done.names())
    total = len(points_of(lambda power: (phone := with_keys(power=power), power.points_passed.clear(), act(phone))))
    seen = []
    for point in range(total):
        power = Power()
        phone = with_keys(power=power)
        assert cut(power, point, lambda phone=phone: act(phone))
        again = keystore(cells=phone.cells())
        assert again.names() in (before, after)
        seen.append(again.names() == after)
    assert total >= 9 and seen == sorted(seen) and seen.count(False) == 2  # once the journal is whole, it is done


# -- nobody gets a key

def reachable(root: object) -> list[object]:
    """Everything that a path of attributes and items leads to, names with double underscores left aside."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in found or isinstance(thing, (type, int, str)):
            continue
        found[id(thing)] = thing
        if isinstance(thing, dict):
            waiting += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple, set, frozenset)):
            waiting += thing
        elif not isinstance(thing, bytes):
            waiting += [getattr(thing, name) for name in dir(thing) if not name.startswith("__")]
    return list(found.values())


def test_no_path_of_attributes_ends_at_a_key() -> None:
    phone = with_keys()
    phone.sign("sign", b"")
    phone.seal("seal", b"")
    things = reachable(phone) + reachable(phone.cells())
    secrets = [private_key("test", "phone", "phone A", "sign", 1).private_numbers().private_value.to_bytes(32, "big")]
    assert not [t for t in things if isinstance(t, (ec.EllipticCurvePrivateKey, Identity)) or "AESGCM" in type(t).__name__]
    assert not [t for t in things if isinstance(t, bytes) and any(s in t for s in secrets)]
    assert not [t for t in things if t == "test"]  # nor the seed from which all would follow
    assert reachable(Identity(private_key("x"), ()))  # the walk does find one where there is one
    assert [t for t in reachable(Identity(private_key("x"), ())) if isinstance(t, ec.EllipticCurvePrivateKey)]


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps, lambda phone: phone.__reduce__(), vars])
def test_keystore_cannot_be_copied(take: Any) -> None:
    with pytest.raises((UsageError, TypeError)):
        take(with_keys())


def test_text_of_a_keystore_says_the_phone_and_nothing_else() -> None:
    assert repr(with_keys()) == str(with_keys()) == "Keystore('phone A')"


# -- attestation

def attested(phone: Keystore, name: str = "card", challenge: bytes = CHALLENGE, now_ns: int = NOW_NS, **wanted: Any) -> Any:
    beside = "sign" if "sign" in phone.names() else name
    return verify_attestation(phone.attest(name, challenge, beside), MAKER.root_der, CHALLENGE, ME, now_ns, **wanted)


def test_hardware_key_behind_consent_is_attested() -> None:
    phone, work = with_keys(), Work()
    claim = attested(phone, work=work)
    assert isinstance(claim, Claim)
    assert claim.key.public_numbers() == phone.public_key("card").public_numbers()
    assert (claim.purpose, claim.hardware, claim.policy, claim.challenge, claim.phone) == (
        Purpose.SIGN, True, Policy.HOLDER, CHALLENGE, ME)
    assert (work.chains, work.verifications, phone.work.signatures) == (1, 1, 1)
    assert isinstance(attested(phone, "agree", purpose=Purpose.AGREE, policy=Policy.FREE), Claim)


def test_attestation_of_anything_else_is_refused_with_its_reason() -> None:
    phone = with_keys()
    software = Keystore("test", "phone A")
    software.make("card", Purpose.SIGN, Policy.HOLDER)
    foreign = Keystore("test", "phone A", batch=PhoneMaker("another maker", NOW_NS).batch(1))
    foreign.make("card", Purpose.SIGN, Policy.HOLDER)
    late = Keystore("test", "phone A", batch=MAKER.batch(2, days=(-10, -1)))
    late.make("card", Purpose.SIGN, Policy.HOLDER)
    refused = {
        Doubt.CHALLENGE: attested(phone, challenge=b"yesterday's"), Doubt.PURPOSE: attested(phone, "agree"),
        Doubt.POLICY: attested(phone, "sign"), Doubt.EXPIRED: attested(late), Doubt.FORGED: attested(foreign),
    }
    assert {doubt: answer.doubt for doubt, answer in refused.items()} == {doubt: doubt for doubt in refused}
    assert attested(software).doubt is Doubt.FORGED  # it says that it is software, and nobody vouches even for that
    assert attested(phone, now_ns=NOW_NS + 4000 * DAY_NS).doubt is Doubt.EXPIRED


def test_attestation_names_the_phones_own_key_and_no_other_phone_can_use_it() -> None:
    phone, other = with_keys(), with_keys(phone="phone B")
    stranger = holder_of(other.public_key("sign"))
    relayed = verify_attestation(phone.attest("card", CHALLENGE, "sign"), MAKER.root_der, CHALLENGE, stranger, NOW_NS)
    assert relayed == NotAttested(Doubt.PHONE)
    beside = verify_attestation(phone.attest("card", CHALLENGE, "agree"), MAKER.root_der, CHALLENGE, ME, NOW_NS)
    assert beside == NotAttested(Doubt.PHONE)  # the statement names the key that it was made beside, not the one wished for


def test_key_in_software_is_refused_also_where_the_maker_says_so_and_also_where_it_lies() -> None:
    key = private_key("app")
    honest = Claim(key.public_key(), Purpose.SIGN, False, Policy.HOLDER, CHALLENGE, ME).to_bytes()
    lie = Claim(key.public_key(), Purpose.SIGN, True, Policy.HOLDER, CHALLENGE, ME).to_bytes()
    by_maker = cose.sign1(BATCH.key, honest, {cose.X5CHAIN: BATCH.chain[0]})
    by_app = cose.sign1(key, lie, {cose.X5CHAIN: BATCH.chain[0]})
    for raw, doubt in ((by_maker, Doubt.SOFTWARE), (by_app, Doubt.FORGED)):
        answer = verify_attestation(raw, MAKER.root_der, CHALLENGE, ME, NOW_NS)
        assert isinstance(answer, NotAttested) and answer.doubt is doubt


def test_root_itself_and_a_longer_chain_are_no_batch() -> None:
    payload = Claim(private_key("app").public_key(), Purpose.SIGN, True, Policy.HOLDER, CHALLENGE, ME).to_bytes()
    for chain in (MAKER.root_der, [BATCH.chain[0], MAKER.root_der], b"\x30\x00", []):
        answer = verify_attestation(cose.sign1(BATCH.key, payload, {cose.X5CHAIN: chain}), MAKER.root_der, CHALLENGE, ME, NOW_NS)
        assert isinstance(answer, NotAttested) and answer.doubt is Doubt.FORGED


@pytest.mark.parametrize(("label", "value"), [
    (1, 2), (2, {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}), (2, {1: 2, -1: 1, -2: b"x", -3: b"y"}), (2, b""), (3, 9),
    (4, 1), (5, 7), (6, "text"), (7, "text"), (7, None),
])
def test_statement_with_a_strange_value_is_malformed(label: int, value: object) -> None:
    said = cbor2.loads(Claim(private_key("k").public_key(), Purpose.SIGN, True, Policy.HOLDER, CHALLENGE, ME).to_bytes())
    raw = cose.sign1(BATCH.key, cbor2.dumps({**said, label: value}), {cose.X5CHAIN: BATCH.chain[0]})
    assert verify_attestation(raw, MAKER.root_der, CHALLENGE, ME, NOW_NS) == NotAttested(
        Doubt.MALFORMED, "not a statement of version 1 about a key")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_attestation_with_one_bit_changed_is_refused_at_every_position() -> None:
    raw = with_keys().attest("card", CHALLENGE, "sign")
    for at in range(len(raw)):
        for bit in (1, 128):
            changed = bytearray(raw)
            changed[at] ^= bit
            assert isinstance(verify_attestation(bytes(changed), MAKER.root_der, CHALLENGE, ME, NOW_NS), NotAttested), at
        assert isinstance(verify_attestation(raw[:at], MAKER.root_der, CHALLENGE, ME, NOW_NS), NotAttested)


@given(st.binary(max_size=200))
def test_attestation_of_any_bytes_is_an_answer(raw: bytes) -> None:
    assert isinstance(verify_attestation(raw, MAKER.root_der, CHALLENGE, ME, NOW_NS), NotAttested)


# -- everything in any order

class AnyUse(RuleBasedStateMachine):
    """Keys made, used, deleted, with cuts and restarts, against what a keystore must remember."""

    names = st.sampled_from("abc")

    def __init__(self) -> None:
        super().__init__()
        self.power = Power()
        self.phone = keystore(power=self.power)
        self.model: dict[str, tuple[Purpose, Policy]] = {}
        self.publics: set[tuple[int, int]] = set()
        self.nonces: set[tuple[int, bytes]] = set()
        self.lives: dict[str, int] = {}  # a number for each key that ever was, by name
        self.made = 0

    @rule(name=names, purpose=st.sampled_from(Purpose), policy=st.sampled_from(Policy), at=st.integers(0, 12))
    def make(self, name: str, purpose: Purpose, policy: Policy, at: int) -> None:
        if name in self.model:
            with pytest.raises(UsageError):
                self.phone.make(name, purpose, policy)
            return
        torn = cut(self.power, at, lambda: self.phone.make(name, purpose, policy))
        if torn:
            self.restart()
        if not torn or name in self.phone.names():
            self.made += 1
            self.lives[name] = self.made
            self.model[name] = (purpose, policy)
            if purpose is not Purpose.SEAL:
                numbers = self.phone.public_key(name).public_numbers()
                assert (numbers.x, numbers.y) not in self.publics
                self.publics.add((numbers.x, numbers.y))

    @rule(name=names, at=st.integers(0, 12))
    def delete(self, name: str, at: int) -> None:
        if cut(self.power, at, lambda: self.phone.delete(name)):
            self.restart()
        if name not in self.phone.names():
            self.model.pop(name, None)

    @rule()
    def restart(self) -> None:
        self.phone = keystore(cells=self.phone.cells(), power=self.power)

    @rule(name=names, willing=st.booleans())
    @precondition(lambda self: self.model)
    def use(self, name: str, willing: bool) -> None:
        self.restart()
        self.phone.set_gate(lambda _: willing)
        purpose, policy = self.model.get(name, (None, None))
        free = policy is Policy.FREE or (policy is Policy.HOLDER and willing)
        for wanted, act in ((Purpose.SIGN, lambda: self.phone.sign(name, b"")), (Purpose.SEAL, lambda: self.seal(name))):
            if purpose is wanted and free:
                act()
            else:
                with pytest.raises(KeyDenied):
                    act()

    def seal(self, name: str) -> None:
        nonce = self.phone.seal(name, b"")[:12]
        mark = (self.lives[name], nonce)
        assert mark not in self.nonces
        self.nonces.add(mark)

    @invariant()
    def remembers(self) -> None:
        assert self.phone.names() == self.model.keys()


TestAnyUse = AnyUse.TestCase
