"""The wallet's data at rest: old or new wherever power goes, nothing read after a wipe, nothing altered or set back unnoticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from virtual_devices.errors import UsageError
from virtual_devices.link import Work
from virtual_devices.store import JOURNAL
from virtual_devices.wallet.keystore import KeyDenied, Keystore, Policy, Purpose
from virtual_devices.wallet.power import Memory, Power
from virtual_devices.wallet.vault import HEAD, KEY, Damage, Vault, VaultRefused, search

from .phones import cut, keystore, points_of, until_on

NEEDLE = b"A123456789 needle"
OLD: dict[str, bytes | None] = {"credential": b"old " + NEEDLE * 3, "visit.1": b"", "visit.2": b"second visit"}
NEW: dict[str, bytes | None] = {
    "credential": b"new " + NEEDLE, "visit.1": None, "visit.3": b"third, where nothing was", "receipt.07": b"stored",
}


class Phone:
    """A flash and a keystore behind one power switch. ``restart`` keeps only what survives power-off."""

    def __init__(self, name: str = "phone A", power: Power | None = None, cells: Mapping[str, bytes] | None = None) -> None:
        self.name = name
        self.power = power or Power()
        self.flash = dict(cells or {})
        self.chip: dict[str, bytes] = {}
        self.build()

    def build(self) -> None:
        self.keystore = Keystore("test", self.name, cells=self.chip, power=self.power)
        self.work = Work()
        self.store = Memory("flash", self.flash, self.work, self.power)
        self.vault = Vault(self.store, self.keystore)

    def restart(self, flash: Mapping[str, bytes] | None = None) -> Phone:
        self.flash = dict(self.store.cells() if flash is None else flash)
        self.chip = self.keystore.cells()
        self.build()
        self.keystore.power_on()
        self.vault.power_on()
        return self

    def contents(self) -> dict[str, bytes]:
        return {name: self.vault.get(name) or b"" for name in self.vault.names()}


def phone_with(records: Mapping[str, bytes | None] = OLD, **more: Any) -> Phone:
    phone = Phone(**more)
    phone.restart()
    phone.vault.format()
    phone.vault.commit(records)
    return phone


def after(records: Mapping[str, bytes | None], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {name: value for name, value in {**records, **changes}.items() if value is not None}


def points(act: Any) -> list[str]:
    def run(power: Power) -> None:
        phone = phone_with(power=power)
        power.points_passed.clear()
        act(phone)

    return points_of(run)


def refused(damage: Damage, phone: Phone, flash: Mapping[str, bytes]) -> None:
    with pytest.raises(VaultRefused) as caught:
        phone.restart(flash).contents()
    assert caught.value.damage is damage


# -- records

def test_records_come_back_also_after_a_restart_and_the_generation_grows_by_one_a_commit() -> None:
    phone = phone_with()
    assert phone.vault.generation == 2  # formatted, written
    assert phone.contents() == after({}, OLD)
    phone.vault.commit(NEW)
    phone.restart()
    assert phone.vault.ready and phone.contents() == after(OLD, NEW) and phone.vault.generation == 3
    assert phone.vault.names("visit.") == ["visit.2", "visit.3"]
    assert phone.vault.get("visit.1") is None and phone.vault.get("never") is None


def test_commit_of_nothing_changes_nothing() -> None:
    phone = phone_with()
    before = phone.store.cells()
    phone.vault.commit({})
    phone.vault.commit({"never": None})
    assert phone.vault.generation == 2 and phone.store.cells() == before


def test_vault_says_what_to_do_when_it_is_not_open() -> None:
    phone = Phone()
    for act in (lambda: phone.vault.get("x"), phone.vault.names, lambda: phone.vault.commit({"x": b""})):
        with pytest.raises(UsageError):
            act()
    phone.restart().vault.format()
    assert phone.vault.ready and phone.vault.names() == []
    with pytest.raises(UsageError):
        phone.vault.format()


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=5000), max_size=6))
def test_any_names_and_long_records_come_back(records: dict[str, bytes]) -> None:
    phone = phone_with(dict(records))
    assert phone.restart().contents() == records


# -- old or new

def test_commit_cut_at_any_point_and_twice_in_recovery_leaves_old_or_new() -> None:
    names = points(lambda phone: phone.vault.commit(NEW))
    assert {n.partition("/")[0] for n in names} == {"flash", "keystore"} and names[-1] == f"keystore/{JOURNAL}:after"
    seen = []
    for point in range(len(names)):
        for again in ([], [0], [1], [4, 0], [2, 7], [20, 21]):
            phone = phone_with()
            assert cut(phone.power, point, lambda phone=phone: phone.vault.commit(NEW))
            with pytest.raises(UsageError):
                phone.vault.get("credential")  # the phone is off
            until_on(phone.power, again, phone.restart)
            assert phone.contents() in (after({}, OLD), after(OLD, NEW)), names[point]
            done = phone.contents() == after(OLD, NEW)
            assert phone.vault.generation == 2 + done and (phone.vault.get("receipt.07") is not None) == done
            phone.vault.commit({"more": b"1"})  # and it goes on
            assert phone.restart().vault.get("more") == b"1"
        seen.append(done)
    assert seen == sorted(seen) and seen.index(True) == names.index(f"flash/{JOURNAL}:after")


def test_first_commit_after_power_on_may_be_cut_anywhere_too() -> None:
    """It draws a number from the keystore before it writes."""
    names = points(lambda phone: (phone.restart(), phone.power.points_passed.clear(), phone.vault.commit(NEW)))
    assert names[0].startswith("keystore/")
    for point in range(len(names)):
        phone = phone_with().restart()
        assert cut(phone.power, point, lambda phone=phone: phone.vault.commit(NEW))
        assert not phone.vault.ready
        assert phone.restart().contents() in (after({}, OLD), after(OLD, NEW))


def test_format_cut_at_any_point_can_be_done_again() -> None:
    def run(power: Power) -> Phone:
        phone = Phone(power=power).restart()
        phone.vault.format()
        return phone

    total = len(points_of(run))
    for point in range(total):
        for again in ([], [0], [3, 1]):
            phone = Phone().restart()
            assert cut(phone.power, point, phone.vault.format)
            until_on(phone.power, again, phone.restart)
            if not phone.vault.ready:
                phone.vault.format()
            phone.vault.commit(OLD)
            assert phone.restart().contents() == after({}, OLD)


def test_nonce_is_never_used_twice_under_one_key() -> None:
    """Also when the flash was set back and written again, and when the power went before anything was stored."""
    phone, nonces = phone_with(), []
    used = Vault._nonce

    def noting(vault: Vault) -> bytes:
        nonces.append(used(vault))
        return nonces[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vault, "_nonce", noting)
        for point in range(0, 30, 3):
            cut(phone.power, point, lambda: phone.vault.commit(NEW))
            phone.restart()
            phone.vault.commit(OLD)
    assert len(nonces) > 60 and len(set(nonces)) == len(nonces)
    cells = [raw[:12] for cell, raw in phone.store.cells().items() if cell not in (KEY, JOURNAL) and raw]
    assert len(set(cells)) == len(cells)


# -- wipe

def test_search_finds_the_data_with_the_key_before_and_nothing_after_a_wipe() -> None:
    phone = phone_with()
    assert search(phone.vault.backup(), phone.keystore, NEEDLE)
    flash = phone.vault.backup()
    phone.vault.wipe()
    assert not search(flash, phone.keystore, NEEDLE)  # also in a copy taken before: the key is gone
    assert not any(phone.store.cells().values())
    assert not phone.restart().vault.ready and phone.keystore.names() == frozenset()


def test_search_finds_a_torn_write_too() -> None:
    """Otherwise that it finds nothing after a wipe would say little."""
    hit = 0
    for point in range(len(points(lambda phone: phone.vault.commit(NEW)))):
        phone = phone_with({"other": b"x"})
        cut(phone.power, point, lambda phone=phone: phone.vault.commit(NEW))
        hit += bool(search(phone.vault.backup(), phone.keystore, NEEDLE))
    assert hit > 10


def test_flash_alone_shows_no_content_and_no_name() -> None:
    phone = phone_with()
    other = keystore("phone B")
    for word in (NEEDLE, b"credential", b"visit"):
        assert not search(phone.vault.backup(), other, word)


def test_wipe_cut_at_any_point_and_again_ends_with_nothing_readable() -> None:
    names = points(lambda phone: phone.vault.wipe())
    begun = []
    for point, name in enumerate(names):
        for again in ([], [0], [1], [5, 2], [9, 30]):
            phone = phone_with()
            before = phone.vault.backup()
            assert cut(phone.power, point, phone.vault.wipe)
            until_on(phone.power, again, phone.restart)
            gone = not phone.vault.ready
            if gone:
                assert not any(phone.store.cells().values()), name
            else:  # nobody was told that it had begun
                assert phone.contents() == after({}, OLD)
                phone.vault.wipe()
            assert not search({**before, **{f"now {c}": r for c, r in phone.vault.backup().items()}}, phone.keystore, NEEDLE)
            phone.restart().vault.format()
            assert phone.contents() == {}
        begun.append(gone)
    assert begun == sorted(begun) and begun.index(True) == 2  # keystore's journal: before, half; after it there is no way back


def test_torn_commit_leaves_nothing_for_after_a_wipe() -> None:
    for point in range(len(points(lambda phone: phone.vault.commit(NEW)))):
        phone = phone_with()
        cut(phone.power, point, lambda phone=phone: phone.vault.commit(NEW))
        phone.vault.wipe()  # by the boot loader, without ever opening it
        assert not any(raw for cell, raw in phone.store.cells().items() if cell != JOURNAL)
        assert not search(phone.vault.backup(), phone.keystore, NEEDLE)
        assert not phone.restart().vault.ready and not any(phone.store.cells().values())


def test_records_written_before_a_wipe_cannot_be_put_back() -> None:
    phone = phone_with()
    stolen = phone.vault.backup()
    phone.vault.wipe()
    phone.vault.format()
    refused(Damage.FOREIGN, phone, stolen)


# -- copies

def test_copied_vault_on_another_phone_neither_opens_nor_signs() -> None:
    phone = phone_with()
    phone.keystore.make("card", Purpose.SIGN, Policy.FREE)
    bound = phone.keystore.public_key("card").public_numbers()
    thief = Phone("phone B", cells=phone.vault.backup())
    thief.restart()
    assert not thief.vault.ready and not any(thief.store.cells().values())  # nothing here can be read, so it is cleared
    with pytest.raises(KeyDenied):
        thief.keystore.sign("card", b"present me")
    thief.keystore.make("card", Purpose.SIGN, Policy.FREE)
    assert thief.keystore.public_key("card").public_numbers() != bound
    enrolled = phone_with({"own": b"1"}, name="phone C")
    refused(Damage.FOREIGN, enrolled, phone.vault.backup())


def test_backup_holds_no_key() -> None:
    phone = phone_with()
    phone.keystore.make("card", Purpose.SIGN)
    assert set(phone.vault.backup()) & set(phone.keystore.cells()) <= {JOURNAL}
    assert not any(cell.startswith("key.") for cell in phone.vault.backup())


# -- altered

def test_every_bit_of_every_cell_is_guarded() -> None:
    phone = phone_with()
    flash = phone.vault.backup()
    for cell, raw in flash.items():
        for at in range(len(raw)):
            changed = bytearray(raw)
            changed[at] ^= 1 << at % 8
            with pytest.raises(VaultRefused):
                phone.restart({**flash, cell: bytes(changed)}).contents()
        if raw:
            for length in {0, 5, len(raw) - 1}:
                with pytest.raises(VaultRefused):
                    phone.restart({**flash, cell: raw[:length]}).contents()
    assert phone.restart(flash).contents() == after({}, OLD)  # and the true one still opens


def test_swapped_older_and_missing_cells_are_refused() -> None:
    phone = phone_with()
    old = phone.vault.backup()
    phone.vault.commit({"credential": b"newer"})
    new = phone.vault.backup()
    records = [c for c in new if c.startswith("r.")]
    changed = [c for c in records if new[c] != old.get(c)]
    one, two = records[0], records[1]
    refused(Damage.TAMPERED, phone, {**new, one: new[two], two: new[one]})
    refused(Damage.TAMPERED, phone, {**new, changed[0]: old[changed[0]]})
    refused(Damage.TAMPERED, phone, {c: r for c, r in new.items() if c != one})
    refused(Damage.ROLLED_BACK, phone, {**new, HEAD: old[HEAD]})
    assert phone.restart({**new, "r.0123456789abcdef": b"a cell of nobody"}).contents()["credential"] == b"newer"


def test_whole_old_image_is_a_rollback_and_refused() -> None:
    phone = phone_with()
    images = [phone.vault.backup()]
    for number in range(4):
        phone.vault.commit({"number": bytes([number])})
        images.append(phone.vault.backup())
    for old in images[:-1]:
        refused(Damage.ROLLED_BACK, phone, old)
    assert phone.restart(images[-1]).vault.get("number") == b"\3"


def test_other_branch_of_the_same_generation_is_refused() -> None:
    """A commit cut before its anchor, the image set back, another commit made: the first one cannot take its place."""
    names = points(lambda phone: phone.vault.commit(NEW))
    phone = phone_with()
    before = phone.vault.backup()
    cut(phone.power, names.index(f"keystore/{JOURNAL}:before"), lambda: phone.vault.commit(NEW))
    unanchored = phone.vault.backup()
    phone.restart(before)  # not detectable: nobody was told of the commit
    assert phone.contents() == after({}, OLD)
    phone.vault.commit({"credential": b"other branch"})
    refused(Damage.ROLLED_BACK, phone, unanchored)


def test_record_is_never_taken_for_a_head() -> None:
    """A record that reads like the next head, the power cut before the anchor moves, and the record put into the head's place."""
    names = points(lambda phone: phone.vault.commit({"visit.9": b""}))
    phone = phone_with()
    before = phone.vault.backup()
    poison = cbor2.dumps([phone.vault.generation + 1, {}])
    cut(phone.power, names.index(f"keystore/{JOURNAL}:before"), lambda: phone.vault.commit({"visit.9": poison}))
    flash = phone.vault.backup()
    (cell,) = (c for c in flash if c.startswith("r.") and c not in before)
    refused(Damage.TAMPERED, phone, {**flash, HEAD: flash[cell]})


@pytest.mark.parametrize("body", [b"", b"\x80", b"\xa1\x01\x02", b"\xa1aa\x01", b"\xff", b"\xa1aaaz"])
def test_journal_forged_with_a_right_seal_is_refused(body: bytes) -> None:
    phone = phone_with()
    forged = hashlib.sha256(body).digest()[:8] + body
    try:
        phone.restart({**phone.vault.backup(), JOURNAL: forged})
    except VaultRefused as refusal:
        assert refusal.damage is Damage.TAMPERED
    else:
        pytest.fail("taken")


def test_refused_vault_can_be_wiped_and_begun_again() -> None:
    phone = phone_with()
    old = phone.vault.backup()
    phone.vault.commit(NEW)
    refused(Damage.ROLLED_BACK, phone, old)
    phone.vault.wipe()
    phone.vault.format()
    assert phone.restart().contents() == {}


# -- everything in any order

class AnyUse(RuleBasedStateMachine):
    """Commits, cuts, restarts, wipes and thefts of images in any order, against a plain dictionary."""

    names = st.sampled_from(["a", "b", "c", "visit.1"])

    @initialize()
    def begin(self) -> None:
        self.phone = phone_with({})
        self.model: dict[str, bytes] = {}
        self.images: list[dict[str, bytes]] = []

    @rule(changes=st.dictionaries(names, st.none() | st.binary(max_size=40), max_size=3), at=st.none() | st.integers(0, 30),
          cuts=st.lists(st.integers(0, 20), max_size=2))
    def commit(self, changes: dict[str, bytes | None], at: int | None, cuts: list[int]) -> None:
        new = after(self.model, changes)
        if at is not None and cut(self.phone.power, at, lambda: self.phone.vault.commit(changes)):
            until_on(self.phone.power, cuts, self.phone.restart)
            assert self.phone.contents() in (self.model, new)
            new = self.phone.contents()
        elif at is None:
            self.phone.vault.commit(changes)
        self.model = new

    @rule()
    def restart(self) -> None:
        self.phone.restart()

    @rule()
    def photograph(self) -> None:
        self.images.append(self.phone.vault.backup())

    @precondition(lambda self: self.images)
    @rule(data=st.data())
    def set_back(self, data: st.DataObject) -> None:
        now, image = self.phone.vault.backup(), data.draw(st.sampled_from(self.images))
        if image[HEAD] != now[HEAD]:
            with pytest.raises(VaultRefused):
                self.phone.restart(image)
        self.phone.restart(now)

    @rule(at=st.none() | st.integers(0, 40), cuts=st.lists(st.integers(0, 20), max_size=2))
    def wipe(self, at: int | None, cuts: list[int]) -> None:
        flash = self.phone.vault.backup()
        if at is None:
            self.phone.vault.wipe()
        elif cut(self.phone.power, at, self.phone.vault.wipe):
            until_on(self.phone.power, cuts, self.phone.restart)
        if not self.phone.vault.ready:
            assert not search(flash, self.phone.keystore, NEEDLE) and not any(self.phone.store.cells().values())
            self.phone.vault.format()
            self.model = {}

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "model"):
            assert self.phone.contents() == self.model


TestAnyUse = AnyUse.TestCase
