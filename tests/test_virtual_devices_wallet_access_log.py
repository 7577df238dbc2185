"""The holder's log: in the same commit as the act, bounded, and readable in two languages whatever others call themselves."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtual_devices import vhc
from virtual_devices.clock import NS, from_datetime, to_datetime
from virtual_devices.link import Work
from virtual_devices.pki import Role
from virtual_devices.wallet.access_log import KEPT, AccessLog, Deed, Entry, Language, describe
from virtual_devices.wallet.consent import Use
from virtual_devices.wallet.holder import Means
from virtual_devices.wallet.keystore import Keystore
from virtual_devices.wallet.power import Memory, Power
from virtual_devices.wallet.vault import Vault, search

from .phones import cut, keystore

WHEN = 1_780_000_000 * NS  # 2026-05-28 20:26:40 UTC
ENTRY = Entry(
    WHEN, Deed.SHOWN, "nfc", Use.TREATMENT, ((vhc.BASIC, "name"), (vhc.MEDICAL, "allergies")), "3501200000", "D220000001",
    Role.PHYSICIAN, Means.PIN,
)
GUARDED = replace(ENTRY, by="王大明", holder="王小寶", means=Means.BIOMETRIC, armed=True)

TEXTS = st.text(max_size=30)
CHANNELS = st.sampled_from(["nfc", "ble", "qr", "contact", "network", "carrier pigeon"])
ELEMENTS = st.lists(st.sampled_from([*vhc.BY_NAME]) | st.tuples(TEXTS, TEXTS), max_size=5).map(tuple)
ENTRIES = st.builds(
    Entry, st.integers(0, 2**62), st.sampled_from(Deed), CHANNELS, st.sampled_from(Use), ELEMENTS, TEXTS, TEXTS,
    st.none() | st.sampled_from(Role), st.none() | st.sampled_from(Means), st.booleans(), TEXTS, TEXTS,
)


def new_vault(power: Power | None = None, chip: Keystore | None = None, cells: dict[str, bytes] | None = None) -> Vault:
    power = power or Power()
    vault = Vault(Memory("flash", cells or {}, Work(), power), chip or keystore(power=power))
    vault.power_on()
    if not vault.ready:
        vault.format()
    return vault


@given(ENTRIES)
def test_entry_comes_back_whole(entry: Entry) -> None:
    assert Entry.from_bytes(entry.to_bytes()) == entry


def test_newest_comes_first_and_the_oldest_go_while_their_count_stays() -> None:
    vault = new_vault()
    log = AccessLog(vault)
    assert log.entries() == [] and log.dropped == 0 and log.changes() == {}
    for number in range(KEPT + 7):
        vault.commit(log.changes(replace(ENTRY, at_ns=number)))
    assert [e.at_ns for e in log.entries()] == list(range(KEPT + 6, 6, -1))
    assert log.dropped == 7 and len(vault.names("log.entry.")) == KEPT


@given(st.lists(st.integers(1, 3 * KEPT), min_size=1, max_size=4))
def test_several_entries_in_one_commit_and_more_than_are_kept(sizes: list[int]) -> None:
    records: dict[str, bytes] = {}
    log, total = AccessLog(records), 0
    for size in sizes:
        for name, value in log.changes(*(replace(ENTRY, at_ns=total + n) for n in range(size))).items():
            if value is None:
                del records[name]
            else:
                records[name] = value
        total += size
    assert [e.at_ns for e in log.entries()] == list(range(total - 1, max(0, total - KEPT) - 1, -1))
    assert log.dropped == max(0, total - KEPT) and len(records) == min(total, KEPT) + 1


def test_no_act_without_its_entry_and_no_entry_without_its_act_wherever_the_power_goes() -> None:
    point, outcomes = 0, set()
    while True:
        power = Power()
        chip = keystore(power=power)
        vault = new_vault(power, chip)
        act = {**AccessLog(vault).changes(replace(ENTRY, deed=Deed.WRITTEN)), "own/visit.1": b"a visit"}
        if not cut(power, point, lambda vault=vault, act=act: vault.commit(act)):
            break
        chip = keystore(cells=chip.cells())
        vault = new_vault(chip=chip, cells=vault.backup())
        done = vault.get("own/visit.1") is not None
        assert len(AccessLog(vault).entries()) == done
        outcomes.add(done)
        point += 1
    assert outcomes == {True, False} and point > 15


def test_log_goes_with_a_wipe_and_is_nothing_to_others() -> None:
    chip = keystore()
    vault = new_vault(chip=chip)
    vault.commit(AccessLog(vault).changes(GUARDED))
    name = GUARDED.holder.encode()
    assert search(vault.backup(), chip, name) and not search(vault.backup(), keystore("phone B"), name)
    before = vault.backup()
    vault.wipe()
    assert not search(before, chip, name)


# -- in words

@pytest.mark.parametrize(("entry", "zh", "en"), [
    (ENTRY,
     "2026-05-29 04:26　機構 3501200000 的醫師 D220000001 經 NFC 讀取：姓名、過敏藥物（診療；以密碼同意）",
     "2026-05-29 04:26  physician D220000001, institution 3501200000, read over NFC: name, drug allergies "
     "(treatment; consent by PIN)"),
    (GUARDED,
     "2026-05-29 04:26　機構 3501200000 的醫師 D220000001 經 NFC 讀取：姓名、過敏藥物"
     "（診療；事先以生物特徵同意；由王大明代王小寶）",
     "2026-05-29 04:26  physician D220000001, institution 3501200000, read over NFC: name, drug allergies "
     "(treatment; consent by biometric in advance; by 王大明 for 王小寶)"),
    (Entry(WHEN, Deed.DECLINED, "qr", Use.NON_MEDICAL, ((vhc.BASIC, "name"),)),
     "2026-05-29 04:26　未證明身分的讀取者經二維條碼要求而未獲准：姓名（非醫療用途；未同意）",
     "2026-05-29 04:26  a reader that did not prove itself asked for, and did not get, over QR code: name "
     "(use outside medical care; without consent)"),
])
def test_entry_in_words(entry: Entry, zh: str, en: str) -> None:
    assert from_datetime(to_datetime(WHEN)) == WHEN
    assert describe(entry, Language.ZH) == zh and describe(entry, Language.EN) == en


@given(ENTRIES.filter(lambda e: e.at_ns < 2**60))
def test_every_entry_can_be_told_and_says_who_what_and_for_whom(entry: Entry) -> None:
    for lang in Language:
        text = describe(entry, lang)
        assert not [c for c in text if unicodedata.category(c)[0] == "C"]
        for element in entry.elements:
            if element in vhc.BY_NAME:
                assert (vhc.BY_NAME[element].zh if lang is Language.ZH else vhc.BY_NAME[element].en) in text
    assert "\n" not in describe(entry, Language.EN)


def test_name_that_would_turn_the_text_round_or_fill_the_screen_is_shown_plain() -> None:
    text = describe(replace(ENTRY, institution="35\u202e00\u200b\n\x1b[2J" + "9" * 500), Language.EN)
    assert "institution 35 00 [2J999" in text and "…" in text and len(text) < 220 and "\u202e" not in text


def test_acts_deeds_uses_and_channels_all_read_differently() -> None:
    for lang in Language:
        variants = [replace(ENTRY, deed=d) for d in Deed] + [replace(ENTRY, use=u) for u in Use if u is not ENTRY.use]
        variants += [replace(ENTRY, channel=c) for c in ("ble", "qr", "contact", "network")]
        variants += [replace(ENTRY, means=m) for m in (Means.BIOMETRIC, None)] + [replace(ENTRY, armed=True), GUARDED]
        variants += [replace(ENTRY, role=r) for r in (Role.PHARMACIST, Role.NURSE, None)] + [replace(ENTRY, elements=())]
        assert len({describe(v, lang) for v in variants}) == len(variants)
